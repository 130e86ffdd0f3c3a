/* test/api/admission_test.c: the built-in admission plugins through the whole pipeline: of each one request that
 * passes and one that is refused for every rule, in the original's words; and how they are switched. */
#include <openssl/pem.h>
#include "api/admit/pod_standards.h"
#include "api/admit/plugin.h"
#include "net/tls.h"
#include "test/api/api_rig.h"

#define NS   "/api/v1/namespaces/default"
#define PODS NS "/pods"

static void make_account(struct rig *r, const char *more)
{
    char body[400];

    snprintf(body, sizeof body, "{'metadata':{'name':'default'%s}", more);
    CALL(r, 201, "POST", NS "/serviceaccounts", body);
}

/* want: of the Status' message; NULL: it passes. */
static void try(struct rig *r, int line, const char *method, const char *target, const char *body, const char *want)
{
    struct answer a = call(r, method, target, body);
    struct str    said = json_path_str(a.obj, "message");

    if (want == NULL ? a.status >= 300 : a.status < 400 || !str_is(said, want))
        test_fail(__FILE__, line, "%s %s: %d %.*s", target, body, a.status, STR_ARG(said));
    answer_free(&a);
}
#define POST(target, body, want) try(r, __LINE__, "POST", target, body, want)
#define MERGE(target, body, want)                         \
    do {                                                  \
        r->type = "application/merge-patch+json";         \
        try(r, __LINE__, "PATCH", target, body, want);    \
        r->type = NULL;                                   \
    } while (0)

static void same(struct rig *r, int line, const char *target, const char *path, const char *want)
{
    struct answer a = call(r, "GET", target, NULL);
    struct json  *v = json_path(a.obj, path);
    struct buf    b = BUF_INIT;

    if (v != NULL)
        json_write(&b, v);
    for (size_t i = 0; i < b.n; i++)
        if (b.p[i] == '"')
            b.p[i] = '\'';
    if (!str_is(buf_str(&b), want))
        test_fail(__FILE__, line, "%s %s is %.*s", target, path, (int)b.n, b.p);
    buf_release(&b);
    answer_free(&a);
}
#define SAME(target, path, want) same(r, __LINE__, target, path, want)

static struct rig *open_with(const char *enable, const char *config)
{
    struct api_opts o = { .enable_admission = enable };

    if (config != NULL)
        o.admission_config = str_of(config);
    return rig_open_with(&o);
}

/* ---- Which are on ----------------------------------------------------------------------------------------- */

static int opened(const char *enable, const char *disable, const char *config, char *why, size_t n)
{
    struct admit_opts o = { enable, disable, str_of(config) };
    struct errbuf     err = { "" };
    struct sim       *sim = sim_new(1);
    struct admit     *t = NULL;
    int               rc = admit_open(sim_machine_loop(sim_machine_new(sim, "m")), &o, &t, &err);

    admit_free(t);
    sim_free(sim);
    snprintf(why, n, "%s", err.s);
    return rc;
}

TEST(switches)
{
    char why[1200];

    CHECK_INT(opened("AlwaysPullImages, PodNodeSelector", "PodSecurity", "", why, sizeof why), 0);
    CHECK_INT(opened("", NULL, "", why, sizeof why), 0);
    CHECK_INT(opened("Podsecurity", NULL, "", why, sizeof why), E_INVALID);
    CHECK(strstr(why, "admission plugin \"Podsecurity\" is unknown; known are NamespaceLifecycle, ") != NULL);
    CHECK(strstr(why, "ResourceQuota") != NULL);
    CHECK_INT(opened(NULL, "x", "", why, sizeof why), E_INVALID);
    CHECK_INT(opened("Priority", "Priority", "", why, sizeof why), E_INVALID);
    CHECK_INT(opened(NULL, NULL, "kind: x", why, sizeof why), E_INVALID);
    CHECK_INT(opened(NULL, NULL, "{", why, sizeof why), E_INVALID);
    CHECK_INT(opened(NULL, NULL, "kind: AdmissionConfiguration\nplugins:\n- name: PodSecurity\n  configuration:\n"
                                 "    defaults: {enforce: strict}\n", why, sizeof why), E_INVALID);
    CHECK_STR(str_of(why), "admission configuration of PodSecurity: defaults.enforce: must be one of privileged, "
                           "baseline, restricted");
    CHECK_INT(opened(NULL, NULL, "kind: AdmissionConfiguration\nplugins:\n- name: EventRateLimit\n  configuration:\n"
                                 "    limits: [{type: User, qps: 0, burst: 1}]\n", why, sizeof why), E_INVALID);
    CHECK_INT(opened(NULL, NULL, "kind: AdmissionConfiguration\nplugins: [{name: Nope}]\n", why, sizeof why),
              E_INVALID);
    CHECK_INT(opened(NULL, NULL, "kind: AdmissionConfiguration\nplugins: [{name: PodSecurity, path: x}]\n", why,
                     sizeof why), E_INVALID);
}

