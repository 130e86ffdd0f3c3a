/* test/api/kinds_workloads_test.c: the rules of pods' placement and system, and of all that makes pods. */
#include "test/api/kinds_fixture.h"

#define POD       "{'metadata':{'name':'x'},'spec':{'containers':[{'name':'c','image':'i'}],%s}}"
#define CONTAINER "{'metadata':{'name':'x'},'spec':{'resourceClaims':[{'name':'gpu','resourceClaimName':'g'}],'volumes':[{'name':'v'},{'name':'d','persistentVolumeClaim':{'claimName':'p'}}]," \
                  "'containers':[{'name':'c','image':'i',%s}]}}"
#define SPEC      "{'metadata':{'name':'x'},'spec':{%s}}"
#define SELECTOR  "'selector':{'matchLabels':{'a':'b'}},"
#define TEMPLATE  "'template':{'metadata':{'labels':{'a':'b'}},'spec':{'containers':[{'name':'c','image':'i'}]}}"
#define ENDING    "'template':{'metadata':{'labels':{'a':'b'}},'spec':{'restartPolicy':'Never','containers':[{'name':'c','image':'i'}]}}"

TEST(pods_containers)
{
    static const struct wrong cases[] = {
        { "'volumeDevices':[{'name':'d','devicePath':'/dev/x'}]", "" },
        { "'volumeDevices':[{'name':'z','devicePath':'/dev/x'}]", "spec.containers[0].volumeDevices[0].name: Not found: 'z'" },
        { "'volumeDevices':[{'name':'v','devicePath':'/dev/x'}]", "spec.containers[0].volumeDevices[0].name: Invalid value: 'v': can only use volume source type of PersistentVolumeClaim..." },
        { "'volumeDevices':[{'name':'d','devicePath':'/a/../b'}]", "spec.containers[0].volumeDevices[0].devicePath: Invalid value: '/a/../b': can not contain backsteps ('..')" },
        { "'volumeMounts':[{'name':'d','mountPath':'/a'}],'volumeDevices':[{'name':'d','devicePath':'/a'}]",
          "spec.containers[0].volumeDevices[0].name: Invalid value: 'd': must not already exist in volumeMounts\n"
          "spec.containers[0].volumeDevices[0].devicePath: Invalid value: '/a': must not already exist as a path in volumeMounts" },
        { "'resources':{'claims':[{'name':'gpu'}]}", "" },
        { "'resources':{'claims':[{'name':'other'}]}", "spec.containers[0].resources.claims[0].name: Not found: 'other'" },
        { "'resources':{'claims':[{'name':'gpu','request':'a'},{'name':'gpu','request':'a'}]}", "spec.containers[0].resources.claims[1].name: Duplicate value: 'gpu'" },
        { "'lifecycle':{'preStop':{'sleep':{'seconds':30}}}", "" },
        { "'lifecycle':{'preStop':{'sleep':{'seconds':31}}}",
          "spec.containers[0].lifecycle.preStop.sleep.seconds: Invalid value: 31: must be non-negative and less than terminationGracePeriodSeconds (30)" },
        { "'resources':{'requests':{'hugepages-2Mi':'2Mi'}}", "spec.containers[0].resources.limits: Required value: Limit must be set for non overcommitable resources\n"
          "spec.containers[0].resources: Forbidden: HugePages require cpu or memory" },
    };

    check_create("", "pods", CONTAINER, cases, ARRAY_LEN(cases));
}

