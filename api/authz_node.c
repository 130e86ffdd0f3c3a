/* api/authz_node.c: see api/authz_node.h. */
#include "api/authn.h"
#include "api/call.h"
#include "api/authz_node.h"
#include "api/kinds.h"
#include "api/node_gate.h"
#include "api/rbac/rule.h"
#include "net/map.h"

#define LEASE_SPACE "kube-node-lease"

enum ref_kind { REF_SECRET, REF_CONFIG_MAP, REF_CLAIM, REF_ACCOUNT, REF_RESOURCE_CLAIM };

struct ref { enum ref_kind kind; struct str name; };

/* What a pod refers to, in its own namespace; one block. */
struct refs { unsigned n; struct ref v[]; };
static const struct refs not_read;               /* the pod is there, nobody has asked yet */

/* A node, known by the tag that the keys of its pods bear. */
struct node { uint64_t tag; struct map pods; };  /* "ns/name" -> struct refs */

struct authz_node {
    struct store *store;
    struct mirror_feed *feed;
    struct map nodes;                            /* 8 bytes of tag -> struct node */
    struct arena arena;                          /* the rules */
    const struct rbac_rule *rules; size_t n_rules;
};

/* ---- What every node may do ------------------------------------------------------------------------- */

/* As a role's rules; what is listed in `special` below is asked of the graph first. */
static const char node_rules[] =
    "[{\"apiGroups\":[\"authentication.k8s.io\"],\"resources\":[\"tokenreviews\"],\"verbs\":[\"create\"]},"
    "{\"apiGroups\":[\"authorization.k8s.io\"],"
    "\"resources\":[\"localsubjectaccessreviews\",\"subjectaccessreviews\"],\"verbs\":[\"create\"]},"
    "{\"apiGroups\":[\"\"],\"resources\":[\"services\"],\"verbs\":[\"get\",\"list\",\"watch\"]},"
    "{\"apiGroups\":[\"\"],\"resources\":[\"nodes\"],\"verbs\":[\"create\"]},"
    "{\"apiGroups\":[\"\"],\"resources\":[\"nodes\",\"nodes/status\"],\"verbs\":[\"patch\",\"update\"]},"
    "{\"apiGroups\":[\"\",\"events.k8s.io\"],\"resources\":[\"events\"],"
    "\"verbs\":[\"create\",\"patch\",\"update\"]},"
    "{\"apiGroups\":[\"\"],\"resources\":[\"pods\"],\"verbs\":[\"create\",\"delete\"]},"
    "{\"apiGroups\":[\"\"],\"resources\":[\"pods/status\"],\"verbs\":[\"patch\",\"update\"]},"
    "{\"apiGroups\":[\"\"],\"resources\":[\"pods/eviction\"],\"verbs\":[\"create\"]},"
    "{\"apiGroups\":[\"certificates.k8s.io\"],\"resources\":[\"certificatesigningrequests\"],"
    "\"verbs\":[\"create\",\"get\",\"list\",\"watch\"]},"
    "{\"apiGroups\":[\"storage.k8s.io\"],\"resources\":[\"csidrivers\"],"
    "\"verbs\":[\"get\",\"list\",\"watch\"]},"
    "{\"apiGroups\":[\"node.k8s.io\"],\"resources\":[\"runtimeclasses\"],"
    "\"verbs\":[\"get\",\"list\",\"watch\"]}]";

/* ---- What a pod refers to --------------------------------------------------------------------------- */

