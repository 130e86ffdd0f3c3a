/* net/mem.c: the heap, and the domains that let the simulator free a whole machine (see arena.h). */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include "net/arena.h"

/* Before each block once mem_track() was called; its size keeps malloc's alignment. */
struct mem_head { struct qlink link; struct mem_domain *domain; void *pad; };
_Static_assert(sizeof(struct mem_head) % 16 == 0, "blocks stay aligned");

/* More in one block is a length computed wrongly, whatever the machine. */
#define MEM_MAX ((size_t)1 << 47)

/* The C library keeps small blocks in a cache of each thread, but calloc() passes it by. */
#define ZERO_BY_HAND ((size_t)1024)

static atomic_long        mem_blocks;
static bool               mem_tracked;
static struct mem_domain *mem_current;

static void mem_count(long n)
{
    atomic_fetch_add_explicit(&mem_blocks, n, memory_order_relaxed);
}

static void *mem_checked(void *p)
{
    if (__builtin_expect(p == NULL, 0))
        panic_at(__FILE__, __LINE__, "the system has memory");
    return p;
}

static void *head_join(struct mem_head *h)
{
    h->domain = mem_current;
    qinit(&h->link);
    if (mem_current != NULL) {
        qpush(&mem_current->blocks, &h->link);
        mem_current->n_blocks++;
    }
    return h + 1;
}

static struct mem_head *head_leave(void *p)
{
    struct mem_head *h = (struct mem_head *)p - 1;

    qdel(&h->link);
    if (h->domain != NULL) {
        must(h->domain->n_blocks > 0);
        h->domain->n_blocks--;
    }
    return h;
}

void *mem_alloc(size_t n)
{
    must(n < MEM_MAX);
    mem_count(1);
    if (__builtin_expect(mem_tracked, 0))
        return head_join(mem_checked(malloc(sizeof(struct mem_head) + n)));
    return mem_checked(malloc(n > 0 ? n : 1));
}

void *mem_zalloc(size_t n)
{
    must(n < MEM_MAX);
    mem_count(1);
    if (__builtin_expect(mem_tracked, 0))
        return head_join(mem_checked(calloc(1, sizeof(struct mem_head) + n)));
    if (n > ZERO_BY_HAND)
        return mem_checked(calloc(1, n));
    return memset(mem_checked(malloc(n > 0 ? n : 1)), 0, n);
}

void *mem_realloc(void *p, size_t n)
{
    if (p == NULL)
        return mem_alloc(n);
    must(n < MEM_MAX);
    if (__builtin_expect(!mem_tracked, 1))
        return mem_checked(realloc(p, n > 0 ? n : 1));

    struct mem_domain *was = mem_current;
    struct mem_head   *h = head_leave(p);
    mem_current = h->domain;
    p = head_join(mem_checked(realloc(h, sizeof *h + n)));
    mem_current = was;
    return p;
}

char *mem_strndup(struct str s)
{
    char *p = mem_alloc(s.n + 1);
    if (s.n > 0)
        memcpy(p, s.p, s.n);
    p[s.n] = '\0';
    return p;
}

char *mem_strdup(const char *z)
{
    return mem_strndup(str_of(z));
}

void mem_free(void *p)
{
    if (p == NULL)
        return;
    mem_count(-1);
    free(__builtin_expect(mem_tracked, 0) ? head_leave(p) : p);
}

/* ---- blocks that are asked for again and again ----------------------------------------------------- */

#define STOCK_MAX 6                              /* of each size: 750 kB in all */

/* Under a sanitizer every block goes back to it: use after free is to be found. */
#if defined(__has_feature)
#define SANITIZED (__has_feature(address_sanitizer))
#elif defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

struct mem_stock { void *first; unsigned n; };   /* linked by their first bytes */
static _Thread_local struct mem_stock mem_stocks[MEM_BLOCK_SIZES];

/* NULL: not one of the sizes. */
static struct mem_stock *stock_of(size_t n)
{
    for (unsigned k = 0; k < MEM_BLOCK_SIZES; k++)
        if (n == (size_t)MEM_BLOCK << k)
            return !SANITIZED && !mem_tracked ? &mem_stocks[k] : NULL;
    return NULL;
}

void *mem_block_alloc(size_t n)
{
    struct mem_stock *s = stock_of(n);
    void             *p;

    if (s == NULL || s->n == 0)
        return mem_alloc(n);
    p = s->first;
    memcpy(&s->first, p, sizeof s->first);
    s->n--;
    mem_count(1);
    return p;
}

void mem_block_free(void *p, size_t n)
{
    struct mem_stock *s = p != NULL ? stock_of(n) : NULL;

    if (s == NULL || s->n == STOCK_MAX) {
        mem_free(p);
        return;
    }
    memcpy(p, &s->first, sizeof s->first);
    s->first = p;
    s->n++;
    mem_count(-1);
}

long mem_live(void)
{
    return atomic_load_explicit(&mem_blocks, memory_order_relaxed);
}

void mem_track(void)
{
    must(mem_tracked || mem_live() == 0);
    mem_tracked = true;
}

void mem_domain_init(struct mem_domain *d)
{
    qinit(&d->blocks);
    d->n_blocks = 0;
}

struct mem_domain *mem_domain_enter(struct mem_domain *d)
{
    struct mem_domain *was = mem_current;

    must(mem_tracked || d == NULL);
    mem_current = d;
    return was;
}

void mem_domain_drop(struct mem_domain *d)
{
    must(d != mem_current);
    while (!qempty(&d->blocks))
        mem_free(qentry(qfirst(&d->blocks), struct mem_head, link) + 1);
    must(d->n_blocks == 0);
}
