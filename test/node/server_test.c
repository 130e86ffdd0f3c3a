/* test/node/server_test.c: the agent's server over real TLS: who may ask, logs live, exec in every protocol, and clients and
 * processes that stall, flood or vanish. */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>
#include "net/ws.h"
#include "node/files.h"
#include "node/logs.h"
#include "node/pod.h"
#include "node/server.h"
#include "test/test.h"

enum who { HEAD, MASTER, STRANGER, NOBODY, WHOS };

struct rig {
    struct loop *l;
    struct agent a;
    struct pod pod;
    struct container c[2];
    struct runtime rt;
    struct rt_container_info info;
    struct rt_session *session;                  /* the one that runs */
    bool paused, canceled, eof;
    size_t flood;                                /* bytes still to be put out */
    uint16_t cols, rows;
    struct ready_item pump;
    int status, fd;
    struct tls_ctx *server_tls, *tls[WHOS];
    struct http_client *cli[WHOS];
    struct http_server *api;
    struct client *api_client;
    struct buf body;                             /* of the last answer, or of channels */
    struct buf out[4];                           /* what came on each channel */
    unsigned n_empty;                            /* messages without content */
    int answer;
    unsigned done, closed;
    int close_code;
    struct ws *ws;
    char protocol[64];
    struct http_call *call;
    struct timer guard;
    size_t stall;                                /* do not read until so much waits; 0: read all */
    long live;
};

static struct rig *rig_of(const struct runtime *rt) { return container_of(rt, struct rig, rt); }

static void on_guard(struct timer *t)
{
    test_fail(__FILE__, __LINE__, "it takes too long");
    loop_stop(container_of(t, struct rig, guard)->l);
}

static void rig_run(struct rig *r)
{
    timer_start(&r->guard, 10000);
    loop_run(r->l);
    timer_stop(&r->guard);
}

struct nap { struct timer t; struct loop *l; };
static void on_nap(struct timer *t) { loop_stop(container_of(t, struct nap, t)->l); }
static void nap(struct rig *r, uint64_t ms)
{
    struct nap n = { .l = r->l };
    timer_init(&n.t, r->l, on_nap);
    timer_start(&n.t, ms);
    loop_run(r->l);
}

/* ---- a runtime whose programs are cat, exit, flood, sleep and fail ------------------------------ */

static void session_end(struct rig *r, int status)
{
    r->status = status;
    ready_post(r->l, &r->pump);
}

static void on_pump(struct ready_item *it)
{
    struct rig *r = container_of(it, struct rig, pump);
    struct rt_session *s = r->session;
    static const char block[16384];

    if (s == NULL)
        return;
    if (r->flood > 0 && r->status == 1) {
        while (!r->paused && r->flood > 0) {
            size_t n = MIN_OF(r->flood, sizeof block);
            s->on_output(s, 1, block, n);
            r->flood -= n;
        }
        if (r->flood > 0)
            return;                              /* the resuming starts us again */
        r->status = 0;
    }
    if (r->status == 1)
        return;
    r->session = NULL;
    s->req.done(&s->req, r->status);
}

static void fake_open(struct runtime *rt, struct rt_session *s)
{
    struct rig *r = rig_of(rt);
    const char *program = s->n_argv > 0 ? s->argv[0] : "cat";

    CHECK(r->session == NULL);
    r->session = s;
    s->req.impl = r;
    r->status = 1;
    r->canceled = r->eof = r->paused = false;
    r->flood = 0;
    if (strcmp(program, "exit") == 0) {
        s->exit_code = atoi(s->argv[1]);
        s->on_output(s, 2, "bye", 3);
        session_end(r, 0);
    } else if (strcmp(program, "flood") == 0) {
        r->flood = 8u << 20;
        ready_post(r->l, &r->pump);
    } else if (strcmp(program, "fail") == 0) {
        session_end(r, err_set(&s->req.err, E_CHILD, "no such \"program\""));
    }
}

