/* api/admit/node_restriction.c: NodeRestriction: a node writes only what is its own: its Node without the
 * labels and taints that others rely on, its lease, the pods bound to it, tokens of accounts whose pods run
 * on it.  What one stolen node certificate can do ends with that node. */
#include "api/admit/plugin.h"
#include "api/kinds/kinds_impl.h"
#include "api/node_gate.h"

#define NODE        "node \"%.*s\" "
#define MIRROR      "kubernetes.io/config.mirror"
#define LEASES_NS   "kube-node-lease"
#define RESTRICTION "node-restriction.kubernetes.io"

/* The node that asks.  False: nobody that is restricted, or refused. */
static bool asks(struct admission *a, struct str *ret_node)
{
    if (!node_gate_is(a->k->user))
        return false;
    *ret_node = node_gate_name(a->k->user);
    if (ret_node->n > 0)
        return true;
    admit_refuse(a, "could not determine node from user \"%.*s\"", STR_ARG(a->k->user->name));
    return false;
}

static const char *op_name(enum admit_op op)
{
    return op == ADMIT_CREATE ? "CREATE" : op == ADMIT_UPDATE ? "UPDATE" : "DELETE";
}

/* ---- Pods ------------------------------------------------------------------------------------ */

static bool is_bound_to(const struct json *pod, struct str node)
{
    return str_eq(json_path_str(pod, "spec.nodeName"), node);
}

/* A pod never moves to another node: what is seen here holds when the write is made. */
static void check_owner(struct admission *a, struct str node)
{
    const struct json *list = json_path(a->obj, "metadata.ownerReferences"), *owner = json_at(list, 0), *self;
    struct str         uid;

    if (list != NULL && list->n > 1)
        admit_refuse(a, NODE "can only create pods with a single owner reference set to itself",
                     STR_ARG(node));
    else if (owner == NULL || !str_is(json_str(json_getz(owner, "apiVersion")), "v1") ||
             !str_is(json_str(json_getz(owner, "kind")), "Node") ||
             !str_eq(json_str(json_getz(owner, "name")), node))
        admit_refuse(a, NODE "can only create pods with an owner reference set to itself", STR_ARG(node));
    else if (!json_true(json_getz(owner, "controller")))
        admit_refuse(a, NODE "can only create pods with a controller owner reference set to itself",
                     STR_ARG(node));
    else if (json_true(json_getz(owner, "blockOwnerDeletion")))
        admit_refuse(a, NODE "must not set blockOwnerDeletion on an owner reference", STR_ARG(node));
    if (a->k->refused != 0)
        return;
    self = kind_lookup(a->k, "", "v1", "nodes", STR_NONE, node);
    uid = json_str(json_getz(owner, "uid"));
    if (!str_eq(uid, json_path_str(self, "metadata.uid")))
        admit_refuse(a, "node %.*s UID mismatch: expected %.*s got %.*s", STR_ARG(node), STR_ARG(uid),
                     STR_ARG(json_path_str(self, "metadata.uid")));
}

static bool volume_has(const struct json *volume, const char *direct, const char *projected)
{
    if (json_getz(volume, direct) != NULL)
        return true;
    json_each(source, json_path(volume, "projected.sources"))
        if (json_getz(source, projected) != NULL)
            return true;
    return false;
}

static bool env_has(const struct json *spec, const char *from, const char *key_ref)
{
    static const char *const lists[] = { "containers", "initContainers", "ephemeralContainers" };

    for (size_t i = 0; i < ARRAY_LEN(lists); i++)
        json_each(container, json_getz(spec, lists[i])) {
            json_each(it, json_getz(container, "envFrom"))
                if (json_getz(it, from) != NULL)
                    return true;
            json_each(it, json_getz(container, "env"))
                if (json_getz(json_getz(it, "valueFrom"), key_ref) != NULL)
                    return true;
        }
    return false;
}

