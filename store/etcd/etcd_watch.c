/* store/etcd/etcd_watch.c: Watch.Watch: what clients ask for on the stream; see etcd_watch.h. */
#include "store/etcd/etcd_watch.h"

/* ---- progress ------------------------------------------------------------------------------------- */

/* Every event up to here has been sent on all watches of the stream. */
static uint64_t stream_seen(const struct etcd_watch_stream *ws)
{
    uint64_t rev = store_revision(ws->s.e->store);
    struct str key;
    void *val;

    for (size_t i = 0; map_next(&ws->watchers, &i, &key, &val); ) {
        uint64_t seen = etcd_watcher_seen(val);
        rev = MIN_OF(rev, seen);
    }
    return rev;
}

static void watch_on_progress(struct timer *t)
{
    struct etcd_watch_stream *ws = container_of(t, struct etcd_watch_stream, progress);
    bool wanted = false;
    struct str key;
    void *val;

    for (size_t i = 0; map_next(&ws->watchers, &i, &key, &val); ) {
        struct etcd_watcher *x = val;
        wanted |= x->notify;
        if (x->notify && !x->told && x->n == 0 && grpc_queued(&ws->s.grpc) <= ETCD_QUEUE_MAX)
            etcd_watch_note(ws, &(struct etcd_watch_note){ .rev = etcd_watcher_seen(x), .id = x->id });
        x->told = false;
    }
    if (wanted)
        timer_start(&ws->progress, ws->s.e->o.progress_ms);
}

/* ---- creating and canceling ----------------------------------------------------------------------- */

static bool has_filter(const struct etcd_watch_create *r, int64_t filter)
{
    for (uint32_t i = 0; i < r->filters.n; i++)
        if (((const int64_t *)r->filters.at)[i] == filter)
            return true;
    return false;
}

static const char *choose_id(struct etcd_watch_stream *ws, int64_t *id)
{
    if (ws->watchers.n >= ETCD_MAX_WATCHES)
        return "etcdserver: too many watches on one stream";
    if (*id != 0)
        return map_get(&ws->watchers, etcd_watch_key(id)) != NULL
               ? "mvcc: duplicate watch ID provided on the WatchStream" : NULL;
    while (map_get(&ws->watchers, etcd_watch_key(&ws->next_id)) != NULL)
        ws->next_id++;
    *id = ws->next_id++;
    return NULL;
}

static void watch_refuse(struct etcd_watch_stream *ws, int64_t id, const char *reason)
{
    etcd_watch_note(ws, &(struct etcd_watch_note){ .rev = store_revision(ws->s.e->store), .id = id,
                                                   .created = true,
                                                   .canceled = true, .reason = reason });
}

/* Where it is to begin: what the store has to have seen before. */
static uint64_t begin_after(const struct etcd *e, int64_t start)
{
    return start > 0 ? (uint64_t)start - 1 : store_revision(e->store);
}

static void watch_open(struct etcd_watch_stream *ws, const struct etcd_watch_create *r, int64_t id,
                       const struct store_range *keys)
{
    struct etcd *e = ws->s.e;
    struct etcd_watcher *x = mem_new(struct etcd_watcher);
    struct store_watch_opts o = { .from = keys->from, .to = keys->to,
                                  .after_rev = begin_after(e, r->start_revision),
                                  .on_ready = etcd_watcher_on_ready, .arg = x };
    uint64_t rev = store_revision(e->store), start = store_history_start(e->store) + 1;

    if (r->range_end.n == 0)
        o.to = STR_NONE;                         /* a single key: found by itself */
    x->ws = ws;
    x->id = id;
    x->prev_kv = r->prev_kv;
    x->notify = r->progress_notify;
    x->fragment = r->fragment;
    x->no_put = has_filter(r, FILTER_NOPUT);
    x->no_delete = has_filter(r, FILTER_NODELETE);
    x->own = keys->from.p[0] != 'u';
    qinit(&x->waiting);
    etcd_watch_note(ws, &(struct etcd_watch_note){ .rev = rev, .id = id, .created = true });
    if (store_watch_open(e->store, &o, &x->w) != 0) {
        mem_free(x);
        etcd_watch_note(ws, &(struct etcd_watch_note){ .rev = rev, .id = id, .canceled = true,
                        .compact_revision = MAX_OF(start, store_compacted(e->store)) });
        return;
    }
    map_put(&ws->watchers, etcd_watch_key(&x->id), x);
    e->n_watches++;
    if (x->notify && !timer_active(&ws->progress))
        timer_start(&ws->progress, e->o.progress_ms);
}

