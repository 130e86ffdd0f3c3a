/* test/api/kinds_test.c: what the kinds' own rules say, case by case: JSON in, "path: message" out.
 * In literals single quotes stand for double ones. */
#include "api/status.h"
#include "test/api/kinds_fixture.h"

#define CONTAINER "{'metadata':{'name':'x'},'spec':{'containers':[{'name':'c','image':'i',%s}]}}"
#define SPEC      "{'metadata':{'name':'x'},'spec':{'containers':[{'name':'c','image':'i'}],%s}}"

TEST(containers)
{
    static const struct wrong cases[] = {
        { "'args':[]", "" },
        { "'ports':[{'containerPort':80,'name':'a'},{'containerPort':81,'name':'a'}]", "spec.containers[0].ports[1].name: Duplicate value: 'a'" },
        { "'ports':[{'containerPort':80,'name':'A_'}]", "spec.containers[0].ports[0].name: Invalid value: 'A_': ..." },
        { "'ports':[{'containerPort':80,'hostPort':90},{'containerPort':81,'hostPort':90}]", "spec.containers[0].ports[1].hostPort: Duplicate value: 'TCP//90'" },
        { "'ports':[{'containerPort':0}]", "spec.containers[0].ports[0].containerPort: Invalid value: 0: must be between 1 and 65535, inclusive" },
        { "'volumeMounts':[{'name':'v','mountPath':'/a'}]", "spec.containers[0].volumeMounts[0].name: Not found: 'v'" },
        { "'livenessProbe':{}", "spec.containers[0].livenessProbe: Required value: must specify a handler type" },
        { "'livenessProbe':{'exec':{'command':['x']},'httpGet':{'port':1}}", "spec.containers[0].livenessProbe.httpGet: Forbidden: may not specify more than 1 handler type" },
        { "'livenessProbe':{'exec':{'command':['x']},'successThreshold':2}", "spec.containers[0].livenessProbe.successThreshold: Invalid value: 2: must be 1" },
        { "'readinessProbe':{'exec':{'command':['x']},'terminationGracePeriodSeconds':2}",
          "spec.containers[0].readinessProbe.terminationGracePeriodSeconds: Invalid value: 2: must not be set for readinessProbes" },
        { "'lifecycle':{'preStop':{}}", "spec.containers[0].lifecycle.preStop: Required value: must specify a handler type" },
        { "'resources':{'limits':{'cpu':'1'},'requests':{'cpu':'2'}}", "spec.containers[0].resources.requests: Invalid value: '2': must be less than or equal to cpu limit of 1" },
        { "'resources':{'limits':{'cpu':'-1'}}", "spec.containers[0].resources.limits[cpu]: Invalid value: '-1': must be greater than or equal to 0\n"
          "spec.containers[0].resources.requests[cpu]: Invalid value: '-1': must be greater than or equal to 0" },
        { "'resources':{'requests':{'disk':'1'}}", "spec.containers[0].resources.requests[disk]: Invalid value: 'disk': must be a standard resource type or fully qualified" },
        { "'resources':{'requests':{'a.b/gpu':'1'}}", "spec.containers[0].resources.limits: Required value: Limit must be set for non overcommitable resources" },
        { "'resources':{'limits':{'a.b/gpu':'1500m'}}", "spec.containers[0].resources.limits[a.b/gpu]: Invalid value: '1500m': must be an integer\n"
          "spec.containers[0].resources.requests[a.b/gpu]: Invalid value: '1500m': must be an integer" },
        { "'env':[{'name':'a=b','value':'1'}]", "spec.containers[0].env[0].name: Invalid value: 'a=b': ..." },
        { "'env':[{'name':'a','value':'1','valueFrom':{'fieldRef':{'fieldPath':'metadata.name'}}}]",
          "spec.containers[0].env[0].valueFrom: Invalid value: '': may not be specified when `value` is not empty" },
        { "'env':[{'name':'a','valueFrom':{}}]",
          "spec.containers[0].env[0].valueFrom: Invalid value: '': must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`" },
        { "'env':[{'name':'a','valueFrom':{'fieldRef':{'fieldPath':'metadata.labels[\\u0027x/y\\u0027]'}}}]", "" },
        { "'env':[{'name':'a','valueFrom':{'fieldRef':{'fieldPath':'metadata.name[\\u0027x\\u0027]'}}}]",
          "spec.containers[0].env[0].valueFrom.fieldRef.fieldPath: Invalid value: 'x': does not support subscript" },
        { "'env':[{'name':'a','valueFrom':{'fieldRef':{'fieldPath':'status.phase'}}}]",
          "spec.containers[0].env[0].valueFrom.fieldRef.fieldPath: Unsupported value: 'status.phase': supported values: 'metadata.name', 'metadata.namespace', "
          "'metadata.uid', 'spec.nodeName', 'spec.serviceAccountName', 'status.hostIP', 'status.hostIPs', 'status.podIP', 'status.podIPs'" },
        { "'env':[{'name':'a','valueFrom':{'fieldRef':{'fieldPath':'nowhere'}}}]",
          "spec.containers[0].env[0].valueFrom.fieldRef.fieldPath: Invalid value: 'nowhere': error converting fieldPath: field label not supported: nowhere" },
        { "'env':[{'name':'a','valueFrom':{'secretKeyRef':{'key':'k'}}}]", "spec.containers[0].env[0].valueFrom.secretKeyRef.name: Required value" },
        { "'envFrom':[{}]", "spec.containers[0].envFrom[0]: Invalid value: '': must specify one of: `configMapRef` or `secretRef`" },
        { "'restartPolicy':'Always'", "spec.containers[0].restartPolicy: Forbidden: may not be set for non-init containers" },
        { "'securityContext':{'privileged':true,'allowPrivilegeEscalation':false}",
          "spec.containers[0].securityContext: Invalid value: {'privileged':true,'allowPrivilegeEscalation':false}: "
          "cannot set `allowPrivilegeEscalation` to false and `privileged` to true" },
        { "'securityContext':{'seccompProfile':{'type':'Localhost'}}",
          "spec.containers[0].securityContext.seccompProfile.localhostProfile: Required value: must be set when seccomp type is Localhost" },
    };

    check_create("", "pods", CONTAINER, cases, ARRAY_LEN(cases));
}