static struct rig *of_session(const struct rt_session *s) { return s->req.impl; }
static void fake_write(struct rt_session *s, const char *p, size_t n) { s->on_output(s, 1, p, n); }
static void fake_eof(struct rt_session *s)
{
    of_session(s)->eof = true;
    s->exit_code = 0;
    session_end(of_session(s), 0);
}
static void fake_resize(struct rt_session *s, uint16_t cols, uint16_t rows)
{
    of_session(s)->cols = cols;
    of_session(s)->rows = rows;
}
static void fake_pause(struct rt_session *s, bool pause)
{
    of_session(s)->paused = pause;
    if (!pause)
        ready_post(of_session(s)->l, &of_session(s)->pump);
}
static size_t fake_queued(const struct rt_session *s) { return 0; }
static void fake_cancel(struct rt_session *s)
{
    of_session(s)->canceled = true;
    session_end(of_session(s), E_CANCELED);
}
static const struct rt_container_info *fake_get(struct runtime *rt, const char *id)
{
    return strcmp(id, "cid") == 0 ? &rig_of(rt)->info : NULL;
}
static void fake_each(struct runtime *rt, void (*fn)(void *, const struct rt_container_info *), void *arg)
{
    fn(arg, &rig_of(rt)->info);
}
static void fake_sandboxes(struct runtime *rt, void (*fn)(void *, const struct rt_sandbox_info *), void *arg)
{
}

static const struct runtime_ops fake_ops = {
    .session_open = fake_open,
    .session_write = fake_write,
    .session_eof = fake_eof,
    .session_resize = fake_resize,
    .session_pause = fake_pause,
    .session_queued = fake_queued,
    .session_cancel = fake_cancel,
    .container_get = fake_get,
    .container_each = fake_each,
    .sandbox_each = fake_sandboxes,
};

/* ---- the rig ------------------------------------------------------------------------------------ */

static void on_watch_gone(struct http_req *req) { }

static void on_api(void *arg, struct http_req *req)
{
    static const char list[] =
        "{\"kind\":\"PodList\",\"apiVersion\":\"v1\",\"metadata\":{\"resourceVersion\":\"5\"},\"items\":[{"
        "\"metadata\":"
        "{\"name\":\"web\",\"namespace\":\"default\",\"uid\":\"u-1\",\"resourceVersion\":\"4\"}}]}";
    req->on_abort = on_watch_gone;
    if (memmem(req->query.p, req->query.n, "watch=1", 7) != NULL)
        http_begin(req, 200, "application/json", false, NULL, 0);
    else
        http_respond(req, 200, "application/json", blob_copy(STR(list)), NULL, 0);
}

static void issue(struct buf *ca, struct buf *ca_key, struct rig *r)
{
    static const char *const sans[] = { "127.0.0.1" }, *const masters[] = { "system:masters" };
    static const char *const names[] = {
        [HEAD] = "kube-apiserver-kubelet-client", [MASTER] = "admin", [STRANGER] = "system:node:n2"
    };
    struct buf cert = BUF_INIT, key = BUF_INIT;
    struct pki_req q = { .common_name = "n1",
                         .server = true,
                         .days = 1,
                         .sans = sans,
                         .n_sans = 1,
                         .ca_cert_pem = buf_str(ca),
                         .ca_key_pem = buf_str(ca_key) };

    must_ok(pki_issue(&q, &cert, &key, NULL));
    struct tls_opts o = { .server = true,
                          .ca_pem = buf_str(ca),
                          .cert_pem = buf_str(&cert),
                          .key_pem = buf_str(&key),
                          .client_cert_optional = true };
    must_ok(tls_ctx_new(&o, &r->server_tls, NULL));
    for (int w = 0; w < WHOS; w++) {
        o = (struct tls_opts){ .ca_pem = buf_str(ca) };
        buf_clear(&cert);
        buf_clear(&key);
        if (w != NOBODY) {
            q = (struct pki_req){ .common_name = names[w],
                                  .client = true,
                                  .days = 1,
                                  .ca_cert_pem = buf_str(ca),
                                  .ca_key_pem = buf_str(ca_key),
                                  .organizations = w == MASTER ? masters : NULL,
                                  .n_organizations = w == MASTER };
            must_ok(pki_issue(&q, &cert, &key, NULL));
            o.cert_pem = buf_str(&cert);
            o.key_pem = buf_str(&key);
        }
        must_ok(tls_ctx_new(&o, &r->tls[w], NULL));
    }
    buf_release(&cert);
    buf_release(&key);
}

static void on_synced(void *arg) { loop_stop(((struct rig *)arg)->l); }
static void on_change(void *arg, enum informer_change what, struct object *old, struct object *new_,
                      struct json *json)
{
}