TEST(a_plugin_that_is_off_does_nothing)
{
    struct api_opts o = { .disable_admission = "ServiceAccount,NamespaceLifecycle,Priority" };
    struct rig     *r = rig_open_with(&o);

    POST(PODS, "{'metadata':{'name':'p'},'spec':{'priority':7,'containers':[{'name':'c','image':'i'}]}}", NULL);
    POST("/api/v1/namespaces/nowhere/configmaps", "{'metadata':{'name':'x'}}", NULL);
    rig_close(r);
}

/* ---- Namespaces ------------------------------------------------------------------------------------------- */

TEST(namespace_lifecycle)
{
    struct rig *r = rig_open();

    POST("/api/v1/namespaces/none/configmaps", "{'metadata':{'name':'x'}}", "namespaces \"none\" not found");
    POST("/api/v1/namespaces", "{'metadata':{'name':'a'}}", NULL);
    POST("/api/v1/namespaces/a/configmaps", "{'metadata':{'name':'x'}}", NULL);
    CALL(r, 200, "DELETE", "/api/v1/namespaces/a", NULL);
    POST("/api/v1/namespaces/a/configmaps", "{'metadata':{'name':'y'}}",
         "configmaps \"y\" is forbidden: unable to create new content in namespace a because it is being terminated");
    try(r, __LINE__, "DELETE", "/api/v1/namespaces/kube-system", NULL,
        "namespaces \"kube-system\" is forbidden: this namespace may not be deleted");
    rig_close(r);
}

TEST(pod_node_selector)
{
    static const char config[] = "kind: AdmissionConfiguration\nplugins:\n- name: PodNodeSelector\n  configuration:\n"
                                 "    podNodeSelectorPluginConfig:\n      clusterDefaultNodeSelector: env=prod\n"
                                 "      default: env=prod,disk=ssd\n";
    struct rig *r = open_with("PodNodeSelector", config);

    make_account(r, "}");
    POST(PODS, "{'metadata':{'name':'a'},'spec':{'containers':[{'name':'c','image':'i'}]}}", NULL);
    SAME(PODS "/a", "spec.nodeSelector", "{'env':'prod'}");
    POST(PODS, "{'metadata':{'name':'b'},'spec':{'nodeSelector':{'env':'x'},'containers':[{'name':'c','image':'i'}]}}",
         "pods \"b\" is forbidden: pod node label selector conflicts with its namespace node label selector");
    POST(PODS, "{'metadata':{'name':'b'},'spec':{'nodeSelector':{'z':'x'},'containers':[{'name':'c','image':'i'}]}}",
         "pods \"b\" is forbidden: pod node label selector labels conflict with its namespace whitelist");
    rig_close(r);
}

/* ---- Pods --------------------------------------------------------------------------------------------------- */

#define POD(name, spec, container) \
    "{'metadata':{'name':'" name "'},'spec':{" spec "'containers':[{'name':'c','image':'i'" container "}]}}"

TEST(service_account)
{
    struct rig *r = rig_open();

    make_account(r, ",'annotations':{'kubernetes.io/enforce-mountable-secrets':'true'}},'secrets':[{'name':'mine'}]");
    POST(PODS, POD("a", "'volumes':[{'name':'v','secret':{'secretName':'mine'}}],", ""), NULL);
    POST(PODS, POD("b", "'volumes':[{'name':'v','secret':{'secretName':'other'}}],", ""),
         "pods \"b\" is forbidden: volume with secret.secretName=\"other\" is not allowed because service account "
         "default does not reference that secret");
    POST(PODS, POD("b", "", ",'env':[{'name':'E','valueFrom':{'secretKeyRef':{'name':'other','key':'k'}}}]"),
         "pods \"b\" is forbidden: container c with envVar E referencing secret.secretName=\"other\" is not allowed "
         "because service account default does not reference that secret");
    POST(PODS, POD("b", "'imagePullSecrets':[{'name':'p'}],", ""),
         "pods \"b\" is forbidden: imagePullSecrets[0].name=\"p\" is not allowed because service account default does "
         "not reference that imagePullSecret");
    POST(PODS, "{'metadata':{'name':'m','annotations':{'kubernetes.io/config.mirror':'x'}},'spec':"
               "{'serviceAccountName':'default','containers':[{'name':'c','image':'i'}]}}",
         "pods \"m\" is forbidden: a mirror pod may not reference service accounts");
    rig_close(r);
}