TEST(pods)
{
    static const struct wrong cases[] = {
        { "'restartPolicy':'Never'", "" },
        { "'restartPolicy':'Sometimes'", "spec.restartPolicy: Unsupported value: 'Sometimes': supported values: 'Always', 'Never', 'OnFailure'" },
        { "'initContainers':[{'name':'c','image':'i'}]", "spec.initContainers[0].name: Duplicate value: 'c'" },
        { "'initContainers':[{'name':'d','image':'i','livenessProbe':{'exec':{'command':['x']}}}]",
          "spec.initContainers[0].livenessProbe: Forbidden: may not be set for init containers without restartPolicy=Always" },
        { "'initContainers':[{'name':'d','image':'i','restartPolicy':'Always','livenessProbe':{'exec':{'command':['x']}}}]", "" },
        { "'volumes':[{'name':'v'}]", "" },
        { "'volumes':[{'name':'v'},{'name':'v'}]", "spec.volumes[1].name: Duplicate value: 'v'" },
        { "'volumes':[{'name':'v','emptyDir':{},'hostPath':{'path':'/'}}]", "spec.volumes[0].hostPath: Forbidden: may not specify more than 1 volume type" },
        { "'volumes':[{'name':'v','hostPath':{'path':'/a/../b'}}]", "spec.volumes[0].hostPath.path: Invalid value: '/a/../b': must not contain '..'" },
        { "'volumes':[{'name':'v','configMap':{}}]", "spec.volumes[0].configMap.name: Required value" },
        { "'volumes':[{'name':'v','secret':{'secretName':'s','items':[{'key':'k','path':'../x'}]}}]",
          "spec.volumes[0].secret.items[0].path: Invalid value: '../x': must not contain '..'" },
        { "'volumes':[{'name':'v','secret':{'secretName':'s','items':[{'key':'k','path':'/x'}]}}]",
          "spec.volumes[0].secret.items[0].path: Invalid value: '/x': must be a relative path" },
        { "'volumes':[{'name':'v','downwardAPI':{'items':[{'path':'p'}]}}]",
          "spec.volumes[0].downwardAPI.items[0]: Required value: one of fieldRef and resourceFieldRef is required" },
        { "'volumes':[{'name':'v','projected':{'sources':[{'configMap':{'name':'a','items':[{'key':'k','path':'p'}]}},{'secret':{'name':'b','items':[{'key':'k','path':'p'}]}}]}}]",
          "spec.volumes[0].projected.sources[1].secret: Invalid value: 'p': conflicting duplicate paths" },
        { "'volumes':[{'name':'v','projected':{'sources':[{}]}}]", "spec.volumes[0].projected.sources[0]: Required value: must specify a projected volume source" },
        { "'tolerations':[{'operator':'Equal','value':'x'}]",
          "spec.tolerations[0].operator: Invalid value: 'Equal': operator must be Exists when `key` is empty, which means 'match all values and all keys'" },
        { "'tolerations':[{'key':'a','operator':'Exists','tolerationSeconds':3}]",
          "spec.tolerations[0].effect: Invalid value: '': effect must be 'NoExecute' when `tolerationSeconds` is set" },
        { "'nodeSelector':{'a b':'c'}", "spec.nodeSelector: Invalid value: 'a b': ..." },
        { "'affinity':{'nodeAffinity':{'requiredDuringSchedulingIgnoredDuringExecution':{'nodeSelectorTerms':[]}}}",
          "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms: Required value: must have at least one node selector term" },
        { "'affinity':{'nodeAffinity':{'requiredDuringSchedulingIgnoredDuringExecution':{'nodeSelectorTerms':[{'matchExpressions':[{'key':'a','operator':'In'}]}]}}}",
          "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchExpressions[0].values: Required value: "
          "must be specified when `operator` is 'In' or 'NotIn'" },
        { "'hostAliases':[{'ip':'1.2.3.4','hostnames':['a_b']}]", "spec.hostAliases[0].hostnames[0]: Invalid value: 'a_b': ..." },
        { "'dnsPolicy':'None'", "spec.dnsConfig: Required value: must provide `dnsConfig` when `dnsPolicy` is None" },
        { "'dnsConfig':{'nameservers':['x']}", "spec.dnsConfig.nameservers[0]: Invalid value: 'x': must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)" },
        { "'hostPID':true,'shareProcessNamespace':true", "spec.shareProcessNamespace: Invalid value: true: ShareProcessNamespace and HostPID cannot both be enabled" },
        { "'securityContext':{'sysctls':[{'name':'a','value':'1'},{'name':'a','value':'2'}]}", "spec.securityContext.sysctls[1].name: Duplicate value: 'a'" },
        { "'securityContext':{'runAsUser':3000000000}", "spec.securityContext.runAsUser: Invalid value: 3000000000: must be between 0 and 2147483647, inclusive" },
        { "'activeDeadlineSeconds':0", "spec.activeDeadlineSeconds: Invalid value: 0: must be between 1 and 2147483647, inclusive" },
        { "'topologySpreadConstraints':[{'maxSkew':1,'topologyKey':'a','whenUnsatisfiable':'ScheduleAnyway','minDomains':2}]",
          "spec.topologySpreadConstraints[0].minDomains: Invalid value: 2: can only use minDomains if whenUnsatisfiable=DoNotSchedule, not ScheduleAnyway" },
    };

    check_create("", "pods", SPEC, cases, ARRAY_LEN(cases));
}

