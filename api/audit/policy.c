/* api/audit/policy.c: see api/audit/policy.h. */
#include "api/audit/policy.h"
#include "api/json.h"
#include "api/yaml.h"

struct strings { const struct str *at; size_t n; };
struct resources { struct str group; struct strings plurals, names; };
struct rule {
    struct audit_verdict verdict;
    struct strings users, groups, verbs, namespaces, paths;
    const struct resources *resources; size_t n_resources;
};
struct audit_policy { struct arena arena; const struct rule *rules; size_t n; };

static const char *const level_names[] = { "None", "Metadata", "Request", "RequestResponse" };
static const char *const stage_names[] = {
    "RequestReceived", "ResponseStarted", "ResponseComplete", "Panic",
};

const char *audit_level_name(enum audit_level l) { return level_names[l]; }
const char *audit_stage_name(enum audit_stage s) { return stage_names[s]; }

/* ---- Reading ------------------------------------------------------------------------------------- */

struct reading { struct arena *a; struct errbuf *err; const char *where; size_t at; };

static int wrong(struct reading *r, const char *field, const char *what)
{
    return err_set(r->err, E_INVALID, "%s[%zu].%s: %s", r->where, r->at, field, what);
}

/* Every member of obj is one of these. */
static int check_members(struct reading *r, const struct json *obj, const char *const *known)
{
    json_each(m, obj) {
        size_t i = 0;

        while (known[i] != NULL && !str_is(m->key, known[i]))
            i++;
        if (known[i] == NULL)
            return err_set(r->err, E_INVALID, "%s[%zu]: unknown field \"%.*s\"", r->where, r->at,
                           (int)MIN_OF(m->key.n, (size_t)60), m->key.p);
    }
    return 0;
}

static int read_strings(struct reading *r, const struct json *obj, const char *field, struct strings *ret)
{
    const struct json *list = json_getz(obj, field);
    struct str        *at;

    *ret = (struct strings){ NULL, 0 };
    if (list == NULL || list->type == JSON_NULL)
        return 0;
    if (list->type != JSON_ARRAY)
        return wrong(r, field, "must be a list of strings");
    ret->at = at = arena_alloc(r->a, (list->n + 1) * sizeof(*at));
    json_each(it, list) {
        if (it->type != JSON_STRING)
            return wrong(r, field, "must be a list of strings");
        at[ret->n++] = it->s;
    }
    return 0;
}

static int read_stages(struct reading *r, const struct json *obj, unsigned *ret)
{
    struct strings given;
    int            rc = read_strings(r, obj, "omitStages", &given);

    for (size_t i = 0; rc == 0 && i < given.n; i++) {
        unsigned s = 0;

        while (s < AUDIT_STAGES && !str_is(given.at[i], stage_names[s]))
            s++;
        if (s == AUDIT_STAGES)
            return wrong(r, "omitStages",
                         "must be RequestReceived, ResponseStarted, ResponseComplete or Panic");
        *ret |= 1u << s;
    }
    return rc;
}

static int read_level(struct reading *r, const struct json *obj, enum audit_level *ret)
{
    struct str name = json_str(json_getz(obj, "level"));

    for (unsigned l = 0; l < ARRAY_LEN(level_names); l++)
        if (str_is(name, level_names[l])) {
            *ret = l;
            return 0;
        }
    return wrong(r, "level", "must be None, Metadata, Request or RequestResponse");
}

static int read_resources(struct reading *r, const struct json *obj, struct rule *rule)
{
    static const char *const known[] = { "group", "resources", "resourceNames", NULL };
    const struct json *list = json_getz(obj, "resources");
    struct resources  *at;
    int                rc = 0;

    if (list == NULL || list->type == JSON_NULL)
        return 0;
    if (list->type != JSON_ARRAY)
        return wrong(r, "resources", "must be a list of groups");
    rule->resources = at = arena_alloc(r->a, (list->n + 1) * sizeof(*at));
    json_each(it, list) {
        if (it->type != JSON_OBJECT)
            return wrong(r, "resources", "must be a list of groups");
        if ((rc = check_members(r, it, known)) != 0 ||
            (rc = read_strings(r, it, "resources", &at->plurals)) != 0 ||
            (rc = read_strings(r, it, "resourceNames", &at->names)) != 0)
            return rc;
        if (at->names.n > 0 && at->plurals.n == 0)
            return wrong(r, "resources", "using resourceNames requires at least one resource");
        at->group = json_str(json_getz(it, "group"));
        if (str_find(at->group, '/') >= 0)
            return wrong(r, "resources", "a group is named without its version");
        at++;
        rule->n_resources++;
    }
    return 0;
}

static int read_rule(struct reading *r, const struct json *obj, const struct audit_verdict *all,
                     struct rule *rule)
{
    static const char *const known[] = {
        "level", "users", "userGroups", "verbs", "resources", "namespaces", "nonResourceURLs", "omitStages",
        "omitManagedFields", NULL,
    };
    const struct json *omit = json_getz(obj, "omitManagedFields");
    int                rc;

