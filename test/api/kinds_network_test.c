/* test/api/kinds_network_test.c: the rules of services, Ingresses, network policies, autoscalers and budgets. */
#include "test/api/kinds_fixture.h"

#define SPEC "{'metadata':{'name':'x'},'spec':{%s}}"

TEST(ingresses)
{
#define HOST(h) "'rules':[{'host':'" h "','http':{'paths':[{'path':'/','pathType':'Prefix','backend':{'service':{'name':'s','port':{'number':80}}}}]}}]"
#define PATH(p, t) "'rules':[{'http':{'paths':[{'path':'" p "','pathType':'" t "','backend':{'service':{'name':'s','port':{'number':80}}}}]}}]"
#define BACKEND(b) "'defaultBackend':{" b "}"
#define AT_PATH "spec.rules[0].http.paths[0]"
    static const struct wrong cases[] = {
        { HOST("a.b"), "" },
        { HOST("*.a.b"), "" },
        { "", "spec: Invalid value: null: either `defaultBackend` or `rules` must be specified" },
        { HOST("10.0.0.1"), "spec.rules[0].host: Invalid value: '10.0.0.1': must be a DNS name, not an IP address" },
        { HOST("a.*.b"), "spec.rules[0].host: Invalid value: 'a.*.b': a wildcard DNS-1123 subdomain must start with '*.'..." },
        { HOST("A"), "spec.rules[0].host: Invalid value: 'A': ..." },
        { PATH("a", "Exact"), AT_PATH ".path: Invalid value: 'a': must be an absolute path" },
        { PATH("", "Prefix"), AT_PATH ".path: Invalid value: '': must be an absolute path" },
        { PATH("", "ImplementationSpecific"), "" },
        { PATH("a", "ImplementationSpecific"), AT_PATH ".path: Invalid value: 'a': must be an absolute path" },
        { PATH("/a//b", "Prefix"), AT_PATH ".path: Invalid value: '/a//b': must not contain '//'" },
        { PATH("/a/../b%2f", "Prefix"), AT_PATH ".path: Invalid value: '/a/../b%2f': must not contain '/../'\n" AT_PATH ".path: Invalid value: '/a/../b%2f': must not contain '%2f'" },
        { PATH("/a/..", "Prefix"), AT_PATH ".path: Invalid value: '/a/..': cannot end with '/..'" },
        { PATH("/", "Regex"), AT_PATH ".pathType: Unsupported value: 'Regex': supported values: 'Exact', 'ImplementationSpecific', 'Prefix'" },
        { "'rules':[{'http':{'paths':[]}}]", "spec.rules[0].http.paths: Required value" },
        { BACKEND("'service':{'name':'s','port':{'name':'http'}}"), "" },
        { BACKEND(""), "spec.defaultBackend: Invalid value: '': resource or service backend is required" },
        { BACKEND("'service':{'name':'s','port':{}}"), "spec.defaultBackend: Required value: port name or number is required" },
        { BACKEND("'service':{'name':'s','port':{'name':'a','number':1}}"), "spec.defaultBackend: Invalid value: '': cannot set both port name & port number" },
        { BACKEND("'service':{'name':'s','port':{'number':70000}}"), "spec.defaultBackend.service.port.number: Invalid value: 70000: must be between 1 and 65535, inclusive" },
        { BACKEND("'service':{'name':'s','port':{'number':1}},'resource':{'kind':'K','name':'n'}"), "spec.defaultBackend: Invalid value: '': cannot set both resource and service backends" },
        { HOST("a") ",'tls':[{'hosts':['A'],'secretName':'B'}]", "spec.tls[0].secretName: Invalid value: 'B': ..." },
    };
    static const struct wrong classes[] = {
        { "'controller':'a.b/c'", "" },
        { "", "spec.controller: Required value" },
        { "'controller':'c'", "spec.controller: Invalid value: 'c': must be a domain-prefixed path (such as 'acme.io/foo')" },
        { "'controller':'a.b/c','parameters':{'kind':'K','name':'n','scope':'Namespace'}", "spec.parameters.namespace: Required value: `parameters.scope` is set to 'Namespace'" },
        { "'controller':'a.b/c','parameters':{'kind':'K','name':'n','namespace':'m'}", "spec.parameters.namespace: Forbidden: `parameters.scope` is set to 'Cluster'" },
        { "'controller':'a.b/c','parameters':{'kind':'K','name':'n','scope':'Wide'}", "spec.parameters.scope: Unsupported value: 'Wide': supported values: 'Cluster', 'Namespace'" },
    };

    check_create("networking.k8s.io", "ingresses", SPEC, cases, ARRAY_LEN(cases));
    check_create("networking.k8s.io", "ingressclasses", SPEC, classes, ARRAY_LEN(classes));
}

