/* test/api/all_kinds_test.c: one good object of every stored kind goes through the whole API: created, defaulted,
 * read back, shown as a row, written as protobuf and read again, patched, deleted. */
#include "test/api/api_rig.h"
#include "test/api/api_fixture.h"

#define CONTAINERS "'containers':[{'name':'c','image':'i'}]"
#define TEMPLATE "'selector':{'matchLabels':{'a':'b'}},'template':{'metadata':{'labels':{'a':'b'}},'spec':{" CONTAINERS "}}"
#define TARGET "'scaleTargetRef':{'apiVersion':'apps/v1','kind':'Deployment','name':'web'},'maxReplicas':5"
#define HOOK "'name':'a.b.c','sideEffects':'None','admissionReviewVersions':['v1'],'clientConfig':{'service':{'namespace':'n'," \
             "'name':'s'}},'rules':[{'operations':['*'],'apiGroups':['*'],'apiVersions':['v1'],'resources':['pods']}]"
#define ROLE "'rules':[{'verbs':['get'],'apiGroups':[''],'resources':['pods'],'resourceNames':['x']}]"
#define BINDING "'roleRef':{'kind':'ClusterRole','name':'view'},'subjects':[{'kind':'User','name':'u'},{'kind':'ServiceAccount'," \
                "'name':'s','namespace':'default'}]"

