/* api/policy/type_check.c: a policy's expressions against the types of the kinds that its rules name: what
 * is told in its status.  Policies are stored whatever comes out. */
#include "api/policy/policy.h"
#include "api/policy/type_check.h"

#define TYPES_MAX 10                             /* kinds looked at, as in the original */

struct warnings {
    struct arena *a;
    const struct schema_kind *kind;              /* under which it is compiled now */
    const struct schema_kind *params;
    struct json *list;                           /* ExpressionWarnings */
};

/* One place is told once, with a line for each kind. */
static struct json *warning_at(struct warnings *w, struct str place)
{
    struct json *one;

    json_each(it, w->list)
        if (str_eq(json_str(json_getz(it, "fieldRef")), place))
            return it;
    one = json_push(w->list, json_object(w->a));
    json_setz(w->a, one, "fieldRef", json_string(w->a, place));
    return one;
}

static void on_mistake(void *arg, const struct at *at, struct str text, struct str why)
{
    struct warnings *w = arg;
    struct json     *one = warning_at(w, at_text(w->a, at));
    struct str       before = json_str(json_getz(one, "warning"));
    const char      *group = w->kind->group;

    (void)text;
    if (str_starts(why, STR(CEL_WHY_PREFIX)))
        why = str_from(why, strlen(CEL_WHY_PREFIX));
    json_setf(w->a, one, "warning", "%.*s%s%s%s, Kind=%s: %.*s\n", STR_ARG(before), group,
              *group != '\0' ? "/" : "", w->kind->version, w->kind->kind, STR_ARG(why));
}

static void check_kind(struct warnings *w, const struct json *spec)
{
    struct cel_types    types = { .arena = w->a };
    struct policy       p = { .name = STR_NONE };
    struct policy_types of = { cel_types_of(&types, w->kind->type),
                               w->params != NULL ? cel_types_of(&types, w->params->type) : NULL };

    policy_compile(&p, spec, &of, on_mistake, w);
    arena_release(&p.arena);
}

/* Each combination of a rule that is a built-in kind; wildcards name none. */
static void check_rule(struct warnings *w, const struct json *spec, const struct json *rule,
                       const struct schema_kind **seen, unsigned *n_seen)
{
    json_each(group, json_getz(rule, "apiGroups"))
        json_each(version, json_getz(rule, "apiVersions"))
            json_each(plural, json_getz(rule, "resources")) {
        const struct resource *r = resource_find(json_str(group), json_str(version), json_str(plural));
        bool                   again = r == NULL;
        for (unsigned i = 0; i < *n_seen && !again; i++)
            again = seen[i] == r->kind;
        if (again || *n_seen == TYPES_MAX)
            continue;
        seen[(*n_seen)++] = w->kind = r->kind;
        check_kind(w, spec);
            }
}

struct json *policy_type_check(const struct json *spec, struct arena *a)
{
    const struct schema_kind *seen[TYPES_MAX];
    struct warnings           w = { .a = a, .list = json_array(a) };
    struct json              *ret = json_object(a);
    unsigned                  n = 0;

    w.params = schema_kind_by_version(json_path_str(spec, "paramKind.apiVersion"),
                                      json_path_str(spec, "paramKind.kind"));
    json_each(rule, json_path(spec, "matchConstraints.resourceRules"))
        check_rule(&w, spec, rule, seen, &n);
    if (w.list->n > 0)
        json_setz(a, ret, "expressionWarnings", w.list);
    return ret;
}