TEST(network_policies)
{
    static const struct wrong cases[] = {
        { "'ingress':[{'from':[{'podSelector':{}}],'ports':[{'port':80,'endPort':90}]}]", "" },
        { "'ingress':[{'ports':[{'endPort':90}]}]", "spec.ingress[0].ports[0].port: Required value: must be specified when `endPort` is set" },
        { "'ingress':[{'ports':[{'port':'http','endPort':90}]}]", "spec.ingress[0].ports[0].endPort: Invalid value: 90: may not be specified when `port` is non-numeric" },
        { "'egress':[{'ports':[{'port':91,'endPort':90}]}]", "spec.egress[0].ports[0].endPort: Invalid value: 90: must be greater than or equal to `port`" },
        { "'egress':[{'to':[{}]}]", "spec.egress[0].to[0]: Required value: must specify a peer" },
        { "'egress':[{'to':[{'podSelector':{},'ipBlock':{'cidr':'10.0.0.0/8'}}]}]", "spec.egress[0].to[0]: Forbidden: may not specify both ipBlock and another peer" },
        { "'egress':[{'to':[{'ipBlock':{'cidr':'10.0.0.0/8','except':['10.1.0.0/16']}}]}]", "" },
        { "'egress':[{'to':[{'ipBlock':{'cidr':'10.0.0.0/8','except':['11.1.0.0/16']}}]}]",
          "spec.egress[0].to[0].ipBlock.except[0]: Invalid value: '11.1.0.0/16': must be a strict subset of `cidr`" },
        { "'egress':[{'to':[{'ipBlock':{'cidr':'10.0.0.0/8','except':['10.0.0.0/8']}}]}]",
          "spec.egress[0].to[0].ipBlock.except[0]: Invalid value: '10.0.0.0/8': must be a strict subset of `cidr`" },
        { "'egress':[{'to':[{'ipBlock':{'cidr':'x'}}]}]", "spec.egress[0].to[0].ipBlock.cidr: Invalid value: 'x': ..." },
        { "'podSelector':{'matchLabels':{'a b':'c'}}", "spec.podSelector.matchLabels: Invalid value: 'a b': ..." },
        { "'policyTypes':['Sideways']", "spec.policyTypes[0]: Unsupported value: 'Sideways': supported values: 'Egress', 'Ingress'" },
    };

    check_create("networking.k8s.io", "networkpolicies", SPEC, cases, ARRAY_LEN(cases));
}

