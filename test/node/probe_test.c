/* test/node/probe_test.c: when probes run and what they say, in virtual time; actions against scripted containers. */
#include <stdlib.h>
#include "net/http_server.h"
#include "net/sim.h"
#include "node/pod.h"
#include "node/probe.h"
#include "node/runtime_hollow.h"
#include "test/test.h"

struct rig {
    struct sim *sim;
    struct sim_machine *m;
    struct loop *l;
    struct runtime rt;                           /* scripted: */
    const char *script;                          /* one letter per exec: f fails, others succeed; the last one goes on */
    const char *output; size_t output_times;
    bool hang;                                   /* execs go on for ever */
    struct rt_session *hanging;
    unsigned execs, canceled;
    uint64_t at_ms[64];                          /* when each ran */
    struct agent a;
    struct pod pod;
    struct container c;
    struct arena arena;
    struct probe *probe;
    struct action *action;
    unsigned good, bad, done;
    uint64_t verdict_ms;                         /* of the last */
    bool ok, stop_on_verdict;
    char reason[20000];
    struct http_server *srv;
    struct buf seen;                             /* request the server saw */
    int http_status;
    size_t http_body;
    bool silent;
};

static struct rig *rig_of(struct runtime *rt) { return container_of(rt, struct rig, rt); }
static uint64_t now(struct rig *r) { return sim_now_ns(r->sim) / 1000000; }

/* ---- a runtime that runs what the script says --------------------------------------------------- */

struct later { struct ready_item it; struct rig *r; struct rt_session *s; int status; };

static void on_later(struct ready_item *it)
{
    struct later *x = container_of(it, struct later, it);
    struct rt_session *s = x->s;
    int status = x->status;

    for (size_t i = 0; i < x->r->output_times && status == 0; i++)
        s->on_output(s, 1 + (int)(i % 2), x->r->output, strlen(x->r->output));
    mem_free(x);
    s->req.done(&s->req, status);
}

static void finish(struct rig *r, struct rt_session *s, int status)
{
    struct later *x = mem_new(struct later);
    *x = (struct later){ .r = r, .s = s, .status = status };
    ready_init(&x->it, on_later);
    ready_post(r->l, &x->it);
}

static void fake_open(struct runtime *rt, struct rt_session *s)
{
    struct rig *r = rig_of(rt);
    char step = r->script[MIN_OF((size_t)r->execs, strlen(r->script) - 1)];

    CHECK_STR(str_of(s->container_id), "cid");
    CHECK(s->n_argv == 2 && strcmp(s->argv[0], "cat") == 0 && strcmp(s->argv[1], "/ok") == 0 &&
          s->argv[2] == NULL);
    if (r->execs < ARRAY_LEN(r->at_ms))
        r->at_ms[r->execs] = now(r);
    r->execs++;
    s->exit_code = step == 'f' ? 3 : 0;
    s->req.impl = r;
    if (r->hang)
        r->hanging = s;
    else
        finish(r, s, 0);
}

static void fake_cancel(struct rt_session *s)
{
    struct rig *r = s->req.impl;
    r->canceled++;
    if (r->hanging == s)
        finish(r, s, E_CANCELED);
    r->hanging = NULL;
}

static const struct runtime_ops fake_ops = { .session_open = fake_open, .session_cancel = fake_cancel };

/* ---- the rig ------------------------------------------------------------------------------------ */

static struct json *parse(struct rig *r, const char *quoted)
{
    char *s = arena_cstr(&r->arena, str_of(quoted));
    struct json_error err;
    struct json *j = NULL;

    for (char *p = s; *p != '\0'; p++)
        if (*p == '\'')
            *p = '"';
    must_ok(json_parse(&r->arena, str_of(s), &j, &err));
    return j;
}

static struct rig *rig_open(void)
{
    struct rig *r = calloc(1, sizeof *r);

