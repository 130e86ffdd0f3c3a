/* test/node/report_test.c: registration, status, lease and routes against the real API in the simulated world. */
#include <sched.h>
#include <unistd.h>
#include "node/files.h"
#include "node/node_report.h"
#include "node/runtime_hollow.h"
#include "test/api/api_rig.h"

struct node {
    struct rig *r;
    struct agent a;
    struct client *client;
};

static void node_start_in(void *arg)
{
    static char *labels[] = { "disk=ssd", "zone=a", "flag", NULL };
    static const char *const groups[] = { "system:nodes", "system:masters", NULL };
    struct node *n = arg;
    struct runtime_hollow_opts ro = { .loop = sim_machine_loop(n->r->m) };

    n->client = client_new_local(n->r->api, ro.loop, "system:node:n1", groups);
    n->a.loop = ro.loop;
    n->a.client = n->client;
    n->a.rt = runtime_hollow_new(&ro);
    n->a.name = "n1";
    n->a.node_ip = "192.168.50.11";
    n->a.labels = labels;
    n->a.max_pods = 110;
    n->a.port = 10251;
    n->a.cpu_millis = 2500;
    n->a.memory_bytes = 8000000 * 1024LL;
    n->a.storage_bytes = 1LL << 40;
    n->a.report = node_report_start(&n->a);
}

static void on_rt_closed(void *arg) { ((struct node *)arg)->a.rt = NULL; }

static void node_stop_in(void *arg)
{
    struct node *n = arg;
    node_report_stop(n->a.report);
    n->a.report = NULL;
    n->a.rt->ops->close(n->a.rt, on_rt_closed, n);
    client_free(n->client);
}

static struct node *node_start_as(struct rig *r, bool hollow, const char *cidr, uint64_t lease_ms,
                                  uint64_t status_ms)
{
    struct node *n = calloc(1, sizeof *n);
    n->r = r;
    n->a.hollow = hollow;
    n->a.pod_cidr = (char *)cidr;
    n->a.lease_ms = lease_ms;
    n->a.status_ms = status_ms;
    sim_do(r->m, node_start_in, n);
    return n;
}

static struct node *node_start(struct rig *r, const char *cidr, uint64_t lease_ms, uint64_t status_ms)
{
    return node_start_as(r, true, cidr, lease_ms, status_ms);
}

static void node_stop(struct node *n)
{
    sim_do(n->r->m, node_stop_in, n);
    rig_run(n->r, 10);
    CHECK(n->a.rt == NULL);
    free(n);
}

static struct str condition(const struct answer *a, const char *type, const char *field)
{
    json_each(c, json_path(a->obj, "status.conditions"))
        if (str_is(json_path_str(c, "type"), type))
            return json_path_str(c, field);
    return STR_NONE;
}

#define NODE "/api/v1/nodes/n1"
#define LEASE "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/n1"

TEST(a_node_is_ready_at_once)
{
    struct rig *r = rig_open();
    struct node *n = node_start(r, "10.244.1.0/24", 10000, 300000);
    struct answer a;

    rig_run(r, 50);
    a = call(r, "GET", NODE, NULL);
    CHECK_INT(a.status, 200);
    CHECK_AT(a, "spec.podCIDR", "10.244.1.0/24");
    CHECK_AT(a, "spec.podCIDRs.0", "10.244.1.0/24");
    CHECK_AT(a, "metadata.labels.disk", "ssd");
    CHECK_AT(a, "metadata.labels.zone", "a");
    CHECK_AT(a, "status.capacity.cpu", "2500m");
    CHECK_AT(a, "status.capacity.memory", "8000000Ki");
    CHECK_AT(a, "status.allocatable.pods", "110");
    CHECK_AT(a, "status.nodeInfo.operatingSystem", "linux");
    CHECK_AT(a, "status.nodeInfo.kubeletVersion", "v1.33.0+coracle.0.1.0");
    CHECK_AT(a, "status.addresses.0.address", "192.168.50.11");
    CHECK_INT(json_path_i64(a.obj, "status.daemonEndpoints.kubeletEndpoint.Port", 0), 10251);
    CHECK_STR(json_str(json_getz(json_path(a.obj, "metadata.labels"), "kubernetes.io/hostname")), "n1");
    CHECK_STR(condition(&a, "Ready", "status"), "True");
    CHECK_STR(condition(&a, "Ready", "message"), "kubelet is posting ready status");
    CHECK_STR(condition(&a, "PIDPressure", "status"), "False");
    CHECK_INT(condition(&a, "Ready", "lastHeartbeatTime").n, 20);
    struct str uid = arena_str(&a.arena, json_path_str(a.obj, "metadata.uid"));
    struct answer l = call(r, "GET", LEASE, NULL);
    CHECK_INT(l.status, 200);
    CHECK_AT(l, "spec.holderIdentity", "n1");
    CHECK_INT(json_path_i64(l.obj, "spec.leaseDurationSeconds", 0), 40);
    CHECK_INT(json_path_str(l.obj, "spec.renewTime").n, 27);
    CHECK(str_eq(json_path_str(l.obj, "metadata.ownerReferences.0.uid"), uid));
    answer_free(&l);
    answer_free(&a);
    node_stop(n);
    rig_close(r);
}

