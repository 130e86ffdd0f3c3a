/* api/informer.c: list, watch, relist; see api/informer.h.
 *
 *     LISTING --last page--> WATCHING --closed in order--> WATCHING (from the last revision seen)
 *        ^                      |
 *        +---- 410, or an error twice in a row (after a pause that grows with each failure)
 *
 * During a list every object found is marked with the list's number; what does not carry it at the end is
 * gone and is reported as deleted, so a relist never loses a change. */
#include "api/informer.h"
#include "api/json_scan.h"
#include "net/log.h"
#include "net/map.h"
#include "net/slices.h"

#define LIST_PAGE          "limit=100"           /* parsed and told in one turn */
#define FREE_SLICE         128                   /* objects forgotten in one turn */
#define BACKOFF_FIRST_MS   50
#define BACKOFF_MAX_MS     10000
/* a watch brings a bookmark each minute: one that says nothing is dead */
#define SILENCE_MS         150000

/* An object in the cache with its place in the indexes. */
struct index_list;
struct entry_link { struct index_list *list; size_t at; };       /* this entry is list->v[at] */
struct entry {
    struct qlink order;                          /* informer->order: as they were first seen */
    struct object *o;
    uint64_t listed;                             /* number of the list that saw it last */
    struct entry_link *links[4]; unsigned n_links[4];
};
struct index_list { struct str key; struct entry **v; size_t n, cap; };

struct informer {
    struct informer_opts o;
    struct loop *loop;
    char *ns, *query;
    struct map objects;                          /* "ns/name" -> struct entry */
    struct map indexes[4];                       /* key -> struct index_list */
    struct qlink order, walks;
    struct client_call *call;
    struct client_watch *watch;
    struct timer backoff, silence;
    uint64_t backoff_ms, list_number;
    struct buf rv, page;                         /* where to watch from; continue token of the list */
    bool synced, stopped, running;               /* running: a handler is on the stack */
};

static void informer_list(struct informer *i);
static void informer_watch(struct informer *i);

/* ---- Objects ---------------------------------------------------------------------------------------- */

static struct object *object_new(const struct json *j, struct blob *raw)
{
    const struct json *meta = json_getz(j, "metadata");
    struct str part[3] = { json_str(json_getz(meta, "namespace")), json_str(json_getz(meta, "name")),
                           json_str(json_getz(meta, "uid")) };
    struct object *o = mem_alloc(sizeof *o + part[0].n + part[1].n + part[2].n + 1);
    char *p = (char *)(o + 1);

    *o = (struct object){ .refs = 1, .raw = blob_ref(raw) };
    struct str *to[3] = { &o->ns, &o->name, &o->uid };
    for (int i = 0; i < 3; i++) {
        if (part[i].n > 0)
            memcpy(p, part[i].p, part[i].n);
        *to[i] = str_make(p, part[i].n);
        p += part[i].n;
    }
    if (!str_u64(json_str(json_getz(meta, "resourceVersion")), &o->rv))
        o->rv = 0;
    return o;
}

static void object_take_over(struct object *o, const struct object *old)
{
    o->user = old->user;
    o->scheduler = old->scheduler;
}

struct object *object_ref(struct object *o)
{
    must(o->refs > 0);
    o->refs++;
    return o;
}

struct object *object_unref(struct object *o)
{
    if (o == NULL)
        return NULL;
    must(o->refs > 0);
    if (--o->refs == 0) {
        blob_unref(o->raw);
        mem_free(o);
    }
    return NULL;
}

/* Who set which field is a good part of an object's text, and nobody's concern here. */
static int parse_lean(struct arena *a, struct blob *raw, struct json **ret)
{
    return json_parse(a, json_scan_without(a, blob_str(raw), "metadata.managedFields"), ret, NULL);
}

struct json *object_json(const struct object *o, struct arena *a)
{
    struct json *j;

    return parse_lean(a, o->raw, &j) == 0 ? j : json_object(a);
}