static void open_api(struct rig *r)
{
    struct http_server_opts o = { .addr = "127.0.0.1:0", .on_request = on_api, .arg = r };
    must_ok(http_server_open(r->l, &o, &r->api, NULL));
    const char *addr = http_server_addr(r->api);
    struct client_http_opts co = { .loop = r->l, .servers = &addr, .n_servers = 1 };
    must_ok(client_new_http(&co, &r->api_client, NULL));
    struct informer_opts io = {
        .client = r->api_client, .res = CLIENT_PODS, .on_change = on_change, .on_synced = on_synced, .arg = r
    };
    r->a.pod_informer = informer_start(&io);
    rig_run(r);
}

static struct rig *rig_open(void)
{
    struct rig *r = calloc(1, sizeof *r);
    struct buf ca = BUF_INIT, ca_key = BUF_INIT;
    struct pki_req q = { .common_name = "ca", .ca = true, .days = 1 };

    r->live = mem_live();
    r->l = loop_new_real();
    r->fd = -1;
    timer_init(&r->guard, r->l, on_guard);
    ready_init(&r->pump, on_pump);
    must_ok(pki_issue(&q, &ca, &ca_key, NULL));
    issue(&ca, &ca_key, r);
    buf_release(&ca);
    buf_release(&ca_key);
    r->rt.ops = &fake_ops;
    r->info = (struct rt_container_info){ .id = "cid", .state = RT_RUNNING };
    r->a = (struct agent){ .loop = r->l, .rt = &r->rt, .root_dir = (char *)test_dir() };
    open_api(r);
    for (int i = 0; i < 2; i++)
        r->c[i] = (struct container){ .pod = &r->pod,
                                      .name = i == 0 ? "app" : "idle",
                                      .state = i == 0 ? CT_RUNNING : CT_IDLE };
    strcpy(r->c[0].id, "cid");
    r->pod = (struct pod){
        .agent = &r->a, .uid = "u-1", .ns = "default", .name = "web", .containers = r->c, .n_containers = 2
    };
    map_put(&r->a.pods, STR("u-1"), &r->pod);
    must_ok(agent_server_open(&r->a, "127.0.0.1:0", r->server_tls, NULL));
    for (int w = 0; w < WHOS; w++) {
        const char *addr = http_server_addr(r->a.server);
        struct http_client_opts o = { .addrs = &addr, .n_addrs = 1, .tls = r->tls[w] };
        must_ok(http_client_new(r->l, &o, &r->cli[w], NULL));
    }
    return r;
}

static void rig_close(struct rig *r)
{
    for (int w = 0; w < WHOS; w++)
        http_client_free(r->cli[w]);
    agent_server_close(&r->a);
    informer_stop(r->a.pod_informer);
    client_free(r->api_client);
    http_server_close(r->api);
    loop_run(r->l);                              /* until all is closed */
    loop_free(r->l);
    for (int w = 0; w < WHOS; w++)
        tls_ctx_free(r->tls[w]);
    tls_ctx_free(r->server_tls);
    map_release(&r->a.pods);
    buf_release(&r->body);
    for (int i = 0; i < 4; i++)
        buf_release(&r->out[i]);
    if (r->fd >= 0)
        close(r->fd);
    CHECK_INT(mem_live(), r->live);
    free(r);
}

/* ---- asking ------------------------------------------------------------------------------------- */

static void on_answer(void *arg, struct http_call *c, int err, const char *reason, int status,
                      struct str body)
{
    struct rig *r = arg;

    if (err != 0)
        buf_z(&r->body, reason);
    buf_str_add(&r->body, body);
    r->answer = err != 0 ? err : status;
    r->done++;
    r->call = NULL;
    loop_stop(r->l);
}

static int get(struct rig *r, enum who w, const char *target)
{
    struct http_call_opts o = { .method = "GET", .target = str_of(target), .on_done = on_answer, .arg = r };

    buf_clear(&r->body);
    must_ok(http_call(r->cli[w], &o, NULL, NULL));
    rig_run(r);
    return r->answer;
}

