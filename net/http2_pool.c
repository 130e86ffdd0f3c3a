/* net/http2_pool.c: see net/http2_pool.h. */
#include "net/http2_pool.h"

/* Before each block: its size while in use, the next one while free. */
struct h2_block { union { size_t size; struct h2_block *next; }; } __attribute__((aligned(16)));

static size_t class_of(size_t size)
{
    return (size - 1) / H2_POOL_STEP;
}

void h2_pool_release(struct h2_pool *p)
{
    for (size_t i = 0; i < H2_POOL_CLASSES; i++)
        while (p->free[i] != NULL) {
            struct h2_block *b = p->free[i];
            p->free[i] = b->next;
            mem_free(b);
        }
    *p = (struct h2_pool){ 0 };
}

void *h2_pool_alloc(struct h2_pool *p, size_t n)
{
    must(n < SIZE_MAX / 2);
    size_t size = (n + H2_POOL_STEP - (n != 0)) / H2_POOL_STEP * H2_POOL_STEP, i = class_of(size);
    struct h2_block *b = i < H2_POOL_CLASSES ? p->free[i] : NULL;

    if (b == NULL) {
        b = mem_alloc(sizeof *b + size);
    } else {
        p->free[i] = b->next;
        p->n[i]--;
    }
    b->size = size;
    return b + 1;
}

void h2_pool_free(struct h2_pool *p, void *at)
{
    struct h2_block *b = at;

    if (at == NULL)
        return;
    b--;
    size_t i = class_of(b->size);
    if (i >= H2_POOL_CLASSES || p->n[i] == H2_POOL_KEEP) {
        mem_free(b);
        return;
    }
    b->next = p->free[i];
    p->free[i] = b;
    p->n[i]++;
}

static void *ng_malloc(size_t n, void *arg) { return h2_pool_alloc(arg, n); }
static void ng_free(void *at, void *arg) { h2_pool_free(arg, at); }

static void *ng_calloc(size_t n, size_t each, void *arg)
{
    return memset(h2_pool_alloc(arg, n * each), 0, n * each);
}

static void *ng_realloc(void *at, size_t n, void *arg)
{
    size_t had = at != NULL ? ((struct h2_block *)at - 1)->size : 0;

    if (at != NULL && n <= had)
        return at;
    void *grown = h2_pool_alloc(arg, n);
    if (had > 0)
        memcpy(grown, at, had);
    h2_pool_free(arg, at);
    return grown;
}

nghttp2_mem h2_pool_mem(struct h2_pool *p)
{
    return (nghttp2_mem){ p, ng_malloc, ng_free, ng_calloc, ng_realloc };
}
