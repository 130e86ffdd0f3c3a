/* api/rbac/rbac.c: see api/rbac/rbac.h. */
#include "api/authn.h"
#include "api/rbac/rbac.h"
#include "net/map.h"
#include "net/slices.h"

struct role {                                    /* there as long as it exists or a binding names it */
    struct str key;                              /* "ns/name" */
    struct arena arena;                          /* of the rules */
    const struct rbac_rule *rules; size_t n_rules;
    unsigned bindings;
    bool exists;
};

struct binding {
    struct str key;                              /* "ns/name" */
    struct role *role;
    struct str *subjects; unsigned n;            /* keys of the map */
};

/* Who is bound where: all bindings of one subject in one namespace, or in the cluster. */
struct grants { struct binding **v; size_t n, cap; };

enum { ROLES, CLUSTER_ROLES, BINDINGS, CLUSTER_BINDINGS, FEEDS };

struct rbac {
    struct map roles, bindings;                  /* by key */
    struct map grants;                           /* subject key -> struct grants */
    struct mirror_feed *feed[FEEDS];
    struct loop *loop;
    struct qlink waiting;                        /* queries */
    struct ready_item look_again;
    bool held;
};

/* ---- Keys ------------------------------------------------------------------------------------------ */

/* 'u' or 'g', the namespace, and behind a byte that no namespace has the name. */
static size_t subject_write(char *p, char kind, struct str name, struct str ns)
{
    size_t n = 0;

    p[n++] = kind;
    if (ns.n > 0)
        memcpy(p + n, ns.p, ns.n);
    n += ns.n;
    p[n++] = '\0';
    if (name.n > 0)
        memcpy(p + n, name.p, name.n);
    return n + name.n;
}

static struct str subject_key(struct arena *a, char kind, struct str name, struct str ns)
{
    char *p = arena_alloc(a, name.n + ns.n + 2);

    return str_make(p, subject_write(p, kind, name, ns));
}

static struct str object_key(struct arena *a, struct str ns, struct str name)
{
    return arena_join(a, (const struct str[]){ ns, STR("/"), name }, 3);
}

static struct str str_keep(struct str s) { return str_make(mem_strndup(s), s.n); }
static void str_drop(struct str s) { mem_free((char *)s.p); }

static struct str key_ns(struct str key) { return str_upto(key, (size_t)str_find(key, '/')); }
static struct str key_name(struct str key) { return str_from(key, (size_t)str_find(key, '/') + 1); }

/* ---- Roles ----------------------------------------------------------------------------------------- */

static struct role *role_get(struct rbac *r, struct str key)
{
    struct role *role = map_get(&r->roles, key);

    if (role != NULL)
        return role;
    role = mem_new(struct role);
    role->key = str_keep(key);
    map_put(&r->roles, key, role);
    return role;
}

static void role_free(struct role *role)
{
    arena_release(&role->arena);
    str_drop(role->key);
    mem_free(role);
}

static void role_maybe_free(struct rbac *r, struct role *role)
{
    if (role->exists || role->bindings > 0)
        return;
    map_del(&r->roles, role->key);
    role_free(role);
}

static void role_set(struct role *role, const struct json *obj)
{
    arena_release(&role->arena);
    role->rules = NULL;
    role->n_rules = 0;
    role->exists = obj != NULL;
    if (obj != NULL)
        role->rules = rules_compile(&role->arena, json_getz(obj, "rules"), &role->n_rules);
}

static void on_role(void *arg, const struct mirror_event *ev)
{
    struct rbac *r = arg;
    struct arena a = ARENA_INIT;
    struct str   key = object_key(&a, ev->ns, ev->name);
    struct json *obj = ev->what == MIRROR_PUT ? mirror_json(ev, &a) : NULL;
    struct role *role = role_get(r, key);

    role_set(role, obj);
    role_maybe_free(r, role);
    arena_release(&a);
}

/* ---- Bindings -------------------------------------------------------------------------------------- */

static void grant_add(struct rbac *r, struct str subject, struct binding *b)
{
    struct grants *g = map_get(&r->grants, subject);

    if (g == NULL) {
        g = mem_new(struct grants);
        map_put(&r->grants, subject, g);
    }
    if (g->n == g->cap) {
        g->cap = g->cap * 2 + 2;
        g->v = mem_realloc(g->v, g->cap * sizeof(struct binding *));
    }
    g->v[g->n++] = b;
}

