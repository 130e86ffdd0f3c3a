/* api/kinds/pod_admit.c: what the original's admission plugins do to new pods: service account and its token,
 * default tolerations, priority. */
#include <inttypes.h>
#include "api/kinds/kinds_impl.h"
#include "api/uuid.h"

#define TOKEN_PATH   "/var/run/secrets/kubernetes.io/serviceaccount"
#define TOKEN_PREFIX "kube-api-access-"
#define MIRROR       "kubernetes.io/config.mirror"    /* the node made it from a file of its own */
#define ACCOUNT_WAIT_MS 1000                     /* a controller makes the default account of a namespace */
#define EVICT_AFTER_S 300                        /* pods leave a node that is lost after this long */

/* ---- Service account -------------------------------------------------------------------------------- */

/* The token (renewed well before its hour is over), the cluster's certificate, the namespace's name. */
static const char token_sources[] =
    "{\"defaultMode\":420,\"sources\":["
    "{\"serviceAccountToken\":{\"expirationSeconds\":3607,\"path\":\"token\"}},"
    "{\"configMap\":{\"items\":[{\"key\":\"ca.crt\",\"path\":\"ca.crt\"}],\"name\":\"kube-root-ca.crt\"}},"
    "{\"downwardAPI\":{\"items\":[{\"fieldRef\":{\"apiVersion\":\"v1\",\"fieldPath\":\"metadata.namespace\"},"
    "\"path\":\"namespace\"}]}}]}";

static struct json *make_list(struct arena *a, struct json *obj, const char *key)
{
    struct json *list = json_getz(obj, key);

    return json_is(list, JSON_ARRAY) ? list : json_setz(a, obj, key, json_array(a));
}

static bool mounts_token_path(const struct json *container)
{
    json_each(mount, json_getz(container, "volumeMounts"))
        if (str_is(json_str(json_getz(mount, "mountPath")), TOKEN_PATH))
            return true;
    return false;
}

/* True: at least one container needed it. */
static bool mount_token(struct kind_ctx *c, struct json *containers, struct str volume)
{
    struct arena *a = c->arena;
    bool          some = false;

    json_each(container, containers) {
        struct json *mount;

        if (mounts_token_path(container))
            continue;
        mount = json_push(make_list(a, container, "volumeMounts"), json_object(a));
        json_setz(a, mount, "name", json_string_ref(a, volume));
        json_setz(a, mount, "readOnly", json_bool(a, true));
        json_setz(a, mount, "mountPath", json_string_ref(a, STR(TOKEN_PATH)));
        some = true;
    }
    return some;
}

static void add_token(struct kind_ctx *c, struct json *spec)
{
    struct arena     *a = c->arena;
    struct str        name = STR_NONE;
    struct json      *volume, *sources;
    struct json_error why;
    char              suffix[NAME_SUFFIX];
    bool              needed;
    int               rc;

    json_each(it, json_getz(spec, "volumes"))
        if (str_starts(json_str(json_getz(it, "name")), STR(TOKEN_PREFIX)))
            name = json_str(json_getz(it, "name"));
    volume = name.n > 0 ? NULL : json_object(a);
    if (volume != NULL) {
        name_suffix_write(loop_random_u64(c->loop), suffix);
        name = arena_fmt(a, TOKEN_PREFIX "%.*s", NAME_SUFFIX, suffix);
    }
    needed = mount_token(c, json_getz(spec, "initContainers"), name);
    needed |= mount_token(c, json_getz(spec, "containers"), name);
    if (volume == NULL || !needed)
        return;
    rc = json_parse(a, STR(token_sources), &sources, &why);
    must(rc == 0);
    json_setz(a, volume, "name", json_string_ref(a, name));
    json_setz(a, volume, "projected", sources);
    json_push(make_list(a, spec, "volumes"), volume);
}

static bool wants_token(const struct json *spec, const struct json *account)
{
    const struct json *v = json_getz(spec, "automountServiceAccountToken");

    if (v == NULL)
        v = json_getz(account, "automountServiceAccountToken");
    return v == NULL || json_true(v);
}

