/* api/admit/pod_security.c: PodSecurity: the labels of a namespace say which of the Pod Security Standards
 * its pods must meet (enforce), or are told of (warn, audit); what makes pods is told of early.
 *
 * Exemptions and the defaults of namespaces that say nothing come from the configuration. */
#include "api/admit/plugin.h"
#include "api/admit/pod_standards.h"
#include "api/kinds/kinds_impl.h"

#define PREFIX     "pod-security.kubernetes.io/"
#define LEVELS_TEXT "must be one of privileged, baseline, restricted"
#define PODS_MAX   200                           /* of a namespace, looked at when it becomes stricter */
#define GROUPS_MAX 32                            /* different sets of reasons, told of then */

enum mode { ENFORCE, AUDIT, WARN };
#define MODES 3
static const char *const mode_names[MODES] = { "enforce", "audit", "warn" };
static const char *const level_names[] = { "privileged", "baseline", "restricted" };

struct policy { enum pod_level level; uint32_t version; };

struct security {
    struct policy defaults[MODES];
    bool lax;                                    /* by default everything goes, and nobody is told */
    const struct json *users, *namespaces, *runtime_classes;      /* exempt */
};

/* ---- Levels and versions --------------------------------------------------------------------- */

static bool read_level(struct str s, enum pod_level *ret)
{
    for (unsigned i = 0; i < ARRAY_LEN(level_names); i++)
        if (str_is(s, level_names[i])) {
            *ret = (enum pod_level)i;
            return true;
        }
    return false;
}

static bool read_version(struct str s, uint32_t *ret)
{
    uint64_t minor;

    *ret = POD_VERSION_LATEST;
    if (str_is(s, "latest"))
        return true;
    if (!str_starts(s, STR("v1.")) || !str_u64(str_from(s, 3), &minor) || minor >= POD_VERSION_LATEST)
        return false;
    *ret = (uint32_t)minor;
    return true;
}

static struct str policy_text(struct arena *a, struct policy p)
{
    if (p.version == POD_VERSION_LATEST)
        return arena_fmt(a, "%s:latest", level_names[p.level]);
    return arena_fmt(a, "%s:v1.%u", level_names[p.level], p.version);
}

/* What a namespace's labels say; what they say wrongly is taken for the strictest, and told as causes. */
static void read_policies(const struct security *s, const struct json *ns, struct arena *a,
                          struct policy ret[MODES], struct causes *causes)
{
    const struct json *labels = json_path(ns, "metadata.labels");
    struct at          meta = AT_KEY(NULL, "metadata"), at = AT_KEY(&meta, "labels");

    for (unsigned i = 0; i < MODES; i++) {
        struct str key = arena_fmt(a, PREFIX "%s", mode_names[i]);
        struct str version_key = arena_fmt(a, PREFIX "%s-version", mode_names[i]);
        const struct json *level = json_get(labels, key), *version = json_get(labels, version_key);
        struct at  at_level = AT_MAP(&at, key), at_version = AT_MAP(&at, version_key);

        ret[i] = s->defaults[i];
        if (level != NULL && !read_level(json_str(level), &ret[i].level)) {
            ret[i].level = POD_RESTRICTED;
            cause_invalid(causes, &at_level, json_str(level), LEVELS_TEXT);
        }
        if (version != NULL && !read_version(json_str(version), &ret[i].version))
            cause_invalid(causes, &at_version, json_str(version), "must be \"latest\" or \"v1.x\"");
    }
}

static bool says_something(struct blob *ns)
{
    return memmem(ns->data, ns->len, PREFIX, sizeof(PREFIX) - 1) != NULL;
}

/* False: the namespace says nothing, and by default everything goes.  Most are like that: they aren't even
 * parsed. */
static bool namespace_policies(struct admission *a, struct policy ret[MODES])
{
    const struct security *s = admit_state(a);
    const struct resource *r = resource_find(STR(""), STR("v1"), STR("namespaces"));
    const struct json     *ns = NULL;
    struct causes          causes;
    struct store_kv        kv;

    if (store_get(a->k->view, kind_object_key(a->k->arena, r, STR_NONE, a->k->ns), &kv) &&
        says_something(kv.value))
        ns = kind_lookup(a->k, "", "v1", "namespaces", STR_NONE, a->k->ns);
    else if (s->lax)
        return false;
    causes_init(&causes, a->k->arena);
    read_policies(s, ns, a->k->arena, ret, &causes);
    return true;
}

static bool is_exempt(const struct admission *a, const struct json *spec)
{
    const struct security *s = admit_state(a);
    struct str             class = json_str(json_getz(spec, "runtimeClassName"));

    return list_has(s->namespaces, a->k->ns) || list_has(s->users, a->k->user->name) ||
           (class.n > 0 && list_has(s->runtime_classes, class));
}

/* ---- Pods and what makes them ---------------------------------------------------------------- */