/* ---- Indexes ---------------------------------------------------------------------------------------- */

static void index_remove(struct informer *i, struct entry *e)
{
    for (unsigned x = 0; x < i->o.n_index; x++) {
        for (unsigned k = 0; k < e->n_links[x]; k++) {
            struct entry_link link = e->links[x][k];
            struct index_list *l = link.list;
            struct entry *last = l->v[--l->n];
            l->v[link.at] = last;
            for (unsigned m = 0; m < last->n_links[x]; m++)     /* the one that took its place must know */
                if (last->links[x][m].list == l)
                    last->links[x][m].at = link.at;
            if (l->n > 0)
                continue;
            map_del(&i->indexes[x], l->key);
            mem_free((void *)l->key.p);
            mem_free(l->v);
            mem_free(l);
        }
        mem_free(e->links[x]);
        e->links[x] = NULL;
        e->n_links[x] = 0;
    }
}

static void index_add_key(struct informer *i, struct entry *e, unsigned x, struct str key)
{
    struct index_list *l = map_get(&i->indexes[x], key);

    if (l == NULL) {
        l = mem_new(struct index_list);
        l->key = str_make(mem_strndup(key), key.n);
        map_put(&i->indexes[x], key, l);
    }
    for (unsigned k = 0; k < e->n_links[x]; k++)
        if (e->links[x][k].list == l)
            return;                              /* the same key twice */
    if (l->n == l->cap) {
        l->cap = l->cap == 0 ? 4 : l->cap * 2;
        l->v = mem_realloc(l->v, l->cap * sizeof(struct entry *));
    }
    e->links[x] = mem_realloc(e->links[x], (e->n_links[x] + 1) * sizeof *e->links[x]);
    e->links[x][e->n_links[x]++] = (struct entry_link){ l, l->n };
    l->v[l->n++] = e;
}

static void index_add(struct informer *i, struct entry *e, const struct json *j, struct arena *a)
{
    for (unsigned x = 0; x < i->o.n_index; x++) {
        struct str few[16], *keys = few;
        unsigned n = 0;
        i->o.index[x].keys(j, a, keys, ARRAY_LEN(few), &n);
        if (n > ARRAY_LEN(few)) {
            unsigned room = n;
            keys = arena_alloc(a, room * sizeof *keys);
            i->o.index[x].keys(j, a, keys, room, &n);
            must(n <= room);
        }
        for (unsigned k = 0; k < n; k++)
            index_add_key(i, e, x, keys[k]);
    }
}

/* ---- Changes ---------------------------------------------------------------------------------------- */

static struct str entry_key(struct arena *a, struct str ns, struct str name)
{
    return arena_join(a, (const struct str[]){ ns, STR("/"), name }, 3);
}

static void tell(struct informer *i, enum informer_change what, struct object *old, struct object *new_,
                 struct json *j)
{
    i->running = true;
    if (i->o.on_change != NULL)
        i->o.on_change(i->o.arg, what, old, new_, j);
    i->running = false;
}

/* Walks that stand at an entry which goes step on. */
static void walks_leave(struct informer *i, struct entry *e)
{
    qeach(&i->walks, it, tmp) {
        struct informer_walk *w = qentry(it, struct informer_walk, link);
        if (w->at == &e->order)
            w->at = e->order.next;
    }
}

static void entry_free(struct informer *i, struct entry *e)
{
    walks_leave(i, e);
    qdel(&e->order);
    index_remove(i, e);
    object_unref(e->o);
    mem_free(e);
}

/* j, raw: the last state, or NULL when only a list showed that it is gone. */
static void informer_drop(struct informer *i, struct str key, struct json *j, struct blob *raw)
{
    struct entry *e = map_del(&i->objects, key);
    struct arena a = ARENA_INIT;

    if (e == NULL)
        return;
    struct object *old = object_ref(e->o);
    if (j != NULL) {
        struct object *last = object_new(j, raw);
        object_take_over(last, old);
        object_unref(old);
        old = last;
    } else {
        j = object_json(old, &a);
    }
    entry_free(i, e);
    tell(i, INFORMER_DELETE, old, NULL, j);
    object_unref(old);
    arena_release(&a);
}

