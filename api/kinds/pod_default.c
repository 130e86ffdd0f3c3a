/* api/kinds/pod_default.c: defaults of pods and templates that depend on other fields. */
#include "api/json_index.h"
#include "api/kinds/kinds_impl.h"

/* The tag of an image's name; "latest" when there is neither tag nor digest, empty for a digest alone. */
static struct str image_tag(struct str image)
{
    ptrdiff_t at = str_find(image, '@'), colon = -1;
    size_t    from = 0;

    if (at >= 0)
        image = str_upto(image, (size_t)at);
    for (size_t i = 0; i < image.n; i++)         /* a colon before the last slash is a registry's port */
        if (image.p[i] == '/')
            from = i + 1;
    if (from < image.n)
        colon = str_find(str_from(image, from), ':');
    if (colon >= 0)
        return str_from(image, from + (size_t)colon + 1);
    return at >= 0 ? STR_NONE : STR("latest");
}

static void default_pull_policy(struct kind_ctx *c, struct json *container)
{
    bool latest;

    if (!json_is_blank(json_getz(container, "imagePullPolicy")))
        return;
    latest = str_is(image_tag(json_str(json_getz(container, "image"))), "latest");
    json_setz(c->arena, container, "imagePullPolicy",
              json_string_ref(c->arena, latest ? STR("Always") : STR("IfNotPresent")));
}

/* Who limits something without asking for it asks for as much. */
static void default_requests(struct kind_ctx *c, struct json *container)
{
    struct json      *resources = json_getz(container, "resources"), *limits = json_getz(resources, "limits"),
                     *requests = json_getz(resources, "requests");
    struct json_index ix;

    if (json_is_blank(limits))
        return;
    if (!json_is(requests, JSON_OBJECT))
        requests = json_setz(c->arena, resources, "requests", json_object(c->arena));
    json_index_make(c->arena, &ix, requests, limits->n);
    json_each(limit, limits) {
        struct json *request;

        if (json_index_get(&ix, limit->key) != NULL)
            continue;
        request = json_copy(c->arena, limit);
        object_append(requests, limit->key, request);
        json_index_add(&ix, request);
    }
}

/* On the node's network a container's port is the node's. */
static void default_host_ports(struct kind_ctx *c, struct json *container)
{
    json_each(port, json_getz(container, "ports"))
        if (json_i64_or(json_getz(port, "hostPort"), 0) == 0 && json_getz(port, "containerPort") != NULL)
            json_setz(c->arena, port, "hostPort", json_copy(c->arena, json_getz(port, "containerPort")));
}

static void default_containers(struct kind_ctx *c, struct json *list, bool is_pod, bool host_network)
{
    json_each(container, list) {
        if (container->type != JSON_OBJECT)
            continue;
        default_pull_policy(c, container);
        if (is_pod)
            default_requests(c, container);
        if (is_pod && host_network)
            default_host_ports(c, container);
    }
}

/* The field's older name says the same. */
static void default_service_account(struct kind_ctx *c, struct json *spec)
{
    const struct json *name = json_getz(spec, "serviceAccountName"),
                      *older = json_getz(spec, "serviceAccount");

    if (json_str(name).n > 0 && !str_eq(json_str(name), json_str(older)))
        json_setz(c->arena, spec, "serviceAccount", json_copy(c->arena, name));
    else if (json_str(name).n == 0 && json_str(older).n > 0)
        json_setz(c->arena, spec, "serviceAccountName", json_copy(c->arena, older));
}

void pod_spec_default(struct kind_ctx *c, struct json *spec, bool is_pod)
{
    bool host_network;

    if (!json_is(spec, JSON_OBJECT))
        return;
    host_network = json_true(json_getz(spec, "hostNetwork"));
    volumes_default(c, json_getz(spec, "volumes"));
    default_containers(c, json_getz(spec, "containers"), is_pod, host_network);
    default_containers(c, json_getz(spec, "initContainers"), is_pod, host_network);
    default_containers(c, json_getz(spec, "ephemeralContainers"), false, false);
    default_service_account(c, spec);
    if (is_pod && json_getz(spec, "enableServiceLinks") == NULL)
        json_setz(c->arena, spec, "enableServiceLinks", json_bool(c->arena, true));
}
