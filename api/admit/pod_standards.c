/* api/admit/pod_standards.c: see api/admit/pod_standards.h.  A check is a row of a table; rows stand in
 * the order in which the original names what is wrong. */
#include <inttypes.h>
#include <stdarg.h>
#include "api/admit/pod_standards.h"
#include "api/kinds/kinds_impl.h"

/* One pod under examination. */
struct exam {
    struct arena *arena;
    const struct json *meta, *spec, *context;    /* context: the pod's securityContext */
    const struct json **containers; unsigned n;  /* all: of the start, of the pod, for debugging */
    uint32_t version;
    struct pod_verdict verdict;
};

static void found(struct exam *e, const char *reason, const char *fmt, ...) PRINTF_LIKE(3, 4);
static void found(struct exam *e, const char *reason, const char *fmt, ...)
{
    struct pod_verdict *v = &e->verdict;
    const char         *comma = v->n > 0 ? ", " : "";
    struct str          detail;
    va_list             ap;

    va_start(ap, fmt);
    detail = arena_vfmt(e->arena, fmt, ap);
    va_end(ap);
    v->n++;
    v->reasons = arena_fmt(e->arena, "%.*s%s%s", STR_ARG(v->reasons), comma, reason);
    v->details = arena_fmt(e->arena, "%.*s%s%s (%.*s)", STR_ARG(v->details), comma, reason, STR_ARG(detail));
}

/* ---- Lists of names: "a", "b" ------------------------------------------------------------------------- */

struct names { struct str text; unsigned n; };

static void add(struct exam *e, struct names *l, struct str name)
{
    l->text = arena_fmt(e->arena, "%.*s%s\"%.*s\"", STR_ARG(l->text), l->n > 0 ? ", " : "", STR_ARG(name));
    l->n++;
}

static void add_new(struct exam *e, struct names *l, struct str name)
{
    struct str quoted = arena_fmt(e->arena, "\"%.*s\"", STR_ARG(name));

    if (l->n == 0 || memmem(l->text.p, l->text.n, quoted.p, quoted.n) == NULL)
        add(e, l, name);
}

static struct str name_of(const struct json *container)
{
    return json_str(json_getz(container, "name"));
}

/* `container "a"`, `containers "a", "b"` */
static struct str containers_text(struct exam *e, const struct names *l)
{
    return arena_fmt(e->arena, "container%s %.*s", l->n > 1 ? "s" : "", STR_ARG(l->text));
}

/* `pod`, `container "a"`, `pod and container "a"` */
static struct str setters_text(struct exam *e, bool pod, const struct names *l)
{
    if (l->n == 0)
        return pod ? STR("pod") : STR("");
    return arena_fmt(e->arena, "%s%.*s", pod ? "pod and " : "", STR_ARG(containers_text(e, l)));
}

static const struct json *context_of(const struct json *container)
{
    return json_getz(container, "securityContext");
}

static bool one_of(struct str s, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (str_is(s, list[i]))
            return true;
    return false;
}

static bool is_windows(const struct exam *e)
{
    return e->version >= 25 && str_is(json_path_str(e->spec, "os.name"), "windows");
}

/* ---- Baseline -------------------------------------------------------------------------------- */

#define APPARMOR_NOTE "container.apparmor.security.beta.kubernetes.io/"

static bool armor_ok(const struct json *profile)
{
    static const char *const fine[] = { "RuntimeDefault", "Localhost" };

    return profile == NULL || one_of(json_str(json_getz(profile, "type")), fine, ARRAY_LEN(fine));
}

static void app_armor(struct exam *e)
{
    struct names bad = { STR(""), 0 }, values = { STR(""), 0 };
    const struct json *own = json_getz(e->context, "appArmorProfile");
    struct str   text = STR("");
    unsigned     n = 0;

    if (!armor_ok(own))
        add_new(e, &values, json_str(json_getz(own, "type")));
    for (unsigned i = 0; i < e->n; i++) {
        const struct json *profile = json_getz(context_of(e->containers[i]), "appArmorProfile");

        if (armor_ok(profile))
            continue;
        add(e, &bad, name_of(e->containers[i]));
        add_new(e, &values, json_str(json_getz(profile, "type")));
    }
    if (values.n > 0) {
        text = arena_fmt(e->arena, "%.*s must not set AppArmor profile type to %.*s",
                         STR_ARG(setters_text(e, !armor_ok(own), &bad)), STR_ARG(values.text));
        n++;
    }
    json_each(it, json_getz(e->meta, "annotations")) {
        struct str v = json_str(it);

        if (!str_starts(it->key, STR(APPARMOR_NOTE)) || v.n == 0 || str_is(v, "runtime/default") ||
            str_starts(v, STR("localhost/")))
            continue;
        text = arena_fmt(e->arena, "%.*s%sannotation \"%.*s\"=\"%.*s\"", STR_ARG(text), n > 0 ? ", " : "",
                         STR_ARG(it->key), STR_ARG(v));
        n++;
    }
    if (n > 0)
        found(e, n > 1 ? "forbidden AppArmor profiles" : "forbidden AppArmor profile", "%.*s", STR_ARG(text));
}

