/* api/kinds/role.c: roles and who has them. */
#include "api/kinds/kinds_impl.h"

static void binding_default(struct kind_ctx *c, struct json *obj)
{
    json_each(subject, json_getz(obj, "subjects")) {
        struct str kind = json_str(json_getz(subject, "kind"));

        if (str_is(kind, "User") || str_is(kind, "Group"))
            default_text(c->arena, subject, "apiGroup", "rbac.authorization.k8s.io");
    }
}

#define ROLES .group = "rbac.authorization.k8s.io", .name = KIND_NAME_PATH, .unconditional_update = true, \
              .create_on_update = true

const struct kind_hooks kind_roles = { ROLES, .plural = "roles" };
const struct kind_hooks kind_cluster_roles = { ROLES, .plural = "clusterroles" };
const struct kind_hooks kind_role_bindings = {
    ROLES, .plural = "rolebindings", .default_ = binding_default,
};
const struct kind_hooks kind_cluster_role_bindings = {
    ROLES, .plural = "clusterrolebindings", .default_ = binding_default,
};
