/* node/server_exec.c: exec and attach: a WebSocket of channels on one side, a session of the runtime on the
 * other.
 *
 *     0 stdin   1 stdout   2 stderr   3 how it ended   4 size of the terminal   255 (v5) this channel is closed
 *
 * Two ends, each with its own life: the session ends with the process, the WebSocket with its closing
 * handshake; the struct goes when both have.  Each side is paused while too much waits for the other. */
#include "api/json.h"
#include "net/ws.h"
#include "node/server_impl.h"

enum { CHANNEL_STDIN, CHANNEL_STDOUT, CHANNEL_STDERR, CHANNEL_ERROR, CHANNEL_RESIZE, CHANNEL_CLOSE = 255 };

#define MESSAGE_MAX (1u << 20)                   /* of a client; kubectl sends 32 KiB */

static const char *const protocols[] = { "v5.channel.k8s.io", "v4.channel.k8s.io", "channel.k8s.io" };

struct exec {
    struct qlink link;                           /* server->execs */
    struct arena arena;
    struct runtime *rt;                          /* valid until session_done */
    struct rt_session s;
    struct ws *ws;                               /* NULL: closed */
    bool v4, v5;                                 /* the end is told as a Status; stdin can be half-closed */
    bool want_out, want_err, session_done, ws_paused, session_paused;
};

static void exec_unref(struct exec *e)
{
    if (e->ws != NULL || !e->session_done)
        return;
    qdel(&e->link);
    arena_release(&e->arena);
    mem_free(e);
}

/* ---- from the client -------------------------------------------------------------------------- */

static void take_stdin(struct exec *e, const char *p, size_t n)
{
    if (!e->s.want_stdin || n == 0)
        return;
    e->rt->ops->session_write(&e->s, p, n);
    if (!e->ws_paused && e->rt->ops->session_queued(&e->s) > SERVER_QUEUE_MAX) {
        e->ws_paused = true;
        ws_pause(e->ws);
    }
}

static void take_resize(struct exec *e, struct str text)
{
    struct arena a = ARENA_INIT;
    struct json_error bad;
    struct json *j;

    if (e->s.tty && json_parse(&a, text, &j, &bad) == 0) {
        int64_t cols = json_path_i64(j, "Width", 0), rows = json_path_i64(j, "Height", 0);
        if (cols > 0 && cols <= UINT16_MAX && rows > 0 && rows <= UINT16_MAX)
            e->rt->ops->session_resize(&e->s, (uint16_t)cols, (uint16_t)rows);
    }
    arena_release(&a);
}

static void on_message(void *arg, struct ws *w, bool text, const char *p, size_t n)
{
    struct exec *e = arg;

    if (n == 0 || e->session_done)
        return;
    switch ((unsigned char)p[0]) {
    case CHANNEL_STDIN:
        take_stdin(e, p + 1, n - 1);
        break;
    case CHANNEL_RESIZE:
        take_resize(e, str_make(p + 1, n - 1));
        break;
    case CHANNEL_CLOSE:
        if (e->v5 && n == 2 && p[1] == CHANNEL_STDIN && e->s.want_stdin)
            e->rt->ops->session_eof(&e->s);
        break;
    default:                                     /* channels that are ours to write */
        break;
    }
}

static void on_ws_drain(void *arg, struct ws *w)
{
    struct exec *e = arg;

    if (e->session_paused && !e->session_done)
        e->rt->ops->session_pause(&e->s, false);
    e->session_paused = false;
}

/* The client has gone: nobody wants the process any more. */
static void exec_cancel(struct exec *e)
{
    if (e->session_done)
        return;
    if (e->session_paused)
        e->rt->ops->session_pause(&e->s, false);
    e->session_paused = false;
    e->rt->ops->session_cancel(&e->s);
}

static void on_ws_close(void *arg, struct ws *w, int code, const char *reason)
{
    struct exec *e = arg;

    e->ws = NULL;
    exec_cancel(e);
    exec_unref(e);
}

static const struct ws_events ws_events = { .on_message = on_message,
                                            .on_drain = on_ws_drain,
                                            .on_close = on_ws_close };

/* ---- from the process ------------------------------------------------------------------------- */

static void on_output(struct rt_session *s, int which, const char *p, size_t n)
{
    struct exec *e = container_of(s, struct exec, s);

    if (e->ws == NULL || !(which == CHANNEL_STDERR ? e->want_err : e->want_out))
        return;
    ws_send_channel(e->ws, (unsigned char)which, p, n);
    if (!e->session_paused && ws_queued(e->ws) > SERVER_QUEUE_MAX) {
        e->session_paused = true;
        e->rt->ops->session_pause(s, true);
    }
}

static void on_input_drain(struct rt_session *s)
{
    struct exec *e = container_of(s, struct exec, s);

    if (e->ws_paused && e->ws != NULL)
        ws_resume(e->ws);
    e->ws_paused = false;
}

static struct json *failure(struct arena *a, const char *reason, struct str message, const char *cause,
                            struct str cause_message)
{
    struct json *o = json_object(a), *c = json_object(a);

    json_setz(a, o, "metadata", json_object(a));
    json_setz(a, o, "status", json_string(a, STR("Failure")));
    json_setz(a, o, "message", json_string(a, message));
    json_setz(a, o, "reason", json_string(a, str_of(reason)));
    if (cause[0] != '\0')
        json_setz(a, c, "reason", json_string(a, str_of(cause)));
    json_setz(a, c, "message", json_string(a, cause_message));
    json_push(json_setz(a, json_setz(a, o, "details", json_object(a)), "causes", json_array(a)), c);
    return o;
}

