/* store/etcd/etcd_range.c: KV.Range: from one key to a million, in slices, from the tree to the wire.
 *
 * Two walks over one view: the first adds up how long the answer will be, the second writes it; nothing is
 * gathered.
 * An order other than that of keys takes a heap of the keys wanted (as many as the limit, if there is one):
 *     SCAN (count bytes, or fill the heap) -> SORT (only with a heap) -> WRITE
 * Ranges above ETCD_RANGE_SLICE pin their view and give the loop back after every slice, and whenever the
 * client has
 * ETCD_QUEUE_MAX bytes yet to take. */
#include "store/etcd/etcd_write.h"

enum range_phase { RANGE_SCAN, RANGE_SORT, RANGE_WRITE };

struct range_job {
    struct etcd_call *c;
    const struct etcd_range *r;
    struct store_range keys;
    struct store_view *view;
    bool   pinned, heaped, more;
    enum range_phase phase;
    struct store_cursor at;
    uint64_t rev, count, n, max;                 /* max: keys that are told at most */
    uint64_t bytes;
    struct store_kv *heap; size_t n_heap, cap, sorted;   /* heap[0] is what comes last */
    size_t   written;
    struct etcd_sink sink;
    struct buf buf;
    struct ready_item again;
};

/* ---- what a request wants ------------------------------------------------------------------------- */

enum etcd_error etcd_range_check(const struct etcd_range *r)
{
    if (r->sort_order < SORT_NONE || r->sort_order > SORT_DESCEND || r->sort_target < SORT_KEY
        || r->sort_target > SORT_VALUE)
        return ETCD_SORT_OPTION;
    return ETCD_OK;
}

/* etcd sorts by another target also if it was asked for no order. */
static bool in_key_order(const struct etcd_range *r)
{
    return r->sort_order != SORT_DESCEND && r->sort_target == SORT_KEY;
}

static bool filters(const struct etcd_range *r)
{
    return r->min_mod > 0 || r->max_mod > 0 || r->min_create > 0 || r->max_create > 0;
}

bool etcd_range_whole(const struct etcd_range *r)
{
    return !in_key_order(r) || filters(r);
}

static bool within(uint64_t v, int64_t min, int64_t max)
{
    return (min <= 0 || v >= (uint64_t)min) && (max <= 0 || v <= (uint64_t)max);
}

bool etcd_range_wants(const struct etcd_range *r, const struct store_kv *kv)
{
    return within(kv->mod_rev, r->min_mod, r->max_mod) && within(kv->create_rev, r->min_create,
                                                                 r->max_create);
}

static int compare_u64(uint64_t a, uint64_t b) { return (a > b) - (a < b); }

int etcd_range_order(const struct etcd_range *r, const struct store_kv *a, const struct store_kv *b)
{
    int c = 0;

    switch (r->sort_target) {
    case SORT_VERSION: c = compare_u64(a->version, b->version); break;
    case SORT_CREATE:  c = compare_u64(a->create_rev, b->create_rev); break;
    case SORT_MOD:     c = compare_u64(a->mod_rev, b->mod_rev); break;
    case SORT_VALUE:   c = str_cmp(blob_str(a->value), blob_str(b->value)); break;
    default:           c = str_cmp(a->key, b->key); break;
    }
    if (c != 0)
        return r->sort_order == SORT_DESCEND ? -c : c;
    return str_cmp(a->key, b->key);              /* ascending in both orders, as etcd leaves them */
}

enum etcd_error etcd_view_at(struct etcd *e, int64_t revision, struct store_view **ret)
{
    uint64_t rev = revision > 0 ? (uint64_t)revision : 0;
    int rc;

    *ret = NULL;
    if (rev == 0 || rev == store_revision(e->store))
        return ETCD_OK;
    if (rev < store_compacted(e->store))
        return ETCD_COMPACTED;
    rc = store_pin_at(e->store, rev, ret);
    return rc == 0 ? ETCD_OK : etcd_error_of(rc);
}

void etcd_views_drop(struct etcd *e)
{
    for (unsigned i = 0; i < ETCD_KEPT; i++) {
        store_unpin(e->kept[i]);
        e->kept[i] = NULL;
    }
    timer_stop(&e->kept_until);
}

