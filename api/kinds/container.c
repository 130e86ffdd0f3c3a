/* api/kinds/container.c: the containers of a pod and what they refer to: names, ports, mounts. */
#include <inttypes.h>
#include "api/kinds/kinds_impl.h"

struct pod_view {                                /* what containers are checked against */
    struct causes *causes;
    struct seen names, host_ports, volumes;
    struct seen disks, claims;                   /* made when first asked for: few pods need them */
    const struct json *spec;
    int64_t grace_s;
    bool is_pod, host_network, ephemeral, init;
};

static size_t count(const struct json *list) { return list != NULL ? list->n : 0; }

/* ---- Ports ------------------------------------------------------------------------------------------ */

static void check_host_port(struct pod_view *v, const struct json *port, const struct at *at)
{
    int64_t host = json_i64_or(json_getz(port, "hostPort"), 0),
            inside = json_i64_or(json_getz(port, "containerPort"), 0);
    struct at here = AT_KEY(at, "hostPort");
    struct str text;

    if (v->host_network && host != inside && (v->is_pod || host != 0))
        cause_invalid_int(v->causes, &here, host, "must match `containerPort` when `hostNetwork` is true");
    if (host == 0 || v->init)
        return;
    text = arena_fmt(v->causes->arena, "%.*s/%.*s/%" PRIi64, STR_ARG(json_str(json_getz(port, "protocol"))),
                     STR_ARG(json_str(json_getz(port, "hostIP"))), host);
    if (!seen_add(&v->host_ports, text))
        cause_duplicate(v->causes, &here, text);
}

static void check_ports(struct pod_view *v, const struct json *ports, const struct at *at)
{
    struct seen names;
    unsigned    i = 0;

    if (json_is_blank(ports))
        return;
    names = seen_new(v->causes->arena, ports->n);
    json_each(port, ports) {
        struct at   here = AT_INDEX(at, i), at_name = AT_KEY(&here, "name"), at_ip = AT_KEY(&here, "hostIP");
        struct str  name = json_str(json_getz(port, "name"));
        const char *wrong = name.n > 0 ? name_check_port(name) : NULL;

        i++;
        if (wrong != NULL)
            cause_invalid(v->causes, &at_name, name, wrong);
        else if (name.n > 0 && !seen_add(&names, name))
            cause_duplicate(v->causes, &at_name, name);
        check_text(name_check_ip, json_str(json_getz(port, "hostIP")), &at_ip, v->causes);
        check_host_port(v, port, &here);
    }
}

/* ---- Mounts ----------------------------------------------------------------------------------------- */

static void check_propagation(struct pod_view *v, const struct json *container, const struct json *mount,
                              const struct at *at)
{
    struct at here = AT_KEY(at, "mountPropagation");

    if (str_is(json_str(json_getz(mount, "mountPropagation")), "Bidirectional") &&
        !json_true(json_path(container, "securityContext.privileged")))
        cause_forbidden(v->causes, &here,
                        "Bidirectional mount propagation is available only to privileged containers");
}

static void check_recursive(struct pod_view *v, const struct json *mount, const struct at *at)
{
    struct at  here = AT_KEY(at, "recursiveReadOnly");
    struct str how = json_str(json_getz(mount, "recursiveReadOnly")),
               propagation = json_str(json_getz(mount, "mountPropagation"));

    if (how.n == 0 || str_is(how, "Disabled"))
        return;
    if (!json_true(json_getz(mount, "readOnly")))
        cause_forbidden(v->causes, &here, "may only be specified when readOnly is true");
    if (propagation.n > 0 && !str_is(propagation, "None"))
        cause_forbidden(v->causes, &here,
                        "may only be specified when mountPropagation is None or not specified");
}

static void check_sub_path(struct pod_view *v, const struct json *mount, const struct at *at)
{
    struct str sub = json_str(json_getz(mount, "subPath")), expr = json_str(json_getz(mount, "subPathExpr"));
    struct at  at_sub = AT_KEY(at, "subPath"), at_expr = AT_KEY(at, "subPathExpr");

    if (sub.n > 0 && expr.n > 0)
        cause_invalid(v->causes, &at_expr, expr, "subPathExpr and subPath are mutually exclusive");
    if (sub.n > 0)
        check_relative_path(sub, &at_sub, v->causes);
    if (expr.n > 0)
        check_relative_path(expr, &at_expr, v->causes);
}

/* Volumes that come from claims. */
static bool is_disk(struct pod_view *v, struct str name)
{
    const struct json *volumes = json_getz(v->spec, "volumes");

    if (v->disks.slots == NULL) {
        v->disks = seen_new(v->causes->arena, count(volumes));
        json_each(it, volumes)
            if (json_getz(it, "persistentVolumeClaim") != NULL || json_getz(it, "ephemeral") != NULL)
                seen_add(&v->disks, json_str(json_getz(it, "name")));
    }
    return seen_has(&v->disks, name);
}

