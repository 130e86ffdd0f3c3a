/* api/quota.c: see api/quota.h. */
#include "api/quota.h"
#include "api/kinds/kinds_impl.h"
#include "api/pod_rules.h"
#include "api/time_fmt.h"

#define OLD_CLASS "volume.beta.kubernetes.io/storage-class"
#define OF_CLASS ".storageclass.storage.k8s.io/"

/* Counted by their plain name as well, as they were before count/ was there. */
static const char *const plain[] = {
    "pods", "services", "replicationcontrollers", "resourcequotas", "secrets", "configmaps",
    "persistentvolumeclaims",
};
static const char *const of_pods[] = {
    "cpu", "memory", "ephemeral-storage", "requests.cpu", "requests.memory", "requests.ephemeral-storage",
    "limits.cpu", "limits.memory", "limits.ephemeral-storage",
};

static bool is_in(struct str name, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (str_is(name, list[i]))
            return true;
    return false;
}

static bool is_kind(const struct quota_kind *k, const char *plural)
{
    return k->group[0] == '\0' && strcmp(k->plural, plural) == 0;
}

/* ---- Names ------------------------------------------------------------------------------------------ */

/* "count/deployments.apps", "count/pods" */
static bool is_count_of(const struct quota_kind *k, struct str name)
{
    struct str rest, plural = str_of(k->plural), group = str_of(k->group);

    if (!str_starts(name, STR("count/")))
        return false;
    rest = str_from(name, sizeof("count/") - 1);
    if (!str_starts(rest, plural))
        return false;
    rest = str_from(rest, plural.n);
    if (group.n == 0)
        return rest.n == 0;
    return rest.n == group.n + 1 && rest.p[0] == '.' && str_eq(str_from(rest, 1), group);
}

static bool is_of_pods(struct str name)
{
    if (is_in(name, of_pods, ARRAY_LEN(of_pods)) || str_starts(name, STR("hugepages-")) ||
        str_starts(name, STR("requests.hugepages-")))
        return true;
    return str_starts(name, STR("requests.")) && str_find(name, '/') > 0;
}

static bool is_of_claims(struct str name)
{
    ptrdiff_t slash = str_find(name, '/');
    struct str before = slash > 0 ? str_upto(name, (size_t)slash + 1) : STR_NONE;

    return str_is(name, "requests.storage") || str_ends(before, STR(OF_CLASS));
}

bool quota_concerns(const struct quota_kind *k, struct str name)
{
    if (is_count_of(k, name))
        return true;
    if (k->group[0] != '\0')
        return false;
    if (is_in(name, plain, ARRAY_LEN(plain)))
        return str_is(name, k->plural);
    if (is_kind(k, "pods"))
        return is_of_pods(name) && !is_of_claims(name);
    if (is_kind(k, "services"))
        return str_is(name, "services.nodeports") || str_is(name, "services.loadbalancers");
    return is_kind(k, "persistentvolumeclaims") && is_of_claims(name);
}

bool quota_kind_of(struct arena *a, struct str name, struct str *ret_group, struct str *ret_plural)
{
    struct str rest, plural;

    *ret_group = STR_NONE;
    if (str_starts(name, STR("count/"))) {
        rest = str_from(name, sizeof("count/") - 1);
        if (!str_split(&rest, '.', &plural))
            return false;
        *ret_plural = arena_str(a, plural);
        *ret_group = arena_str(a, rest);
    } else if (is_in(name, plain, ARRAY_LEN(plain))) {
        *ret_plural = arena_str(a, name);
    } else if (str_starts(name, STR("services."))) {
        *ret_plural = STR("services");
    } else if (is_of_claims(name)) {
        *ret_plural = STR("persistentvolumeclaims");
    } else if (is_of_pods(name)) {
        *ret_plural = STR("pods");
    } else {
        return false;
    }
    return true;
}

/* ---- Scopes ----------------------------------------------------------------------------------------- */

static bool term_crosses(const struct json *term)
{
    return json_is_set(json_getz(term, "namespaces")) || json_getz(term, "namespaceSelector") != NULL;
}

static bool crosses_namespaces(const struct json *pod)
{
    static const char *const kinds[] = { "podAffinity", "podAntiAffinity" };

    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        const struct json *affinity = json_getz(json_path(pod, "spec.affinity"), kinds[i]);

        json_each(t, json_getz(affinity, "requiredDuringSchedulingIgnoredDuringExecution"))
            if (term_crosses(t))
                return true;
        json_each(t, json_getz(affinity, "preferredDuringSchedulingIgnoredDuringExecution"))
            if (term_crosses(json_getz(t, "podAffinityTerm")))
                return true;
    }
    return false;
}

