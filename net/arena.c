/* net/arena.c: chunks that double up to a bound; a large request gets a chunk of its own size. */
#include <stdio.h>
#include <stdlib.h>
#include "net/arena.h"

struct arena_chunk {
    struct arena_chunk *older;
    size_t size;                                 /* with this header */
    _Alignas(16) char data[];
};

enum { CHUNK_FIRST = MEM_BLOCK, CHUNK_MAX = MEM_BLOCK << 6, CHUNK_HEAD = sizeof(struct arena_chunk) };

/* n: of the data. */
static struct arena_chunk *chunk_new(size_t n, struct arena_chunk *older)
{
    struct arena_chunk *c = mem_block_alloc(CHUNK_HEAD + n);
    c->older = older;
    c->size = CHUNK_HEAD + n;
    return c;
}

static void chunk_free(struct arena_chunk *c) { mem_block_free(c, c->size); }

void *arena__grow(struct arena *a, size_t n)
{
    struct arena_chunk *cur = a->chunk;
    size_t size = cur == NULL ? CHUNK_FIRST : MIN_OF(cur->size * 2, (size_t)CHUNK_MAX);

    must(n % 16 == 0);
    size -= CHUNK_HEAD;
    if (cur != NULL && n > size / 2) {           /* keep filling the current one */
        cur->older = chunk_new(n, cur->older);
        a->total += n;
        return cur->older->data;
    }
    if (cur != NULL)
        a->total += (size_t)(a->at - cur->data);
    a->chunk = chunk_new(MAX_OF(size, n), cur);
    a->at = a->chunk->data + n;
    a->end = (char *)a->chunk + a->chunk->size;
    return a->chunk->data;
}

void arena_init_sized(struct arena *a, size_t n)
{
    struct arena_chunk *c = chunk_new((n + 15) & ~(size_t)15, NULL);

    *a = (struct arena){ .chunk = c, .at = c->data, .end = (char *)c + c->size };
}

void arena_release(struct arena *a)
{
    for (struct arena_chunk *c = a->chunk, *older; c != NULL; c = older) {
        older = c->older;
        chunk_free(c);
    }
    *a = ARENA_INIT;
}

void arena_reset(struct arena *a)
{
    struct arena_chunk *c = a->chunk;

    if (c == NULL)
        return;
    while (c->older != NULL) {
        struct arena_chunk *older = c->older;
        chunk_free(c);
        c = older;
    }
    a->chunk = c;
    a->at = c->data;
    a->end = (char *)c + c->size;
    a->total = 0;
}

size_t arena_used(const struct arena *a)
{
    return a->total + (a->chunk != NULL ? (size_t)(a->at - a->chunk->data) : 0);
}

char *arena_cstr(struct arena *a, struct str s)
{
    char *p = arena_alloc(a, s.n + 1);
    if (s.n > 0)
        memcpy(p, s.p, s.n);
    p[s.n] = '\0';
    return p;
}

struct str arena_str(struct arena *a, struct str s)
{
    return str_make(arena_cstr(a, s), s.n);
}

struct str arena_join(struct arena *a, const struct str *parts, size_t n)
{
    size_t len = 0, at = 0;

    for (size_t i = 0; i < n; i++)
        len += parts[i].n;
    char *p = arena_alloc(a, len + 1);
    for (size_t i = 0; i < n; i++) {
        if (parts[i].n > 0)
            memcpy(p + at, parts[i].p, parts[i].n);
        at += parts[i].n;
    }
    p[len] = '\0';
    return str_make(p, len);
}

struct str arena_vfmt(struct arena *a, const char *fmt, va_list ap)
{
    va_list again;

    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, again);
    va_end(again);
    must(n >= 0);
    char *p = arena_alloc(a, (size_t)n + 1);
    vsnprintf(p, (size_t)n + 1, fmt, ap);
    return str_make(p, (size_t)n);
}

struct str arena_fmt(struct arena *a, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    struct str s = arena_vfmt(a, fmt, ap);
    va_end(ap);
    return s;
}
