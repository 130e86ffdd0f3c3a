/* api/policy/subject.c: see api/policy/subject.h. */
#include "api/call.h"
#include "api/policy/scope.h"
#include "api/policy/subject.h"

/* ---- Types ------------------------------------------------------------------------------------------ */

static const struct cel_type *object_type(struct arena *a, const char *name, const char *const *strings,
                                          unsigned more, struct cel_field **ret_more)
{
    struct cel_type  *t = arena_new(a, struct cel_type);
    struct cel_field *fields;
    unsigned          n = 0;

    while (strings[n] != NULL)
        n++;
    fields = arena_zalloc(a, (n + more) * sizeof *fields);
    for (unsigned i = 0; i < n; i++)
        fields[i] = (struct cel_field){ str_of(strings[i]), cel_type(CEL_STRING), false };
    *t = (struct cel_type){ .kind = CEL_OBJECT, .name = str_of(name), .fields = fields, .n_fields = n + more,
                            .max = CEL_UNBOUNDED };
    if (ret_more != NULL)
        *ret_more = fields + n;
    return t;
}

/* AdmissionRequest without what it carries. */
static const struct cel_type *request_type(struct arena *a)
{
    static const char *const kind[] = { "group", "version", "kind", NULL };
    static const char *const resource[] = { "group", "version", "resource", NULL };
    static const char *const user[] = { "username", "uid", NULL };
    static const char *const request[] = { "name",        "namespace",          "operation",
                                           "subResource", "requestSubResource", NULL };
    const struct cel_type *kind_type = object_type(a, "kubernetes.GroupVersionKind", kind, 0, NULL);
    const struct cel_type   *resource_type =
        object_type(a, "kubernetes.GroupVersionResource", resource, 0, NULL);
    const struct cel_type *list = cel_type_list(a, cel_type(CEL_STRING));
    struct cel_field      *more;
    const struct cel_type *user_type = object_type(a, "kubernetes.UserInfo", user, 2, &more), *t;

    more[0] = (struct cel_field){ STR("groups"), list, false };
    more[1] = (struct cel_field){ STR("extra"), cel_type_map(a, list), false };
    t = object_type(a, "kubernetes.AdmissionRequest", request, 7, &more);
    more[0] = (struct cel_field){ STR("kind"), kind_type, true };
    more[1] = (struct cel_field){ STR("requestKind"), kind_type, true };
    more[2] = (struct cel_field){ STR("resource"), resource_type, true };
    more[3] = (struct cel_field){ STR("requestResource"), resource_type, true };
    more[4] = (struct cel_field){ STR("userInfo"), user_type, true };
    more[5] = (struct cel_field){ STR("dryRun"), cel_type(CEL_BOOL), false };
    more[6] = (struct cel_field){ STR("options"), cel_type(CEL_DYN), false };
    return t;
}

static const struct cel_type *namespace_type(struct arena *a)
{
    struct cel_types types = { .arena = a };

    return cel_types_of(&types, schema_kind_by_version(STR("v1"), STR("Namespace"))->type);
}

void subject_env(struct cel_env *ret, struct cel_var **ret_vars, const struct subject_opts *o,
                 struct arena *a)
{
    const struct cel_type *object = o->object != NULL ? o->object : cel_type(CEL_DYN);
    const struct cel_type *params = o->params != NULL ? o->params : cel_type(CEL_DYN);
    struct cel_var        *v = arena_zalloc(a, (SUBJECT_VARS + o->more) * sizeof *v);

    /* What there is not keeps its place, under a name that nobody can write. */
    v[SUBJECT_OBJECT] = (struct cel_var){ STR("object"), object };
    v[SUBJECT_OLD] = (struct cel_var){ STR("oldObject"), object };
    v[SUBJECT_REQUEST] = (struct cel_var){ STR("request"), request_type(a) };
    v[SUBJECT_AUTHORIZER] = (struct cel_var){ STR("authorizer"), cel_type(CEL_AUTHORIZER) };
    v[SUBJECT_REQUEST_RESOURCE] =
        (struct cel_var){ STR("authorizer.requestResource"), cel_type(CEL_RESOURCE_CHECK) };
    v[SUBJECT_NAMESPACE] = (struct cel_var){ o->has_namespace ? STR("namespaceObject") : STR("-"),
                                             o->has_namespace ? namespace_type(a) : cel_type(CEL_DYN) };
    v[SUBJECT_PARAMS] = (struct cel_var){ o->has_params ? STR("params") : STR("-"), params };
    *ret_vars = v;
    *ret = (struct cel_env){ v, SUBJECT_VARS };
}

