/* node/container_spec.c: what the pod's spec asks for, as a request to the runtime. */
#include "api/quantity.h"
#include "node/container_impl.h"

static int64_t resource(const struct container *c, const char *which, const char *what, bool milli)
{
    struct quantity q;

    if (quantity_from_json(json_getz(json_getz(c->granted, which), what), &q, NULL) != 0)
        return 0;
    return milli ? quantity_milli(q) : quantity_value(q);
}

/* Guaranteed: -997; Burstable: the less memory asked for, the sooner it goes; BestEffort: 1000. */
static int oom_score(const struct container *c)
{
    struct str qos = json_path_str(c->pod->json, "status.qosClass");
    int64_t ask = resource(c, "requests", "memory", false), all = c->pod->agent->memory_bytes;

    if (str_is(qos, "Guaranteed"))
        return -997;
    if (str_is(qos, "BestEffort") || all <= 0)
        return 1000;
    int64_t score = 1000 - 1000 * (MIN_OF(ask, all) / 1024) / MAX_OF(all / 1024, 1);
    return (int)MAX_OF(MIN_OF(score, 999), 3);
}

struct rt_resources container_limits(const struct container *c)
{
    int64_t cpu = resource(c, "requests", "cpu", true), limit = resource(c, "limits", "cpu", true);
    struct rt_resources r = { .memory_bytes = resource(c, "limits", "memory", false),
                              .oom_score_adj = oom_score(c) };

    if (cpu == 0)
        cpu = limit;
    r.cpu_shares = (uint64_t)MAX_OF(MIN_OF(cpu * 1024 / 1000, 262144), 2);
    if (limit > 0) {
        r.cpu_period_us = 100000;
        r.cpu_quota_us = MAX_OF(limit * 100, 1000);
    }
    return r;
}

static const char *const *string_list(struct arena *a, const struct json *list, size_t *ret_n)
{
    const char **v = arena_alloc(a, ((list != NULL ? list->n : 0) + 1) * sizeof *v);

    *ret_n = 0;
    json_each(e, list)
        v[(*ret_n)++] = arena_cstr(a, json_str(e));
    return v;
}

/* A field of the container's securityContext, else of the pod's. */
static const struct json *security(const struct container *c, const char *key)
{
    const struct json *own = json_getz(json_getz(c->spec, "securityContext"), key);
    return own != NULL ? own : json_getz(json_path(c->pod->json, "spec.securityContext"), key);
}

/* Profiles of the node's own are none that it has. */
static int check_seccomp(const struct container *c, bool *ret_default, struct errbuf *err)
{
    struct str type = json_path_str(security(c, "seccompProfile"), "type");

    *ret_default = str_is(type, "RuntimeDefault");
    return str_is(type, "Localhost") ? err_set(err, E_INVALID, "seccomp profile \"%.*s\" is not on this node",
        STR_ARG(json_path_str(security(c, "seccompProfile"), "localhostProfile"))) : 0;
}

static struct rt_security security_of(const struct container *c, struct arena *a)
{
    const struct json *own = json_getz(c->spec, "securityContext"),
                      *allow = json_getz(own, "allowPrivilegeEscalation");
    const struct json *groups = json_path(c->pod->json, "spec.securityContext.supplementalGroups");
    struct rt_security s = { .privileged = json_path_true(own, "privileged"),
                             .read_only_root = json_path_true(own, "readOnlyRootFilesystem"),
                             .no_new_privileges = allow != NULL && !json_true(allow),
                             .run_as_non_root = json_true(security(c, "runAsNonRoot")),
                             .unmasked_proc = str_is(json_path_str(own, "procMount"), "Unmasked") };
    int64_t v;

    s.who = arena_fmt(a, "(pod: \"%s_%s(%s)\", container: %s)", c->pod->name, c->pod->ns, c->pod->uid,
                      c->name).p;
    if (json_i64(security(c, "runAsUser"), &v)) {
        s.has_uid = true;
        s.uid = (uint32_t)v;
    }
    if (json_i64(security(c, "runAsGroup"), &v)) {
        s.has_gid = true;
        s.gid = (uint32_t)v;
    }
    uint32_t *list = arena_alloc(a, ((groups != NULL ? groups->n : 0) + 2) * sizeof *list);
    json_each(g, groups)
        list[s.n_groups++] = (uint32_t)json_i64_or(g, 0);
    if (json_i64(json_path(c->pod->json, "spec.securityContext.fsGroup"), &v))
        list[s.n_groups++] = (uint32_t)v;
    s.groups = list;
    s.cap_add = string_list(a, json_path(own, "capabilities.add"), &s.n_cap_add);
    s.cap_drop = string_list(a, json_path(own, "capabilities.drop"), &s.n_cap_drop);
    return s;
}