/* What defaults must be there afterwards: "path=value" lines, value as JSON without quotes. */
static const struct sample { const char *group, *version, *plural, *name, *body, *defaults; } samples[] = {
    { "", "v1", "configmaps", "x", "'data':{'a':'b'},'binaryData':{'c':'AAE='}", "" },
    { "", "v1", "endpoints", "x", "'subsets':[{'addresses':[{'ip':'10.1.1.1'}],'ports':[{'port':80}]}]",
      "subsets.0.ports.0.protocol=TCP" },
    { "", "v1", "events", "x", "'involvedObject':{'kind':'Pod','name':'p','namespace':'default'},'reason':'R','message':'m',"
      "'type':'Normal','firstTimestamp':'2026-01-01T00:00:00Z'", "" },
    { "", "v1", "limitranges", "x", "'spec':{'limits':[{'type':'Container','max':{'cpu':'2'},'defaultRequest':{'memory':'1Gi'}}]}",
      "spec.limits.0.default.cpu=2\nspec.limits.0.defaultRequest.cpu=2\nspec.limits.0.defaultRequest.memory=1Gi" },
    { "", "v1", "namespaces", "x", "'spec':{}", "status.phase=Active" },
    { "", "v1", "nodes", "x", "'spec':{'podCIDR':'10.0.0.0/24','podCIDRs':['10.0.0.0/24']}", "" },
    { "", "v1", "persistentvolumes", "x", "'spec':{'capacity':{'storage':'1Gi'},'accessModes':['ReadWriteOnce'],'hostPath':"
      "{'path':'/x'}}", "spec.persistentVolumeReclaimPolicy=Retain\nspec.volumeMode=Filesystem\nspec.hostPath.type=\nstatus.phase=Pending" },
    { "", "v1", "persistentvolumeclaims", "x", "'spec':{'accessModes':['ReadWriteOnce'],'resources':{'requests':{'storage':'1Gi'}},"
      "'dataSource':{'kind':'PersistentVolumeClaim','name':'y'}}",
      "spec.volumeMode=Filesystem\nstatus.phase=Pending\nspec.dataSourceRef.name=y" },
    { "", "v1", "pods", "x", "'spec':{'automountServiceAccountToken':false," CONTAINERS "}", "status.phase=Pending\nspec.dnsPolicy=ClusterFirst" },
    { "", "v1", "podtemplates", "x", "'template':{'metadata':{'labels':{'a':'b'}},'spec':{" CONTAINERS "}}",
      "metadata.generation=1\ntemplate.spec.restartPolicy=Always\ntemplate.spec.containers.0.imagePullPolicy=Always" },
    { "", "v1", "replicationcontrollers", "x", "'spec':{'template':{'metadata':{'labels':{'a':'b'}},'spec':{" CONTAINERS "}}}",
      "spec.replicas=1\nspec.selector.a=b\nmetadata.labels.a=b\nmetadata.generation=1\nstatus.replicas=0" },
    { "", "v1", "resourcequotas", "x", "'spec':{'hard':{'pods':'10','requests.cpu':'4'},'scopes':['NotTerminating']}", "" },
    { "", "v1", "secrets", "x", "'data':{'a':'AAE='}", "type=Opaque" },
    { "", "v1", "serviceaccounts", "x", "'imagePullSecrets':[{'name':'s'}]", "" },
    { "", "v1", "services", "x", "'spec':{'selector':{'a':'b'},'ports':[{'port':80}]}", "spec.type=ClusterIP\nspec.ports.0.targetPort=80" },
    { "admissionregistration.k8s.io", "v1", "mutatingwebhookconfigurations", "x", "'webhooks':[{" HOOK "}]",
      "webhooks.0.failurePolicy=Fail\nwebhooks.0.matchPolicy=Equivalent\nwebhooks.0.timeoutSeconds=10\nwebhooks.0.reinvocationPolicy=Never\n"
      "webhooks.0.clientConfig.service.port=443\nwebhooks.0.rules.0.scope=*\nmetadata.generation=1" },
    { "admissionregistration.k8s.io", "v1", "validatingwebhookconfigurations", "x", "'webhooks':[{" HOOK "}]",
      "webhooks.0.failurePolicy=Fail\nwebhooks.0.timeoutSeconds=10" },
    { "admissionregistration.k8s.io", "v1", "validatingadmissionpolicies", "x", "'spec':{'matchConstraints':{'resourceRules':[{'operations':"
      "['CREATE'],'apiGroups':['apps'],'apiVersions':['v1'],'resources':['deployments'],'resourceNames':['n']}]},'validations':[{"
      "'expression':'true'}],'variables':[{'name':'v','expression':'1'}]}",
      "spec.failurePolicy=Fail\nspec.matchConstraints.matchPolicy=Equivalent\nspec.matchConstraints.resourceRules.0.scope=*" },
    { "admissionregistration.k8s.io", "v1", "validatingadmissionpolicybindings", "x", "'spec':{'policyName':'x','validationActions':["
      "'Deny'],'matchResources':{'namespaceSelector':{'matchLabels':{'a':'b'}}}}", "spec.matchResources.matchPolicy=Equivalent" },
    { "apiextensions.k8s.io", "v1", "customresourcedefinitions", "boats.example.com", "'spec':{'group':'example.com','scope':'Namespaced',"
      "'names':{'plural':'boats','kind':'Boat'},'versions':[{'name':'v1','served':true,'storage':true,'schema':{'openAPIV3Schema':{"
      "'type':'object','properties':{'spec':{'type':'object','x-kubernetes-preserve-unknown-fields':true},'size':{'type':'number',"
      "'maximum':2.5,'enum':[1,2],'default':1},'list':{'type':'array','items':{'type':'string'}},'map':{"
      "'type':'object','additionalProperties':{'type':'object','additionalProperties':true}}}}},'subresources':{'status':{}},'additionalPrinterColumns':[{'name':'Size','type':'number',"
      "'jsonPath':'.size'}]}]}",
      "spec.names.singular=boat\nspec.names.listKind=BoatList\nspec.conversion.strategy=None\nstatus.storedVersions.0=v1" },
    { "apiregistration.k8s.io", "v1", "apiservices", "v1beta1.example.com", "'spec':{'group':'example.com','version':'v1beta1','service':{"
      "'namespace':'n','name':'s'},'groupPriorityMinimum':100,'versionPriority':10}", "spec.service.port=443" },
    { "apps", "v1", "controllerrevisions", "x", "'data':{'a':{'b':[1,null]}},'revision':3", "" },
    { "apps", "v1", "daemonsets", "x", "'spec':{" TEMPLATE "}", "spec.updateStrategy.type=RollingUpdate\nspec.updateStrategy.rollingUpdate."
      "maxUnavailable=1\nspec.updateStrategy.rollingUpdate.maxSurge=0\nspec.revisionHistoryLimit=10\nmetadata.generation=1" },
    { "apps", "v1", "deployments", "x", "'spec':{" TEMPLATE "}", "spec.replicas=1\nspec.strategy.rollingUpdate.maxSurge=25%" },
    { "apps", "v1", "replicasets", "x", "'spec':{" TEMPLATE "}", "spec.replicas=1" },
    { "apps", "v1", "statefulsets", "x", "'spec':{" TEMPLATE ",'serviceName':'s','volumeClaimTemplates':[{'metadata':{'name':'d'},'spec':{"
      "'accessModes':['ReadWriteOnce'],'resources':{'requests':{'storage':'1Gi'}}}}]}",
      "spec.replicas=1\nspec.podManagementPolicy=OrderedReady\nspec.updateStrategy.rollingUpdate.partition=0\nspec.persistentVolumeClaim"
      "RetentionPolicy.whenScaled=Retain\nspec.volumeClaimTemplates.0.kind=PersistentVolumeClaim\nspec.volumeClaimTemplates.0.spec.volumeMode="
      "Filesystem\nspec.volumeClaimTemplates.0.status.phase=Pending\nstatus.replicas=0\nstatus.availableReplicas=0" },
    { "autoscaling", "v2", "horizontalpodautoscalers", "x", "'spec':{" TARGET "}", "spec.minReplicas=1\nspec.metrics.0.resource.name=cpu" },
    { "autoscaling", "v1", "horizontalpodautoscalers", "x", "'spec':{" TARGET ",'targetCPUUtilizationPercentage':50}", "spec.minReplicas=1" },
    { "batch", "v1", "cronjobs", "x", "'spec':{'schedule':'* * * * *','jobTemplate':{'spec':{'template':{'spec':{'restartPolicy':'Never',"
      CONTAINERS "}}}}}", "spec.concurrencyPolicy=Allow\nspec.suspend=false\nspec.successfulJobsHistoryLimit=3\nspec.failedJobsHistoryLimit=1\n"
      "spec.jobTemplate.spec.template.spec.dnsPolicy=ClusterFirst" },
    { "batch", "v1", "jobs", "x", "'spec':{'template':{'spec':{'restartPolicy':'Never'," CONTAINERS "}}}",
      "spec.parallelism=1\nspec.completions=1\nspec.backoffLimit=6\nspec.completionMode=NonIndexed\nspec.suspend=false\nspec.manualSelector="
      "false\nspec.podReplacementPolicy=TerminatingOrFailed\nspec.template.metadata.labels.job-name=x" },
    { "certificates.k8s.io", "v1", "certificatesigningrequests", "x", "'spec':{'request':'LS0tLS1CRUdJTiBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0KQUFFPQotLS0tLUVORCBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0K',"
      "'signerName':'example.com/s','usages':["
      "'digital signature','client auth'],'username':'somebody else'}", "spec.username=admin\nspec.groups.0=system:masters" },
    { "coordination.k8s.io", "v1", "leases", "x", "'spec':{'holderIdentity':'h','renewTime':'2026-01-01T00:00:00.000001Z'}", "" },
    { "discovery.k8s.io", "v1", "endpointslices", "x", "'addressType':'IPv4','endpoints':[{'addresses':['10.0.0.1']}],'ports':[{'port':80}]",
      "ports.0.protocol=TCP" },
    { "events.k8s.io", "v1", "events", "y", "'eventTime':'2026-01-01T00:00:00.000001Z','reportingController':'c','reportingInstance':'i',"
      "'action':'A','reason':'R','type':'Normal','note':'n','regarding':{'kind':'Pod','name':'p','namespace':'default'}", "" },
    { "flowcontrol.apiserver.k8s.io", "v1", "flowschemas", "x", "'spec':{'priorityLevelConfiguration':{'name':'x'},'rules':[{'subjects':[{"
      "'kind':'User','user':{'name':'u'}}],'nonResourceRules':[{'verbs':['*'],'nonResourceURLs':['*']}]}]}", "spec.matchingPrecedence=1000" },
    { "flowcontrol.apiserver.k8s.io", "v1", "prioritylevelconfigurations", "x", "'spec':{'type':'Limited','limited':{'limitResponse':{"
      "'type':'Queue','queuing':{}}}}", "spec.limited.nominalConcurrencyShares=30\nspec.limited.lendablePercent=0\nspec.limited.limitResponse."
      "queuing.queues=64\nspec.limited.limitResponse.queuing.handSize=8\nspec.limited.limitResponse.queuing.queueLengthLimit=50" },
    { "networking.k8s.io", "v1", "ingressclasses", "x", "'spec':{'controller':'example.com/c','parameters':{'kind':'K','name':'n'}}",
      "spec.parameters.scope=Cluster" },
    { "networking.k8s.io", "v1", "ingresses", "x", "'spec':{'rules':[{'host':'a.b','http':{'paths':[{'path':'/','pathType':'Prefix','backend':"
      "{'service':{'name':'s','port':{'number':80}}}}]}}]}", "metadata.generation=1\nstatus.loadBalancer={}" },
    { "networking.k8s.io", "v1", "ipaddresses", "10.96.7.7", "'spec':{'parentRef':{'resource':'services','name':'x','namespace':'default'}}", "" },
    { "networking.k8s.io", "v1", "networkpolicies", "x", "'spec':{'podSelector':{},'egress':[{'ports':[{'port':53}]}]}",
      "spec.policyTypes.1=Egress\nspec.egress.0.ports.0.protocol=TCP" },
    { "networking.k8s.io", "v1", "servicecidrs", "x", "'spec':{'cidrs':['10.97.0.0/16']}", "" },
    { "node.k8s.io", "v1", "runtimeclasses", "x", "'handler':'h','overhead':{'podFixed':{'cpu':'100m'}}", "" },
    { "policy", "v1", "poddisruptionbudgets", "x", "'spec':{'minAvailable':'50%','selector':{'matchLabels':{'a':'b'}}}", "" },
    { "rbac.authorization.k8s.io", "v1", "clusterrolebindings", "x:y", BINDING, "roleRef.apiGroup=rbac.authorization.k8s.io\n"
      "subjects.0.apiGroup=rbac.authorization.k8s.io" },
    { "rbac.authorization.k8s.io", "v1", "clusterroles", "x:y", ROLE, "" },
    { "rbac.authorization.k8s.io", "v1", "rolebindings", "x:y", BINDING, "roleRef.apiGroup=rbac.authorization.k8s.io" },
    { "rbac.authorization.k8s.io", "v1", "roles", "x:y", ROLE, "" },
    { "scheduling.k8s.io", "v1", "priorityclasses", "x", "'value':1000", "preemptionPolicy=PreemptLowerPriority\nmetadata.generation=1" },
    { "storage.k8s.io", "v1", "csidrivers", "x", "'spec':{}", "spec.attachRequired=true\nspec.podInfoOnMount=false\nspec.storageCapacity=false\n"
      "spec.fsGroupPolicy=ReadWriteOnceWithFSType\nspec.volumeLifecycleModes.0=Persistent\nspec.requiresRepublish=false\nspec.seLinuxMount=false" },
    { "storage.k8s.io", "v1", "csinodes", "x", "'spec':{'drivers':[{'name':'d','nodeID':'n','allocatable':{'count':3}}]}", "" },
    { "storage.k8s.io", "v1", "csistoragecapacities", "x", "'storageClassName':'x','capacity':'1Gi','nodeTopology':{'matchLabels':{'a':'b'}}", "" },
    { "storage.k8s.io", "v1", "storageclasses", "x", "'provisioner':'p','parameters':{'a':'b'}",
      "reclaimPolicy=Delete\nvolumeBindingMode=Immediate" },
    { "storage.k8s.io", "v1", "volumeattachments", "x", "'spec':{'attacher':'a','nodeName':'n','source':{'persistentVolumeName':'x'}}",
      "status.attached=false" },
};

