/* api/admit/service_account.c: ServiceAccount: every pod runs as somebody, and is given that one's token. */
#include "api/admit/plugin.h"
#include "api/kinds/kinds_impl.h"
#include "api/uuid.h"

#define TOKEN_PATH   "/var/run/secrets/kubernetes.io/serviceaccount"
#define TOKEN_PREFIX "kube-api-access-"
#define MIRROR       "kubernetes.io/config.mirror"    /* the node made it from a file of its own */
#define ONLY_ITS_SECRETS "kubernetes.io/enforce-mountable-secrets"
#define ACCOUNT_WAIT_MS 1000                     /* a controller makes the default account of a namespace */

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

static const struct json *account_of(struct admission *a, struct str name)
{
    return kind_lookup(a->k, "", "v1", "serviceaccounts", a->k->ns, name);
}

static bool is_mirror(const struct json *pod)
{
    return json_getz(json_path(pod, "metadata.annotations"), MIRROR) != NULL;
}

/* It exists, or is about to: a controller makes the default account of a new namespace. */
static void refuse_unknown(struct admission *a, struct str name)
{
    struct kind_ctx *k = a->k;

    k->lacking = k->refused == 0;
    k->lacking_ms = str_is(name, "default") ? ACCOUNT_WAIT_MS : 0;
    admit_refuse(a, "error looking up service account %.*s/%.*s: serviceaccount \"%.*s\" not found",
                 STR_ARG(k->ns), STR_ARG(name), STR_ARG(name));
}

static void mutate(struct admission *a)
{
    struct kind_ctx   *k = a->k;
    struct json       *spec = json_getz(a->obj, "spec");
    struct str         name = json_str(json_getz(spec, "serviceAccountName"));
    const struct json *account, *pull;

    if (!json_is(spec, JSON_OBJECT) || is_mirror(a->obj))
        return;
    if (name.n == 0) {
        name = STR("default");
        json_setz(k->arena, spec, "serviceAccountName", json_string_ref(k->arena, name));
        json_setz(k->arena, spec, "serviceAccount", json_string_ref(k->arena, name));
    }
    account = account_of(a, name);
    if (account == NULL) {
        refuse_unknown(a, name);
        return;
    }
    if (wants_token(spec, account))
        add_token(k, spec);
    pull = json_getz(account, "imagePullSecrets");
    if (!json_is_blank(pull) && json_is_blank(json_getz(spec, "imagePullSecrets")))
        json_setz(k->arena, spec, "imagePullSecrets", json_copy(k->arena, pull));
}

/* ---- What may be used ------------------------------------------------------------------------------ */

static bool lists(const struct json *account, const char *key, struct str name)
{
    json_each(it, json_getz(account, key))
        if (str_eq(json_str(json_getz(it, "name")), name))
            return true;
    return false;
}

static void check_env(struct admission *a, const struct json *containers, const char *what,
                      const struct json *account)
{
    struct str owner = json_path_str(account, "metadata.name");

    json_each(container, containers) {
        json_each(env, json_getz(container, "env")) {
            struct str secret = json_path_str(env, "valueFrom.secretKeyRef.name");

            if (secret.n > 0 && !lists(account, "secrets", secret))
                admit_refuse(a, "%s %.*s with envVar %.*s referencing secret.secretName=\"%.*s\" is not "
                                "allowed because service account %.*s does not reference that secret",
                             what, STR_ARG(json_str(json_getz(container, "name"))),
                             STR_ARG(json_str(json_getz(env, "name"))), STR_ARG(secret), STR_ARG(owner));
        }
    }
}

/* Of an account that is annotated so: no secrets but its own. */
static void check_secrets(struct admission *a, const struct json *spec, const struct json *account)
{
    struct str owner = json_path_str(account, "metadata.name");
    unsigned   i = 0;

    json_each(volume, json_getz(spec, "volumes")) {
        struct str secret = json_path_str(volume, "secret.secretName");

        if (secret.n > 0 && !lists(account, "secrets", secret))
            admit_refuse(a, "volume with secret.secretName=\"%.*s\" is not allowed because service account "
                            "%.*s does not reference that secret", STR_ARG(secret), STR_ARG(owner));
    }
    check_env(a, json_getz(spec, "initContainers"), "init container", account);
    check_env(a, json_getz(spec, "containers"), "container", account);
    json_each(pull, json_getz(spec, "imagePullSecrets")) {
        struct str name = json_str(json_getz(pull, "name"));

        if (!lists(account, "imagePullSecrets", name))
            admit_refuse(a, "imagePullSecrets[%u].name=\"%.*s\" is not allowed because service account %.*s "
                            "does not reference that imagePullSecret", i, STR_ARG(name), STR_ARG(owner));
        i++;
    }
}

static bool projects_token(const struct json *volume)
{
    json_each(source, json_path(volume, "projected.sources"))
        if (json_getz(source, "serviceAccountToken") != NULL)
            return true;
    return false;
}

/* A pod that only shows what a node runs by a file of its own can have nothing of the cluster's. */
static void check_mirror(struct admission *a, const struct json *spec)
{
    if (json_str(json_getz(spec, "serviceAccountName")).n > 0)
        admit_refuse(a, "a mirror pod may not reference service accounts");
    json_each(volume, json_getz(spec, "volumes"))
        if (json_path_str(volume, "secret.secretName").n > 0)
            admit_refuse(a, "a mirror pod may not reference secrets");
        else if (projects_token(volume))
            admit_refuse(a, "a mirror pod may not use ServiceAccountToken volume projections");
}

/* Few accounts are annotated: the others need not be parsed again. */
static const struct json *restricting_account(struct admission *a, struct str name, bool *ret_exists)
{
    const struct resource *r = resource_find(STR(""), STR("v1"), STR("serviceaccounts"));
    const struct json     *account;
    struct store_kv        kv;

    *ret_exists = store_get(a->k->view, kind_object_key(a->k->arena, r, a->k->ns, name), &kv);
    if (!*ret_exists ||
        memmem(kv.value->data, kv.value->len, ONLY_ITS_SECRETS, sizeof(ONLY_ITS_SECRETS) - 1) == NULL)
        return NULL;
    account = account_of(a, name);
    return str_is(json_str(json_getz(json_path(account, "metadata.annotations"), ONLY_ITS_SECRETS)), "true")
               ? account : NULL;
}

static void validate(struct admission *a)
{
    const struct json *spec = json_getz(a->obj, "spec"), *account;
    struct str         name = json_str(json_getz(spec, "serviceAccountName"));
    bool               exists;

    if (is_mirror(a->obj)) {
        check_mirror(a, spec);
        return;
    }
    if (name.n == 0) {
        admit_refuse(a, "no service account specified for pod %.*s/%.*s", STR_ARG(a->k->ns),
                     STR_ARG(a->k->name));
        return;
    }
    account = restricting_account(a, name, &exists);
    if (!exists)
        refuse_unknown(a, name);
    else if (account != NULL)
        check_secrets(a, spec, account);
}

const struct admit_plugin admit_service_account = {
    .name = "ServiceAccount", .on = true,
    .match = { { "", "pods", NULL, ADMIT_CREATE, .mutate = mutate, .validate = validate } },
};