static bool priority_matches(const struct json *pod, struct str op, const struct json *values)
{
    struct str name = json_path_str(pod, "spec.priorityClassName");

    if (str_is(op, "Exists"))
        return name.n > 0;
    if (str_is(op, "DoesNotExist"))
        return name.n == 0;
    return (name.n > 0 && list_has(values, name)) == str_is(op, "In");
}

static bool scope_matches(const struct json *pod, struct str scope, struct str op, const struct json *values)
{
    const char *qos = pod_qos_class(json_getz(pod, "spec"));
    bool        ends = json_path(pod, "spec.activeDeadlineSeconds") != NULL;

    if (str_is(scope, "Terminating"))
        return ends;
    if (str_is(scope, "NotTerminating"))
        return !ends;
    if (str_is(scope, "BestEffort") || str_is(scope, "NotBestEffort"))
        return str_is(scope, "BestEffort") == (strcmp(qos, "BestEffort") == 0);
    if (str_is(scope, "CrossNamespacePodAffinity"))
        return crosses_namespaces(pod);
    return str_is(scope, "PriorityClass") && priority_matches(pod, op, values);
}

bool quota_selects(const struct quota_kind *k, const struct json *spec, const struct json *obj)
{
    json_each(s, json_getz(spec, "scopes"))
        if (!is_kind(k, "pods") || !scope_matches(obj, json_str(s), STR("Exists"), NULL))
            return false;
    json_each(s, json_path(spec, "scopeSelector.matchExpressions"))
        if (!is_kind(k, "pods") || !scope_matches(obj, json_str(json_getz(s, "scopeName")),
                                                  json_str(json_getz(s, "operator")), json_getz(s, "values")))
            return false;
    return true;
}

/* ---- Usage ------------------------------------------------------------------------------------------ */

static void put(struct amounts *u, const char *name, const struct amounts *from, const char *key)
{
    const struct quantity *q = amounts_get(from, str_of(key));

    if (q != NULL)
        amounts_add(u, str_of(name), *q);
}

static struct str requested(struct arena *a, struct str name)
{
    return arena_fmt(a, "requests.%.*s", STR_ARG(name));
}

/* What one set of requests and limits comes to, of a pod or of a single container. */
static void compute(struct amounts *u, const struct amounts *requests, const struct amounts *limits)
{
    static const char *const basic[][3] = {
        { "cpu", "requests.cpu", "limits.cpu" },
        { "memory", "requests.memory", "limits.memory" },
        { "ephemeral-storage", "requests.ephemeral-storage", "limits.ephemeral-storage" },
    };

    for (size_t i = 0; i < ARRAY_LEN(basic); i++) {
        put(u, basic[i][0], requests, basic[i][0]);
        put(u, basic[i][1], requests, basic[i][0]);
        put(u, basic[i][2], limits, basic[i][0]);
    }
    for (unsigned i = 0; i < requests->n; i++) {
        struct str name = requests->v[i].name;

        if (str_starts(name, STR("hugepages-")))
            amounts_add(u, name, requests->v[i].amount);
        if (str_starts(name, STR("hugepages-")) || resource_is_extended(name))
            amounts_add(u, requested(u->arena, name), requests->v[i].amount);
    }
}

static bool is_gone(const struct json *pod, int64_t now_s)
{
    struct str at = json_path_str(pod, "metadata.deletionTimestamp");
    int64_t    at_s;
    uint32_t   ns;

    return at.n > 0 && time_parse(at, &at_s, &ns) && now_s > at_s;
}

static void usage_pod(struct amounts *u, const struct json *pod, int64_t now_s)
{
    struct amounts requests = amounts_make(u->arena), limits = amounts_make(u->arena);

    if (pod_has_ended(pod) || is_gone(pod, now_s))
        return;
    amounts_add_count(u, STR("pods"), 1);
    amounts_of_pod(&requests, json_getz(pod, "spec"), "requests");
    amounts_of_pod(&limits, json_getz(pod, "spec"), "limits");
    compute(u, &requests, &limits);
}

