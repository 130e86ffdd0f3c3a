/* test/node/agent_rig.h: one head's API and one agent over the fake runtime, in virtual time. */
#ifndef TEST_AGENT_RIG_H
#define TEST_AGENT_RIG_H

#include <unistd.h>
#include "net/tls.h"
#include "node/pod.h"
#include "test/api/api_rig.h"
#include "test/node/fake_runtime.h"

struct node_rig {
    struct rig *r;
    struct fake_runtime *f;
    struct client *client;
    struct agent *agent;
    char root[200];
};

#define PODS "/api/v1/namespaces/default/pods"

static void node_open_in(void *arg)
{
    static const char *const groups[] = { "system:nodes", "system:masters", NULL };
    struct node_rig *n = arg;
    struct errbuf err = { "" };
    struct agent_opts o = { .loop = sim_machine_loop(n->r->m),
                            .name = "n1",
                            .root_dir = n->root,
                            .run_dir = n->root,
                            .node_ip = "192.168.1.1",
                            .cpu_millis = 2000,
                            .memory_bytes = 1 << 30,
                            .runtime = &n->f->base };

    n->f->loop = o.loop;
    n->f->base.ops = &fake_ops;
    n->client = client_new_local(n->r->api, o.loop, "system:node:n1", groups);
    o.client = n->client;
    if (agent_open(&o, &n->agent, &err) != 0)
        test_fail(__FILE__, __LINE__, "agent_open: %s", err.s);
}

static void node_up(struct node_rig *n)
{
    sim_do(n->r->m, node_open_in, n);
    rig_run(n->r, 50);
}

__attribute__((unused)) static struct node_rig *node_rig_open(void)
{
    static unsigned serial;
    struct node_rig *n = calloc(1, sizeof *n);
    struct buf key = BUF_INIT, pub = BUF_INIT;
    struct api_opts o = { 0 };

    n->f = calloc(1, sizeof *n->f);
    snprintf(n->root, sizeof n->root, "%s/node-%u", test_dir(), ++serial);
    must_ok(pki_new_key(&key, &pub, NULL));
    o.service_account_key_pem = buf_str(&key);
    o.service_account_pub_pem = buf_str(&pub);
    n->r = rig_open_with(&o);
    buf_release(&key);
    buf_release(&pub);
    CALL(n->r, 201, "POST", "/api/v1/namespaces/default/serviceaccounts",
         "{'metadata':{'name':'default'},'automountServiceAccountToken':false}");
    node_up(n);
    return n;
}

static void node_on_closed(void *arg) { ((struct node_rig *)arg)->agent = NULL; }
static void node_close_in(void *arg) { agent_close(((struct node_rig *)arg)->agent, node_on_closed, arg); }
static void node_client_free_in(void *arg) { client_free(((struct node_rig *)arg)->client); }

/* The agent goes, what runs stays. */
static void node_down(struct node_rig *n)
{
    sim_do(n->r->m, node_close_in, n);
    rig_run(n->r, 10);
    CHECK(n->agent == NULL);
    sim_do(n->r->m, node_client_free_in, n);
}

__attribute__((unused)) static void node_rig_close(struct node_rig *n)
{
    node_down(n);
    rig_close(n->r);
    for (unsigned i = 0; i < n->f->n_sb; i++)
        n->f->sb[i].memo = BUF_INIT;             /* the machine's memory */
    free(n->f);
    free(n);
}

/* A pod p with this spec (of which nodeName is added). */
static void pod_create(struct node_rig *n, const char *name, const char *spec)
{
    char body[8192];

    snprintf(body, sizeof body, "{'metadata':{'name':'%s','labels':{'app':'x'}},'spec':{'nodeName':'n1',%s}}",
             name, spec);
    CALL(n->r, 201, "POST", PODS, body);
}

static struct answer pod_get(struct node_rig *n, const char *name)
{
    char path[300];

    snprintf(path, sizeof path, PODS "/%s", name);
    return call(n->r, "GET", path, NULL);
}

