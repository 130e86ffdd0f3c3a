/* node/server_exec.c: exec and attach: see node/server_exec_impl.h. */
#include "api/json.h"
#include "node/server_exec_impl.h"

static void exec_unref(struct exec *e)
{
    if (e->front != NULL || (e->begun && !e->session_done))
        return;
    qdel(&e->link);
    pulse_stop(&e->pulse);
    arena_release(&e->arena);
    mem_free(e);
}

/* ---- from the client -------------------------------------------------------------------------- */

void exec_take_stdin(struct exec *e, const char *p, size_t n)
{
    if (!e->begun || e->session_done || !e->s.want_stdin || n == 0)
        return;
    pulse_used(&e->pulse);
    e->rt->ops->session_write(&e->s, p, n);
    if (!e->client_held && e->rt->ops->session_queued(&e->s) > SERVER_QUEUE_MAX) {
        e->client_held = true;
        e->front->hold(e, true);
    }
}

/* Clients write "Width" or "width": the original matches names of JSON without regard to case. */
static int64_t resize_member(const struct json *size, const char *name)
{
    if (size->type == JSON_OBJECT)
        for (const struct json *m = size->first; m != NULL; m = m->next)
            if (str_ieq(m->key, str_of(name)))
                return json_i64_or(m, 0);
    return 0;
}

void exec_take_resize(struct exec *e, struct str text)
{
    struct arena a = ARENA_INIT;
    struct json_error bad;
    struct json *j;

    if (e->begun && !e->session_done && e->s.tty && json_parse(&a, text, &j, &bad) == 0) {
        int64_t cols = resize_member(j, "width"), rows = resize_member(j, "height");
        if (cols > 0 && cols <= UINT16_MAX && rows > 0 && rows <= UINT16_MAX)
            e->rt->ops->session_resize(&e->s, (uint16_t)cols, (uint16_t)rows);
    }
    arena_release(&a);
}

void exec_stdin_eof(struct exec *e)
{
    if (e->begun && !e->session_done && e->s.want_stdin)
        e->rt->ops->session_eof(&e->s);
}

void exec_on_drain(struct exec *e)
{
    if (e->session_paused && !e->session_done)
        e->rt->ops->session_pause(&e->s, false);
    e->session_paused = false;
}

/* The client has gone: nobody wants the process any more. */
static void exec_cancel(struct exec *e)
{
    if (!e->begun || e->session_done)
        return;
    if (e->session_paused)
        e->rt->ops->session_pause(&e->s, false);
    e->session_paused = false;
    e->rt->ops->session_cancel(&e->s);
}

void exec_on_front_closed(struct exec *e)
{
    e->front = NULL;
    exec_cancel(e);
    exec_unref(e);
}

static void on_ping(struct pulse *p)
{
    struct exec *e = container_of(p, struct exec, pulse);

    if (e->front != NULL)
        e->front->ping(e);
}

static void on_idle(struct pulse *p)
{
    struct exec *e = container_of(p, struct exec, pulse);

    if (e->front != NULL)
        e->front->close(e);
}

/* ---- from the process ------------------------------------------------------------------------- */

static void on_output(struct rt_session *s, int which, const char *p, size_t n)
{
    struct exec *e = container_of(s, struct exec, s);

    if (e->front == NULL || !(which == CHANNEL_STDERR ? e->want_err : e->want_out))
        return;
    pulse_used(&e->pulse);
    e->front->send(e, (unsigned)which, p, n);
    if (!e->session_paused && e->front->queued(e) > SERVER_QUEUE_MAX) {
        e->session_paused = true;
        e->rt->ops->session_pause(s, true);
    }
}

static void on_input_drain(struct rt_session *s)
{
    struct exec *e = container_of(s, struct exec, s);

    if (e->client_held && e->front != NULL)
        e->front->hold(e, false);
    e->client_held = false;
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
    /* who only looked on has succeeded, however the container ended: clients ask the pod for that */
    bool attached = e->s.n_argv == 0;
    struct json *end = end_status(&e->arena, status, attached ? 0 : e->s.exit_code, req->err.s);
    struct buf text = BUF_INIT;

    e->session_done = true;
    if (e->client_held && e->front != NULL)
        e->front->hold(e, false);                /* what still comes is not kept */
    e->client_held = false;
    if (e->status)
        json_write(&text, end);
    else
        buf_str_add(&text, json_path_str(end, "message"));
    if (e->front != NULL)
        e->front->end(e, buf_str(&text));
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

void exec_begin(struct exec *e)
{
    e->begun = true;
    e->rt->ops->session_open(e->rt, &e->s);
}

static void exec_drop(struct exec *e)
{
    arena_release(&e->arena);
    mem_free(e);
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
    if (bad != NULL) {
        exec_drop(e);
        server_text(req, 400, "%s", bad);
        return;
    }
    e->rt = agent->rt;
    e->s.container_id = arena_cstr(&e->arena, str_of(t->container->id));
    pulse_start(&e->pulse, agent->loop, on_ping, on_idle);
    if (!(spdy_asked(req, NULL) ? exec_accept_spdy : exec_accept_ws)(e, req)) {
        pulse_stop(&e->pulse);
        exec_drop(e);
        return;
    }
    qpush(&s->execs, &e->link);
    s->n_execs++;
}

/* They go on alone until both their ends have come. */
void server_execs_close(struct node_server *s)
{
    while (!qempty(&s->execs)) {
        struct exec *e = qentry(qfirst(&s->execs), struct exec, link);
        qdel(&e->link);
        exec_cancel(e);
        if (e->front != NULL)
            e->front->close(e);
    }
}