TEST(mounts)
{
    static const struct wrong cases[] = {
        { "{'name':'v','mountPath':'/a'}", "" },
        { "{'name':'v','mountPath':'/a'},{'name':'v','mountPath':'/a'}", "spec.containers[0].volumeMounts[1].mountPath: Invalid value: '/a': must be unique" },
        { "{'name':'v','mountPath':'/a','subPath':'../x'}", "spec.containers[0].volumeMounts[0].subPath: Invalid value: '../x': must not contain '..'" },
        { "{'name':'v','mountPath':'/a','subPath':'x','subPathExpr':'y'}",
          "spec.containers[0].volumeMounts[0].subPathExpr: Invalid value: 'y': subPathExpr and subPath are mutually exclusive" },
        { "{'name':'v','mountPath':'/a','mountPropagation':'Bidirectional'}",
          "spec.containers[0].volumeMounts[0].mountPropagation: Forbidden: Bidirectional mount propagation is available only to privileged containers" },
        { "{'name':'v','mountPath':'/a','recursiveReadOnly':'Enabled'}",
          "spec.containers[0].volumeMounts[0].recursiveReadOnly: Forbidden: may only be specified when readOnly is true" },
    };

    check_create("", "pods", "{'metadata':{'name':'x'},'spec':{'volumes':[{'name':'v'}],'containers':[{'name':'c','image':'i','volumeMounts':[%s]}]}}",
                 cases, ARRAY_LEN(cases));
}

#define TEMPLATE "'template':{'metadata':{'labels':{'a':'b'}},'spec':{'containers':[{'name':'c','image':'i'}]}}"

