/* tools/bench_work.c: the workloads and the bytes of their requests.
 *
 * Heads and bodies are made once per run.  Names, sequence numbers, revisions and times stand in them with
 * fixed width, so that a request is sent by writing over a few bytes and copying it out. */
#include <stdio.h>
#include <time.h>
#include "api/json.h"
#include "tools/bench.h"

#define NAME_DIGITS 10
#define RV_WIDTH    24                           /* a quoted revision and blanks */
#define TIME_TEXT   "2024-01-01T00:00:00.000000Z"
#define SEQ_KEY     "coracle.bench/seq"
#define NODE        "bench-node-"

const struct workload workloads[WORKLOADS] = {
    [WORK_GET] = { "get", "read one pod (of --objects), linearizable", METRIC_GET, true, false, 64, 1 },
    [WORK_CREATE] = { "create", "create pods of --size bytes", METRIC_CREATE, false, false, 64, 0 },
    [WORK_UPDATE] = { "update", "replace pods, by PUT", METRIC_UPDATE, true, false, 64, 1000 },
    [WORK_LIST] = { "list", "list --objects pods", METRIC_LIST, true, false, 1, 5000 },
    [WORK_LEASE] = { "lease", "renew leases, as nodes do", METRIC_LEASE, false, true, 64, 1000 },
    [WORK_WATCH] = { "watch", "--watchers see every one of --rate updates a second", METRIC_RECEIPT, true,
                     false, 8, 100 },
    [WORK_MIXED] = { "mixed", "60 % get, 20 % update, 10 % lease, 10 % create", METRIC_ALL, true, true, 64,
                     1000 },
    [WORK_FAILOVER] = { "failover",
                        "creates on all servers; the longest time without one; none acknowledged may be lost",
                        METRIC_CREATE, false, false, 24, 0 },
    [WORK_SCHEDULE] = { "schedule", "create --objects pods and wait until a scheduler has bound all",
                        METRIC_BOUND, false, false, 64, 10000 },
    [WORK_START] = { "start", "create --objects pods one at a time, each until it runs", METRIC_RUNNING,
                     false, false, 1, 100 },
    [WORK_ETCD_PUT] = { "etcd-put", "etcd's API: put keys of 8 bytes with values of --size", METRIC_PUT,
                        false, false, 64, 10000, true },
    [WORK_ETCD_RANGE] = { "etcd-range", "etcd's API: read one key, linearizable", METRIC_RANGE, true, false,
                          64, 10000, true },
    [WORK_ETCD_TXN] = { "etcd-txn", "etcd's API: put a key if it exists", METRIC_TXN, true, false, 64,
                        10000, true },
    [WORK_IDLE] = { "idle", "no load at all: what the --pid processes use by themselves", METRIC_ALL, false,
                    false, 0, 0 },
};

/* ---- Heads -------------------------------------------------------------------------------------- */

static void add_head(struct bench *b, struct buf *out, const char *method, struct str path, size_t body)
{
    buf_fmt(out,
            "%s %.*s HTTP/1.1\r\nHost: %.*s\r\nUser-Agent: coracle-bench\r\nAccept: application/json\r\n%.*s",
            method, STR_ARG(path), STR_ARG(buf_str(&b->req.host)), STR_ARG(buf_str(&b->req.auth)));
    if (body > 0)
        buf_fmt(out, "Content-Type: application/json\r\nContent-Length: %zu\r\n", body);
    buf_z(out, "\r\n");
}

void requests_head(struct bench *b, struct buf *out, const char *method, struct str path, struct str body)
{
    add_head(b, out, method, path, body.n);
    buf_str_add(out, body);
}

/* ---- Templates: a head with a body; places are found by the marks that were put there ----------- */

static size_t place_of(const struct buf *text, size_t from, const char *mark)
{
    const char *at = memmem(text->p + from, text->n - from, mark, strlen(mark));
    return at != NULL ? (size_t)(at - text->p) : 0;
}

static void template_make(struct bench *b, enum bench_op op, const char *method, struct str path,
                          struct str body)
{
    struct bench_template *t = &b->req.op[op];
    char name[32];

    t->name_digits = NAME_DIGITS;
    buf_clear(&t->text);
    requests_head(b, &t->text, method, path, body);
    snprintf(name, sizeof name, "bench-%s-", b->req.tag);
    for (size_t i = 0, from = 0; i < ARRAY_LEN(t->name_at); i++) {
        size_t at = place_of(&t->text, from, name);
        t->name_at[i] = at > 0 ? at + strlen(name) : 0;
        from = at > 0 ? t->name_at[i] : from;
        if (at == 0)
            break;
    }
    t->seq_at = place_of(&t->text, 0, "\"" SEQ_KEY "\":\"");
    t->seq_at += t->seq_at > 0 ? strlen("\"" SEQ_KEY "\":\"") : 0;
    t->rv_at = place_of(&t->text, 0, "\"resourceVersion\":");
    t->rv_at += t->rv_at > 0 ? strlen("\"resourceVersion\":") : 0;
    t->time_at = place_of(&t->text, 0, TIME_TEXT);
    t->node_at = place_of(&t->text, 0, NODE);
    t->node_at += t->node_at > 0 ? strlen(NODE) : 0;
}