static void informer_put(struct informer *i, struct json *j, struct blob *raw, struct arena *a)
{
    struct object *o = object_new(j, raw), *old = NULL;
    struct str key = entry_key(a, o->ns, o->name);
    struct entry *e = map_get(&i->objects, key);

    if (e != NULL && e->o->rv == o->rv) {
        e->listed = i->list_number;              /* nothing new: a list repeats what the watch told */
        object_unref(o);
        return;
    }
    if (e != NULL && !str_eq(e->o->uid, o->uid)) {
        /* another object of that name: the first one's end was missed */
        informer_drop(i, key, NULL, NULL);
        e = NULL;
    }
    if (i->stopped) {
        object_unref(o);
        return;
    }
    if (e == NULL) {
        e = mem_new(struct entry);
        qpush(&i->order, &e->order);
        map_put(&i->objects, key, e);
    } else {
        old = e->o;
        object_take_over(o, old);
        index_remove(i, e);
    }
    e->o = o;
    e->listed = i->list_number;
    index_add(i, e, j, a);
    object_ref(o);
    tell(i, old == NULL ? INFORMER_ADD : INFORMER_UPDATE, old, o, j);
    object_unref(o);
    object_unref(old);
}

/* ---- Life of the copy -------------------------------------------------------------------------------- */

/* A slice of what is left of a stopped informer; true: that was all. */
static bool informer_free_some(void *state)
{
    struct informer *i = state;
    struct arena a = ARENA_INIT;

    for (int n = 0; n < FREE_SLICE && !qempty(&i->order); n++) {
        struct entry *e = qentry(qfirst(&i->order), struct entry, order);
        map_del(&i->objects, entry_key(&a, e->o->ns, e->o->name));
        entry_free(i, e);
    }
    arena_release(&a);
    if (!qempty(&i->order))
        return false;
    must(i->objects.n == 0);
    map_release(&i->objects);
    for (unsigned x = 0; x < i->o.n_index; x++)
        map_release(&i->indexes[x]);
    buf_release(&i->rv);
    buf_release(&i->page);
    mem_free(i->ns);
    mem_free(i->query);
    mem_free(i);
    return true;
}

static void informer_free(struct informer *i)
{
    must(qempty(&i->walks));
    if (!informer_free_some(i))
        slices_run(i->loop, informer_free_some, i);
}

/* After handlers ran: false if one of them stopped the informer, which is freed then. */
static bool informer_alive(struct informer *i)
{
    if (!i->stopped)
        return true;
    informer_free(i);
    return false;
}

static void informer_retry(struct informer *i)
{
    uint64_t jitter = loop_random_u64(i->loop) % (i->backoff_ms / 2 + 1);

    timer_start(&i->backoff, i->backoff_ms + jitter);
    i->backoff_ms = MIN_OF(i->backoff_ms * 2, BACKOFF_MAX_MS);
}

static void informer_on_backoff(struct timer *t)
{
    struct informer *i = container_of(t, struct informer, backoff);

    if (i->rv.n > 0)
        informer_watch(i);
    else
        informer_list(i);
}

static void set_rv(struct informer *i, struct str rv)
{
    buf_clear(&i->rv);
    buf_str_add(&i->rv, rv);
}

/* What the whole list did not show is gone. */
static void informer_drop_unlisted(struct informer *i)
{
    struct str key, *gone = NULL;
    struct arena a = ARENA_INIT;
    size_t n = 0;
    void *val;

    for (size_t it = 0; map_next(&i->objects, &it, &key, &val);)
        n += ((struct entry *)val)->listed != i->list_number;
    gone = arena_alloc(&a, (n + 1) * sizeof *gone);
    n = 0;
    for (size_t it = 0; map_next(&i->objects, &it, &key, &val);)
        if (((struct entry *)val)->listed != i->list_number)
            gone[n++] = arena_str(&a, key);
    for (size_t k = 0; k < n && !i->stopped; k++)
        informer_drop(i, gone[k], NULL, NULL);
    arena_release(&a);
}