static char *field_of(struct rig *r, const char *path, const char *field)
{
    struct answer a = call(r, "GET", path, NULL);
    char *s = strndup(json_path_str(a.obj, field).p, json_path_str(a.obj, field).n);
    answer_free(&a);
    return s;
}

TEST(the_lease_is_renewed_and_comes_back)
{
    struct rig *r = rig_open();
    struct node *n = node_start(r, NULL, 1000, 300000);
    char *t1, *t2, *node_rv;

    rig_run(r, 100);
    t1 = field_of(r, LEASE, "spec.renewTime");
    node_rv = field_of(r, NODE, "metadata.resourceVersion");
    rig_run(r, 1100);
    t2 = field_of(r, LEASE, "spec.renewTime");
    CHECK(strcmp(t1, t2) < 0);
    free(t1);
    CALL(r, 200, "DELETE", LEASE, NULL);
    rig_run(r, 2500);
    t1 = field_of(r, LEASE, "spec.renewTime");
    CHECK(strcmp(t2, t1) < 0);
    free(t1);
    free(t2);
    t1 = field_of(r, NODE, "metadata.resourceVersion");
    CHECK(t1[0] != '\0' && node_rv[0] != '\0');
    free(t1);
    free(node_rv);
    node_stop(n);
    rig_close(r);
}

TEST(a_deleted_node_registers_again)
{
    struct rig *r = rig_open();
    struct node *n = node_start(r, "10.244.1.0/24", 1000, 2000);
    char *before, *after;
    struct answer a;

    rig_run(r, 100);
    before = field_of(r, NODE, "metadata.uid");
    CALL(r, 200, "DELETE", NODE, NULL);
    rig_run(r, 3000);
    after = field_of(r, NODE, "metadata.uid");
    CHECK(after[0] != '\0' && strcmp(before, after) != 0);
    a = call(r, "GET", NODE, NULL);
    CHECK_STR(condition(&a, "Ready", "status"), "True");
    answer_free(&a);
    rig_run(r, 1500);
    a = call(r, "GET", LEASE, NULL);
    CHECK_STR(json_path_str(a.obj, "metadata.ownerReferences.0.uid"), after);
    answer_free(&a);
    free(before);
    free(after);
    node_stop(n);
    rig_close(r);
}

/* The agent starts again: what others set on its node stays, and what has not changed keeps its time. */
TEST(an_existing_node_is_taken_over)
{
    struct rig *r = rig_open();
    struct node *n = node_start(r, "10.244.1.0/24", 1000, 2000);
    char *since, *beat;
    struct answer a;

    rig_run(r, 100);
    r->type = "application/merge-patch+json";
    CALL(r, 200, "PATCH", NODE,
         "{'spec':{'unschedulable':true},'metadata':{'labels':{'mine':'x','disk':'hdd'}}}");
    a = call(r, "GET", NODE, NULL);
    since = strndup(condition(&a, "Ready", "lastTransitionTime").p, 20);
    beat = strndup(condition(&a, "Ready", "lastHeartbeatTime").p, 20);
    answer_free(&a);
    node_stop(n);
    rig_run(r, 5000);
    n = node_start(r, "10.244.2.0/24", 1000, 2000);      /* and asks for another range, which it cannot have */
    rig_run(r, 100);
    a = call(r, "GET", NODE, NULL);
    CHECK(json_path_true(a.obj, "spec.unschedulable"));
    CHECK_AT(a, "metadata.labels.mine", "x");
    CHECK_AT(a, "metadata.labels.disk", "ssd");
    CHECK_AT(a, "spec.podCIDR", "10.244.1.0/24");
    CHECK_INT(json_path(a.obj, "spec.podCIDRs")->n, 1);
    CHECK_STR(condition(&a, "Ready", "lastTransitionTime"), since);
    CHECK(!str_is(condition(&a, "Ready", "lastHeartbeatTime"), beat));
    CHECK_INT(json_path(a.obj, "status.conditions")->n, 4);
    answer_free(&a);
    free(since);
    free(beat);
    node_stop(n);
    rig_close(r);
}

