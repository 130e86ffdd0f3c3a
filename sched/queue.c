/* sched/queue.c: see sched/queue.h. */
#include "sched/queue.h"

/* ---- A binary heap that knows where its elements are --------------------------------------------------- */

static void heap_set(struct pod_heap *h, size_t at, struct sched_pod *p)
{
    h->v[at - 1] = p;
    p->heap_at = at;
}

static void heap_up(struct pod_heap *h, size_t at, struct sched_pod *p)
{
    for (; at > 1 && h->before(p, h->v[at / 2 - 1]); at /= 2)
        heap_set(h, at, h->v[at / 2 - 1]);
    heap_set(h, at, p);
}

static void heap_down(struct pod_heap *h, size_t at, struct sched_pod *p)
{
    for (size_t child; (child = at * 2) <= h->n; at = child) {
        if (child < h->n && h->before(h->v[child], h->v[child - 1]))
            child++;
        if (!h->before(h->v[child - 1], p))
            break;
        heap_set(h, at, h->v[child - 1]);
    }
    heap_set(h, at, p);
}

static void heap_push(struct pod_heap *h, struct sched_pod *p)
{
    must(p->heap_at == 0);
    if (h->n == h->cap) {
        h->cap = h->cap == 0 ? 64 : h->cap * 2;
        h->v = mem_realloc(h->v, h->cap * sizeof(struct sched_pod *));
    }
    heap_up(h, ++h->n, p);
}

static void heap_remove(struct pod_heap *h, struct sched_pod *p)
{
    size_t at = p->heap_at;
    struct sched_pod *last = h->v[h->n - 1];

    must(at > 0 && at <= h->n && h->v[at - 1] == p);
    h->n--;
    p->heap_at = 0;
    if (last == p)
        return;
    heap_up(h, at, last);
    heap_down(h, last->heap_at, last);
}

static bool more_urgent(const struct sched_pod *a, const struct sched_pod *b)
{
    return a->priority != b->priority ? a->priority > b->priority : a->seq < b->seq;
}

static bool earlier(const struct sched_pod *a, const struct sched_pod *b)
{
    return a->due_ms != b->due_ms ? a->due_ms < b->due_ms : a->seq < b->seq;
}

/* ---- The queue ----------------------------------------------------------------------------------------- */

void queue_init(struct sched_queue *q)
{
    *q = (struct sched_queue){ .active = { .before = more_urgent }, .backoff = { .before = earlier } };
    qinit(&q->parked);
}

void queue_release(struct sched_queue *q)
{
    must(queue_length(q) == 0);
    mem_free(q->active.v);
    mem_free(q->backoff.v);
}

size_t queue_length(const struct sched_queue *q) { return q->active.n + q->backoff.n + q->n_parked; }

void queue_add(struct sched_queue *q, struct sched_pod *p)
{
    p->state = POD_WAITING;
    heap_push(&q->active, p);
}

static uint64_t backoff_ms(const struct sched_pod *p)
{
    uint64_t ms = SCHED_BACKOFF_FIRST_MS;

    for (unsigned i = 1; i < p->attempts && ms < SCHED_BACKOFF_MAX_MS; i++)
        ms *= 2;
    return MIN_OF(ms, SCHED_BACKOFF_MAX_MS);
}

void queue_back_off(struct sched_queue *q, struct sched_pod *p, uint64_t now_ms)
{
    p->attempts++;
    p->due_ms = now_ms + backoff_ms(p);
    p->state = POD_BACKOFF;
    heap_push(&q->backoff, p);
}

void queue_park(struct sched_queue *q, struct sched_pod *p, uint64_t now_ms)
{
    must(p->heap_at == 0 && !qlinked(&p->link));
    p->attempts++;
    p->due_ms = now_ms + backoff_ms(p);
    p->state = POD_PARKED;
    qpush(&q->parked, &p->link);
    q->n_parked++;
}

void queue_remove(struct sched_queue *q, struct sched_pod *p)
{
    switch (p->state) {
    case POD_WAITING: heap_remove(&q->active, p); break;
    case POD_BACKOFF: heap_remove(&q->backoff, p); break;
    case POD_PARKED:
        qdel(&p->link);
        q->n_parked--;
        break;
    case POD_ASSUMED: case POD_BOUND: case POD_GATED: break;
    }
}

struct sched_pod *queue_pop(struct sched_queue *q)
{
    struct sched_pod *p = q->active.n > 0 ? q->active.v[0] : NULL;

    if (p != NULL)
        heap_remove(&q->active, p);
    return p;
}

/* The last of a heap: taking it out moves nothing. */
struct sched_pod *queue_any(const struct sched_queue *q)
{
    const struct pod_heap *h = q->active.n > 0 ? &q->active : &q->backoff;

    return h->n > 0 ? h->v[h->n - 1] : NULL;
}

uint64_t queue_wake_due(struct sched_queue *q, uint64_t now_ms)
{
    while (q->backoff.n > 0 && q->backoff.v[0]->due_ms <= now_ms) {
        struct sched_pod *p = q->backoff.v[0];
        heap_remove(&q->backoff, p);
        queue_add(q, p);
    }
    /* Parked ones stand in the order they were parked: the first are due first. */
    while (!qempty(&q->parked)) {
        struct sched_pod *p = qentry(qfirst(&q->parked), struct sched_pod, link);
        if (p->due_ms + SCHED_FLUSH_MS > now_ms)
            break;
        queue_remove(q, p);
        queue_add(q, p);
    }
    uint64_t next = q->backoff.n > 0 ? q->backoff.v[0]->due_ms : UINT64_MAX;
    if (!qempty(&q->parked))
        next = MIN_OF(next, qentry(qfirst(&q->parked), struct sched_pod, link)->due_ms + SCHED_FLUSH_MS);
    return next;
}

void queue_wake_parked(struct sched_queue *q, uint64_t now_ms, bool (*fits)(void *arg, struct sched_pod *p),
                       void *arg)
{
    qeach(&q->parked, it, tmp) {
        struct sched_pod *p = qentry(it, struct sched_pod, link);
        if (!fits(arg, p))
            continue;
        queue_remove(q, p);
        if (p->due_ms <= now_ms) {
            queue_add(q, p);
        } else {
            p->state = POD_BACKOFF;
            heap_push(&q->backoff, p);
        }
    }
}