static void path_of(char *to, size_t size, const struct sample *s, const struct resource *r, bool with_name)
{
    snprintf(to, size, "/%s%s%s/%s/%s%s%s%s", *s->group != '\0' ? "apis" : "api", *s->group != '\0' ? "/" : "", s->group, s->version,
             r->namespaced ? "namespaces/default/" : "", s->plural, with_name ? "/" : "", with_name ? s->name : "");
}

static const struct resource *resource_of(const struct sample *s)
{
    const struct resource *r = resource_find(str_of(s->group), str_of(s->version), str_of(s->plural));

    if (r == NULL)
        test_fail(__FILE__, __LINE__, "no resource %s/%s %s", s->group, s->version, s->plural);
    return r;
}

static void check_defaults(const struct sample *s, const struct json *obj)
{
    struct str rest = str_of(s->defaults), line;
    struct arena a = ARENA_INIT;

    while (rest.n > 0 && str_split(&rest, '\n', &line)) {
        ptrdiff_t eq = str_find(line, '=');
        char path[200];
        const struct json *v;
        struct str is;

        snprintf(path, sizeof path, "%.*s", (int)eq, line.p);
        v = json_path(obj, path);
        is = v == NULL ? STR("absent") : v->type == JSON_STRING ? v->s : text_of(&a, v);
        if (v == NULL || !str_eq(is, str_from(line, (size_t)eq + 1)))
            test_fail(__FILE__, __LINE__, "%s: %s is %.*s, not %.*s", s->plural, path, STR_ARG(is),
                      STR_ARG(str_from(line, (size_t)eq + 1)));
    }
    arena_release(&a);
}