/* "*": each element; "@": containers of every kind. */
static const struct { enum ref_kind kind; const char *path; } ref_paths[] = {
    { REF_ACCOUNT, "spec.serviceAccountName" },
    { REF_SECRET, "spec.imagePullSecrets.*.name" },
    { REF_SECRET, "spec.@.*.envFrom.*.secretRef.name" },
    { REF_SECRET, "spec.@.*.env.*.valueFrom.secretKeyRef.name" },
    { REF_SECRET, "spec.volumes.*.secret.secretName" },
    { REF_SECRET, "spec.volumes.*.projected.sources.*.secret.name" },
    { REF_SECRET, "spec.volumes.*.csi.nodePublishSecretRef.name" },
    { REF_SECRET, "spec.volumes.*.azureFile.secretName" },
    { REF_SECRET, "spec.volumes.*.cephfs.secretRef.name" },
    { REF_SECRET, "spec.volumes.*.cinder.secretRef.name" },
    { REF_SECRET, "spec.volumes.*.flexVolume.secretRef.name" },
    { REF_SECRET, "spec.volumes.*.iscsi.secretRef.name" },
    { REF_SECRET, "spec.volumes.*.rbd.secretRef.name" },
    { REF_SECRET, "spec.volumes.*.scaleIO.secretRef.name" },
    { REF_SECRET, "spec.volumes.*.storageos.secretRef.name" },
    { REF_CONFIG_MAP, "spec.@.*.envFrom.*.configMapRef.name" },
    { REF_CONFIG_MAP, "spec.@.*.env.*.valueFrom.configMapKeyRef.name" },
    { REF_CONFIG_MAP, "spec.volumes.*.configMap.name" },
    { REF_CONFIG_MAP, "spec.volumes.*.projected.sources.*.configMap.name" },
    { REF_CLAIM, "spec.volumes.*.persistentVolumeClaim.claimName" },
    { REF_RESOURCE_CLAIM, "spec.resourceClaims.*.resourceClaimName" },
    { REF_RESOURCE_CLAIM, "status.resourceClaimStatuses.*.resourceClaimName" },
};
static const char *const container_lists[] = { "containers", "initContainers", "ephemeralContainers" };

struct collect { struct arena *a; struct ref *v; unsigned n, cap; size_t bytes; };

static void collect_add(struct collect *c, enum ref_kind kind, struct str name)
{
    for (unsigned i = 0; i < c->n; i++)
        if (c->v[i].kind == kind && str_eq(c->v[i].name, name))
            return;
    if (c->n == c->cap) {
        struct ref *more = arena_alloc(c->a, (c->cap * 2 + 16) * sizeof(*more));

        if (c->n > 0)
            memcpy(more, c->v, c->n * sizeof(*more));
        c->v = more;
        c->cap = c->cap * 2 + 16;
    }
    c->v[c->n++] = (struct ref){ kind, name };
    c->bytes += name.n;
}

static void collect_path(struct collect *c, enum ref_kind kind, const struct json *at, struct str path)
{
    struct str step;

    if (at == NULL)
        return;
    if (!str_split(&path, '.', &step)) {
        if (at->type == JSON_STRING && at->s.n > 0)
            collect_add(c, kind, at->s);
        return;
    }
    if (str_is(step, "*")) {
        json_each(it, at)
            collect_path(c, kind, it, path);
    } else if (str_is(step, "@")) {
        for (size_t i = 0; i < ARRAY_LEN(container_lists); i++)
            collect_path(c, kind, json_getz(at, container_lists[i]), path);
    } else {
        collect_path(c, kind, json_get(at, step), path);
    }
}

/* A claim that is made for the pod alone bears the names of both. */
static void collect_ephemeral(struct collect *c, const struct json *pod)
{
    struct str name = json_path_str(pod, "metadata.name");

    json_each(it, json_path(pod, "spec.volumes"))
        if (json_getz(it, "ephemeral") != NULL)
            collect_add(c, REF_CLAIM, arena_fmt(c->a, "%.*s-%.*s", STR_ARG(name),
                                                STR_ARG(json_str(json_getz(it, "name")))));
}

static struct refs *refs_of(struct arena *a, const struct json *pod)
{
    struct collect c = { .a = a };
    struct refs   *r;
    char          *p;

    for (size_t i = 0; i < ARRAY_LEN(ref_paths); i++)
        collect_path(&c, ref_paths[i].kind, pod, str_of(ref_paths[i].path));
    collect_ephemeral(&c, pod);
    r = mem_alloc(sizeof(*r) + c.n * sizeof(struct ref) + c.bytes);
    r->n = c.n;
    p = (char *)&r->v[c.n];
    for (unsigned i = 0; i < c.n; i++) {
        memcpy(p, c.v[i].name.p, c.v[i].name.n);
        r->v[i] = (struct ref){ c.v[i].kind, str_make(p, c.v[i].name.n) };
        p += c.v[i].name.n;
    }
    return r;
}

/* ---- Which pods are on which node ------------------------------------------------------------------- */

static struct str tag_key(const uint64_t *tag) { return str_make((const char *)tag, sizeof(*tag)); }

static void refs_free(struct refs *r)
{
    if (r != &not_read)
        mem_free(r);
}

