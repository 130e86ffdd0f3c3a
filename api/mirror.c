/* api/mirror.c: see api/mirror.h.
 *
 *     SCANNING --the pinned view's end--> FOLLOWING --history lost--> SCANNING
 *
 * The watch is opened at the revision of the view that is scanned, before the scan: what changes meanwhile
 * waits in the event log. */
#include "api/json_scan.h"
#include "api/mirror.h"
#include "net/map.h"

#define EVENTS_PER_TURN 200                      /* told in one turn; parsing one takes some microseconds */
#define ASK_AGAIN_MS    200                      /* while there is no leader yet */

struct mirror {
    struct store *store;
    struct qlink  feeds, waiting;
    unsigned      n_missing;                     /* vital feeds that have not told all yet */
    struct ready_item tell_ready;
    struct raft_read read; bool reading;         /* the first moments: what do the others have? */
    struct timer  again;
    bool          caught_up;                     /* once it is answered */
};

struct mirror_feed {
    struct qlink  link;                          /* mirror->feeds */
    struct mirror *mirror;
    struct mirror_opts o;
    char         *prefix, *end;                  /* "/registry/roles/" and what follows it */
    struct store_watch *watch;
    struct store_view  *view;                    /* scanning; NULL: following */
    struct store_cursor cursor;
    struct map    known;                         /* "ns/name" -> revision; empty for bulk feeds */
    struct ready_item turn;
    bool          synced, telling;
};

struct json *mirror_json(const struct mirror_event *ev, struct arena *a)
{
    struct str   text = blob_str(ev->object);
    struct json *j;

    if (json_parse(a, json_scan_without(a, text, "metadata.managedFields"), &j, NULL) < 0)
        return NULL;
    return json_is(j, JSON_OBJECT) ? j : NULL;
}

/* ---- Telling -------------------------------------------------------------------------------------- */

static void tell(struct mirror_feed *f, const struct mirror_event *ev)
{
    must(!f->telling);
    f->telling = true;
    f->o.on_event(f->o.arg, ev);
    f->telling = false;
}

/* Keys below the prefix that no object of the API can have are nobody's business here. */
static bool split_key(const struct mirror_feed *f, struct str suffix, struct mirror_event *ev)
{
    ev->name = suffix;
    if (f->o.res->namespaced && !str_split(&ev->name, '/', &ev->ns))
        return false;
    return ev->name.n > 0 && str_find(ev->name, '/') < 0 && (!f->o.res->namespaced || ev->ns.n > 0);
}

static struct str suffix_of(const struct mirror_feed *f, struct str key)
{
    return str_from(key, strlen(f->prefix));
}

static void put(struct mirror_feed *f, struct str key, const struct mirror_event *what)
{
    struct mirror_event ev = *what;
    struct str          suffix = suffix_of(f, key);

    if (!split_key(f, suffix, &ev))
        return;
    if (!f->o.bulk) {
        if ((uintptr_t)map_get(&f->known, suffix) == ev.rev)
            return;                              /* a second scan finds what was told */
        map_put(&f->known, suffix, (void *)(uintptr_t)ev.rev);
    }
    tell(f, &ev);
}

static void gone(struct mirror_feed *f, struct str suffix, uint64_t tag)
{
    struct mirror_event ev = { .what = MIRROR_GONE, .tag = tag };

    if (!split_key(f, suffix, &ev))
        return;
    if (f->o.bulk || map_del(&f->known, suffix) != NULL)
        tell(f, &ev);
}

/* ---- Ready ---------------------------------------------------------------------------------------- */

struct loop *mirror_loop(const struct mirror *m) { return store_loop(m->store); }
bool mirror_synced(const struct mirror_feed *f) { return f->synced; }

bool mirror_current(struct mirror_feed *f)
{
    struct store_event *ev;

    return f->synced && f->view == NULL && store_watch_peek(f->watch, &ev) == E_AGAIN;
}

bool mirror_ready(const struct mirror *m) { return m->caught_up && m->n_missing == 0; }