static void usage_service(struct amounts *u, const struct json *service)
{
    const struct json *spec = json_getz(service, "spec"), *ports = json_getz(spec, "ports");
    const struct json *allocate = json_getz(spec, "allocateLoadBalancerNodePorts");
    struct str         type = json_str(json_getz(spec, "type"));
    int64_t            n = ports != NULL ? ports->n : 0;

    if (str_is(type, "LoadBalancer")) {
        amounts_add_count(u, STR("services.loadbalancers"), 1);
        if (json_is(allocate, JSON_BOOL) && !allocate->boolean) {
            n = 0;
            json_each(p, ports)
                n += json_i64_or(json_getz(p, "nodePort"), 0) != 0;
        }
    } else if (!str_is(type, "NodePort")) {
        n = 0;
    }
    if (n > 0)
        amounts_add_count(u, STR("services.nodeports"), n);
}

static struct str of_class(struct arena *a, struct str class, const char *what)
{
    return arena_fmt(a, "%.*s" OF_CLASS "%s", STR_ARG(class), what);
}

static void usage_claim(struct amounts *u, const struct json *claim)
{
    const struct json *wanted = json_path(claim, "spec.resources.requests.storage");
    const struct json *given = json_path(claim, "status.allocatedResources.storage");
    const struct json *notes = json_path(claim, "metadata.annotations");
    struct str         class = json_path_str(claim, "spec.storageClassName");
    struct quantity    q = json_quantity(wanted);

    if (json_getz(notes, OLD_CLASS) != NULL)
        class = json_str(json_getz(notes, OLD_CLASS));
    if (given != NULL && quantity_cmp(json_quantity(given), q) > 0)
        q = json_quantity(given);
    if (class.n > 0)
        amounts_add_count(u, of_class(u->arena, class, "persistentvolumeclaims"), 1);
    if (wanted == NULL)
        return;
    amounts_add(u, STR("requests.storage"), q);
    if (class.n > 0)
        amounts_add(u, of_class(u->arena, class, "requests.storage"), q);
}

void quota_usage(struct amounts *u, const struct quota_kind *k, const struct json *obj, int64_t now_s)
{
    const char *dot = k->group[0] != '\0' ? "." : "";

    amounts_add_count(u, arena_fmt(u->arena, "count/%s%s%s", k->plural, dot, k->group), 1);
    if (is_kind(k, "pods")) {
        usage_pod(u, obj, now_s);
        return;
    }
    if (k->group[0] == '\0' && is_in(str_of(k->plural), plain, ARRAY_LEN(plain)))
        amounts_add_count(u, str_of(k->plural), 1);
    if (is_kind(k, "services"))
        usage_service(u, obj);
    else if (is_kind(k, "persistentvolumeclaims"))
        usage_claim(u, obj);
}

/* ---- What must be said ------------------------------------------------------------------------------ */

static bool says(struct arena *a, const struct json *container, const char *name)
{
    struct amounts requests = amounts_make(a), limits = amounts_make(a), u = amounts_make(a);

    amounts_read(&requests, json_path(container, "resources.requests"));
    amounts_read(&limits, json_path(container, "resources.limits"));
    compute(&u, &requests, &limits);
    return amounts_get(&u, str_of(name)) != NULL;
}

static struct str silent_ones(struct arena *a, const struct json *spec, const char *name)
{
    static const char *const lists[] = { "containers", "initContainers" };
    struct str names = STR("");

    for (size_t i = 0; i < ARRAY_LEN(lists); i++)
        json_each(c, json_getz(spec, lists[i]))
            if (!says(a, c, name))
                names = arena_fmt(a, "%.*s%s%.*s", STR_ARG(names), names.n > 0 ? "," : "",
                                  STR_ARG(json_str(json_getz(c, "name"))));
    return names;
}

bool quota_pod_says_enough(struct arena *a, const struct json *pod, const struct json *hard,
                           struct str *ret_missing)
{
    static const char *const needed[] = {                  /* in alphabetical order */
        "cpu", "limits.cpu", "limits.memory", "memory", "requests.cpu", "requests.memory",
    };
    struct str text = STR("");

    for (size_t i = 0; i < ARRAY_LEN(needed); i++) {
        struct str names;

        if (json_getz(hard, needed[i]) == NULL)
            continue;
        names = silent_ones(a, json_getz(pod, "spec"), needed[i]);
        if (names.n > 0)
            text = arena_fmt(a, "%.*s%s%s for: %.*s", STR_ARG(text), text.n > 0 ? "; " : "", needed[i],
                             STR_ARG(names));
    }
    *ret_missing = arena_fmt(a, "must specify %.*s", STR_ARG(text));
    return text.n == 0;
}