static void add_capabilities(struct exam *e, const char *const *fine, size_t n, struct names *bad,
                             struct names *values)
{
    for (unsigned i = 0; i < e->n; i++) {
        bool any = false;

        json_each(cap, json_path(context_of(e->containers[i]), "capabilities.add")) {
            if (one_of(json_str(cap), fine, n))
                continue;
            add_new(e, values, json_str(cap));
            any = true;
        }
        if (any)
            add(e, bad, name_of(e->containers[i]));
    }
}

static void capabilities_baseline(struct exam *e)
{
    static const char *const fine[] = {
        "AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE",
        "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT",
    };
    struct names bad = { STR(""), 0 }, values = { STR(""), 0 };

    add_capabilities(e, fine, ARRAY_LEN(fine), &bad, &values);
    if (bad.n > 0)
        found(e, "non-default capabilities", "%.*s must not include %.*s in securityContext.capabilities.add",
              STR_ARG(containers_text(e, &bad)), STR_ARG(values.text));
}

static void host_namespaces(struct exam *e)
{
    static const char *const fields[] = { "hostNetwork", "hostPID", "hostIPC" };
    struct str text = STR("");

    for (size_t i = 0; i < ARRAY_LEN(fields); i++)
        if (json_true(json_getz(e->spec, fields[i])))
            text = arena_fmt(e->arena, "%.*s%s%s=true", STR_ARG(text), text.n > 0 ? ", " : "", fields[i]);
    if (text.n > 0)
        found(e, "host namespaces", "%.*s", STR_ARG(text));
}

static void host_paths(struct exam *e)
{
    struct names bad = { STR(""), 0 };

    json_each(v, json_getz(e->spec, "volumes"))
        if (json_getz(v, "hostPath") != NULL)
            add(e, &bad, name_of(v));
    if (bad.n > 0)
        found(e, "hostPath volumes", "volume%s %.*s", bad.n > 1 ? "s" : "", STR_ARG(bad.text));
}

static void host_ports(struct exam *e)
{
    struct names bad = { STR(""), 0 };
    struct str   ports = STR("");
    unsigned     n = 0;

    for (unsigned i = 0; i < e->n; i++) {
        bool any = false;

        json_each(p, json_getz(e->containers[i], "ports")) {
            int64_t port = json_i64_or(json_getz(p, "hostPort"), 0);

            if (port == 0)
                continue;
            any = true;
            ports = arena_fmt(e->arena, "%.*s%s%" PRIi64, STR_ARG(ports), n++ > 0 ? ", " : "", port);
        }
        if (any)
            add(e, &bad, name_of(e->containers[i]));
    }
    if (bad.n > 0)
        found(e, "hostPort", "%.*s %s %s %.*s", STR_ARG(containers_text(e, &bad)), bad.n > 1 ? "use" : "uses",
              n > 1 ? "hostPorts" : "hostPort", STR_ARG(ports));
}

static void privileged(struct exam *e)
{
    struct names bad = { STR(""), 0 };

    for (unsigned i = 0; i < e->n; i++)
        if (json_true(json_getz(context_of(e->containers[i]), "privileged")))
            add(e, &bad, name_of(e->containers[i]));
    if (bad.n > 0)
        found(e, "privileged", "%.*s must not set securityContext.privileged=true",
              STR_ARG(containers_text(e, &bad)));
}

static void proc_mount(struct exam *e)
{
    struct names bad = { STR(""), 0 }, values = { STR(""), 0 };

    for (unsigned i = 0; i < e->n; i++) {
        struct str mount = json_str(json_getz(context_of(e->containers[i]), "procMount"));

        if (mount.n == 0 || str_is(mount, "Default"))
            continue;
        add(e, &bad, name_of(e->containers[i]));
        add_new(e, &values, mount);
    }
    if (bad.n > 0)
        found(e, "procMount", "%.*s must not set securityContext.procMount to %.*s",
              STR_ARG(containers_text(e, &bad)), STR_ARG(values.text));
}

