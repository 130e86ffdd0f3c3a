/* test/sim/watcher.c: watches that wander from head to head, and must not notice. */
#include "test/sim/cluster.h"

bool watcher_wants(const struct watcher *x, const struct truth_event *e)
{
    if (x->tag != 0)
        return e->tag == x->tag || e->prev_tag == x->tag;
    return x->key < 0 || (unsigned)x->key == e->key;
}

/* Take what is there. A lazy one stops in the middle. */
static void watcher_pull(struct watcher *x, unsigned most)
{
    struct store_event *e;
    int rc = E_AGAIN;

    while (most-- > 0 && (rc = store_watch_next(x->watch, &e)) == 0) {
        must(x->n < WATCH_LOG);
        x->log[x->n].rev = e->rev;
        x->log[x->n].key = key_index(x->w, e->key);
        x->log[x->n].value = event_value(x->w, e, x->log[x->n].key, e->type == STORE_PUT ? e->rev : 0);
        x->log[x->n++].deleted = e->type == STORE_DELETE;
        x->events++;
    }
    x->seen_rev = MAX_OF(x->seen_rev, store_watch_seen(x->watch));
    if (rc == E_STALE) {
        store_watch_close(x->watch);
        x->watch = NULL;
        x->stale++;
        x->relist = true;
    }
}

static void watcher_on_ready(void *arg, struct store_watch *watch)
{
    struct watcher *x = arg;

    must(watch == x->watch);
    if (sim_now_ns(x->w->s) < x->pause_until)
        return;                                  /* slow: the next step pulls */
    watcher_pull(x, sim_below(x->w->s, 4) == 0 ? 1 : UINT32_MAX);
}

static void watcher_in_open(void *arg)
{
    struct watcher *x = arg;
    struct store   *s = x->w->head[x->head].store;
    char   key[32];
    struct store_watch_opts o = { .tag = x->tag, .on_ready = watcher_on_ready, .arg = x };

    if (x->relist) {
        if (store_revision(s) < x->seen_rev)     /* a list older than what was seen is of no use */
            return;
        x->relist = false;
        x->from_rev = x->seen_rev = store_revision(s);
        x->stretches++;
    }
    if (x->key >= 0)
        o.from = key_name((unsigned)x->key, key);
    else if (x->w->seed % 2)
        o.from = STR("/"), o.to = STR("0");
    o.after_rev = x->seen_rev;
    if (store_watch_open(s, &o, &x->watch) != 0) {
        x->watch = NULL;
        x->stale++;
        x->relist = true;
    }
}

static void watcher_in_pull(void *arg) { watcher_pull(arg, UINT32_MAX); }
static void watcher_in_close(void *arg)
{
    struct watcher *x = arg;
    store_watch_close(x->watch);
    x->watch = NULL;
}

void watcher_settle(struct watcher *x)
{
    while (x->n > 0 && x->log[x->n - 1].rev > x->seen_rev)
        x->n--;                                  /* half a revision: it comes again */
    check_watcher(x);
    x->head = -1;
}

void watcher_head_down(struct world *w, unsigned head)
{
    for (unsigned i = 0; i < WATCHERS; i++) {
        struct watcher *x = &w->watcher[i];
        if (x->head != (int)head)
            continue;
        if (x->watch != NULL && w->head[head].store != NULL)
            head_do(&w->head[head], watcher_in_close, x);
        x->watch = NULL;
        watcher_settle(x);
    }
}

void watcher_open_all(struct world *w)
{
    for (unsigned i = 0; i < WATCHERS; i++) {
        struct watcher *x = &w->watcher[i];
        x->w = w;
        x->head = -1;
        x->key = i % 4 == 1 ? (int)(i % KEYS) : -1;
        x->tag = i % 4 == 2 ? 1 + i % 3 : 0;
        x->relist = true;
        x->log = mem_zalloc(WATCH_LOG * sizeof *x->log);
    }
}

static void watcher_move(struct watcher *x)
{
    struct world *w = x->w;
    int head = head_any(w);

    if (x->head >= 0) {
        if (x->watch != NULL)
            head_do(&w->head[x->head], watcher_in_close, x);
        watcher_settle(x);
    }
    if (head < 0)
        return;
    x->head = head;
    head_do(&w->head[head], watcher_in_open, x);
    if (x->watch == NULL)
        watcher_settle(x);
}

void watcher_step(struct world *w)
{
    struct watcher *x = &w->watcher[sim_below(w->s, WATCHERS)];

    if (x->watch == NULL || sim_below(w->s, 40) == 0)
        watcher_move(x);
    else if (sim_below(w->s, 10) == 0)
        x->pause_until = sim_now_ns(w->s) + sim_below(w->s, w->calm ? 1 : 800) * MS;
    else if (sim_now_ns(w->s) >= x->pause_until)
        head_do(&w->head[x->head], watcher_in_pull, x);
}