static void node_free(struct node *n)
{
    struct str key;
    void      *refs;

    for (size_t i = 0; map_next(&n->pods, &i, &key, &refs);)
        refs_free(refs);
    map_release(&n->pods);
    mem_free(n);
}

static void forget_all(struct authz_node *n)
{
    struct str key;
    void      *node;

    for (size_t i = 0; map_next(&n->nodes, &i, &key, &node);)
        node_free(node);
    map_release(&n->nodes);
    n->nodes = MAP_INIT;
}

static void on_pod(void *arg, const struct mirror_event *ev)
{
    struct authz_node *n = arg;
    struct arena       a = ARENA_INIT;
    struct node       *node;
    struct str         key;

    if (ev->what == MIRROR_RESET) {
        forget_all(n);
        return;
    }
    if (ev->tag == 0)
        return;                                  /* not bound yet */
    node = map_get(&n->nodes, tag_key(&ev->tag));
    key = arena_join(&a, (const struct str[]){ ev->ns, STR("/"), ev->name }, 3);
    if (ev->what == MIRROR_PUT && node == NULL) {
        node = mem_new(struct node);
        node->tag = ev->tag;
        map_put(&n->nodes, tag_key(&ev->tag), node);
    }
    if (ev->what == MIRROR_PUT) {
        refs_free(map_put(&node->pods, key, (void *)(uintptr_t)&not_read));
    } else if (node != NULL) {
        refs_free(map_del(&node->pods, key));
        if (node->pods.n == 0) {
            map_del(&n->nodes, tag_key(&ev->tag));
            node_free(node);
        }
    }
    arena_release(&a);
}

/* ---- The graph -------------------------------------------------------------------------------------- */

struct asking { struct authz_node *n; struct arena *a; struct str node; struct authz_query *q; };

static struct json *look_up(const struct asking *s, const char *group, const char *plural, struct str ns,
                            struct str name)
{
    struct kind_ctx k = { .arena = s->a, .view = store_live(s->n->store) };

    return kind_lookup(&k, group, "v1", plural, ns, name);
}

/* Claim to volume, volume to its secrets: two lookups. */
static bool claim_uses_secret(const struct asking *s, struct str ns, struct str claim, struct str secret)
{
    static const char *const paths[] = {
        "csi.nodePublishSecretRef", "csi.nodeStageSecretRef", "csi.nodeExpandSecretRef",
        "csi.controllerPublishSecretRef", "csi.controllerExpandSecretRef", "cephfs.secretRef",
        "flexVolume.secretRef", "iscsi.secretRef", "rbd.secretRef", "scaleIO.secretRef", "cinder.secretRef",
    };
    struct str   volume = json_path_str(look_up(s, "", "persistentvolumeclaims", ns, claim),
                                        "spec.volumeName");
    struct json *spec = volume.n > 0
        ? json_getz(look_up(s, "", "persistentvolumes", STR_NONE, volume), "spec") : NULL;

    for (size_t i = 0; spec != NULL && i < ARRAY_LEN(paths); i++) {
        const struct json *ref = json_path(spec, paths[i]);
        struct str         ref_ns = json_str(json_getz(ref, "namespace"));

        if (str_eq(json_str(json_getz(ref, "name")), secret) && (ref_ns.n == 0 || str_eq(ref_ns, ns)))
            return true;
    }
    return false;
}

/* The pod's references, read from it if nobody has since it changed; NULL: it is no pod of this node. */
static const struct refs *pod_refs(const struct asking *s, struct node *node, struct str key)
{
    struct refs *r = map_get(&node->pods, key);
    size_t       slash = (size_t)str_find(key, '/');
    struct arena a = ARENA_INIT;                 /* a pod's tree is large, and there may be many */
    struct asking of_pod = { s->n, &a, s->node, s->q };
    struct json *pod;

    if (r != &not_read)
        return r;
    pod = look_up(&of_pod, "", "pods", str_upto(key, slash), str_from(key, slash + 1));
    r = NULL;
    if (pod != NULL && str_eq(json_path_str(pod, "spec.nodeName"), s->node)) {
        r = refs_of(&a, pod);
        map_put(&node->pods, key, r);
    }
    arena_release(&a);
    return r;
}