TEST(priority)
{
    static const char classes[] = "/apis/scheduling.k8s.io/v1/priorityclasses";
    struct rig *r = rig_open();

    make_account(r, "}");
    POST(classes, "{'metadata':{'name':'low'},'value':10,'preemptionPolicy':'Never'}", NULL);
    POST(PODS, POD("a", "'priorityClassName':'low',", ""), NULL);
    SAME(PODS "/a", "spec.priority", "10");
    SAME(PODS "/a", "spec.preemptionPolicy", "'Never'");
    POST(PODS, POD("b", "'priorityClassName':'none',", ""),
         "pods \"b\" is forbidden: no PriorityClass with name none was found");
    POST(PODS, POD("b", "'priorityClassName':'low','priority':11,", ""),
         "pods \"b\" is forbidden: the integer value of priority (11) must not be provided in pod spec; priority "
         "admission controller computed 10 from the given PriorityClass name");
    POST(PODS, POD("b", "'priorityClassName':'low','preemptionPolicy':'PreemptLowerPriority',", ""),
         "pods \"b\" is forbidden: the string value of PreemptionPolicy (PreemptLowerPriority) must not be provided "
         "in pod spec; priority admission controller computed Never from the given PriorityClass name");
    POST(classes, "{'metadata':{'name':'usual'},'value':5,'globalDefault':true}", NULL);
    POST(PODS, POD("c", "", ""), NULL);
    SAME(PODS "/c", "spec.priorityClassName", "'usual'");
    SAME(PODS "/c", "spec.priority", "5");
    POST(classes, "{'metadata':{'name':'other'},'value':6,'globalDefault':true}",
         "priorityclasses.scheduling.k8s.io \"other\" is forbidden: PriorityClass usual is already marked as default. "
         "Only one default can exist");
    MERGE("/apis/scheduling.k8s.io/v1/priorityclasses/usual", "{'description':'x'}", NULL);
    rig_close(r);
}

TEST(limit_ranger)
{
    struct rig *r = rig_open();

    make_account(r, "}");
    POST(NS "/limitranges",
         "{'metadata':{'name':'l'},'spec':{'limits':[{'type':'Container','min':{'cpu':'100m'},'max':{'cpu':'2'},"
         "'default':{'cpu':'500m'},'defaultRequest':{'cpu':'200m'},'maxLimitRequestRatio':{'cpu':'4'}},"
         "{'type':'Pod','max':{'memory':'1Gi'}},{'type':'PersistentVolumeClaim','min':{'storage':'1Gi'},"
         "'max':{'storage':'2Gi'}}]}}", NULL);
    POST(PODS, POD("a", "", ",'resources':{'limits':{'memory':'1Gi'}}"), NULL);
    SAME(PODS "/a", "spec.containers.0.resources",
         "{'limits':{'memory':'1Gi','cpu':'500m'},'requests':{'memory':'1Gi','cpu':'200m'}}");
    SAME(PODS "/a", "metadata.annotations",
         "{'kubernetes.io/limit-ranger':'LimitRanger plugin set: cpu request for container c; cpu limit for container "
         "c'}");
#define CPU(request, limit) \
    ",'resources':{'requests':{'cpu':'" request "'},'limits':{'cpu':'" limit "','memory':'1Gi'}}"
    POST(PODS, POD("b", "", CPU("50m", "100m")),
         "pods \"b\" is forbidden: minimum cpu usage per Container is 100m, but request is 50m");
    POST(PODS, POD("b", "", CPU("1", "3")),
         "pods \"b\" is forbidden: maximum cpu usage per Container is 2, but limit is 3");
    POST(PODS, POD("b", "", CPU("200m", "1")),
         "pods \"b\" is forbidden: cpu max limit to request ratio per Container is 4, but provided ratio is 5.000000");
    POST(PODS, POD("b", "", ""),
         "pods \"b\" is forbidden: maximum memory usage per Pod is 1Gi.  No limit is specified");
    POST(PODS, POD("b", "", ",'resources':{'limits':{'memory':'2Gi','cpu':'3'}}"),
         "pods \"b\" is forbidden: [maximum cpu usage per Container is 2, but limit is 3, maximum memory usage per Pod "
         "is 1Gi, but limit is 2Gi]");
#define CLAIM(size) \
    "{'metadata':{'name':'c'},'spec':{'accessModes':['ReadWriteOnce'],'resources':{'requests':{'storage':'" size "'}}}}"
    POST(NS "/persistentvolumeclaims", CLAIM("3Gi"),
         "persistentvolumeclaims \"c\" is forbidden: maximum storage usage per PersistentVolumeClaim is 2Gi, but "
         "request is 3Gi");
    POST(NS "/persistentvolumeclaims", CLAIM("1Mi"),
         "persistentvolumeclaims \"c\" is forbidden: minimum storage usage per PersistentVolumeClaim is 1Gi, but "
         "request is 1Mi");
    POST(NS "/persistentvolumeclaims", CLAIM("1Gi"), NULL);
    rig_close(r);
}

