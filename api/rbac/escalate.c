/* api/rbac/escalate.c: see api/rbac/escalate.h. */
#include "api/authn.h"
#include "api/rbac/escalate.h"
#include "api/rbac/rbac.h"
#include "api/status.h"
#include <stdlib.h>

static bool may(struct kind_ctx *c, const char *verb, const char *resource, struct str ns, struct str name)
{
    struct authz_query q = {
        .arena = c->arena,
        .attr = { .user = c->user, .verb = verb, .group = STR(RBAC_GROUP), .version = STR("v1"),
                  .resource = str_of(resource), .ns = ns, .name = name, .is_resource = true },
    };

    return authz_ask_now(c->authz, &q);
}

/* ---- The refusal ----------------------------------------------------------------------------------- */

static int by_text(const void *a, const void *b)
{
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

/* One rule a line, sorted. */
static void missing_text(struct arena *a, struct buf *out, const struct rbac_rule *v, size_t n)
{
    struct str *lines = arena_alloc(a, (n + 1) * sizeof(*lines));
    struct buf  b = BUF_INIT;

    for (size_t i = 0; i < n; i++) {
        buf_clear(&b);
        rule_text(&b, &v[i]);
        lines[i] = arena_str(a, buf_str(&b));
    }
    buf_release(&b);
    qsort(lines, n, sizeof(*lines), by_text);
    for (size_t i = 0; i < n; i++)
        if (i == 0 || !str_eq(lines[i], lines[i - 1]))
            buf_fmt(out, "%s%.*s", i > 0 ? "\n" : "", STR_ARG(lines[i]));
}

static void refuse(struct kind_ctx *c, const struct rbac_rule *missing, size_t n, struct str errors)
{
    struct buf b = BUF_INIT;

    buf_z(&b, "user ");
    json_write_string(&b, c->user->name);
    buf_z(&b, " (groups=[");
    for (size_t i = 0; i < c->user->n_groups; i++) {
        if (i > 0)
            buf_char(&b, ' ');
        json_write_string(&b, c->user->groups[i]);
    }
    buf_z(&b, "]) is attempting to grant RBAC permissions not currently held:\n");
    missing_text(c->arena, &b, missing, n);
    if (errors.n > 0)
        buf_fmt(&b, "; resolution errors: [%.*s]", STR_ARG(errors));
    kind_refuse(c, 403, REASON_FORBIDDEN, "%.*s", STR_ARG(buf_str(&b)));
    buf_release(&b);
}

/* False: refused. */
static bool holds(struct kind_ctx *c, const struct rbac_rule *want, size_t n_want, const char *instead)
{
    struct buf        errors = BUF_INIT;
    struct rbac_held  held = rbac_rules_of(c->rbac, c->arena, c->user, c->ns, &errors);
    struct rbac_rule *missing;
    size_t            n = rules_missing(c->arena, held, want, n_want, &missing);

    if (n > 0 && instead != NULL)
        kind_refuse(c, 403, REASON_FORBIDDEN, "%s", instead);
    else if (n > 0)
        refuse(c, missing, n, buf_str(&errors));
    buf_release(&errors);
    return n == 0;
}

/* Outside of a head there is nobody to ask; masters may do it all. */
static bool is_free(const struct kind_ctx *c)
{
    return c->rbac == NULL || authn_in_group(c->user, GROUP_MASTERS);
}

/* ---- Roles ----------------------------------------------------------------------------------------- */

static bool is_empty(const struct json *v) { return v == NULL || v->type == JSON_NULL || v->n == 0; }

static bool same(const struct json *a, const struct json *b, const char *key)
{
    const struct json *x = json_getz(a, key), *y = json_getz(b, key);

    if (is_empty(x) || is_empty(y))
        return is_empty(x) && is_empty(y);
    return json_equal(x, y);
}

static const struct str everything[] = { { "*", 1 } };

void rbac_guard_role(struct kind_ctx *c, const struct json *old, const struct json *obj)
{
    const struct rbac_list all = { everything, 1 };
    const struct rbac_rule full[] = {
        { .verbs = all, .groups = all, .resources = all, .verb_bits = RULE_ANY, .any_group = true,
          .any_resource = true },
        { .verbs = all, .urls = all, .verb_bits = RULE_ANY },
    };
    const struct rbac_rule *want;
    size_t n;

    if (is_free(c) || (old != NULL && same(old, obj, "rules") && same(old, obj, "aggregationRule")) ||
        may(c, "escalate", c->res->plural, c->ns, c->name))
        return;
    want = rules_compile(c->arena, json_getz(obj, "rules"), &n);
    if (!holds(c, want, n, NULL))
        return;
    if (!is_empty(json_getz(obj, "aggregationRule")))
        holds(c, full, ARRAY_LEN(full), "must have cluster-admin privileges to use the aggregationRule");
}

/* ---- Bindings -------------------------------------------------------------------------------------- */

void rbac_guard_binding(struct kind_ctx *c, const struct json *old, const struct json *obj)
{
    const struct json      *ref = json_getz(obj, "roleRef");
    struct str              name = json_str(json_getz(ref, "name"));
    bool                    cluster = str_is(json_str(json_getz(ref, "kind")), "ClusterRole");
    const char             *plural = cluster ? "clusterroles" : "roles";
    const struct rbac_rule *want;
    size_t                  n;

    if (is_free(c) || (old != NULL && same(old, obj, "roleRef") && same(old, obj, "subjects")) ||
        may(c, "bind", plural, c->ns, name))
        return;
    if (!rbac_role(c->rbac, cluster ? STR_NONE : c->ns, name, &want, &n))
        kind_refuse(c, 404, REASON_NOT_FOUND, "%s.%s \"%.*s\" not found", plural, RBAC_GROUP, STR_ARG(name));
    else
        holds(c, want, n, NULL);
}