struct selinux { struct names types; bool user, role; };

static bool selinux_bad(struct exam *e, const struct json *context, struct selinux *s)
{
    static const char *const fine[] = { "", "container_t", "container_init_t", "container_kvm_t",
                                        "container_engine_t" };
    const struct json *o = json_getz(context, "seLinuxOptions");
    struct str type = json_str(json_getz(o, "type"));
    size_t     n = e->version >= 31 ? ARRAY_LEN(fine) : ARRAY_LEN(fine) - 1;
    bool       user = json_str(json_getz(o, "user")).n > 0, role = json_str(json_getz(o, "role")).n > 0;
    bool       bad = type.n > 0 && !one_of(type, fine, n);

    if (bad)
        add_new(e, &s->types, type);
    s->user |= user;
    s->role |= role;
    return bad || user || role;
}

static void selinux(struct exam *e)
{
    struct selinux s = { { STR(""), 0 }, false, false };
    struct names   bad = { STR(""), 0 };
    struct str     data = STR("");
    bool           pod = selinux_bad(e, e->context, &s);

    for (unsigned i = 0; i < e->n; i++)
        if (selinux_bad(e, context_of(e->containers[i]), &s))
            add(e, &bad, name_of(e->containers[i]));
    if (!pod && bad.n == 0)
        return;
    if (s.types.n > 0)
        data = arena_fmt(e->arena, "type%s %.*s", s.types.n > 1 ? "s" : "", STR_ARG(s.types.text));
    if (s.user)
        data = arena_fmt(e->arena, "%.*s%suser may not be set", STR_ARG(data), data.n > 0 ? "; " : "");
    if (s.role)
        data = arena_fmt(e->arena, "%.*s%srole may not be set", STR_ARG(data), data.n > 0 ? "; " : "");
    found(e, "seLinuxOptions", "%.*s set forbidden securityContext.seLinuxOptions: %.*s",
          STR_ARG(setters_text(e, pod, &bad)), STR_ARG(data));
}

static bool seccomp_ok(const struct json *profile)
{
    static const char *const fine[] = { "RuntimeDefault", "Localhost" };

    return one_of(json_str(json_getz(profile, "type")), fine, ARRAY_LEN(fine));
}

/* Profiles that were chosen and are forbidden: true: there were some. */
static bool seccomp_chosen(struct exam *e)
{
    const struct json *own = json_getz(e->context, "seccompProfile");
    struct names       bad = { STR(""), 0 }, values = { STR(""), 0 };
    bool               pod = own != NULL && !seccomp_ok(own);

    if (pod)
        add_new(e, &values, json_str(json_getz(own, "type")));
    for (unsigned i = 0; i < e->n; i++) {
        const struct json *profile = json_getz(context_of(e->containers[i]), "seccompProfile");

        if (profile == NULL || seccomp_ok(profile))
            continue;
        add(e, &bad, name_of(e->containers[i]));
        add_new(e, &values, json_str(json_getz(profile, "type")));
    }
    if (values.n > 0)
        found(e, "seccompProfile", "%.*s must not set securityContext.seccompProfile.type to %.*s",
              STR_ARG(setters_text(e, pod, &bad)), STR_ARG(values.text));
    return values.n > 0;
}

static void seccomp_baseline(struct exam *e)
{
    seccomp_chosen(e);
}

static void sysctls(struct exam *e)
{
    static const struct { const char *name; uint32_t since; } fine[] = {
        { "kernel.shm_rmid_forced", 0 }, { "net.ipv4.ip_local_port_range", 0 },
        { "net.ipv4.ip_unprivileged_port_start", 0 }, { "net.ipv4.tcp_syncookies", 0 },
        { "net.ipv4.ping_group_range", 0 }, { "net.ipv4.ip_local_reserved_ports", 27 },
        { "net.ipv4.tcp_keepalive_time", 29 }, { "net.ipv4.tcp_fin_timeout", 29 },
        { "net.ipv4.tcp_keepalive_intvl", 29 }, { "net.ipv4.tcp_keepalive_probes", 29 },
        { "net.ipv4.tcp_rmem", 32 }, { "net.ipv4.tcp_wmem", 32 },
    };
    struct str text = STR("");

    json_each(s, json_getz(e->context, "sysctls")) {
        struct str name = json_str(json_getz(s, "name"));
        bool       ok = false;

        for (size_t i = 0; i < ARRAY_LEN(fine); i++)
            ok |= e->version >= fine[i].since && str_is(name, fine[i].name);
        if (!ok)
            text = arena_fmt(e->arena, "%.*s%s%.*s", STR_ARG(text), text.n > 0 ? ", " : "", STR_ARG(name));
    }
    if (text.n > 0)
        found(e, "forbidden sysctls", "%.*s", STR_ARG(text));
}

