/* api/rbac/rule.c: see api/rbac/rule.h. */
#include "api/rbac/rule.h"

#define MISSING_MAX  1000                        /* told of one role: it is refused for the first */
#define COMPARES_MAX 20000000                    /* of one role; what takes more counts as not held */

static const char *const known_verbs[] = {
    "get", "list", "watch", "create", "update", "patch", "delete", "deletecollection", "impersonate", "bind",
    "escalate", "approve", "sign", "use",
};

static uint32_t verb_bit(struct str verb)
{
    for (unsigned i = 0; i < ARRAY_LEN(known_verbs); i++)
        if (str_is(verb, known_verbs[i]))
            return 1u << i;
    return str_is(verb, "*") ? RULE_ANY : RULE_OTHER;
}

static bool has(struct rbac_list l, struct str what)
{
    for (unsigned i = 0; i < l.n; i++)
        if (str_eq(l.v[i], what))
            return true;
    return false;
}

/* ---- Compiling ------------------------------------------------------------------------------------ */

static struct rbac_list list_of(struct arena *a, const struct json *in)
{
    struct str *v;
    unsigned    n = 0;

    if (!json_is(in, JSON_ARRAY) || in->n == 0)
        return (struct rbac_list){ NULL, 0 };
    v = arena_alloc(a, in->n * sizeof(*v));
    json_each(it, in)
        v[n++] = arena_str(a, json_str(it));
    return (struct rbac_list){ v, n };
}

static void work_out(struct rbac_rule *r)
{
    r->verb_bits = 0;
    for (unsigned i = 0; i < r->verbs.n; i++)
        r->verb_bits |= verb_bit(r->verbs.v[i]);
    r->any_group = has(r->groups, STR("*"));
    r->any_resource = has(r->resources, STR("*"));
}

struct rbac_rule *rules_compile(struct arena *a, const struct json *rules, size_t *ret_n)
{
    struct rbac_rule *v;
    size_t            n = 0;

    *ret_n = 0;
    if (!json_is(rules, JSON_ARRAY) || rules->n == 0)
        return NULL;
    v = arena_zalloc(a, rules->n * sizeof(*v));
    json_each(it, rules) {
        struct rbac_rule *r = &v[n];

        if (it->type != JSON_OBJECT)
            continue;
        r->verbs = list_of(a, json_getz(it, "verbs"));
        r->groups = list_of(a, json_getz(it, "apiGroups"));
        r->resources = list_of(a, json_getz(it, "resources"));
        r->names = list_of(a, json_getz(it, "resourceNames"));
        r->urls = list_of(a, json_getz(it, "nonResourceURLs"));
        work_out(r);
        n++;
    }
    *ret_n = n;
    return v;
}

/* ---- Matching ------------------------------------------------------------------------------------- */

void rule_ask_init(struct rbac_ask *ask, struct arena *a, const struct authz_attr *attr)
{
    size_t n = attr->resource.n, m = attr->subresource.n;

    ask->attr = attr;
    ask->verb_bit = verb_bit(str_of(attr->verb));
    ask->combined = attr->resource;
    if (m == 0 || !attr->is_resource)
        return;
    if (n + 1 + m <= sizeof(ask->text)) {
        memcpy(ask->text, attr->resource.p, n);
        ask->text[n] = '/';
        memcpy(ask->text + n + 1, attr->subresource.p, m);
        ask->combined = str_make(ask->text, n + 1 + m);
    } else {
        ask->combined = arena_join(a, (const struct str[]){ attr->resource, STR("/"), attr->subresource }, 3);
    }
}

static bool verb_fits(const struct rbac_rule *r, uint32_t bit, struct str verb)
{
    if ((r->verb_bits & (bit | RULE_ANY)) == 0)
        return false;
    if ((r->verb_bits & RULE_ANY) != 0 || (bit & (RULE_OTHER | RULE_ANY)) == 0)
        return true;
    return has(r->verbs, verb);
}

/* "pods", "pods/log", any resource's "log", or all. */
static bool resource_fits(const struct rbac_rule *r, struct str combined, struct str sub)
{
    if (r->any_resource)
        return true;
    for (unsigned i = 0; i < r->resources.n; i++) {
        struct str one = r->resources.v[i];

        if (str_eq(one, combined))
            return true;
        if (sub.n > 0 && one.n == sub.n + 2 && str_starts(one, STR("*/")) && str_ends(one, sub))
            return true;
    }
    return false;
}

static bool url_fits(const struct rbac_rule *r, struct str path)
{
    for (unsigned i = 0; i < r->urls.n; i++) {
        struct str one = r->urls.v[i];

        if (str_eq(one, path))
            return true;
        if (one.n > 0 && one.p[one.n - 1] == '*' && str_starts(path, str_upto(one, one.n - 1)))
            return true;
    }
    return false;
}

bool rule_allows(const struct rbac_rule *r, const struct rbac_ask *ask)
{
    const struct authz_attr *t = ask->attr;

    if (!verb_fits(r, ask->verb_bit, str_of(t->verb)))
        return false;
    if (!t->is_resource)
        return url_fits(r, t->path);
    return (r->any_group || has(r->groups, t->group)) &&
        resource_fits(r, ask->combined, t->subresource) && (r->names.n == 0 || has(r->names, t->name));
}

/* ---- Covering ------------------------------------------------------------------------------------- */