TEST(pods)
{
    static const struct wrong cases[] = {
        { "'nodeName':'A'", "spec.nodeName: Invalid value: 'A': a lowercase RFC 1123 subdomain..." },
        { "'priorityClassName':'A'", "spec.priorityClassName: Invalid value: 'A': ..." },
        { "'ephemeralContainers':[{'name':'e','image':'i'}]", "spec.ephemeralContainers: Forbidden: cannot be set on create" },
        { "'ephemeralContainers':[{'name':'e','image':'i','restartPolicy':'Always','resources':{'limits':{'cpu':'1'}}}]",
          "spec.ephemeralContainers[0].resources: Forbidden: cannot be set for an Ephemeral Container\n"
          "spec.ephemeralContainers[0].restartPolicy: Forbidden: cannot be set for an Ephemeral Container\n"
          "spec.ephemeralContainers: Forbidden: cannot be set on create" },
        { "'schedulingGates':[{'name':'a'}],'nodeName':'n'", "spec.nodeName: Forbidden: cannot be set until all schedulingGates have been cleared" },
        { "'resourceClaims':[{'name':'a'}]", "spec.resourceClaims[0]: Invalid value: {'name':'a'}: must specify one of: `resourceClaimName`, `resourceClaimTemplateName`" },
        { "'resourceClaims':[{'name':'a','resourceClaimName':'b','resourceClaimTemplateName':'c'}]", "spec.resourceClaims[0]: Invalid value: {'name':'a','resourceClaimName':'b',"
          "'resourceClaimTemplateName':'c'}: at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified" },
        { "'overhead':{'cpu':'-1'}", "spec.overhead[cpu]: Invalid value: '-1': must be greater than or equal to 0" },
        { "'os':{'name':'windows'},'hostPID':true,'securityContext':{'runAsUser':1,'fsGroup':2}",
          "spec.hostPID: Forbidden: cannot be set for a windows pod\nspec.securityContext.fsGroup: Forbidden: cannot be set for a windows pod\n"
          "spec.securityContext.runAsUser: Forbidden: cannot be set for a windows pod" },
        { "'os':{'name':'linux'},'securityContext':{'windowsOptions':{}}", "spec.securityContext.windowsOptions: Forbidden: windows options cannot be set for a linux pod" },
        { "'hostUsers':false,'hostIPC':true", "spec.hostIPC: Forbidden: when `hostUsers` is false" },
        { "'initContainers':[{'name':'i','image':'i','securityContext':{'procMount':'Unmasked'}}]",
          "spec.initContainers[0].securityContext.procMount: Invalid value: 'Unmasked': `hostUsers` must be false to use `Unmasked`" },
        { "'hostUsers':false,'initContainers':[{'name':'i','image':'i','securityContext':{'procMount':'Unmasked'}}]", "" },
        { "'volumes':[{'name':'v','nfs':{'server':'s','path':'p'}}]", "spec.volumes[0].nfs.path: Invalid value: 'p': must be an absolute path" },
        { "'volumes':[{'name':'v','ephemeral':{}}]", "spec.volumes[0].ephemeral.volumeClaimTemplate: Required value" },
        { "'volumes':[{'name':'v','ephemeral':{'volumeClaimTemplate':{'spec':{'accessModes':['ReadWriteOnce']}}}}]",
          "spec.volumes[0].ephemeral.volumeClaimTemplate.spec.resources[storage]: Required value" },
        { "'volumes':[{'name':'v','projected':{'sources':[{'clusterTrustBundle':{'path':'p'}}]}}]",
          "spec.volumes[0].projected.sources[0].clusterTrustBundle: Required value: either name or signerName must be specified" },
        { "'imagePullSecrets':[{}]", "spec.imagePullSecrets[0].name: Required value" },
    };

    check_create("", "pods", POD, cases, ARRAY_LEN(cases));
}

TEST(placement)
{
#define TERM(more) "'affinity':{'podAffinity':{'requiredDuringSchedulingIgnoredDuringExecution':[{'topologyKey':'z'," more "}]}}"
#define AT_TERM    "spec.affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution[0]"
#define SPREAD(more) "'topologySpreadConstraints':[{'maxSkew':1,'topologyKey':'z','whenUnsatisfiable':'DoNotSchedule'," more "}]"
    static const struct wrong cases[] = {
        { TERM("'labelSelector':{'matchLabels':{'a':'b'}},'matchLabelKeys':['c'],'mismatchLabelKeys':['d']"), "" },
        { TERM("'matchLabelKeys':['c']"), AT_TERM ".matchLabelKeys: Forbidden: must not be specified when labelSelector is not set" },
        { TERM("'labelSelector':{'matchLabels':{'a':'b'}},'matchLabelKeys':['a']"), AT_TERM ".matchLabelKeys[0]: Invalid value: 'a': exists in both matchLabelKeys and labelSelector" },
        { TERM("'labelSelector':{},'matchLabelKeys':['a'],'mismatchLabelKeys':['a']"),
          AT_TERM ".matchLabelKeys[0]: Invalid value: 'a': exists in both matchLabelKeys and mismatchLabelKeys" },
        { TERM("'namespaces':['A']"), AT_TERM ".namespaces[0]: Invalid value: 'A': a lowercase RFC 1123 label..." },
        { SPREAD("'labelSelector':{'matchExpressions':[{'key':'a','operator':'Exists'}]},'matchLabelKeys':['a']"),
          "spec.topologySpreadConstraints[0].matchLabelKeys[0]: Invalid value: 'a': exists in both matchLabelKeys and labelSelector" },
        { SPREAD("'matchLabelKeys':['a']"), "spec.topologySpreadConstraints[0].matchLabelKeys: Forbidden: must not be specified when labelSelector is not set" },
        { SPREAD("'maxSkew':0"), "spec.topologySpreadConstraints[0].maxSkew: Invalid value: 0: must be greater than or equal to 1" },
        { "'affinity':{'nodeAffinity':{'preferredDuringSchedulingIgnoredDuringExecution':[{'weight':101,'preference':{}}]}}",
          "spec.affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].weight: Invalid value: 101: must be between 1 and 100, inclusive" },
    };

    check_create("", "pods", POD, cases, ARRAY_LEN(cases));
}