static bool pod_uses(const struct asking *s, const struct refs *r, enum ref_kind kind, struct str ns,
                     struct str name)
{
    for (unsigned i = 0; i < r->n; i++)
        if (r->v[i].kind == kind && str_eq(r->v[i].name, name))
            return true;
    for (unsigned i = 0; kind == REF_SECRET && i < r->n; i++)
        if (r->v[i].kind == REF_CLAIM && claim_uses_secret(s, ns, r->v[i].name, name))
            return true;
    return false;
}

/* Does a pod on this node refer to it? */
static bool node_uses(const struct asking *s, enum ref_kind kind, struct str ns, struct str name)
{
    uint64_t     tag = tag_hash(s->node);
    struct node *node = map_get(&s->n->nodes, tag_key(&tag));
    struct str   key;
    void        *refs;

    if (node == NULL || name.n == 0 || ns.n == 0)
        return false;
    for (size_t i = 0; map_next(&node->pods, &i, &key, &refs);) {
        const struct refs *r;

        if (key.n <= ns.n || key.p[ns.n] != '/' || !str_starts(key, ns))
            continue;
        r = pod_refs(s, node, key);
        if (r != NULL && pod_uses(s, r, kind, ns, name))
            return true;
    }
    return false;
}

/* ---- Special resources ------------------------------------------------------------------------------ */

static bool verb_is(const struct authz_query *q, const char *list)
{
    struct str rest = str_of(list), one;

    while (str_split(&rest, ' ', &one))
        if (str_is(one, q->attr.verb))
            return true;
    return false;
}

static bool no(const struct asking *s, const char *why)
{
    s->q->reason = str_of(why);
    return false;
}

static bool no_relation(const struct asking *s)
{
    s->q->reason = arena_fmt(s->a, "no relationship found between node '%.*s' and this object",
                             STR_ARG(s->node));
    return false;
}

static bool read_of(const struct asking *s, enum ref_kind kind)
{
    if (!verb_is(s->q, "get list watch"))
        return no(s, "can only read resources of this type");
    if (s->q->attr.subresource.n > 0)
        return no(s, "cannot read subresource");
    if (s->q->attr.ns.n == 0 || s->q->attr.name.n == 0)
        return no(s, "can only read namespaced object of this type");
    return node_uses(s, kind, s->q->attr.ns, s->q->attr.name) || no_relation(s);
}

static bool ask_secret(const struct asking *s) { return read_of(s, REF_SECRET); }
static bool ask_config_map(const struct asking *s) { return read_of(s, REF_CONFIG_MAP); }

static bool get_only(const struct asking *s)
{
    if (!verb_is(s->q, "get"))
        return no(s, "can only get individual resources of this type");
    if (s->q->attr.subresource.n > 0)
        return no(s, "cannot get subresource");
    return s->q->attr.name.n > 0 || no(s, "can only get individual resources of this type");
}

static bool ask_claim(const struct asking *s)
{
    if (str_is(s->q->attr.subresource, "status")) {
        if (!verb_is(s->q, "update patch"))
            return no(s, "can only get/update/patch this type");
    } else if (!get_only(s)) {
        return false;
    }
    return node_uses(s, REF_CLAIM, s->q->attr.ns, s->q->attr.name) || no_relation(s);
}

static bool ask_resource_claim(const struct asking *s)
{
    return get_only(s) &&
        (node_uses(s, REF_RESOURCE_CLAIM, s->q->attr.ns, s->q->attr.name) || no_relation(s));
}

static bool ask_volume(const struct asking *s)
{
    const struct json *claim;

    if (!get_only(s))
        return false;
    claim = json_path(look_up(s, "", "persistentvolumes", STR_NONE, s->q->attr.name), "spec.claimRef");
    return node_uses(s, REF_CLAIM, json_str(json_getz(claim, "namespace")),
                     json_str(json_getz(claim, "name"))) || no_relation(s);
}

static bool ask_attachment(const struct asking *s)
{
    if (!get_only(s))
        return false;
    return str_eq(json_path_str(look_up(s, "storage.k8s.io", "volumeattachments", STR_NONE, s->q->attr.name),
                                "spec.nodeName"), s->node) || no_relation(s);
}

static bool ask_account(const struct asking *s)
{
    if (!str_is(s->q->attr.subresource, "token") || !verb_is(s->q, "create"))
        return no(s, "can only create tokens for individual service accounts");
    return node_uses(s, REF_ACCOUNT, s->q->attr.ns, s->q->attr.name) || no_relation(s);
}

