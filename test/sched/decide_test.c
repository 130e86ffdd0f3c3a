/* test/sched/decide_test.c: filters, scores and reasons on a snapshot, without an API. */
#include <stdio.h>
#include "sched/decide.h"
#include "test/test.h"

static struct object *object_from(const char *json_text, struct arena *a, struct json **ret)
{
    struct json_error err;
    struct object *o = mem_new(struct object);

    o->refs = 1;
    o->raw = blob_copy(str_of(json_text));
    must_ok(json_parse(a, blob_str(o->raw), ret, &err));
    o->ns = json_path_str(*ret, "metadata.namespace");
    o->name = json_path_str(*ret, "metadata.name");
    o->uid = json_path_str(*ret, "metadata.uid");
    return o;
}

struct rig { struct decider d; struct arena a; struct sched_pod *pods[512]; unsigned n; };

static void rig_init(struct rig *r)
{
    *r = (struct rig){ .a = ARENA_INIT };
    decider_init(&r->d);
}

static void rig_node(struct rig *r, const char *name, const char *cpu, const char *memory, const char *more_meta, const char *spec)
{
    struct json *j;
    struct str text = arena_fmt(&r->a, "{\"metadata\":{\"name\":\"%s\"%s},\"spec\":{%s},\"status\":{\"allocatable\":{\"cpu\":\"%s\",\"memory\":\"%s\","
                                "\"pods\":\"10\",\"vendor.com/gpu\":\"2\"}}}", name, more_meta, spec, cpu, memory);
    struct object *o = object_from(text.p, &r->a, &j);
    nodes_put(&r->d.nodes, o, j);
    object_unref(o);
    nodes_check(&r->d.nodes);
}

static struct sched_pod *rig_pod(struct rig *r, const char *spec)
{
    struct json *j;
    struct str text = arena_fmt(&r->a, "{\"metadata\":{\"name\":\"p%u\",\"namespace\":\"d\",\"uid\":\"u%u\",\"ownerReferences\":[{\"uid\":\"rs\",\"controller\":true}]},"
                                "\"spec\":{%s}}", r->n, r->n, spec);
    struct object *o = object_from(text.p, &r->a, &j);
    struct sched_pod *p = sched_pod_new(o, j, r->n);
    object_unref(o);
    r->pods[r->n++] = p;
    return p;
}

static const char *rig_place(struct rig *r, struct sched_pod *p)
{
    long i = decide(&r->d, p);

    if (i < 0)
        return "";
    const char *name = r->d.nodes.info[i].name;
    nodes_add_pod(&r->d.nodes, str_of(name), p);
    groups_add_pod(&r->d.groups, p, (unsigned)p->node);
    nodes_check(&r->d.nodes);
    return name;
}

static void rig_free(struct rig *r)
{
    for (unsigned i = 0; i < r->n; i++) {
        if (r->pods[i]->node >= 0) {
            groups_sub_pod(&r->d.groups, r->pods[i], (unsigned)r->pods[i]->node);
            nodes_sub_pod(&r->d.nodes, r->pods[i]);
        }
        sched_pod_free(r->pods[i]);
    }
    nodes_check(&r->d.nodes);
    decider_release(&r->d);
    arena_release(&r->a);
}

#define WEB(cpu) "\"containers\":[{\"name\":\"c\",\"image\":\"i\",\"resources\":{\"requests\":{\"cpu\":\"" cpu "\"}}}]"

TEST(spreads_equal_pods_over_equal_nodes)
{
    struct rig r;
    unsigned seen[3] = { 0 };

    rig_init(&r);
    for (char n = 'a'; n <= 'c'; n++)
        rig_node(&r, (char[]){ n, 0 }, "4", "8Gi", "", "");
    for (int i = 0; i < 9; i++) {
        const char *name = rig_place(&r, rig_pod(&r, WEB("100m")));
        CHECK(name[0] >= 'a' && name[0] <= 'c');
        seen[name[0] - 'a']++;
    }
    CHECK_INT(seen[0], 3);
    CHECK_INT(seen[1], 3);
    CHECK_INT(seen[2], 3);
    rig_free(&r);
}