/* How it ended, as kubectl wants to know it: the exit code is a cause of a failure. */
static struct json *end_status(struct arena *a, int status, int exit_code, const char *why)
{
    struct json *o;

    if (status != 0) {
        o = failure(a, "InternalError", arena_fmt(a, "Internal error occurred: %s", why), "", str_of(why));
        json_setz(a, o, "code", json_int(a, 500));
    } else if (exit_code != 0) {
        o = failure(a, "NonZeroExitCode",
                    arena_fmt(a, "command terminated with non-zero exit code: exit status %d", exit_code),
                    "ExitCode", arena_fmt(a, "%d", exit_code));
    } else {
        o = json_object(a);
        json_setz(a, o, "metadata", json_object(a));
        json_setz(a, o, "status", json_string(a, STR("Success")));
    }
    return o;
}

static void on_done(struct rt_req *req, int status)
{
    struct exec *e = container_of(container_of(req, struct rt_session, req), struct exec, s);
    struct json *end = end_status(&e->arena, status, e->s.exit_code, req->err.s);
    struct buf text = BUF_INIT;

    e->session_done = true;
    if (e->ws != NULL) {
        if (e->v4)
            json_write(&text, end);
        else
            buf_str_add(&text, json_path_str(end, "message"));   /* the first protocol has words for failures only */
        if (text.n > 0)
            ws_send_channel(e->ws, CHANNEL_ERROR, text.p, text.n);
        ws_close(e->ws, 1000, "");
    }
    buf_release(&text);
    exec_unref(e);
}

/* ---- the beginning ---------------------------------------------------------------------------- */

static bool read_command(struct exec *e, struct http_req *req)
{
    struct str rest = req->query, v;
    const char **argv;
    size_t n = 0;

    while (server_param(req, &rest, "command", &v))
        n++;
    argv = arena_alloc(&e->arena, (n + 1) * sizeof *argv);
    rest = req->query;
    e->s.n_argv = n;
    for (n = 0; server_param(req, &rest, "command", &v); n++)
        argv[n] = arena_cstr(&e->arena, v);
    argv[n] = NULL;
    e->s.argv = argv;
    return n > 0;
}

/* What keeps it from being done; NULL: nothing. */
static const char *exec_prepare(struct exec *e, struct http_req *req, bool attach)
{
    bool out = server_flag(req, "output"), err = server_flag(req, "error");

    e->s = (struct rt_session){ .req.done = on_done, .on_output = on_output, .on_drain = on_input_drain,
                                .tty = server_flag(req, "tty"), .want_stdin = server_flag(req, "input") };
    e->want_out = out;
    e->want_err = err && !e->s.tty;              /* a terminal mixes both */
    if (!attach && !read_command(e, req))
        return "you must specify at least one command for the container";
    if (!out && !err && !e->s.want_stdin)
        return "you must specify at least 1 of stdin, stdout, stderr";
    return NULL;
}

/* A client that names no protocol speaks the first one. */
static const char *exec_accept(struct exec *e, struct http_req *req)
{
    bool named = http_header_get(req->headers, req->n_headers, "Sec-WebSocket-Protocol").p != NULL;
    struct ws_accept_opts o = { .protocols = protocols,
                                .n_protocols = named ? ARRAY_LEN(protocols) : 0,
                                .max_message = MESSAGE_MAX,
                                .ev = &ws_events,
                                .arg = e };
    const char *protocol = NULL, *reason = NULL;

    e->ws = ws_accept(req, &o, &protocol, &reason);
    if (e->ws == NULL)
        return reason;
    e->v5 = protocol == protocols[0];
    e->v4 = e->v5 || protocol == protocols[1];
    return NULL;
}

/* An empty message on the lowest channel of ours says that the connection stands; clients of the first
 * protocols may wait for it.  Those of v5 do not, and some kubectl versions complain of it ("Unknown stream id
 * 1, discarding message"): they begin to read before they have made their streams. */
static void greet(struct exec *e)
{
    if (!e->v5)
        ws_send_channel(e->ws, e->want_out   ? CHANNEL_STDOUT
                               : e->want_err ? CHANNEL_STDERR
                                             : CHANNEL_ERROR,
                        "", 0);
}

void server_exec(struct node_server *s, struct http_req *req, const struct server_target *t, bool attach)
{
    struct agent *agent = s->agent;
    const struct rt_container_info *info =
        t->container->id[0] != '\0' ? agent->rt->ops->container_get(agent->rt, t->container->id) : NULL;
    struct exec *e;
    const char *bad;

    if (info == NULL || info->state != RT_RUNNING) {
        server_text(req, 400, "container \"%s\" of pod \"%s\" is not running", t->container->name,
                    t->pod->name);
        return;
    }
    e = mem_new(struct exec);
    qinit(&e->link);
    bad = exec_prepare(e, req, attach);
    if (bad == NULL)
        bad = exec_accept(e, req);
    if (bad != NULL) {
        arena_release(&e->arena);
        mem_free(e);
        server_text(req, 400, "%s", bad);
        return;
    }
    e->rt = agent->rt;
    e->s.container_id = arena_cstr(&e->arena, str_of(t->container->id));
    qpush(&s->execs, &e->link);
    s->n_execs++;
    greet(e);
    e->rt->ops->session_open(e->rt, &e->s);
}

/* They go on alone until both their ends have come. */
void server_execs_close(struct node_server *s)
{
    while (!qempty(&s->execs)) {
        struct exec *e = qentry(qfirst(&s->execs), struct exec, link);
        qdel(&e->link);
        exec_cancel(e);
        if (e->ws != NULL)
            ws_close(e->ws, 1001, "the node's agent ends");
    }
}