/* Somebody marks the node as dead: the next report is a transition, at the time of that report. */
TEST(marked_dead_and_back)
{
    struct rig *r = rig_open();
    struct node *n = node_start(r, "10.244.1.0/24", 1000, 3000);
    struct answer a;
    char *then;

    rig_run(r, 100);
    node_stop(n);
    r->type = "application/strategic-merge-patch+json";
    a = call(r, "PATCH", NODE "/status",
             "{'status':{'conditions':[{'type':'Ready','status':'Unknown','lastTransitionTime':'2001-01-"
             "01T00:00:00Z'}]}}");
    CHECK_INT(a.status, 200);
    CHECK_STR(condition(&a, "Ready", "status"), "Unknown");
    then = strndup("2001-01-01T00:00:00Z", 20);
    answer_free(&a);
    n = node_start(r, "10.244.1.0/24", 1000, 3000);
    rig_run(r, 100);
    a = call(r, "GET", NODE, NULL);
    CHECK_STR(condition(&a, "Ready", "status"), "True");
    CHECK(!str_is(condition(&a, "Ready", "lastTransitionTime"), then));
    answer_free(&a);
    free(then);
    node_stop(n);
    rig_close(r);
}

static void changed_in(void *arg) { node_report_changed(((struct node *)arg)->a.report); }

/* "Changed" without a change costs no write; a change is there at once, also one in the midst of a report. */
TEST(only_changes_are_written)
{
    struct rig *r = rig_open();
    struct node *n = node_start(r, NULL, 100000, 300000);
    char *rv, *now;

    rig_run(r, 100);
    rv = field_of(r, NODE, "metadata.resourceVersion");
    for (int i = 0; i < 5; i++)
        sim_do(r->m, changed_in, n);
    rig_run(r, 500);
    now = field_of(r, NODE, "metadata.resourceVersion");
    CHECK_STR(str_of(now), rv);
    free(now);
    n->a.max_pods = 7;
    sim_do(r->m, changed_in, n);
    n->a.max_pods = 8;
    sim_do(r->m, changed_in, n);
    rig_run(r, 50);
    now = field_of(r, NODE, "status.capacity.pods");
    CHECK_STR(str_of(now), "8");
    free(now);
    free(rv);
    node_stop(n);
    rig_close(r);
}

/* A node with no range of its own takes the one that the control plane gave it. */
TEST(takes_the_range_it_is_given)
{
    struct rig *r = rig_open();
    struct node *n;

    CALL(r, 201, "POST", "/api/v1/nodes",
         "{'apiVersion':'v1','kind':'Node','metadata':{'name':'n1'},'spec':{'podCIDR':'10.9.0.0/"
         "24','podCIDRs':['10.9.0.0/24']}}");
    n = node_start(r, NULL, 1000, 3000);
    rig_run(r, 100);
    CHECK_STR(str_of(n->a.pod_cidr), "10.9.0.0/24");
    node_stop(n);
    rig_close(r);
}

/* ---- in a network namespace of its own, as root -------------------------------------------------------- */

/* false: not to be had here. */
static bool own_network(void)
{
    if (geteuid() == 0 && unshare(CLONE_NEWNET) == 0 &&
        system("ip link add d0 type veth peer name d1 && ip addr add 192.168.50.11/24 dev d0 && ip link set "
               "d1 up && ip link set d0 up") == 0)
        return true;
    printf("no network namespace to be had here: routes are not tested\n");
    return false;
}

/* The kernel's route to 10.244.2.0/24: its gateway as /proc shows it; "" if there is none. */
static const char *route_gateway(char ret[16])
{
    struct buf b = BUF_INIT;
    const char *at;

    ret[0] = '\0';
    must_ok(file_read("/proc/thread-self/net/route", 65536, &b, NULL));
    buf_char(&b, '\0');
    if ((at = strstr(b.p, "\t0002F40A\t")) != NULL)
        snprintf(ret, 16, "%.8s", at + 10);
    buf_release(&b);
    return ret;
}

static unsigned routes(void)
{
    struct buf b = BUF_INIT;
    unsigned n = 0;

    must_ok(file_read("/proc/thread-self/net/route", 65536, &b, NULL));
    for (size_t i = 0; i < b.n; i++)
        n += b.p[i] == '\n';
    buf_release(&b);
    return n - 1;                                /* a line of headings */
}

