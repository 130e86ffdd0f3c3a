/* test/api/table_test.c: what kubectl get shows. */
#include "test/api/api_fixture.h"
#include "api/time_fmt.h"

static const struct resource *resource(const char *group, const char *plural)
{
    return resource_find(str_of(group), STR("v1"), str_of(plural));
}

/* At 2024-05-01T10:10:00Z. */
static void row(int line, const char *group, const char *plural, const char *obj, const char *want)
{
    struct arena a = ARENA_INIT;
    struct buf b = BUF_INIT;
    struct json_error err;
    struct json *is;
    int64_t now;
    uint32_t ns;

    must(time_parse(STR("2024-05-01T10:10:00Z"), &now, &ns));
    table_cells(&b, resource(group, plural), parse(&a, obj), now);
    if (json_parse(&a, buf_str(&b), &is, &err) < 0 || !json_equal(is, parse(&a, want)))
        test_fail(__FILE__, line, "%.*s\nnot %s", STR_ARG(buf_str(&b)), want);
    buf_release(&b);
    arena_release(&a);
}

#define ROW(group, plural, obj, want) row(__LINE__, group, plural, obj, want)
#define META(name) "'metadata':{'name':'" name "','creationTimestamp':'2024-05-01T10:00:00Z'}"
#define WIDE(ip, node) "'" ip "','" node "','<none>','<none>'"

TEST(pods)
{
    ROW("", "pods", "{" META("p") ",'spec':{'containers':[{},{}]},'status':{'phase':'Pending'}}", "['p','0/2','Pending','0','10m'," WIDE("<none>", "<none>") "]");
    ROW("", "pods", "{" META("p") ",'spec':{'nodeName':'n','containers':[{}]},'status':{'phase':'Running','podIP':'10.0.0.1','containerStatuses':"
        "[{'ready':true,'restartCount':3,'state':{'running':{}},'lastState':{'terminated':{'finishedAt':'2024-05-01T10:05:00Z'}}}]}}",
        "['p','1/1','Running','3 (5m ago)','10m'," WIDE("10.0.0.1", "n") "]");
    ROW("", "pods", "{" META("p") ",'spec':{'containers':[{}]},'status':{'phase':'Running','containerStatuses':[{'restartCount':1,"
        "'state':{'waiting':{'reason':'CrashLoopBackOff'}}}]}}", "['p','0/1','CrashLoopBackOff','1','10m'," WIDE("<none>", "<none>") "]");
    ROW("", "pods", "{" META("p") ",'spec':{'containers':[{}]},'status':{'phase':'Failed','containerStatuses':[{'state':{'terminated':"
        "{'exitCode':3}}}]}}", "['p','0/1','ExitCode:3','0','10m'," WIDE("<none>", "<none>") "]");
    ROW("", "pods", "{" META("p") ",'spec':{'containers':[{}]},'status':{'phase':'Succeeded','containerStatuses':[{'state':{'terminated':"
        "{'exitCode':0,'reason':'Completed'}}}]}}", "['p','0/1','Completed','0','10m'," WIDE("<none>", "<none>") "]");
    ROW("", "pods", "{" META("p") ",'spec':{'containers':[{}],'initContainers':[{'name':'i'},{'name':'j'}]},'status':{'phase':'Pending',"
        "'initContainerStatuses':[{'name':'i','state':{'terminated':{'exitCode':0}}},{'name':'j','state':{'running':{}}}]}}",
        "['p','0/1','Init:1/2','0','10m'," WIDE("<none>", "<none>") "]");
    ROW("", "pods", "{" META("p") ",'spec':{'containers':[{}],'initContainers':[{'name':'i'}]},'status':{'phase':'Pending','initContainerStatuses':"
        "[{'name':'i','restartCount':2,'state':{'waiting':{'reason':'CrashLoopBackOff'}}}]}}",
        "['p','0/1','Init:CrashLoopBackOff','2','10m'," WIDE("<none>", "<none>") "]");
    ROW("", "pods", "{" META("p") ",'spec':{'containers':[{}],'initContainers':[{'name':'s','restartPolicy':'Always'}]},'status':{'phase':'Running',"
        "'initContainerStatuses':[{'name':'s','started':true,'ready':true,'state':{'running':{}}}],'containerStatuses':[{'ready':true,'state':"
        "{'running':{}}}]}}", "['p','2/2','Running','0','10m'," WIDE("<none>", "<none>") "]");
    ROW("", "pods", "{'metadata':{'name':'p','deletionTimestamp':'2024-05-01T10:00:00Z'},'spec':{},'status':{'phase':'Running'}}",
        "['p','0/0','Terminating','0','<unknown>'," WIDE("<none>", "<none>") "]");
    ROW("", "pods", "{'metadata':{'name':'p','deletionTimestamp':'2024-05-01T10:00:00Z'},'spec':{},'status':{'phase':'Running','reason':'NodeLost'}}",
        "['p','0/0','Unknown','0','<unknown>'," WIDE("<none>", "<none>") "]");
    ROW("", "pods", "{}", "['','0/0','','0','<unknown>'," WIDE("<none>", "<none>") "]");
}