static void grant_remove(struct rbac *r, struct str subject, const struct binding *b)
{
    struct grants *g = map_get(&r->grants, subject);
    size_t         at = 0;

    must(g != NULL);
    while (g->v[at] != b) {
        at++;
        must(at < g->n);
    }
    memmove(g->v + at, g->v + at + 1, (--g->n - at) * sizeof(struct binding *));
    if (g->n > 0)
        return;
    map_del(&r->grants, subject);
    mem_free(g->v);
    mem_free(g);
}

/* The key of a subject as users and groups bear it; false: one that nobody is. */
static bool subject_of(struct arena *a, const struct json *in, struct str ns, struct str *ret)
{
    struct str kind = json_str(json_getz(in, "kind")), name = json_str(json_getz(in, "name"));
    struct str account_ns = json_str(json_getz(in, "namespace"));

    if (str_is(kind, "User"))
        *ret = subject_key(a, 'u', name, ns);
    else if (str_is(kind, "Group"))
        *ret = subject_key(a, 'g', name, ns);
    else if (str_is(kind, "ServiceAccount") && (account_ns.n > 0 || ns.n > 0))
        *ret = subject_key(a, 'u', arena_fmt(a, ACCOUNT_PREFIX "%.*s:%.*s",
                                             STR_ARG(account_ns.n > 0 ? account_ns : ns), STR_ARG(name)), ns);
    else
        return false;
    return name.n > 0;
}

static void binding_free(struct rbac *r, struct binding *b)
{
    for (unsigned i = 0; i < b->n; i++) {
        grant_remove(r, b->subjects[i], b);
        str_drop(b->subjects[i]);
    }
    must(b->role->bindings > 0);
    b->role->bindings--;
    role_maybe_free(r, b->role);
    str_drop(b->key);
    mem_free(b->subjects);
    mem_free(b);
}

static void binding_put(struct rbac *r, struct arena *a, struct str key, struct str ns,
                        const struct json *obj)
{
    const struct json *ref = json_getz(obj, "roleRef"), *list = json_getz(obj, "subjects");
    bool               cluster = str_is(json_str(json_getz(ref, "kind")), "ClusterRole");
    struct binding    *b = mem_new(struct binding);
    struct str         subject;

    b->key = str_keep(key);
    b->role = role_get(r, object_key(a, cluster ? STR_NONE : ns, json_str(json_getz(ref, "name"))));
    b->role->bindings++;
    b->subjects = mem_alloc((json_is(list, JSON_ARRAY) ? list->n : 0) * sizeof(struct str) + 1);
    if (json_is(list, JSON_ARRAY))
        json_each(it, list)
            if (subject_of(a, it, ns, &subject)) {
                b->subjects[b->n++] = str_keep(subject);
                grant_add(r, subject, b);
            }
    map_put(&r->bindings, key, b);
}

static void on_binding(void *arg, const struct mirror_event *ev)
{
    struct rbac    *r = arg;
    struct arena    a = ARENA_INIT;
    struct str      key = object_key(&a, ev->ns, ev->name);
    struct binding *old = map_del(&r->bindings, key);
    struct json    *obj = ev->what == MIRROR_PUT ? mirror_json(ev, &a) : NULL;

    if (old != NULL)
        binding_free(r, old);
    if (obj != NULL)
        binding_put(r, &a, key, ev->ns, obj);
    arena_release(&a);
}

/* ---- Decisions ------------------------------------------------------------------------------------- */

/* One who asks, as bindings may name it, and where it asks. */
struct walk {
    struct rbac *r;
    struct arena *a;
    const struct exchange_user *user;
    struct str   ns;
    unsigned     at;                             /* 0: the user; then its groups; then the same again in ns */
    const struct grants *grants;                 /* of the one at hand */
    size_t       next;
};

static void walk_start(struct walk *w, struct rbac *r, struct arena *a, const struct exchange_user *u,
                       struct str ns)
{
    *w = (struct walk){ .r = r, .a = a, .user = u, .ns = ns };
}

/* The map's entry for one subject; its key is put together without allocation, where it is not long. */
static const struct grants *grants_of(struct walk *w, char kind, struct str name, struct str ns)
{
    char buf[320];

    if (name.n + ns.n + 2 > sizeof(buf))
        return map_get(&w->r->grants, subject_key(w->a, kind, name, ns));
    return map_get(&w->r->grants, str_make(buf, subject_write(buf, kind, name, ns)));
}