    *rule = (struct rule){ .verdict = *all };
    if (!json_is(obj, JSON_OBJECT))
        return err_set(r->err, E_INVALID, "%s[%zu]: must be an object", r->where, r->at);
    if ((rc = check_members(r, obj, known)) != 0 || (rc = read_level(r, obj, &rule->verdict.level)) != 0 ||
        (rc = read_strings(r, obj, "users", &rule->users)) != 0 ||
        (rc = read_strings(r, obj, "userGroups", &rule->groups)) != 0 ||
        (rc = read_strings(r, obj, "verbs", &rule->verbs)) != 0 ||
        (rc = read_strings(r, obj, "namespaces", &rule->namespaces)) != 0 ||
        (rc = read_strings(r, obj, "nonResourceURLs", &rule->paths)) != 0 ||
        (rc = read_stages(r, obj, &rule->verdict.omit_stages)) != 0 ||
        (rc = read_resources(r, obj, rule)) != 0)
        return rc;
    if (rule->paths.n > 0 && (rule->n_resources > 0 || rule->namespaces.n > 0))
        return wrong(r, "nonResourceURLs",
                     "rules cannot apply to both regular resources and non-resource URLs");
    if (json_is(omit, JSON_BOOL))
        rule->verdict.omit_managed_fields = omit->boolean;
    return 0;
}

static int read_policy(struct audit_policy *p, const struct json *doc, struct errbuf *err)
{
    struct reading       r = { &p->arena, err, "policy", 0 };
    struct audit_verdict all = { AUDIT_NONE, 0, json_true(json_getz(doc, "omitManagedFields")) };
    const struct json   *list = json_getz(doc, "rules");
    struct rule         *rules;
    int                  rc;

    if (!str_is(json_str(json_getz(doc, "apiVersion")), "audit.k8s.io/v1") ||
        !str_is(json_str(json_getz(doc, "kind")), "Policy"))
        return err_set(err, E_INVALID, "must be of apiVersion audit.k8s.io/v1 and kind Policy");
    if (!json_is(list, JSON_ARRAY) || list->n == 0)
        return err_set(err, E_INVALID, "rules: a policy without a rule would log nothing");
    if ((rc = read_stages(&r, doc, &all.omit_stages)) != 0)
        return rc;
    p->rules = rules = arena_alloc(&p->arena, list->n * sizeof(*rules));
    r.where = "rules";
    json_each(it, list) {
        r.at = p->n;
        if ((rc = read_rule(&r, it, &all, &rules[p->n])) != 0)
            return rc;
        p->n++;
    }
    return 0;
}

int audit_policy_parse(struct str text, struct audit_policy **ret, struct errbuf *err)
{
    struct audit_policy *p = mem_new(struct audit_policy);
    struct json_error    bad;
    struct json         *doc;
    int                  rc;

    arena_init(&p->arena);
    if (yaml_parse(&p->arena, arena_str(&p->arena, text), &doc, &bad) < 0)
        rc = err_set(err, E_INVALID, "line %u: %s", bad.line, bad.text);
    else
        rc = read_policy(p, doc, err);
    if (rc != 0)
        audit_policy_free(p);
    else
        *ret = p;
    return rc;
}

void audit_policy_free(struct audit_policy *p)
{
    if (p == NULL)
        return;
    arena_release(&p->arena);
    mem_free(p);
}

/* ---- Asking -------------------------------------------------------------------------------------- */

static bool has(struct strings s, struct str what)
{
    for (size_t i = 0; i < s.n; i++)
        if (str_eq(s.at[i], what))
            return true;
    return false;
}

/* "pods", "pods/log", "pods/ *" (without the space), "* /scale", "*". */
static bool plural_fits(struct str rule, const struct request *rq)
{
    ptrdiff_t  slash = str_find(rule, '/');
    struct str plural = slash >= 0 ? str_upto(rule, (size_t)slash) : rule;
    struct str sub = slash >= 0 ? str_from(rule, (size_t)slash + 1) : STR_NONE;

    if (str_is(rule, "*"))
        return true;
    if (slash < 0)
        return rq->subresource.n == 0 && str_eq(plural, rq->resource);
    return (str_is(plural, "*") || str_eq(plural, rq->resource)) &&
           (str_eq(sub, rq->subresource) || (str_is(sub, "*") && !str_is(plural, "*")));
}

static bool resources_fit(const struct resources *r, const struct request *rq)
{
    if (!str_eq(r->group, rq->group))
        return false;
    if (r->plurals.n == 0)
        return true;
    if (r->names.n > 0 && !has(r->names, rq->name))
        return false;
    for (size_t i = 0; i < r->plurals.n; i++)
        if (plural_fits(r->plurals.at[i], rq))
            return true;
    return false;
}

static bool is_about(const struct rule *r, const struct request *rq)
{
    if (r->namespaces.n > 0 || r->n_resources > 0) {
        bool any = r->n_resources == 0;

        for (size_t i = 0; !any && i < r->n_resources; i++)
            any = resources_fit(&r->resources[i], rq);
        return rq->is_resource && any && (r->namespaces.n == 0 || has(r->namespaces, rq->ns));
    }
    if (r->paths.n == 0)
        return true;
    for (size_t i = 0; !rq->is_resource && i < r->paths.n; i++) {
        struct str p = r->paths.at[i];

        if (str_eq(p, rq->path) || (str_ends(p, STR("*")) && str_starts(rq->path, str_upto(p, p.n - 1))))
            return true;
    }
    return false;
}

static bool in_groups(struct strings wanted, const struct exchange_user *user)
{
    for (size_t i = 0; user != NULL && i < user->n_groups; i++)
        if (has(wanted, user->groups[i]))
            return true;
    return false;
}

struct audit_verdict audit_policy_ask(const struct audit_policy *p, const struct request *rq,
                                      const struct exchange_user *user)
{
    for (size_t i = 0; i < p->n; i++) {
        const struct rule *r = &p->rules[i];

        if ((r->users.n == 0 || (user != NULL && has(r->users, user->name))) &&
            (r->groups.n == 0 || in_groups(r->groups, user)) &&
            (r->verbs.n == 0 || has(r->verbs, str_of(rq->verb_name))) && is_about(r, rq))
            return r->verdict;
    }
    return (struct audit_verdict){ AUDIT_NONE, 0, false };
}