TEST(gated_pods)
{
#define GATED(terms) "'schedulingGates':[{'name':'g'}],'affinity':{'nodeAffinity':{'requiredDuringSchedulingIgnoredDuringExecution':{'nodeSelectorTerms':[" terms "]}}}"
#define TERMS "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms"
#define A "{'matchExpressions':[{'key':'a','operator':'Exists'}]}"
#define AB "{'matchExpressions':[{'key':'a','operator':'Exists'},{'key':'b','operator':'Exists'}]}"
    static const struct change cases[] = {
        { GATED(A), GATED(AB), "" },
        { GATED(AB), GATED(A), TERMS "[0]: Invalid value: " A ": only additions are allowed (no mutations or deletions)" },
        { GATED(A), GATED(A "," A), TERMS ": Invalid value: [" A "," A "]: no additions/deletions to non-empty NodeSelectorTerms list are allowed" },
        { "'schedulingGates':[{'name':'g'}]", GATED(A), "" },
        { "'hostname':'h'", GATED(A), "spec.schedulingGates: Forbidden: only deletion is allowed, but found new scheduling gate 'g'..." },
    };

    check_update("", "pods", POD, cases, ARRAY_LEN(cases));
}

TEST(stateful_sets)
{
    static const struct wrong cases[] = {
        { SELECTOR TEMPLATE, "" },
        { "'selector':{'matchLabels':{'a':'c'}}," TEMPLATE, "spec.template.metadata.labels: Invalid value: map[string]string{'a':'b'}: `selector` does not match template `labels`" },
        { "'selector':{}," TEMPLATE, "spec.selector: Invalid value: " "v1.LabelSelector{MatchLabels:map[string]string(nil), MatchExpressions:[]v1.LabelSelectorRequirement(nil)}: empty selector is invalid for statefulset" },
        { TEMPLATE, "spec.selector: Required value" },
        { SELECTOR ENDING, "spec.template.spec.restartPolicy: Unsupported value: 'Never': supported values: 'Always'" },
        { SELECTOR TEMPLATE ",'podManagementPolicy':'Some'", "spec.podManagementPolicy: Unsupported value: 'Some': supported values: 'OrderedReady', 'Parallel'" },
        { SELECTOR TEMPLATE ",'updateStrategy':{'type':'OnDelete','rollingUpdate':{}}",
          "spec.updateStrategy.rollingUpdate: Invalid value: {'partition':0}: only allowed for updateStrategy 'RollingUpdate'" },
        { SELECTOR TEMPLATE ",'updateStrategy':{'rollingUpdate':{'partition':-1}}", "spec.updateStrategy.rollingUpdate.partition: Invalid value: -1: must be greater than or equal to 0" },
        { SELECTOR TEMPLATE ",'updateStrategy':{'rollingUpdate':{'maxUnavailable':0}}",
          "spec.updateStrategy.rollingUpdate.maxUnavailable: Invalid value: intstr.IntOrString{Type:0, IntVal:0, StrVal:''}: cannot be 0" },
        { SELECTOR TEMPLATE ",'ordinals':{'start':-1},'replicas':-1",
          "spec.ordinals.start: Invalid value: -1: must be greater than or equal to 0\nspec.replicas: Invalid value: -1: must be greater than or equal to 0" },
    };
#define ONLY "spec: Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', " \
             "'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden"
    static const struct change changes[] = {
        { SELECTOR TEMPLATE, SELECTOR ENDING ",'replicas':3,'minReadySeconds':4,'ordinals':{'start':1},'revisionHistoryLimit':1", "" },
        { SELECTOR TEMPLATE, "'selector':{'matchLabels':{'a':'c'}}," TEMPLATE, ONLY },
        { SELECTOR TEMPLATE, SELECTOR TEMPLATE ",'serviceName':'s'", ONLY },
        { SELECTOR TEMPLATE, SELECTOR TEMPLATE ",'podManagementPolicy':'Parallel'", ONLY },
        { SELECTOR TEMPLATE, SELECTOR TEMPLATE ",'volumeClaimTemplates':[{'metadata':{'name':'d'}}]", ONLY },
    };

    check_create("apps", "statefulsets", SPEC, cases, ARRAY_LEN(cases));
    check_update("apps", "statefulsets", SPEC, changes, ARRAY_LEN(changes));
}