/* ---- Values ----------------------------------------------------------------------------------------- */

static struct json *kind_json(struct arena *a, const struct schema_kind *k)
{
    struct json *j = json_object(a);

    json_setz(a, j, "group", json_string_ref(a, str_of(k->group)));
    json_setz(a, j, "version", json_string_ref(a, str_of(k->version)));
    json_setz(a, j, "kind", json_string_ref(a, str_of(k->kind)));
    return j;
}

static struct json *resource_json(struct arena *a, const struct resource *r)
{
    struct json *j = json_object(a);

    json_setz(a, j, "group", json_string_ref(a, str_of(r->kind->group)));
    json_setz(a, j, "version", json_string_ref(a, str_of(r->kind->version)));
    json_setz(a, j, "resource", json_string_ref(a, str_of(r->plural)));
    return j;
}

static struct json *user_json(struct arena *a, const struct exchange_user *u)
{
    struct json *j = json_object(a), *groups = json_array(a), *extra = json_object(a);

    json_setz(a, j, "username", json_string_ref(a, u->name));
    if (u->uid.n > 0)
        json_setz(a, j, "uid", json_string_ref(a, u->uid));
    for (size_t i = 0; i < u->n_groups; i++)
        json_push(groups, json_string_ref(a, u->groups[i]));
    json_setz(a, j, "groups", groups);
    for (size_t i = 0; i < u->n_extra; i++) {
        struct json *list = json_get(extra, u->extra[i].key);
        if (list == NULL)
            list = json_set(a, extra, u->extra[i].key, json_array(a));
        json_push(list, json_string_ref(a, u->extra[i].value));
    }
    if (extra->n > 0)
        json_setz(a, j, "extra", extra);
    return j;
}

static struct json *request_json(const struct admission *ad)
{
    const struct kind_ctx *k = ad->k;
    struct arena          *a = k->arena;
    struct json           *j = json_object(a);
    struct str             sub = str_of(k->sub != NULL ? k->sub->name : "");

    json_setz(a, j, "kind", kind_json(a, ad->kind));
    json_setz(a, j, "requestKind", kind_json(a, ad->kind));
    json_setz(a, j, "resource", resource_json(a, k->res));
    json_setz(a, j, "requestResource", resource_json(a, k->asked));
    if (sub.n > 0) {
        json_setz(a, j, "subResource", json_string_ref(a, sub));
        json_setz(a, j, "requestSubResource", json_string_ref(a, sub));
    }
    json_setz(a, j, "name", json_string_ref(a, k->name));
    if (k->ns.n > 0)
        json_setz(a, j, "namespace", json_string_ref(a, k->ns));
    json_setz(a, j, "operation", json_string_ref(a, str_of(scope_operation(ad))));
    if (k->user != NULL)
        json_setz(a, j, "userInfo", user_json(a, k->user));
    json_setz(a, j, "dryRun", json_bool(a, k->dry_run));
    return j;
}

static const struct json *namespace_json(const struct admission *a)
{
    return a->k->ns.n > 0 ? kind_lookup(a->k, "", "v1", "namespaces", STR_NONE, a->k->ns) : NULL;
}

static struct cel_value request_resource(const struct admission *ad)
{
    const struct kind_ctx *k = ad->k;
    struct cel_query      *q = arena_new(k->arena, struct cel_query);

    *q = (struct cel_query){ .resource_check = true, .group = str_of(k->asked->kind->group),
                             .resource = str_of(k->asked->plural),
                             .subresource = str_of(k->sub != NULL ? k->sub->name : ""), .ns = k->ns,
                             .name = k->name };
    return cel_opaque(CEL_RESOURCE_CHECK, q);
}

static struct cel_value variable(struct subject *s, unsigned i)
{
    struct cel_value v = cel_eval(s->var[i].program, &s->run);