TEST(workloads)
{
    static const struct wrong both[] = {
        { "'selector':{'matchLabels':{'a':'b'}}," TEMPLATE, "" },
        { "'selector':{'matchLabels':{'a':'c'}}," TEMPLATE, "spec.template.metadata.labels: Invalid value: map[string]string{'a':'b'}: `selector` does not match template `labels`" },
        { "'selector':{'matchExpressions':[{'key':'a','operator':'In','values':['b','c']},{'key':'z','operator':'DoesNotExist'}]}," TEMPLATE, "" },
        { "'selector':{'matchExpressions':[{'key':'a','operator':'Exists','values':['b']}]}," TEMPLATE,
          "spec.selector.matchExpressions[0].values: Forbidden: may not be specified when `operator` is 'Exists' or 'DoesNotExist'" },
        { "'selector':{'matchLabels':{'a':'b'}},'template':{'metadata':{'labels':{'a':'b'}},'spec':{'restartPolicy':'Never','containers':[{'name':'c','image':'i'}]}}",
          "spec.template.spec.restartPolicy: Unsupported value: 'Never': supported values: 'Always'" },
        { "'selector':{'matchLabels':{'a':'b'}},'template':{'metadata':{'labels':{'a':'b'}},'spec':{'containers':[]}}", "spec.template.spec.containers: Required value" },
        { "'selector':{'matchLabels':{'a':'b'}},'template':{'metadata':{'labels':{'a':'b'}},'spec':{'activeDeadlineSeconds':5,'containers':[{'name':'c','image':'i'}]}}",
          "spec.template.spec.activeDeadlineSeconds: Forbidden: activeDeadlineSeconds in ReplicaSet is not Supported" },
        { "'selector':{}," TEMPLATE, "spec.selector: Invalid value: v1.LabelSelector{MatchLabels:map[string]string(nil), MatchExpressions:[]v1.LabelSelectorRequirement(nil)}: "
          "empty selector is invalid for deployment" },
    };
    static const struct wrong deployments[] = {
        { "'strategy':{'type':'Recreate'}", "" },
        { "'strategy':{'type':'Recreate','rollingUpdate':{}}", "spec.strategy.rollingUpdate: Forbidden: may not be specified when strategy `type` is 'Recreate'" },
        { "'strategy':{'rollingUpdate':{'maxUnavailable':0,'maxSurge':0}}",
          "spec.strategy.rollingUpdate.maxUnavailable: Invalid value: intstr.IntOrString{Type:0, IntVal:0, StrVal:''}: may not be 0 when `maxSurge` is 0" },
        { "'strategy':{'rollingUpdate':{'maxUnavailable':'0%','maxSurge':'0%'}}",
          "spec.strategy.rollingUpdate.maxUnavailable: Invalid value: intstr.IntOrString{Type:1, IntVal:0, StrVal:'0%'}: may not be 0 when `maxSurge` is 0" },
        { "'strategy':{'rollingUpdate':{'maxUnavailable':'101%'}}",
          "spec.strategy.rollingUpdate.maxUnavailable: Invalid value: intstr.IntOrString{Type:1, IntVal:0, StrVal:'101%'}: must not be greater than 100%" },
        { "'strategy':{'rollingUpdate':{'maxSurge':-1}}", "spec.strategy.rollingUpdate.maxSurge: Invalid value: -1: must be greater than or equal to 0" },
        { "'progressDeadlineSeconds':5,'minReadySeconds':5", "spec.progressDeadlineSeconds: Invalid value: 5: must be greater than minReadySeconds" },
        { "'replicas':-1", "spec.replicas: Invalid value: -1: must be greater than or equal to 0" },
    };
    check_create("apps", "deployments", "{'metadata':{'name':'x'},'spec':{%s}}", both, ARRAY_LEN(both));
    check_create("apps", "replicasets", "{'metadata':{'name':'x'},'spec':{%s}}", both, ARRAY_LEN(both));
    check_create("apps", "deployments", "{'metadata':{'name':'x'},'spec':{'selector':{'matchLabels':{'a':'b'}}," TEMPLATE ",%s}}", deployments, ARRAY_LEN(deployments));
}