/* Everything a simple rule allows: one group, resource and name, or one URL. */
struct simple { struct str group, resource, name, url; bool is_url, named; };

static bool covers(const struct rbac_rule *held, const struct simple *s, struct str verb)
{
    ptrdiff_t  slash = str_find(s->resource, '/');
    struct str sub = slash < 0 ? STR_NONE : str_from(s->resource, (size_t)slash + 1);

    if (!verb_fits(held, verb_bit(verb), verb))
        return false;
    if (s->is_url)
        return url_fits(held, s->url);
    if (!held->any_group && !has(held->groups, s->group))
        return false;
    if (!resource_fits(held, s->resource, sub))
        return false;
    return held->names.n == 0 || (s->named && has(held->names, s->name));
}

static struct rbac_list one_of(struct arena *a, struct str s)
{
    struct str *v = arena_new(a, struct str);

    *v = s;
    return (struct rbac_list){ v, 1 };
}

struct missing {
    struct arena *a;
    struct rbac_held held;
    struct rbac_rule *v; size_t n, cap;
    uint64_t compares;
};

/* Verbs of one simple rule that nobody allows. */
static void check_simple(struct missing *m, const struct rbac_rule *want, const struct simple *s)
{
    struct str      *verbs = NULL;
    struct rbac_rule r = { .verbs.n = 0 };

    for (unsigned i = 0; i < want->verbs.n; i++) {
        bool held = false;

        for (size_t k = 0; k < m->held.n && !held && m->compares < COMPARES_MAX; k++, m->compares++)
            held = covers(m->held.v[k], s, want->verbs.v[i]);
        if (held)
            continue;
        if (verbs == NULL)
            verbs = arena_alloc(m->a, want->verbs.n * sizeof(*verbs));
        verbs[r.verbs.n++] = want->verbs.v[i];
    }
    if (verbs == NULL)
        return;
    if (m->n == m->cap) {
        struct rbac_rule *more = arena_alloc(m->a, (m->cap * 2 + 16) * sizeof(*more));

        if (m->n > 0)
            memcpy(more, m->v, m->n * sizeof(*more));
        m->v = more;
        m->cap = m->cap * 2 + 16;
    }
    r.verbs.v = verbs;
    if (s->is_url) {
        r.urls = one_of(m->a, s->url);
    } else {
        r.groups = one_of(m->a, s->group);
        r.resources = one_of(m->a, s->resource);
        if (s->named)
            r.names = one_of(m->a, s->name);
    }
    work_out(&r);
    m->v[m->n++] = r;
}

static void check_resource(struct missing *m, const struct rbac_rule *want, struct simple *s)
{
    s->named = want->names.n > 0;
    if (!s->named)
        check_simple(m, want, s);
    for (unsigned i = 0; i < want->names.n && m->n < MISSING_MAX; i++) {
        s->name = want->names.v[i];
        check_simple(m, want, s);
    }
}

size_t rules_missing(struct arena *a, struct rbac_held held, const struct rbac_rule *want, size_t n_want,
                     struct rbac_rule **ret)
{
    struct missing m = { .a = a, .held = held };

    for (size_t w = 0; w < n_want; w++) {
        const struct rbac_rule *r = &want[w];

        for (unsigned g = 0; g < r->groups.n; g++)
            for (unsigned k = 0; k < r->resources.n && m.n < MISSING_MAX; k++)
                check_resource(&m, r, &(struct simple){ .group = r->groups.v[g],
                                                        .resource = r->resources.v[k] });
        for (unsigned u = 0; u < r->urls.n && m.n < MISSING_MAX; u++)
            check_simple(&m, r, &(struct simple){ .url = r->urls.v[u], .is_url = true });
    }
    *ret = m.v;
    return m.n;
}

/* ---- For people ----------------------------------------------------------------------------------- */

static void list_text(struct buf *out, const char *name, struct rbac_list l, bool *any)
{
    if (l.n == 0)
        return;
    buf_fmt(out, "%s%s:[", *any ? ", " : "", name);
    for (unsigned i = 0; i < l.n; i++) {
        if (i > 0)
            buf_char(out, ' ');
        json_write_string(out, l.v[i]);
    }
    buf_char(out, ']');
    *any = true;
}

void rule_text(struct buf *out, const struct rbac_rule *r)
{
    bool any = false;

    buf_char(out, '{');
    list_text(out, "APIGroups", r->groups, &any);
    list_text(out, "Resources", r->resources, &any);
    list_text(out, "NonResourceURLs", r->urls, &any);
    list_text(out, "ResourceNames", r->names, &any);
    list_text(out, "Verbs", r->verbs, &any);
    buf_char(out, '}');
}

static void list_json(struct arena *a, struct json *in, const char *key, struct rbac_list l)
{
    struct json *list;

    if (l.n == 0)
        return;
    list = json_setz(a, in, key, json_array(a));
    for (unsigned i = 0; i < l.n; i++)
        json_push(list, json_string(a, l.v[i]));
}

struct json *rule_json(struct arena *a, const struct rbac_rule *r)
{
    struct json *o = json_object(a);

    list_json(a, o, "verbs", r->verbs);
    list_json(a, o, "apiGroups", r->groups);
    list_json(a, o, "resources", r->resources);
    list_json(a, o, "resourceNames", r->names);
    list_json(a, o, "nonResourceURLs", r->urls);
    return o;
}