/* The next binding that is about this user; NULL: no more.  Cluster bindings come first. */
static struct binding *walk_next(struct walk *w)
{
    unsigned n = (unsigned)w->user->n_groups + 1, all = w->ns.n > 0 ? 2 * n : n;

    while (w->grants == NULL || w->next == w->grants->n) {
        struct str ns = w->at < n ? STR_NONE : w->ns;
        unsigned   who = w->at % n;

        if (w->at == all)
            return NULL;
        w->at++;
        w->next = 0;
        w->grants = who == 0 ? grants_of(w, 'u', w->user->name, ns)
                             : grants_of(w, 'g', w->user->groups[who - 1], ns);
    }
    return w->grants->v[w->next++];
}

static bool role_allows(const struct role *role, const struct rbac_ask *ask)
{
    for (size_t i = 0; i < role->n_rules; i++)
        if (rule_allows(&role->rules[i], ask))
            return true;
    return false;
}

static struct str role_missing_text(struct arena *a, const struct role *role)
{
    struct str ns = key_ns(role->key), name = key_name(role->key);

    return arena_fmt(a, "%s.%s \"%.*s\" not found", ns.n > 0 ? "role" : "clusterrole", RBAC_GROUP,
                     STR_ARG(name));
}

/* `RBAC: allowed by RoleBinding "b/ns" of Role "r" to User "u"` */
static struct str why_allowed(const struct walk *w, const struct binding *b)
{
    struct str  ns = key_ns(b->key), name = key_name(b->key), role_ns = key_ns(b->role->key);
    struct str  account_ns, account, who;
    unsigned    n = (unsigned)w->user->n_groups + 1, at = (w->at - 1) % n;

    if (at > 0)
        who = arena_fmt(w->a, "Group \"%.*s\"", STR_ARG(w->user->groups[at - 1]));
    else if (authn_account_of(w->user->name, &account_ns, &account))
        who = arena_fmt(w->a, "ServiceAccount \"%.*s/%.*s\"", STR_ARG(account), STR_ARG(account_ns));
    else
        who = arena_fmt(w->a, "User \"%.*s\"", STR_ARG(w->user->name));
    return arena_fmt(w->a, "RBAC: allowed by %s \"%.*s%s%.*s\" of %s \"%.*s\" to %.*s",
                     ns.n > 0 ? "RoleBinding" : "ClusterRoleBinding", STR_ARG(name), ns.n > 0 ? "/" : "",
                     STR_ARG(ns), role_ns.n > 0 ? "Role" : "ClusterRole", STR_ARG(key_name(b->role->key)),
                     STR_ARG(who));
}

static bool decide(struct rbac *r, struct authz_query *q)
{
    struct rbac_ask ask;
    struct walk     w;
    struct binding *b;
    struct buf      missing = BUF_INIT;
    unsigned        n_missing = 0;

    rule_ask_init(&ask, q->arena, &q->attr);
    walk_start(&w, r, q->arena, q->attr.user, q->attr.is_resource ? q->attr.ns : STR_NONE);
    while ((b = walk_next(&w)) != NULL)
        if (role_allows(b->role, &ask)) {
            q->decision = AUTHZ_ALLOW;
            q->reason = q->want_reason ? why_allowed(&w, b) : STR_NONE;
            break;
        } else if (!b->role->exists) {
            buf_fmt(&missing, "%s%s", n_missing++ > 0 ? ", " : "", role_missing_text(q->arena, b->role).p);
        }
    if (b == NULL && n_missing > 0) {
        const char *form = n_missing > 1 ? "[%.*s]" : "%.*s";
        struct str  list = arena_fmt(q->arena, form, STR_ARG(buf_str(&missing)));

        q->reason = arena_fmt(q->arena, "RBAC: %.*s", STR_ARG(list));
    }
    buf_release(&missing);
    return b != NULL;
}

bool rbac_ask(void *state, struct authz_query *q)
{
    struct rbac *r = state;

    if (decide(r, q) || !r->held)
        return true;
    qpush(&r->waiting, &q->link);
    return false;
}

void rbac_cancel(void *state, struct authz_query *q)
{
    (void)state;
    qdel(&q->link);
}