TEST(only_heads_may_ask)
{
    struct rig *r = rig_open();

    CHECK_INT(get(r, HEAD, "/healthz"), 200);
    CHECK_STR(buf_str(&r->body), "ok");
    CHECK_INT(get(r, MASTER, "/healthz"), 200);
    CHECK_INT(get(r, STRANGER, "/healthz"), 403);
    CHECK_INT(get(r, STRANGER, "/containerLogs/default/web/app"), 403);
    CHECK_INT(get(r, NOBODY, "/pods"), 401);
    CHECK_INT(get(r, HEAD, "/pods"), 200);
    CHECK(memmem(r->body.p, r->body.n, "\"uid\":\"u-1\"", 11) != NULL);
    CHECK_INT(get(r, HEAD, "/metrics"), 200);
    CHECK(memmem(r->body.p, r->body.n, "kubelet_running_containers{container_state=\"running\"} 1", 55) !=
          NULL);
    CHECK(memmem(r->body.p, r->body.n, "coracle_node_refused_total 3", 28) != NULL);
    CHECK_INT(get(r, HEAD, "/nothing"), 404);
    rig_close(r);
}

/* ---- logs --------------------------------------------------------------------------------------- */

#define T0 "2026-01-02T03:04:05.000000001Z "
#define LOGS "/containerLogs/default/web/"

static void log_write_(struct rig *r, unsigned run, const char *text)
{
    char path[4096], dir[4200];

    container_log_path(&r->c[0], run, path, sizeof path);
    if (r->fd < 0) {
        snprintf(dir, sizeof dir, "%s", path);
        *strrchr(dir, '/') = '\0';
        must_ok(file_mkdirs(dir, 0700, NULL));
        r->fd = open(path, O_CREAT | O_WRONLY | O_APPEND, 0600);
    }
    must(write(r->fd, text, strlen(text)) == (ssize_t)strlen(text));
}

static void log_end(struct rig *r)
{
    close(r->fd);
    r->fd = -1;
}

TEST(logs_and_what_is_wrong_with_asking)
{
    struct rig *r = rig_open();

    log_write_(r, 0, T0 "stdout F one\n" T0 "stderr F two\n" T0 "stdout F three\n");
    CHECK_INT(get(r, HEAD, LOGS "app"), 200);
    CHECK_STR(buf_str(&r->body), "one\ntwo\nthree\n");
    CHECK_INT(get(r, HEAD, LOGS "app?tailLines=1&timestamps=true"), 200);
    CHECK_STR(buf_str(&r->body), T0 "three\n");
    CHECK_INT(get(r, HEAD, LOGS "app?limitBytes=5&timestamps=false"), 200);
    CHECK_STR(buf_str(&r->body), "one\nt");
    CHECK_INT(get(r, HEAD, LOGS "app?stream=Stderr"), 200);
    CHECK_STR(buf_str(&r->body), "two\n");
    CHECK_INT(get(r, HEAD, LOGS "app?sinceTime=2026-01-02T03:04:06Z"), 200);
    CHECK_STR(buf_str(&r->body), "");
    CHECK_INT(get(r, HEAD, LOGS "app?sinceSeconds=10"), 200);
    CHECK_STR(buf_str(&r->body),
              "one\ntwo\nthree\n" + (loop_wall_ns(r->l) / 1000000000 > 1767323055 ? 14 : 0));
    CHECK_INT(get(r, HEAD, LOGS "app?tailLines=-1"), 400);
    CHECK_INT(get(r, HEAD, LOGS "app?tailLines=x"), 400);
    CHECK_INT(get(r, HEAD, LOGS "app?limitBytes=0"), 400);
    CHECK_INT(get(r, HEAD, LOGS "app?sinceTime=yesterday"), 400);
    CHECK_INT(get(r, HEAD, LOGS "app?previous"), 400);
    CHECK_STR(buf_str(&r->body), "previous terminated container \"app\" in pod \"web\" not found\n");
    CHECK_INT(get(r, HEAD, LOGS "idle"), 400);
    CHECK_STR(buf_str(&r->body),
              "container \"idle\" in pod \"web\" is waiting to start: ContainerCreating\n");
    CHECK_INT(get(r, HEAD, LOGS "none"), 404);
    CHECK_INT(get(r, HEAD, "/containerLogs/default/other/app"), 404);
    CHECK_INT(get(r, HEAD, "/containerLogs/default/web"), 404);
    CHECK_INT(get(r, HEAD, "/containerLogs/default/web/app/more"), 404);
    CHECK_INT(get(r, HEAD, "/containerLogs/default/web/%zz"), 404);
    /* After a restart. */
    log_end(r);
    r->c[0].attempt = 1;
    CHECK_INT(get(r, HEAD, LOGS "app?previous=true"), 200);
    CHECK_STR(buf_str(&r->body), "one\ntwo\nthree\n");
    CHECK_INT(get(r, HEAD, LOGS "app"), 404);    /* it has none yet */
    r->c[0].id[0] = '\0';                        /* not made yet: the one before is the latest */
    CHECK_INT(get(r, HEAD, LOGS "app?follow=true"), 200);
    CHECK_STR(buf_str(&r->body), "one\ntwo\nthree\n");
    rig_close(r);
}

