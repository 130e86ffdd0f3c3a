/* api/health.c: see api/health.h. */
#include "api/health.h"

enum { HEALTH_LIVE = 1, HEALTH_READY = 2 };

static bool always(struct api *a)
{
    return a != NULL;
}

static bool disk_works(struct api *a)
{
    struct raft_status st;

    raft_status(store_raft(a->store), &st);
    return !st.disk_failed;
}

static bool has_leader(struct api *a)
{
    struct raft_status st;

    raft_status(store_raft(a->store), &st);
    return st.leader != 0;
}

static bool has_state(struct api *a)
{
    return mirror_ready(a->mirror);
}

static bool not_closing(struct api *a)
{
    return !a->closing;
}

#define PATHS(name) { "/healthz/" name, "/livez/" name, "/readyz/" name }
#define CHECK(name, in, ok) { name, in, ok, PATHS(name) }

static const struct check {
    const char *name; unsigned in; bool (*ok)(struct api *a); const char *path[3];
} checks[] = {
    CHECK("ping", HEALTH_LIVE | HEALTH_READY, always),
    CHECK("log", HEALTH_LIVE | HEALTH_READY, disk_works),
    CHECK("etcd", HEALTH_READY, has_leader),
    CHECK("informer-sync", HEALTH_READY, has_state),
    CHECK("shutdown", HEALTH_READY, not_closing),
};

const char *health_path(size_t i)
{
    static const char *const roots[] = { "/healthz", "/livez", "/readyz" };

    if (i < ARRAY_LEN(roots))
        return roots[i];
    i -= ARRAY_LEN(roots);
    return i / 3 < ARRAY_LEN(checks) ? checks[i / 3].path[i % 3] : NULL;
}

bool health_is_path(struct str s)
{
    return str_is(s, "healthz") || str_is(s, "livez") || str_is(s, "readyz");
}

static bool excluded(struct call *c, const char *name)
{
    struct str rest = c->rq.query, v;

    while (request_param(c->arena, &rest, "exclude", &v))
        if (str_is(v, name))
            return true;
    return false;
}

/* Who excludes what there is not may have meant something else. */
static void warn_of_unknown(struct call *c, unsigned in, struct buf *b)
{
    struct str rest = c->rq.query, v;
    bool       any = false;

    while (request_param(c->arena, &rest, "exclude", &v)) {
        bool known = false;

        for (size_t i = 0; i < ARRAY_LEN(checks); i++)
            known |= (checks[i].in & in) != 0 && str_is(v, checks[i].name);
        if (known)
            continue;
        buf_z(b, any ? "," : "warn: some health checks cannot be excluded: no matches for ");
        json_write_string(b, v);
        any = true;
    }
    if (any)
        buf_char(b, '\n');
}

void health_serve(struct call *c, struct str which, struct str only)
{
    static const struct http_header nosniff = { STR("X-Content-Type-Options"), STR("nosniff") };
    unsigned   in = str_is(which, "livez") ? HEALTH_LIVE : HEALTH_READY, ran = 0;
    struct str rest = c->rq.query, v;
    bool       verbose = request_param(c->arena, &rest, "verbose", &v), good = true;
    struct buf b = BUF_INIT;
    struct blob *body;

    for (size_t i = 0; i < ARRAY_LEN(checks); i++) {
        bool ok;

        if (only.n > 0 ? !str_is(only, checks[i].name) : (checks[i].in & in) == 0)
            continue;
        ran++;
        if (only.n == 0 && excluded(c, checks[i].name)) {
            buf_fmt(&b, "[+]%s excluded: ok\n", checks[i].name);
            continue;
        }
        ok = checks[i].ok(c->api);
        good &= ok;
        buf_fmt(&b, ok ? "[+]%s ok\n" : "[-]%s failed: reason withheld\n", checks[i].name);
    }
    if (only.n == 0)
        warn_of_unknown(c, in, &b);
    if (ran == 0) {
        buf_release(&b);
        call_no_such_path(c);
        return;
    }
    if (only.n == 0)
        buf_fmt(&b, "%.*s check %s\n", STR_ARG(which), good ? "passed" : "failed");
    if (good && (!verbose || only.n > 0)) {
        buf_clear(&b);
        buf_z(&b, "ok");
    }
    body = buf_to_blob(&b);
    buf_release(&b);
    call_respond_with(c, good ? 200 : 500, "text/plain; charset=utf-8", body,
                      &(struct answer_headers){ &nosniff, 1, NULL });
}