void etcd_view_keep(struct etcd *e, uint64_t revision)
{
    struct store_view *v;

    for (unsigned i = 0; i < ETCD_KEPT; i++)
        if (e->kept[i] != NULL && store_view_revision(e->kept[i]) == revision)
            return;
    if (e->closing || store_pin_at(e->store, revision, &v) != 0)
        return;
    store_unpin(e->kept[e->next_kept]);
    e->kept[e->next_kept] = v;
    e->next_kept = (e->next_kept + 1) % ETCD_KEPT;
    if (!timer_active(&e->kept_until))
        timer_start(&e->kept_until, ETCD_KEPT_MS);
}

/* ---- the heap ------------------------------------------------------------------------------------- */

static void heap_swap(struct range_job *j, size_t a, size_t b)
{
    struct store_kv kv = j->heap[a];

    j->heap[a] = j->heap[b];
    j->heap[b] = kv;
}

static bool heap_above(struct range_job *j, size_t a, size_t b)
{
    return etcd_range_order(j->r, &j->heap[a], &j->heap[b]) > 0;
}

static void heap_down(struct range_job *j, size_t n)
{
    for (size_t i = 0, k; (k = 2 * i + 1) < n; i = k) {
        k += k + 1 < n && heap_above(j, k + 1, k);
        if (!heap_above(j, k, i))
            return;
        heap_swap(j, i, k);
    }
}

/* Keep the first `max` in the order wanted. */
static void heap_add(struct range_job *j, const struct store_kv *kv)
{
    size_t i = j->n_heap;

    j->n++;
    if (j->max > 0 && j->n_heap == j->max) {
        j->more = true;
        if (etcd_range_order(j->r, kv, &j->heap[0]) < 0) {
            j->heap[0] = *kv;
            heap_down(j, j->n_heap);
        }
        return;
    }
    if (j->n_heap == j->cap) {
        j->cap = j->cap > 0 ? j->cap * 2 : 64;
        j->heap = mem_realloc(j->heap, j->cap * sizeof *j->heap);
    }
    j->heap[j->n_heap++] = *kv;
    for (; i > 0 && heap_above(j, i, (i - 1) / 2); i = (i - 1) / 2)
        heap_swap(j, i, (i - 1) / 2);
}

/* ---- phases: each returns true once it is over ---------------------------------------------------- */

static bool range_scan(struct range_job *j)
{
    struct store_kv kv;

    for (unsigned i = 0; i < ETCD_RANGE_SLICE; i++) {
        if (j->r->count_only || !store_next(&j->at, &kv))
            return true;
        if (!etcd_range_wants(j->r, &kv))
            continue;
        if (j->heaped) {
            heap_add(j, &kv);
            continue;
        }
        if (j->max > 0 && j->n == j->max) {
            j->more = true;
            return true;
        }
        j->n++;
        j->bytes += etcd_kv_size(2, &kv, j->r->keys_only);
    }
    return false;
}

/* Heap sort, from the last to the first; on the way their bytes are added up. */
static bool range_sort(struct range_job *j)
{
    for (unsigned i = 0; i < ETCD_RANGE_SLICE && j->sorted < j->n_heap; i++) {
        size_t last = j->n_heap - ++j->sorted;
        heap_swap(j, 0, last);
        heap_down(j, last);
        j->bytes += etcd_kv_size(2, &j->heap[last], j->r->keys_only);
    }
    return j->sorted == j->n_heap;
}

static bool range_head(struct range_job *j)
{
    struct etcd_header h;
    struct buf *b = &j->c->e->out;
    size_t n;

    etcd_header(j->c->e, j->rev, &h);
    n = pb_size(&etcd_header_msg, &h);
    j->bytes += pb_head_size(1, n) + n + pb_int_size(3, j->more) + pb_int_size(4, j->count);
    if (j->bytes > GRPC_MAX_MESSAGE)
        return false;
    etcd_sink_begin(&j->sink, &j->c->grpc, j->pinned ? &j->buf : b, j->bytes);
    b = j->sink.buf;
    pb_add_head(b, 1, n);
    pb_encode(b, &etcd_header_msg, &h);
    pb_add_int(b, 3, j->more);
    pb_add_int(b, 4, j->count);
    store_seek(&j->at, j->view, j->keys.from, j->keys.to);
    return true;
}