static void check_references(struct admission *a, struct str node)
{
    const struct json *spec = json_getz(a->obj, "spec");
    bool secrets = env_has(spec, "secretRef", "secretKeyRef"), claims = false;
    bool configs = env_has(spec, "configMapRef", "configMapKeyRef");

    secrets |= json_is_set(json_getz(spec, "imagePullSecrets"));
    json_each(volume, json_getz(spec, "volumes")) {
        secrets |= volume_has(volume, "secret", "secret");
        configs |= volume_has(volume, "configMap", "configMap");
        claims |= json_getz(volume, "persistentVolumeClaim") != NULL ||
                  json_getz(volume, "ephemeral") != NULL;
    }
    if (json_str(json_getz(spec, "serviceAccountName")).n > 0)
        admit_refuse(a, NODE "can not create pods that reference a service account", STR_ARG(node));
    if (secrets)
        admit_refuse(a, NODE "can not create pods that reference secrets", STR_ARG(node));
    if (configs)
        admit_refuse(a, NODE "can not create pods that reference configmaps", STR_ARG(node));
    if (json_is_set(json_getz(spec, "resourceClaims")))
        admit_refuse(a, NODE "can not create pods that reference resourceclaims", STR_ARG(node));
    if (claims)
        admit_refuse(a, NODE "can not create pods that reference persistentvolumeclaims", STR_ARG(node));
}

static void pod_create(struct admission *a)
{
    struct str node;

    if (!asks(a, &node))
        return;
    if (json_getz(json_path(a->obj, "metadata.annotations"), MIRROR) == NULL)
        admit_refuse(a, "pod does not have \"" MIRROR "\" annotation, " NODE "can only create mirror pods",
                     STR_ARG(node));
    else if (!is_bound_to(a->obj, node))
        admit_refuse(a, NODE "can only create pods with spec.nodeName set to itself", STR_ARG(node));
    else
        check_owner(a, node);
    check_references(a, node);
}

static void pod_delete(struct admission *a)
{
    struct str node;

    if (asks(a, &node) && !is_bound_to(admit_old(a), node))
        admit_refuse(a, NODE "can only delete pods with spec.nodeName set to itself", STR_ARG(node));
}

static void pod_update(struct admission *a)
{
    struct str node;

    if (asks(a, &node))
        admit_refuse(a, "unexpected operation \"UPDATE\", " NODE "can only create and delete mirror pods",
                     STR_ARG(node));
}

static void pod_status(struct admission *a)
{
    struct str node;

    if (!asks(a, &node))
        return;
    if (!is_bound_to(admit_old(a), node))
        admit_refuse(a, NODE "can only update pod status for pods with spec.nodeName set to itself",
                     STR_ARG(node));
    else if (!json_same(json_path(a->old, "metadata.labels"), json_path(a->obj, "metadata.labels")))
        admit_refuse(a, NODE "cannot update labels through pod status", STR_ARG(node));
}

static void pod_evict(struct admission *a)
{
    const struct json *pod;
    struct str         node;

    if (!asks(a, &node))
        return;
    pod = kind_lookup(a->k, "", "v1", "pods", a->k->ns, a->k->name);
    if (pod != NULL && !is_bound_to(pod, node))
        admit_refuse(a, "node %.*s can only evict pods with spec.nodeName set to itself", STR_ARG(node));
}

static void pod_other(struct admission *a)
{
    struct str node;

    if (asks(a, &node))
        admit_refuse(a, "unexpected pod subresource \"%s\", only 'status' and 'eviction' are allowed",
                     a->k->sub->name);
}

/* ---- Its Node -------------------------------------------------------------------------------- */

static struct str label_domain(struct str key)
{
    ptrdiff_t slash = str_find(key, '/');

    return slash > 0 ? str_upto(key, (size_t)slash) : STR_NONE;
}

static bool in_domain(struct str domain, const char *of)
{
    struct str suffix = str_of(of);

    return str_eq(domain, suffix) ||
           (domain.n > suffix.n && str_ends(domain, suffix) && domain.p[domain.n - suffix.n - 1] == '.');
}