static void host_process(struct exam *e)
{
    bool         pod = json_true(json_path(e->context, "windowsOptions.hostProcess"));
    struct names bad = { STR(""), 0 };

    for (unsigned i = 0; i < e->n; i++)
        if (json_true(json_path(context_of(e->containers[i]), "windowsOptions.hostProcess")))
            add(e, &bad, name_of(e->containers[i]));
    if (pod || bad.n > 0)
        found(e, "hostProcess", "%.*s must not set securityContext.windowsOptions.hostProcess=true",
              STR_ARG(setters_text(e, pod, &bad)));
}

/* ---- Restricted ------------------------------------------------------------------------------ */

static void privilege_escalation(struct exam *e)
{
    struct names bad = { STR(""), 0 };

    for (unsigned i = 0; i < e->n && !is_windows(e); i++) {
        const struct json *v = json_getz(context_of(e->containers[i]), "allowPrivilegeEscalation");

        if (!json_is(v, JSON_BOOL) || v->boolean)
            add(e, &bad, name_of(e->containers[i]));
    }
    if (bad.n > 0)
        found(e, "allowPrivilegeEscalation != false",
              "%.*s must set securityContext.allowPrivilegeEscalation=false",
              STR_ARG(containers_text(e, &bad)));
}

static void capabilities_restricted(struct exam *e)
{
    static const char *const fine[] = { "NET_BIND_SERVICE" };
    struct names keeping = { STR(""), 0 }, adding = { STR(""), 0 }, values = { STR(""), 0 };
    struct str   text = STR("");

    if (is_windows(e))
        return;
    for (unsigned i = 0; i < e->n; i++)
        if (!list_has(json_path(context_of(e->containers[i]), "capabilities.drop"), STR("ALL")))
            add(e, &keeping, name_of(e->containers[i]));
    add_capabilities(e, fine, ARRAY_LEN(fine), &adding, &values);
    if (keeping.n > 0)
        text = arena_fmt(e->arena, "%.*s must set securityContext.capabilities.drop=[\"ALL\"]",
                         STR_ARG(containers_text(e, &keeping)));
    if (adding.n > 0)
        text = arena_fmt(e->arena, "%.*s%s%.*s must not include %.*s in securityContext.capabilities.add",
                         STR_ARG(text), text.n > 0 ? "; " : "", STR_ARG(containers_text(e, &adding)),
                         STR_ARG(values.text));
    if (text.n > 0)
        found(e, "unrestricted capabilities", "%.*s", STR_ARG(text));
}

static void restricted_volumes(struct exam *e)
{
    static const char *const fine[] = { "name", "configMap", "csi", "downwardAPI", "emptyDir", "ephemeral",
                                        "image", "persistentVolumeClaim", "projected", "secret" };
    struct names bad = { STR(""), 0 }, types = { STR(""), 0 };

    json_each(v, json_getz(e->spec, "volumes"))
        json_each(source, v)
            if (!one_of(source->key, fine, ARRAY_LEN(fine))) {
                add(e, &bad, name_of(v));
                add_new(e, &types, source->key);
            }
    if (bad.n > 0)
        found(e, "restricted volume types", "volume%s %.*s %s restricted volume type%s %.*s",
              bad.n > 1 ? "s" : "", STR_ARG(bad.text), bad.n > 1 ? "use" : "uses", types.n > 1 ? "s" : "",
              STR_ARG(types.text));
}

