/* api/kinds/pod_security.c: rights and identities of pods and containers. */
#include <inttypes.h>
#include "api/kinds/kinds_impl.h"

#define ID_MAX INT32_MAX
#define SYSCTL_NAME_MAX 253

static void check_id(const struct json *context, const char *field, const struct at *at,
                     struct causes *causes)
{
    struct at here = AT_STR(at, str_of(field));
    int64_t   id = json_i64_or(json_getz(context, field), 0);

    if (id > ID_MAX)                             /* below 0: the schema says so */
        cause_invalid_int(causes, &here, id, "must be between 0 and 2147483647, inclusive");
}

/* Profiles of seccomp and AppArmor: a file or name goes with Localhost only. */
static void check_profile(const struct json *profile, const char *what, const struct at *at,
                          struct causes *causes)
{
    struct at          here = AT_KEY(at, "localhostProfile");
    const struct json *name = json_getz(profile, "localhostProfile");
    struct str         type = json_str(json_getz(profile, "type"));

    if (str_is(type, "Localhost")) {
        if (json_is_blank(name))
            cause_required(causes, &here,
                           arena_fmt(causes->arena, "must be set when %s type is Localhost", what).p);
        else if (str_is(str_of(what), "seccomp"))
            check_relative_path(json_str(name), &here, causes);
    } else if (name != NULL) {
        cause_invalid(causes, &here, json_str(name),
                      arena_fmt(causes->arena, "can only be set when %s type is Localhost", what).p);
    }
}

static void check_context(const struct json *context, const struct at *at, struct causes *causes)
{
    struct at          seccomp = AT_KEY(at, "seccompProfile"), armor = AT_KEY(at, "appArmorProfile");
    const struct json *p;

    check_id(context, "runAsUser", at, causes);
    check_id(context, "runAsGroup", at, causes);
    if ((p = json_getz(context, "seccompProfile")) != NULL)
        check_profile(p, "seccomp", &seccomp, causes);
    if ((p = json_getz(context, "appArmorProfile")) != NULL)
        check_profile(p, "AppArmor", &armor, causes);
}

/* ---- Containers ------------------------------------------------------------------------------------- */

static bool adds_sys_admin(const struct json *context)
{
    json_each(cap, json_path(context, "capabilities.add"))
        if (str_is(json_str(cap), "CAP_SYS_ADMIN"))
            return true;
    return false;
}

void container_security_check(const struct json *container, const struct at *at, struct causes *causes)
{
    const struct json *context = json_getz(container, "securityContext"), *escalation;
    struct at          here = AT_KEY(at, "securityContext");

    if (context == NULL)
        return;
    check_context(context, &here, causes);
    escalation = json_getz(context, "allowPrivilegeEscalation");
    if (escalation == NULL || json_true(escalation))
        return;
    if (json_true(json_getz(context, "privileged")))
        cause_invalid_raw(causes, &here, json_text(causes->arena, context),
                          "cannot set `allowPrivilegeEscalation` to false and `privileged` to true");
    if (adds_sys_admin(context))
        cause_invalid_raw(
            causes, &here, json_text(causes->arena, context),
            "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN");
}

/* ---- Pods ------------------------------------------------------------------------------------------- */

/* Segments of a-z0-9 with '-' and '_' inside, joined by '.' or '/'. */
static bool is_sysctl_name(struct str s)
{
    bool edge = true;                            /* at the start of a segment or after '-' or '_' */

    if (s.n == 0 || s.n > SYSCTL_NAME_MAX)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'), joins = c == '-' || c == '_',
             ends = c == '.' || c == '/';

        if (!plain && !joins && !ends)
            return false;
        if (ends && (edge || i + 1 == s.n))
            return false;
        if (joins && (i == 0 || s.p[i - 1] == '.' || s.p[i - 1] == '/'))
            return false;
        edge = !plain;
    }
    return !edge;
}

static void check_sysctls(const struct json *list, const struct at *at, struct causes *causes)
{
    struct seen names = seen_new(causes->arena, list != NULL ? list->n : 0);
    unsigned    i = 0;

    json_each(it, list) {
        struct at  here = AT_INDEX(at, i), name = AT_KEY(&here, "name");
        struct str s = json_str(json_getz(it, "name"));

        i++;
        if (s.n > 0 && !is_sysctl_name(s))
            cause_invalid(causes, &name, s, "must have at most 253 characters and match regex "
                          "^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$");
        if (!seen_add(&names, s))
            cause_duplicate(causes, &name, s);
    }
}

void pod_security_check(const struct json *spec, const struct at *at, struct causes *causes)
{
    const struct json *context = json_getz(spec, "securityContext");
    struct at here = AT_KEY(at, "securityContext"), sysctls = AT_KEY(&here, "sysctls"),
              groups = AT_KEY(&here, "supplementalGroups");
    unsigned           i = 0;

    if (json_is_blank(context))
        return;
    check_context(context, &here, causes);
    check_id(context, "fsGroup", &here, causes);
    json_each(it, json_getz(context, "supplementalGroups")) {
        struct at there = AT_INDEX(&groups, i);
        int64_t   id = json_i64_or(it, 0);

        i++;
        if (id < 0 || id > ID_MAX)
            cause_invalid_int(causes, &there, id, "must be between 0 and 2147483647, inclusive");
    }
    if (!json_is_blank(json_getz(context, "sysctls")))
        check_sysctls(json_getz(context, "sysctls"), &sysctls, causes);
}