TEST(small_kinds)
{
    static const struct wrong budgets[] = {
        { "'minAvailable':1", "" },
        { "'minAvailable':1,'maxUnavailable':1", "spec: Invalid value: {'minAvailable':1,'maxUnavailable':1}: minAvailable and maxUnavailable cannot be both set" },
        { "'minAvailable':-1", "spec.minAvailable: Invalid value: -1: must be greater than or equal to 0" },
    };
    static const struct wrong leases[] = {
        { "'holderIdentity':'a','leaseDurationSeconds':1", "" },
        { "'holderIdentity':''", "spec.holderIdentity: Invalid value: '': must not be empty" },
        { "'leaseDurationSeconds':0", "spec.leaseDurationSeconds: Invalid value: 0: must be greater than or equal to 1" },
    };
    static const struct wrong maps[] = {
        { "'data':{'a':'b'}", "" },
        { "'data':{'a':'b'},'binaryData':{'a':'YQ=='}", "data[a]: Invalid value: 'a': duplicate of key present in binaryData" },
        { "'data':{'..':'b'}", "data[..]: Invalid value: '..': must not be '..'" },
    };
    static const struct wrong secrets[] = {
        { "'stringData':{'a':'b'}", "" },
        { "'type':'kubernetes.io/tls','stringData':{'tls.crt':'x'}", "data[tls.key]: Required value" },
        { "'type':'kubernetes.io/basic-auth'", "data[username]: Required value\ndata[password]: Required value" },
        { "'type':'kubernetes.io/dockerconfigjson','stringData':{'.dockerconfigjson':'{}'}", "" },
        { "'type':'kubernetes.io/dockerconfigjson','stringData':{'.dockerconfigjson':'no'}",
          "data[.dockerconfigjson]: Invalid value: '<secret contents redacted>': must be a JSON object" },
    };
    static const struct wrong nodes[] = {
        { "'taints':[{'key':'a','effect':'NoSchedule'},{'key':'a','effect':'NoExecute'}]", "" },
        { "'taints':[{'key':'a','effect':'NoSchedule'},{'key':'a','value':'b','effect':'NoSchedule'}]",
          "spec.taints[1]: Duplicate value: {'key':'a','value':'b','effect':'NoSchedule'}: taints must be unique by key and effect pair" },
        { "'podCIDR':'10.1.0.0/33'", "spec.podCIDRs[0]: Invalid value: '10.1.0.0/33': must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)" },
    };
    static const struct wrong slices[] = {
        { "'addressType':'IPv4','endpoints':[{'addresses':['10.1.2.3']}]", "" },
        { "'addressType':'IPv4','endpoints':[{'addresses':['::5']}]", "endpoints[0].addresses[0]: Invalid value: '::5': must be a valid IPv4 address, (e.g. 10.9.8.7)" },
        { "'addressType':'IPv4','endpoints':[{'addresses':['127.0.0.1']}]",
          "endpoints[0].addresses[0]: Invalid value: '127.0.0.1': may not be in the loopback range (127.0.0.0/8, ::1/128)" },
        { "'addressType':'IPv4','endpoints':[{'addresses':[]}]", "endpoints[0].addresses: Required value: must contain at least 1 address" },
        { "'addressType':'FQDN','endpoints':[],'ports':[{'port':1},{'port':2}]", "ports[1].name: Duplicate value: ''" },
        { "'endpoints':[]", "addressType: Required value" },
    };
    static const struct wrong endpoints[] = {
        { "'subsets':[{'addresses':[{'ip':'10.1.2.3'}],'ports':[{'port':1}]}]", "" },
        { "'subsets':[{}]", "subsets[0]: Required value: must specify `addresses` or `notReadyAddresses`" },
        { "'subsets':[{'addresses':[{'ip':'169.254.0.1'}],'ports':[{'port':1},{'port':2,'name':'b'}]}]",
          "subsets[0].addresses[0].ip: Invalid value: '169.254.0.1': may not be in the link-local range (169.254.0.0/16, fe80::/10)\nsubsets[0].ports[0].name: Required value" },
    };
    static const struct wrong events[] = {
        { "'involvedObject':{'namespace':'default'}", "" },
        { "'involvedObject':{'namespace':'other'}", "involvedObject.namespace: Invalid value: 'other': does not match event.namespace" },
        { "'involvedObject':{},'eventTime':'2024-01-01T00:00:00.000000Z','reason':'R','action':'A','reportingInstance':'i'", "reportingComponent: Required value" },
    };

    check_create("policy", "poddisruptionbudgets", "{'metadata':{'name':'x'},'spec':{%s}}", budgets, ARRAY_LEN(budgets));
    check_create("coordination.k8s.io", "leases", "{'metadata':{'name':'x'},'spec':{%s}}", leases, ARRAY_LEN(leases));
    check_create("", "configmaps", "{'metadata':{'name':'x'},%s}", maps, ARRAY_LEN(maps));
    check_create("", "secrets", "{'metadata':{'name':'x'},%s}", secrets, ARRAY_LEN(secrets));
    check_create("", "nodes", "{'metadata':{'name':'x'},'spec':{%s}}", nodes, ARRAY_LEN(nodes));
    check_create("discovery.k8s.io", "endpointslices", "{'metadata':{'name':'x'},%s}", slices, ARRAY_LEN(slices));
    check_create("", "endpoints", "{'metadata':{'name':'x'},%s}", endpoints, ARRAY_LEN(endpoints));
    check_create("", "events", "{'metadata':{'name':'x'},%s}", events, ARRAY_LEN(events));
}