static struct str would_violate(struct admission *a, struct policy p, const struct pod_verdict *v)
{
    return arena_fmt(a->k->arena, "would violate PodSecurity \"%.*s\": %.*s",
                     STR_ARG(policy_text(a->k->arena, p)), STR_ARG(v->details));
}

static void check(struct admission *a, const struct json *meta, const struct json *spec, bool enforce)
{
    struct policy      policy[MODES];
    struct pod_verdict v;

    if (is_exempt(a, spec) || !namespace_policies(a, policy))
        return;
    if (enforce) {
        admit_note(a, PREFIX "enforce-policy", policy_text(a->k->arena, policy[ENFORCE]));
        v = pod_standards_check(a->k->arena, policy[ENFORCE].level, policy[ENFORCE].version, meta, spec);
        if (v.n > 0)
            admit_refuse(a, "violates PodSecurity \"%.*s\": %.*s",
                         STR_ARG(policy_text(a->k->arena, policy[ENFORCE])), STR_ARG(v.details));
    }
    v = pod_standards_check(a->k->arena, policy[AUDIT].level, policy[AUDIT].version, meta, spec);
    if (v.n > 0)
        admit_note(a, PREFIX "audit-violations", would_violate(a, policy[AUDIT], &v));
    if (a->k->refused != 0)
        return;
    v = pod_standards_check(a->k->arena, policy[WARN].level, policy[WARN].version, meta, spec);
    if (v.n > 0)
        kind_warn(a->k, "%.*s", STR_ARG(would_violate(a, policy[WARN], &v)));
}

/* Images may change, and containers for debugging come. */
static bool is_significant(const struct json *old, const struct json *pod)
{
    static const char *const lists[] = { "initContainers", "containers", "ephemeralContainers" };

    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        const struct json *was = json_getz(json_getz(old, "spec"), lists[i]);
        const struct json *now = json_getz(json_getz(pod, "spec"), lists[i]), *before = json__first(was);

        if ((was != NULL ? was->n : 0) != (now != NULL ? now->n : 0))
            return true;
        json_each(c, now) {
            if (!json_same(json_getz(before, "image"), json_getz(c, "image")))
                return true;
            before = before->next;
        }
    }
    return false;
}

static void pod(struct admission *a)
{
    if (a->op == ADMIT_CREATE || is_significant(a->old, a->obj))
        check(a, json_getz(a->obj, "metadata"), json_getz(a->obj, "spec"), true);
}

static void template_at(struct admission *a, const char *path)
{
    const struct json *t = json_path(a->obj, path);

    if (t != NULL)
        check(a, json_getz(t, "metadata"), json_getz(t, "spec"), false);
}

static void workload(struct admission *a)
{
    template_at(a, "spec.template");
}

static void cron_job(struct admission *a)
{
    template_at(a, "spec.jobTemplate.spec.template");
}

static void pod_template(struct admission *a)
{
    template_at(a, "template");
}

/* ---- Namespaces ------------------------------------------------------------------------------ */

static void refuse_labels(struct admission *a, const struct causes *causes)
{
    struct status *s = arena_new(a->k->arena, struct status);
    struct causes *kept = arena_new(a->k->arena, struct causes);

    *kept = *causes;
    s->code = 422;
    s->reason = REASON_INVALID;
    s->causes = kept;
    s->details.name = a->k->name;
    s->details.kind = STR("Namespace");
    s->message = arena_fmt(a->k->arena, "Namespace \"%.*s\" is invalid: %.*s", STR_ARG(a->k->name),
                           STR_ARG(status_causes_text(a->k->arena, causes)));
    kind_refuse_status(a->k, s);
}

/* Pods that would not be let in any more, by what is wrong with them. */
struct offenders { struct { struct str reasons, first; unsigned more; } v[GROUPS_MAX]; unsigned n; };

static void note_offender(struct offenders *o, struct str name, struct str reasons)
{
    for (unsigned i = 0; i < o->n; i++)
        if (str_eq(o->v[i].reasons, reasons)) {
            o->v[i].more++;
            return;
        }
    if (o->n < GROUPS_MAX) {
        o->v[o->n].reasons = reasons;
        o->v[o->n].first = name;
        o->v[o->n++].more = 0;
    }
}

static void warn_offenders(struct admission *a, const struct offenders *o, struct policy p)
{
    if (o->n > 0)
        kind_warn(a->k,
                  "existing pods in namespace \"%.*s\" violate the new PodSecurity enforce level \"%.*s\"",
                  STR_ARG(a->k->name), STR_ARG(policy_text(a->k->arena, p)));
    for (unsigned i = 0; i < o->n; i++) {
        struct str first = o->v[i].first, reasons = o->v[i].reasons;
        unsigned   more = o->v[i].more;

        if (more == 0)
            kind_warn(a->k, "%.*s: %.*s", STR_ARG(first), STR_ARG(reasons));
        else
            kind_warn(a->k, "%.*s (and %u other pod%s): %.*s", STR_ARG(first), more, more > 1 ? "s" : "",
                      STR_ARG(reasons));
    }
}