TEST(services)
{
#define LB "'type':'LoadBalancer','ports':[{'port':80}],'clusterIP':'10.96.0.9','ipFamilies':['IPv4']"
    static const struct change changes[] = {
        { LB, LB ",'loadBalancerClass':'a.b/c'", "spec.loadBalancerClass: Invalid value: 'a.b/c': field is immutable" },
        { "'ports':[{'port':80}],'clusterIP':'10.96.0.9','ipFamilies':['IPv4']", LB ",'loadBalancerClass':'a.b/c'", "" },
        { LB ",'loadBalancerClass':'a.b/c'", "'ports':[{'port':80}],'clusterIP':'10.96.0.9','ipFamilies':['IPv4']", "" },
        { LB, "'type':'LoadBalancer','ports':[{'port':80}],'clusterIP':'10.96.0.9','ipFamilies':['IPv6']", "spec.ipFamilies[0]: Invalid value: ['IPv6']: may not change once set" },
    };
    static const struct change states[] = {
        { "", "'ip':'10.0.0.1'", "" },
        { "", "'ip':'x'", "status.loadBalancer.ingress[0].ip: Invalid value: 'x': ..." },
        { "", "'hostname':'10.0.0.1'", "status.loadBalancer.ingress[0].hostname: Invalid value: '10.0.0.1': must be a DNS name, not an IP address" },
        { "", "'hostname':'a.b','ipMode':'VIP'", "status.loadBalancer.ingress[0].ipMode: Forbidden: may not be specified when `ip` is not set" },
    };

    check_update("", "services", SPEC, changes, ARRAY_LEN(changes));
    check_status("", "services", "{'metadata':{'name':'x'},'status':{'loadBalancer':{'ingress':[{%s}]}}}", states, ARRAY_LEN(states));
}

TEST(autoscalers)
{
#define METRIC(m) "'maxReplicas':3,'metrics':[{" m "}]"
#define AT "spec.metrics[0]."
    static const struct wrong cases[] = {
        { "'maxReplicas':3", "" },
        { "'maxReplicas':3,'minReplicas':4", "spec.maxReplicas: Invalid value: 3: must be greater than or equal to `minReplicas`" },
        { "'maxReplicas':3,'minReplicas':0", "spec.minReplicas: Invalid value: 0: must be greater than or equal to 1" },
        { METRIC("'type':'Resource'"), AT "resource: Required value: must populate information for the given metric source" },
        { METRIC("'type':'Resource','resource':{'name':'cpu','target':{'type':'Utilization'}}"),
          AT "resource.target.averageUtilization: Required value: must set either a target raw value or a target utilization" },
        { METRIC("'type':'Resource','resource':{'name':'cpu','target':{'type':'Utilization','averageUtilization':5,'averageValue':'1'}}"),
          AT "resource.target.averageValue: Forbidden: may not set both a target raw value and a target utilization" },
        { METRIC("'type':'Pods','pods':{'metric':{'name':'m'},'target':{'type':'Value','averageValue':'0'}}"), AT "pods.target.averageValue: Invalid value: '0': must be positive" },
        { METRIC("'type':'Pods','pods':{'metric':{'name':'m'},'target':{'type':'Value'}},'resource':{'name':'cpu','target':{'type':'Utilization'}}"),
          AT "pods.target.averageValue: Required value: must specify a positive target averageValue\n" AT "resource: Forbidden: must populate the given metric source only" },
        { METRIC("'type':'External','external':{'metric':{'name':'m'},'target':{'type':'Value','value':'1','averageValue':'1'}}"),
          AT "external.target.value: Forbidden: may not set both a target value for metric and a per-pod target" },
        { METRIC("'type':'Object','object':{'describedObject':{'kind':'K','name':'n'},'metric':{'name':'m'},'target':{'type':'Value'}}"),
          AT "object.target.averageValue: Required value: must set either a target value for metric or a per-pod target" },
        { METRIC("'type':'ContainerResource','containerResource':{'name':'cpu','target':{'type':'Utilization','averageUtilization':5}}"), AT "containerResource.container: Required value" },
        { "'maxReplicas':3,'behavior':{'scaleUp':{'policies':[],'stabilizationWindowSeconds':4000}}",
          "spec.behavior.scaleUp.stabilizationWindowSeconds: Invalid value: 4000: must be between 0 and 3600, inclusive\nspec.behavior.scaleUp.policies: Required value: must specify at least one Policy" },
    };

    check_create("autoscaling", "horizontalpodautoscalers", "{'metadata':{'name':'x'},'spec':{'scaleTargetRef':{'kind':'Deployment','name':'d'},%s}}", cases, ARRAY_LEN(cases));
}