TEST(daemon_sets)
{
    static const struct wrong cases[] = {
        { SELECTOR TEMPLATE, "" },
        { SELECTOR TEMPLATE ",'updateStrategy':{'rollingUpdate':{'maxUnavailable':0}}", "spec.updateStrategy.rollingUpdate.maxUnavailable: Required value: cannot be 0 when maxSurge is 0" },
        { SELECTOR TEMPLATE ",'updateStrategy':{'rollingUpdate':{'maxUnavailable':1,'maxSurge':'10%'}}",
          "spec.updateStrategy.rollingUpdate.maxSurge: Invalid value: intstr.IntOrString{Type:1, IntVal:0, StrVal:'10%'}: may not be set when maxUnavailable is non-zero" },
        { SELECTOR TEMPLATE ",'updateStrategy':{'rollingUpdate':{'maxUnavailable':0,'maxSurge':'10%'}}", "" },
        { SELECTOR TEMPLATE ",'updateStrategy':{'rollingUpdate':{'maxUnavailable':'101%'}}",
          "spec.updateStrategy.rollingUpdate.maxUnavailable: Invalid value: intstr.IntOrString{Type:1, IntVal:0, StrVal:'101%'}: must not be greater than 100%" },
        { "'selector':{'matchLabels':{'a':'c'}}," TEMPLATE, "spec.template.metadata.labels: Invalid value: map[string]string{'a':'b'}: `selector` does not match template `labels`" },
        { SELECTOR "'template':{'metadata':{'labels':{'a':'b'}},'spec':{'activeDeadlineSeconds':1,'containers':[{'name':'c','image':'i'}]}}",
          "spec.template.spec.activeDeadlineSeconds: Forbidden: activeDeadlineSeconds in DaemonSet is not Supported" },
    };
    static const struct change changes[] = {
        { SELECTOR TEMPLATE, SELECTOR ENDING, "" },
        { SELECTOR TEMPLATE, "'selector':{'matchLabels':{'a':'c'}}," TEMPLATE, "spec.selector: Invalid value: {'matchLabels':{'a':'c'}}: field is immutable" },
    };

    check_create("apps", "daemonsets", SPEC, cases, ARRAY_LEN(cases));
    check_update("apps", "daemonsets", SPEC, changes, ARRAY_LEN(changes));
}

TEST(replication_controllers)
{
    static const struct wrong cases[] = {
        { TEMPLATE, "" },
        { "'selector':{'a':'b'}," TEMPLATE, "" },
        { "'selector':{'a':'c'}," TEMPLATE, "spec.template.metadata.labels: Invalid value: map[string]string{'a':'b'}: `selector` does not match template `labels`" },
        { "'selector':{'a':'b'}", "spec.template: Required value" },
        { "'selector':{'a':'b'}," ENDING, "spec.template.spec.restartPolicy: Unsupported value: 'Never': supported values: 'Always'" },
    };
    static const struct wrong templates[] = {
        { ENDING, "" },
        { "'template':{'spec':{'containers':[{'name':'c','image':'i','volumeMounts':[{'name':'v','mountPath':'/v'}]}]}}",
          "template.spec.containers[0].volumeMounts[0].name: Not found: 'v'" },
    };

    check_create("", "replicationcontrollers", SPEC, cases, ARRAY_LEN(cases));
    check_create("", "podtemplates", "{'metadata':{'name':'x'},%s}", templates, ARRAY_LEN(templates));
}

#define JOB "{'metadata':{'name':'x','uid':'u'},'spec':{'selector':{'matchLabels':{'batch.kubernetes.io/controller-uid':'u'}}," \
            "'template':{'metadata':{'labels':{'batch.kubernetes.io/controller-uid':'u'}},'spec':{'restartPolicy':'Never','containers':[{'name':'c','image':'i'}]}}%s}}"