static bool range_write(struct range_job *j)
{
    uint64_t all = j->heaped ? j->n_heap : j->n;
    struct store_kv kv;

    for (unsigned i = 0; i < ETCD_RANGE_SLICE && j->written < all; i++) {
        if (j->pinned && (i & 63) == 0 && grpc_queued(&j->c->grpc) > ETCD_QUEUE_MAX)
            return false;
        if (j->heaped)
            kv = j->heap[j->written];
        else
            must(store_next(&j->at, &kv));
        if (!j->heaped && !etcd_range_wants(j->r, &kv))
            continue;
        etcd_kv_write(&j->sink, 2, &kv, j->r->keys_only);
        j->written++;
    }
    return j->written == all;
}

/* ---- the job -------------------------------------------------------------------------------------- */

static void range_dropped(struct etcd_call *c)
{
    struct range_job *j = c->job;

    ready_cancel(&j->again);
    if (j->pinned)
        store_unpin(j->view);
    mem_free(j->heap);
    buf_release(&j->buf);
}

/* As far as it goes in this turn. */
static void range_run(struct range_job *j)
{
    struct etcd_call *c = j->c;

    for (;;) {
        bool over = j->phase == RANGE_SCAN ? range_scan(j) : j->phase == RANGE_SORT ? range_sort(j)
            : range_write(j);
        if (over && j->phase == RANGE_WRITE)
            break;
        if (over)
            j->phase = j->phase == RANGE_SCAN && j->heaped ? RANGE_SORT : RANGE_WRITE;
        if (over && j->phase == RANGE_WRITE && !range_head(j)) {
            etcd_fail_text(c, GRPC_RESOURCE_EXHAUSTED,
                           "etcdserver: the answer is larger than a message can be");
            return;
        }
        if (j->pinned && (j->phase != RANGE_WRITE || grpc_queued(&c->grpc) <= ETCD_QUEUE_MAX)) {
            ready_post(c->e->loop, &j->again);
            return;
        }
        if (j->pinned)
            return;                              /* on_drain comes */
    }
    etcd_sink_end(&j->sink);
    etcd_done(c);
}

static void range_on_again(struct ready_item *it)
{
    range_run(container_of(it, struct range_job, again));
}

static void range_drained(struct etcd_call *c)
{
    struct range_job *j = c->job;

    ready_post(c->e->loop, &j->again);
}

static void range_begin(struct etcd_call *c)
{
    struct range_job *j = c->job;
    enum etcd_error err = etcd_view_at(c->e, j->r->revision, &j->view);
    uint64_t seen;

    if (err != ETCD_OK) {
        etcd_fail(c, err);
        return;
    }
    j->pinned = j->view != NULL;
    if (!j->pinned)
        j->view = store_live(c->e->store);
    j->rev = store_revision(c->e->store);
    j->count = store_count(j->view, j->keys.from, j->keys.to);
    j->max = j->r->limit > 0 ? (uint64_t)j->r->limit : 0;
    j->heaped = !in_key_order(j->r);
    seen = j->r->count_only ? 0 : j->max > 0 && !etcd_range_whole(j->r) ? MIN_OF(j->count, j->max) : j->count;
    if (seen >= ETCD_RANGE_SLICE && !j->pinned) {
        j->view = store_pin(c->e->store);
        j->pinned = true;
    }
    if (j->pinned)
        c->drained = range_drained;
    if (j->max > 0 && j->count > j->max && !j->heaped)
        etcd_view_keep(c->e, store_view_revision(j->view));
    store_seek(&j->at, j->view, j->keys.from, j->keys.to);
    range_run(j);
}

static void range_when_near(struct etcd_call *c)
{
    etcd_when_near(c, ((const struct etcd_range *)c->request)->revision, range_begin);
}

void etcd_kv_range(struct etcd_call *c)
{
    struct etcd_range *r = c->request;
    struct range_job *j = arena_new(&c->arena, struct range_job);
    enum etcd_error err = etcd_map((struct etcd_who){ c->e, c->admin }, &c->arena, r->key, r->range_end,
                                   false, &j->keys);

    if (err == ETCD_OK)
        err = etcd_range_check(r);
    if (err != ETCD_OK) {
        etcd_fail(c, err);
        return;
    }
    j->c = c;
    j->r = r;
    ready_init(&j->again, range_on_again);
    c->job = j;
    c->dropped = range_dropped;
    etcd_when_current(c, r->serializable, range_when_near);
}