/* ---- Updates ------------------------------------------------------------------------------------------------ */

TEST(updates)
{
#define ONE "'containers':[{'name':'c','image':'i'}]"
    static const struct change pods[] = {
        { ONE, ONE, "" },
        { ONE, "'containers':[{'name':'c','image':'j','imagePullPolicy':'Always'}]", "" },
        { ONE, "'containers':[{'name':'c','image':'i'},{'name':'d','image':'i'}]", "spec.containers: Forbidden: pod updates may not add or remove containers" },
        { ONE, "'nodeName':'n'," ONE, "spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
          "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if "
          "it was previously negative)\n  spec.nodeName" },
        { ONE, "'activeDeadlineSeconds':5," ONE, "" },
        { "'activeDeadlineSeconds':5," ONE, "'activeDeadlineSeconds':6," ONE, "spec.activeDeadlineSeconds: Invalid value: 6: must be less than or equal to previous value" },
        { "'activeDeadlineSeconds':5," ONE, ONE, "spec.activeDeadlineSeconds: Invalid value: null: must not update from a positive integer to nil value" },
        { ONE, "'tolerations':[{'key':'a','operator':'Exists'}]," ONE, "" },
        { "'tolerations':[{'key':'a','operator':'Exists'}]," ONE, ONE, "spec.tolerations: Forbidden: existing toleration can not be modified except its tolerationSeconds" },
        { "'tolerations':[{'key':'a','operator':'Exists','effect':'NoExecute','tolerationSeconds':5}]," ONE,
          "'tolerations':[{'key':'b','operator':'Exists'},{'key':'a','operator':'Exists','effect':'NoExecute','tolerationSeconds':6}]," ONE, "" },
        { ONE, "'schedulingGates':[{'name':'a'}]," ONE, "spec.schedulingGates: Forbidden: only deletion is allowed, but found new scheduling gate 'a'" },
        { "'schedulingGates':[{'name':'a'}]," ONE, "'nodeSelector':{'a':'b'}," ONE, "" },
        { "'schedulingGates':[{'name':'a'}],'nodeSelector':{'a':'b'}," ONE, "'nodeSelector':{'a':'c'}," ONE,
          "spec.nodeSelector: Invalid value: {'a':'c'}: only additions to spec.nodeSelector are allowed..." },
        { ONE, "'nodeSelector':{'a':'b'}," ONE, "spec: Forbidden: pod updates may not change..." },
    };
    static const struct change deployments[] = {
        { "'selector':{'matchLabels':{'a':'b'}}," TEMPLATE, "'replicas':5,'selector':{'matchLabels':{'a':'b'}}," TEMPLATE, "" },
        { "'selector':{'matchLabels':{'a':'b'}}," TEMPLATE, "'selector':{'matchLabels':{'c':'b'}}," TEMPLATE,
          "spec.selector: Invalid value: {'matchLabels':{'c':'b'}}: field is immutable" },
    };
    static const struct change maps[] = {
        { "'data':{'a':'b'}", "'immutable':true", "" },
        { "'immutable':true,'data':{'a':'b'}", "'immutable':true,'data':{'a':'b'}", "" },
        { "'immutable':true,'data':{'a':'b'}", "'data':{'a':'c'}",
          "immutable: Forbidden: field is immutable when `immutable` is set\ndata: Forbidden: field is immutable when `immutable` is set" },
    };
    static const struct change secrets[] = {
        { "'stringData':{'a':'b'}", "'data':{'a':'Yw=='}", "" },
        { "'immutable':true,'stringData':{'a':'b'}", "'immutable':true,'stringData':{'a':'c'}", "data: Forbidden: field is immutable when `immutable` is set" },
        { "'type':'a'", "'type':'b'", "type: Invalid value: 'b': field is immutable" },
    };
    static const struct change nodes[] = {
        { "'unschedulable':true", "'podCIDR':'10.1.0.0/24'", "" },
        { "'podCIDR':'10.1.0.0/24'", "'podCIDR':'10.2.0.0/24'", "spec.podCIDRs: Forbidden: node updates may not change podCIDR except from '' to valid" },
        { "'providerID':'a'", "'unschedulable':true", "spec.providerID: Forbidden: node updates may not change providerID except from '' to valid" },
    };

    check_update("", "pods", "{'metadata':{'name':'x'},'spec':{%s}}", pods, ARRAY_LEN(pods));
    check_update("apps", "deployments", "{'metadata':{'name':'x'},'spec':{%s}}", deployments, ARRAY_LEN(deployments));
    check_update("apps", "replicasets", "{'metadata':{'name':'x'},'spec':{%s}}", deployments, ARRAY_LEN(deployments));
    check_update("", "configmaps", "{'metadata':{'name':'x'},%s}", maps, ARRAY_LEN(maps));
    check_update("", "secrets", "{'metadata':{'name':'x'},%s}", secrets, ARRAY_LEN(secrets));
    check_update("", "nodes", "{'metadata':{'name':'x'},'spec':{%s}}", nodes, ARRAY_LEN(nodes));
}