static void on_head(void *arg, struct http_call *c, int status, const struct http_header *h, size_t n)
{
    CHECK_INT(status, 200);
}

static void on_data(void *arg, struct http_call *c, const char *p, size_t n)
{
    struct rig *r = arg;
    buf_add(&r->body, p, n);
    loop_stop(r->l);
}

static void follow(struct rig *r)
{
    struct http_call_opts o = { .method = "GET",
                                .target = STR(LOGS "app?follow=true"),
                                .streamed = true,
                                .on_head = on_head,
                                .on_data = on_data,
                                .on_done = on_answer,
                                .arg = r };
    buf_clear(&r->body);
    must_ok(http_call(r->cli[HEAD], &o, &r->call, NULL));
    rig_run(r);
}

TEST(logs_live)
{
    struct rig *r = rig_open();
    char path[4096];

    unlink(container_log_path(&r->c[0], 0, path, sizeof path));
    log_write_(r, 0, T0 "stdout F one\n");
    follow(r);
    CHECK_STR(buf_str(&r->body), "one\n");
    log_write_(r, 0, T0 "stdout F two\n");
    rig_run(r);
    CHECK_STR(buf_str(&r->body), "one\ntwo\n");
    CHECK_INT(r->done, 0);
    log_end(r);
    rig_run(r);
    CHECK_INT(r->done, 1);
    CHECK_INT(r->answer, 200);
    /* A client that goes away, and a server that does. */
    log_write_(r, 0, T0 "stdout F three\n");
    follow(r);
    http_call_cancel(r->call);
    nap(r, 20);
    log_write_(r, 0, T0 "stdout F four\n");
    follow(r);
    agent_server_close(&r->a);
    rig_run(r);
    CHECK_INT(r->done, 2);
    CHECK(r->answer < 0);
    rig_close(r);
}

/* ---- exec --------------------------------------------------------------------------------------- */

static void on_message(void *arg, struct ws *w, bool text, const char *p, size_t n)
{
    struct rig *r = arg;

    unsigned channel = n >= 1 ? (unsigned char)p[0] - (text ? (unsigned)'0' : 0) : 4;

    CHECK(channel < 4);
    if (channel < 4 && text)
        must_ok(base64_decode(&r->out[channel], str_make(p + 1, n - 1), false));
    else if (channel < 4)
        buf_add(&r->out[channel], p + 1, n - 1);
    r->n_empty += n == 1;
    if (r->stall > 0) {
        ws_pause(w);
        loop_stop(r->l);
    }
}

static void on_ws_close(void *arg, struct ws *w, int code, const char *reason)
{
    struct rig *r = arg;
    r->closed++;
    r->close_code = code;
    r->ws = NULL;
    loop_stop(r->l);
}

static const struct ws_events ws_events = { .on_message = on_message, .on_close = on_ws_close };

static void on_open(void *arg, int err, const char *reason, int status, struct str body, struct ws *w,
                    struct str protocol)
{
    struct rig *r = arg;

    r->ws = w;
    r->answer = err != 0 ? err : status;
    snprintf(r->protocol, sizeof r->protocol, "%.*s", STR_ARG(protocol));
    buf_str_add(&r->body, body);
    loop_stop(r->l);
}

static int dial(struct rig *r, const char *target, const char *protocols)
{
    struct ws_connect_opts o = { .target = str_of(target),
                                 .protocols = protocols,
                                 .max_message = 4u << 20,
                                 .ev = &ws_events,
                                 .on_open = on_open,
                                 .arg = r };
    buf_clear(&r->body);
    for (int i = 0; i < 4; i++)
        buf_clear(&r->out[i]);
    r->closed = r->n_empty = 0;
    must_ok(ws_connect(r->cli[HEAD], &o, NULL));
    rig_run(r);
    return r->ws != NULL ? 101 : r->answer;
}