static void template_make_path(struct bench *b, enum bench_op op, const char *method, const char *api,
                               const char *rest, struct str body)
{
    struct str path = arena_fmt(&b->arena, "%s/namespaces/%s/%s", api, b->cfg.ns, rest);
    template_make(b, op, method, path, body);
}

/* ---- Bodies ------------------------------------------------------------------------------------- */

static const char *pod_scheduler(const struct bench *b)
{
    bool real = b->cfg.work == WORK_SCHEDULE || b->cfg.work == WORK_START;
    return real ? "" : "\"schedulerName\":\"nobody\",";
}

/* A pod as clusters have them, padded to --size; a scheduler that does not exist leaves it alone. */
static void pod_body(struct bench *b, struct buf *out)
{
    size_t pad_at;

    buf_fmt(out, "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"bench-%s-0000000000\","
            "\"labels\":{\"app\":\"bench\",\"pod-template-hash\":\"5d4f8c7b9c\",\"tier\":\"backend\"},"
            "\"annotations\":{\"" SEQ_KEY "\":\"0000000000\",\"coracle.bench/pad\":\"", b->req.tag);
    pad_at = out->n;
    buf_fmt(out,
            "\"}},\"spec\":{%s%s\"automountServiceAccountToken\":false,\"terminationGracePeriodSeconds\":0,"
            "\"containers\":[{\"name\":\"web\",\"image\":\"%s\",\"imagePullPolicy\":\"IfNotPresent\","
            "\"ports\":[{\"name\":\"http\",\"containerPort\":8080,\"protocol\":\"TCP\"}],"
            "\"env\":[{\"name\":\"MODE\",\"value\":\"production\"},{\"name\":\"LEVEL\",\"value\":\"info\"},"
            "{\"name\":\"POD_NAME\",\"valueFrom\":{\"fieldRef\":{\"fieldPath\":\"metadata.name\"}}}],"
            "\"resources\":{\"requests\":{\"cpu\":\"10m\",\"memory\":\"16Mi\"},\"limits\":{\"memory\":"
            "\"64Mi\"}}}],"
            "\"tolerations\":[{\"key\":\"node.kubernetes.io/"
            "not-ready\",\"operator\":\"Exists\",\"effect\":\"NoExecute\","
            "\"tolerationSeconds\":300}]}}",
            b->cfg.by_node ? "\"nodeName\":\"" NODE "0000000000\"," : "", pod_scheduler(b), b->cfg.image);
    if (out->n < (size_t)b->cfg.size) {
        size_t pad = (size_t)b->cfg.size - out->n, tail = out->n - pad_at;
        buf_reserve(out, pad);
        memmove(out->p + pad_at + pad, out->p + pad_at, tail);
        memset(out->p + pad_at, 'x', pad);
        out->n += pad;
    }
}

static void lease_body(struct bench *b, struct buf *out, bool renew)
{
    buf_fmt(out,
            "{\"apiVersion\":\"coordination.k8s.io/"
            "v1\",\"kind\":\"Lease\",\"metadata\":{\"name\":\"bench-%s-0000000000\"%s},"
            "\"spec\":{\"holderIdentity\":\"bench\",\"leaseDurationSeconds\":40,\"renewTime\":\"" TIME_TEXT
            "\"}}",
            b->req.tag, renew ? ",\"resourceVersion\":                        " : "");
}

static void requests_init_leases(struct bench *b)
{
    const char *api = "/apis/coordination.k8s.io/v1";
    struct str one = arena_fmt(&b->arena, "leases/bench-%s-0000000000", b->req.tag);
    struct buf body = BUF_INIT;

    lease_body(b, &body, false);
    template_make_path(b, OP_LEASE_NEW, "POST", api, "leases", buf_str(&body));
    buf_clear(&body);
    lease_body(b, &body, true);
    template_make_path(b, OP_LEASE, "PUT", api, one.p, buf_str(&body));
    template_make_path(b, OP_LEASE_GET, "GET", api, one.p, STR_NONE);
    buf_release(&body);
}