TEST(runtime_class)
{
    struct rig *r = rig_open();

    make_account(r, "}");
    POST("/apis/node.k8s.io/v1/runtimeclasses",
         "{'metadata':{'name':'vm'},'handler':'vm','overhead':{'podFixed':{'cpu':'250m'}},'scheduling':{'nodeSelector':"
         "{'vm':'yes'},'tolerations':[{'key':'vm','operator':'Exists'}]}}", NULL);
    POST(PODS, POD("a", "'runtimeClassName':'vm',", ""), NULL);
    SAME(PODS "/a", "spec.overhead", "{'cpu':'250m'}");
    SAME(PODS "/a", "spec.nodeSelector", "{'vm':'yes'}");
    SAME(PODS "/a", "spec.tolerations.2", "{'key':'vm','operator':'Exists'}");
    POST(PODS, POD("b", "'runtimeClassName':'none',", ""),
         "pods \"b\" is forbidden: pod rejected: RuntimeClass \"none\" not found");
    POST(PODS, POD("b", "'runtimeClassName':'vm','overhead':{'cpu':'1'},", ""),
         "pods \"b\" is forbidden: pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead");
    POST(PODS, POD("b", "'overhead':{'cpu':'1'},", ""),
         "pods \"b\" is forbidden: pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead");
    POST(PODS, POD("b", "'runtimeClassName':'vm','nodeSelector':{'vm':'no'},", ""),
         "pods \"b\" is forbidden: conflict: runtimeClass.scheduling.nodeSelector[vm] = yes; "
         "pod.spec.nodeSelector[vm] = no");
    rig_close(r);
}

TEST(always_pull_images)
{
    struct rig *r = open_with("AlwaysPullImages", NULL);

    make_account(r, "}");
    POST(PODS, POD("a", "'initContainers':[{'name':'i','image':'x','imagePullPolicy':'Never'}],", ""), NULL);
    SAME(PODS "/a", "spec.containers.0.imagePullPolicy", "'Always'");
    SAME(PODS "/a", "spec.initContainers.0.imagePullPolicy", "'Always'");
    rig_close(r);
}

/* ---- The Pod Security Standards --------------------------------------------------------------------------- */

#define SAFE "'allowPrivilegeEscalation':false,'runAsNonRoot':true,'capabilities':{'drop':['ALL']}"
#define CONTAINER(context) "'containers':[{'name':'c','image':'i','securityContext':{" context "}}]"
#define FINE "'securityContext':{'seccompProfile':{'type':'RuntimeDefault'}},"

static const struct { const char *spec, *baseline, *restricted; } standards[] = {
    { FINE CONTAINER(SAFE), "", "" },
    { CONTAINER(SAFE), "",
      "seccompProfile (pod or container 'c' must set securityContext.seccompProfile.type to 'RuntimeDefault' or "
      "'Localhost')" },
    { FINE CONTAINER(SAFE ",'privileged':true"),
      "privileged (container 'c' must not set securityContext.privileged=true)", NULL },
    { FINE "'hostNetwork':true,'hostPID':true," CONTAINER(SAFE), "host namespaces (hostNetwork=true, hostPID=true)",
      NULL },
    { FINE "'volumes':[{'name':'v','hostPath':{'path':'/'}}]," CONTAINER(SAFE), "hostPath volumes (volume 'v')",
      "restricted volume types (volume 'v' uses restricted volume type 'hostPath')" },
    { FINE "'containers':[{'name':'c','ports':[{'hostPort':80},{'hostPort':81}],'securityContext':{" SAFE "}},"
           "{'name':'d','ports':[{'hostPort':82}],'securityContext':{" SAFE "}}]",
      "hostPort (containers 'c', 'd' use hostPorts 80, 81, 82)", NULL },
    { FINE CONTAINER("'allowPrivilegeEscalation':false,'runAsNonRoot':true,'capabilities':{'drop':['ALL'],"
                     "'add':['NET_ADMIN','KILL']}"),
      "non-default capabilities (container 'c' must not include 'NET_ADMIN' in securityContext.capabilities.add)",
      "unrestricted capabilities (container 'c' must not include 'NET_ADMIN', 'KILL' in "
      "securityContext.capabilities.add)" },
    { FINE CONTAINER("'allowPrivilegeEscalation':false,'runAsNonRoot':true"), "",
      "unrestricted capabilities (container 'c' must set securityContext.capabilities.drop=['ALL'])" },
    { FINE CONTAINER("'runAsNonRoot':true,'capabilities':{'drop':['ALL']}"), "",
      "allowPrivilegeEscalation != false (container 'c' must set securityContext.allowPrivilegeEscalation=false)" },
    { FINE CONTAINER("'allowPrivilegeEscalation':false,'capabilities':{'drop':['ALL']}"), "",
      "runAsNonRoot != true (pod or container 'c' must set securityContext.runAsNonRoot=true)" },
    { FINE CONTAINER("'allowPrivilegeEscalation':false,'runAsNonRoot':false,'capabilities':{'drop':['ALL']}"), "",
      "runAsNonRoot != true (container 'c' must not set securityContext.runAsNonRoot=false)" },
    { FINE CONTAINER(SAFE ",'runAsUser':0"), "", "runAsUser=0 (container 'c' must not set runAsUser=0)" },
    { "'securityContext':{'seccompProfile':{'type':'Unconfined'}}," CONTAINER(SAFE),
      "seccompProfile (pod must not set securityContext.seccompProfile.type to 'Unconfined')", NULL },
    { FINE CONTAINER(SAFE ",'procMount':'Unmasked'"),
      "procMount (container 'c' must not set securityContext.procMount to 'Unmasked')", NULL },
    { FINE CONTAINER(SAFE ",'appArmorProfile':{'type':'Unconfined'}"),
      "forbidden AppArmor profile (container 'c' must not set AppArmor profile type to 'Unconfined')", NULL },
    { FINE CONTAINER(SAFE ",'seLinuxOptions':{'type':'spc_t','user':'u'}"),
      "seLinuxOptions (container 'c' set forbidden securityContext.seLinuxOptions: type 'spc_t'; user may not be set)",
      NULL },
    { FINE CONTAINER(SAFE ",'windowsOptions':{'hostProcess':true}"),
      "hostProcess (container 'c' must not set securityContext.windowsOptions.hostProcess=true)", NULL },
    { "'securityContext':{'seccompProfile':{'type':'RuntimeDefault'},'sysctls':[{'name':'kernel.msgmax'},"
      "{'name':'kernel.shm_rmid_forced'}]}," CONTAINER(SAFE),
      "forbidden sysctls (kernel.msgmax)", NULL },
};

