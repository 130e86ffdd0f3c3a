/* net/http2_pool.c: see net/http2_pool.h. */
#include "net/http2_pool.h"

struct h2_slab;
/* Before each block: its size while in use, the next one while free. */
struct h2_block {
    union { size_t size; struct h2_block *next; };
    struct h2_slab *slab;                        /* NULL: from the heap */
} __attribute__((aligned(16)));

struct h2_frame { struct h2_block b; char room[H2_POOL_FRAME]; };
struct h2_slab {
    struct qlink at;                             /* unlinked: full */
    unsigned used, fresh;                        /* frames from fresh on were never touched */
    struct h2_block *free;
    struct h2_frame frame[H2_POOL_SLAB];
};

/* ---- buffers for frames ------------------------------------------------------------------------- */

static struct h2_block *frame_take(struct h2_pool *p)
{
    struct h2_slab *s;
    struct h2_block *b;

    if (qempty(&p->slabs)) {
        s = mem_alloc(sizeof *s);
        s->used = s->fresh = 0;
        s->free = NULL;
        qinit(&s->at);
        qpush(&p->slabs, &s->at);
    }
    s = qentry(qfirst(&p->slabs), struct h2_slab, at);
    b = s->free;
    if (b != NULL)
        s->free = b->next;
    else
        b = &s->frame[s->fresh++].b;
    b->slab = s;
    if (++s->used == H2_POOL_SLAB)
        qdel(&s->at);
    return b;
}

static void frame_put(struct h2_pool *p, struct h2_block *b)
{
    struct h2_slab *s = b->slab;

    must(s->used > 0);
    b->next = s->free;
    s->free = b;
    if (!qlinked(&s->at))
        qpush(&p->slabs, &s->at);
    if (--s->used == 0) {
        qdel(&s->at);
        mem_free(s);
    }
}

/* ---- blocks ------------------------------------------------------------------------------------- */

void h2_pool_init(struct h2_pool *p)
{
    memset(p, 0, sizeof *p);
    qinit(&p->slabs);
}

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
    must(qempty(&p->slabs));
    h2_pool_init(p);
}

void *h2_pool_alloc(struct h2_pool *p, size_t n)
{
    must(n < SIZE_MAX / 2);
    size_t size = (n + H2_POOL_STEP - (n != 0)) / H2_POOL_STEP * H2_POOL_STEP, i = class_of(size);
    struct h2_block *b = i < H2_POOL_CLASSES ? p->free[i] : NULL;

    if (b != NULL) {
        p->free[i] = b->next;
        p->n[i]--;
    } else if (size > H2_POOL_FRAME / 2 && size <= H2_POOL_FRAME) {
        b = frame_take(p);
    } else {
        b = mem_alloc(sizeof *b + size);
        b->slab = NULL;
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
    if (b->slab != NULL) {
        frame_put(p, b);
        return;
    }
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