    r->sim = sim_new(1);
    r->m = sim_machine_new(r->sim, "pod");
    r->l = sim_machine_loop(r->m);
    r->rt.ops = &fake_ops;
    r->script = ".";
    r->output = "";
    r->a = (struct agent){ .loop = r->l, .rt = &r->rt, .node_ip = "nodeip" };
    r->pod = (struct pod){ .agent = &r->a, .ip = "pod" };
    r->c = (struct container){ .pod = &r->pod, .name = "app", .id = "cid" };
    r->c.spec = parse(
        r, "{'name':'app','ports':[{'containerPort':9,'name':'other'},{'containerPort':8080,'name':'web'}]}");
    r->http_status = 200;
    return r;
}

static void run(struct rig *r, uint64_t ms) { sim_run_for(r->sim, ms * 1000000); }

static void close_in(void *arg)
{
    struct rig *r = arg;
    probe_stop(r->probe);
    action_cancel(r->action);
    if (r->srv != NULL)
        http_server_close(r->srv);
    r->probe = NULL;
    r->action = NULL;
}

static void rig_close(struct rig *r)
{
    sim_do(r->m, close_in, r);
    run(r, 1000);
    buf_release(&r->seen);
    arena_release(&r->arena);
    sim_free(r->sim);
    free(r);
}

static void on_result(struct container *c, struct probe *p, bool ok, const char *reason)
{
    struct rig *r = container_of(c, struct rig, c);

    CHECK(p == r->probe);
    *(ok ? &r->good : &r->bad) += 1;
    r->verdict_ms = now(r);
    snprintf(r->reason, sizeof r->reason, "%s", reason);
    if (r->stop_on_verdict) {
        probe_stop(r->probe);
        r->probe = NULL;
    }
}

struct start { struct rig *r; const char *what; const struct json *spec; };
static void probe_in(void *arg)
{
    struct start *s = arg;
    s->r->probe = probe_start(&s->r->c, s->spec, s->what, on_result);
    CHECK(s->r->execs == 0);
}

static void probe(struct rig *r, const char *what, const char *spec)
{
    struct start s = { r, what, parse(r, spec) };
    sim_do(r->m, probe_in, &s);
}

#define EXEC "'exec':{'command':['cat','/ok']}"

/* ---- timing ------------------------------------------------------------------------------------- */

TEST(ready_soon_after_it_is)
{
    struct rig *r = rig_open();

    r->script = "fff.";
    probe(r, "Readiness", "{" EXEC ",'periodSeconds':10}");
    run(r, 9000);
    CHECK_INT(r->good, 1);
    CHECK_INT(r->bad, 0);
    CHECK_INT(r->execs, 4);
    CHECK(r->at_ms[0] <= 1 && r->at_ms[1] - r->at_ms[0] <= 51 && r->verdict_ms <= 360);
    run(r, 21400);                               /* then one per period, which says nothing new */
    CHECK_INT(r->execs, 7);
    CHECK_INT(r->good, 1);
    rig_close(r);
}

TEST(warm_up_failures_do_not_count)
{
    struct rig *r = rig_open();

    r->script = "f";
    r->output = "not yet";
    r->output_times = 1;
    probe(r, "Readiness", "{" EXEC ",'periodSeconds':10,'failureThreshold':3}");
    run(r, 19000);
    CHECK(r->execs > 8);
    CHECK_INT(r->bad, 0);
    run(r, 2000);                                /* the third period's failure, as in Kubernetes */
    CHECK_INT(r->bad, 1);
    CHECK_STR(str_of(r->reason), "not yet");
    CHECK(r->verdict_ms >= 20000 && r->verdict_ms <= 20100);
    run(r, 10000);
    CHECK_INT(r->bad, 2);                        /* once per period, not more */
    rig_close(r);
}

TEST(a_startup_probe_gives_all_the_time_it_says)
{
    struct rig *r = rig_open();

    r->script = "f";
    r->stop_on_verdict = true;
    probe(r, "Startup", "{" EXEC ",'periodSeconds':1,'failureThreshold':30}");
    run(r, 28900);
    CHECK_INT(r->bad, 0);
    run(r, 300);
    CHECK_INT(r->bad, 1);
    CHECK(r->probe == NULL);
    rig_close(r);
}

