/* store/lease.c: see lease.h. */
#include "store/lease.h"
#include "store/limits.h"

struct lease_clock {
    uint64_t id, due_ns;
    uint64_t life;                               /* not the keeper's: it does not count any more */
    size_t   at;                                 /* in the heap, from 1; 0: its end is proposed */
};

static struct str id_key(const uint64_t *id)
{
    return str_make((const char *)id, sizeof *id);
}

/* ---- the heap ------------------------------------------------------------------------------------ */

static void heap_set(struct lease_keeper *k, size_t at, struct lease_clock *c)
{
    k->heap[at - 1] = c;
    c->at = at;
}

static void heap_up(struct lease_keeper *k, size_t at, struct lease_clock *c)
{
    while (at > 1 && k->heap[at / 2 - 1]->due_ns > c->due_ns) {
        heap_set(k, at, k->heap[at / 2 - 1]);
        at /= 2;
    }
    heap_set(k, at, c);
}

static void heap_down(struct lease_keeper *k, size_t at, struct lease_clock *c)
{
    for (size_t child; (child = 2 * at) <= k->n; at = child) {
        if (child < k->n && k->heap[child]->due_ns < k->heap[child - 1]->due_ns)
            child++;
        if (k->heap[child - 1]->due_ns >= c->due_ns)
            break;
        heap_set(k, at, k->heap[child - 1]);
    }
    heap_set(k, at, c);
}

static void heap_remove(struct lease_keeper *k, struct lease_clock *c)
{
    size_t at = c->at;
    struct lease_clock *last;

    if (at == 0)
        return;
    must(at <= k->n && k->heap[at - 1] == c);
    last = k->heap[--k->n];
    c->at = 0;
    if (last == c)
        return;
    if (at > 1 && k->heap[at / 2 - 1]->due_ns > last->due_ns)
        heap_up(k, at, last);
    else
        heap_down(k, at, last);
}

static void heap_add(struct lease_keeper *k, struct lease_clock *c)
{
    must(c->at == 0);
    if (k->n == k->cap) {
        k->cap = k->cap > 0 ? k->cap * 2 : 64;
        k->heap = mem_realloc(k->heap, k->cap * sizeof *k->heap);
    }
    k->n++;
    heap_up(k, k->n, c);
}

/* ---- time ---------------------------------------------------------------------------------------- */

static void keeper_arm(struct lease_keeper *k)
{
    uint64_t now = loop_now_ns(k->loop), due;

    if (!k->leading || k->n == 0) {
        timer_stop(&k->timer);
        return;
    }
    due = k->heap[0]->due_ns;
    if (!timer_active(&k->timer) || k->timer.due_ns > due || k->timer.due_ns <= now)
        timer_start_ns(&k->timer, due > now ? due - now : 0);
}

static void clock_start(struct lease_keeper *k, struct lease_clock *c, uint64_t ms)
{
    must(ms <= STORE_MAX_LEASE_TTL_MS);
    heap_remove(k, c);
    c->due_ns = loop_hires_ns(k->loop) + MIN_OF(ms, UINT64_MAX / 4000000) * 1000000;
    heap_add(k, c);
}

static void keeper_on_timer(struct timer *t)
{
    struct lease_keeper *k = container_of(t, struct lease_keeper, timer);
    unsigned budget = STORE_EXPIRE_PER_TURN;
    struct image_lease l;

    must(k->leading);
    if (k->image->epoch != k->epoch) {           /* our epoch is not in the log yet: nothing may end */
        k->begin(k->arg, k->epoch);
        timer_start(&k->timer, STORE_EXPIRE_RETRY_MS);
        return;
    }
    while (k->n > 0 && k->heap[0]->due_ns <= loop_now_ns(k->loop) && budget-- > 0) {
        struct lease_clock *c = k->heap[0];
        heap_remove(k, c);
        must(image_lease_get(k->image, c->id, &l));
        k->expire(k->arg, c->id, l.touches, k->epoch);
    }
    keeper_arm(k);
}

/* ---- what happens to leases ---------------------------------------------------------------------- */

/* The clock of this life; NULL: there is none. */
static struct lease_clock *clock_get(const struct lease_keeper *k, uint64_t id)
{
    struct lease_clock *c = k->leading ? map_get(&k->clocks, id_key(&id)) : NULL;

    return c != NULL && c->life == k->life ? c : NULL;
}

static struct lease_clock *clock_make(struct lease_keeper *k, uint64_t id)
{
    struct lease_clock *c = map_get(&k->clocks, id_key(&id));

    if (c == NULL) {
        c = mem_new(struct lease_clock);
        c->id = id;
        map_put(&k->clocks, id_key(&id), c);
    }
    c->life = k->life;
    c->at = 0;
    return c;
}

