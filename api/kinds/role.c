/* api/kinds/role.c: roles and who has them. */
#include "api/kinds/kinds_impl.h"
#include "api/rbac/escalate.h"

static void binding_default(struct kind_ctx *c, struct json *obj)
{
    json_each(subject, json_getz(obj, "subjects")) {
        struct str kind = json_str(json_getz(subject, "kind"));

        if (str_is(kind, "User") || str_is(kind, "Group"))
            default_text(c->arena, subject, "apiGroup", "rbac.authorization.k8s.io");
    }
}

#define RBAC  "rbac.authorization.k8s.io"
#define ROLES .group = RBAC, .name = KIND_NAME_PATH, .unconditional_update = true, .create_on_update = true

/* ---- Rules ------------------------------------------------------------------------------------------ */

/* Of resources, or of paths that are none; the latter belong to no namespace. */
static void check_rule(const struct json *rule, bool namespaced, const struct at *at, struct causes *causes)
{
    if (json_is_blank(json_getz(rule, "nonResourceURLs"))) {
        field_need(rule, "apiGroups", at, "resource rules must supply at least one api group", causes);
        field_need(rule, "resources", at, "resource rules must supply at least one resource", causes);
        return;
    }
    if (namespaced)
        field_refuse(rule, "nonResourceURLs", at, "namespaced rules cannot apply to non-resource URLs",
                     causes);
    if (json_is_set(json_getz(rule, "apiGroups")) || json_is_set(json_getz(rule, "resources")) ||
        json_is_set(json_getz(rule, "resourceNames")))
        field_refuse(rule, "nonResourceURLs", at,
                     "rules cannot apply to both regular resources and non-resource URLs", causes);
}

static void role_validate(struct kind_ctx *c, const struct json *obj, struct causes *causes)
{
    (void)c;
    each_in(e, obj, "rules", NULL)
        check_rule(e.it, true, &e.at, causes);
}

static void cluster_role_validate(struct kind_ctx *c, const struct json *obj, struct causes *causes)
{
    const struct json *aggregation = json_getz(obj, "aggregationRule");
    struct at          at = AT_KEY(NULL, "aggregationRule");

    (void)c;
    each_in(e, obj, "rules", NULL)
        check_rule(e.it, false, &e.at, causes);
    if (aggregation == NULL)
        return;
    field_need(aggregation, "clusterRoleSelectors", &at,
               "at least one clusterRoleSelector required if aggregationRule is non-nil", causes);
    each_in(e, aggregation, "clusterRoleSelectors", &at)
        check_label_selector(e.it, &e.at, causes);
}

static void role_prepare(struct kind_ctx *c, struct json *obj)
{
    rbac_guard_role(c, NULL, obj);
}

static void role_prepare_update(struct kind_ctx *c, const struct json *old, struct json *obj)
{
    rbac_guard_role(c, old, obj);
}

const struct kind_hooks kind_roles = {
    ROLES, .plural = "roles", .validate = role_validate, .prepare_create = role_prepare,
    .prepare_update = role_prepare_update,
};
const struct kind_hooks kind_cluster_roles = {
    ROLES, .plural = "clusterroles", .validate = cluster_role_validate, .prepare_create = role_prepare,
    .prepare_update = role_prepare_update,
};

/* ---- Bindings --------------------------------------------------------------------------------------- */

static void check_group(const struct json *obj, const char *group, const struct at *up, struct causes *causes)
{
    struct at at = AT_KEY(up, "apiGroup");

    if (!str_is(json_str(json_getz(obj, "apiGroup")), group))
        cause_unsupported(causes, &at, json_str(json_getz(obj, "apiGroup")), &group, 1);
}

static void check_subject(const struct json *subject, bool namespaced, const struct at *at,
                          struct causes *causes)
{
    static const char *const kinds[] = { "Group", "ServiceAccount", "User" };
    struct str               kind = json_str(json_getz(subject, "kind"));

    field_one_of(subject, "kind", at, kinds, ARRAY_LEN(kinds), causes);
    if (str_is(kind, "ServiceAccount")) {
        field_check(name_check_subdomain, subject, "name", at, causes);
        check_group(subject, "", at, causes);
        if (!namespaced)
            field_need(subject, "namespace", at, "", causes);
    } else if (str_is(kind, "User") || str_is(kind, "Group")) {
        check_group(subject, RBAC, at, causes);
    }
}

static void check_binding(const struct json *obj, bool namespaced, struct causes *causes)
{
    static const char *const kinds[] = { "ClusterRole", "Role" };
    const struct json       *ref = json_getz(obj, "roleRef");
    struct at                at = AT_KEY(NULL, "roleRef");

    check_group(ref, RBAC, &at, causes);
    field_one_of(ref, "kind", &at, kinds, namespaced ? 2 : 1, causes);
    each_in(e, obj, "subjects", NULL)
        check_subject(e.it, namespaced, &e.at, causes);
}

static void role_binding_validate(struct kind_ctx *c, const struct json *obj, struct causes *causes)
{
    (void)c;
    check_binding(obj, true, causes);
}

static void cluster_role_binding_validate(struct kind_ctx *c, const struct json *obj, struct causes *causes)
{
    (void)c;
    check_binding(obj, false, causes);
}

static void binding_validate_update(struct kind_ctx *c, const struct json *old, const struct json *obj,
                                    struct causes *causes)
{
    const struct json *now = json_getz(obj, "roleRef");
    struct at          at = AT_KEY(NULL, "roleRef");

    (void)c;
    if (!json_same(json_getz(old, "roleRef"), now))
        cause_add(causes, CAUSE_INVALID, &at,
                  "Invalid value: rbac.RoleRef{APIGroup:\"%.*s\", Kind:\"%.*s\", Name:\"%.*s\"}: "
                  "cannot change roleRef",
                  STR_ARG(json_str(json_getz(now, "apiGroup"))), STR_ARG(json_str(json_getz(now, "kind"))),
                  STR_ARG(json_str(json_getz(now, "name"))));
}

static void binding_prepare(struct kind_ctx *c, struct json *obj)
{
    rbac_guard_binding(c, NULL, obj);
}

static void binding_prepare_update(struct kind_ctx *c, const struct json *old, struct json *obj)
{
    rbac_guard_binding(c, old, obj);
}

const struct kind_hooks kind_role_bindings = {
    ROLES, .plural = "rolebindings", .default_ = binding_default, .validate = role_binding_validate,
    .validate_update = binding_validate_update, .prepare_create = binding_prepare,
    .prepare_update = binding_prepare_update,
};
const struct kind_hooks kind_cluster_role_bindings = {
    ROLES, .plural = "clusterrolebindings", .default_ = binding_default,
    .validate = cluster_role_binding_validate, .validate_update = binding_validate_update,
    .prepare_create = binding_prepare, .prepare_update = binding_prepare_update,
};