TEST(liveness_keeps_its_period)
{
    struct rig *r = rig_open();

    r->script = "..ff.fff";
    probe(r, "Liveness", "{" EXEC ",'periodSeconds':5,'failureThreshold':3,'initialDelaySeconds':7}");
    run(r, 6900);
    CHECK_INT(r->execs, 0);
    run(r, 200);
    CHECK_INT(r->execs, 1);
    CHECK_INT(r->good, 1);
    run(r, 30000);                               /* 12 ok, 17 22 failed, 27 ok, 32 37 failed */
    CHECK_INT(r->execs, 7);
    CHECK_INT(r->bad, 0);
    run(r, 5000);
    CHECK_INT(r->bad, 1);
    CHECK_STR(str_of(r->reason), "command exited with 3");
    rig_close(r);
}

TEST(several_successes_in_a_row)
{
    struct rig *r = rig_open();

    r->script = "f.f..";
    probe(r, "Readiness", "{" EXEC ",'periodSeconds':2,'successThreshold':2,'failureThreshold':1}");
    run(r, 10000);
    CHECK_INT(r->good, 1);
    CHECK(r->bad >= 1);
    CHECK(r->execs >= 5);
    for (unsigned i = 2; i < r->execs; i++)      /* no haste after the first success */
        CHECK(r->at_ms[i] - r->at_ms[i - 1] >= 1990);
    rig_close(r);
}

TEST(a_hollow_probe_succeeds_once_and_rests)
{
    struct rig *r = rig_open();

    r->a.hollow = true;
    probe(r, "Readiness", "{'httpGet':{'port':80},'periodSeconds':1}");
    run(r, 60000);
    CHECK_INT(r->good, 1);
    CHECK_INT(r->bad, 0);
    rig_close(r);
}

TEST(stopped_in_its_midst)
{
    struct rig *r = rig_open();

    r->hang = true;
    probe(r, "Readiness", "{" EXEC "}");
    run(r, 10);
    CHECK_INT(r->execs, 1);
    sim_do(r->m, close_in, r);
    run(r, 60000);
    CHECK_INT(r->canceled, 1);
    CHECK_INT(r->execs, 1);
    CHECK_INT(r->good + r->bad, 0);
    rig_close(r);
}

/* ---- actions ------------------------------------------------------------------------------------ */

static void on_action(void *arg, bool ok, const char *reason)
{
    struct rig *r = arg;
    r->action = NULL;
    r->done++;
    r->ok = ok;
    snprintf(r->reason, sizeof r->reason, "%s", reason);
}

static void action_in(void *arg)
{
    struct start *s = arg;
    unsigned done = s->r->done;
    s->r->action = action_start(&s->r->c, s->spec, 1000, on_action, s->r);
    CHECK_INT(s->r->done, done);
}

static bool act(struct rig *r, const char *spec)
{
    struct start s = { r, NULL, parse(r, spec) };
    unsigned done = r->done;

    sim_do(r->m, action_in, &s);
    run(r, 1500);
    CHECK_INT(r->done, done + 1);
    return r->ok;
}

static void on_request(void *arg, struct http_req *req)
{
    struct rig *r = arg;

    buf_clear(&r->seen);
    buf_str_add(&r->seen, req->target);
    for (size_t i = 0; i < req->n_headers; i++)
        buf_fmt(&r->seen, "|%.*s: %.*s", STR_ARG(req->headers[i].name), STR_ARG(req->headers[i].value));
    if (r->silent)
        return;
    struct http_header location = { STR("Location"), STR("http://pod:1/") };
    struct blob *b = blob_new(r->http_body);
    memset(b->data, 'x', b->len);
    http_respond(req, r->http_status, "text/plain", b, &location, 1);
}

static void serve_in(void *arg)
{
    struct rig *r = arg;
    struct http_server_opts o = { .addr = "pod:8080", .on_request = on_request, .arg = r };
    must_ok(http_server_open(r->l, &o, &r->srv, NULL));
}

