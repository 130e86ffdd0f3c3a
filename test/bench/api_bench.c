/* test/bench/api_bench.c: what the steps of one write cost: microseconds of CPU and heap allocations, a table.
 *
 *     make build/test/bench/api_bench && build/test/bench/api_bench [--rows] [rounds [part of a name]]
 *
 * --rows: only those with a target, as rows for run.sh.
 * Every step works on a fresh arena.  The figure is the best of BATCHES: what the machine can do when nobody disturbs
 * it.  Linked with --wrap=malloc and friends, to count. */
#include "api/cel.h"
#include "api/crd/rule.h"
#include "api/encode.h"
#include "api/json_scan.h"
#include "api/kinds.h"
#include "api/managed_fields.h"
#include "test/api/api_fixture.h"

#define BATCHES 12

static unsigned long allocations;

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);

void *__wrap_malloc(size_t n) { allocations++; return __real_malloc(n); }
void *__wrap_calloc(size_t n, size_t size) { allocations++; return __real_calloc(n, size); }
void *__wrap_realloc(void *p, size_t n) { allocations++; return __real_realloc(p, n); }

/* The fixture's, without the frame of the tests. */
void test_fail(const char *file, int line, const char *fmt, ...)
{
    (void)fmt;
    fprintf(stderr, "%s:%d: what is to be worked on is not right\n", file, line);
    abort();
}

/* ---- What is worked on ------------------------------------------------------------------------------ */

#define PROBE(path)                                                                                        \
    "{'httpGet':{'path':'" path "','port':8080,'scheme':'HTTP'},'initialDelaySeconds':5,"                  \
    "'timeoutSeconds':1,'periodSeconds':10,'successThreshold':1,'failureThreshold':3}"
#define CONTAINER(name)                                                                                    \
    "{'name':'" name "','image':'registry.example.com/team/" name ":v1.27.3','command':['/bin/" name "',"  \
    "'--listen=:8080','--log-level=info'],'ports':[{'name':'http','containerPort':8080,'protocol':'TCP'}," \
    "{'name':'metrics','containerPort':9090,'protocol':'TCP'}],'env':[{'name':'POD_NAME','valueFrom':"     \
    "{'fieldRef':{'apiVersion':'v1','fieldPath':'metadata.name'}}},{'name':'MODE','value':'production'},"  \
    "{'name':'DATABASE_PASSWORD','valueFrom':{'secretKeyRef':{'name':'database','key':'password'}}}],"     \
    "'resources':{'limits':{'cpu':'500m','memory':'256Mi'},'requests':{'cpu':'100m','memory':'128Mi'}},"   \
    "'volumeMounts':[{'name':'config','readOnly':true,'mountPath':'/etc/config'},{'name':'cache',"         \
    "'mountPath':'/var/cache'}],'livenessProbe':" PROBE("/healthz") ",'readinessProbe':" PROBE("/ready")   \
    ",'terminationMessagePath':'/dev/termination-log','terminationMessagePolicy':'File',"                  \
    "'imagePullPolicy':'IfNotPresent','securityContext':{'allowPrivilegeEscalation':false,"                \
    "'runAsUser':1000,'capabilities':{'drop':['ALL']}}}"
#define POD_SPEC                                                                                           \
    "{'volumes':[{'name':'config','configMap':{'name':'web-config','defaultMode':420}},{'name':'cache',"   \
    "'emptyDir':{}}],'containers':[" CONTAINER("web") "," CONTAINER("proxy") "],'restartPolicy':'Always'," \
    "'terminationGracePeriodSeconds':30,'dnsPolicy':'ClusterFirst','serviceAccountName':'default',"        \
    "'serviceAccount':'default','securityContext':{},'schedulerName':'default-scheduler','tolerations':["  \
    "{'key':'node.kubernetes.io/not-ready','operator':'Exists','effect':'NoExecute',"                      \
    "'tolerationSeconds':300}],'priority':0,'enableServiceLinks':true,"                                    \
    "'preemptionPolicy':'PreemptLowerPriority'}"
