/* test/chaos/watcher.c: watches that wander from head to head and go on with the revision they know. */
#include <inttypes.h>
#include "api/json_scan.h"
#include "test/chaos/chaos.h"

#define LEAVE_MS 2500                            /* at most so long on one head */
#define AGAIN_MS 100

static void watcher_line(struct chaos_watcher *w, const char *field, uint64_t rev)
{
    fprintf(w->c->out, "{\"watch\":\"w%u.%u\",\"%s\":%" PRIu64 "}\n", w->number, w->life, field, rev);
}

static void watcher_leave(struct chaos_watcher *w)
{
    client_watch_close(w->watch);
    w->watch = NULL;
    timer_stop(&w->leave);
    if (w->last > w->from)
        watcher_line(w, "seen", w->last);
    if (!w->c->stopping || !w->arrived)
        timer_start(&w->again, loop_random_u64(w->c->loop) % AGAIN_MS);
}

/* A member of the object as text; empty if it is not there. */
static struct str text_of(struct arena *a, struct str object, const char *path)
{
    struct str s;
    return json_scan_path(object, path, &s) && json_scan_string(a, s, &s) ? s : STR_NONE;
}

static void watcher_record(struct chaos_watcher *w, bool deleted, struct str name, struct str value,
                           uint64_t rev)
{
    fprintf(w->c->out, "{\"watch\":\"w%u.%u\",\"event\":\"%s\",\"key\":\"%.*s\",\"value\":\"%.*s\","
                       "\"rev\":%" PRIu64 "}\n",
            w->number, w->life, deleted ? "delete" : "put", STR_ARG(name), STR_ARG(value), rev);
    w->last = rev;
    w->c->events++;
}

static void watcher_on_event(void *arg, struct str type, struct blob *object)
{
    struct chaos_watcher *w = arg;
    struct arena a = ARENA_INIT;
    struct str o = blob_str(object), name = text_of(&a, o, "metadata.name"), value = text_of(&a, o, "data.v");
    uint64_t rev = 0;
    unsigned key;

    if (!str_u64(text_of(&a, o, "metadata.resourceVersion"), &rev))
        chaos_wrong(w->c, "watch %u: an event without revision", w->number);
    else if (rev < w->last)
        chaos_wrong(w->c, "watch %u: goes back from %" PRIu64 " to %" PRIu64, w->number, w->last, rev);
    else if (str_is(type, "BOOKMARK"))
        w->last = rev;
    else if (chaos_key(name, &key)) {
        watcher_record(w, str_is(type, "DELETED"), name, value, rev);
        w->arrived |= key == CHAOS_FENCE;
    }
    arena_release(&a);
}

/* It looks too far back for this head: list, and begin anew. */
static void watcher_on_list(void *arg, const struct client_result *r)
{
    struct chaos_watcher *w = arg;
    uint64_t rev;

    w->list = NULL;
    if (r->ok && str_u64(json_path_str(r->obj, "metadata.resourceVersion"), &rev)) {
        if (rev < w->last)
            chaos_wrong(w->c, "a list goes back from %" PRIu64 " to %" PRIu64, w->last, rev);
        w->last = rev;
        w->life++;
        w->arrived |= w->c->fenced;
        json_each(item, json_getz(r->obj, "items")) {
            unsigned key;
            w->arrived |= chaos_key(json_path_str(item, "metadata.name"), &key) && key == CHAOS_FENCE;
        }
        timer_start(&w->again, 0);
        return;
    }
    w->head = (w->head + 1) % w->c->n_heads;
    timer_start(&w->again, AGAIN_MS);
    w->late = true;
}

static void watcher_relist(struct chaos_watcher *w)
{
    struct client_req r = { .method = "GET", .res = CHAOS_RES, .ns = CHAOS_NS, .timeout_ms = CHAOS_TIMEOUT_MS,
                            .done = watcher_on_list, .arg = w };

    w->list = client_send(w->c->head[w->head], &r);
    must(w->list != NULL);
}

static void watcher_on_end(void *arg, int err, const char *reason)
{
    struct chaos_watcher *w = arg;

    watcher_leave(w);
    if (err != E_STALE)
        return;
    w->c->relists++;
    w->late = true;
}

static void watcher_on_again(struct timer *t)
{
    struct chaos_watcher *w = container_of(t, struct chaos_watcher, again);
    struct chaos *c = w->c;
    char rev[CHAOS_TEXT];
    struct client_watch_opts o = { .res = CHAOS_RES, .ns = CHAOS_NS, .query = STR("allowWatchBookmarks=true"),
                                   .on_event = watcher_on_event, .on_end = watcher_on_end, .arg = w };

    if (w->late) {
        w->late = false;
        watcher_relist(w);
        return;
    }
    w->head = (w->head + 1 + (unsigned)(loop_random_u64(c->loop) % 2)) % c->n_heads;
    w->from = w->last;
    c->rewatches++;
    watcher_line(w, "from", w->from);
    snprintf(rev, sizeof rev, "%" PRIu64, w->from);
    o.resource_version = str_of(rev);
    w->watch = client_watch(c->head[w->head], &o);
    must(w->watch != NULL);
    timer_start(&w->leave, 200 + loop_random_u64(c->loop) % LEAVE_MS);
}

static void watcher_on_leave(struct timer *t)
{
    watcher_leave(container_of(t, struct chaos_watcher, leave));
}

void watchers_start(struct chaos *c, uint64_t from)
{
    for (unsigned i = 0; i < CHAOS_WATCHERS; i++) {
        struct chaos_watcher *w = &c->watcher[i];
        *w = (struct chaos_watcher){ .c = c, .number = i, .head = i % c->n_heads, .last = from };
        timer_init(&w->again, c->loop, watcher_on_again);
        timer_init(&w->leave, c->loop, watcher_on_leave);
        timer_start(&w->again, 0);
    }
}

bool watchers_arrived(const struct chaos *c)
{
    for (unsigned i = 0; i < CHAOS_WATCHERS; i++)
        if (!c->watcher[i].arrived)
            return false;
    return true;
}

void watchers_stop(struct chaos *c)
{
    for (unsigned i = 0; i < CHAOS_WATCHERS; i++) {
        struct chaos_watcher *w = &c->watcher[i];
        client_cancel(w->list);
        watcher_leave(w);
        timer_stop(&w->again);
    }
}
