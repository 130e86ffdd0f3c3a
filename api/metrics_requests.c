/* api/metrics_requests.c: requests answered and how long that took, by what they were about.
 *
 * The labels are those of kube-apiserver.  They come from the tables, never from the client's text, so there
 * are no more series than resources times verbs; one is made when its first request is answered. */
#include "api/call.h"
#include "net/prom.h"

static const double bound_s[] = { 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.025, 0.05, 0.1, 0.2, 0.4,
                                  0.6, 0.8, 1, 1.25, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 45, 60 };
#define BOUNDS ARRAY_LEN(bound_s)
#define CODES   16u                              /* more are counted as their class, 500 for 507 */
#define CLASSES 5u                               /* for which room is kept */

struct metrics_series {
    char    *labels;
    struct { int code; uint64_t n; } code[CODES]; unsigned n_codes;
    uint64_t bucket[BOUNDS + 1], sum_ns;
};

void metrics_init(struct metrics *m) { *m = (struct metrics){ .series = MAP_INIT }; }

void metrics_release(struct metrics *m)
{
    struct str key;
    void *s;

    for (size_t i = 0; map_next(&m->series, &i, &key, &s); ) {
        mem_free(((struct metrics_series *)s)->labels);
        mem_free(s);
    }
    map_release(&m->series);
}

/* ---- Labels -------------------------------------------------------------------------------------- */

static const char *verb_label(const struct call *c)
{
    static const char *const verbs[API_VERBS] = {
        [API_GET] = "GET", [API_LIST] = "LIST", [API_WATCH] = "WATCH", [API_CREATE] = "POST",
        [API_UPDATE] = "PUT", [API_PATCH] = "PATCH", [API_DELETE] = "DELETE",
        [API_DELETECOLLECTION] = "DELETECOLLECTION",
    };
    static const char *const methods[] = { "GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS" };

    if (c->sub != NULL && c->sub->connect)
        return "CONNECT";
    if (verbs[c->rq.verb] != NULL)
        return verbs[c->rq.verb];
    for (size_t i = 0; i < ARRAY_LEN(methods); i++)
        if (str_is(c->x->method, methods[i]))
            return methods[i];
    return "OTHER";
}

static const char *scope_label(const struct call *c)
{
    if (c->res == NULL)
        return "";
    return c->rq.name.n > 0 ? "resource" : c->rq.ns.n > 0 ? "namespace" : "cluster";
}

/* What tells series apart, in few bytes: this is made for every request. */
static struct str series_key(const struct call *c, char *p, size_t cap)
{
    const char *part[] = { verb_label(c), scope_label(c), c->res != NULL ? c->res->kind->group : "",
                           c->res != NULL ? c->res->kind->version : "", c->res != NULL ? c->res->plural : "",
                           c->sub != NULL ? c->sub->name : "" };
    size_t n = 0;

    for (size_t i = 0; i < ARRAY_LEN(part); i++)
        for (const char *z = part[i]; n < cap; z++) {
            p[n++] = *z;
            if (*z == '\0')
                break;
        }
    return str_make(p, n);
}

static char *series_labels(const struct call *c)
{
    static const char form[] = "component=\"apiserver\",group=\"%s\",resource=\"%s\",scope=\"%s\","
                               "subresource=\"%s\",verb=\"%s\",version=\"%s\"";
    const struct resource *r = c->res;
    struct buf b = BUF_INIT;

    buf_fmt(&b, form, r != NULL ? r->kind->group : "", r != NULL ? r->plural : "", scope_label(c),
            c->sub != NULL ? c->sub->name : "", verb_label(c), r != NULL ? r->kind->version : "");
    buf_char(&b, '\0');
    return b.p;
}

/* ---- Counting ------------------------------------------------------------------------------------ */

static struct metrics_series *series_of(struct metrics *m, const struct call *c)
{
    char key[512];
    struct str k = series_key(c, key, sizeof key);
    struct metrics_series *s = map_get(&m->series, k);

    if (s != NULL)
        return s;
    s = mem_new(struct metrics_series);
    s->labels = series_labels(c);
    map_put(&m->series, k, s);
    return s;
}

static void count_code(struct metrics_series *s, int code)
{
    unsigned i = 0;

    while (i < s->n_codes && s->code[i].code != code)
        i++;
    if (i == s->n_codes && i >= CODES - CLASSES && code % 100 != 0) {
        count_code(s, code / 100 * 100);
        return;
    }
    if (i == s->n_codes) {
        must(i < CODES);
        s->code[s->n_codes++].code = code;
    }
    s->code[i].n++;
}

void metrics_count(struct call *c, int code, uint64_t duration_ns)
{
    struct metrics_series *s = series_of(&c->api->metrics, c);
    double seconds = (double)duration_ns / 1e9;
    unsigned b = 0;

    store_served(c->api->store);
    count_code(s, code);
    while (b < BOUNDS && seconds > bound_s[b])
        b++;
    s->bucket[b]++;
    s->sum_ns += duration_ns;
}

/* ---- Writing ------------------------------------------------------------------------------------- */

static void write_counts(struct buf *out, const struct metrics_series *s)
{
    for (unsigned i = 0; i < s->n_codes; i++) {
        buf_fmt(out, "apiserver_request_total{code=\"%d\",%s} ", s->code[i].code, s->labels);
        buf_u64(out, s->code[i].n);
        buf_char(out, '\n');
    }
}

static void write_durations(struct buf *out, const struct metrics_series *s)
{
    uint64_t sum = 0;

    for (unsigned b = 0; b <= BOUNDS; b++) {
        sum += s->bucket[b];
        buf_fmt(out, "apiserver_request_duration_seconds_bucket{%s,le=\"", s->labels);
        if (b < BOUNDS)
            buf_fmt(out, "%g", bound_s[b]);
        else
            buf_z(out, "+Inf");
        buf_z(out, "\"} ");
        buf_u64(out, sum);
        buf_char(out, '\n');
    }
    buf_fmt(out, "apiserver_request_duration_seconds_sum{%s} ", s->labels);
    prom_seconds(out, s->sum_ns);
    buf_fmt(out, "\napiserver_request_duration_seconds_count{%s} ", s->labels);
    buf_u64(out, sum);
    buf_char(out, '\n');
}

void metrics_write_requests(struct buf *out, const struct metrics *m)
{
    struct str key;
    void *s;

    prom_head(out, "apiserver_request_total", "counter", "Requests answered, by what they were about.");
    for (size_t i = 0; map_next(&m->series, &i, &key, &s); )
        write_counts(out, s);
    prom_head(out, "apiserver_request_duration_seconds", "histogram",
                 "Time from a complete request to its complete answer.");
    for (size_t i = 0; map_next(&m->series, &i, &key, &s); )
        write_durations(out, s);
}