static void add_node(struct rig *r, const char *name, const char *cidr, const char *ip)
{
    char body[512], path[128];

    r->type = NULL;
    snprintf(body, sizeof body,
             "{'apiVersion':'v1','kind':'Node','metadata':{'name':'%s'},'spec':{'podCIDR':'%s','podCIDRs':['%"
             "s']}}",
             name, cidr, cidr);
    CALL(r, 201, "POST", "/api/v1/nodes", body);
    snprintf(path, sizeof path, "/api/v1/nodes/%s/status", name);
    snprintf(
        body, sizeof body,
        "{'status':{'addresses':[{'type':'Hostname','address':'x'},{'type':'InternalIP','address':'%s'}]}}",
        ip);
    r->type = "application/merge-patch+json";
    CALL(r, 200, "PATCH", path, body);
    rig_run(r, 50);
}

TEST(routes_to_the_pods_of_other_nodes)
{
    struct rig *r;
    struct node *n;
    struct buf b = BUF_INIT;
    char gw[16];

    if (!own_network())
        return;
    r = rig_open();
    n = node_start_as(r, false, "10.244.1.0/24", 1000, 100000);
    rig_run(r, 100);
    must_ok(file_read("/proc/sys/net/ipv4/ip_forward", 16, &b, NULL));
    CHECK_STR(str_trim(buf_str(&b)), "1");
    buf_release(&b);
    unsigned before = routes();
    add_node(r, "n2", "10.244.2.0/24", "192.168.50.12");
    CHECK_STR(str_of(route_gateway(gw)), "0C32A8C0");
    CHECK_INT(routes(), before + 1);
    /* Ranges that would take our own traffic away. */
    add_node(r, "e1", "0.0.0.0/0", "192.168.50.66");
    add_node(r, "e2", "192.168.50.0/24", "192.168.50.66");
    add_node(r, "e3", "10.244.0.0/16", "192.168.50.66");
    add_node(r, "e4", "10.244.1.128/25", "192.168.50.66");
    CHECK_INT(routes(), before + 1);
    CALL(r, 200, "PATCH", "/api/v1/nodes/n2/status",
         "{'status':{'addresses':[{'type':'InternalIP','address':'192.168.50.13'}]}}");
    rig_run(r, 50);
    CHECK_STR(str_of(route_gateway(gw)), "0D32A8C0");
    /* Two that claim one range: the route stays as long as one of them does. */
    add_node(r, "n3", "10.244.2.0/24", "192.168.50.14");
    CHECK_STR(str_of(route_gateway(gw)), "0E32A8C0");
    CALL(r, 200, "DELETE", "/api/v1/nodes/n3", NULL);
    rig_run(r, 50);
    CHECK_STR(str_of(route_gateway(gw)), "0D32A8C0");
    CALL(r, 200, "DELETE", "/api/v1/nodes/n2", NULL);
    rig_run(r, 50);
    CHECK_STR(str_of(route_gateway(gw)), "");
    CHECK_INT(routes(), before);
    node_stop(n);
    rig_close(r);
}

/* A real node watches itself: it answers at once to being marked as dead, or deleted. */
TEST(a_node_that_sees_itself)
{
    struct rig *r;
    struct node *n;
    struct answer a;
    char *uid;

    if (!own_network())
        return;
    r = rig_open();
    n = node_start_as(r, false, "10.244.1.0/24", 100000, 100000);
    rig_run(r, 100);
    uid = field_of(r, NODE, "metadata.uid");
    r->type = "application/strategic-merge-patch+json";
    CALL(r, 200, "PATCH", NODE "/status",
         "{'status':{'conditions':[{'type':'Ready','status':'Unknown','lastTransitionTime':'2001-01-01T00:00:"
         "00Z'}]}}");
    rig_run(r, 50);
    a = call(r, "GET", NODE, NULL);
    CHECK_STR(condition(&a, "Ready", "status"), "True");
    CHECK(!str_is(condition(&a, "Ready", "lastTransitionTime"), "2001-01-01T00:00:00Z"));
    answer_free(&a);
    CALL(r, 200, "DELETE", NODE, NULL);
    rig_run(r, 50);
    a = call(r, "GET", NODE, NULL);
    CHECK_INT(a.status, 200);
    CHECK(!str_is(json_path_str(a.obj, "metadata.uid"), uid));
    CHECK_STR(condition(&a, "Ready", "status"), "True");
    answer_free(&a);
    free(uid);
    node_stop(n);
    rig_close(r);
}
