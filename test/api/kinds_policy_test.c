/* test/api/kinds_policy_test.c: the rules of roles, certificates, quotas, priorities, flow control, webhooks, policies,
 * users' kinds and API groups. */
#include "test/api/certificate_request.h"
#include "test/api/kinds_fixture.h"

#define SPEC  "{'metadata':{'name':'x'},'spec':{%s}}"
#define PLAIN "{'metadata':{'name':'x'},%s}"
#define RBAC  "rbac.authorization.k8s.io"
#define ADMISSION "admissionregistration.k8s.io"
#define FLOW  "flowcontrol.apiserver.k8s.io"

TEST(roles)
{
    static const struct wrong both[] = {
        { "'rules':[{'verbs':['get'],'apiGroups':[''],'resources':['pods']}]", "" },
        { "'rules':[{'apiGroups':[''],'resources':['pods']}]", "rules[0].verbs: Required value" },
        { "'rules':[{'verbs':['get'],'resources':['pods']}]", "rules[0].apiGroups: Required value: resource rules must supply at least one api group" },
        { "'rules':[{'verbs':['get'],'apiGroups':['']}]", "rules[0].resources: Required value: resource rules must supply at least one resource" },
    };
    static const struct wrong roles[] = {
        { "'rules':[{'verbs':['get'],'nonResourceURLs':['/a']}]", "rules[0].nonResourceURLs: Invalid value: ['/a']: namespaced rules cannot apply to non-resource URLs" },
    };
    static const struct wrong cluster[] = {
        { "'rules':[{'verbs':['get'],'nonResourceURLs':['/a']}]", "" },
        { "'rules':[{'verbs':['get'],'nonResourceURLs':['/a'],'apiGroups':['']}]",
          "rules[0].nonResourceURLs: Invalid value: ['/a']: rules cannot apply to both regular resources and non-resource URLs" },
        { "'aggregationRule':{}", "aggregationRule.clusterRoleSelectors: Required value: at least one clusterRoleSelector required if aggregationRule is non-nil" },
    };
#define REF(kind) "'roleRef':{'kind':'" kind "','name':'r'}"
    static const struct wrong bindings[] = {
        { REF("Role") ",'subjects':[{'kind':'User','name':'u'},{'kind':'ServiceAccount','name':'s','namespace':'n'}]", "" },
        { REF("Pod"), "roleRef.kind: Unsupported value: 'Pod': supported values: 'ClusterRole', 'Role'" },
        { "'roleRef':{'kind':'Role','name':'a/b'}", "roleRef.name: Invalid value: 'a/b': may not contain '/'" },
        { "'roleRef':{'apiGroup':'a','kind':'Role','name':'b'}", "roleRef.apiGroup: Unsupported value: 'a': supported values: '" RBAC "'" },
        { REF("Role") ",'subjects':[{'kind':'Dog','name':'u'}]", "subjects[0].kind: Unsupported value: 'Dog': supported values: 'Group', 'ServiceAccount', 'User'" },
        { REF("Role") ",'subjects':[{'kind':'User','name':'u','apiGroup':'a'}]", "subjects[0].apiGroup: Unsupported value: 'a': supported values: '" RBAC "'" },
        { REF("Role") ",'subjects':[{'kind':'ServiceAccount','name':'u','apiGroup':'a'}]", "subjects[0].apiGroup: Unsupported value: 'a': supported values: ''" },
    };
    static const struct wrong cluster_bindings[] = {
        { REF("Role"), "roleRef.kind: Unsupported value: 'Role': supported values: 'ClusterRole'" },
        { REF("ClusterRole") ",'subjects':[{'kind':'ServiceAccount','name':'s'}]", "subjects[0].namespace: Required value" },
    };
    static const struct change changes[] = {
        { REF("Role"), REF("Role") ",'subjects':[{'kind':'User','name':'u'}]", "" },
        { REF("Role"), REF("ClusterRole"), "roleRef: Invalid value: rbac.RoleRef{APIGroup:'" RBAC "', Kind:'ClusterRole', Name:'r'}: cannot change roleRef" },
    };

    check_create(RBAC, "roles", PLAIN, both, ARRAY_LEN(both));
    check_create(RBAC, "clusterroles", PLAIN, both, ARRAY_LEN(both));
    check_create(RBAC, "roles", PLAIN, roles, ARRAY_LEN(roles));
    check_create(RBAC, "clusterroles", PLAIN, cluster, ARRAY_LEN(cluster));
    check_create(RBAC, "rolebindings", PLAIN, bindings, ARRAY_LEN(bindings));
    check_create(RBAC, "clusterrolebindings", PLAIN, cluster_bindings, ARRAY_LEN(cluster_bindings));
    check_update(RBAC, "rolebindings", PLAIN, changes, ARRAY_LEN(changes));
}

