/* test/api/samples.h: one good object of every kind that can be created, as literals (single quotes for double ones). */
#ifndef TEST_API_SAMPLES_H
#define TEST_API_SAMPLES_H

#include "api/schema.h"
#include "test/api/certificate_request.h"
#include "test/test.h"

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
    { "certificates.k8s.io", "v1", "certificatesigningrequests", "x", "'spec':{'request':'" CERTIFICATE_REQUEST "',"
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

/* Of the collection, or of the object. */
static void sample_path(char *to, size_t size, const struct sample *s, const struct resource *r, bool with_name)
{
    snprintf(to, size, "/%s%s%s/%s/%s%s%s%s", *s->group != '\0' ? "apis" : "api", *s->group != '\0' ? "/" : "", s->group, s->version,
             r->namespaced ? "namespaces/default/" : "", s->plural, with_name ? "/" : "", with_name ? s->name : "");
}

static const struct resource *sample_resource(const struct sample *s)
{
    const struct resource *r = resource_find(str_of(s->group), str_of(s->version), str_of(s->plural));

    if (r == NULL)
        test_fail(__FILE__, __LINE__, "no resource %s/%s %s", s->group, s->version, s->plural);
    return r;
}

#endif