static void look_at_pods(struct admission *a, struct policy p)
{
    struct offenders    o = { .n = 0 };
    struct arena       *arena = a->k->arena;
    struct str          prefix = arena_fmt(arena, "/registry/pods/%.*s/", STR_ARG(a->k->name));
    struct str          end = store_prefix_end(arena, prefix);
    uint64_t            all = store_count(a->k->view, prefix, end);
    struct store_cursor cursor;
    struct store_kv     kv;

    store_seek(&cursor, a->k->view, prefix, end);
    for (unsigned n = 0; n < PODS_MAX && store_next(&cursor, &kv); n++) {
        struct json_error  why;
        struct json       *its;
        struct pod_verdict v;

        if (json_parse(arena, arena_str(arena, blob_str(kv.value)), &its, &why) < 0)
            continue;
        v = pod_standards_check(arena, p.level, p.version, json_getz(its, "metadata"),
                                json_getz(its, "spec"));
        if (v.n > 0)
            note_offender(&o, json_path_str(its, "metadata.name"), v.reasons);
    }
    if (all > PODS_MAX)
        kind_warn(a->k,
                  "new PodSecurity enforce level only checked against the first %d of %llu existing pods",
                  PODS_MAX, (unsigned long long)all);
    warn_offenders(a, &o, p);
}

static void namespace_labels(struct admission *a)
{
    const struct security *s = admit_state(a);
    struct policy          now[MODES], was[MODES];
    struct causes          causes, old_causes;

    causes_init(&causes, a->k->arena);
    causes_init(&old_causes, a->k->arena);
    read_policies(s, a->obj, a->k->arena, now, &causes);
    if (a->op == ADMIT_UPDATE)
        read_policies(s, a->old, a->k->arena, was, &old_causes);
    if (causes.n > 0 && (a->op == ADMIT_CREATE || old_causes.n == 0)) {
        refuse_labels(a, &causes);
        return;
    }
    if (a->op == ADMIT_CREATE || now[ENFORCE].level == POD_PRIVILEGED ||
        list_has(s->namespaces, a->k->name))
        return;
    if (now[ENFORCE].level > was[ENFORCE].level ||
        (now[ENFORCE].level == was[ENFORCE].level && now[ENFORCE].version > was[ENFORCE].version))
        look_at_pods(a, now[ENFORCE]);
}

/* ---- Configuration --------------------------------------------------------------------------- */

static int security_open(struct admit *t, const struct json *config, void **ret_state, struct errbuf *err)
{
    struct security   *s = arena_new(&t->arena, struct security);
    const struct json *defaults = json_getz(config, "defaults"), *exempt = json_getz(config, "exemptions");

    s->lax = true;
    for (unsigned i = 0; i < MODES; i++) {
        const struct json *level = json_getz(defaults, mode_names[i]);
        const struct json *version = json_get(defaults, arena_fmt(&t->arena, "%s-version", mode_names[i]));

        s->defaults[i] = (struct policy){ POD_PRIVILEGED, POD_VERSION_LATEST };
        if (json_is_set(level) && !read_level(json_str(level), &s->defaults[i].level))
            return err_set(err, E_INVALID, "defaults.%s: " LEVELS_TEXT, mode_names[i]);
        if (json_is_set(version) && !read_version(json_str(version), &s->defaults[i].version))
            return err_set(err, E_INVALID, "defaults.%s-version: must be \"latest\" or \"v1.x\"",
                           mode_names[i]);
        s->lax &= s->defaults[i].level == POD_PRIVILEGED;
    }
    s->users = json_getz(exempt, "usernames");
    s->namespaces = json_getz(exempt, "namespaces");
    s->runtime_classes = json_getz(exempt, "runtimeClasses");
    *ret_state = s;
    return 0;
}

const struct admit_plugin admit_pod_security = {
    .name = "PodSecurity", .on = true,
    .match = {
        { "", "pods", NULL, ADMIT_WRITES, .validate = pod },
        { "", "pods", "ephemeralcontainers", ADMIT_UPDATE, .validate = pod },
        { "", "namespaces", NULL, ADMIT_WRITES, .validate = namespace_labels },
        { "", "replicationcontrollers", NULL, ADMIT_WRITES, .validate = workload },
        { "", "podtemplates", NULL, ADMIT_WRITES, .validate = pod_template },
        { "apps", "deployments", NULL, ADMIT_WRITES, .validate = workload },
        { "apps", "replicasets", NULL, ADMIT_WRITES, .validate = workload },
        { "apps", "daemonsets", NULL, ADMIT_WRITES, .validate = workload },
        { "apps", "statefulsets", NULL, ADMIT_WRITES, .validate = workload },
        { "batch", "jobs", NULL, ADMIT_WRITES, .validate = workload },
        { "batch", "cronjobs", NULL, ADMIT_WRITES, .validate = cron_job },
    },
    .open = security_open,
};