static bool own_only(const struct asking *s, const char *what)
{
    if (!verb_is(s->q, "get create update patch delete"))
        return no(s, arena_fmt(s->a, "can only get, create, update, patch, or delete a %s", what).p);
    if (s->q->attr.subresource.n > 0)
        return no(s, "cannot authorize subresources");
    return verb_is(s->q, "create") || str_eq(s->q->attr.name, s->node) ||
        no(s, arena_fmt(s->a, "can only access %s with the same name as the requesting node", what).p);
}

static bool ask_lease(const struct asking *s)
{
    if (!str_is(s->q->attr.ns, LEASE_SPACE))
        return no(s, "can only access leases in the \"" LEASE_SPACE "\" system namespace");
    return own_only(s, "node lease");
}

static bool ask_csi_node(const struct asking *s) { return own_only(s, "CSINode"); }

/* Its own pods: by name, or by a selector that no other node's pod passes.  Writes: by the rules. */
static bool ask_pod(const struct asking *s)
{
    const struct authz_attr *t = &s->q->attr;
    struct str               only;

    if (t->subresource.n > 0 || !verb_is(s->q, "get list watch"))
        return false;
    if (t->name.n > 0 && verb_is(s->q, "get"))
        return str_eq(json_path_str(look_up(s, "", "pods", t->ns, t->name), "spec.nodeName"), s->node) ||
            no_relation(s);
    if (authz_selects(t, "spec.nodeName", &only) && str_eq(only, s->node))
        return true;
    return no(s, "can only list/watch pods with spec.nodeName field selector");
}

static bool ask_node(const struct asking *s)
{
    if (s->q->attr.subresource.n > 0 || !verb_is(s->q, "get list watch"))
        return false;
    return str_eq(s->q->attr.name, s->node) || no(s, "node can only read its own Node object");
}

static const struct special {
    const char *group, *resource;
    bool (*ask)(const struct asking *s);
} special[] = {
    { "", "secrets", ask_secret },
    { "", "configmaps", ask_config_map },
    { "", "persistentvolumeclaims", ask_claim },
    { "", "persistentvolumes", ask_volume },
    { "", "serviceaccounts", ask_account },
    { "", "pods", ask_pod },
    { "", "nodes", ask_node },
    { "storage.k8s.io", "volumeattachments", ask_attachment },
    { "storage.k8s.io", "csinodes", ask_csi_node },
    { "coordination.k8s.io", "leases", ask_lease },
    { "resource.k8s.io", "resourceclaims", ask_resource_claim },
};

static bool allows(const struct asking *s)
{
    const struct authz_attr *t = &s->q->attr;
    struct rbac_ask          ask;

    for (size_t i = 0; t->is_resource && i < ARRAY_LEN(special); i++)
        if (str_is(t->resource, special[i].resource) && str_is(t->group, special[i].group) &&
            special[i].ask(s))
            return true;
    rule_ask_init(&ask, s->a, t);
    for (size_t i = 0; i < s->n->n_rules; i++)
        if (rule_allows(&s->n->rules[i], &ask))
            return true;
    return false;
}

bool authz_node_ask(void *state, struct authz_query *q)
{
    struct asking s = { state, q->arena, node_gate_name(q->attr.user), q };

    if (s.node.n > 0 && allows(&s)) {
        q->decision = AUTHZ_ALLOW;
        q->reason = STR_NONE;
    }
    return true;
}

/* ---- Life ------------------------------------------------------------------------------------------- */

struct authz_node *authz_node_new(struct mirror *m, struct store *store)
{
    struct authz_node *n = mem_new(struct authz_node);
    struct mirror_opts o = { .res = resource_find(STR(""), STR("v1"), STR("pods")), .bulk = true,
                             .vital = true, .on_event = on_pod, .arg = n };
    struct json       *rules;

    n->store = store;
    must(json_parse(&n->arena, STR(node_rules), &rules, NULL) == 0);
    n->rules = rules_compile(&n->arena, rules, &n->n_rules);
    n->feed = mirror_follow(m, &o);
    return n;
}

void authz_node_free(struct authz_node *n)
{
    if (n == NULL)
        return;
    mirror_unfollow(n->feed);
    forget_all(n);
    arena_release(&n->arena);
    mem_free(n);
}
