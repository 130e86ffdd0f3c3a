/* test/api/kinds_storage_test.c: the rules of volumes, claims, classes of storage and drivers. */
#include "test/api/api_rig.h"
#include "test/api/kinds_fixture.h"

#define SPEC "{'metadata':{'name':'x'},'spec':{%s}}"
#define SIZE "'capacity':{'storage':'1Gi'},'accessModes':['ReadWriteOnce'],"

TEST(volumes)
{
    static const struct wrong cases[] = {
        { SIZE "'hostPath':{'path':'/a'}", "" },
        { "'hostPath':{'path':'/a'}", "spec.accessModes: Required value\nspec.capacity: Required value" },
        { "'capacity':{'cpu':'1'},'accessModes':['ReadWriteOnce'],'hostPath':{'path':'/a'}", "spec.capacity: Unsupported value: '{'cpu':'1'}': supported values: 'storage'" },
        { "'capacity':{'storage':'0'},'accessModes':['ReadWriteOnce'],'hostPath':{'path':'/a'}", "spec.capacity[storage]: Invalid value: '0': must be greater than zero" },
        { "'capacity':{'storage':'1'},'accessModes':['ReadWriteOnce','ReadWriteOncePod'],'hostPath':{'path':'/a'}",
          "spec.accessModes: Forbidden: may not use ReadWriteOncePod with other access modes" },
        { SIZE "'hostPath':{'path':'/a/../b'}", "spec.hostPath.path: Invalid value: '/a/../b': must not contain '..'" },
        { SIZE "'hostPath':{'path':'/'},'persistentVolumeReclaimPolicy':'Recycle'", "spec.persistentVolumeReclaimPolicy: Forbidden: may not be 'recycle' for a hostPath mount of '/'" },
        { SIZE "'local':{'path':'/a'}", "spec.nodeAffinity: Required value: Local volume requires node affinity" },
        { SIZE "'local':{'path':'/a'},'nodeAffinity':{}", "spec.nodeAffinity.required: Required value: must specify required node constraints" },
        { SIZE "'local':{'path':'/a'},'nodeAffinity':{'required':{'nodeSelectorTerms':[]}}",
          "spec.nodeAffinity.required.nodeSelectorTerms: Required value: must have at least one node selector term" },
        { SIZE "'nfs':{'server':'s','path':'p'}", "spec.nfs.path: Invalid value: 'p': must be an absolute path" },
        { SIZE "'csi':{'driver':'a_b','volumeHandle':'h','nodeStageSecretRef':{'name':'n'}}",
          "spec.csi.driver: Invalid value: 'a_b': a lowercase..." },
        { SIZE "'csi':{'driver':'a.b','volumeHandle':'h','nodeStageSecretRef':{'name':'n'}}", "spec.csi.nodeStageSecretRef.namespace: Required value" },
        { SIZE "'storageClassName':'A','hostPath':{'path':'/a'}", "spec.storageClassName: Invalid value: 'A': ..." },
        { SIZE "'volumeMode':'Tape','hostPath':{'path':'/a'}", "spec.volumeMode: Unsupported value: 'Tape': supported values: 'Block', 'Filesystem'" },
    };
    static const struct change changes[] = {
        { SIZE "'hostPath':{'path':'/a'}", SIZE "'hostPath':{'path':'/a'},'claimRef':{'name':'c'},'storageClassName':'s'", "" },
        { SIZE "'hostPath':{'path':'/a'}", SIZE "'hostPath':{'path':'/b'}", "spec.persistentvolumesource: Forbidden: spec.persistentvolumesource is immutable after creation" },
        { SIZE "'hostPath':{'path':'/a'}", SIZE "'nfs':{'server':'s','path':'/a'}", "spec.persistentvolumesource: Forbidden: spec.persistentvolumesource is immutable after creation" },
        { SIZE "'hostPath':{'path':'/a'}", SIZE "'hostPath':{'path':'/a'},'volumeMode':'Block'", "spec.volumeMode: Invalid value: 'Block': field is immutable" },
        { SIZE "'hostPath':{'path':'/a'},'nodeAffinity':{'required':{'nodeSelectorTerms':[]}}", SIZE "'hostPath':{'path':'/a'}", "spec.nodeAffinity: Invalid value: null: field is immutable" },
    };

    check_create("", "persistentvolumes", SPEC, cases, ARRAY_LEN(cases));
    check_update("", "persistentvolumes", SPEC, changes, ARRAY_LEN(changes));
}

#define ASK "'accessModes':['ReadWriteOnce'],'resources':{'requests':{'storage':'1Gi'}}"