    if (v.kind == CEL_ERROR && !s->run.over)
        v.u.s = arena_fmt(s->run.arena, "composited variable \"%.*s\" fails to evaluate: %.*s",
                          STR_ARG(s->var[i].name), STR_ARG(v.u.s));
    return v;
}

static struct cel_value lookup(struct cel_run *run, unsigned var)
{
    struct subject         *s = container_of(run, struct subject, run);
    const struct admission *a = s->a;

    switch (var) {
    case SUBJECT_OBJECT:    return cel_from_json(a->obj, NULL);
    case SUBJECT_OLD:
        return cel_from_json(a->op == ADMIT_UPDATE || a->op == ADMIT_DELETE ? admit_old(s->a) : NULL, NULL);
    case SUBJECT_REQUEST:   return cel_from_json(request_json(a), NULL);
    case SUBJECT_NAMESPACE: return cel_from_json(namespace_json(a), NULL);
    case SUBJECT_PARAMS:    return cel_from_json(s->params, NULL);
    case SUBJECT_AUTHORIZER: return cel_opaque(CEL_AUTHORIZER, NULL);
    case SUBJECT_REQUEST_RESOURCE: return request_resource(a);
    default:                return variable(s, var - SUBJECT_VARS);
    }
}

/* ---- The authorizer --------------------------------------------------------------------------------- */

static struct exchange_user service_account(struct arena *a, const struct cel_query *q)
{
    struct str *groups = arena_alloc(a, 3 * sizeof *groups);

    groups[0] = STR("system:serviceaccounts");
    groups[1] = arena_fmt(a, "system:serviceaccounts:%.*s", STR_ARG(q->sa_namespace));
    groups[2] = STR("system:authenticated");
    return (struct exchange_user){
        .name =
            arena_fmt(a, "system:serviceaccount:%.*s:%.*s", STR_ARG(q->sa_namespace), STR_ARG(q->sa_name)),
        .groups = groups,
        .n_groups = 3,
    };
}

static void authorize(struct cel_run *run, const struct cel_query *q, struct cel_answer *ret)
{
    struct subject      *s = container_of(run, struct subject, run);
    struct arena        *a = run->arena;
    struct exchange_user account = { .name = STR_NONE };
    struct authz_query   ask = { .arena = a, .want_reason = true };

    if (s->a->k->authz == NULL) {
        ret->error = STR("there is no authorizer");
        return;
    }
    if (q->sa_name.n > 0)
        account = service_account(a, q);
    ask.attr = (struct authz_attr){
        .user = q->sa_name.n > 0 ? &account : s->a->k->user,
        .verb = arena_cstr(a, q->verb),
        .group = q->group,
        .version = STR("*"),
        .resource = q->resource,
        .subresource = q->subresource,
        .ns = q->ns,
        .name = q->name,
        .path = q->path,
        .fields = q->field_selector,
        .labels = q->label_selector,
        .is_resource = q->resource_check,
    };
    ret->allowed = authz_ask_now(s->a->k->authz, &ask);
    ret->reason = ask.reason;
    ret->error = ask.error;
}

/* ---- Runs ------------------------------------------------------------------------------------------- */

void subject_init(struct subject *s, struct admission *a, const struct subject_variable *var, unsigned n_vars,
                  uint64_t budget)
{
    *s = (struct subject){ .a = a, .var = var, .n_vars = n_vars, .left = budget };
    s->run = (struct cel_run){ .arena = a->k->arena, .lookup = lookup, .authorize = authorize };
    s->run.vars = arena_zalloc(a->k->arena, (SUBJECT_VARS + n_vars) * sizeof *s->run.vars);
}

void subject_set_params(struct subject *s, const struct json *params)
{
    s->params = params;
    s->run.vars[SUBJECT_PARAMS] = (struct cel_value){ .kind = CEL_DYN };
    memset(s->run.vars + SUBJECT_VARS, 0, s->n_vars * sizeof *s->run.vars);
}

struct cel_value subject_eval(struct subject *s, const struct cel_program *p)
{
    struct cel_value v;

    s->run.limit = MIN_OF(s->left, (uint64_t)CEL_COST_CALL);
    v = cel_eval(p, &s->run);
    s->left -= MIN_OF(s->run.cost, s->left);
    if (s->run.over && s->left == 0)
        v.u.s = STR(
            "validation failed due to running out of cost budget, no further validation rules will be run");
    return v;
}