static void judge(enum pod_level level, const char *spec, const char *want)
{
    struct arena       a = ARENA_INIT;
    char               text[2000];
    struct json       *j;
    struct json_error  why;
    struct pod_verdict v;
    char              *said;

    snprintf(text, sizeof text, "{%s}", spec);
    for (char *p = text; *p != '\0'; p++)
        if (*p == '\'')
            *p = '"';
    must_ok(json_parse(&a, str_of(text), &j, &why));
    v = pod_standards_check(&a, level, POD_VERSION_LATEST, NULL, j);
    said = arena_cstr(&a, v.details);
    for (char *p = said; *p != '\0'; p++)
        if (*p == '"')
            *p = '\'';
    if (strcmp(said, want) != 0)
        test_fail(__FILE__, __LINE__, "%s\n is told\n%s\n not\n%s", spec, said, want);
    arena_release(&a);
}

TEST(pod_security_standards)
{
    for (size_t i = 0; i < ARRAY_LEN(standards); i++) {
        judge(POD_PRIVILEGED, standards[i].spec, "");
        judge(POD_BASELINE, standards[i].spec, standards[i].baseline);
        judge(POD_RESTRICTED, standards[i].spec,
              standards[i].restricted != NULL ? standards[i].restricted : standards[i].baseline);
    }
}

TEST(pod_security_modes)
{
    static const char config[] = "kind: AdmissionConfiguration\nplugins:\n- name: PodSecurity\n  configuration:\n"
                                 "    defaults: {enforce: baseline}\n    exemptions: {usernames: [root]}\n";
    struct rig   *r = open_with(NULL, config);
    struct answer a;

    make_account(r, "}");
    POST(PODS, POD("a", "'hostPID':true,", ""),
         "pods \"a\" is forbidden: violates PodSecurity \"baseline:latest\": host namespaces (hostPID=true)");
    r->user = "root";
    r->group = "system:masters";
    POST(PODS, POD("a", "'hostPID':true,", ""), NULL);
    r->user = r->group = NULL;
    POST(PODS, POD("b", "", ""), NULL);
    MERGE(NS, "{'metadata':{'labels':{'pod-security.kubernetes.io/enforce':'bad'}}}",
          "Namespace \"default\" is invalid: metadata.labels[pod-security.kubernetes.io/enforce]: Invalid value: "
          "\"bad\": must be one of privileged, baseline, restricted");
    r->type = "application/merge-patch+json";
    a = call(r, "PATCH", NS, "{'metadata':{'labels':{'pod-security.kubernetes.io/enforce':'restricted',"
                             "'pod-security.kubernetes.io/enforce-version':'v1.24'}}}");
    r->type = NULL;
    CHECK_INT(a.status, 200);
    CHECK(strstr(a.extra, "violate the new PodSecurity enforce level \\\"restricted:v1.24\\\"") != NULL);
    CHECK(strstr(a.extra, "b: allowPrivilegeEscalation != false, unrestricted capabilities, ") != NULL);
    answer_free(&a);
    MERGE(NS, "{'metadata':{'labels':{'pod-security.kubernetes.io/enforce':'privileged',"
              "'pod-security.kubernetes.io/warn':'baseline'}}}", NULL);
    a = call(r, "POST", "/apis/apps/v1/namespaces/default/deployments",
             "{'metadata':{'name':'d'},'spec':{'selector':{'matchLabels':{'a':'b'}},'template':{'metadata':{'labels':"
             "{'a':'b'}},'spec':{'hostIPC':true,'containers':[{'name':'c','image':'i'}]}}}}");
    CHECK_INT(a.status, 201);
    CHECK(strstr(a.extra, "would violate PodSecurity \\\"baseline:latest\\\": host namespaces (hostIPC=true)") != NULL);
    answer_free(&a);
    rig_close(r);
}