#define INDEXED ",'completionMode':'Indexed','completions':5"
#define RULE(r) ",'podFailurePolicy':{'rules':[" r "]}"
#define AT_RULE "spec.podFailurePolicy.rules[0]"

TEST(jobs)
{
    static const struct wrong cases[] = {
        { "", "" },
        { ",'parallelism':-1", "spec.parallelism: Invalid value: -1: must be greater than or equal to 0" },
        { ",'completionMode':'Indexed','parallelism':2", "spec.completions: Required value: when completion mode is Indexed" },
        { INDEXED ",'parallelism':100001", "spec.parallelism: Invalid value: 100001: must be less than or equal to 100000 when completion mode is Indexed" },
        { ",'backoffLimitPerIndex':1", "spec.backoffLimitPerIndex: Invalid value: 1: requires indexed completion mode" },
        { INDEXED ",'maxFailedIndexes':1", "spec.backoffLimitPerIndex: Required value: when maxFailedIndexes is specified" },
        { INDEXED ",'backoffLimitPerIndex':1,'maxFailedIndexes':6", "spec.maxFailedIndexes: Invalid value: 6: must be less than or equal to completions" },
        { ",'completionMode':'Indexed','completions':100001,'parallelism':1,'backoffLimitPerIndex':1", "spec.maxFailedIndexes: Required value: must be specified when completions is above 100000" },
        { ",'managedBy':'me'", "spec.managedBy: Invalid value: 'me': must be a domain-prefixed path (such as 'acme.io/foo')" },
        { ",'selector':{'matchLabels':{'batch.kubernetes.io/controller-uid':'u','mine':'1'}}", "spec.template.metadata.labels: Invalid value: map[string]string{'batch.kubernetes.io/controller-uid':'u'}: "
          "`selector` does not match template `labels`\nspec.selector: Invalid value: {'matchLabels':{'batch.kubernetes.io/controller-uid':'u','mine':'1'}}: `selector` not auto-generated" },
        { RULE("{'action':'FailJob','onExitCodes':{'operator':'In','values':[1,2]}}"), "" },
        { RULE("{'action':'FailJob'}"), AT_RULE ": Invalid value: specifying one of OnExitCodes and OnPodConditions is required" },
        { RULE("{'action':'FailJob','onPodConditions':[{'type':'a'}],'onExitCodes':{'operator':'In','values':[1]}}"),
          AT_RULE ": Invalid value: specifying both OnExitCodes and OnPodConditions is not supported" },
        { RULE("{'action':'FailIndex','onExitCodes':{'operator':'In','values':[1]}}"), AT_RULE ".action: Invalid value: 'FailIndex': requires the backoffLimitPerIndex to be set" },
        { RULE("{'action':'Count','onExitCodes':{'operator':'In','values':[0]}}"), AT_RULE ".onExitCodes.values[0]: Invalid value: 0: must not be 0 for the In operator" },
        { RULE("{'action':'Count','onExitCodes':{'operator':'In','values':[2,1]}}"), AT_RULE ".onExitCodes.values: Invalid value: [2,1]: must be ordered" },
        { RULE("{'action':'Count','onExitCodes':{'operator':'In','values':[2,2]}}"), AT_RULE ".onExitCodes.values[1]: Duplicate value: 2" },
        { RULE("{'action':'Count','onExitCodes':{'containerName':'d','operator':'In','values':[2]}}"),
          AT_RULE ".onExitCodes.containerName: Invalid value: 'd': must be one of the container or initContainer names in the pod template" },
        { RULE("{'action':'Count','onPodConditions':[{'type':'a'}]}") ",'podReplacementPolicy':'TerminatingOrFailed'",
          "spec.podReplacementPolicy: Unsupported value: 'TerminatingOrFailed': supported values: 'Failed'" },
        { ",'successPolicy':{'rules':[{'succeededCount':1}]}", "spec.successPolicy: Invalid value: requires indexed completion mode" },
        { INDEXED ",'successPolicy':{'rules':[{'succeededCount':2,'succeededIndexes':'0,2-4'}]}", "" },
        { INDEXED ",'successPolicy':{'rules':[{}]}", "spec.successPolicy.rules[0]: Required value: at least one of succeededCount or succeededIndexes must be specified" },
        { INDEXED ",'successPolicy':{'rules':[{'succeededIndexes':'2-1'}]}", "spec.successPolicy.rules[0].succeededIndexes: Invalid value: '2-1': error parsing succeededIndexes: ..." },
        { INDEXED ",'successPolicy':{'rules':[{'succeededIndexes':'x'}]}", "spec.successPolicy.rules[0].succeededIndexes: Invalid value: 'x': error parsing..." },
        { INDEXED ",'successPolicy':{'rules':[{'succeededIndexes':'4-5'}]}", "spec.successPolicy.rules[0].succeededIndexes: Invalid value: '4-5': error parsing succeededIndexes: too large index" },
        { INDEXED ",'successPolicy':{'rules':[{'succeededCount':6}]}",
          "spec.successPolicy.rules[0].succeededCount: Invalid value: 6: must be less than or equal to 5 (the number of specified completions)" },
    };
    static const struct wrong restarts[] = {
        { "'Never'", "" },
        { "'OnFailure'", "spec.template.spec.restartPolicy: Invalid value: 'OnFailure': only 'Never' is supported when podFailurePolicy is specified" },
        { "'Always'", "spec.template.spec.restartPolicy: Required value: valid values: 'OnFailure', 'Never'" },
    };

    check_create("batch", "jobs", JOB, cases, ARRAY_LEN(cases));
    check_create("batch", "jobs", "{'metadata':{'name':'x'},'spec':{'manualSelector':true,'selector':{'matchLabels':{'a':'b'}},'podFailurePolicy':{'rules':[]},"
                 "'template':{'metadata':{'labels':{'a':'b'}},'spec':{'restartPolicy':%s,'containers':[{'name':'c','image':'i'}]}}}}", restarts, ARRAY_LEN(restarts));
}