TEST(claims)
{
    static const struct wrong cases[] = {
        { ASK, "" },
        { "'resources':{'requests':{'storage':'1Gi'}}", "spec.accessModes: Required value: at least 1 access mode is required" },
        { "'accessModes':['Sometimes'],'resources':{'requests':{'storage':'1Gi'}}",
          "spec.accessModes: Unsupported value: 'Sometimes': supported values: 'ReadOnlyMany', 'ReadWriteMany', 'ReadWriteOnce', 'ReadWriteOncePod'" },
        { "'accessModes':['ReadWriteOnce']", "spec.resources[storage]: Required value" },
        { "'accessModes':['ReadWriteOnce'],'resources':{'requests':{'storage':'0'}}", "spec.resources[storage]: Invalid value: '0': must be greater than zero" },
        { ASK ",'selector':{'matchLabels':{'a b':'c'}}", "spec.selector.matchLabels: Invalid value: 'a b': ..." },
        { ASK ",'dataSource':{'kind':'VolumeSnapshot','name':'s'}", "spec.dataSource.kind: Invalid value: 'VolumeSnapshot': must be 'PersistentVolumeClaim' when referencing the default apiGroup" },
        { ASK ",'dataSource':{'kind':'PersistentVolumeClaim','name':'s'},'dataSourceRef':{'kind':'PersistentVolumeClaim','name':'t'}",
          "spec.dataSource: Invalid value: {'kind':'PersistentVolumeClaim','name':'s'}: must match dataSourceRef" },
    };
#define ONLY "spec: Forbidden: spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims"
    static const struct change changes[] = {
        { ASK, ASK ",'volumeName':'v'", "" },
        { ASK ",'volumeName':'v'", ASK ",'volumeName':'w'", ONLY },
        { ASK, ASK ",'storageClassName':'s'", "" },
        { ASK, "'accessModes':['ReadWriteMany'],'resources':{'requests':{'storage':'1Gi'}}", ONLY },
        { ASK, "'accessModes':['ReadWriteOnce'],'resources':{'requests':{'storage':'2Gi'}}", ONLY },
    };

    check_create("", "persistentvolumeclaims", SPEC, cases, ARRAY_LEN(cases));
    check_update("", "persistentvolumeclaims", SPEC, changes, ARRAY_LEN(changes));
}

/* Bound claims grow where their class allows it, and shrink down to what they have. */
TEST(bound_claims_grow)
{
#define CLAIMS "/api/v1/namespaces/default/persistentvolumeclaims"
    struct rig *r = rig_open();

    CALL(r, 201, "POST", "/apis/storage.k8s.io/v1/storageclasses", "{'metadata':{'name':'fixed'},'provisioner':'a.b/c'}");
    CALL(r, 201, "POST", "/apis/storage.k8s.io/v1/storageclasses", "{'metadata':{'name':'grows'},'provisioner':'a.b/c','allowVolumeExpansion':true}");
    CALL(r, 201, "POST", CLAIMS, "{'metadata':{'name':'f'},'spec':{'storageClassName':'fixed'," ASK "}}");
    CALL(r, 201, "POST", CLAIMS, "{'metadata':{'name':'g'},'spec':{'storageClassName':'grows'," ASK "}}");
    r->type = "application/merge-patch+json";
    CALL(r, 422, "PATCH", CLAIMS "/g", "{'spec':{'resources':{'requests':{'storage':'3Gi'}}}}");
    CALL(r, 200, "PATCH", CLAIMS "/f/status", "{'status':{'phase':'Bound','capacity':{'storage':'1Gi'}}}");
    CALL(r, 200, "PATCH", CLAIMS "/g/status", "{'status':{'phase':'Bound','capacity':{'storage':'1Gi'}}}");
    CALL(r, 403, "PATCH", CLAIMS "/f", "{'spec':{'resources':{'requests':{'storage':'3Gi'}}}}");
    CALL(r, 200, "PATCH", CLAIMS "/g", "{'spec':{'resources':{'requests':{'storage':'3Gi'}}}}");
    CALL(r, 200, "PATCH", CLAIMS "/g", "{'spec':{'resources':{'requests':{'storage':'2Gi'}}}}");
    CALL(r, 422, "PATCH", CLAIMS "/g", "{'spec':{'resources':{'requests':{'storage':'1Gi'}}}}");
    CALL(r, 422, "PATCH", CLAIMS "/g", "{'spec':{'resources':{'limits':{'storage':'9Gi'}}}}");
    rig_close(r);
}