static void watch_create(struct etcd_watch_stream *ws, struct arena *a, const struct etcd_watch_create *r)
{
    struct str key = r->key.n > 0 ? r->key : str_make("\0", 1);
    bool to_end = r->range_end.n == 1 && r->range_end.p[0] == '\0';
    struct store_range keys;
    enum etcd_error err = etcd_map((struct etcd_who){ ws->s.e, ws->admin }, a, key, r->range_end, false,
                                   &keys);
    int64_t id = r->watch_id;
    const char *reason;

    if (err != ETCD_OK) {
        watch_refuse(ws, r->watch_id, etcd_error_text(err));
        return;
    }
    if (r->range_end.n > 0 && !to_end && str_cmp(key, r->range_end) >= 0)
        reason = "mvcc: watcher range is empty";
    else
        reason = choose_id(ws, &id);
    if (reason != NULL)
        watch_refuse(ws, -1, reason);
    else
        watch_open(ws, r, id, &keys);
}

static void watch_cancel(struct etcd_watch_stream *ws, int64_t id)
{
    struct etcd_watcher *x = map_get(&ws->watchers, etcd_watch_key(&id));

    if (x == NULL)
        return;
    etcd_watcher_close(x);
    etcd_watch_note(ws, &(struct etcd_watch_note){ .rev = store_revision(ws->s.e->store), .id = id,
                                                   .canceled = true });
}

/* ---- the stream ----------------------------------------------------------------------------------- */

/* The call is over. */
static void watch_free(struct etcd_watch_stream *ws)
{
    struct etcd *e = ws->s.e;
    struct str key;
    void *val;

    for (size_t i = 0; map_next(&ws->watchers, &i, &key, &val); )
        etcd_watcher_close(val);
    map_release(&ws->watchers);
    timer_stop(&ws->progress);
    ready_cancel(&ws->again);
    e->n_watch_streams--;
    mem_free(ws);
    etcd_unpin(e);
}

static void watch_stop(struct etcd_stream *s, enum etcd_error err)
{
    etcd_stream_finish(s, err);
    watch_free(container_of(s, struct etcd_watch_stream, s));
}

static void watch_on_message(struct grpc_call *g, struct str message)
{
    struct etcd_watch_stream *ws = container_of(g, struct etcd_watch_stream, s.grpc);
    struct etcd_watch_request r;
    struct arena a = ARENA_INIT;

    if (pb_decode(&a, &etcd_watch_request_msg, message, ETCD_MAX_ITEMS, &r) != 0)
        watch_stop(&ws->s, ETCD_MALFORMED);
    else if (r.which == WATCH_CREATE)
        watch_create(ws, &a, r.create);
    else if (r.which == WATCH_CANCEL)
        watch_cancel(ws, r.cancel->watch_id);
    else if (r.which == WATCH_PROGRESS)
        etcd_watch_note(ws, &(struct etcd_watch_note){ .rev = stream_seen(ws), .id = -1 });
    arena_release(&a);
}

static void watch_on_end(struct grpc_call *g)
{
    watch_stop(&container_of(g, struct etcd_watch_stream, s.grpc)->s, ETCD_OK);
}

static void watch_on_gone(struct grpc_call *g)
{
    struct etcd_watch_stream *ws = container_of(g, struct etcd_watch_stream, s.grpc);

    etcd_stream_close(&ws->s);
    watch_free(ws);
}

static void watch_on_drain(struct grpc_call *g)
{
    struct etcd_watch_stream *ws = container_of(g, struct etcd_watch_stream, s.grpc);

    ready_post(ws->s.e->loop, &ws->again);
}

static const struct grpc_events watch_events = { watch_on_message, watch_on_end, watch_on_drain,
                                                 watch_on_gone };

void etcd_watch(struct etcd *e, struct http_req *req)
{
    struct etcd_watch_stream *ws = mem_new(struct etcd_watch_stream);

    ws->admin = etcd_is_admin(e, req);
    qinit(&ws->waiting);
    ready_init(&ws->again, etcd_watch_on_again);
    timer_init(&ws->progress, e->loop, watch_on_progress);
    ws->s.stop = watch_stop;
    if (etcd_stream_open(e, &ws->s, req, &watch_events))
        e->n_watch_streams++;
    else
        mem_free(ws);
}