static void admit_service_account(struct kind_ctx *c, struct json *spec)
{
    struct str         name = json_str(json_getz(spec, "serviceAccountName"));
    const struct json *account, *pull;

    if (name.n == 0) {
        name = STR("default");
        json_setz(c->arena, spec, "serviceAccountName", json_string_ref(c->arena, name));
        json_setz(c->arena, spec, "serviceAccount", json_string_ref(c->arena, name));
    }
    account = kind_lookup(c, "", "v1", "serviceaccounts", c->ns, name);
    if (account == NULL) {
        c->lacking = c->refused == 0;
        c->lacking_ms = str_is(name, "default") ? ACCOUNT_WAIT_MS : 0;
        kind_refuse(c, 403, "Forbidden",
                    "error looking up service account %.*s/%.*s: serviceaccount \"%.*s\" not found",
                    STR_ARG(c->ns), STR_ARG(name), STR_ARG(name));
        return;
    }
    pull = json_getz(account, "imagePullSecrets");
    if (!json_is_blank(pull) && json_is_blank(json_getz(spec, "imagePullSecrets")))
        json_setz(c->arena, spec, "imagePullSecrets", json_copy(c->arena, pull));
    if (wants_token(spec, account))
        add_token(c, spec);
}

/* ---- Tolerations ------------------------------------------------------------------------------------ */

static bool tolerates(const struct json *tolerations, const char *key)
{
    json_each(it, tolerations) {
        struct str its_key = json_str(json_getz(it, "key")), effect = json_str(json_getz(it, "effect"));

        if ((its_key.n == 0 || str_is(its_key, key)) && (effect.n == 0 || str_is(effect, "NoExecute")))
            return true;
    }
    return false;
}

static void admit_tolerations(struct kind_ctx *c, struct json *spec)
{
    static const char *const keys[] = { "node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable" };
    struct arena *a = c->arena;

    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        struct json *t;

        if (tolerates(json_getz(spec, "tolerations"), keys[i]))
            continue;
        t = json_push(make_list(a, spec, "tolerations"), json_object(a));
        json_setz(a, t, "key", json_string_ref(a, str_of(keys[i])));
        json_setz(a, t, "operator", json_string_ref(a, STR("Exists")));
        json_setz(a, t, "effect", json_string_ref(a, STR("NoExecute")));
        json_setz(a, t, "tolerationSeconds", json_int(a, EVICT_AFTER_S));
    }
}

/* ---- Priority --------------------------------------------------------------------------------------- */

static bool class_priority(struct str name, int64_t *ret)
{
    if (name.n > 0 && !str_is(name, "system-cluster-critical") && !str_is(name, "system-node-critical"))
        return false;
    *ret = name.n == 0 ? 0 : str_is(name, "system-node-critical") ? 2000001000 : 2000000000;
    return true;
}

static void admit_priority(struct kind_ctx *c, struct json *spec)
{
    const struct json *given = json_getz(spec, "priority"), *policy = json_getz(spec, "preemptionPolicy");
    struct str         name = json_str(json_getz(spec, "priorityClassName"));
    int64_t            priority;

    if (!class_priority(name, &priority)) {
        kind_refuse(c, 403, "Forbidden", "no PriorityClass with name %.*s was found", STR_ARG(name));
        return;
    }
    if (given != NULL && json_i64_or(given, 0) != priority)
        kind_refuse(c, 403, "Forbidden",
                    "the integer value of priority (%" PRIi64 ") must not be provided in pod spec; "
                    "priority admission controller computed %" PRIi64 " from the given PriorityClass name",
                    json_i64_or(given, 0), priority);
    if (json_str(policy).n > 0 && !str_is(policy->s, "PreemptLowerPriority"))
        kind_refuse(
            c, 403, "Forbidden",
            "the string value of PreemptionPolicy (%.*s) must not be provided in pod spec; "
            "priority admission controller computed PreemptLowerPriority from the given PriorityClass name",
            STR_ARG(policy->s));
    if (given == NULL)
        json_setz(c->arena, spec, "priority", json_int(c->arena, priority));
    if (json_is_blank(policy))
        json_setz(c->arena, spec, "preemptionPolicy", json_string_ref(c->arena, STR("PreemptLowerPriority")));
}

void pod_admit(struct kind_ctx *c, struct json *pod)
{
    struct json *spec = json_getz(pod, "spec");

    if (!json_is(spec, JSON_OBJECT))
        return;
    if (json_getz(json_path(pod, "metadata.annotations"), MIRROR) == NULL)
        admit_service_account(c, spec);
    admit_tolerations(c, spec);
    admit_priority(c, spec);
}