#define LABELS "'labels':{'app':'web','tier':'front','pod-template-hash':'6d4cf56db6'}"
#define POD                                                                                                \
    "{'apiVersion':'v1','kind':'Pod','metadata':{'name':'web-6d4cf56db6-x2x8k','namespace':'default',"     \
    "'uid':'0c6a1a51-6a32-4b9a-9a38-2a6cf6a2a1ad'," LABELS ",'annotations':{'prometheus.io/scrape':"       \
    "'true'},'ownerReferences':[{'apiVersion':'apps/v1','kind':'ReplicaSet','name':'web-6d4cf56db6',"      \
    "'uid':'5f0d1c1e-7c2b-4b6e-8f0e-0d7f3c9a1b22','controller':true,'blockOwnerDeletion':true}]},"         \
    "'spec':" POD_SPEC ",'status':{'phase':'Running','conditions':[{'type':'Ready','status':'True',"       \
    "'lastTransitionTime':'2026-01-01T00:00:00Z'},{'type':'PodScheduled','status':'True',"                 \
    "'lastTransitionTime':'2026-01-01T00:00:00Z'}],'hostIP':'10.0.0.7','podIP':'10.1.7.12'}}"
#define DEPLOYMENT(image)                                                                                  \
    "{'apiVersion':'apps/v1','kind':'Deployment','metadata':{'name':'web','namespace':'default'," LABELS   \
    "},'spec':{'replicas':6,'selector':{'matchLabels':{'app':'web'}},'strategy':{'type':'RollingUpdate',"  \
    "'rollingUpdate':{'maxSurge':'25%','maxUnavailable':'25%'}},'template':{'metadata':{" LABELS           \
    "},'spec':" POD_SPEC "}}}"
#define PATCH                                                                                              \
    "{'spec':{'template':{'spec':{'containers':[{'name':'web','image':'web:v2'}],"                         \
    "'$setElementOrder/containers':[{'name':'web'},{'name':'proxy'}]}}}}"
#define LEASE                                                                                              \
    "{'apiVersion':'coordination.k8s.io/v1','kind':'Lease','metadata':{'name':'node-1','namespace':"       \
    "'kube-node-lease'},'spec':{'holderIdentity':'node-1','leaseDurationSeconds':40,"                      \
    "'renewTime':'2026-01-01T00:00:00.000000Z'}}"

static struct {
    struct arena arena;
    const struct schema_kind *pod, *deployment, *lease;
    struct str pod_text, stored_pod, lease_text, stored_lease, pod_pb, config_text, live_text, patch_text;
    struct json *lean_pod, *whole_pod, *tracked_pod, *config, *live, *patch, *tracked_lease, *next_lease, *next_pod;
    struct buf out;
} b;

static const struct field_writer kubelet = { .name = { "kubelet", 7 }, .version = { "v1", 2 },
                                             .now = { "2026-01-01T00:00:00Z", 20 } };
static const struct field_writer kubectl = { .name = { "kubectl", 7 }, .version = { "apps/v1", 7 },
                                             .now = { "2026-01-01T00:00:00Z", 20 } };

static struct json *conformed(const struct schema_kind *k, const char *literal)
{
    struct json  *obj = parse(&b.arena, literal);
    struct errbuf err;

    must(schema_conform(k, obj, &b.arena, NULL, &err) == 0);
    schema_default(k->type, obj, &b.arena);
    return obj;
}

static struct str stored(const struct schema_kind *k, const struct json *obj)
{
    uint32_t rev_at;

    buf_clear(&b.out);
    encode_object(&b.out, k, obj, &rev_at);
    return arena_str(&b.arena, buf_str(&b.out));
}

static struct json *reread(const struct schema_kind *k, const struct json *obj)
{
    struct json *again;

    must(json_parse(&b.arena, stored(k, obj), &again, NULL) == 0);
    return again;
}

