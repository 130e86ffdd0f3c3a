/* test/sim/api/watches.c: watches that go from head to head and must not miss, repeat or reorder anything. */
#include "test/sim/api/world.h"

static void line_add(struct watcher *x, enum history_line line, uint64_t rev, unsigned key, uint64_t value, bool deleted)
{
    struct history *h = &x->w->h;

    if (h->n_watch == MAX_LINES)
        return;
    h->watch[h->n_watch] = (struct history_watch){ .line = line, .watch = x->id, .key = key, .value = value, .rev = rev,
                                                   .deleted = deleted, .id = h->n_watch };
    h->n_watch++;
}

static void watcher_on_event(void *arg, struct str type, struct blob *object)
{
    struct watcher *x = arg;
    struct arena a;
    struct json *obj;
    struct json_error err;

    arena_init(&a);
    if (json_parse(&a, blob_str(object), &obj, &err) != 0)
        broken(x->w, "a watch told something that is no JSON");
    uint64_t rev = object_number(obj, "metadata.resourceVersion");
    bool bookmark = str_eq(type, STR("BOOKMARK"));
    if (rev < x->seen || (rev == x->seen && !bookmark))
        broken(x->w, "watch %" PRIu64 ": revision %" PRIu64 " after %" PRIu64, x->id, rev, x->seen);
    x->seen = rev;
    if (!bookmark && object_key(obj) != 0) {
        x->w->events++;
        line_add(x, HISTORY_EVENT, rev, object_key(obj), object_number(obj, "data.v"), str_eq(type, STR("DELETED")));
    }
    arena_release(&a);
}

static void watcher_on_end(void *arg, int err, const char *reason)
{
    struct watcher *x = arg;

    (void)reason;
    x->ended = true;
    x->stale = err == E_STALE;
}

static void watcher_open_in(void *arg)
{
    struct watcher *x = arg;
    char rv[24];
    struct client_watch_opts o = { .res = CLIENT_CONFIGMAPS, .ns = STR("default"), .on_event = watcher_on_event,
                                   .on_end = watcher_on_end, .arg = x, .query = STR("allowWatchBookmarks=true") };

    o.resource_version = str_make(rv, (size_t)snprintf(rv, sizeof rv, "%" PRIu64, x->seen));
    x->watch = client_watch(x->w->head[x->head].client, &o);
}

static void watcher_close_in(void *arg)
{
    struct watcher *x = arg;

    client_watch_close(x->watch);
    x->watch = NULL;
}

/* What has been told so far is complete up to the last event. */
static void watcher_leave(struct watcher *x)
{
    if (x->watch == NULL)
        return;
    line_add(x, HISTORY_SEEN, x->seen, 0, 0, false);
    if (x->ended)
        x->watch = NULL;                         /* closed itself */
    else
        sim_do(x->w->clients, watcher_close_in, x);
}

static void watcher_go(struct world *w, struct watcher *x)
{
    watcher_leave(x);
    if (w->max_rev == 0)
        return;
    if (x->seen == 0 || x->stale)                /* as after a list */
        x->seen = w->max_rev;
    x->ended = x->stale = false;
    x->head = (unsigned)sim_below(w->s, w->n_heads);
    w->stretches++;
    line_add(x, HISTORY_FROM, x->seen, 0, 0, false);
    sim_do(w->clients, watcher_open_in, x);
}

void watches_step(struct world *w)
{
    struct watcher *x = &w->watcher[sim_below(w->s, WATCHES)];

    x->w = w;
    x->id = (uint64_t)(x - w->watcher) + 1;
    if (x->watch == NULL || x->ended || sim_below(w->s, 40) == 0)
        watcher_go(w, x);
}

bool watches_caught_up(const struct world *w)
{
    for (unsigned i = 0; i < WATCHES; i++)
        if (w->watcher[i].watch == NULL || w->watcher[i].ended || w->watcher[i].seen < w->max_rev)
            return false;
    return true;
}

void watches_end(struct world *w)
{
    for (unsigned i = 0; i < WATCHES; i++)
        watcher_leave(&w->watcher[i]);
}