static bool saw(const struct rig *r, const char *what)
{
    return memmem(r->seen.p, r->seen.n, what, strlen(what)) != NULL;
}

TEST(http_get)
{
    struct rig *r = rig_open();

    sim_do(r->m, serve_in, r);
    CHECK(act(
        r, "{'httpGet':{'port':'web','path':'/a "
           "b?q=\\u00e9','httpHeaders':[{'name':'X-A','value':'1'},{'name':'Host','value':'h.example'}]}}"));
    CHECK(saw(r, "/a%20b?q=%C3%A9|") && saw(r, "X-A: 1") && saw(r, "User-Agent: kube-probe/1.33") &&
          saw(r, "Host: h.example"));
    CHECK(act(r, "{'httpGet':{'port':8080,'path':'x','httpHeaders':[{'name':'user-agent','value':'me'}]}}"));
    CHECK(saw(r, "/x|") && !saw(r, "kube-probe"));
    r->http_status = 302;                        /* not followed, and good */
    CHECK(act(r, "{'httpGet':{'port':'8080'}}"));
    r->http_status = 404;
    CHECK(!act(r, "{'httpGet':{'port':8080}}"));
    CHECK_STR(str_of(r->reason), "HTTP probe failed with statuscode: 404");
    r->http_status = 200;
    r->http_body = 1 << 20;                      /* no more than it needs of it */
    CHECK(act(r, "{'httpGet':{'port':8080}}"));
    r->silent = true;
    CHECK(!act(r, "{'httpGet':{'port':8080,'path':'/slow'}}"));
    CHECK(str_starts(str_of(r->reason), STR("Get \"http://pod:8080/slow\": ")));
    CHECK(!act(r, "{'httpGet':{'port':8081}}"));
    CHECK(str_starts(str_of(r->reason), STR("Get \"http://pod:8081/\": ")));
    CHECK(!act(r, "{'httpGet':{'port':'nope'}}"));
    CHECK(!act(r, "{'httpGet':{'port':70000}}"));
    CHECK(!act(r, "{'httpGet':{'port':8080,'httpHeaders':[{'name':'Content-Length','value':'5'}]}}"));
    CHECK(!act(r, "{'httpGet':{'port':8080,'httpHeaders':[{'name':'a b','value':'x\\ny'}]}}"));
    rig_close(r);
}

TEST(tcp_socket)
{
    struct rig *r = rig_open();

    sim_do(r->m, serve_in, r);
    CHECK(act(r, "{'tcpSocket':{'port':'web'}}"));
    CHECK(act(r, "{'grpc':{'port':8080}}"));
    CHECK(act(r, "{'tcpSocket':{'port':8080,'host':'pod'}}"));
    CHECK(!act(r, "{'tcpSocket':{'port':8081}}"));
    CHECK(str_starts(str_of(r->reason), STR("dial tcp pod:8081: ")));
    CHECK(!act(r, "{'tcpSocket':{}}"));
    r->pod.ip[0] = '\0';                         /* the host's network: the node's address */
    CHECK(!act(r, "{'tcpSocket':{'port':8080}}"));
    CHECK(str_starts(str_of(r->reason), STR("dial tcp nodeip:8080: ")));
    rig_close(r);
}

TEST(exec_and_sleep)
{
    struct rig *r = rig_open();

    r->script = "ffff.";
    r->output = "0123456789abcdef";
    r->output_times = 10000;
    CHECK(!act(r, "{" EXEC "}"));
    CHECK_INT(strlen(r->reason), 10240);
    r->output_times = 0;
    CHECK(!act(r, "{" EXEC "}"));
    CHECK_STR(str_of(r->reason), "command exited with 3");
    CHECK(!act(r, "{'exec':{}}"));
    CHECK(!act(r, "{}"));
    r->script = ".";
    CHECK(act(r, "{" EXEC "}"));
    CHECK(act(r, "{'sleep':{'seconds':1}}"));
    CHECK(act(r, "{'sleep':{'seconds':-1}}"));
    rig_close(r);
}