/* ---- Other kinds -------------------------------------------------------------------------------------------- */

TEST(default_classes)
{
    static const char classes[] = "/apis/storage.k8s.io/v1/storageclasses";
    struct rig *r = rig_open();

#define DEFAULT "'annotations':{'storageclass.kubernetes.io/is-default-class':'true'}"
    POST(NS "/persistentvolumeclaims", CLAIM("1Gi"), NULL);
    SAME(NS "/persistentvolumeclaims/c", "spec.storageClassName", "");
    SAME(NS "/persistentvolumeclaims/c", "metadata.finalizers", "['kubernetes.io/pvc-protection']");
    POST(classes, "{'metadata':{'name':'old'," DEFAULT "},'provisioner':'a.b/c'}", NULL);
    rig_run(r, 2000);
    POST(classes, "{'metadata':{'name':'new'," DEFAULT "},'provisioner':'a.b/c'}", NULL);
    POST(classes, "{'metadata':{'name':'a'},'provisioner':'a.b/c'}", NULL);
    POST(NS "/persistentvolumeclaims",
         "{'metadata':{'name':'d'},'spec':{'accessModes':['ReadWriteOnce'],'resources':{'requests':{'storage':'1'}}}}",
         NULL);
    SAME(NS "/persistentvolumeclaims/d", "spec.storageClassName", "'new'");
    POST("/apis/networking.k8s.io/v1/ingressclasses",
         "{'metadata':{'name':'web','annotations':{'ingressclass.kubernetes.io/is-default-class':'true'}},'spec':"
         "{'controller':'a.b/c'}}", NULL);
    POST("/apis/networking.k8s.io/v1/namespaces/default/ingresses",
         "{'metadata':{'name':'i'},'spec':{'defaultBackend':{'service':{'name':'s','port':{'number':80}}}}}", NULL);
    SAME("/apis/networking.k8s.io/v1/namespaces/default/ingresses/i", "spec.ingressClassName", "'web'");
    rig_close(r);
}

TEST(external_ips)
{
    struct rig *r = open_with("DenyServiceExternalIPs", NULL);

    POST(NS "/services", "{'metadata':{'name':'a'},'spec':{'ports':[{'port':80}]}}", NULL);
    POST(NS "/services", "{'metadata':{'name':'b'},'spec':{'externalIPs':['1.2.3.4'],'ports':[{'port':80}]}}",
         "services \"b\" is forbidden: Use of external IPs is denied by admission control");
    MERGE(NS "/services/a", "{'spec':{'externalIPs':['1.2.3.4']}}",
          "services \"a\" is forbidden: Use of external IPs is denied by admission control");
    rig_close(r);
}

TEST(event_rate_limit)
{
    static const char config[] = "kind: AdmissionConfiguration\nplugins:\n- name: EventRateLimit\n  configuration:\n"
                                 "    limits: [{type: Namespace, qps: 1, burst: 3}]\n";
    struct rig *r = open_with("EventRateLimit", config);
    char        body[200];

    for (unsigned i = 0; i < 4; i++) {
        snprintf(body, sizeof body, "{'metadata':{'name':'e%u'},'involvedObject':{'kind':'Pod','namespace':'default'}}",
                 i);
        POST(NS "/events", body, i < 3 ? NULL
                                       : "Too many requests: limit reached on type Namespace for key default");
    }
    rig_run(r, 1100);
    POST(NS "/events", body, NULL);
    rig_close(r);
}

TEST(taint_nodes_and_node_restriction)
{
    struct rig *r = rig_open();

    r->user = "system:node:n1";
    r->group = "system:nodes";
    POST("/api/v1/nodes", "{'metadata':{'name':'n1','labels':{'node-restriction.kubernetes.io/a':'b'}}}",
         "nodes \"n1\" is forbidden: node \"n1\" is not allowed to set the following labels: "
         "node-restriction.kubernetes.io/a");
    POST("/api/v1/nodes", "{'metadata':{'name':'n1','labels':{'kubernetes.io/hostname':'n1','mine':'x'}}}", NULL);
    SAME("/api/v1/nodes/n1", "spec.taints", "[{'key':'node.kubernetes.io/not-ready','effect':'NoSchedule'}]");
    MERGE("/api/v1/nodes/n1", "{'metadata':{'labels':{'mine':'y','kubernetes.io/os':'linux'}}}", NULL);
    MERGE("/api/v1/nodes/n1", "{'metadata':{'labels':{'role.kubernetes.io/x':'y'}}}",
          "nodes \"n1\" is forbidden: is not allowed to modify labels: role.kubernetes.io/x");
    MERGE("/api/v1/nodes/n1", "{'spec':{'taints':null}}",
          "nodes \"n1\" is forbidden: node \"n1\" is not allowed to modify taints");
    MERGE("/api/v1/nodes/n1",
          "{'metadata':{'ownerReferences':[{'apiVersion':'v1','kind':'Node','name':'x','uid':'u'}]}}",
          "nodes \"n1\" is forbidden: node \"n1\" is not allowed to modify ownerReferences");
    POST(PODS, POD("p", "'nodeName':'n1','serviceAccountName':'x',", ""),
         "pods \"p\" is forbidden: error looking up service account default/x: serviceaccount \"x\" not found");
    POST(PODS, "{'metadata':{'name':'m','annotations':{'kubernetes.io/config.mirror':'x'}},'spec':{'nodeName':'n2',"
               "'containers':[{'name':'c','image':'i'}]}}",
         "pods \"m\" is forbidden: node \"n1\" can only create pods with spec.nodeName set to itself");
    POST(PODS, "{'metadata':{'name':'m','annotations':{'kubernetes.io/config.mirror':'x'}},'spec':{'nodeName':'n1',"
               "'containers':[{'name':'c','image':'i'}]}}",
         "pods \"m\" is forbidden: node \"n1\" can only create pods with an owner reference set to itself");
    rig_close(r);
}