static void informer_list_done(struct informer *i, struct str rv)
{
    set_rv(i, rv);
    buf_clear(&i->page);
    informer_drop_unlisted(i);
    i->backoff_ms = BACKOFF_FIRST_MS;
    if (!i->stopped && !i->synced) {
        i->synced = true;
        i->running = true;
        if (i->o.on_synced != NULL)
            i->o.on_synced(i->o.arg);
        i->running = false;
    }
    if (informer_alive(i))
        informer_watch(i);
}

static void informer_on_list(void *arg, const struct client_result *r)
{
    struct informer *i = arg;
    struct buf raw = BUF_INIT;

    i->call = NULL;
    if (!r->ok || r->obj == NULL) {
        buf_clear(&i->page);                     /* a continue token that is too old: from the start */
        if (r->err != E_CANCELED)
            log_debug("informer", "list %s: %s %.*s", i->o.res.plural, r->reason, STR_ARG(r->message));
        informer_retry(i);
        return;
    }
    json_each(item, json_getz(r->obj, "items")) {
        buf_clear(&raw);
        json_write(&raw, item);
        struct blob *b = buf_to_blob(&raw);
        informer_put(i, item, b, r->arena);
        blob_unref(b);
        if (i->stopped)
            break;
    }
    buf_release(&raw);
    if (!informer_alive(i))
        return;
    struct str more = json_path_str(r->obj, "metadata.continue");
    buf_clear(&i->page);
    buf_str_add(&i->page, more);
    if (more.n > 0)
        /* a page a turn: an answer may be here as soon as it is asked for */
        timer_start(&i->backoff, 0);
    else
        informer_list_done(i, json_path_str(r->obj, "metadata.resourceVersion"));
}

static void informer_list(struct informer *i)
{
    struct buf q = BUF_INIT;
    struct client_req r = {
        .method = "GET", .res = i->o.res, .ns = str_of(i->ns), .done = informer_on_list, .arg = i
    };

    if (i->page.n == 0)
        i->list_number++;
    buf_z(&q, LIST_PAGE);
    if (i->query[0] != '\0') {
        buf_char(&q, '&');
        buf_z(&q, i->query);
    }
    if (i->page.n > 0) {
        buf_z(&q, "&continue=");
        http_escape(&q, buf_str(&i->page));
    }
    r.query = buf_str(&q);
    i->call = client_send(i->o.client, &r);
    buf_release(&q);
    if (i->call == NULL)
        informer_retry(i);
}

/* The other side vanished without a word (a power cut): its connection would look open for hours. */
static void informer_on_silence(struct timer *t)
{
    struct informer *i = container_of(t, struct informer, silence);

    client_watch_close(i->watch);
    i->watch = NULL;
    log_debug("informer", "watch of %s is silent", i->o.res.plural);
    informer_retry(i);
}

static void informer_on_event(void *arg, struct str type, struct blob *object)
{
    struct informer *i = arg;
    struct arena a = ARENA_INIT;
    struct json *j;

    i->backoff_ms = BACKOFF_FIRST_MS;
    timer_start(&i->silence, SILENCE_MS);
    if (parse_lean(&a, object, &j) == 0) {
        struct str rv = json_path_str(j, "metadata.resourceVersion");
        if (rv.n > 0)
            set_rv(i, rv);
        if (str_is(type, "DELETED"))
            informer_drop(
                i, entry_key(&a, json_path_str(j, "metadata.namespace"), json_path_str(j, "metadata.name")),
                j, object);
        else if (!str_is(type, "BOOKMARK"))
            informer_put(i, j, object, &a);
    }
    arena_release(&a);
    informer_alive(i);
}