void requests_init(struct bench *b)
{
    struct str one = STR_NONE, list = STR("pods");
    struct buf body = BUF_INIT;

    snprintf(b->req.tag, sizeof b->req.tag, "%04x", (unsigned)(loop_random_u64(b->loop) & 0xffff));
    one = arena_fmt(&b->arena, "pods/bench-%s-0000000000", b->req.tag);
    if (b->cfg.limit > 0)
        list = arena_fmt(&b->arena, "pods?limit=%lld", (long long)b->cfg.limit);
    pod_body(b, &body);
    template_make_path(b, OP_CREATE, "POST", "/api/v1", "pods", buf_str(&body));
    buf_release(&body);
    template_make_path(b, OP_GET, "GET", "/api/v1", one.p, STR_NONE);
    template_make_path(b, OP_LIST, "GET", "/api/v1", list.p, STR_NONE);
    template_make_path(b, OP_DELETE, "DELETE", "/api/v1", one.p, STR_NONE);
    requests_init_leases(b);
}

/* Everything the server filled in stays, so that a replacement changes nothing but the annotation. */
int requests_learn(struct bench *b, struct str pod, struct errbuf *err)
{
    static const char *const drop[] = { "uid",           "resourceVersion", "creationTimestamp",
                                        "managedFields", "generation",      "selfLink" };
    struct str one = arena_fmt(&b->arena, "pods/bench-%s-0000000000", b->req.tag);
    struct json_error bad;
    struct json *j, *meta;
    struct buf body = BUF_INIT;

    if (json_parse(&b->arena, arena_str(&b->arena, pod), &j, &bad) != 0)
        return err_set(err, E_INVALID, "the server's pod is no JSON: %s", bad.text);
    meta = json_getz(j, "metadata");
    for (size_t i = 0; i < ARRAY_LEN(drop); i++)
        if (meta != NULL)
            json_delz(meta, drop[i]);
    json_delz(j, "status");
    json_write(&body, j);
    template_make_path(b, OP_UPDATE, "PUT", "/api/v1", one.p, buf_str(&body));
    buf_release(&body);
    return 0;
}

void requests_release(struct bench_requests *r)
{
    buf_release(&r->host);
    buf_release(&r->auth);
    for (unsigned i = 0; i < BENCH_OPS; i++)
        buf_release(&r->op[i].text);
}

/* ---- One request -------------------------------------------------------------------------------- */

static void put_digits(char *at, unsigned n, uint64_t v)
{
    for (unsigned i = n; i-- > 0; v /= 10)
        at[i] = (char)('0' + v % 10);
}

static void put_rv(char *at, uint64_t rv)
{
    char text[RV_WIDTH + 1];
    int n = snprintf(text, sizeof text, "\"%llu\"", (unsigned long long)rv);

    memset(at, ' ', RV_WIDTH);
    memcpy(at, text, (size_t)n);
}

static void put_time(char *at, int64_t wall_ns)
{
    time_t s = wall_ns / 1000000000;
    struct tm tm;
    char text[64];

    gmtime_r(&s, &tm);
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(text + 19, sizeof text - 19, ".%06dZ", (int)(wall_ns / 1000 % 1000000));
    memcpy(at, text, strlen(TIME_TEXT));
}

struct str requests_make(struct bench *b, enum bench_op op, uint64_t key, uint64_t seq)
{
    struct bench_template *t = &b->req.op[op];

    must(t->text.n > 0);
    for (size_t i = 0; i < ARRAY_LEN(t->name_at); i++)
        if (t->name_at[i] > 0)
            put_digits(t->text.p + t->name_at[i], t->name_digits, key);
    if (t->seq_at > 0)
        put_digits(t->text.p + t->seq_at, NAME_DIGITS, seq);
    if (t->rv_at > 0)
        put_rv(t->text.p + t->rv_at, b->lease_rv[key]);
    if (t->node_at > 0)
        put_digits(t->text.p + t->node_at, NAME_DIGITS, key % (uint64_t)b->cfg.watchers);
    if (t->time_at > 0)
        put_time(t->text.p + t->time_at, loop_wall_ns(b->loop));
    return buf_str(&t->text);
}

/* ---- Reading answers ---------------------------------------------------------------------------- */

uint64_t requests_find(struct str text, struct str prefix)
{
    const char *at = memmem(text.p, text.n, prefix.p, prefix.n);
    uint64_t v;

    if (at == NULL || (size_t)(text.p + text.n - at) < prefix.n + NAME_DIGITS)
        return BENCH_NO_KEY;
    return str_u64(str_make(at + prefix.n, NAME_DIGITS), &v) ? v : BENCH_NO_KEY;
}

struct str requests_selector(struct bench *b, unsigned watcher)
{
    if (!b->cfg.by_node)
        return STR_NONE;
    return arena_fmt(&b->arena, "&fieldSelector=spec.nodeName%%3D" NODE "%0*u", NAME_DIGITS, watcher);
}

struct str requests_name_prefix(struct bench *b, struct arena *a)
{
    return arena_fmt(a, "\"name\":\"bench-%s-", b->req.tag);
}