TEST(jobs_change)
{
#define SUSPENDED(t) "'suspend':true,'template':{'metadata':{'labels':{'a':'b'}},'spec':{" t "'restartPolicy':'Never','containers':[{'name':'c','image':'i'}]}}"
    static const struct change cases[] = {
        { ENDING ",'parallelism':1", ENDING ",'parallelism':3,'suspend':true", "" },
        { ENDING ",'completions':1", ENDING ",'completions':2", "spec.completions: Invalid value: 2: field is immutable" },
        { ENDING INDEXED ",'parallelism':5", ENDING ",'completionMode':'Indexed','completions':6,'parallelism':6", "" },
        { ENDING INDEXED, ENDING ",'completionMode':'Indexed','completions':6,'parallelism':5", "spec.completions: Invalid value: 6: can only be modified in tandem with spec.parallelism" },
        { ENDING ",'completions':1", ENDING ",'completions':1,'completionMode':'Indexed'", "spec.completionMode: Invalid value: 'Indexed': field is immutable" },
        { ENDING, ENDING ",'selector':{}", "" },
        { ENDING, ENDING ",'selector':{'matchLabels':{'a':'b'}}", "spec.selector: Invalid value: {'matchLabels':{'a':'b'}}: field is immutable" },
        { ENDING, "'template':{'metadata':{'labels':{'a':'b'}},'spec':{'nodeSelector':{'a':'b'},'restartPolicy':'Never','containers':[{'name':'c','image':'i'}]}}", "spec.template: Invalid value: ..." },
        { SUSPENDED(""), SUSPENDED("'nodeSelector':{'a':'b'},'tolerations':[{'operator':'Exists'}],"), "" },
        { SUSPENDED(""), SUSPENDED("'hostNetwork':true,"), "spec.template: Invalid value: ..." },
        { ENDING, ENDING ",'backoffLimitPerIndex':1", "spec.backoffLimitPerIndex: Invalid value: 1: field is immutable" },
    };

    check_update("batch", "jobs", SPEC, cases, ARRAY_LEN(cases));
}