/* Clocks for the leases that have none yet: true when there may be more. */
static bool keeper_count(struct lease_keeper *k)
{
    struct image_lease l;

    for (unsigned n = 0; n < STORE_CLOCKS_PER_SLICE; n++) {
        if (!image_lease_next(k->image, k->next_id, &l))
            return false;
        if (clock_get(k, l.id) == NULL)
            clock_start(k, clock_make(k, l.id), l.ttl_ms);
        if (l.id == UINT64_MAX)
            return false;
        k->next_id = l.id + 1;
    }
    return true;
}

/* Away with those of former lives: true when there may be more. */
static bool keeper_sweep(struct lease_keeper *k)
{
    struct str key;
    void *c;

    for (unsigned n = 0; n < STORE_CLOCKS_PER_SLICE; n++) {
        if (!map_next(&k->clocks, &k->sweep_at, &key, &c))
            return false;
        if (!k->leading || ((struct lease_clock *)c)->life != k->life) {
            map_del(&k->clocks, key);
            mem_free(c);
        }
    }
    return true;
}

static void keeper_on_slice(struct ready_item *it)
{
    struct lease_keeper *k = container_of(it, struct lease_keeper, slice);

    if (k->counting) {
        k->counting = keeper_count(k);
        keeper_arm(k);
    } else if (!keeper_sweep(k)) {
        if (k->clocks.n == 0)
            map_release(&k->clocks);
        return;
    }
    ready_post(k->loop, &k->slice);
}

void lease_keeper_init(struct lease_keeper *k, struct loop *l, const struct image *m)
{
    *k = (struct lease_keeper){ .loop = l, .image = m };
    timer_init(&k->timer, l, keeper_on_timer);
    ready_init(&k->slice, keeper_on_slice);
}

void lease_keeper_release(struct lease_keeper *k)
{
    struct str key;
    void *c;

    timer_stop(&k->timer);
    ready_cancel(&k->slice);
    for (size_t i = 0; map_next(&k->clocks, &i, &key, &c); )
        mem_free(c);
    map_release(&k->clocks);
    mem_free(k->heap);
}

void lease_keeper_changed(struct lease_keeper *k, uint64_t id)
{
    struct lease_clock *c = clock_get(k, id);
    struct image_lease  l;

    if (!k->leading)
        return;
    if (!image_lease_get(k->image, id, &l)) {
        if (c != NULL) {
            heap_remove(k, c);
            map_del(&k->clocks, id_key(&id));
            mem_free(c);
        }
        keeper_arm(k);
        return;
    }
    clock_start(k, c != NULL ? c : clock_make(k, id), l.ttl_ms);
    keeper_arm(k);
}

/* A new life: no clock counts any more. */
static void keeper_begin(struct lease_keeper *k, bool leading)
{
    timer_stop(&k->timer);
    k->life++;
    k->n = 0;
    k->leading = k->counting = leading;
    k->next_id = 0;
    k->sweep_at = 0;
    ready_post(k->loop, &k->slice);
}

void lease_keeper_lead(struct lease_keeper *k, uint64_t epoch)
{
    keeper_begin(k, true);
    k->epoch = epoch;
    k->begin(k->arg, epoch);
}

void lease_keeper_follow(struct lease_keeper *k)
{
    keeper_begin(k, false);
}

bool lease_keeper_renew(struct lease_keeper *k, uint64_t id)
{
    struct lease_clock *c = clock_get(k, id);
    struct image_lease  l;

    /* Before our epoch is applied, the end that a former leader proposed may still come about. */
    if (!k->leading || k->image->epoch != k->epoch)
        return false;
    if (c == NULL && k->counting && image_lease_get(k->image, id, &l)) {
        lease_keeper_changed(k, id);             /* its turn would have come */
        return true;
    }
    if (c == NULL || c->at == 0)
        return false;
    must(image_lease_get(k->image, id, &l));
    clock_start(k, c, l.ttl_ms);
    return true;
}

void lease_keeper_retry(struct lease_keeper *k, uint64_t id)
{
    struct lease_clock *c = clock_get(k, id);

    if (c == NULL || c->at != 0)
        return;
    clock_start(k, c, STORE_EXPIRE_RETRY_MS);
    keeper_arm(k);
}

bool lease_keeper_left(const struct lease_keeper *k, uint64_t id, uint64_t *ret_ms)
{
    const struct lease_clock *c = clock_get(k, id);
    uint64_t now = loop_now_ns(k->loop);

    if (c == NULL)
        return false;
    *ret_ms = c->at != 0 && c->due_ns > now ? (c->due_ns - now) / 1000000 : 0;
    return true;
}
