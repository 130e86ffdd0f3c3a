/* api/columns_access.c: kubectl get role bindings, certificate requests, admission policies, API services and
 * flow schemas. */
#include "api/columns.h"
#include "api/time_fmt.h"

schema_column_fn column_role_ref, column_binding_users, column_binding_groups, column_binding_accounts;
schema_column_fn column_csr_duration, column_csr_condition, column_param_kind, column_param_ref;
schema_column_fn column_api_service, column_api_service_available, column_flow_schema_dangling;

/* Two parts with something between them when both are there. */
static void pair_cell(struct buf *out, struct str a, const char *between, struct str b)
{
    struct buf text = BUF_INIT;

    buf_fmt(&text, "%.*s%s%.*s", STR_ARG(a), a.n > 0 && b.n > 0 ? between : "", STR_ARG(b));
    cell_text(out, buf_str(&text));
    buf_release(&text);
}

void column_role_ref(struct buf *out, const struct json *obj, int64_t now_s)
{
    pair_cell(out, json_path_str(obj, "roleRef.kind"), "/", json_path_str(obj, "roleRef.name"));
}

static void subjects_cell(struct buf *out, const struct json *obj, const char *kind)
{
    struct buf text = BUF_INIT;

    json_each(s, json_getz(obj, "subjects")) {
        struct str ns = json_str(json_getz(s, "namespace"));
        bool account = strcmp(kind, "ServiceAccount") == 0;

        if (!str_is(json_str(json_getz(s, "kind")), kind))
            continue;
        buf_fmt(&text, "%s%.*s%s%.*s", text.n > 0 ? ", " : "", account ? (int)ns.n : 0,
                ns.p != NULL ? ns.p : "", account ? "/" : "", STR_ARG(json_str(json_getz(s, "name"))));
    }
    cell_text(out, buf_str(&text));
    buf_release(&text);
}

void column_binding_users(struct buf *out, const struct json *obj, int64_t now_s)
{
    subjects_cell(out, obj, "User");
}
void column_binding_groups(struct buf *out, const struct json *obj, int64_t now_s)
{
    subjects_cell(out, obj, "Group");
}
void column_binding_accounts(struct buf *out, const struct json *obj, int64_t now_s)
{
    subjects_cell(out, obj, "ServiceAccount");
}

void column_csr_duration(struct buf *out, const struct json *obj, int64_t now_s)
{
    struct arena a = ARENA_INIT;
    const struct json *seconds = json_path(obj, "spec.expirationSeconds");

    cell_text(out, seconds != NULL ? duration_human(&a, json_i64_or(seconds, 0)) : STR("<none>"));
    arena_release(&a);
}

void column_csr_condition(struct buf *out, const struct json *obj, int64_t now_s)
{
    bool denied = condition(obj, "Denied") != NULL, approved = condition(obj, "Approved") != NULL;
    struct joined j = { BUF_INIT };

    if (denied || approved)
        joined_add(&j, denied ? STR("Denied") : STR("Approved"));
    else
        joined_add(&j, STR("Pending"));
    if (condition(obj, "Failed") != NULL)
        joined_add(&j, STR("Failed"));
    if (json_path_str(obj, "status.certificate").n > 0)
        joined_add(&j, STR("Issued"));
    joined_cell(out, &j);
}

void column_param_kind(struct buf *out, const struct json *obj, int64_t now_s)
{
    if (json_path(obj, "spec.paramKind") == NULL)
        cell_text(out, STR("<unset>"));
    else
        pair_cell(out, json_path_str(obj, "spec.paramKind.apiVersion"), "/",
                  json_path_str(obj, "spec.paramKind.kind"));
}

void column_param_ref(struct buf *out, const struct json *obj, int64_t now_s)
{
    struct str name = json_path_str(obj, "spec.paramRef.name");

    if (json_path(obj, "spec.paramRef") == NULL)
        cell_text(out, STR("<unset>"));
    else
        pair_cell(out, json_path_str(obj, "spec.paramRef.namespace"), "/", name.n > 0 ? name : STR("*"));
}

void column_api_service(struct buf *out, const struct json *obj, int64_t now_s)
{
    if (json_path(obj, "spec.service") == NULL)
        cell_text(out, STR("Local"));
    else
        pair_cell(out, json_path_str(obj, "spec.service.namespace"), "/",
                  json_path_str(obj, "spec.service.name"));
}

/* "True", "False (MissingEndpoints)" */
void column_api_service_available(struct buf *out, const struct json *obj, int64_t now_s)
{
    const struct json *c = condition(obj, "Available");
    struct str status = json_str(json_getz(c, "status"));
    struct buf text = BUF_INIT;

    buf_str_add(&text, status.n > 0 ? status : STR("Unknown"));
    if (c != NULL && !str_is(status, "True"))
        buf_fmt(&text, " (%.*s)", STR_ARG(json_str(json_getz(c, "reason"))));
    cell_text(out, buf_str(&text));
    buf_release(&text);
}

void column_flow_schema_dangling(struct buf *out, const struct json *obj, int64_t now_s)
{
    struct str s = json_str(json_getz(condition(obj, "Dangling"), "status"));
    cell_text(out, s.n > 0 ? s : STR("?"));
}