static void run_as_non_root(struct exam *e)
{
    const struct json *own = json_getz(e->context, "runAsNonRoot");
    struct names       said = { STR(""), 0 }, silent = { STR(""), 0 };
    bool               pod_bad = json_is(own, JSON_BOOL) && !own->boolean;

    for (unsigned i = 0; i < e->n; i++) {
        const struct json *v = json_getz(context_of(e->containers[i]), "runAsNonRoot");

        if (json_is(v, JSON_BOOL) && !v->boolean)
            add(e, &said, name_of(e->containers[i]));
        else if (!json_is(v, JSON_BOOL) && !json_true(own))
            add(e, &silent, name_of(e->containers[i]));
    }
    if (pod_bad || said.n > 0)
        found(e, "runAsNonRoot != true", "%.*s must not set securityContext.runAsNonRoot=false",
              STR_ARG(setters_text(e, pod_bad, &said)));
    else if (silent.n > 0)
        found(e, "runAsNonRoot != true", "pod or %.*s must set securityContext.runAsNonRoot=true",
              STR_ARG(containers_text(e, &silent)));
}

static void run_as_user(struct exam *e)
{
    bool         pod = json_i64_or(json_getz(e->context, "runAsUser"), 1) == 0;
    struct names bad = { STR(""), 0 };

    if (e->version < 23)
        return;
    for (unsigned i = 0; i < e->n; i++)
        if (json_i64_or(json_getz(context_of(e->containers[i]), "runAsUser"), 1) == 0)
            add(e, &bad, name_of(e->containers[i]));
    if (pod || bad.n > 0)
        found(e, "runAsUser=0", "%.*s must not set runAsUser=0", STR_ARG(setters_text(e, pod, &bad)));
}

static void seccomp_restricted(struct exam *e)
{
    struct names silent = { STR(""), 0 };

    if (is_windows(e) || seccomp_chosen(e) || json_getz(e->context, "seccompProfile") != NULL)
        return;
    for (unsigned i = 0; i < e->n; i++)
        if (json_getz(context_of(e->containers[i]), "seccompProfile") == NULL)
            add(e, &silent, name_of(e->containers[i]));
    if (silent.n > 0)
        found(e, "seccompProfile",
              "pod or %.*s must set securityContext.seccompProfile.type to \"RuntimeDefault\" or "
              "\"Localhost\"",
              STR_ARG(containers_text(e, &silent)));
}

/* ---- All ------------------------------------------------------------------------------------- */

/* overridden: at the restricted level a stricter check of the same takes its place. */
static const struct { void (*check)(struct exam *e); enum pod_level level; bool overridden; } checks[] = {
    { app_armor, POD_BASELINE, false },
    { capabilities_baseline, POD_BASELINE, true },
    { host_namespaces, POD_BASELINE, false },
    { host_paths, POD_BASELINE, true },
    { host_ports, POD_BASELINE, false },
    { privileged, POD_BASELINE, false },
    { proc_mount, POD_BASELINE, false },
    { selinux, POD_BASELINE, false },
    { seccomp_baseline, POD_BASELINE, true },
    { sysctls, POD_BASELINE, false },
    { host_process, POD_BASELINE, false },
    { privilege_escalation, POD_RESTRICTED, false },
    { capabilities_restricted, POD_RESTRICTED, false },
    { restricted_volumes, POD_RESTRICTED, false },
    { run_as_non_root, POD_RESTRICTED, false },
    { run_as_user, POD_RESTRICTED, false },
    { seccomp_restricted, POD_RESTRICTED, false },
};

static void collect_containers(struct exam *e)
{
    static const char *const lists[] = { "initContainers", "containers", "ephemeralContainers" };
    unsigned n = 0;

    for (size_t i = 0; i < ARRAY_LEN(lists); i++)
        n += json_getz(e->spec, lists[i]) != NULL ? json_getz(e->spec, lists[i])->n : 0;
    e->containers = arena_alloc(e->arena, (n + 1) * sizeof *e->containers);
    for (size_t i = 0; i < ARRAY_LEN(lists); i++)
        json_each(c, json_getz(e->spec, lists[i]))
            e->containers[e->n++] = c;
}

struct pod_verdict pod_standards_check(struct arena *a, enum pod_level level, uint32_t version,
                                       const struct json *meta, const struct json *spec)
{
    struct exam e = { .arena = a, .meta = meta, .spec = spec, .version = version };

    e.verdict = (struct pod_verdict){ 0, STR(""), STR("") };
    if (level == POD_PRIVILEGED)
        return e.verdict;
    e.context = json_getz(spec, "securityContext");
    collect_containers(&e);
    for (size_t i = 0; i < ARRAY_LEN(checks); i++)
        if (checks[i].level <= level && !(checks[i].overridden && level == POD_RESTRICTED))
            checks[i].check(&e);
    return e.verdict;
}
