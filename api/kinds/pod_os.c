/* api/kinds/pod_os.c: what of a pod only makes sense on one system, and its users in a namespace of their
 * own. */
#include "api/kinds/kinds_impl.h"

static const char *const containers[] = { "containers", "initContainers", "ephemeralContainers" };
static const char        not_windows[] = "cannot be set for a windows pod",
                         not_linux[] = "windows options cannot be set for a linux pod";

/* ---- Windows ---------------------------------------------------------------------------------------- */

static const char *const pod_fields[] = { "hostPID", "hostIPC", "shareProcessNamespace", "hostUsers" };
static const char *const pod_context[] = {
    "appArmorProfile", "seLinuxOptions", "seccompProfile", "fsGroup", "fsGroupChangePolicy", "sysctls",
    "runAsUser", "runAsGroup", "supplementalGroups", "supplementalGroupsPolicy",
};
static const char *const container_context[] = {
    "appArmorProfile", "seLinuxOptions", "seccompProfile", "capabilities", "readOnlyRootFilesystem",
    "privileged", "allowPrivilegeEscalation", "procMount", "runAsUser", "runAsGroup",
};

static void forbid_all(const struct json *obj, const char *const *keys, size_t n, const struct at *at,
                       struct causes *causes)
{
    for (size_t i = 0; i < n; i++)
        field_forbid(obj, keys[i], at, not_windows, causes);
}

static void check_windows(const struct json *spec, const struct at *at, struct causes *causes)
{
    struct at context = AT_KEY(at, "securityContext");

    for (size_t i = 0; i < ARRAY_LEN(pod_fields); i++)
        if (json_true(json_getz(spec, pod_fields[i])))
            field_forbid(spec, pod_fields[i], at, not_windows, causes);
    forbid_all(json_getz(spec, "securityContext"), pod_context, ARRAY_LEN(pod_context), &context, causes);
    for (size_t i = 0; i < ARRAY_LEN(containers); i++)
        each_in(e, spec, containers[i], at) {
            struct at here = AT_KEY(&e.at, "securityContext");

            forbid_all(json_getz(e.it, "securityContext"), container_context, ARRAY_LEN(container_context),
                       &here, causes);
        }
}

/* ---- Linux ------------------------------------------------------------------------------------------ */

static void check_linux(const struct json *spec, const struct at *at, struct causes *causes)
{
    struct at context = AT_KEY(at, "securityContext");

    field_forbid(json_getz(spec, "securityContext"), "windowsOptions", &context, not_linux, causes);
    for (size_t i = 0; i < ARRAY_LEN(containers); i++)
        each_in(e, spec, containers[i], at) {
            struct at here = AT_KEY(&e.at, "securityContext");

            field_forbid(json_getz(e.it, "securityContext"), "windowsOptions", &here, not_linux, causes);
        }
}

/* ---- Users ------------------------------------------------------------------------------------------ */

/* A pod with users of its own shares nothing else of the node that goes by user. */
static void check_own_users(const struct json *spec, const struct at *at, struct causes *causes)
{
    static const char *const shared[] = { "hostNetwork", "hostPID", "hostIPC" };

    for (size_t i = 0; i < ARRAY_LEN(shared); i++)
        if (json_true(json_getz(spec, shared[i])))
            field_forbid(spec, shared[i], at, "when `hostUsers` is false", causes);
    for (size_t i = 0; i < ARRAY_LEN(containers); i++)
        each_in(e, spec, containers[i], at)
            field_forbid(e.it, "volumeDevices", &e.at, "when `hostUsers` is false", causes);
}

/* An open /proc is for pods with users of their own. */
static void check_proc_mount(const struct json *spec, const struct at *at, struct causes *causes)
{
    for (size_t i = 0; i < ARRAY_LEN(containers); i++)
        each_in(e, spec, containers[i], at) {
            const struct json *context = json_getz(e.it, "securityContext");
            struct at          here = AT_KEY(&e.at, "securityContext");

            if (str_is(json_str(json_getz(context, "procMount")), "Unmasked"))
                field_refuse(context, "procMount", &here, "`hostUsers` must be false to use `Unmasked`",
                             causes);
        }
}

void pod_os_check(const struct json *spec, const struct at *at, struct causes *causes)
{
    struct str         os = json_str(json_path(spec, "os.name"));
    const struct json *users = json_getz(spec, "hostUsers");

    if (str_is(os, "windows"))
        check_windows(spec, at, causes);
    else if (str_is(os, "linux"))
        check_linux(spec, at, causes);
    if (json_is(users, JSON_BOOL) && !users->boolean)
        check_own_users(spec, at, causes);
    else
        check_proc_mount(spec, at, causes);
}