/* A volume as a block device: only those that come from claims can be. */
static void check_devices(struct pod_view *v, const struct json *container, struct seen *paths,
                          const struct at *at)
{
    const struct json *mounts = json_getz(container, "volumeMounts");
    struct seen        mounted = seen_new(v->causes->arena, count(mounts));

    json_each(it, mounts)
        seen_add(&mounted, json_str(json_getz(it, "name")));
    each_in(e, container, "volumeDevices", at) {
        struct at  at_name = AT_KEY(&e.at, "name"), at_path = AT_KEY(&e.at, "devicePath");
        struct str name = json_str(json_getz(e.it, "name")), path = json_str(json_getz(e.it, "devicePath"));

        if (name.n > 0 && !seen_has(&v->volumes, name))
            cause_not_found(v->causes, &at_name, name);
        else if (name.n > 0 && !is_disk(v, name))
            cause_invalid(
                v->causes, &at_name, name,
                "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode");
        if (name.n > 0 && seen_has(&mounted, name))
            cause_invalid(v->causes, &at_name, name, "must not already exist in volumeMounts");
        if (path_has_dot_dot(path))
            cause_invalid(v->causes, &at_path, path, "can not contain backsteps ('..')");
        else if (path.n > 0 && !seen_add(paths, path))
            cause_invalid(v->causes, &at_path, path, "must not already exist as a path in volumeMounts");
    }
}

static void check_mounts(struct pod_view *v, const struct json *container, const struct at *at)
{
    const struct json *mounts = json_getz(container, "volumeMounts"),
                      *devices = json_getz(container, "volumeDevices");
    struct seen        paths;

    if (json_is_blank(mounts) && json_is_blank(devices))
        return;
    paths = seen_new(v->causes->arena, count(mounts) + count(devices));
    each_in(e, container, "volumeMounts", at) {
        struct at  at_name = AT_KEY(&e.at, "name"), at_path = AT_KEY(&e.at, "mountPath");
        struct str name = json_str(json_getz(e.it, "name")), path = json_str(json_getz(e.it, "mountPath"));

        if (name.n > 0 && !seen_has(&v->volumes, name))
            cause_not_found(v->causes, &at_name, name);
        if (path.n > 0 && !seen_add(&paths, path))
            cause_invalid(v->causes, &at_path, path, "must be unique");
        check_sub_path(v, e.it, &e.at);
        check_propagation(v, container, e.it, &e.at);
        check_recursive(v, e.it, &e.at);
    }
    if (!json_is_blank(devices))
        check_devices(v, container, &paths, at);
}

/* ---- One container ---------------------------------------------------------------------------------- */

static void check_image(struct pod_view *v, const struct json *container, const struct at *at)
{
    struct str image = json_str(json_getz(container, "image"));
    struct at  here = AT_KEY(at, "image");

    if (image.n > 0 && str_trim(image).n != image.n)
        cause_invalid(v->causes, &here, image, "must not have leading or trailing whitespace");
}

static void check_resize(struct pod_view *v, const struct json *list, const struct at *at)
{
    static const char *const names[] = { "cpu", "memory" };
    unsigned i = 0;

    json_each(it, list) {
        struct at  here = AT_INDEX(at, i), name = AT_KEY(&here, "resourceName");
        struct str s = json_str(json_getz(it, "resourceName"));

        i++;
        if (s.n > 0 && !str_is(s, "cpu") && !str_is(s, "memory"))
            cause_unsupported(v->causes, &name, s, names, ARRAY_LEN(names));
    }
}

static bool is_claim(struct pod_view *v, struct str name)
{
    const struct json *claims = json_getz(v->spec, "resourceClaims");

    if (v->claims.slots == NULL) {
        v->claims = seen_new(v->causes->arena, count(claims));
        json_each(it, claims)
            seen_add(&v->claims, json_str(json_getz(it, "name")));
    }
    return seen_has(&v->claims, name);
}

/* What a container uses of the pod's claims of devices. */
static void check_claims(struct pod_view *v, const struct json *resources, const struct at *at)
{
    const struct json *claims = json_getz(resources, "claims");
    struct seen        seen;

    if (json_is_blank(claims))
        return;
    seen = seen_new(v->causes->arena, claims->n);
    each_in(e, resources, "claims", at) {
        struct at  at_name = AT_KEY(&e.at, "name");
        struct str name = json_str(json_getz(e.it, "name")),
                   both = arena_fmt(v->causes->arena, "%.*s %.*s", STR_ARG(name),
                                    STR_ARG(json_str(json_getz(e.it, "request"))));

        if (name.n > 0 && !is_claim(v, name))
            cause_not_found(v->causes, &at_name, name);
        else if (name.n > 0 && !seen_add(&seen, both))
            cause_duplicate(v->causes, &at_name, name);
    }
}