TEST(claims_grow_where_their_class_lets_them)
{
    struct rig *r = rig_open();

    POST("/apis/storage.k8s.io/v1/storageclasses", "{'metadata':{'name':'s'},'provisioner':'a.b/c'}", NULL);
    POST("/apis/storage.k8s.io/v1/storageclasses",
         "{'metadata':{'name':'g'},'provisioner':'a.b/c','allowVolumeExpansion':true}", NULL);
#define OF_CLASS(name, class) \
    "{'metadata':{'name':'" name "'},'spec':{'accessModes':['ReadWriteOnce'],'storageClassName':'" class "',"      \
    "'resources':{'requests':{'storage':'1Gi'}}}}"
    POST(NS "/persistentvolumeclaims", OF_CLASS("a", "s"), NULL);
    POST(NS "/persistentvolumeclaims", OF_CLASS("b", "g"), NULL);
    for (const char *name = "ab"; *name != '\0'; name++) {
        char path[100];

        snprintf(path, sizeof path, NS "/persistentvolumeclaims/%c/status", *name);
        MERGE(path, "{'status':{'phase':'Bound'}}", NULL);
    }
    MERGE(NS "/persistentvolumeclaims/a", "{'spec':{'resources':{'requests':{'storage':'2Gi'}}}}",
          "persistentvolumeclaims \"a\" is forbidden: only dynamically provisioned pvc can be resized and the "
          "storageclass that provisions the pvc must support resize");
    MERGE(NS "/persistentvolumeclaims/b", "{'spec':{'resources':{'requests':{'storage':'2Gi'}}}}", NULL);
    rig_close(r);
}

#define RBAC "/apis/rbac.authorization.k8s.io/v1"

static void allow(struct rig *r, const char *name, const char *rule)
{
    char body[600];

    snprintf(body, sizeof body, "{'metadata':{'name':'%s'},'rules':[%s]}", name, rule);
    CALL(r, 201, "POST", RBAC "/clusterroles", body);
    snprintf(body, sizeof body, "{'metadata':{'name':'%s'},'roleRef':{'apiGroup':'rbac.authorization.k8s.io',"
                                "'kind':'ClusterRole','name':'%s'},'subjects':[{'apiGroup':"
                                "'rbac.authorization.k8s.io','kind':'User','name':'ann'}]}", name, name);
    CALL(r, 201, "POST", RBAC "/clusterrolebindings", body);
    rig_run(r, 50);
}

/* A request for a client certificate of organization o, as spec.request. */
static void make_request(char *to, size_t n, const char *organization)
{
    EVP_PKEY  *key = EVP_EC_gen("P-256");
    X509_REQ  *req = X509_REQ_new();
    X509_NAME *name = X509_REQ_get_subject_name(req);
    BIO       *bio = BIO_new(BIO_s_mem());
    struct buf text = BUF_INIT;
    char      *pem;

    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)"ann", -1, -1, 0);
    X509_NAME_add_entry_by_txt(name, "O", MBSTRING_UTF8, (const unsigned char *)organization, -1, -1, 0);
    X509_REQ_set_pubkey(req, key);
    X509_REQ_sign(req, key, EVP_sha256());
    PEM_write_bio_X509_REQ(bio, req);
    long size = BIO_get_mem_data(bio, &pem);
    base64_encode(&text, str_make(pem, (size_t)size), false);
    snprintf(to, n, "%.*s", (int)text.n, text.p);
    buf_release(&text);
    BIO_free(bio);
    X509_REQ_free(req);
    EVP_PKEY_free(key);
}