/* ---- Defaults ----------------------------------------------------------------------------------------------- */

TEST(pull_policies)
{
    static const struct { const char *image, *policy; } cases[] = {
        { "nginx", "Always" }, { "nginx:latest", "Always" }, { "nginx:1", "IfNotPresent" }, { "host:5000/nginx", "Always" },
        { "host:5000/a/nginx:2", "IfNotPresent" }, { "nginx@sha256:0123", "IfNotPresent" }, { "nginx:latest@sha256:0123", "Always" }, { "", "Always" }, { "a/", "Always" },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct at_work w;
        struct json   *obj;

        work_open(&w, "", "pods");
        obj = complete(&w, arena_cstr(&w.a, arena_fmt(&w.a, "{'spec':{'containers':[{'name':'c','image':'%s'}]}}", cases[i].image)));
        CHECK_STR(json_path_str(obj, "spec.containers.0.imagePullPolicy"), cases[i].policy);
        arena_release(&w.a);
    }
}

TEST(defaults)
{
    struct at_work w;
    struct json   *obj;

    work_open(&w, "", "pods");
    obj = complete(&w, "{'spec':{'hostNetwork':true,'serviceAccount':'s','volumes':[{'name':'v'}],'containers':[{'name':'c','image':'i','ports':[{'containerPort':80}],"
                       "'resources':{'limits':{'cpu':1,'memory':'1Gi'},'requests':{'cpu':'500m'}}}]}}");
    CHECK_JSON(&w.a, json_path(obj, "spec.containers.0.resources.requests"), "{'cpu':'500m','memory':'1Gi'}");
    CHECK_INT(json_path_i64(obj, "spec.containers.0.ports.0.hostPort", 0), 80);
    CHECK_STR(json_path_str(obj, "spec.serviceAccountName"), "s");
    CHECK_JSON(&w.a, json_path(obj, "spec.volumes.0"), "{'name':'v','emptyDir':{}}");
    CHECK(json_path_true(obj, "spec.enableServiceLinks"));
    arena_release(&w.a);

    work_open(&w, "apps", "deployments");
    obj = complete(&w, "{'spec':{'template':{'spec':{'containers':[{'name':'c','image':'i','resources':{'limits':{'cpu':1}}}]}}}}");
    CHECK_JSON(&w.a, json_path(obj, "spec.strategy"), "{'type':'RollingUpdate','rollingUpdate':{'maxUnavailable':'25%','maxSurge':'25%'}}");
    CHECK(json_path(obj, "spec.template.spec.enableServiceLinks") == NULL);
    CHECK(json_path(obj, "spec.template.spec.containers.0.resources.requests") == NULL);
    arena_release(&w.a);

    work_open(&w, "", "secrets");
    obj = complete(&w, "{'data':{'a':'YQ==','c':'Yw=='},'stringData':{'a':'b','d':''}}");
    CHECK_JSON(&w.a, obj, "{'data':{'a':'Yg==','c':'Yw==','d':''},'type':'Opaque'}");
    arena_release(&w.a);
}

/* ---- Time ----------------------------------------------------------------------------------------------------- */

