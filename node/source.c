/* node/source.c: see node/source.h. */
#include "net/map.h"
#include "net/tls.h"
#include "node/source.h"

enum kind { CONFIGMAP, SECRET, SERVICES, KINDS };

struct source {
    struct sources *all;
    enum kind kind;
    struct str key;
    struct informer *informer;
    struct qlink uses;
};

struct use { struct qlink of_source, of_set; struct source *source; struct source_set *set; };

struct sources { struct client *client; struct map by_key; };

struct sources *sources_new(struct client *c)
{
    struct sources *s = mem_new(struct sources);
    s->client = c;
    return s;
}

void sources_free(struct sources *s)
{
    if (s == NULL)
        return;
    must(s->by_key.n == 0);
    map_release(&s->by_key);
    mem_free(s);
}

static void source_tell(struct source *s)
{
    qeach(&s->uses, it, tmp) {
        struct use *u = qentry(it, struct use, of_source);
        u->set->changed(u->set);
    }
}

static void on_change(void *arg, enum informer_change what, struct object *old, struct object *new_,
                      struct json *json)
{
    struct source *s = arg;

    if (informer_synced(s->informer) && s->kind != SERVICES)     /* the first list tells through on_synced */
        source_tell(s);
}

static void on_synced(void *arg) { source_tell(arg); }

/* One of a namespace; name empty: all. */
struct wanted { enum kind kind; struct str ns, name; };

static struct source *source_new(struct sources *all, struct str key, const struct wanted *w)
{
    const struct client_resource res[KINDS] = { CLIENT_CONFIGMAPS, CLIENT_SECRETS, CLIENT_SERVICES };
    struct source *s = mem_new(struct source);
    struct buf q = BUF_INIT;
    struct informer_opts o = { .client = all->client,
                               .res = res[w->kind],
                               .ns = w->ns,
                               .on_change = on_change,
                               .on_synced = on_synced,
                               .arg = s };
    s->all = all;
    s->kind = w->kind;
    s->key = str_make(mem_strndup(key), key.n);
    qinit(&s->uses);
    if (w->name.n > 0) {
        buf_z(&q, "fieldSelector=metadata.name%3D");
        http_escape(&q, w->name);
        o.query = buf_str(&q);
    }
    s->informer = informer_start(&o);
    buf_release(&q);
    map_put(&all->by_key, s->key, s);
    return s;
}

static void use_free(struct use *u)
{
    struct source *s = u->source;

    qdel(&u->of_source);
    qdel(&u->of_set);
    mem_free(u);
    if (!qempty(&s->uses))
        return;
    map_del(&s->all->by_key, s->key);
    informer_stop(s->informer);
    mem_free((void *)s->key.p);
    mem_free(s);
}

void source_set_init(struct source_set *set, struct sources *all, void (*changed)(struct source_set *set))
{
    set->all = all;
    set->changed = changed;
    qinit(&set->uses);
}

void source_set_release(struct source_set *set)
{
    while (!qempty(&set->uses))
        use_free(qentry(qfirst(&set->uses), struct use, of_set));
}

static struct source *source_find(struct source_set *set, const struct wanted *w)
{
    struct arena a = ARENA_INIT;
    struct str key = arena_fmt(&a, "%d/%.*s/%.*s", (int)w->kind, STR_ARG(w->ns), STR_ARG(w->name));
    struct source *s = map_get(&set->all->by_key, key);

    if (s == NULL)
        s = source_new(set->all, key, w);
    arena_release(&a);
    qeach(&set->uses, it, tmp)
        if (qentry(it, struct use, of_set)->source == s)
            return s;
    struct use *u = mem_new(struct use);
    *u = (struct use){ .source = s, .set = set };
    qinit(&u->of_source);
    qinit(&u->of_set);
    qpush(&s->uses, &u->of_source);
    qpush(&set->uses, &u->of_set);
    return s;
}

int source_get(struct source_set *set, const struct source_ref *ref, struct arena *a, struct json **ret,
               struct errbuf *err)
{
    const char *what = ref->secret ? "secret" : "configmap";
    struct source *s = source_find(set, &(struct wanted){ ref->secret ? SECRET : CONFIGMAP, ref->ns, ref->name });
    const struct object *o = informer_get(s->informer, ref->ns, ref->name);

    *ret = o != NULL ? object_json(o, a) : NULL;
    if (o == NULL && !informer_synced(s->informer))
        return err_set(err, E_AGAIN, "waiting for %s \"%.*s\"", what, STR_ARG(ref->name));
    if (o == NULL && !ref->optional)
        return err_set(err, E_NOTFOUND, "%s \"%.*s\" not found", what, STR_ARG(ref->name));
    return 0;
}

int source_services(struct source_set *set, struct str ns, struct str name,
                    void (*fn)(void *arg, const struct json *service), void *arg)
{
    struct source *s = source_find(set, &(struct wanted){ SERVICES, ns, name });
    struct arena a = ARENA_INIT;
    const struct object *o;
    size_t it = 0;

    if (!informer_synced(s->informer))
        return E_AGAIN;
    while ((o = informer_next(s->informer, &it)) != NULL) {
        fn(arg, object_json(o, &a));
        arena_release(&a);
        arena_init(&a);
    }
    return 0;
}

struct str source_bytes(struct arena *a, const struct json *value)
{
    struct buf b = BUF_INIT;
    struct str s = STR_NONE;

    if (base64_decode(&b, json_str(value), false) == 0)
        s = arena_str(a, buf_str(&b));
    buf_release(&b);
    return s;
}