TEST(certificates)
{
    static const char path[] = "/apis/certificates.k8s.io/v1/certificatesigningrequests";
    struct rig *r = rig_open();
    char        request[4000], body[4400];

    make_request(request, sizeof request, "system:masters");
    snprintf(body, sizeof body, "{'metadata':{'name':'a'},'spec':{'request':'%s','usages':['client auth'],"
                                "'signerName':'kubernetes.io/kube-apiserver-client'}}", request);
    POST(path, body, "certificatesigningrequests.certificates.k8s.io \"a\" is forbidden: use of "
                     "kubernetes.io/kube-apiserver-client signer with system:masters group is not allowed");
    make_request(request, sizeof request, "people");
    snprintf(body, sizeof body, "{'metadata':{'name':'a'},'spec':{'request':'%s','usages':['client auth'],"
                                "'signerName':'kubernetes.io/kube-apiserver-client'}}", request);
    POST(path, body, NULL);
    allow(r, "approver", "{'apiGroups':['certificates.k8s.io'],'resources':['certificatesigningrequests/approval',"
                         "'certificatesigningrequests/status'],'verbs':['update','patch']}");
    r->user = "ann";
    MERGE("/apis/certificates.k8s.io/v1/certificatesigningrequests/a/approval",
          "{'status':{'conditions':[{'type':'Approved','status':'True','reason':'x'}]}}",
          "certificatesigningrequests.certificates.k8s.io \"a\" is forbidden: user not permitted to approve requests "
          "with signerName \"kubernetes.io/kube-apiserver-client\"");
    r->user = NULL;
    allow(r, "signer", "{'apiGroups':['certificates.k8s.io'],'resources':['signers'],'verbs':['approve'],"
                       "'resourceNames':['kubernetes.io/*']}");
    r->user = "ann";
    MERGE("/apis/certificates.k8s.io/v1/certificatesigningrequests/a/approval",
          "{'status':{'conditions':[{'type':'Approved','status':'True','reason':'x'}]}}", NULL);
    MERGE("/apis/certificates.k8s.io/v1/certificatesigningrequests/a/status",
          "{'status':{'certificate':'eHg='}}",
          "certificatesigningrequests.certificates.k8s.io \"a\" is forbidden: user not permitted to sign requests "
          "with signerName \"kubernetes.io/kube-apiserver-client\"");
    r->user = NULL;
    rig_close(r);
}

TEST(owner_references)
{
#define OWNED(name, blocks) \
    "{'metadata':{'name':'" name "','ownerReferences':[{'apiVersion':'apps/v1','kind':'ReplicaSet','name':'o',"    \
    "'uid':'u','blockOwnerDeletion':" blocks "}]}}"
    struct rig *r = open_with("OwnerReferencesPermissionEnforcement", NULL);

    allow(r, "maker", "{'apiGroups':[''],'resources':['configmaps'],'verbs':['create','update','patch']}");
    r->user = "ann";
    POST(NS "/configmaps", "{'metadata':{'name':'a'}}", NULL);
    POST(NS "/configmaps", OWNED("b", "false"),
         "configmaps \"b\" is forbidden: cannot set an ownerRef on a resource you can't delete: , <nil>");
    r->user = NULL;
    allow(r, "deleter", "{'apiGroups':[''],'resources':['configmaps'],'verbs':['delete']}");
    r->user = "ann";
    POST(NS "/configmaps", OWNED("b", "false"), NULL);
    POST(NS "/configmaps", OWNED("c", "true"),
         "configmaps \"c\" is forbidden: cannot set blockOwnerDeletion if an ownerReference refers to a resource you "
         "can't set finalizers on: , <nil>");
    r->user = NULL;
    allow(r, "finalizer", "{'apiGroups':['apps'],'resources':['replicasets/finalizers'],'verbs':['update']}");
    r->user = "ann";
    POST(NS "/configmaps", OWNED("c", "true"), NULL);
    r->user = NULL;
    rig_close(r);
}

/* ---- Those that wait ------------------------------------------------------------------------------------------ */

/* Writes that queue for their turn at a quota: some clients leave while they wait, and in the midst of it. */
TEST(clients_that_leave_the_queue)
{
    struct rig  *r = rig_open();
    struct talk *t[40];
    char         body[80];
    unsigned     made = 0;

    POST(NS "/resourcequotas", "{'metadata':{'name':'q'},'spec':{'hard':{'count/configmaps':'1000'}}}", NULL);
    CALL(r, 200, "PUT", NS "/resourcequotas/q/status",
         "{'metadata':{'name':'q'},'status':{'hard':{'count/configmaps':'1000'},'used':{'count/configmaps':'0'}}}");
    for (unsigned i = 0; i < ARRAY_LEN(t); i++) {
        snprintf(body, sizeof body, "{'metadata':{'name':'c%u'}}", i);
        t[i] = talk_open(r, "POST", NS "/configmaps", body);
    }
    for (unsigned i = 0; i < ARRAY_LEN(t); i += 3)
        talk_close(t[i]);
    rig_run(r, 2000);
    for (unsigned i = 0; i < ARRAY_LEN(t); i++)
        if (i % 3 != 0) {
            CHECK_INT(t[i]->status, 201);
            made += t[i]->status == 201;
            talk_close(t[i]);
        }
    CHECK_INT(made, 26);
    rig_close(r);
}