TEST(says_every_reason)
{
    struct rig r;

    rig_init(&r);
    struct sched_pod *p = rig_pod(&r, WEB("3"));
    CHECK_STR(decide_why_not(&r.d, p, &r.a), "no nodes available to schedule pods");
    rig_node(&r, "small", "2", "8Gi", "", "");
    rig_node(&r, "tiny", "1", "8Gi", "", "");
    rig_node(&r, "tainted", "8", "8Gi", "", "\"taints\":[{\"key\":\"k\",\"value\":\"v\",\"effect\":\"NoSchedule\"}]");
    rig_node(&r, "off", "8", "8Gi", "", "\"unschedulable\":true");
    CHECK_INT(decide(&r.d, p), -1);
    CHECK_STR(decide_why_not(&r.d, p, &r.a),
              "0/4 nodes are available: 1 node(s) had untolerated taint {k: v}, 1 node(s) were unschedulable, 2 Insufficient cpu.");
    rig_node(&r, "tainted", "8", "8Gi", "", "");                       /* the taint goes: kept answers must not stay */
    CHECK_STR(str_of(rig_place(&r, p)), "tainted");
    rig_free(&r);
}

TEST(obeys_selectors_affinity_and_tolerations)
{
    struct rig r;

    rig_init(&r);
    rig_node(&r, "ssd", "4", "8Gi", ",\"labels\":{\"disk\":\"ssd\",\"gen\":\"7\"}", "");
    rig_node(&r, "hdd", "4", "8Gi", ",\"labels\":{\"disk\":\"hdd\",\"gen\":\"3\"}", "");
    rig_node(&r, "kept", "4", "8Gi", ",\"labels\":{\"disk\":\"nvme\"}", "\"taints\":[{\"key\":\"k\",\"effect\":\"NoExecute\"}]");
    for (int i = 0; i < 4; i++)
        CHECK_STR(str_of(rig_place(&r, rig_pod(&r, WEB("1m") ",\"nodeSelector\":{\"disk\":\"hdd\"}"))), "hdd");
    CHECK_STR(str_of(rig_place(&r, rig_pod(&r, WEB("1m") ",\"affinity\":{\"nodeAffinity\":{\"requiredDuringSchedulingIgnoredDuringExecution\":{"
              "\"nodeSelectorTerms\":[{\"matchExpressions\":[{\"key\":\"gen\",\"operator\":\"Gt\",\"values\":[\"5\"]}]}]}}}"))), "ssd");
    CHECK_STR(str_of(rig_place(&r, rig_pod(&r, WEB("1m") ",\"nodeSelector\":{\"disk\":\"nvme\"}"))), "");
    CHECK_STR(str_of(rig_place(&r, rig_pod(&r, WEB("1m") ",\"nodeSelector\":{\"disk\":\"nvme\"},\"tolerations\":[{\"key\":\"k\",\"operator\":\"Exists\"}]"))), "kept");
    CHECK_STR(str_of(rig_place(&r, rig_pod(&r, WEB("1m") ",\"affinity\":{\"nodeAffinity\":{\"preferredDuringSchedulingIgnoredDuringExecution\":[{\"weight\":100,"
              "\"preference\":{\"matchExpressions\":[{\"key\":\"disk\",\"operator\":\"In\",\"values\":[\"ssd\"]}]}}]}}"))), "ssd");
    rig_free(&r);
}

TEST(counts_room_ports_and_extended_resources)
{
    struct rig r;

    rig_init(&r);
    rig_node(&r, "one", "1", "1Gi", "", "");
    for (int i = 0; i < 10; i++)
        CHECK_STR(str_of(rig_place(&r, rig_pod(&r, WEB("100m")))), "one");
    struct sched_pod *p = rig_pod(&r, WEB("1m"));
    CHECK_STR(decide_why_not(&r.d, p, &r.a), "0/1 nodes are available: 1 Insufficient cpu, 1 Too many pods.");
    nodes_sub_pod(&r.d.nodes, (groups_sub_pod(&r.d.groups, r.pods[0], 0), r.pods[0]));
    CHECK_STR(str_of(rig_place(&r, p)), "one");
    rig_node(&r, "two", "4", "4Gi", "", "");
    const char *port = "\"containers\":[{\"name\":\"c\",\"ports\":[{\"hostPort\":80,\"protocol\":\"TCP\"}]}]";
    CHECK_STR(str_of(rig_place(&r, rig_pod(&r, port))), "two");
    CHECK(strstr(decide_why_not(&r.d, rig_pod(&r, port), &r.a).p, "1 node(s) didn't have free ports for the requested pod ports") != NULL);
    const char *gpu = "\"containers\":[{\"name\":\"c\",\"resources\":{\"requests\":{\"vendor.com/gpu\":\"2\"}}}]";
    CHECK_STR(str_of(rig_place(&r, rig_pod(&r, gpu))), "two");
    CHECK(strstr(decide_why_not(&r.d, rig_pod(&r, gpu), &r.a).p, "Insufficient vendor.com/gpu") != NULL);
    rig_free(&r);
}