TEST(classes)
{
    static const struct wrong cases[] = {
        { "'provisioner':'a.b/c'", "" },
        { "'provisioner':'a b'", "provisioner: Invalid value: 'a b': ..." },
        { "'provisioner':'a.b/c','parameters':{'':'x'}", "parameters: Invalid value: '': field can not be empty." },
        { "'provisioner':'a.b/c','reclaimPolicy':'Recycle'", "reclaimPolicy: Unsupported value: 'Recycle': supported values: 'Delete', 'Retain'" },
        { "'provisioner':'a.b/c','allowedTopologies':[{'matchLabelExpressions':[{'key':'z','values':['1']},{'key':'z','values':['2']}]}]",
          "allowedTopologies[0].matchLabelExpressions[1].key: Duplicate value: 'z'" },
        { "'provisioner':'a.b/c','allowedTopologies':[{'matchLabelExpressions':[{'key':'z'}]}]", "allowedTopologies[0].matchLabelExpressions[0].values: Required value" },
    };
    static const struct change changes[] = {
        { "'provisioner':'a'", "'provisioner':'a','allowVolumeExpansion':true", "" },
        { "'provisioner':'a'", "'provisioner':'b','parameters':{'a':'b'},'reclaimPolicy':'Retain','volumeBindingMode':'WaitForFirstConsumer'",
          "parameters: Forbidden: updates to parameters are forbidden.\nprovisioner: Forbidden: updates to provisioner are forbidden.\n"
          "reclaimPolicy: Forbidden: updates to reclaimPolicy are forbidden.\nvolumeBindingMode: Invalid value: 'WaitForFirstConsumer': field is immutable" },
    };

    check_create("storage.k8s.io", "storageclasses", "{'metadata':{'name':'x'},%s}", cases, ARRAY_LEN(cases));
    check_update("storage.k8s.io", "storageclasses", "{'metadata':{'name':'x'},%s}", changes, ARRAY_LEN(changes));
}

TEST(attachments)
{
#define ONE "must specify exactly one of inlineVolumeSpec and persistentVolumeName"
    static const struct wrong cases[] = {
        { "'persistentVolumeName':'v'", "" },
        { "", "spec.source: Required value: " ONE },
        { "'persistentVolumeName':'v','inlineVolumeSpec':{'accessModes':['ReadWriteOnce'],'hostPath':{'path':'/a'}}", "spec.source: Forbidden: " ONE },
        { "'persistentVolumeName':''", "spec.source.persistentVolumeName: Required value: must specify non empty persistentVolumeName" },
        { "'inlineVolumeSpec':{'accessModes':['ReadWriteOnce'],'hostPath':{'path':'/../a'}}", "spec.source.inlineVolumeSpec.hostPath.path: Invalid value: '/../a': must not contain '..'" },
    };

    check_create("storage.k8s.io", "volumeattachments", "{'metadata':{'name':'x'},'spec':{'attacher':'a.b','nodeName':'n','source':{%s}}}", cases, ARRAY_LEN(cases));
}

TEST(drivers)
{
    static const struct wrong drivers[] = {
        { "'podInfoOnMount':true", "" },
        { "'tokenRequests':[{'audience':'a'},{'audience':'a'}]", "spec.tokenRequests[1].audience: Duplicate value: 'a'" },
        { "'tokenRequests':[{'audience':'a','expirationSeconds':1}]", "spec.tokenRequests[0].expirationSeconds: Invalid value: 1: ..." },
        { "'volumeLifecycleModes':['Never']", "spec.volumeLifecycleModes[0]: Unsupported value: 'Never': supported values: 'Ephemeral', 'Persistent'" },
    };
    static const struct change changes[] = {
        { "'attachRequired':true", "'attachRequired':false", "spec.attachRequired: Invalid value: false: field is immutable" },
        { "'podInfoOnMount':true", "'volumeLifecycleModes':['Ephemeral']", "spec.volumeLifecycleModes: Invalid value: ['Ephemeral']: field is immutable" },
    };
    static const struct wrong nodes[] = {
        { "{'name':'a.b','nodeID':'n','topologyKeys':['z']}", "" },
        { "{'name':'a.b','nodeID':'n','topologyKeys':['z','z']}", "spec.drivers[0].topologyKeys[1]: Duplicate value: 'z'" },
        { "{'name':'a.b','nodeID':'n'},{'name':'a.b','nodeID':'m'}", "spec.drivers[1].name: Duplicate value: 'a.b'" },
        { "{'name':'a b','nodeID':'n'}", "spec.drivers[0].name: Invalid value: 'a b': ..." },
    };
    static const struct change node_changes[] = {
        { "{'name':'a.b','nodeID':'n'}", "{'name':'a.b','nodeID':'n','allocatable':{'count':3}},{'name':'c.d','nodeID':'n'}", "" },
        { "{'name':'a.b','nodeID':'n'}", "", "" },
        { "{'name':'a.b','nodeID':'n'}", "{'name':'a.b','nodeID':'m'}", "CSINodeDriver: Invalid value: {'name':'a.b','nodeID':'m'}: field is immutable" },
    };

    check_create("storage.k8s.io", "csidrivers", "{'metadata':{'name':'x.y'},'spec':{%s}}", drivers, ARRAY_LEN(drivers));
    check_update("storage.k8s.io", "csidrivers", SPEC, changes, ARRAY_LEN(changes));
    check_create("storage.k8s.io", "csinodes", "{'metadata':{'name':'x'},'spec':{'drivers':[%s]}}", nodes, ARRAY_LEN(nodes));
    check_update("storage.k8s.io", "csinodes", "{'metadata':{'name':'x'},'spec':{'drivers':[%s]}}", node_changes, ARRAY_LEN(node_changes));
}