static void informer_on_watch_end(void *arg, int err, const char *reason)
{
    struct informer *i = arg;

    i->watch = NULL;
    timer_stop(&i->silence);
    if (err == E_STALE) {
        buf_clear(&i->rv);
        informer_list(i);
        return;
    }
    if (err != 0 && i->backoff_ms > BACKOFF_FIRST_MS * 8)
        buf_clear(&i->rv);                       /* keeps failing: look at the whole again */
    informer_retry(i);
}

static void informer_watch(struct informer *i)
{
    struct client_watch_opts o = { .res = i->o.res, .ns = str_of(i->ns), .query = str_of(i->query),
                                   .resource_version = buf_str(&i->rv), .on_event = informer_on_event,
                                   .on_end = informer_on_watch_end, .arg = i };
    i->watch = client_watch(i->o.client, &o);
    if (i->watch == NULL)
        informer_retry(i);
    else
        timer_start(&i->silence, SILENCE_MS);
}

struct informer *informer_start(const struct informer_opts *o)
{
    struct informer *i = mem_new(struct informer);

    must(o->n_index <= ARRAY_LEN(o->index));
    i->o = *o;
    i->loop = client_loop(o->client);
    i->ns = mem_strndup(o->ns);
    i->query = mem_strndup(o->query);
    i->backoff_ms = BACKOFF_FIRST_MS;
    qinit(&i->order);
    qinit(&i->walks);
    timer_init(&i->backoff, i->loop, informer_on_backoff);
    timer_init(&i->silence, i->loop, informer_on_silence);
    informer_list(i);
    return i;
}

void informer_stop(struct informer *i)
{
    if (i == NULL || i->stopped)
        return;
    i->stopped = true;
    timer_stop(&i->backoff);
    timer_stop(&i->silence);
    client_cancel(i->call);
    client_watch_close(i->watch);
    i->call = NULL;
    i->watch = NULL;
    if (!i->running)
        informer_free(i);
}

/* ---- Looking ------------------------------------------------------------------------------------------ */

struct client_resource informer_resource(const struct informer *i) { return i->o.res; }
bool informer_synced(const struct informer *i) { return i->synced; }
size_t informer_count(const struct informer *i) { return i->objects.n; }

uint64_t informer_revision(const struct informer *i)
{
    uint64_t rv;
    return str_u64(buf_str(&i->rv), &rv) ? rv : 0;
}

struct object *informer_get(const struct informer *i, struct str ns, struct str name)
{
    char key[640];
    size_t n = ns.n + 1 + name.n;

    if (n > sizeof key)
        return NULL;                             /* longer than any name can be */
    if (ns.n > 0)
        memcpy(key, ns.p, ns.n);
    key[ns.n] = '/';
    if (name.n > 0)
        memcpy(key + ns.n + 1, name.p, name.n);
    struct entry *e = map_get(&i->objects, str_make(key, n));
    return e != NULL ? e->o : NULL;
}

struct object *informer_next(const struct informer *i, size_t *it)
{
    struct str key;
    void *val;

    return map_next(&i->objects, it, &key, &val) ? ((struct entry *)val)->o : NULL;
}

void informer_walk_start(struct informer_walk *w, struct informer *i)
{
    w->of = i;
    w->at = qfirst(&i->order);
    qpush(&i->walks, &w->link);
}

struct object *informer_walk_next(struct informer_walk *w)
{
    struct qlink *at = w->at;

    if (at == &w->of->order)
        return NULL;
    w->at = at->next;
    return qentry(at, struct entry, order)->o;
}

void informer_walk_stop(struct informer_walk *w) { qdel(&w->link); }

struct object *informer_by(const struct informer *i, unsigned index, struct str key, size_t *it)
{
    const struct index_list *l;

    must(index < i->o.n_index);
    l = map_get(&i->indexes[index], key);
    return l != NULL && *it < l->n ? l->v[(*it)++]->o : NULL;
}
