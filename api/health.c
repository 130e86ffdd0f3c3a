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
    return store_revision(a->store) > 0;
}

static bool not_closing(struct api *a)
{
    return !a->closing;
}

static const struct check { const char *name; unsigned in; bool (*ok)(struct api *a); } checks[] = {
    { "ping", HEALTH_LIVE | HEALTH_READY, always },
    { "log", HEALTH_LIVE | HEALTH_READY, disk_works },
    { "etcd", HEALTH_READY, has_leader },
    { "informer-sync", HEALTH_READY, has_state },
    { "shutdown", HEALTH_READY, not_closing },
};

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

void health_serve(struct call *c, struct str which, struct str only)
{
    unsigned   in = str_is(which, "livez") ? HEALTH_LIVE : HEALTH_READY, ran = 0;
    struct str rest = c->rq.query, v;
    bool       verbose = request_param(c->arena, &rest, "verbose", &v), good = true;
    struct buf b = BUF_INIT;
    struct blob *body;

    for (size_t i = 0; i < ARRAY_LEN(checks); i++) {
        bool ok;

        if (only.n > 0 ? !str_is(only, checks[i].name) : (checks[i].in & in) == 0 ||
            excluded(c, checks[i].name))
            continue;
        ok = checks[i].ok(c->api);
        good &= ok;
        ran++;
        buf_fmt(&b, ok ? "[+]%s ok\n" : "[-]%s failed: reason withheld\n", checks[i].name);
    }
    if (ran == 0) {
        buf_release(&b);
        call_no_such_path(c);
        return;
    }
    buf_fmt(&b, "%.*s check %s\n", STR_ARG(which), good ? "passed" : "failed");
    if (good && (!verbose || only.n > 0)) {
        buf_clear(&b);
        buf_z(&b, "ok");
    }
    body = buf_to_blob(&b);
    buf_release(&b);
    call_respond(c, good ? 200 : 500, "text/plain; charset=utf-8", body);
}
