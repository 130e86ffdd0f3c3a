/* api/admit/always_pull.c: AlwaysPullImages: whoever uses an image has to show a right to it, each time. */
#include "api/admit/plugin.h"
#include "api/kinds/kinds_impl.h"

static const char *const lists[] = { "initContainers", "containers", "ephemeralContainers" };

/* An update that changes no image changes nothing here. */
static bool has_new_image(const struct admission *a)
{
    if (a->op == ADMIT_CREATE)
        return true;
    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        const struct json *was = json__first(json_getz(json_getz(a->old, "spec"), lists[i]));

        json_each(c, json_getz(json_getz(a->obj, "spec"), lists[i])) {
            if (was == NULL || !json_same(json_getz(was, "image"), json_getz(c, "image")))
                return true;
            was = was->next;
        }
    }
    return false;
}

static void mutate(struct admission *a)
{
    struct json *spec = json_getz(a->obj, "spec");

    if (!has_new_image(a))
        return;
    for (size_t i = 0; i < ARRAY_LEN(lists); i++)
        json_each(c, json_getz(spec, lists[i]))
            json_setf(a->k->arena, c, "imagePullPolicy", "Always");
    json_each(v, json_getz(spec, "volumes"))
        if (json_getz(v, "image") != NULL)
            json_setf(a->k->arena, json_getz(v, "image"), "pullPolicy", "Always");
}

static void validate(struct admission *a)
{
    if (!has_new_image(a))
        return;
    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        unsigned n = 0;

        json_each(c, json_getz(json_getz(a->obj, "spec"), lists[i])) {
            struct str policy = json_str(json_getz(c, "imagePullPolicy"));

            if (!str_is(policy, "Always"))
                admit_refuse(a, "spec.%s[%u].imagePullPolicy: Unsupported value: \"%.*s\": supported values: "
                                "\"Always\"", lists[i], n, STR_ARG(policy));
            n++;
        }
    }
}

const struct admit_plugin admit_always_pull = {
    .name = "AlwaysPullImages",
    .match = { { "", "pods", NULL, ADMIT_WRITES, .mutate = mutate, .validate = validate } },
};
