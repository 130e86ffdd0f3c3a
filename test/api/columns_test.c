/* test/api/columns_test.c: what kubectl get shows of the less common kinds, each in its states. */
#include "api/time_fmt.h"
#include "test/api/api_fixture.h"

/* The cells after the name, at 2024-05-01T10:10:00Z; objects are ten minutes old. */
static void row(int line, const char *group, const char *version, const char *plural, const char *obj, const char *want)
{
    struct arena a = ARENA_INIT;
    struct buf b = BUF_INIT;
    struct json_error err;
    struct json *is, *o = parse(&a, obj);
    int64_t now;
    uint32_t ns;

    must(time_parse(STR("2024-05-01T10:10:00Z"), &now, &ns));
    json_setz(&a, json_make_path(&a, o, "metadata"), "creationTimestamp", json_string_ref(&a, STR("2024-05-01T10:00:00Z")));
    table_cells(&b, resource_find(str_of(group), str_of(version), str_of(plural)), o, now);
    if (json_parse(&a, buf_str(&b), &is, &err) < 0 || json_remove_at(is, 0) == NULL || !json_equal(is, parse(&a, want)))
        test_fail(__FILE__, line, "%.*s\nnot %s", STR_ARG(buf_str(&b)), want);
    buf_release(&b);
    arena_release(&a);
}
#define ROW(group, version, plural, obj, want) row(__LINE__, group, version, plural, obj, want)

#define JOB(spec, status, want) \
    ROW("batch", "v1", "jobs", "{'spec':{'template':{'spec':{'containers':[{'name':'c','image':'i'},{'name':'d','image':'j'}]}}," \
        "'selector':{'matchLabels':{'a':'b'}}" spec "},'status':{" status "}}", "[" want ",'10m','c,d','i,j','a=b']")

TEST(jobs)
{
    JOB("", "", "'Running','0/1',''");
    JOB(",'parallelism':3", "'succeeded':1", "'Running','1/1 of 3',''");
    JOB(",'completions':4", "'startTime':'2024-05-01T10:09:00Z'", "'Running','0/4','60s'");
    JOB(",'completions':1", "'succeeded':1,'startTime':'2024-05-01T10:00:00Z','completionTime':'2024-05-01T10:00:07Z','conditions':["
        "{'type':'SuccessCriteriaMet','status':'True'},{'type':'Complete','status':'True'}]", "'Complete','1/1','7s'");
    JOB("", "'startTime':'2024-05-01T10:00:00Z','conditions':[{'type':'Failed','status':'True','lastTransitionTime':'2024-05-01T10:00:30Z'}]",
        "'Failed','0/1','30s'");
    JOB("", "'conditions':[{'type':'Suspended','status':'True'}]", "'Suspended','0/1',''");
    JOB("", "'conditions':[{'type':'Suspended','status':'False'}]", "'Running','0/1',''");
    ROW("batch", "v1", "cronjobs", "{'spec':{'schedule':'@daily','timeZone':'UTC','suspend':true},'status':{'active':[{},{}],"
        "'lastScheduleTime':'2024-05-01T10:05:00Z'}}", "['@daily','UTC','True',2,'5m','10m','<none>','<none>','<none>']");
}

#define HPA(metrics, current, want) \
    ROW("autoscaling", "v2", "horizontalpodautoscalers", "{'spec':{'scaleTargetRef':{'kind':'Deployment','name':'d'},'maxReplicas':3,'metrics':[" \
        metrics "]},'status':{'currentMetrics':[" current "],'currentReplicas':2}}", "['Deployment/d','" want "','<unset>',3,2,'10m']")
#define CPU "{'type':'Resource','resource':{'name':'cpu','target':{'type':'Utilization','averageUtilization':80}}}"