static void until_closed(struct rig *r)
{
    for (int i = 0; i < 1000 && r->closed == 0; i++)
        rig_run(r);
    CHECK_INT(r->closed, 1);
}

#define EXEC "/exec/default/web/app?"
#define V5 "v5.channel.k8s.io"
#define V4 "v4.channel.k8s.io"

TEST(exec_v5_with_stdin)
{
    struct rig *r = rig_open();

    CHECK_INT(dial(r, EXEC "command=cat&input=1&output=1&error=1", V4 ", " V5), 101);
    CHECK_STR(str_of(r->protocol), V5);
    ws_send_channel(r->ws, 0, "hello ", 6);
    ws_send_channel(r->ws, 0, "world", 5);
    ws_send_channel(r->ws, 4, "{\"Width\":80,\"Height\":24}", 24);       /* no terminal: of no effect */
    ws_send_channel(r->ws, 1, "not yours", 9);
    ws_send_channel(r->ws, 77, "what", 4);
    ws_send_channel(r->ws, 255, "\x01", 1);                               /* only stdin can be closed */
    ws_send_channel(r->ws, 255, "\0", 1);
    until_closed(r);
    CHECK(r->eof);
    CHECK_INT(r->cols, 0);
    CHECK_INT(r->close_code, 1000);
    CHECK_STR(buf_str(&r->out[1]), "hello world");
    CHECK_INT(r->n_empty, 0);                    /* kubectl is told nothing before it has streams to take it */
    CHECK_STR(buf_str(&r->out[3]), "{\"metadata\":{},\"status\":\"Success\"}");
    rig_close(r);
}

TEST(exec_exit_codes_and_failures)
{
    struct rig *r = rig_open();

    CHECK_INT(dial(r, EXEC "command=exit&command=3&output=1&error=1", V4), 101);
    until_closed(r);
    CHECK_INT(r->n_empty, 1);                    /* "the connection stands" */
    CHECK_STR(buf_str(&r->out[2]), "bye");
    CHECK_STR(buf_str(&r->out[3]), "{\"metadata\":{},\"status\":\"Failure\",\"message\":\"command terminated "
                                   "with non-zero exit code: exit status 3\","
                                   "\"reason\":\"NonZeroExitCode\",\"details\":{\"causes\":[{\"reason\":"
                                   "\"ExitCode\",\"message\":\"3\"}]}}");
    CHECK_INT(dial(r, EXEC "command=fail&output=1", V5), 101);
    until_closed(r);
    CHECK(memmem(r->out[3].p, r->out[3].n, "\"reason\":\"InternalError\"", 24) != NULL);
    CHECK(memmem(r->out[3].p, r->out[3].n, "no such \\\"program\\\"", 19) != NULL);
    CHECK_INT(dial(r, EXEC "command=exit&command=0&output=1", "channel.k8s.io"), 101);
    until_closed(r);
    CHECK_STR(buf_str(&r->out[2]), "");          /* not asked for */
    CHECK_STR(buf_str(&r->out[3]), "");
    CHECK_INT(dial(r, EXEC "command=exit&command=4&output=1", NULL), 101);
    until_closed(r);
    CHECK_STR(buf_str(&r->out[3]), "command terminated with non-zero exit code: exit status 4");
    rig_close(r);
}

TEST(terminal_and_attach)
{
    struct rig *r = rig_open();

    CHECK_INT(dial(r, "/attach/default/web/app?input=1&output=1&error=1&tty=1", V5), 101);
    ws_send_channel(r->ws, 4, "{\"Width\":132,\"Height\":50}", 25);
    ws_send_channel(r->ws, 4, "{\"Width\":70000,\"Height\":-1}", 27);
    ws_send_channel(r->ws, 4, "{\"Wid", 5);
    ws_send_channel(r->ws, 4, "[1]", 3);
    ws_send_channel(r->ws, 4, "7", 1);
    ws_send_channel(r->ws, 0, "x", 1);
    ws_send_channel(r->ws, 255, "\0", 1);
    until_closed(r);
    CHECK_INT(r->cols, 132);
    CHECK_INT(r->rows, 50);
    CHECK_STR(buf_str(&r->out[1]), "x");
    rig_close(r);
}