static void prepare(void)
{
    struct field_apply      f = { .writer = kubectl };
    struct field_conflict  *conflicts;
    struct json            *obj;

    b.pod = kind("", "Pod");
    b.deployment = kind("apps", "Deployment");
    b.lease = kind("coordination.k8s.io", "Lease");
    b.pod_text = unquote(&b.arena, POD);
    b.lease_text = unquote(&b.arena, LEASE);
    b.lean_pod = parse(&b.arena, POD);
    b.whole_pod = conformed(b.pod, POD);
    b.tracked_pod = json_copy(&b.arena, b.whole_pod);
    managed_update(&b.arena, b.pod->type, &kubelet, NULL, b.tracked_pod);
    b.stored_pod = stored(b.pod, b.tracked_pod);
    b.tracked_pod = reread(b.pod, b.tracked_pod);
    b.next_pod = json_copy(&b.arena, b.tracked_pod);
    json_setz(&b.arena, json_getz(b.next_pod, "status"), "podIP", json_string_ref(&b.arena, STR("10.1.7.13")));
    b.tracked_lease = conformed(b.lease, LEASE);
    b.next_lease = json_copy(&b.arena, b.tracked_lease);
    json_setz(&b.arena, json_getz(b.next_lease, "spec"), "renewTime",
              json_string_ref(&b.arena, STR("2026-01-01T00:00:10.000000Z")));
    managed_update(&b.arena, b.lease->type, &kubelet, NULL, b.tracked_lease);
    b.stored_lease = stored(b.lease, b.tracked_lease);
    b.tracked_lease = reread(b.lease, b.tracked_lease);
    f.type = b.deployment->type;
    f.config = conformed(b.deployment, DEPLOYMENT("v1"));
    must(managed_apply(&b.arena, &f, &obj, &conflicts) == 0);
    b.live = reread(b.deployment, obj);
    b.config = json_copy(&b.arena, f.config);
    json_setz(&b.arena, json_getz(b.config, "spec"), "replicas", json_int(&b.arena, 7));
    b.config_text = arena_str(&b.arena, unquote(&b.arena, DEPLOYMENT("v2")));
    b.live_text = stored(b.deployment, b.live);
    b.patch_text = unquote(&b.arena, PATCH);
    must(json_parse(&b.arena, b.patch_text, &b.patch, NULL) == 0);
    buf_clear(&b.out);
    schema_pb_encode(&b.out, b.pod->type, b.whole_pod);
    b.pod_pb = arena_str(&b.arena, buf_str(&b.out));
}

/* ---- The steps --------------------------------------------------------------------------------------- */

static void step_parse(struct arena *a) { struct json *j; must(json_parse(a, b.pod_text, &j, NULL) == 0); }
static void step_parse_stored(struct arena *a) { struct json *j; must(json_parse(a, b.stored_pod, &j, NULL) == 0); }

static void step_scan(struct arena *a)
{
    struct str value;

    (void)a;
    must(json_scan_path(b.stored_pod, "status.phase", &value));
}

static void step_copy(struct arena *a) { json_copy(a, b.whole_pod); }

static void step_conform(struct arena *a)
{
    struct errbuf err;

    must(schema_conform(b.pod, b.lean_pod, a, NULL, &err) == 0);
}

static void step_default(struct arena *a) { schema_default(b.pod->type, b.whole_pod, a); }

static void validate(struct arena *a, const struct schema_kind *k, const struct resource *r, const struct json *obj)
{
    struct causes          causes;
    const struct kind_hooks *h = kind_hooks_find(r);
    struct kind_ctx        ctx = { .arena = a, .res = r, .asked = r, .creating = true };

    causes_init(&causes, a);
    schema_validate(k->type, obj, NULL, &causes);
    h->validate(&ctx, obj, &causes);
    must(causes.n == 0);
}

static void validate_pod(struct arena *a, const struct json *obj)
{
    validate(a, b.pod, resource_find(STR(""), STR("v1"), STR("pods")), obj);
}

static void step_validate(struct arena *a) { validate_pod(a, b.whole_pod); }

/* As obj, but for metadata, which is a copy: nothing else is changed in a managed update. */
static struct json *with_own_metadata(struct arena *a, const struct json *obj)
{
    struct json *shell = json_object(a);

    must(str_is(obj->first->next->next->key, "metadata"));
    for (const struct json *m = obj->first; !str_is(m->key, "metadata"); m = m->next)
        json_append(shell, m->key, json_copy(a, m));
    struct json *meta = json_append(shell, STR("metadata"), json_copy(a, json_getz(obj, "metadata")));
    meta->next = json_getz(obj, "metadata")->next;
    shell->n = obj->n;
    shell->last = obj->last;
    return shell;
}

static void step_own(struct arena *a)
{
    managed_update(a, b.pod->type, &kubelet, NULL, with_own_metadata(a, b.whole_pod));
}

static void step_update(struct arena *a)
{
    managed_update(a, b.pod->type, &kubelet, b.tracked_pod, with_own_metadata(a, b.next_pod));
}

static void step_renew(struct arena *a)
{
    managed_update(a, b.lease->type, &kubelet, b.tracked_lease, with_own_metadata(a, b.next_lease));
}

