/* node/server_logs.c: a container's log to a head, as fast as that reads. */
#include "api/time_fmt.h"
#include "net/log.h"
#include "node/server_impl.h"

struct log_stream {
    struct qlink link;                           /* server->logs */
    struct http_req *req;
    struct log_reader *reader;
};

static void stream_free(struct log_stream *ls)
{
    qdel(&ls->link);
    log_reader_close(ls->reader);
    mem_free(ls);
}

static void on_bytes(void *arg, const char *p, size_t n)
{
    struct log_stream *ls = arg;

    http_send(ls->req, p, n);
    if (http_queued(ls->req) > SERVER_QUEUE_MAX)
        log_reader_pause(ls->reader, true);
}

static void on_end(void *arg, int err, const char *reason)
{
    struct log_stream *ls = arg;

    if (err != 0) {
        log_warn("node", "%s", reason);
        http_abort(ls->req);                     /* broken off, and seen to be */
    } else {
        http_end(ls->req);
    }
    stream_free(ls);
}

static void on_drain(struct http_req *req)
{
    struct log_stream *ls = req->arg;
    log_reader_pause(ls->reader, false);
}

static void on_abort(struct http_req *req) { stream_free(req->arg); }

void server_logs_close(struct node_server *s)
{
    while (!qempty(&s->logs)) {
        struct log_stream *ls = qentry(qfirst(&s->logs), struct log_stream, link);
        http_abort(ls->req);
        stream_free(ls);
    }
}

/* ---- what is asked for ------------------------------------------------------------------------ */

/* False: answered.  absent: *ret stays. */
static bool number(struct http_req *req, const char *name, int64_t least, int64_t *ret, bool *ret_given)
{
    struct str rest = req->query, v;
    int64_t n;

    *ret_given = false;
    if (!server_param(req, &rest, name, &v) || v.n == 0)
        return true;
    if (!str_i64(v, &n) || n < least) {
        server_text(req, 400, "%s must be a number of at least %lld", name, (long long)least);
        return false;
    }
    *ret = n;
    *ret_given = true;
    return true;
}

static bool since(struct http_req *req, int64_t *ret_ns)
{
    struct str rest = req->query, v;
    int64_t s, now_ns = loop_wall_ns(http_req_loop(req));
    uint32_t ns;
    bool given;

    if (!number(req, "sinceSeconds", 1, &s, &given))
        return false;
    if (given)
        *ret_ns = s < now_ns / 1000000000 ? now_ns - s * 1000000000 : 0;
    if (given || !server_param(req, &rest, "sinceTime", &v) || v.n == 0)
        return true;
    if (!time_parse(v, &s, &ns)) {
        server_text(req, 400, "sinceTime must be an RFC 3339 time");
        return false;
    }
    s = MIN_OF(MAX_OF(s, (int64_t)0), INT64_MAX / 1000000000 - 1);
    *ret_ns = s * 1000000000 + ns;
    return true;
}

static bool read_options(struct http_req *req, struct log_reader_opts *o)
{
    struct str rest = req->query, which = STR_NONE;
    int64_t n = 0;
    bool given;

    o->follow = server_flag(req, "follow");
    o->filter = (struct log_filter){ .timestamps = server_flag(req, "timestamps"),
                                     .since_ns = INT64_MIN,
                                     .left = UINT64_MAX };
    if (!number(req, "tailLines", 0, &n, &o->tail))
        return false;
    o->tail_lines = (uint64_t)n;
    if (!number(req, "limitBytes", 1, &n, &given))
        return false;
    if (given)
        o->filter.left = (uint64_t)n;
    if (server_param(req, &rest, "stream", &which)) {
        o->filter.no_out = str_is(which, "Stderr");
        o->filter.no_err = str_is(which, "Stdout");
    }
    return since(req, &o->filter.since_ns);
}

/* The run whose log is meant: the latest that there is, or the one before.  False: answered. */
static bool choose_run(struct http_req *req, const struct server_target *t, bool previous, unsigned *ret)
{
    const struct container *c = t->container;
    bool begun = c->id[0] != '\0';               /* the run that `attempt` counts */

    if (previous && c->state == CT_BACKOFF) {
        *ret = c->attempt;                       /* waiting for the next: the latest is the previous one */
    } else if (previous || !begun) {
        if (c->attempt == 0 && previous) {
            server_text(req, 400, "previous terminated container \"%s\" in pod \"%s\" not found", c->name,
                        t->pod->name);
            return false;
        }
        if (c->attempt == 0) {
            server_text(req, 400, "container \"%s\" in pod \"%s\" is waiting to start: %s", c->name,
                        t->pod->name,
                        c->wait_reason != NULL ? c->wait_reason
                        : c->init              ? "PodInitializing"
                                               : "ContainerCreating");
            return false;
        }
        *ret = c->attempt - 1;
    } else {
        *ret = c->attempt;
    }
    return true;
}

void server_logs(struct node_server *s, struct http_req *req, const struct server_target *t)
{
    struct log_reader_opts o = { .hub = s->hub, .on_bytes = on_bytes, .on_end = on_end };
    struct log_stream *ls;
    struct errbuf err;
    char path[4096];
    unsigned run;

    if (!read_options(req, &o) || !choose_run(req, t, server_flag(req, "previous"), &run))
        return;
    if (s->hub == NULL) {                        /* a hollow node: its containers never say anything */
        http_respond(req, 200, "text/plain", NULL, NULL, 0);
        return;
    }
    if (run != t->container->attempt || !container_is_live(t->container))
        o.follow = false;                        /* it says nothing more */
    o.path = container_log_path(t->container, run, path, sizeof path);
    ls = mem_new(struct log_stream);
    qinit(&ls->link);
    o.arg = ls;
    int rc = log_reader_open(&o, &ls->reader, &err);
    if (rc != 0) {
        mem_free(ls);
        server_text(req, rc == E_NOTFOUND ? 404 : 500, "%s", err.s);
        return;
    }
    ls->req = req;
    qpush(&s->logs, &ls->link);
    s->n_logs++;
    req->arg = ls;
    req->on_drain = on_drain;
    req->on_abort = on_abort;
    http_begin(req, 200, "text/plain", false, NULL, 0);
}