#define PEM "'request':'" CERTIFICATE_REQUEST "','usages':['client auth']"

TEST(certificates)
{
    static const struct wrong cases[] = {
        { PEM ",'signerName':'a.b/c'", "" },
        { "'request':'AAE=','usages':['client auth'],'signerName':'a.b/c'", "spec.request: Invalid value: 'AAE=': PEM block type must be CERTIFICATE REQUEST" },
        { "'request':'LS0tLS1CRUdJTiBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0KQUFFPQotLS0tLUVORCBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0K',"
          "'usages':['client auth'],'signerName':'a.b/c'",
          "spec.request: Invalid value: 'LS0tLS1CRUdJTiBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0KQUFFPQotLS0tLUVORCBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0K': "
          "PEM block type must be CERTIFICATE REQUEST" },
        { PEM ",'signerName':'c'", "spec.signerName: Invalid value: 'c': must be a fully qualified domain and path of the form 'example.com/signer-name'" },
        { PEM ",'signerName':'A.b/c'", "spec.signerName: Invalid value: 'A.b/c': a lowercase RFC 1123 subdomain..." },
        { PEM ",'signerName':'kubernetes.io/legacy-unknown'",
          "spec.signerName: Invalid value: 'kubernetes.io/legacy-unknown': kubernetes.io/legacy-unknown signerName is not allowed via this API version" },
        { PEM ",'signerName':'a.b/c','expirationSeconds':5", "spec.expirationSeconds: Invalid value: 5: must be greater than or equal to 600" },
    };
#define COND(t) "'conditions':[{'type':'" t "','status':'True'}]"
    static const struct change states[] = {
        { "", COND("Other"), "" },
        { "", COND("Failed"), "" },
        { "", COND("Approved"), "status.conditions: Forbidden: updates may not add a condition of type 'Approved'" },
        { COND("Denied"), "", "status.conditions: Forbidden: updates may not remove a condition of type 'Denied'" },
        { COND("Approved") ",'certificate':'YQ=='", COND("Approved") ",'certificate':'Yg=='", "status.certificate: Forbidden: updates may not change certificate content once it is issued" },
    };

    check_create("certificates.k8s.io", "certificatesigningrequests", SPEC, cases, ARRAY_LEN(cases));
    check_status("certificates.k8s.io", "certificatesigningrequests", "{'metadata':{'name':'x'},'status':{%s}}", states, ARRAY_LEN(states));
}