static void step_encode(struct arena *a)
{
    uint32_t rev_at;

    (void)a;
    buf_clear(&b.out);
    encode_object(&b.out, b.pod, b.tracked_pod, &rev_at);
}

static void step_write(struct arena *a)
{
    struct json   *j;
    struct errbuf  err;
    uint32_t       rev_at;

    must(json_parse(a, b.pod_text, &j, NULL) == 0);
    must(schema_conform(b.pod, j, a, NULL, &err) == 0);
    schema_default(b.pod->type, j, a);
    validate_pod(a, j);
    buf_clear(&b.out);
    encode_object(&b.out, b.pod, j, &rev_at);
}

static void step_json_in(struct arena *a)
{
    struct json  *j;
    struct errbuf err;

    must(json_parse(a, b.pod_text, &j, NULL) == 0);
    must(schema_conform(b.pod, j, a, NULL, &err) == 0);
}

static void step_pb_in(struct arena *a)
{
    const struct schema_kind *k;
    struct json  *j;
    struct errbuf err;

    must(schema_pb_decode(b.pod_pb, a, &j, &k, &err) == 0);
    must(schema_conform(b.pod, j, a, NULL, &err) == 0);
}

static void step_json_out(struct arena *a)
{
    uint32_t rev_at;

    (void)a;
    buf_clear(&b.out);
    encode_object(&b.out, b.pod, b.whole_pod, &rev_at);
}

static void step_pb_out(struct arena *a)
{
    (void)a;
    buf_clear(&b.out);
    schema_pb_encode(&b.out, b.pod->type, b.whole_pod);
}

static void step_apply(struct arena *a)
{
    struct field_apply     f = { .type = b.deployment->type, .writer = kubectl, .live = b.live, .config = b.config };
    struct field_conflict *conflicts;
    struct json           *obj;

    must(managed_apply(a, &f, &obj, &conflicts) == 0);
}

static void step_strategic(struct arena *a)
{
    struct json  *cur = json_copy(a, b.live), *ret;
    struct errbuf err;

    must(schema_strategic_merge(b.deployment->type, cur, b.patch, a, &ret, &err) == 0);
}

/* What follows a merge, up to the text that is stored. */
static void finish(struct arena *a, struct json *obj)
{
    uint32_t rev_at;

    schema_default(b.deployment->type, obj, a);
    validate(a, b.deployment, resource_find(STR("apps"), STR("v1"), STR("deployments")), obj);
    buf_clear(&b.out);
    encode_object(&b.out, b.deployment, obj, &rev_at);
}

static void step_whole_apply(struct arena *a)
{
    struct field_apply     f = { .type = b.deployment->type, .writer = kubectl };
    struct field_conflict *conflicts;
    struct json           *live, *config, *obj;
    struct errbuf          err;

    must(json_parse(a, b.live_text, &live, NULL) == 0 && json_parse(a, b.config_text, &config, NULL) == 0);
    must(schema_conform(b.deployment, config, a, NULL, &err) == 0);
    f.live = live;
    f.config = config;
    must(managed_apply(a, &f, &obj, &conflicts) == 0);
    finish(a, obj);
}

static void step_whole_strategic(struct arena *a)
{
    struct json  *live, *obj, *patch;
    struct errbuf err;

    must(json_parse(a, b.live_text, &live, NULL) == 0 && json_parse(a, b.patch_text, &patch, NULL) == 0);
    must(schema_strategic_merge(b.deployment->type, json_copy(a, live), patch, a, &obj, &err) == 0);
    must(schema_conform(b.deployment, obj, a, NULL, &err) == 0);
    managed_update(a, b.deployment->type, &kubectl, live, obj);
    finish(a, obj);
}

/* ---- Rules ------------------------------------------------------------------------------------------- */

static const struct { const char *text; bool typed; } rules[] = {
    { "self.spec.replicas <= 10 && self.spec.replicas >= 1", true },
    { "self.spec.template.spec.containers.all(c, c.image.startsWith('registry.example.com/') && "
      "has(c.resources) && c.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$'))", true },
    { "object.spec.template.spec.containers.all(c, c.image.startsWith('registry.example.com/') && "
      "has(c.resources) && c.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$'))", false },
};
static struct cel_program *programs[ARRAY_LEN(rules)];

