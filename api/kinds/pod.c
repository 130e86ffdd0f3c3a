/* api/kinds/pod.c: pods: how a new one starts, what its status writes must keep. */
#include "api/kinds/kinds_impl.h"

static void pod_default(struct kind_ctx *c, struct json *pod)
{
    pod_spec_default(c, json_getz(pod, "spec"), true);
}

/* Held back until its gates are gone; the scheduler would only say the same. */
static void set_gated(struct kind_ctx *c, struct json *status)
{
    struct arena *a = c->arena;
    struct json  *cond = json_push(json_setz(a, status, "conditions", json_array(a)), json_object(a));

    json_setf(a, cond, "type", "PodScheduled");
    json_setf(a, cond, "status", "False");
    json_setz(a, cond, "lastProbeTime", json_null(a));
    json_setz(a, cond, "lastTransitionTime", json_null(a));
    json_setf(a, cond, "reason", "SchedulingGated");
    json_setf(a, cond, "message", "Scheduling is blocked due to non-empty scheduling gates");
}

static void pod_prepare_create(struct kind_ctx *c, struct json *pod)
{
    struct arena *a = c->arena;
    struct json  *status;

    status = json_setz(a, pod, "status", json_object(a));
    json_setz(a, status, "phase", json_string_ref(a, STR("Pending")));
    json_setz(a, status, "qosClass", json_string_ref(a, str_of(pod_qos_class(json_getz(pod, "spec")))));
    if (!json_is_blank(json_path(pod, "spec.schedulingGates")))
        set_gated(c, status);
}

static void pod_prepare_update(struct kind_ctx *c, const struct json *old, struct json *pod)
{
    if (pod_is_ephemeral(c))
        pod_ephemeral_prepare(c, old, pod);
    else if (pod_is_resize(c))
        pod_resize_prepare(c, old, pod);
}

/* Nodes don't repeat the class. */
static void pod_prepare_status(struct kind_ctx *c, const struct json *old, struct json *pod)
{
    struct json       *status = json_getz(pod, "status");
    const struct json *qos = json_path(old, "status.qosClass");

    if (json_is(status, JSON_OBJECT) && qos != NULL && json_is_blank(json_getz(status, "qosClass")))
        json_setz(c->arena, status, "qosClass", json_copy(c->arena, qos));
}

static void pod_validate(struct kind_ctx *c, const struct json *pod, struct causes *causes)
{
    const struct json *spec = json_getz(pod, "spec");
    struct at          at = AT_KEY(NULL, "spec");

    pod_spec_check(spec, &at, true, causes);
    if (!c->creating)
        return;
    field_forbid(spec, "ephemeralContainers", &at, "cannot be set on create", causes);
    if (!json_is_blank(json_getz(spec, "schedulingGates")))
        field_forbid(spec, "nodeName", &at, "cannot be set until all schedulingGates have been cleared",
                     causes);
}

static void check_ips(const struct json *status, struct causes *causes)
{
    struct at at = AT_KEY(NULL, "status"), at_ips = AT_KEY(&at, "podIPs"), at_ip = AT_KEY(&at, "podIP");
    const struct json *ips = json_getz(status, "podIPs");
    struct str         ip = json_str(json_getz(status, "podIP"));
    unsigned           i = 0;

    check_text(name_check_ip, ip, &at_ip, causes);
    json_each(it, ips) {
        struct at here = AT_INDEX(&at_ips, i), at_its = AT_KEY(&here, "ip");
        struct str its = json_str(json_getz(it, "ip"));

        i++;
        if (its.n == 0 || name_check_ip(its) != NULL)
            cause_invalid(causes, &at_its, its,
                          "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)");
    }
    if (i > 0 && ip.n > 0 && !str_eq(ip, json_str(json_getz(json_at(ips, 0), "ip"))))
        cause_invalid(causes, &at_ip, ip, "podIPs[0] must equal podIP");
}

static void pod_validate_status(struct kind_ctx *c, const struct json *old, const struct json *pod,
                                struct causes *causes)
{
    (void)c;
    (void)old;
    check_ips(json_getz(pod, "status"), causes);
}

const struct kind_hooks kind_pods = {
    .group = "",
    .plural = "pods",
    .unconditional_update = true,
    .returns_deleted = true,
    .tag_path = "spec.nodeName",
    .default_ = pod_default,
    .prepare_create = pod_prepare_create,
    .prepare_update = pod_prepare_update,
    .prepare_status = pod_prepare_status,
    .validate = pod_validate,
    .validate_update = pod_update_check,
    .validate_status = pod_validate_status,
    .grace = pod_grace,
};
