/* api/admit/event_rate_limit.c: EventRateLimit: only so many Events a second: of all, of a namespace, of a
 * user, of one source about one object.  Each key has a bucket of tokens; of the keys of a limit the
 * cacheSize used last are remembered, and one that was forgotten begins with a full bucket. */
#include "api/admit/plugin.h"
#include "net/map.h"

#define CACHE_DEFAULT 4096
#define CACHE_MAX     1000000

enum by { BY_SERVER, BY_NAMESPACE, BY_USER, BY_SOURCE };
static const char *const by_names[] = { "Server", "Namespace", "User", "SourceAndObject" };

struct bucket { struct qlink link; struct str key; double tokens; uint64_t at_ns; };

struct limit {
    enum by by;
    double qps, burst;
    uint64_t max;
    struct map buckets;
    struct qlink recent;                         /* the one used last at the end */
};

struct limits { struct loop *loop; struct limit *v; unsigned n; };

/* ---- Buckets --------------------------------------------------------------------------------- */

static void bucket_free(struct limit *l, struct bucket *b)
{
    map_del(&l->buckets, b->key);
    qdel(&b->link);
    mem_free((char *)b->key.p);
    mem_free(b);
}

static struct bucket *bucket_of(struct limit *l, struct str key, uint64_t now_ns)
{
    struct bucket *b = map_get(&l->buckets, key);

    if (b == NULL) {
        if (l->buckets.n >= l->max)
            bucket_free(l, container_of(qfirst(&l->recent), struct bucket, link));
        b = mem_new(struct bucket);
        b->key = str_make(mem_strndup(key), key.n);
        b->tokens = l->burst;
        b->at_ns = now_ns;
        qinit(&b->link);
        map_put(&l->buckets, key, b);
    }
    qdel(&b->link);
    qpush(&l->recent, &b->link);
    return b;
}

static bool take(struct limit *l, struct str key, uint64_t now_ns)
{
    struct bucket *b = bucket_of(l, key, now_ns);
    double         more = (double)(now_ns - b->at_ns) / 1e9 * l->qps;

    b->tokens = MIN_OF(b->tokens + more, l->burst);
    b->at_ns = now_ns;
    if (b->tokens < 1)
        return false;
    b->tokens -= 1;
    return true;
}

/* ---- Requests -------------------------------------------------------------------------------- */

static struct str key_of(struct admission *a, enum by by)
{
    static const char *const paths[] = {
        "source.component", "source.host", "involvedObject.kind", "involvedObject.namespace",
        "involvedObject.name", "involvedObject.uid", "involvedObject.apiVersion",
    };
    struct str key = STR("");

    if (by == BY_NAMESPACE)
        return a->k->ns;
    if (by == BY_USER)
        return a->k->user->name;
    for (size_t i = 0; by == BY_SOURCE && i < ARRAY_LEN(paths); i++)
        key = arena_fmt(a->k->arena, "%.*s%.*s", STR_ARG(key), STR_ARG(json_path_str(a->obj, paths[i])));
    return key;
}

static void validate(struct admission *a)
{
    struct limits *ls = admit_state(a);

    if (a->k->dry_run)
        return;
    for (unsigned i = 0; i < ls->n; i++) {
        struct str key = key_of(a, ls->v[i].by);

        if (!take(&ls->v[i], key, loop_now_ms(ls->loop) * 1000000))
            kind_refuse(a->k, 429, REASON_TOO_MANY,
                        "Too many requests: limit reached on type %s for key %.*s",
                        by_names[ls->v[i].by], STR_ARG(key));
    }
}

/* ---- Configuration --------------------------------------------------------------------------- */

static int read_limit(struct limit *l, const struct json *j, struct errbuf *err)
{
    struct str type = json_str(json_getz(j, "type"));
    int64_t    qps = json_i64_or(json_getz(j, "qps"), 0), burst = json_i64_or(json_getz(j, "burst"), 0);
    int64_t    max = json_i64_or(json_getz(j, "cacheSize"), CACHE_DEFAULT);
    size_t     by = 0;

    while (by < ARRAY_LEN(by_names) && !str_is(type, by_names[by]))
        by++;
    if (by == ARRAY_LEN(by_names))
        return err_set(err, E_INVALID, "limits: type must be Server, Namespace, User or SourceAndObject");
    if (qps <= 0 || burst <= 0)
        return err_set(err, E_INVALID, "limits: qps and burst must be above 0");
    if (max <= 0 || max > CACHE_MAX)
        return err_set(err, E_INVALID, "limits: cacheSize must be from 1 to %d", CACHE_MAX);
    *l = (struct limit){ .by = (enum by)by, .qps = (double)qps, .burst = (double)burst };
    l->max = (uint64_t)max;
    qinit(&l->recent);
    return 0;
}

static void limits_close(void *state)
{
    struct limits *ls = state;

    for (unsigned i = 0; i < ls->n; i++) {
        while (!qempty(&ls->v[i].recent))
            bucket_free(&ls->v[i], container_of(qfirst(&ls->v[i].recent), struct bucket, link));
        map_release(&ls->v[i].buckets);
    }
    mem_free(ls->v);
    mem_free(ls);
}

static int limits_open(struct admit *t, const struct json *config, void **ret_state, struct errbuf *err)
{
    const struct json *list = json_getz(config, "limits");
    struct limits     *ls = mem_new(struct limits);
    int                rc = 0;

    ls->loop = t->loop;
    ls->v = mem_zalloc(((list != NULL ? list->n : 0) + 1) * sizeof *ls->v);
    json_each(it, list)
        if (rc == 0 && (rc = read_limit(&ls->v[ls->n], it, err)) == 0)
            ls->n++;
    if (rc < 0)
        limits_close(ls);
    else
        *ret_state = ls;
    return rc;
}

const struct admit_plugin admit_event_rate_limit = {
    .name = "EventRateLimit",
    .match = { { "", "events", NULL, ADMIT_WRITES, .validate = validate } },
    .open = limits_open, .close = limits_close,
};