TEST(cron_jobs)
{
#define CRON "{'metadata':{'name':'x'},'spec':{'jobTemplate':{'spec':{" ENDING "}},%s}}"
    static const struct wrong cases[] = {
        { "'schedule':'*/5 0-6,8 * jan-mar ?'", "" },
        { "'schedule':'@daily'", "" },
        { "'schedule':'@every 1h30m'", "" },
        { "'schedule':'@every x'", "spec.schedule: Invalid value: '@every x': failed to parse duration @every x: time: invalid duration 'x'" },
        { "'schedule':'@never'", "spec.schedule: Invalid value: '@never': unrecognized descriptor: @never" },
        { "'schedule':'* * * *'", "spec.schedule: Invalid value: '* * * *': expected exactly 5 fields, found 4: [* * * *]" },
        { "'schedule':'60 * * * *'", "spec.schedule: Invalid value: '60 * * * *': end of range (60) above maximum (59): 60" },
        { "'schedule':'* * 0 * *'", "spec.schedule: Invalid value: '* * 0 * *': beginning of range (0) below minimum (1): 0" },
        { "'schedule':'5-2 * * * *'", "spec.schedule: Invalid value: '5-2 * * * *': beginning of range (5) beyond end of range (2): 5-2" },
        { "'schedule':'*/0 * * * *'", "spec.schedule: Invalid value: '*/0 * * * *': step of range should be a positive number: */0" },
        { "'schedule':'1-2-3 * * * *'", "spec.schedule: Invalid value: '1-2-3 * * * *': too many hyphens: 1-2-3" },
        { "'schedule':'1/2/3 * * * *'", "spec.schedule: Invalid value: '1/2/3 * * * *': too many slashes: 1/2/3" },
        { "'schedule':'a * * * *'", "spec.schedule: Invalid value: 'a * * * *': failed to parse int from a: ..." },
        { "'schedule':''", "spec.schedule: Required value" },
        { "'schedule':'TZ=UTC 0 * * * *'", "spec.schedule: Invalid value: 'TZ=UTC 0 * * * *': cannot use TZ or CRON_TZ in schedule, use timeZone field instead" },
        { "'schedule':'TZ='", "spec.schedule: Invalid value: 'TZ=': expected exactly 5 fields, found 0: []..." },
        { "'schedule':'0 * * * *','timeZone':'Europe/Berlin'", "" },
        { "'schedule':'0 * * * *','timeZone':''", "spec.timeZone: Invalid value: '': timeZone must be nil or non-empty string" },
        { "'schedule':'0 * * * *','timeZone':'LOCAL'", "spec.timeZone: Invalid value: 'LOCAL': timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones" },
        { "'schedule':'0 * * * *','timeZone':'../etc'", "spec.timeZone: Invalid value: '../etc': unknown time zone ../etc" },
        { "'schedule':'0 * * * *','concurrencyPolicy':'Maybe'", "spec.concurrencyPolicy: Unsupported value: 'Maybe': supported values: 'Allow', 'Forbid', 'Replace'" },
    };
    static const struct wrong templates[] = {
        { "'jobTemplate':{'spec':{'selector':{}," ENDING "}}", "spec.jobTemplate.spec.selector: Invalid value: {}: `selector` will be auto-generated" },
        { "'jobTemplate':{'spec':{'manualSelector':true," ENDING "}}", "spec.jobTemplate.spec.manualSelector: Unsupported value: 'true': supported values: 'false', 'nil'" },
        { "'jobTemplate':{'spec':{" TEMPLATE "}}", "spec.jobTemplate.spec.template.spec.restartPolicy: Required value: valid values: 'OnFailure', 'Never'" },
    };
    static const struct wrong names[] = {
        { "a123456789b123456789c123456789d123456789e123456789f1", "" },
        { "a123456789b123456789c123456789d123456789e123456789f12",
          "metadata.name: Invalid value: 'a123456789b123456789c123456789d123456789e123456789f12': must be no more than 52 characters" },
    };
    static const struct change changes[] = {
        { "'schedule':'TZ=UTC 0 * * * *'", "'suspend':true,'schedule':'TZ=UTC 0 * * * *'", "" },
        { "'schedule':'0 * * * *'", "'schedule':'TZ=UTC 0 * * * *'", "spec.schedule: Invalid value: 'TZ=UTC 0 * * * *': cannot use TZ or CRON_TZ in schedule, use timeZone field instead" },
    };

    check_create("batch", "cronjobs", CRON, cases, ARRAY_LEN(cases));
    check_create("batch", "cronjobs", "{'metadata':{'name':'x'},'spec':{'schedule':'@daily',%s}}", templates, ARRAY_LEN(templates));
    check_create("batch", "cronjobs", "{'metadata':{'name':'%s'},'spec':{'schedule':'@daily','jobTemplate':{'spec':{" ENDING "}}}}", names, ARRAY_LEN(names));
    check_update("batch", "cronjobs", CRON, changes, ARRAY_LEN(changes));
}