/* The stored object as protobuf, in an envelope, and back: the same. */
static void check_protobuf(const struct sample *s, const struct resource *r, struct json *obj)
{
    struct arena a = ARENA_INIT;
    struct buf all = BUF_INIT;
    struct json *back = NULL;
    const struct schema_kind *k;
    struct errbuf err = { "" };

    schema_pb_encode(&all, r->kind->type, obj);
    if (schema_pb_decode(buf_str(&all), &a, &back, &k, &err) < 0)
        test_fail(__FILE__, __LINE__, "%s: %s", s->plural, err.s);
    json_each(claim, json_path(obj, "spec.volumeClaimTemplates")) {      /* messages carry no kind */
        json_delz(claim, "apiVersion");
        json_delz(claim, "kind");
    }
    schema_default(r->kind->type, back, &a);     /* empty messages with defaults inside and zeros come back by these */
    if (k != r->kind || !json_equal(back, obj))
        test_fail(__FILE__, __LINE__, "%s:\n%.*s\nbut\n%.*s", s->plural, STR_ARG(text_of(&a, back)), STR_ARG(text_of(&a, obj)));
    buf_release(&all);
    arena_release(&a);
}

static void check_row(struct rig *r, const struct sample *s, const struct resource *res, const char *path)
{
    struct answer a;

    r->accept = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";
    a = call(r, "GET", path, NULL);
    r->accept = NULL;
    CHECK_INT(a.status, 200);
    CHECK_AT(a, "kind", "Table");
    CHECK_INT(json_path(a.obj, "columnDefinitions")->n, res->n_columns);
    CHECK_INT(json_path(a.obj, "rows.0.cells")->n, res->n_columns);
    if (strcmp(s->plural, "events") != 0)
        CHECK_AT(a, "rows.0.cells.0", s->name);
    answer_free(&a);
}