static void end_waits(struct mirror *m, int err)
{
    struct qlink batch;

    qmove(&m->waiting, &batch);
    while (!qempty(&batch)) {
        struct mirror_wait *w = qentry(qpop(&batch), struct mirror_wait, link);

        w->done(w, err);
    }
}

static void on_tell_ready(struct ready_item *it)
{
    struct mirror *m = container_of(it, struct mirror, tell_ready);

    if (mirror_ready(m))
        end_waits(m, 0);
}

static void tell_ready(struct mirror *m)
{
    if (mirror_ready(m))
        ready_post(store_loop(m->store), &m->tell_ready);
}

void mirror_wait(struct mirror *m, struct mirror_wait *w)
{
    must(!qlinked(&w->link));
    qpush(&m->waiting, &w->link);
    tell_ready(m);
}

static void set_synced(struct mirror_feed *f, bool synced)
{
    struct mirror *m = f->mirror;

    if (f->synced == synced)
        return;
    f->synced = synced;
    if (f->o.vital) {
        must(!synced || m->n_missing > 0);
        m->n_missing += synced ? -1u : 1u;
        tell_ready(m);
    }
    if (synced && f->o.on_synced != NULL)
        f->o.on_synced(f->o.arg);
}

/* ---- Scanning and following ----------------------------------------------------------------------- */

static void on_ready(void *arg, struct store_watch *w);

static void scan_start(struct mirror_feed *f)
{
    struct store           *s = f->mirror->store;
    struct store_watch_opts o = { .from = str_of(f->prefix), .to = str_of(f->end), .on_ready = on_ready,
                                  .arg = f };

    must(f->view == NULL);
    store_watch_close(f->watch);
    f->view = store_pin(s);
    o.after_rev = store_view_revision(f->view);
    must(store_watch_open(s, &o, &f->watch) == 0);       /* the present is never too old */
    store_seek(&f->cursor, f->view, o.from, str_of(f->end));
    ready_post(store_loop(s), &f->turn);
    if (!f->o.bulk)
        return;                                  /* what is known stays known until it is known better */
    set_synced(f, false);
    tell(f, &(struct mirror_event){ .what = MIRROR_RESET });
}

/* What is known and is not in the view that was scanned. */
static void tell_vanished(struct mirror_feed *f)
{
    struct arena a = ARENA_INIT;
    struct str   key, *names = arena_alloc(&a, (f->known.n + 1) * sizeof(*names));
    struct store_kv kv;
    size_t       n = 0;
    void        *rev;

    for (size_t i = 0; map_next(&f->known, &i, &key, &rev);)
        if (!store_get(f->view, arena_fmt(&a, "%s%.*s", f->prefix, STR_ARG(key)), &kv))
            names[n++] = arena_str(&a, key);
    for (size_t i = 0; i < n; i++)
        gone(f, names[i], 0);
    arena_release(&a);
}

/* A slice of the scan; true: that was all of it. */
static bool scan_some(struct mirror_feed *f)
{
    struct store_kv kv;

    for (unsigned n = 0; n < EVENTS_PER_TURN; n++) {
        if (!store_next(&f->cursor, &kv)) {
            tell_vanished(f);
            store_unpin(f->view);
            f->view = NULL;
            return true;
        }
        put(f, kv.key, &(struct mirror_event){ .what = MIRROR_PUT, .object = kv.value, .rev = kv.mod_rev,
                                               .tag = kv.tag });
    }
    return false;
}

static void follow_some(struct mirror_feed *f)
{
    struct store_event *ev;
    int                 rc = 0;

    for (unsigned n = 0; n < EVENTS_PER_TURN && (rc = store_watch_next(f->watch, &ev)) == 0; n++)
        if (ev->type == STORE_PUT)
            put(f, ev->key, &(struct mirror_event){ .what = MIRROR_PUT, .object = ev->value, .rev = ev->rev,
                                                    .tag = ev->tag });
        else
            gone(f, suffix_of(f, ev->key), ev->prev_tag);
    if (rc == E_STALE)
        scan_start(f);
    else if (rc == E_AGAIN)
        set_synced(f, true);
    else
        ready_post(store_loop(f->mirror->store), &f->turn);
}

