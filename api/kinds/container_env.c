/* api/kinds/container_env.c: environment variables and what they refer to. */
#include "api/kinds/kinds_impl.h"
#include "api/quantity.h"

/* ---- Fields of the pod ------------------------------------------------------------------------------ */

static const char *const env_fields[] = {
    "metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName",
    "status.hostIP", "status.hostIPs",     "status.podIP", "status.podIPs",
};
static const char *const file_fields[] = {
    "metadata.annotations", "metadata.labels", "metadata.name", "metadata.namespace", "metadata.uid",
};

static bool is_one_of(struct str s, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (str_is(s, list[i]))
            return true;
    return false;
}

/* metadata.labels['key']: the part before the bracket, or nothing. */
static struct str subscript(struct str path, struct str *ret_key)
{
    ptrdiff_t at = str_find(path, '[');

    if (at < 0 || path.n < (size_t)at + 4 || !str_ends(path, STR("']")) || path.p[at + 1] != '\'')
        return STR_NONE;
    *ret_key = str_make(path.p + at + 2, path.n - (size_t)at - 4);
    return str_upto(path, (size_t)at);
}

static void check_subscript(struct str base, struct str key, const struct at *at, struct causes *causes)
{
    const char *wrong;

    if (str_is(base, "metadata.labels"))
        wrong = name_check_qualified(key);
    else if (str_is(base, "metadata.annotations"))
        wrong = name_check_qualified(key);
    else
        wrong = "does not support subscript";
    if (wrong != NULL)
        cause_invalid(causes, at, key.n > 0 ? key : base, wrong);
}

static bool is_pod_field(struct str path)
{
    static const char *const more[] = { "spec.restartPolicy", "spec.schedulerName", "status.phase" };

    return is_one_of(path, env_fields, ARRAY_LEN(env_fields)) ||
           is_one_of(path, file_fields, ARRAY_LEN(file_fields)) || is_one_of(path, more, ARRAY_LEN(more));
}

void field_ref_check(const struct json *ref, const struct at *at, bool in_env, struct causes *causes)
{
    struct str path = json_str(json_getz(ref, "fieldPath")), version = json_str(json_getz(ref, "apiVersion")),
               base, key;
    struct at  here = AT_KEY(at, "fieldPath"), at_version = AT_KEY(at, "apiVersion");
    const char *const *allowed = in_env ? env_fields : file_fields;
    size_t     n = in_env ? ARRAY_LEN(env_fields) : ARRAY_LEN(file_fields);

    if (version.n > 0 && !str_is(version, "v1"))
        cause_invalid(causes, &at_version, version, "must be v1");
    if (path.n == 0)
        return;                                  /* required: the schema says so */
    base = subscript(path, &key);
    if (base.n > 0)
        check_subscript(base, key, &here, causes);
    else if (!is_pod_field(path))
        cause_invalid(causes, &here, path,
                      arena_fmt(causes->arena, "error converting fieldPath: field label not supported: %.*s",
                                STR_ARG(path))
                          .p);
    else if (!is_one_of(path, allowed, n))
        cause_unsupported(causes, &here, path, allowed, n);
}

/* ---- Resources of a container ----------------------------------------------------------------------- */

static void check_divisor(struct str resource, const struct json *divisor, const struct at *at,
                          struct causes *causes)
{
    static const char *const units[] = { "0",  "1",   "1k",  "1M",  "1G",  "1T",  "1P",
                                         "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei" };
    struct str text = json_str(divisor);
    bool       cpu = str_ends(resource, STR(".cpu"));

    if (text.n == 0 || (cpu ? str_is(text, "0") || str_is(text, "1") || str_is(text, "1m")
                            : is_one_of(text, units, ARRAY_LEN(units))))
        return;
    cause_invalid(
        causes, at, text,
        cpu ? "only divisor's values 1m and 1 are supported with the cpu resource"
            : "only divisor's values 1, 1k, 1M, 1G, 1T, 1P, 1E, 1Ki, 1Mi, 1Gi, 1Ti, 1Pi, 1Ei are supported");
}

