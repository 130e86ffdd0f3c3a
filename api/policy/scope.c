/* api/policy/scope.c: see api/policy/scope.h. */
#include "api/call.h"
#include "api/crd/custom.h"
#include "api/policy/scope.h"

const char *scope_operation(const struct admission *a)
{
    switch (a->op) {
    case ADMIT_CREATE: return "CREATE";
    case ADMIT_UPDATE: return "UPDATE";
    case ADMIT_DELETE: return "DELETE";
    default:           return "CONNECT";
    }
}

int scope_read(struct scope *ret, const struct json *from, const char *rules, struct arena *a,
               struct errbuf *err)
{
    const struct json *namespaces = json_getz(from, "namespaceSelector"),
                      *objects = json_getz(from, "objectSelector");
    int                rc = 0;

    *ret = (struct scope){ json_getz(from, rules), json_getz(from, "excludeResourceRules"),
                           SELECTOR_EVERYTHING, SELECTOR_EVERYTHING,
                           str_is(json_str(json_getz(from, "matchPolicy")), "Exact") };
    if (namespaces != NULL)
        rc = selector_from_json(a, namespaces, &ret->namespaces, err);
    if (rc == 0 && objects != NULL)
        rc = selector_from_json(a, objects, &ret->objects, err);
    return rc;
}

/* ---- Rules ------------------------------------------------------------------------------------------ */

/* No list: anything. */
static bool lists(const struct json *list, struct str what)
{
    json_each(it, list)
        if (str_is(json_str(it), "*") || str_eq(json_str(it), what))
            return true;
    return false;
}

/* "pods", "pods/status", any subresource of pods, a subresource of anything; "*" alone has none. */
static bool fits_resource(struct str pattern, struct str plural, struct str sub)
{
    ptrdiff_t  slash = str_find(pattern, '/');
    struct str of = slash < 0 ? pattern : str_upto(pattern, (size_t)slash);
    struct str part = slash < 0 ? STR("") : str_from(pattern, (size_t)slash + 1);

    if (!str_is(of, "*") && !str_eq(of, plural))
        return false;
    return slash < 0 ? sub.n == 0 : str_is(part, "*") || str_eq(part, sub);
}

static bool fits_resources(const struct json *list, const struct admission *a)
{
    struct str sub = str_of(a->k->sub != NULL ? a->k->sub->name : "");

    json_each(it, list)
        if (fits_resource(json_str(it), str_of(a->k->asked->plural), sub))
            return true;
    return false;
}

/* As the client wrote it, or, unless only that counts, as any other face of the same data. */
static bool fits_version(const struct json *rule, const struct admission *a, bool exact)
{
    const struct resource *asked = a->k->asked, *base = a->k->res;
    const struct json     *groups = json_getz(rule, "apiGroups"), *versions = json_getz(rule, "apiVersions");

    if (lists(groups, str_of(asked->kind->group)) && lists(versions, str_of(asked->kind->version)))
        return true;
    if (exact)
        return false;
    if (resource_is_custom(asked)) {
        const struct custom *cu = custom_of(asked)->of;
        for (unsigned i = 0; i < cu->n; i++)
            if (cu->version[i].served && lists(groups, cu->group) &&
                lists(versions, str_of(cu->version[i].kind.version)))
                return true;
        return false;
    }
    for (unsigned i = 0; i < schema_n_resources; i++) {
        const struct resource *r = &schema_resources[i];
        if ((r == base || r->stored_as == base) && lists(groups, str_of(r->kind->group)) &&
            lists(versions, str_of(r->kind->version)))
            return true;
    }
    return false;
}

static bool fits_scope(struct str scope, const struct admission *a)
{
    if (scope.n == 0 || str_is(scope, "*"))
        return true;
    return str_is(scope, "Namespaced") == a->k->asked->namespaced;
}

static bool fits_name(const struct json *names, const struct admission *a)
{
    if (names == NULL || names->n == 0)
        return true;
    json_each(it, names)
        if (str_eq(json_str(it), a->k->name))
            return true;
    return false;
}

static bool any_fits(const struct json *rules, const struct admission *a, bool exact)
{
    json_each(rule, rules) if (lists(json_getz(rule, "operations"), str_of(scope_operation(a))) &&
                               fits_resources(json_getz(rule, "resources"), a) &&
                               fits_version(rule, a, exact) &&
                               fits_scope(json_str(json_getz(rule, "scope")), a) &&
                               fits_name(json_getz(rule, "resourceNames"), a)) return true;
    return false;
}

/* ---- Selectors -------------------------------------------------------------------------------------- */

static bool fits_namespace(const struct scope *s, struct admission *a)
{
    const struct json *ns;

    if (selector_is_everything(&s->namespaces))
        return true;
    if (admit_is(a, "", "namespaces", "")) {
        ns = a->obj != NULL ? a->obj : admit_old(a);
    } else if (a->k->ns.n == 0) {
        return true;                             /* cluster-wide objects are in none to be left out for */
    } else {
        ns = kind_lookup(a->k, "", "v1", "namespaces", STR_NONE, a->k->ns);
    }
    return selector_matches(&s->namespaces, json_path(ns, "metadata.labels"));
}

static bool fits_object(const struct scope *s, struct admission *a)
{
    const struct json *old;

    if (selector_is_everything(&s->objects))
        return true;
    if (a->obj != NULL && selector_matches(&s->objects, json_path(a->obj, "metadata.labels")))
        return true;
    old = a->op == ADMIT_UPDATE || a->op == ADMIT_DELETE ? admit_old(a) : NULL;
    return old != NULL && selector_matches(&s->objects, json_path(old, "metadata.labels"));
}

bool scope_covers(const struct scope *s, struct admission *a)
{
    if (s->rules != NULL && !any_fits(s->rules, a, s->exact))
        return false;
    if (s->excluded != NULL && any_fits(s->excluded, a, s->exact))
        return false;
    return fits_object(s, a) && fits_namespace(s, a);
}