/* client-node writes the names of the size in lower case, and a chunk of its user's as one message. */
TEST(as_a_javascript_client_writes)
{
    struct rig *r = rig_open();
    size_t n = (1u << 20) + 1;
    char *chunk = mem_alloc(n);

    memset(chunk, 'x', n);
    CHECK_INT(dial(r, EXEC "command=cat&input=1&output=1&tty=1", V5), 101);
    ws_send_channel(r->ws, 4, "{\"height\":33,\"width\":77}", 24);
    ws_send_channel(r->ws, 0, chunk, n);
    ws_send_channel(r->ws, 255, "\0", 1);
    until_closed(r);
    CHECK_INT(r->cols, 77);
    CHECK_INT(r->rows, 33);
    CHECK_INT(r->close_code, 1000);
    CHECK(str_eq(buf_str(&r->out[1]), str_make(chunk, n)));
    mem_free(chunk);
    rig_close(r);
}

TEST(refusals_before_the_handshake)
{
    struct rig *r = rig_open();

    CHECK_INT(dial(r, "/exec/default/nope/app?command=cat&output=1", V5), 404);
    CHECK_INT(dial(r, "/exec/default/web/none?command=cat&output=1", V5), 404);
    CHECK_INT(dial(r, "/exec/default/web/idle?command=cat&output=1", V5), 400);
    CHECK_STR(buf_str(&r->body), "container \"idle\" of pod \"web\" is not running\n");
    CHECK_INT(dial(r, EXEC "output=1", V5), 400);
    CHECK_INT(dial(r, EXEC "command=cat", V5), 400);
    CHECK_INT(dial(r, EXEC "command=cat&output=1", "v9.channel.k8s.io"), 400);
    CHECK_INT(get(r, HEAD, EXEC "command=cat&output=1"), 400);
    r->info.state = RT_EXITED;
    CHECK_INT(dial(r, EXEC "command=cat&output=1", V5), 400);
    CHECK(r->session == NULL);
    rig_close(r);
}

TEST(a_flood_waits_for_its_reader)
{
    struct rig *r = rig_open();

    r->stall = 1;
    CHECK_INT(dial(r, EXEC "command=flood&output=1", V5), 101);
    rig_run(r);                                  /* until the first message, the last that is read */
    nap(r, 100);
    CHECK(r->paused && r->flood > 0);            /* the process is held up, not our memory */
    r->stall = 0;
    ws_resume(r->ws);
    until_closed(r);
    CHECK_INT(r->out[1].n, 8u << 20);
    CHECK_STR(buf_str(&r->out[3]), "{\"metadata\":{},\"status\":\"Success\"}");
    rig_close(r);
}

TEST(a_client_that_goes_away_ends_the_process)
{
    struct rig *r = rig_open();

    CHECK_INT(dial(r, EXEC "command=cat&input=1&output=1", V5), 101);
    nap(r, 20);
    CHECK(r->session != NULL);
    ws_close(r->ws, 1001, "");
    until_closed(r);
    nap(r, 20);
    CHECK(r->canceled);
    CHECK(r->session == NULL);
    /* Also one that is held up. */
    r->stall = 1;
    CHECK_INT(dial(r, EXEC "command=flood&output=1", V5), 101);
    rig_run(r);
    nap(r, 50);
    CHECK(r->paused);
    r->stall = 0;
    ws_close(r->ws, 1000, "");
    until_closed(r);
    nap(r, 20);
    CHECK(r->session == NULL);
    rig_close(r);
}

TEST(the_server_ends_in_the_midst_of_it)
{
    struct rig *r = rig_open();

    CHECK_INT(dial(r, EXEC "command=cat&input=1&output=1", V5), 101);
    nap(r, 20);
    agent_server_close(&r->a);
    CHECK(r->canceled);
    until_closed(r);
    CHECK(r->close_code == 1001 || r->close_code == 1000);
    rig_close(r);
}

/* ---- Port-forward ------------------------------------------------------------------------------- */

/* A listener in "the pod's" network namespace, which is ours: it echoes, and closes at "bye". */
static void pod_on_data(void *arg, struct stream *s, const char *p, size_t n)
{
    stream_write(s, p, n);
    if (memmem(p, n, "bye", 3) != NULL)
        stream_close_after_flush(s);
}
static void pod_on_close(void *arg, struct stream *s, int err, const char *reason) { }
static void pod_on_accept(void *arg, struct stream *s)
{
    static const struct stream_events events = { .on_data = pod_on_data, .on_close = pod_on_close };
    stream_set_events(s, &events, arg);
}