void resource_field_ref_check(const struct json *ref, const struct at *at, bool in_env, struct causes *causes)
{
    static const char *const known[] = {
        "limits.cpu",   "limits.ephemeral-storage",   "limits.memory",
        "requests.cpu", "requests.ephemeral-storage", "requests.memory",
    };
    struct str resource = json_str(json_getz(ref, "resource"));
    struct at at_container = AT_KEY(at, "containerName"), at_resource = AT_KEY(at, "resource"),
              at_divisor = AT_KEY(at, "divisor");

    if (!in_env && json_str(json_getz(ref, "containerName")).n == 0)
        cause_required(causes, &at_container, "");
    if (resource.n == 0)
        return;
    if (!is_one_of(resource, known, ARRAY_LEN(known)) && !str_starts(resource, STR("limits.hugepages-")) &&
        !str_starts(resource, STR("requests.hugepages-")))
        cause_unsupported(causes, &at_resource, resource, known, ARRAY_LEN(known));
    check_divisor(resource, json_getz(ref, "divisor"), &at_divisor, causes);
}

/* ---- Variables -------------------------------------------------------------------------------------- */

/* A key of a ConfigMap or Secret. */
static void check_key_ref(const struct json *ref, const struct at *at, struct causes *causes)
{
    struct at name = AT_KEY(at, "name"), key = AT_KEY(at, "key");

    if (json_str(json_getz(ref, "name")).n == 0)
        cause_required(causes, &name, "");
    check_text(name_check_config_key, json_str(json_getz(ref, "key")), &key, causes);
}

static void check_value_from(const struct json *var, const struct at *up, struct causes *causes)
{
    const struct json *from = json_getz(var, "valueFrom"), *ref;
    struct at at = AT_KEY(up, "valueFrom"), field = AT_KEY(&at, "fieldRef"),
              resource = AT_KEY(&at, "resourceFieldRef"), map = AT_KEY(&at, "configMapKeyRef"),
              secret = AT_KEY(&at, "secretKeyRef");
    unsigned  sources = 0;

    if (from == NULL)
        return;
    if ((ref = json_getz(from, "fieldRef")) != NULL && ++sources)
        field_ref_check(ref, &field, true, causes);
    if ((ref = json_getz(from, "resourceFieldRef")) != NULL && ++sources)
        resource_field_ref_check(ref, &resource, true, causes);
    if ((ref = json_getz(from, "configMapKeyRef")) != NULL && ++sources)
        check_key_ref(ref, &map, causes);
    if ((ref = json_getz(from, "secretKeyRef")) != NULL && ++sources)
        check_key_ref(ref, &secret, causes);
    if (sources == 0)
        cause_invalid(
            causes, &at, STR(""),
            "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`");
    else if (json_str(json_getz(var, "value")).n > 0)
        cause_invalid(causes, &at, STR(""), "may not be specified when `value` is not empty");
    else if (sources > 1)
        cause_invalid(causes, &at, STR(""), "may not have more than one field specified at a time");
}

static void check_env_from(const struct json *from, const struct at *at, struct causes *causes)
{
    const struct json *map = json_getz(from, "configMapRef"), *secret = json_getz(from, "secretRef");
    struct at prefix = AT_KEY(at, "prefix"), at_map = AT_KEY(at, "configMapRef"),
              at_secret = AT_KEY(at, "secretRef"), map_name = AT_KEY(&at_map, "name"),
              secret_name = AT_KEY(&at_secret, "name");

    check_text(name_check_env, json_str(json_getz(from, "prefix")), &prefix, causes);
    if (map != NULL && json_str(json_getz(map, "name")).n == 0)
        cause_required(causes, &map_name, "");
    if (secret != NULL && json_str(json_getz(secret, "name")).n == 0)
        cause_required(causes, &secret_name, "");
    if (map == NULL && secret == NULL)
        cause_invalid(causes, at, STR(""), "must specify one of: `configMapRef` or `secretRef`");
    else if (map != NULL && secret != NULL)
        cause_invalid(causes, at, STR(""), "may not have more than one field specified at a time");
}

void container_env_check(const struct json *container, const struct at *at, struct causes *causes)
{
    struct at env = AT_KEY(at, "env"), from = AT_KEY(at, "envFrom");
    unsigned  i = 0;

    json_each(var, json_getz(container, "env")) {
        struct at here = AT_INDEX(&env, i), name = AT_KEY(&here, "name");

        i++;
        check_text(name_check_env, json_str(json_getz(var, "name")), &name, causes);
        check_value_from(var, &here, causes);
    }
    i = 0;
    json_each(it, json_getz(container, "envFrom")) {
        struct at here = AT_INDEX(&from, i);

        i++;
        check_env_from(it, &here, causes);
    }
}