/* Labels that nodes have always told of themselves. */
static bool is_nodes_own(struct str key, struct str domain)
{
    static const char *const known[] = {
        "kubernetes.io/hostname", "kubernetes.io/os", "kubernetes.io/arch", "topology.kubernetes.io/zone",
        "topology.kubernetes.io/region", "failure-domain.beta.kubernetes.io/zone",
        "failure-domain.beta.kubernetes.io/region", "node.kubernetes.io/instance-type",
        "beta.kubernetes.io/instance-type", "beta.kubernetes.io/os", "beta.kubernetes.io/arch",
    };

    if (in_domain(domain, "kubelet.kubernetes.io") || in_domain(domain, "node.kubernetes.io"))
        return true;
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (str_is(key, known[i]))
            return true;
    return false;
}

static bool is_forbidden(struct str key, enum admit_op op)
{
    struct str domain = label_domain(key);

    if (in_domain(domain, RESTRICTION))
        return true;
    return op == ADMIT_UPDATE && (in_domain(domain, "kubernetes.io") || in_domain(domain, "k8s.io")) &&
           !is_nodes_own(key, domain);
}

static void add_forbidden(struct buf *b, struct str key)
{
    if (b->n > 0)
        buf_z(b, ", ");
    buf_str_add(b, key);
}

/* Labels that come, go or change and that others rely on. */
static void check_labels_of(struct admission *a, struct str node)
{
    const struct json *now = json_path(a->obj, "metadata.labels");
    const struct json *was = json_path(a->old, "metadata.labels");
    struct buf         b = BUF_INIT;

    json_each(it, now)
        if (is_forbidden(it->key, a->op) && !str_eq(json_str(it), json_str(json_get(was, it->key))))
            add_forbidden(&b, it->key);
    json_each(it, was)
        if (is_forbidden(it->key, a->op) && json_get(now, it->key) == NULL)
            add_forbidden(&b, it->key);
    if (b.n > 0 && a->op == ADMIT_CREATE)
        admit_refuse(a, NODE "is not allowed to set the following labels: %.*s", STR_ARG(node),
                     (int)b.n, b.p);
    else if (b.n > 0)
        admit_refuse(a, "is not allowed to modify labels: %.*s", (int)b.n, b.p);
    buf_release(&b);
}

static void node_any(struct admission *a)
{
    struct str node;

    if (!asks(a, &node))
        return;
    if (a->op == ADMIT_UPDATE &&
        !json_same(json_path(a->old, "spec.taints"), json_path(a->obj, "spec.taints")))
        admit_refuse(a, NODE "is not allowed to modify taints", STR_ARG(node));
    if (a->op == ADMIT_UPDATE && !json_same(json_path(a->old, "metadata.ownerReferences"),
                                            json_path(a->obj, "metadata.ownerReferences")))
        admit_refuse(a, NODE "is not allowed to modify ownerReferences", STR_ARG(node));
    if (a->op != ADMIT_DELETE)
        check_labels_of(a, node);
    if (!str_eq(a->k->name, node))
        admit_refuse(a, NODE "is not allowed to modify node \"%.*s\"", STR_ARG(node),
                     STR_ARG(a->k->name));
}

/* ---- What else it has ------------------------------------------------------------------------ */

static void lease_any(struct admission *a)
{
    struct str node;

    if (!asks(a, &node))
        return;
    if (!str_is(a->k->ns, LEASES_NS))
        admit_refuse(a, "can only access leases in the \"" LEASES_NS "\" system namespace");
    else if (!str_eq(a->k->name, node))
        admit_refuse(a, "can only access node lease with the same name as the requesting node");
}

static void csi_any(struct admission *a)
{
    struct str node;

    if (asks(a, &node) && !str_eq(a->k->name, node))
        admit_refuse(a, "can only access CSINode with the same name as the requesting node");
}