__attribute__((unused)) static bool pod_gone(struct node_rig *n, const char *name)
{
    struct answer a = pod_get(n, name);
    int status = a.status;

    answer_free(&a);
    return status == 404;
}

__attribute__((unused)) static void pod_delete(struct node_rig *n, const char *name, int grace)
{
    char path[300];

    snprintf(path, sizeof path, grace >= 0 ? PODS "/%s?gracePeriodSeconds=%d" : PODS "/%s", name, grace);
    struct answer a = call(n->r, "DELETE", path, NULL);
    CHECK_INT(a.status, 200);
    answer_free(&a);
}

/* The status at a path, as text. */
#define CHECK_POD(n, name, path, want)                                                                       \
    do {                                                                                                     \
        struct answer p_ = pod_get((n), (name));                                                             \
        struct json *v_ = json_path(p_.obj, "status." path);                                                 \
        struct buf b_ = BUF_INIT;                                                                            \
        if (json_is(v_, JSON_STRING))                                                                        \
            buf_str_add(&b_, json_str(v_));                                                                  \
        else if (v_ != NULL)                                                                                 \
            json_write(&b_, v_);                                                                             \
        if (!str_is(buf_str(&b_), (want)))                                                                   \
            test_fail(__FILE__, __LINE__, "%s is \"%.*s\", not \"%s\"", path, STR_ARG(buf_str(&b_)),         \
                      (want));                                                                               \
        buf_release(&b_);                                                                                    \
        answer_free(&p_);                                                                                    \
    } while (0)
#define CT(field) "containerStatuses.0." field
#define INIT(field) "initContainerStatuses.0." field

__attribute__((unused)) static void check_condition(const char *file, int line, struct node_rig *n,
                                                    const char *pod, const char *type, const char *field,
                                                    const char *want)
{
    struct answer a = pod_get(n, pod);
    struct str got = STR_NONE;

    json_each(c, json_path(a.obj, "status.conditions"))
        if (str_is(json_path_str(c, "type"), type))
            got = json_path_str(c, field);
    if (!str_is(got, want))
        test_fail(file, line, "%s.%s is \"%.*s\", not \"%s\"", type, field, STR_ARG(got), want);
    answer_free(&a);
}
#define CHECK_COND(n, pod, type, field, want) check_condition(__FILE__, __LINE__, n, pod, type, field, want)

struct ending_ { struct node_rig *n; const char *name; int code; };
static void end_in(void *arg)
{
    struct ending_ *e = arg;
    struct fake_container *c = fake_run(e->n->f, e->name);

    if (c == NULL || c->info.state != RT_RUNNING)
        test_fail(__FILE__, __LINE__, "%s does not run", e->name);
    else
        fake_end(e->n->f, c, e->code);
}

/* Its newest run ends with this code; a little later. */
__attribute__((unused)) static void ct_end(struct node_rig *n, const char *name, int code)
{
    struct ending_ e = { n, name, code };
    sim_do(n->r->m, end_in, &e);
    rig_run(n->r, 20);
}

struct releasing_ { struct node_rig *n; enum fake_op op; };
static void release_in(void *arg)
{
    fake_release(((struct releasing_ *)arg)->n->f, ((struct releasing_ *)arg)->op);
}

__attribute__((unused)) static void let_go(struct node_rig *n, enum fake_op op)
{
    struct releasing_ e = { n, op };
    sim_do(n->r->m, release_in, &e);
    rig_run(n->r, 20);
}

/* How many events with this reason there are (counts added up) whose message has `part` in it. */
__attribute__((unused)) static int64_t n_events(struct node_rig *n, const char *reason, const char *part)
{
    struct answer a = call(n->r, "GET", "/api/v1/namespaces/default/events", NULL);
    int64_t sum = 0;

    json_each(e, json_getz(a.obj, "items")) if (str_is(json_path_str(e, "reason"), reason)
                                                && memmem(json_path_str(e, "message").p,
                                                          json_path_str(e, "message").n, part, strlen(part))
                                                       != NULL) sum += json_path_i64(e, "count", 1);
    answer_free(&a);
    return sum;
}

#endif