TEST(autoscalers)
{
    HPA("", "", "<none>");
    HPA(CPU, "", "cpu: <unknown>/80%");
    HPA(CPU, "{'type':'Resource','resource':{'name':'cpu','current':{'averageUtilization':12,'averageValue':'5m'}}}", "cpu: 12%/80%");
    HPA("{'type':'Pods','pods':{'metric':{'name':'m'},'target':{'averageValue':'10'}}}," CPU "," CPU, "", "<unknown>/10, cpu: <unknown>/80% + 1 more...");
    HPA("{'type':'External','external':{'metric':{'name':'m'},'target':{'averageValue':'10'}}}",
        "{'type':'External','external':{'current':{'averageValue':'3'}}}", "3/10 (avg)");
    HPA("{'type':'Object','object':{'target':{'value':'10'}}}", "{'type':'Object','object':{'current':{'value':'4'}}}", "4/10");
    HPA("{'type':'New'}", "", "<unknown type>");
    ROW("autoscaling", "v1", "horizontalpodautoscalers", "{'spec':{'scaleTargetRef':{'kind':'Deployment','name':'d'},'maxReplicas':3,"
        "'minReplicas':1,'targetCPUUtilizationPercentage':50},'status':{'currentCPUUtilizationPercentage':5}}",
        "['Deployment/d','cpu: 5%/50%','1',3,0,'10m']");
}

TEST(ways_in)
{
    ROW("networking.k8s.io", "v1", "ingresses", "{'spec':{'rules':[{'host':'a'},{},{'host':'b'},{'host':'c'},{'host':'d'}],'tls':[{}]},"
        "'status':{'loadBalancer':{'ingress':[{'ip':'1.2.3.4'},{'hostname':'h'}]}}}",
        "['<none>','a,b,c + 1 more...','1.2.3.4,h','80, 443','10m']");
    ROW("networking.k8s.io", "v1", "ingresses", "{'spec':{'ingressClassName':'x','rules':[{}]}}", "['x','*','','80','10m']");
    ROW("networking.k8s.io", "v1", "ingressclasses", "{'spec':{'controller':'c','parameters':{'apiGroup':'g','kind':'K','name':'n'}}}",
        "['c','K.g/n','10m']");
    ROW("networking.k8s.io", "v1", "ingressclasses", "{'spec':{'controller':'c'}}", "['c','<none>','10m']");
    ROW("networking.k8s.io", "v1", "ipaddresses", "{'spec':{'parentRef':{'resource':'services','namespace':'n','name':'s'}}}",
        "['services/n/s','10m']");
    ROW("networking.k8s.io", "v1", "servicecidrs", "{'spec':{'cidrs':['10.0.0.0/8','fd00::/64']}}", "['10.0.0.0/8,fd00::/64','10m']");
    ROW("networking.k8s.io", "v1", "networkpolicies", "{'spec':{'podSelector':{'matchExpressions':[{'key':'k','operator':'In','values':['v']}]}}}",
        "['k in (v)','10m']");
}

TEST(storage_and_quotas)
{
    ROW("", "v1", "persistentvolumes", "{'spec':{'capacity':{'storage':'1Gi'},'accessModes':['ReadWriteMany','ReadWriteOnce'],"
        "'persistentVolumeReclaimPolicy':'Retain','claimRef':{'namespace':'n','name':'c'},'storageClassName':'s'},'status':{'phase':'Bound'}}",
        "['1Gi','RWO,RWX','Retain','Bound','n/c','s','<unset>','','10m','<unset>']");
    ROW("", "v1", "persistentvolumeclaims", "{'metadata':{'deletionTimestamp':'2024-05-01T10:00:00Z','annotations':{"
        "'volume.beta.kubernetes.io/storage-class':'old'}},'spec':{'storageClassName':'s'},'status':{'phase':'Bound'}}",
        "['Terminating','','','','old','<unset>','10m','<unset>']");
    ROW("storage.k8s.io", "v1", "csidrivers", "{'spec':{'tokenRequests':[{'audience':'a'},{'audience':'b'}],'attachRequired':true}}",
        "[true,false,false,'a,b',false,'<none>','10m']");
    ROW("", "v1", "resourcequotas", "{'status':{'hard':{'pods':'3','limits.cpu':'4','cpu':'2'},'used':{'pods':'1','cpu':'500m'}}}",
        "['10m','cpu: 500m/2, pods: 1/3','limits.cpu: 0/4']");
}