TEST(pod_hooks_are_fast)
{
    struct at_work w;
    struct json   *obj;
    double         start;
    const int      rounds = 20000;

    work_open(&w, "", "pods");
    obj = complete(&w, pod_2k);
    start = seconds();
    for (int i = 0; i < rounds; i++) {
        struct arena scratch = ARENA_INIT;

        w.c.arena = &scratch;
        causes_init(&w.causes, &scratch);
        w.hooks->default_(&w.c, obj);
        w.hooks->validate(&w.c, obj, &w.causes);
        CHECK_INT(w.causes.n, 0);
        arena_release(&scratch);
    }
    printf("pod's default_ and validate: %.2f us\n", (seconds() - start) * 1e6 / rounds);
    arena_release(&w.a);
}

/* Tens of thousands of mistakes make a short answer that says how many there are. */
TEST(causes_are_counted_but_not_all_kept)
{
    enum { N = 30000 };
    struct at_work w;
    struct buf     b = BUF_INIT, out = BUF_INIT;
    struct status  s = { .code = 422, .reason = REASON_INVALID };
    struct json   *obj, *answer;
    struct json_error err;

    buf_z(&b, "{'metadata':{'name':'x'},'spec':{'containers':[{'name':'c','image':'i','volumeMounts':[");
    for (int i = 0; i < N; i++)
        buf_fmt(&b, "%s{'name':'v%d','mountPath':'/%d'}", i > 0 ? "," : "", i, i);
    buf_z(&b, "]}]}}");
    buf_add(&b, "", 1);
    work_open(&w, "", "pods");
    obj = complete(&w, b.p);
    w.hooks->validate(&w.c, obj, &w.causes);
    CHECK_INT(w.causes.n, N);
    s.causes = &w.causes;
    s.message = status_causes_text(&w.a, &w.causes);
    status_write(&out, &s);
    CHECK(out.n < 100000);
    CHECK(memmem(s.message.p, s.message.n, ", ... and 29872 more]", 21) != NULL);
    CHECK_INT(json_parse(&w.a, buf_str(&out), &answer, &err), 0);
    CHECK_INT(json_path(answer, "details.causes")->n, CAUSES_KEPT + 1);
    CHECK_STR(json_path_str(answer, "details.causes.0.field"), "spec.containers[0].volumeMounts[0].name");
    CHECK_STR(json_path_str(answer, "details.causes.128.message"), "... and 29872 more");
    arena_release(&w.a);
    buf_release(&b);
    buf_release(&out);
}

/* Long lists of everything that is looked up somewhere: done in a moment, or the test's time runs out. */
TEST(nothing_is_quadratic)
{
    enum { N = 40000 };
    struct at_work w;
    struct buf     b = BUF_INIT;
    struct json   *obj, *other;

    buf_z(&b, "{'metadata':{'name':'x'},'spec':{'containers':[{'name':'c','image':'i','volumeMounts':[");
    for (int i = 0; i < N; i++)
        buf_fmt(&b, "%s{'name':'v%d','mountPath':'/%d'}", i > 0 ? "," : "", i, i);
    buf_z(&b, "],'resources':{'limits':{");
    for (int i = 0; i < N; i++)
        buf_fmt(&b, "%s'x.y/r%d':'1'", i > 0 ? "," : "", i);
    buf_z(&b, "}}}],'volumes':[");
    for (int i = 0; i < N; i++)
        buf_fmt(&b, "%s{'name':'v%d'}", i > 0 ? "," : "", i);
    buf_z(&b, "],'tolerations':[");
    for (int i = 0; i < N; i++)
        buf_fmt(&b, "%s{'key':'t%d','operator':'Exists'}", i > 0 ? "," : "", i);
    buf_z(&b, "],'nodeSelector':{");
    for (int i = 0; i < N; i++)
        buf_fmt(&b, "%s'l%d':'1'", i > 0 ? "," : "", i);
    buf_z(&b, "}}}");
    buf_add(&b, "", 1);
    work_open(&w, "", "pods");
    obj = complete(&w, b.p);
    w.hooks->validate(&w.c, obj, &w.causes);
    CHECK_INT(w.causes.n, 0);
    other = json_copy(&w.a, obj);
    json_setz(&w.a, json_path(other, "spec"), "nodeName", json_string(&w.a, STR("n")));
    w.hooks->validate_update(&w.c, obj, other, &w.causes);
    CHECK_INT(w.causes.n, 1);
    arena_release(&w.a);
    buf_release(&b);
}