static void on_turn(struct ready_item *it)
{
    struct mirror_feed *f = container_of(it, struct mirror_feed, turn);

    if (f->view == NULL || scan_some(f))
        follow_some(f);
    else
        ready_post(store_loop(f->mirror->store), &f->turn);
}

static void on_ready(void *arg, struct store_watch *w)
{
    struct mirror_feed *f = arg;

    must(w == f->watch);
    if (f->view == NULL && !qlinked(&f->turn.link))
        follow_some(f);
}

/* ---- The first moments ---------------------------------------------------------------------------- */

/* All that was acknowledged before is in the store now: what of it a feed has not told is missing. */
static void on_read(struct raft_read *req, int err)
{
    struct mirror *m = container_of(req, struct mirror, read);

    m->reading = false;
    if (err != 0) {
        timer_start(&m->again, ASK_AGAIN_MS);
        end_waits(m, err);
        return;
    }
    m->caught_up = true;
    qeach(&m->feeds, it, tmp) {
        struct mirror_feed *f = qentry(it, struct mirror_feed, link);

        if (!f->synced || mirror_current(f))
            continue;
        set_synced(f, false);
        ready_post(store_loop(m->store), &f->turn);
    }
    tell_ready(m);
}

static void ask(struct timer *t)
{
    struct mirror *m = container_of(t, struct mirror, again);

    m->reading = true;
    m->read.done = on_read;
    store_read_barrier(m->store, &m->read);
}

/* ---- Life ----------------------------------------------------------------------------------------- */

struct mirror *mirror_new(struct store *s)
{
    struct mirror *m = mem_new(struct mirror);

    m->store = s;
    qinit(&m->feeds);
    qinit(&m->waiting);
    ready_init(&m->tell_ready, on_tell_ready);
    timer_init(&m->again, store_loop(s), ask);
    ask(&m->again);
    return m;
}

void mirror_free(struct mirror *m)
{
    if (m == NULL)
        return;
    must(qempty(&m->waiting));
    while (!qempty(&m->feeds))
        mirror_unfollow(qentry(qfirst(&m->feeds), struct mirror_feed, link));
    if (m->reading)
        raft_read_cancel(store_raft(m->store), &m->read);
    timer_stop(&m->again);
    ready_cancel(&m->tell_ready);
    mem_free(m);
}

/* A turn of its own, so that nothing is told inside mirror_follow(). */
static void on_first_turn(struct ready_item *it)
{
    struct mirror_feed *f = container_of(it, struct mirror_feed, turn);

    ready_init(&f->turn, on_turn);
    scan_start(f);
}

struct mirror_feed *mirror_follow(struct mirror *m, const struct mirror_opts *o)
{
    struct mirror_feed    *f = mem_new(struct mirror_feed);
    const struct resource *base = o->res->stored_as != NULL ? o->res->stored_as : o->res;
    struct arena           a = ARENA_INIT;
    struct str             prefix;

    must(!o->res->virtual_ && o->on_event != NULL);
    f->mirror = m;
    f->o = *o;
    f->o.res = base;
    prefix = arena_fmt(&a, "/registry/%s/", base->storage != NULL ? base->storage : base->plural);
    f->prefix = mem_strndup(prefix);
    f->end = mem_strndup(store_prefix_end(&a, prefix));
    arena_release(&a);
    m->n_missing += o->vital;
    qpush(&m->feeds, &f->link);
    ready_init(&f->turn, on_first_turn);
    ready_post(store_loop(m->store), &f->turn);
    return f;
}

void mirror_unfollow(struct mirror_feed *f)
{
    if (f == NULL)
        return;
    must(!f->telling);
    f->o.on_synced = NULL;
    set_synced(f, true);                         /* nobody waits for it any more */
    store_watch_close(f->watch);
    if (f->view != NULL)
        store_unpin(f->view);
    ready_cancel(&f->turn);
    qdel(&f->link);
    map_release(&f->known);
    mem_free(f->prefix);
    mem_free(f->end);
    mem_free(f);
}