static void claim_any(struct admission *a)
{
    struct str node;

    if (asks(a, &node))
        admit_refuse(a, "may only update PVC status");
}

/* What a resize on the node changes. */
static void claim_status(struct admission *a)
{
    static const char *const its[] = { "capacity", "conditions", "allocatedResources",
                                       "allocatedResourceStatuses" };
    struct json *old, *now;
    struct str   node;

    if (!asks(a, &node))
        return;
    if (a->op != ADMIT_UPDATE) {
        admit_refuse(a, "unexpected operation \"%s\"", op_name(a->op));
        return;
    }
    old = json_copy(a->k->arena, a->old);
    now = json_copy(a->k->arena, a->obj);
    for (size_t i = 0; i < ARRAY_LEN(its); i++) {
        json_delz(json_getz(old, "status"), its[i]);
        json_delz(json_getz(now, "status"), its[i]);
    }
    json_delz(json_getz(old, "metadata"), "managedFields");
    json_delz(json_getz(now, "metadata"), "managedFields");
    if (!json_equal(old, now))
        admit_refuse(a, NODE "is not allowed to update fields other than status.quantity and "
                        "status.conditions", STR_ARG(node));
}

/* Tokens are for pods that run on it. */
static void token_create(struct admission *a)
{
    const struct json *ref = json_path(a->obj, "spec.boundObjectRef"), *pod;
    struct str         name = json_str(json_getz(ref, "name")), uid = json_str(json_getz(ref, "uid")), node;

    if (!asks(a, &node))
        return;
    if (!str_is(json_str(json_getz(ref, "apiVersion")), "v1") ||
        !str_is(json_str(json_getz(ref, "kind")), "Pod") || name.n == 0) {
        admit_refuse(a, "node requested token not bound to a pod");
        return;
    }
    if (uid.n == 0) {
        admit_refuse(a, "node requested token with a pod binding without a uid");
        return;
    }
    pod = kind_lookup(a->k, "", "v1", "pods", a->k->ns, name);
    if (pod == NULL)
        kind_refuse(a->k, 404, REASON_NOT_FOUND, "pods \"%.*s\" not found", STR_ARG(name));
    else if (!str_eq(uid, json_path_str(pod, "metadata.uid")))
        kind_refuse(a->k, 409, REASON_CONFLICT,
                    "Operation cannot be fulfilled on pods \"%.*s\": the UID in the bound object reference "
                    "(%.*s) does not match the UID in record. The object might have been deleted and then "
                    "recreated",
                    STR_ARG(name), STR_ARG(uid));
    else if (!is_bound_to(pod, node))
        admit_refuse(a, "node requested token bound to a pod scheduled on a different node");
}

#define ANY (ADMIT_CREATE | ADMIT_UPDATE | ADMIT_DELETE)

const struct admit_plugin admit_node_restriction = {
    .name = "NodeRestriction", .on = true,
    .match = {
        { "", "pods", NULL, ADMIT_CREATE, .mutate = pod_create },
        { "", "pods", NULL, ADMIT_UPDATE, .mutate = pod_update },
        { "", "pods", NULL, ADMIT_DELETE, .mutate = pod_delete },
        { "", "pods", "status", ANY, .mutate = pod_status },
        { "", "pods", "eviction", ADMIT_CREATE, .mutate = pod_evict },
        { "", "pods", "*", ANY, .mutate = pod_other },
        { "", "nodes", "*", ANY, .mutate = node_any },
        { "coordination.k8s.io", "leases", NULL, ANY, .mutate = lease_any },
        { "storage.k8s.io", "csinodes", NULL, ANY, .mutate = csi_any },
        { "", "persistentvolumeclaims", "status", ANY, .mutate = claim_status },
        { "", "persistentvolumeclaims", "*", ANY, .mutate = claim_any },
        { "", "serviceaccounts", "token", ADMIT_CREATE, .mutate = token_create },
    },
};