static void check_container(struct pod_view *v, const struct json *container, const struct at *at)
{
    struct at ports = AT_KEY(at, "ports"), resources = AT_KEY(at, "resources"),
              resize = AT_KEY(at, "resizePolicy");
    struct str s = json_str(json_getz(container, "name"));

    if (s.n > 0)
        seen_add(&v->names, s);
    check_image(v, container, at);
    check_ports(v, json_getz(container, "ports"), &ports);
    container_env_check(container, at, v->causes);
    check_mounts(v, container, at);
    container_resources_check(json_getz(container, "resources"), &resources, v->causes);
    check_claims(v, json_getz(container, "resources"), &resources);
    check_resize(v, json_getz(container, "resizePolicy"), &resize);
    container_security_check(container, at, v->causes);
    if (!v->ephemeral)
        container_probes_check(container, at, v->init, v->grace_s, v->causes);
}

/* ---- The three lists -------------------------------------------------------------------------------- */

static void check_plain(struct pod_view *v, const struct json *list, const struct at *at)
{
    unsigned i = 0;

    json_each(container, list) {
        struct at here = AT_INDEX(at, i), policy = AT_KEY(&here, "restartPolicy");

        i++;
        check_container(v, container, &here);
        if (!json_is_blank(json_getz(container, "restartPolicy")))
            cause_forbidden(v->causes, &policy, "may not be set for non-init containers");
    }
}

/* Names are unique within each list by the schema; here: also across the lists. */
static void check_init(struct pod_view *v, const struct json *list, const struct seen *plain,
                       const struct at *at)
{
    unsigned i = 0;

    v->init = true;
    json_each(container, list) {
        struct at  here = AT_INDEX(at, i), name = AT_KEY(&here, "name");
        struct str s = json_str(json_getz(container, "name"));

        i++;
        if (s.n > 0 && seen_has(plain, s))
            cause_duplicate(v->causes, &name, s);
        check_container(v, container, &here);
    }
    v->init = false;
}

static void check_ephemeral(struct pod_view *v, const struct json *list, const struct json *spec,
                            const struct at *at)
{
    static const char *const forbidden[] = {
        "ports",     "livenessProbe", "readinessProbe", "startupProbe",
        "lifecycle", "resizePolicy",  "resources",      "restartPolicy"
    };
    static const char        not_here[] = "cannot be set for an Ephemeral Container";
    struct seen targets;
    unsigned    i = 0;

    if (json_is_blank(list))
        return;
    targets = seen_new(v->causes->arena, count(json_getz(spec, "containers")));
    json_each(container, json_getz(spec, "containers"))
        seen_add(&targets, json_str(json_getz(container, "name")));
    v->ephemeral = true;
    json_each(container, list) {
        struct at here = AT_INDEX(at, i), name = AT_KEY(&here, "name"),
                  at_target = AT_KEY(&here, "targetContainerName");
        struct str s = json_str(json_getz(container, "name")),
                   target = json_str(json_getz(container, "targetContainerName"));

        i++;
        if (s.n > 0 && !seen_add(&v->names, s))
            cause_duplicate(v->causes, &name, s);
        for (size_t k = 0; k < ARRAY_LEN(forbidden); k++)
            if (!json_is_blank(json_getz(container, forbidden[k])))
                field_forbid(container, forbidden[k], &here, not_here, v->causes);
        each_in(e, container, "volumeMounts", &here) {
            field_forbid(e.it, "subPath", &e.at, not_here, v->causes);
            field_forbid(e.it, "subPathExpr", &e.at, not_here, v->causes);
        }
        if (target.n > 0 && !seen_has(&targets, target))
            cause_not_found(v->causes, &at_target, target);
        check_container(v, container, &here);
    }
}

static size_t count_ports(const struct json *list)
{
    size_t n = 0;

    json_each(container, list)
        n += count(json_getz(container, "ports"));
    return n;
}

void containers_check(const struct json *spec, const struct at *at, bool is_pod, struct causes *causes)
{
    const struct json *plain = json_getz(spec, "containers"), *init = json_getz(spec, "initContainers"),
                      *ephemeral = json_getz(spec, "ephemeralContainers"),
                      *volumes = json_getz(spec, "volumes");
    struct at at_plain = AT_KEY(at, "containers"), at_init = AT_KEY(at, "initContainers"),
              at_ephemeral = AT_KEY(at, "ephemeralContainers");
    struct pod_view v = { .causes = causes,
                          .spec = spec,
                          .is_pod = is_pod,
                          .grace_s = json_i64_or(json_getz(spec, "terminationGracePeriodSeconds"), 0),
                          .host_network = json_true(json_getz(spec, "hostNetwork")) };
    struct seen        plain_names;

    v.names = seen_new(causes->arena, count(plain) + count(init) + count(ephemeral));
    v.host_ports = seen_new(causes->arena, count_ports(plain));
    v.volumes = seen_new(causes->arena, count(volumes));
    json_each(volume, volumes)
        seen_add(&v.volumes, json_str(json_getz(volume, "name")));
    check_plain(&v, plain, &at_plain);
    if (!json_is_blank(init)) {
        plain_names = seen_new(causes->arena, count(plain));
        json_each(container, plain)
            seen_add(&plain_names, json_str(json_getz(container, "name")));
        check_init(&v, init, &plain_names, &at_init);
    }
    check_ephemeral(&v, ephemeral, spec, &at_ephemeral);
}