static const struct rt_sandbox_info *fake_sandbox(struct runtime *rt, const char *id)
{
    static struct rt_sandbox_info info = { .id = "sid", .ready = true };

    info.pid = getpid();
    return &info;
}

static void until(struct rig *r, int channel, size_t n)
{
    for (int i = 0; i < 500 && r->ws != NULL && r->out[channel].n < n; i++)
        nap(r, 10);
    CHECK(r->out[channel].n >= n);
}

TEST(port_forward_by_websocket)
{
    struct rig *r = rig_open();
    struct runtime_ops ops = fake_ops;
    struct listener_opts lo = { .addr = "127.0.0.1:0", .on_accept = pod_on_accept };
    struct listener *ln;
    char path[100], want[300];

    ops.sandbox_get = fake_sandbox;
    r->rt.ops = &ops;
    strcpy(r->pod.sandbox_id, "sid");
    must_ok(listener_open(r->l, &lo, &ln, NULL));
    unsigned port = (unsigned)atoi(strrchr(listener_addr(ln), ':') + 1);
    CHECK_INT(dial(r, "/portForward/default/web", V4), 400);
    CHECK_STR(buf_str(&r->body), "query parameter \"port\" is required\n");
    CHECK_INT(dial(r, "/portForward/default/web?port=0", V4), 400);
    CHECK_INT(dial(r, "/portForward/default/none?port=1", V4), 404);
    CHECK_INT(dial(r, "/portForward/default/web?port=1", V5), 400);
    if (geteuid() == 0) {                        /* others may not enter namespaces */
        snprintf(path, sizeof path, "/portForward/default/web?port=%u,1", port);
        CHECK_INT(dial(r, path, V4), 101);
        ws_send_channel(r->ws, 0, "hello", 5);
        ws_send_channel(r->ws, 1, "not yours", 9);
        ws_send_channel(r->ws, 99, "nobody's", 8);
        until(r, 0, 7);
        until(r, 3, 100);
        CHECK_INT((unsigned char)r->out[0].p[0] | (unsigned char)r->out[0].p[1] << 8, port);
        CHECK_STR(str_from(buf_str(&r->out[0]), 2), "hello");
        CHECK_INT(r->out[1].n, 2);
        snprintf(want, sizeof want,
                 "error forwarding port 1 to pod sid, uid : failed to execute portforward in "
                 "network namespace \"/proc/%d/ns/net\": failed to connect to localhost:1 inside namespace "
                 "\"sid\", IPv4: dial tcp4 127.0.0.1:1: connect: connection refused IPv6 ", (int)getpid());
        CHECK(str_starts(str_from(buf_str(&r->out[3]), 2), str_of(want)));
        ws_send_channel(r->ws, 0, "bye", 3);     /* the last connection ends: so does the session */
        until_closed(r);
        CHECK_STR(str_from(buf_str(&r->out[0]), 2), "hellobye");
        CHECK_INT(r->close_code, 1000);
        snprintf(path, sizeof path, "/portForward/default/web?port=%u", port);
        CHECK_INT(dial(r, path, V4), 101);
        ws_close(r->ws, 1000, "");               /* the client goes: so does its connection */
        until_closed(r);
    }
    r->pod.sandbox_id[0] = '\0';
    CHECK_INT(dial(r, "/portForward/default/web?port=1", V4), 400);
    CHECK_STR(buf_str(&r->body), "pod \"web\" is not running\n");
    listener_close(ln);
    rig_close(r);
}

TEST(exec_in_base64)
{
    struct rig *r = rig_open();

    CHECK_INT(dial(r, EXEC "command=exit&command=3&output=1&error=1", "v4.base64.channel.k8s.io"), 101);
    until_closed(r);
    CHECK_STR(buf_str(&r->out[2]), "bye");
    CHECK(memmem(r->out[3].p, r->out[3].n, "exit status 3", 13) != NULL);
    CHECK_INT(dial(r, EXEC "command=cat&input=1&output=1", "base64.channel.k8s.io"), 101);
    ws_send(r->ws, true, "0aGVsbG8=", 9);
    until(r, 1, 5);
    CHECK_STR(buf_str(&r->out[1]), "hello");
    ws_send(r->ws, true, "0*", 2);
    until_closed(r);
    CHECK_INT(r->close_code, 1007);
    rig_close(r);
}