TEST(limits)
{
    static const struct wrong quotas[] = {
        { "'hard':{'cpu':'1','pods':'5','count/jobs.batch':'3','requests.storage':'1Gi'}", "" },
        { "'hard':{'disk':'1'}", "spec.hard[disk]: Invalid value: 'disk': must be a standard resource for quota" },
        { "'hard':{'pods':'1500m'}", "spec.hard[pods]: Invalid value: '1500m': must be an integer" },
        { "'hard':{'cpu':'-1'}", "spec.hard[cpu]: Invalid value: '-1': must be greater than or equal to 0" },
        { "'scopes':['BestEffort','NotBestEffort']", "spec.scopes: Invalid value: ['BestEffort','NotBestEffort']: conflicting scopes" },
        { "'scopeSelector':{'matchExpressions':[{'scopeName':'PriorityClass','operator':'In'}]}",
          "spec.scopeSelector.matchExpressions[0].values: Required value: must be at least one value when `operator` is 'In' or 'NotIn' for scope selector" },
        { "'scopeSelector':{'matchExpressions':[{'scopeName':'BestEffort','operator':'In','values':['a']}]}",
          "spec.scopeSelector.matchExpressions[0].operator: Invalid value: 'In': must be 'Exist' when scope is any of..." },
    };
    static const struct change changes[] = {
        { "'hard':{'cpu':'1'}", "'hard':{'cpu':'2'}", "" },
        { "'scopes':['BestEffort']", "'scopes':['Terminating']", "spec.scopes: Invalid value: ['Terminating']: field is immutable" },
    };
    static const struct wrong ranges[] = {
        { "{'type':'Container','max':{'cpu':'2'},'min':{'cpu':'1'}}", "" },
        { "{'type':'Container'},{'type':'Container'}", "spec.limits[1].type: Duplicate value: 'Container'" },
        { "{'type':'Pod','default':{'cpu':'1'}}", "spec.limits[0].default: Forbidden: may not be specified when `type` is 'Pod'" },
        { "{'type':'Pod','max':{'cpu':'1'},'min':{'cpu':'2'}}", "spec.limits[0].min[cpu]: Invalid value: '2': min value 2 is greater than max value 1" },
        { "{'type':'Pod','maxLimitRequestRatio':{'cpu':'500m'}}", "spec.limits[0].maxLimitRequestRatio[cpu]: Invalid value: '500m': ratio 500m is less than 1" },
        { "{'type':'PersistentVolumeClaim'}", "spec.limits[0]: Required value: either minimum or maximum storage value is required, but neither was provided" },
        { "{'type':'Container','default':{'cpu':'1'},'defaultRequest':{'cpu':'2'}}",
          "spec.limits[0].defaultRequest[cpu]: Invalid value: '2': default request value 2 is greater than default limit value 1" },
        { "{'type':'Container','default':{'cpu':'3'},'max':{'cpu':'2'},'defaultRequest':{'cpu':'1'}}",
          "spec.limits[0].default[cpu]: Invalid value: '3': default value 3 is greater than max value 2" },
    };

    check_create("", "resourcequotas", SPEC, quotas, ARRAY_LEN(quotas));
    check_update("", "resourcequotas", SPEC, changes, ARRAY_LEN(changes));
    check_create("", "limitranges", "{'metadata':{'name':'x'},'spec':{'limits':[%s]}}", ranges, ARRAY_LEN(ranges));
}

TEST(classes_of_pods)
{
    static const struct wrong priorities[] = {
        { "'metadata':{'name':'x'},'value':1000000000", "" },
        { "'metadata':{'name':'x'},'value':1000000001", "value: Forbidden: maximum allowed value of a user defined priority is 1000000000" },
        { "'metadata':{'name':'system-x'},'value':1", "metadata.name: Forbidden: priority class names with 'system-' prefix are reserved for system use only" },
        { "'metadata':{'name':'system-node-critical'},'value':2000001000", "" },
        { "'metadata':{'name':'x'},'preemptionPolicy':'Maybe'", "preemptionPolicy: Unsupported value: 'Maybe': supported values: 'Never', 'PreemptLowerPriority'" },
    };
    static const struct change changes[] = {
        { "'value':1", "'value':1,'globalDefault':true", "" },
        { "'value':1", "'value':2,'preemptionPolicy':'Never'", "value: Forbidden: may not be changed in an update.\npreemptionPolicy: Invalid value: 'Never': field is immutable" },
    };
    static const struct wrong runtimes[] = {
        { "'handler':'crun'", "" },
        { "'handler':'a_b'", "handler: Invalid value: 'a_b': ..." },
        { "'handler':'a','overhead':{'podFixed':{'cpu':'-1'}}", "overhead.podFixed[cpu]: Invalid value: '-1': must be greater than or equal to 0" },
        { "'handler':'a','scheduling':{'tolerations':[{'value':'x'}]}", "scheduling.tolerations[0].operator: Invalid value: '': operator must be Exists when `key` is empty..." },
    };

    check_create("scheduling.k8s.io", "priorityclasses", "{%s}", priorities, ARRAY_LEN(priorities));
    check_update("scheduling.k8s.io", "priorityclasses", PLAIN, changes, ARRAY_LEN(changes));
    check_create("node.k8s.io", "runtimeclasses", PLAIN, runtimes, ARRAY_LEN(runtimes));
}