static void one(struct rig *r, const struct sample *s)
{
    const struct resource *res = resource_of(s);
    char path[300], body[2000];
    struct answer made, read, patched;

    path_of(path, sizeof path, s, res, false);
    snprintf(body, sizeof body, "{'metadata':{'name':'%s'},%s}", s->name, s->body);
    made = call(r, "POST", path, body);
    if (made.status != 201) {
        test_fail(__FILE__, __LINE__, "%s: %d %.*s", s->plural, made.status, STR_ARG(made.body));
        answer_free(&made);
        return;
    }
    check_defaults(s, made.obj);
    path_of(path, sizeof path, s, res, true);
    read = call(r, "GET", path, NULL);
    CHECK_INT(read.status, 200);
    if (!json_equal(made.obj, read.obj))
        test_fail(__FILE__, __LINE__, "%s: read %.*s", s->plural, STR_ARG(read.body));
    check_protobuf(s, res, read.obj);
    check_row(r, s, res, path);
    r->type = "application/merge-patch+json";
    patched = call(r, "PATCH", path, "{'metadata':{'labels':{'new':'label'}}}");
    r->type = NULL;
    CHECK_INT(patched.status, 200);
    CHECK_AT(patched, "metadata.labels.new", "label");
    CHECK_INT(json_path_i64(patched.obj, "metadata.generation", 0), res->has_generation ? 1 : 0);
    CALL(r, 200, "DELETE", path, NULL);
    answer_free(&made);
    answer_free(&read);
    answer_free(&patched);
}

TEST(a_good_object_of_every_kind_lives_its_life)
{
    struct rig *r = rig_open();

    CALL(r, 201, "POST", "/api/v1/namespaces/default/serviceaccounts", "{'metadata':{'name':'default'}}");
    for (size_t i = 0; i < ARRAY_LEN(samples); i++)
        one(r, &samples[i]);
    rig_close(r);
}

TEST(every_kind_that_can_be_created_has_a_sample)
{
    for (unsigned i = 0; i < schema_n_resources; i++) {
        const struct resource *r = &schema_resources[i];
        bool found = r->virtual_ || !(r->verbs & VERB_CREATE);

        for (size_t j = 0; j < ARRAY_LEN(samples); j++)
            found |= strcmp(samples[j].plural, r->plural) == 0 && strcmp(samples[j].group, r->kind->group) == 0
                && strcmp(samples[j].version, r->kind->version) == 0;
        if (!found)
            test_fail(__FILE__, __LINE__, "no sample of %s/%s %s", r->kind->group, r->kind->version, r->plural);
    }
}
