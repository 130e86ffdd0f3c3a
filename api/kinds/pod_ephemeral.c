/* api/kinds/pod_ephemeral.c: pods/ephemeralcontainers: containers for debugging, added to a pod that lives.
 * Nothing else of the pod changes this way, and what was added once stays as it is. */
#include "api/kinds/kinds_impl.h"

bool pod_is_ephemeral(const struct kind_ctx *c)
{
    return c->sub != NULL && strcmp(c->sub->name, "ephemeralcontainers") == 0;
}

void pod_put_back_meta(struct arena *a, const struct json *old, struct json *pod)
{
    static const char *const meta[] = { "labels", "annotations", "ownerReferences", "finalizers" };

    for (size_t i = 0; i < ARRAY_LEN(meta); i++)
        put_back(a, json_getz(pod, "metadata"), json_getz(old, "metadata"), meta[i]);
}

void pod_ephemeral_prepare(struct kind_ctx *c, const struct json *old, struct json *pod)
{
    const struct json *wanted = json_path(pod, "spec.ephemeralContainers");
    struct json *spec;

    pod_put_back_meta(c->arena, old, pod);
    wanted = wanted != NULL ? json_copy(c->arena, wanted) : NULL;
    put_back(c->arena, pod, old, "spec");
    spec = json_getz(pod, "spec");
    if (wanted != NULL && json_is(spec, JSON_OBJECT))
        json_setz(c->arena, spec, "ephemeralContainers", (struct json *)wanted);
    else
        json_delz(spec, "ephemeralContainers");
}

static const struct json *named(const struct json *list, struct str name)
{
    json_each(it, list)
        if (str_eq(json_path_str(it, "name"), name))
            return it;
    return NULL;
}

static const char *refusal(struct arena *a, const struct json *container, const char *what)
{
    return arena_fmt(a, "existing ephemeral containers \"%.*s\" may not be %s\n",
                     STR_ARG(json_path_str(container, "name")), what).p;
}

void pod_ephemeral_check(const struct json *old, const struct json *spec, struct causes *causes)
{
    const struct json *was = json_getz(old, "ephemeralContainers"), *now = json_getz(spec,
        "ephemeralContainers");
    struct at up = AT_KEY(NULL, "spec"), at = AT_KEY(&up, "ephemeralContainers");
    unsigned i = 0;

    json_each(it, now) {
        struct at here = AT_INDEX(&at, i);
        const struct json *before = named(was, json_path_str(it, "name"));

        i++;
        if (before != NULL && !json_equal(before, it))
            cause_forbidden(causes, &here, refusal(causes->arena, it, "changed"));
    }
    json_each(it, was)
        if (named(now, json_path_str(it, "name")) == NULL)
            cause_forbidden(causes, &at, refusal(causes->arena, it, "removed"));
}