TEST(flow_control)
{
#define FLOW_RULE(subject, rest) "'priorityLevelConfiguration':{'name':'p'},'rules':[{'subjects':[" subject "]," rest "}]"
#define USER "{'kind':'User','user':{'name':'u'}}"
#define PATHS "'nonResourceRules':[{'verbs':['*'],'nonResourceURLs':['*']}]"
    static const struct wrong schemas[] = {
        { FLOW_RULE(USER, PATHS), "" },
        { FLOW_RULE("{'kind':'User'}", PATHS), "spec.rules[0].subjects[0].user: Required value: user is required when subject kind is 'User'" },
        { FLOW_RULE("{'kind':'Group','group':{'name':'g'},'user':{'name':'u'}}", PATHS), "spec.rules[0].subjects[0].user: Forbidden: user is forbidden when subject kind is not 'User'" },
        { FLOW_RULE(USER, "'resourceRules':[]"), "spec.rules[0]: Required value: at least one of resourceRules and nonResourceRules has to be non-empty" },
        { FLOW_RULE(USER, "'nonResourceRules':[{'verbs':['*','get'],'nonResourceURLs':['a']}]"),
          "spec.rules[0].nonResourceRules[0].verbs: Invalid value: ['*','get']: if '*' is present, must not specify other verbs\n"
          "spec.rules[0].nonResourceRules[0].nonResourceURLs[0]: Invalid value: 'a': must start with slash" },
        { FLOW_RULE(USER, "'resourceRules':[{'verbs':['*'],'apiGroups':['*'],'resources':['*']}]"),
          "spec.rules[0].resourceRules[0].namespaces: Required value: resource rules that are not cluster scoped must supply at least one namespace" },
        { "'priorityLevelConfiguration':{'name':'p'},'matchingPrecedence':1", "spec.matchingPrecedence: Invalid value: 1: only the schema named 'exempt' may have matchingPrecedence 1" },
    };
    static const struct wrong levels[] = {
        { "'type':'Limited','limited':{'limitResponse':{'type':'Reject'}}", "" },
        { "'type':'Limited'", "spec.limited: Required value: must not be empty when type is Limited" },
        { "'type':'Limited','limited':{'limitResponse':{'type':'Reject','queuing':{}}}",
          "spec.limited.limitResponse.queuing: Forbidden: must be nil if limited.limitResponse.type is not Limited" },
        { "'type':'Limited','limited':{'limitResponse':{'type':'Queue','queuing':{'queues':4,'handSize':5}}}",
          "spec.limited.limitResponse.queuing.handSize: Invalid value: 5: should not be greater than queues (4)" },
        { "'type':'Exempt'", "spec.type: Invalid value: 'Exempt': must be 'Limited' unless the name is 'exempt'" },
    };

    check_create(FLOW, "flowschemas", SPEC, schemas, ARRAY_LEN(schemas));
    check_create(FLOW, "prioritylevelconfigurations", SPEC, levels, ARRAY_LEN(levels));
}