TEST(who_may_do_what)
{
    ROW("rbac.authorization.k8s.io", "v1", "rolebindings", "{'roleRef':{'kind':'Role','name':'r'},'subjects':[{'kind':'User','name':'u'},{"
        "'kind':'Group','name':'g'},{'kind':'User','name':'v'},{'kind':'ServiceAccount','namespace':'n','name':'s'}]}",
        "['Role/r','10m','u, v','g','n/s']");
    ROW("certificates.k8s.io", "v1", "certificatesigningrequests", "{'spec':{'signerName':'s','username':'u','expirationSeconds':3600},"
        "'status':{'certificate':'AA==','conditions':[{'type':'Approved'}]}}", "['10m','s','u','60m','Approved,Issued']");
    ROW("certificates.k8s.io", "v1", "certificatesigningrequests", "{'spec':{}}", "['10m','','','<none>','Pending']");
    ROW("certificates.k8s.io", "v1", "certificatesigningrequests", "{'status':{'conditions':[{'type':'Approved'},{'type':'Denied'},{'type':'Failed'}]}}",
        "['10m','','','<none>','Denied,Failed']");
    ROW("apiregistration.k8s.io", "v1", "apiservices", "{'spec':{}}", "['Local','Unknown','10m']");
    ROW("apiregistration.k8s.io", "v1", "apiservices", "{'spec':{'service':{'namespace':'n','name':'s'}},'status':{'conditions':[{"
        "'type':'Available','status':'False','reason':'Gone'}]}}", "['n/s','False (Gone)','10m']");
    ROW("flowcontrol.apiserver.k8s.io", "v1", "flowschemas", "{'spec':{'priorityLevelConfiguration':{'name':'p'},'matchingPrecedence':5}}",
        "['p','5','<none>','10m','?']");
    ROW("admissionregistration.k8s.io", "v1", "validatingadmissionpolicies", "{'spec':{'validations':[{},{}],'paramKind':{'apiVersion':'v1',"
        "'kind':'ConfigMap'}}}", "[2,'v1/ConfigMap','10m']");
    ROW("admissionregistration.k8s.io", "v1", "validatingadmissionpolicybindings", "{'spec':{'policyName':'p','paramRef':{'namespace':'n'}}}",
        "['p','n/*','10m']");
    ROW("metrics.k8s.io", "v1beta1", "pods", "{'window':'15s','containers':[{'usage':{'cpu':'100m','memory':'1Mi'}},{'usage':{'cpu':'1','memory':'1Mi'}}]}",
        "['1100m','2Mi','15s']");
    ROW("", "v1", "componentstatuses", "{'conditions':[{'type':'Healthy','status':'True','message':'ok'}]}", "['Healthy','ok','']");
}

/* Bounds that the tables know: lengths of lists and amounts. */
TEST(lengths_and_amounts_are_checked)
{
    static const struct { const char *group, *kind, *obj, *message; } bad[] = {
        { "storage.k8s.io", "CSIStorageCapacity", "{'storageClassName':'s','capacity':'-1'}", "Invalid value: \"-1\": must be greater than or equal to 0" },
        { "", "PersistentVolume", "{'spec':{'accessModes':['ReadWriteOnce']}}", "Required value: must specify a volume type" },
        { "", "PersistentVolume", "{'spec':{'accessModes':['ReadWriteOnce'],'local':{'path':'/'},'hostPath':{'path':'/'}}}",
          "Forbidden: may not specify more than 1 volume type" },
        { "apiregistration.k8s.io", "APIService", "{'spec':{'version':'v1','groupPriorityMinimum':0,'versionPriority':1}}",
          "Invalid value: 0: must be between 1 and 20000, inclusive" },
        { "networking.k8s.io", "ServiceCIDR", "{'spec':{'cidrs':['10.0.0.0/8','10.0.0.0/9','10.0.0.0/7']}}", "Too many: 3: must have at most 2 items" },
    };
    struct arena a = ARENA_INIT;

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct causes causes;

        causes_init(&causes, &a);
        schema_validate(kind(bad[i].group, bad[i].kind)->type, parse(&a, bad[i].obj), NULL, &causes);
        CHECK_INT(causes.n, 1);
        if (causes.n == 1)
            CHECK_STR(causes.first->message, bad[i].message);
    }
    arena_release(&a);
}