TEST(nodes_and_services)
{
    ROW("", "nodes", "{'metadata':{'name':'n','creationTimestamp':'2024-05-01T09:10:00Z','labels':{'node-role.kubernetes.io/worker':'',"
        "'node-role.kubernetes.io/control-plane':''}},'spec':{'unschedulable':true},'status':{'conditions':[{'type':'Ready','status':'True'}],"
        "'addresses':[{'type':'InternalIP','address':'10.1.0.1'}],'nodeInfo':{'kubeletVersion':'v1','osImage':'Debian','kernelVersion':'6.1'}}}",
        "['n','Ready,SchedulingDisabled','control-plane,worker','60m','v1','10.1.0.1','<none>','Debian','6.1','<unknown>']");
    ROW("", "services", "{" META("s") ",'spec':{'type':'NodePort','clusterIP':'10.96.0.9','ports':[{'port':80,'nodePort':30080,'protocol':'TCP'},"
        "{'port':53,'protocol':'UDP'}],'selector':{'b':'2','a':'1'}}}", "['s','NodePort','10.96.0.9','<none>','80:30080/TCP,53/UDP','10m','a=1,b=2']");
    ROW("", "services", "{" META("s") ",'spec':{'type':'LoadBalancer','clusterIPs':['::1']}}", "['s','LoadBalancer','::1','<pending>','<none>','10m','<none>']");
    ROW("", "services", "{" META("s") ",'spec':{'type':'ExternalName','externalName':'x.y'}}", "['s','ExternalName','<none>','x.y','<none>','10m','<none>']");
    ROW("", "endpoints", "{" META("e") ",'subsets':[{'addresses':[{'ip':'1.1.1.1'},{'ip':'::2'},{'ip':'3'},{'ip':'4'}],'ports':[{'port':80}]}]}",
        "['e','1.1.1.1:80,[::2]:80,3:80 + 1 more...','10m']");
    ROW("discovery.k8s.io", "endpointslices", "{" META("e") ",'addressType':'IPv4','ports':[{'port':80},{}],'endpoints':[{'addresses':['1']}]}",
        "['e','IPv4','80,*','1','10m']");
}

TEST(workloads_and_others)
{
    ROW("apps", "deployments", "{" META("d") ",'spec':{'replicas':3,'selector':{'matchLabels':{'app':'w'},'matchExpressions':[{'key':'a','operator':"
        "'NotIn','values':['y','x']},{'key':'z','operator':'Exists'},{'key':'q','operator':'DoesNotExist'}]},'template':{'spec':{'containers':[{'name':'c',"
        "'image':'i'},{'name':'c2','image':'i2'}]}}},'status':{'readyReplicas':2,'updatedReplicas':3,'availableReplicas':1}}",
        "['d','2/3',3,1,'10m','c,c2','i,i2','a notin (x,y),app=w,!q,z']");
    ROW("apps", "replicasets", "{" META("r") ",'spec':{'replicas':1},'status':{}}", "['r',1,0,0,'10m','<none>','<none>','<none>']");
    ROW("apps", "controllerrevisions", "{'metadata':{'name':'r','ownerReferences':[{'apiVersion':'apps/v1','kind':'StatefulSet','name':'s','controller':true}]},"
        "'revision':4}", "['r','statefulset.apps/s',4,'<unknown>']");
    ROW("policy", "poddisruptionbudgets", "{" META("b") ",'spec':{'minAvailable':'50%'},'status':{'disruptionsAllowed':1}}", "['b','50%','N/A',1,'10m']");
    ROW("", "secrets", "{" META("s") ",'type':'Opaque','data':{'a':'','b':''}}", "['s','Opaque',2,'10m']");
    ROW("", "configmaps", "{" META("c") ",'data':{'a':''},'binaryData':{'b':''}}", "['c',2,'10m']");
    ROW("coordination.k8s.io", "leases", "{" META("l") ",'spec':{'holderIdentity':'me'}}", "['l','me','10m']");
}

TEST(events_of_both_groups)
{
    ROW("", "events", "{" META("e") ",'involvedObject':{'kind':'Pod','name':'p','fieldPath':'f'},'reason':'R','message':' hi\\n','type':'Normal','count':4,"
        "'firstTimestamp':'2024-05-01T10:00:00Z','lastTimestamp':'2024-05-01T10:09:00Z','source':{'component':'kubelet','host':'n'}}",
        "['60s','Normal','R','pod/p','f','kubelet, n','hi','10m',4,'e']");
    ROW("events.k8s.io", "events", "{" META("e") ",'regarding':{'kind':'Pod','name':'p'},'reason':'R','note':'hi','type':'Normal','eventTime':"
        "'2024-05-01T10:05:00.000000Z','reportingController':'sched','reportingInstance':'i','series':{'count':7,'lastObservedTime':'2024-05-01T10:09:30.000000Z'}}",
        "['30s','Normal','R','pod/p','','sched, i','hi','5m',7,'e']");
}

TEST(columns_of_every_resource_are_json)
{
    for (unsigned i = 0; i < schema_n_resources; i++) {
        struct arena a = ARENA_INIT;
        struct json_error err;
        struct buf b = BUF_INIT;
        struct json *columns, *cells;

        table_columns(&b, &schema_resources[i]);
        CHECK_INT(json_parse(&a, arena_str(&a, buf_str(&b)), &columns, &err), 0);
        buf_clear(&b);
        table_cells(&b, &schema_resources[i], parse(&a, "{'metadata':7,'spec':[],'status':'x','subsets':{},'type':{}}"), 0);
        CHECK_INT(json_parse(&a, arena_str(&a, buf_str(&b)), &cells, &err), 0);
        CHECK_INT(columns->n, cells->n);
        CHECK_INT(columns->n > 0 && json_path(columns, "0.priority") != NULL, 1);
        buf_release(&b);
        arena_release(&a);
    }
}