TEST(webhooks)
{
#define HOOK "{'metadata':{'name':'x'},'webhooks':[{'name':'a.b.c','admissionReviewVersions':['v1'],'sideEffects':'None',%s}]}"
#define TO "'clientConfig':{'service':{'namespace':'n','name':'s'}}"
#define URL(u) "'clientConfig':{'url':'" u "'}"
#define FORM "; desired format: https://host[:port]/path"
#define ABOUT(r) TO ",'rules':[{" r "}]"
    static const struct wrong cases[] = {
        { TO, "" },
        { URL("https://a:443/b"), "" },
        { "'clientConfig':{}", "webhooks[0].clientConfig: Required value: exactly one of url or service is required" },
        { URL("http://a"), "webhooks[0].clientConfig.url: Invalid value: 'http://a': 'https' is the only allowed URL scheme" FORM },
        { URL("https:///a"), "webhooks[0].clientConfig.url: Invalid value: 'https:///a': host must be specified" FORM },
        { URL("https://u@a/?b#c"), "webhooks[0].clientConfig.url: Invalid value: 'https://u@a/?b#c': user information is not permitted in the URL\n"
          "webhooks[0].clientConfig.url: Invalid value: 'https://u@a/?b#c': fragments are not permitted in the URL\n"
          "webhooks[0].clientConfig.url: Invalid value: 'https://u@a/?b#c': query parameters are not permitted in the URL" },
        { "'clientConfig':{'service':{'namespace':'n','name':'s','path':'p'}}", "webhooks[0].clientConfig.service.path: Invalid value: 'p': must start with a '/'" },
        { TO ",'name':'a.b'", "webhooks[0].name: Invalid value: 'a.b': should be a domain with at least three segments separated by dots" },
        { TO ",'sideEffects':'Some'", "webhooks[0].sideEffects: Unsupported value: 'Some': supported values: 'None', 'NoneOnDryRun'" },
        { TO ",'admissionReviewVersions':['v2']", "webhooks[0].admissionReviewVersions: Invalid value: ['v2']: must include at least one of v1, v1beta1" },
        { TO ",'admissionReviewVersions':['v1','v1']", "webhooks[0].admissionReviewVersions[1]: Invalid value: 'v1': duplicate version" },
        { TO ",'timeoutSeconds':31", "webhooks[0].timeoutSeconds: Invalid value: 31: must be between 1 and 30, inclusive" },
        { ABOUT("'operations':['*','CREATE'],'apiGroups':['a'],'apiVersions':['v1'],'resources':['r']"),
          "webhooks[0].rules[0].operations: Invalid value: ['*','CREATE']: if '*' is present, must not specify other operations" },
        { ABOUT("'operations':['*'],'apiGroups':['*','a'],'apiVersions':['*','v1'],'resources':['r','*/*']"),
          "webhooks[0].rules[0].apiGroups: Invalid value: ['*','a']: if '*' is present, must not specify other API groups\n"
          "webhooks[0].rules[0].apiVersions: Invalid value: ['*','v1']: if '*' is present, must not specify other API versions\n"
          "webhooks[0].rules[0].resources: Invalid value: ['r','*/*']: if '*/*' is present, must not specify other resources" },
    };

    check_create(ADMISSION, "validatingwebhookconfigurations", HOOK, cases, ARRAY_LEN(cases));
    check_create(ADMISSION, "mutatingwebhookconfigurations", HOOK, cases, ARRAY_LEN(cases));
}