static void compile(struct arena *a, size_t i)
{
    struct cel_types types = { .arena = a };
    struct cel_var   var = { rules[i].typed ? STR("self") : STR("object"), cel_type(CEL_DYN) };
    struct cel_env   env = { &var, 1 };
    struct str       why;

    if (rules[i].typed)
        var.type = cel_types_of(&types, b.deployment->type);
    must(cel_compile(&programs[i], &env, str_of(rules[i].text), cel_type(CEL_BOOL), a, &why) == 0);
}

static void run_rule(struct arena *a, size_t i)
{
    struct cel_value value = cel_from_json(b.live, NULL), v;
    struct cel_run   run = { .arena = a, .vars = &value, .limit = CEL_COST_CALL };

    if (programs[i] == NULL)
        compile(&b.arena, i);
    v = cel_eval(programs[i], &run);
    must(cel_is_true(&v));
}

static void step_rule_short(struct arena *a) { run_rule(a, 0); }
static void step_rule(struct arena *a) { run_rule(a, 1); }
static void step_rule_untyped(struct arena *a) { run_rule(a, 2); }
static void step_rule_compile(struct arena *a)
{
    struct cel_program *kept = programs[2];

    compile(a, 2);
    programs[2] = kept;
}

/* ---- A custom object ---------------------------------------------------------------------------------- */

/* 50 fields: ten texts, ten numbers, a list of ten objects of three. */
static struct {
    struct arena arena;
    struct schema_kind kind;
    struct schema_type type;
    struct str text;
    struct json *obj;
} custom;

static void prepare_custom(void)
{
    struct buf    schema = BUF_INIT, obj = BUF_INIT;
    struct json  *tree;
    struct errbuf err;

    buf_z(&schema, "{\"type\":\"object\",\"properties\":{\"spec\":{\"type\":\"object\",\"required\":[\"t0\"],\"properties\":{");
    buf_z(&obj, "{\"apiVersion\":\"a.b/v1\",\"kind\":\"Thing\",\"metadata\":{\"name\":\"thing\",\"namespace\":\"default\"},\"spec\":{");
    for (int i = 0; i < 10; i++) {
        buf_fmt(&schema, "\"t%d\":{\"type\":\"string\",\"maxLength\":64,\"pattern\":\"^[a-z0-9-]+$\"},", i);
        buf_fmt(&schema, "\"n%d\":{\"type\":\"integer\",\"minimum\":0,\"maximum\":1000,\"default\":%d},", i, i);
        buf_fmt(&obj, "\"t%d\":\"some-text-number-%d\",", i, i);
        if (i < 8)
            buf_fmt(&obj, "\"n%d\":%d,", i, i * 10);
    }
    buf_z(&schema, "\"list\":{\"type\":\"array\",\"maxItems\":20,\"x-kubernetes-list-type\":\"map\",\"x-kubernetes-list-map-keys\":[\"name\"],"
                   "\"items\":{\"type\":\"object\",\"required\":[\"name\"],\"properties\":{\"name\":{\"type\":\"string\",\"maxLength\":32},"
                   "\"port\":{\"type\":\"integer\"},\"mode\":{\"type\":\"string\",\"enum\":[\"fast\",\"slow\"],\"default\":\"fast\"}}}}},"
                   "\"x-kubernetes-validations\":[{\"rule\":\"self.n0 <= self.n1\"},{\"rule\":\"self.t0 != self.t1\"},"
                   "{\"rule\":\"self.list.all(x, x.port > 0)\"},{\"rule\":\"!has(self.t9) || self.t9.startsWith('some')\"},"
                   "{\"rule\":\"size(self.list) < 20 && self.n2 + self.n3 < 1000\"}]}}}");
    buf_z(&obj, "\"list\":[");
    for (int i = 0; i < 10; i++)
        buf_fmt(&obj, "%s{\"name\":\"port-%d\",\"port\":%d,\"mode\":\"slow\"}", i > 0 ? "," : "", i, 8000 + i);
    buf_z(&obj, "]}}");
    custom.type.name = "Thing";
    custom.kind = (struct schema_kind){ .group = "a.b", .version = "v1", .kind = "Thing", .type = &custom.type };
    custom.text = arena_str(&custom.arena, buf_str(&obj));
    must(json_parse(&custom.arena, arena_str(&custom.arena, buf_str(&schema)), &tree, NULL) == 0);
    must_ok(crd_compile(tree, &custom.arena, &custom.type, &err));
    crd_rules_compile(custom.type.user, &custom.arena, NULL, NULL);
    must(json_parse(&custom.arena, custom.text, &custom.obj, NULL) == 0);
    buf_release(&schema);
    buf_release(&obj);
}