static int mounts_of(const struct container *c, const struct env_result *env, struct rt_container_create *r,
                     struct arena *a, struct errbuf *err)
{
    const struct json *list = json_getz(c->spec, "volumeMounts");
    struct rt_mount *m = arena_zalloc(a, ((list != NULL ? list->n : 0) + 1) * sizeof *m);
    int rc;

    r->mounts = m;
    json_each(e, list) {
        struct str name = json_path_str(e, "name"), sub = json_path_str(e, "subPath"),
                   prop = json_path_str(e, "mountPropagation");
        struct str expr = json_path_str(e, "subPathExpr");
        bool read_only = false;
        const char *source = volumes_path(c->pod->volumes, name, &read_only);
        if (source == NULL)
            return err_set(err, E_AGAIN, "volume \"%.*s\" is not there yet", STR_ARG(name));
        if (expr.n > 0 && (rc = env_expand_all(env, expr, a, &sub, err)) != 0)
            return rc;
        struct str dest = json_path_str(e, "mountPath");
        *m++ = (struct rt_mount){ .source = arena_cstr(a, str_of(source)),
                                  .sub_path = sub.n > 0 ? arena_cstr(a, sub) : NULL,
                                  .dest = dest.n > 0 && dest.p[0] == '/'
                                              ? arena_cstr(a, dest)
                                              : arena_fmt(a, "/%.*s", STR_ARG(dest)).p,
                                  .read_only = read_only || json_path_true(e, "readOnly"),
                                  .propagation = str_is(prop, "Bidirectional")     ? RT_PROP_BIDIRECTIONAL
                                                 : str_is(prop, "HostToContainer") ? RT_PROP_HOST_TO_CONTAINER
                                                                                   : RT_PROP_NONE };
        r->n_mounts++;
    }
    return 0;
}

/* All but the names: a hollow container has none of it. */
static int fill_details(const struct container *c, struct rt_container_create *r, struct arena *a,
                        struct errbuf *err)
{
    struct downward d = pod_downward(c->pod);
    struct str cwd = json_path_str(c->spec, "workingDir"),
               term = json_path_str(c->spec, "terminationMessagePath");
    struct env_result env;
    int rc = env_resolve(&d, &c->pod->sources, c->spec, a, &env, err);

    if (rc == 0)
        rc = mounts_of(c, &env, r, a, err);
    if (rc != 0)
        return rc;
    r->command = env.command;
    r->n_command = env.n_command;
    r->args = env.args;
    r->n_args = env.n_args;
    r->env = env.env;
    r->n_env = env.n_env;
    r->cwd = cwd.n > 0 ? arena_cstr(a, cwd) : NULL;
    r->termination_path = term.n > 0 ? arena_cstr(a, term) : NULL;
    return 0;
}

static int pid_target_of(const struct container *c, struct rt_container_create *r, struct arena *a,
                         struct errbuf *err)
{
    struct str name = json_path_str(c->spec, "targetContainerName");
    const struct container *t = name.n > 0 ? pod_container(c->pod, name) : NULL;

    if (name.n == 0)
        return 0;
    if (t == NULL || t->state != CT_RUNNING)
        return err_set(err, E_AGAIN, "unable to find target container \"%.*s\"", STR_ARG(name));
    r->pid_target = arena_cstr(a, str_of(t->id));
    return 0;
}

int container__fill(struct container *c, struct rt_container_create *r, struct arena *a, struct errbuf *err)
{
    char path[4096];
    bool seccomp;
    int rc;

    if (!pod_has_sandbox(c->pod))
        return err_set(err, E_AGAIN, "the pod's sandbox is being made anew");
    if (!c->pod->agent->hollow && (rc = fill_details(c, r, a, err)) != 0)
        return rc;
    if ((rc = check_seccomp(c, &seccomp, err)) != 0)
        return rc;
    if (!c->pod->agent->hollow && (rc = pid_target_of(c, r, a, err)) != 0)
        return rc;
    r->sandbox_id = arena_cstr(a, str_of(c->pod->sandbox_id)); /* the request may outlive the pod's machine */
    r->name = arena_cstr(a, str_of(c->name));
    r->attempt = c->attempt;
    r->image = arena_cstr(a, str_of(c->image));
    r->resources = container_limits(c);
    r->security = security_of(c, a);
    r->security.seccomp_default = seccomp;
    r->tty = json_path_true(c->spec, "tty");
    r->want_stdin = json_path_true(c->spec, "stdin");
    r->stdin_once = json_path_true(c->spec, "stdinOnce");
    r->log_path = arena_cstr(a, str_of(container_log_path(c, c->attempt, path, sizeof path)));
    return 0;
}