TEST(admission_policies)
{
#define RULES "'matchConstraints':{'resourceRules':[{'operations':['*'],'apiGroups':['a'],'apiVersions':['v1'],'resources':['r']}]}"
#define NONE "validations or auditAnnotations must contain at least one item"
    static const struct wrong policies[] = {
        { RULES ",'validations':[{'expression':'true'}]", "" },
        { RULES, "spec.validations: Required value: " NONE "\nspec.auditAnnotations: Required value: " NONE },
        { "'matchConstraints':{},'validations':[{'expression':'true'}]", "spec.matchConstraints.resourceRules: Required value" },
        { RULES ",'validations':[{'expression':'true','message':'a\\nb'}]", "spec.validations[0].message: Invalid value: 'a\\nb': message must not contain line breaks" },
        { RULES ",'validations':[{'expression':'true','reason':'Mood'}]",
          "spec.validations[0].reason: Unsupported value: 'Mood': supported values: 'Forbidden', 'Invalid', 'RequestEntityTooLarge', 'Unauthorized'" },
        { RULES ",'auditAnnotations':[{'key':'a','valueExpression':'null'},{'key':'a','valueExpression':'null'}]", "spec.auditAnnotations[1].key: Duplicate value: 'a'" },
    };
    static const struct wrong bindings[] = {
        { "'policyName':'p','validationActions':['Deny']", "" },
        { "'policyName':'p','validationActions':['Deny','Warn']", "spec.validationActions: Invalid value: ['Deny','Warn']: must not contain both Deny and Warn..." },
        { "'policyName':'p','validationActions':['Deny'],'paramRef':{'parameterNotFoundAction':'Deny'}", "spec.paramRef: Required value: one of name or selector must be specified" },
        { "'policyName':'p','validationActions':['Deny'],'paramRef':{'name':'n','selector':{}}",
          "spec.paramRef.name: Forbidden: name and selector are mutually exclusive\nspec.paramRef.parameterNotFoundAction: Required value" },
    };

    check_create(ADMISSION, "validatingadmissionpolicies", SPEC, policies, ARRAY_LEN(policies));
    check_create(ADMISSION, "validatingadmissionpolicybindings", SPEC, bindings, ARRAY_LEN(bindings));
}

#define CRD_NAMED(name, more) "'metadata':{'name':'" name "'},'spec':{'group':'a.b','scope':'Namespaced','names':{'plural':'boats','kind':'Boat'}," more "}"
#define CRD(more)     CRD_NAMED("boats.a.b", more)
#define VERSION(n, storage, schema) "{'name':'" n "','served':true,'storage':" storage ",'schema':{'openAPIV3Schema':" schema "}}"
#define STRUCTURE(s)  CRD("'versions':[" VERSION("v1", "true", s) "]")
#define AT_SCHEMA     "spec.versions[0].schema.openAPIV3Schema"
#define OBJECT(p)     "{'type':'object','properties':{" p "}}"