static void step_custom_rules(struct arena *a)
{
    struct causes causes;

    causes_init(&causes, a);
    crd_rules_check(custom.type.user, custom.obj, NULL, a, &causes);
    must(causes.n == 0);
}

static void step_custom(struct arena *a)
{
    struct json  *obj;
    struct causes causes;
    struct errbuf err;
    uint32_t      rev_at;

    must(json_parse(a, custom.text, &obj, NULL) == 0);
    must(schema_conform(&custom.kind, obj, a, NULL, &err) == 0);
    schema_default(&custom.type, obj, a);
    managed_update(a, &custom.type, &kubectl, NULL, obj);
    causes_init(&causes, a);
    schema_validate(&custom.type, obj, NULL, &causes);
    crd_rules_check(custom.type.user, obj, NULL, a, &causes);
    must(causes.n == 0);
    buf_clear(&b.out);
    encode_object(&b.out, &custom.kind, obj, &rev_at);
}

/* target_us: 0: the one of the step before it. */
static const struct { const char *name; void (*run)(struct arena *a); bool row; double target_us; } steps[] = {
    { "parse a pod", step_parse },
    { "parse it as stored", step_parse_stored },
    { "find its status.phase in the text", step_scan },
    { "copy the tree", step_copy },
    { "conform", step_conform },
    { "default", step_default },
    { "validate (tables and pod rules)", step_validate },
    { "managed fields of a create", step_own },
    { "managed fields of an update, own field", step_update },
    { "managed fields of a lease renewal", step_renew },
    { "encode", step_encode },
    { "parse + conform + default + validate + encode", step_write, true, 15 },
    { "JSON in: parse + conform", step_json_in },
    { "protobuf in: decode + conform", step_pb_in, true },
    { "JSON out", step_json_out },
    { "protobuf out", step_pb_out, true },
    { "server-side apply of a Deployment", step_apply },
    { "server-side apply, from text to text, validated", step_whole_apply, true, 80 },
    { "strategic merge patch of it", step_strategic },
    { "strategic merge patch, from text to text, validated", step_whole_strategic, true, 40 },
    { "CEL rule: two comparisons", step_rule_short },
    { "CEL rule: all containers, three conditions", step_rule, true, 3 },
    { "the same without types, as a policy's", step_rule_untyped },
    { "compile it", step_rule_compile },
    { "five rules in CEL of a custom object", step_custom_rules },
    { "a custom object of 50 fields and these rules, from text to text", step_custom, true, 60 },
};

/* ---- Measuring --------------------------------------------------------------------------------------- */

static double cpu_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static double measure(void (*run)(struct arena *a), unsigned rounds, double *ret_allocations)
{
    struct arena  a = ARENA_INIT;
    double        best = 0;
    unsigned long before;

    run(&a);
    arena_release(&a);
    before = allocations;
    for (unsigned batch = 0; batch < BATCHES; batch++) {
        double from = cpu_us(), took;

        for (unsigned i = 0; i < rounds; i++) {
            run(&a);
            arena_release(&a);
        }
        took = (cpu_us() - from) / rounds;
        best = batch == 0 || took < best ? took : best;
    }
    *ret_allocations = (double)(allocations - before) / BATCHES / rounds;
    return best;
}

int main(int argc, char **argv)
{
    bool     rows = argc > 1 && strcmp(argv[1], "--rows") == 0;
    unsigned rounds = argc > 1 + rows ? (unsigned)atoi(argv[1 + rows]) : 1000;
    double   last = 0, n;

    prepare();
    prepare_custom();
    if (!rows)
        printf("a pod of %zu bytes, %zu as stored\n", b.pod_text.n, b.stored_pod.n);
    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        if (argc > 2 + rows && strstr(steps[i].name, argv[2 + rows]) == NULL)
            continue;
        double us = measure(steps[i].run, rounds > 0 ? rounds : 1, &n);
        if (!rows)
            printf("%-48s %8.2f us %8.1f allocations\n", steps[i].name, us, n);
        else if (steps[i].row)
            printf("| %s | ≤ %.1f µs | %.1f µs |\n", steps[i].name, steps[i].target_us > 0 ? steps[i].target_us : last, us);
        last = us;
    }
    buf_release(&b.out);
    arena_release(&b.arena);
    return 0;
}