struct rbac_held rbac_rules_of(struct rbac *r, struct arena *a, const struct exchange_user *u, struct str ns,
                               struct buf *errors)
{
    const struct rbac_rule **v = NULL;
    size_t                   n = 0;
    struct walk              w;
    struct binding          *b;

    walk_start(&w, r, a, u, ns);
    while ((b = walk_next(&w)) != NULL)
        n += b->role->n_rules;
    v = arena_alloc(a, (n + 1) * sizeof(*v));
    n = 0;
    walk_start(&w, r, a, u, ns);
    while ((b = walk_next(&w)) != NULL) {
        for (size_t i = 0; i < b->role->n_rules; i++)
            v[n++] = &b->role->rules[i];
        if (!b->role->exists)
            buf_fmt(errors, "%s%s", errors->n > 0 ? "; " : "", role_missing_text(a, b->role).p);
    }
    return (struct rbac_held){ v, n };
}

bool rbac_role(struct rbac *r, struct str ns, struct str name, const struct rbac_rule **ret, size_t *ret_n)
{
    struct arena a = ARENA_INIT;
    struct role *role = map_get(&r->roles, object_key(&a, ns, name));

    arena_release(&a);
    if (role == NULL || !role->exists)
        return false;
    *ret = role->rules;
    *ret_n = role->n_rules;
    return true;
}

/* ---- Held ------------------------------------------------------------------------------------------ */

void rbac_hold(struct rbac *r) { r->held = true; }

static void on_look_again(struct ready_item *it)
{
    struct rbac *r = container_of(it, struct rbac, look_again);
    struct qlink batch;

    for (unsigned i = 0; i < FEEDS; i++)
        if (!mirror_current(r->feed[i])) {       /* what was just made is not all known here yet */
            ready_post(r->loop, &r->look_again);
            return;
        }
    r->held = false;
    qmove(&r->waiting, &batch);
    while (!qempty(&batch)) {
        struct authz_query *q = qentry(qpop(&batch), struct authz_query, link);

        decide(r, q);
        authz_answered(q);
    }
}

void rbac_release(struct rbac *r)
{
    if (r->held)
        ready_post(r->loop, &r->look_again);
}

/* ---- Life ------------------------------------------------------------------------------------------ */

static struct mirror_feed *follow(struct rbac *r, struct mirror *m, const char *plural,
                                  void (*on_event)(void *arg, const struct mirror_event *ev))
{
    const struct resource *res = resource_find(STR(RBAC_GROUP), STR("v1"), str_of(plural));
    struct mirror_opts     o = { .res = res, .vital = true, .on_event = on_event, .arg = r };

    must(res != NULL);
    return mirror_follow(m, &o);
}

struct rbac *rbac_new(struct mirror *m)
{
    struct rbac *r = mem_new(struct rbac);

    r->loop = mirror_loop(m);
    qinit(&r->waiting);
    ready_init(&r->look_again, on_look_again);
    r->feed[ROLES] = follow(r, m, "roles", on_role);
    r->feed[CLUSTER_ROLES] = follow(r, m, "clusterroles", on_role);
    r->feed[BINDINGS] = follow(r, m, "rolebindings", on_binding);
    r->feed[CLUSTER_BINDINGS] = follow(r, m, "clusterrolebindings", on_binding);
    return r;
}

void rbac_free(struct rbac *r)
{
    struct str key;
    void      *val;

    if (r == NULL)
        return;
    must(qempty(&r->waiting));
    ready_cancel(&r->look_again);
    for (unsigned i = 0; i < FEEDS; i++)
        mirror_unfollow(r->feed[i]);
    for (size_t i = 0; map_next(&r->bindings, &i, &key, &val);) {
        struct binding *b = val;

        for (unsigned k = 0; k < b->n; k++)
            str_drop(b->subjects[k]);
        str_drop(b->key);
        mem_free(b->subjects);
        mem_free(b);
    }
    for (size_t i = 0; map_next(&r->grants, &i, &key, &val);) {
        mem_free(((struct grants *)val)->v);
        mem_free(val);
    }
    for (size_t i = 0; map_next(&r->roles, &i, &key, &val);)
        role_free(val);
    map_release(&r->bindings);
    map_release(&r->grants);
    map_release(&r->roles);
    mem_free(r);
}
