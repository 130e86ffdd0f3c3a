/* api/kinds/pod_resize.c: pods/resize: what containers of a pod that lives may ask for and use, processor
 * time and memory, and whether a change takes a restart.  Nothing else of the pod changes this way. */
#include "api/kinds/kinds_impl.h"
#include "api/quantity.h"

static const char *const lists[] = { "containers", "initContainers" };

bool pod_is_resize(const struct kind_ctx *c)
{
    return c->sub != NULL && strcmp(c->sub->name, "resize") == 0;
}

static const struct json *named(const struct json *list, struct str name)
{
    json_each(it, list)
        if (str_eq(json_path_str(it, "name"), name))
            return it;
    return NULL;
}

/* Sidecars run as long as the others; what other init containers use is decided when they begin. */
static bool is_resizable(const char *list, const struct json *container)
{
    return strcmp(list, "containers") == 0 || str_is(json_path_str(container, "restartPolicy"), "Always");
}

/* The old spec with the resources that are wanted now; a container more or less stays, to be refused. */
void pod_resize_prepare(struct kind_ctx *c, const struct json *old, struct json *pod)
{
    const struct json *wanted = json_copy(c->arena, json_getz(pod, "spec"));
    struct json       *spec;

    pod_put_back_meta(c->arena, old, pod);
    put_back(c->arena, pod, old, "spec");
    spec = json_getz(pod, "spec");
    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        const struct json *list = json_getz(wanted, lists[i]), *was = json_getz(spec, lists[i]);

        if ((list != NULL ? list->n : 0) != (was != NULL ? was->n : 0)) {
            put_back(c->arena, spec, wanted, lists[i]);
            continue;
        }
        json_each(container, was) {
            const struct json *now = named(list, json_path_str(container, "name"));

            if (now == NULL)
                continue;
            put_back(c->arena, container, now, "resources");
            put_back(c->arena, container, now, "resizePolicy");
        }
    }
}

/* ---- Checks ----------------------------------------------------------------------------------------- */

static bool restarts_for_memory(const struct json *container)
{
    json_each(it, json_getz(container, "resizePolicy"))
        if (str_is(json_path_str(it, "resourceName"), "memory"))
            return str_is(json_path_str(it, "restartPolicy"), "RestartContainer");
    return false;
}

/* Limits or requests: processor time and memory may change, but not go. */
static void check_amounts(const struct json *was, const struct json *now, const struct at *at,
                          const char *removed, struct causes *causes)
{
    static const char *const variable[] = { "cpu", "memory" };
    struct json *x = json_copy(causes->arena, was), *y = json_copy(causes->arena, now);

    for (size_t i = 0; i < ARRAY_LEN(variable); i++) {
        if (json_getz(was, variable[i]) != NULL && json_getz(now, variable[i]) == NULL) {
            cause_forbidden(causes, at, removed);
            return;
        }
        json_delz(x, variable[i]);
        json_delz(y, variable[i]);
    }
    if (!json_same(x, y))
        cause_forbidden(causes, at, "only cpu and memory resources are mutable");
}

static void check_container(const struct json *was, const struct json *now, const struct at *up,
                            struct causes *causes)
{
    struct at at = AT_KEY(up, "resources"), limits = AT_KEY(&at, "limits"),
              requests = AT_KEY(&at, "requests"), memory = AT_KEY(&limits, "memory");
    struct quantity before, after;

    check_amounts(json_path(was, "resources.limits"), json_path(now, "resources.limits"), &limits,
                  "resource limits cannot be removed", causes);
    check_amounts(json_path(was, "resources.requests"), json_path(now, "resources.requests"), &requests,
                  "resource requests cannot be removed", causes);
    if (!json_same(json_path(was, "resources.claims"), json_path(now, "resources.claims")))
        cause_forbidden(causes, &at, "only cpu and memory resources are mutable");
    if (restarts_for_memory(now) ||
        quantity_from_json(json_path(was, "resources.limits.memory"), &before, NULL) < 0 ||
        quantity_from_json(json_path(now, "resources.limits.memory"), &after, NULL) < 0)
        return;
    if (json_path(now, "resources.limits.memory") != NULL && quantity_cmp(after, before) < 0)
        cause_forbidden(causes, &memory,
                        "memory limits cannot be decreased unless resizePolicy is RestartContainer");
}

static void check_list(const char *name, const struct json *old, const struct json *spec, const struct at *up,
                       struct causes *causes)
{
    const struct json *was = json_getz(old, name), *list = json_getz(spec, name), *before = json__first(was);
    struct at          at = AT_STR(up, str_of(name));
    unsigned           i = 0;

    if ((was != NULL ? was->n : 0) != (list != NULL ? list->n : 0)) {
        cause_forbidden(causes, &at, "containers may not be added or removed on resize");
        return;
    }
    json_each(now, list) {
        struct at here = AT_INDEX(&at, i++);

        if (is_resizable(name, now))
            check_container(before, now, &here, causes);
        else if (!json_equal(before, now))
            cause_forbidden(causes, &here, "only sidecar containers are resizable among init containers");
        before = before->next;
    }
}

void pod_resize_check(const struct json *old, const struct json *pod, struct causes *causes)
{
    const struct json *was = json_getz(old, "spec"), *now = json_getz(pod, "spec");
    struct at          at = AT_KEY(NULL, "spec");
    const char        *qos = pod_qos_class(now);

    for (size_t i = 0; i < ARRAY_LEN(lists); i++)
        check_list(lists[i], was, now, &at, causes);
    if (causes->n == 0 && strcmp(qos, pod_qos_class(was)) != 0)
        cause_invalid(causes, &at, str_of(qos), "Pod QOS Class may not change as a result of resizing");
    if (str_is(json_path_str(now, "os.name"), "windows"))
        cause_forbidden(causes, &at, "windows pods cannot be resized");
    if (json_get(json_path(old, "metadata.annotations"), STR("kubernetes.io/config.mirror")) != NULL)
        cause_forbidden(causes, &at, "static pods cannot be resized");
}