TEST(sums_requests_as_kubernetes_does)
{
    struct rig r;

    rig_init(&r);
    struct sched_pod *p = rig_pod(&r, "\"containers\":[{\"name\":\"a\",\"resources\":{\"requests\":{\"cpu\":\"200m\",\"memory\":\"1Gi\"}}},{\"name\":\"b\"}],"
        "\"initContainers\":[{\"name\":\"side\",\"restartPolicy\":\"Always\",\"resources\":{\"requests\":{\"cpu\":\"50m\"}}},"
        "{\"name\":\"i\",\"resources\":{\"requests\":{\"cpu\":\"1\"}}}],\"overhead\":{\"cpu\":\"10m\"}");
    CHECK_INT(p->req.cpu, 1060);                                        /* max(200 + 50, 1000 + 50) + 10 */
    CHECK_INT(p->req.memory, 1ll << 30);
    p = rig_pod(&r, "\"containers\":[{\"name\":\"a\",\"resources\":{\"requests\":{\"cpu\":\"9223372036854775807\",\"memory\":\"8Ei\"}}}]");
    CHECK(p->req.cpu > 0 && p->req.memory > 0 && p->req.memory <= SCHED_MAX_AMOUNT);
    rig_free(&r);
}

/* Many decisions against a slow, obvious model of the filters: never a node that lacks room, never none when one has it. */
/* What is kept from one decision to the next must never show: beside it, one that keeps nothing. */
TEST(kept_scores_are_what_would_be_made_anew)
{
    static const char *const specs[] = { WEB("100m"), WEB("250m"), "\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]",
                                         "\"nodeSelector\":{\"zone\":\"z\"}," WEB("100m") };
    static const char *const sizes[] = { "2", "4", "16" };
    struct rig keeps, forgets;
    uint32_t dice = 12345;

    rig_init(&keeps);
    rig_init(&forgets);
    for (int step = 0; step < 450; step++) {
        const char *spec = specs[(dice = dice * 1664525 + 1013904223) >> 30];
        unsigned which = (dice >> 8) % 12;
        char node[2] = { (char)('a' + (dice >> 16) % 12), 0 };
        struct rig *both[] = { &keeps, &forgets };

        for (int k = 0; k < 2; k++) {
            struct rig *r = both[k];
            if (step < 12 || which == 0)
                rig_node(r, step < 12 ? (char[]){ (char)('a' + step), 0 } : node, sizes[dice % 3], "8Gi",
                         step % 2 == 0 ? ",\"labels\":{\"zone\":\"z\"}" : "", "");
            if (which == 1 && r->n > 0 && r->pods[dice % r->n]->node >= 0) {
                groups_sub_pod(&r->d.groups, r->pods[dice % r->n], (unsigned)r->pods[dice % r->n]->node);
                nodes_sub_pod(&r->d.nodes, r->pods[dice % r->n]);
            }
        }
        classes_release(&forgets.d.classes);
        struct sched_pod *p = rig_pod(&keeps, spec), *q = rig_pod(&forgets, spec);
        CHECK_STR(str_of(rig_place(&keeps, p)), rig_place(&forgets, q));
    }
    rig_free(&keeps);
    rig_free(&forgets);
}

TEST(never_overcommits)
{
    struct rig r;
    uint64_t seed = 42;

    rig_init(&r);
    for (int i = 0; i < 40; i++) {
        char name[8];
        snprintf(name, sizeof name, "n%d", i);
        rig_node(&r, name, i % 3 ? "2" : "500m", "1Gi", "", "");
    }
    for (int i = 0; i < 400; i++) {
        seed = seed * 6364136223846793005ull + 1442695040888963407ull;
        struct str spec = arena_fmt(&r.a, "\"containers\":[{\"name\":\"c\",\"resources\":{\"requests\":{\"cpu\":\"%um\",\"memory\":\"%uMi\"}}}]",
                                    (unsigned)(seed >> 33) % 700, (unsigned)(seed >> 40) % 300);
        struct sched_pod *p = rig_pod(&r, spec.p);
        bool room = false;
        for (unsigned n = 0; n < r.d.nodes.n; n++)
            room |= r.d.nodes.used_pods[n] < 10 && r.d.nodes.used_cpu[n] + p->req.cpu <= r.d.nodes.cpu[n] &&
                    r.d.nodes.used_memory[n] + p->req.memory <= r.d.nodes.memory[n];
        CHECK((rig_place(&r, p)[0] != '\0') == room);
        for (unsigned n = 0; n < r.d.nodes.n; n++)
            CHECK(r.d.nodes.used_cpu[n] <= r.d.nodes.cpu[n] && r.d.nodes.used_memory[n] <= r.d.nodes.memory[n]);
    }
    rig_free(&r);
}