TEST(definitions)
{
    static const struct wrong cases[] = {
        { STRUCTURE("{'type':'object'}"), "" },
        { CRD_NAMED("x", "'versions':[" VERSION("v1", "true", "{'type':'object'}") "]"), "metadata.name: Invalid value: 'x': must be spec.names.plural+'.'+spec.group" },
        { CRD("'versions':[" VERSION("v1", "false", "{'type':'object'}") "]"), "spec.versions: Invalid value: null: must have exactly one version marked as storage version" },
        { CRD("'versions':[" VERSION("v1", "true", "{'type':'object'}") "," VERSION("v1", "false", "{'type':'object'}") "]"),
          "spec.versions: Invalid value: null: must contain unique version names" },
        { CRD("'versions':[{'name':'v1','served':true,'storage':true}]"), "spec.versions[0].schema.openAPIV3Schema: Required value: schemas are required" },
        { CRD("'conversion':{'strategy':'Webhook'},'versions':[" VERSION("v1", "true", "{'type':'object'}") "]"),
          "spec.conversion.webhook.clientConfig: Required value: required when strategy is set to Webhook" },
        { CRD("'preserveUnknownFields':true,'versions':[" VERSION("v1", "true", "{'type':'object'}") "]"), "spec.preserveUnknownFields: Invalid value: true: cannot set to true..." },
        { STRUCTURE("{}"), AT_SCHEMA ".type: Required value: must not be empty at the root" },
        { STRUCTURE("{'type':'string'}"), AT_SCHEMA ".type: Invalid value: 'string': must be object at the root" },
        { STRUCTURE(OBJECT("'a':{}")), AT_SCHEMA ".properties[a].type: Required value: must not be empty for specified object fields" },
        { STRUCTURE(OBJECT("'a':{'x-kubernetes-int-or-string':true},'b':{'x-kubernetes-preserve-unknown-fields':true}")), "" },
        { STRUCTURE(OBJECT("'a':{'type':'list'}")), AT_SCHEMA ".properties[a].type: Unsupported value: 'list': supported values: ..." },
        { STRUCTURE(OBJECT("'a':{'type':'array'}")), AT_SCHEMA ".properties[a].items: Required value: must be specified" },
        { STRUCTURE(OBJECT("'a':{'type':'array','items':{}}")), AT_SCHEMA ".properties[a].items.type: Required value: must not be empty for specified array items" },
        { STRUCTURE(OBJECT("'a':{'type':'string','anyOf':[{'type':'string'}]}")), AT_SCHEMA ".properties[a].anyOf[0].type: Forbidden: must be empty to be structural" },
        { STRUCTURE(OBJECT("'a':{'type':'string','not':{'pattern':'x'}}")), "" },
        { STRUCTURE(OBJECT("'a':{'type':'object','additionalProperties':false}")), AT_SCHEMA ".properties[a].additionalProperties: Forbidden: additionalProperties cannot be set to false" },
        { STRUCTURE(OBJECT("'a':{'type':'object','$ref':'x'}")), AT_SCHEMA ".properties[a].$ref: Forbidden: $ref is not supported" },
        { STRUCTURE(OBJECT("'a':{'type':'array','items':{'type':'object','properties':{'k':{'type':'string'}}},'x-kubernetes-list-type':'map','x-kubernetes-list-map-keys':['z']}")),
          AT_SCHEMA ".properties[a].x-kubernetes-list-map-keys[0]: Invalid value: 'z': entries must all be names of item properties" },
    };
    static const struct change changes[] = {
        { STRUCTURE("{'type':'object'}"), STRUCTURE(OBJECT("'a':{'type':'string'}")), "" },
        { STRUCTURE("{'type':'object'}") ",'status':{'conditions':[{'type':'Established','status':'True'}]}", "'metadata':{'name':'x'},'spec':{'group':'c.d','scope':'Cluster','names':{'plural':'ships','kind':'Ship'},'versions':[]}",
          "spec.group: Invalid value: 'c.d': field is immutable\nspec.scope: Invalid value: 'Cluster': field is immutable\n"
          "spec.names.plural: Invalid value: 'ships': field is immutable\nspec.names.kind: Invalid value: 'Ship': field is immutable" },
        { STRUCTURE("{'type':'object'}"), "'metadata':{'name':'boats.a.b'},'spec':{'group':'a.b','scope':'Cluster','names':{'plural':'boats','kind':'Ship'},'versions':[]}", "" },
        { STRUCTURE("{'type':'object'}"), STRUCTURE("{'type':'object'}") ",'status':{'storedVersions':['v1','v2']}",
          "status.storedVersions[1]: Invalid value: 'v2': missing from spec.versions; v2 was previously a storage version..." },
    };

    check_create("apiextensions.k8s.io", "customresourcedefinitions", "{%s}", cases, ARRAY_LEN(cases));
    check_update("apiextensions.k8s.io", "customresourcedefinitions", "{%s}", changes, ARRAY_LEN(changes));
}

TEST(api_services)
{
#define API(more) "{'metadata':{'name':'v1.a.b'},'spec':{'groupPriorityMinimum':1,'versionPriority':1,%s}}"
#define V1 "'group':'a.b','version':'v1'"
    static const struct wrong cases[] = {
        { V1, "" },
        { "'group':'a.b','version':'v2'", "metadata.name: Invalid value: 'v1.a.b': must be `spec.version+'.'+spec.group`: 'v2.a.b'" },
        { V1 ",'caBundle':'YQ==','insecureSkipTLSVerify':true",
          "spec.caBundle: Invalid value: 'YQ==': local APIServices may not have a caBundle\nspec.insecureSkipTLSVerify: Invalid value: true: local APIServices may not have insecureSkipTLSVerify" },
        { V1 ",'service':{'name':'s'}", "spec.service.namespace: Required value" },
        { V1 ",'service':{'name':'s','namespace':'n'},'caBundle':'YQ==','insecureSkipTLSVerify':true", "spec.insecureSkipTLSVerify: Invalid value: true: may not be true if caBundle is present" },
    };

    check_create("apiregistration.k8s.io", "apiservices", API(), cases, ARRAY_LEN(cases));
}
