/* api/admit/default_tolerations.c: DefaultTolerationSeconds: pods stay for a while on a node that is lost. */
#include "api/admit/plugin.h"
#include "api/kinds/kinds_impl.h"

#define EVICT_AFTER_S 300

static bool tolerates(const struct json *tolerations, const char *key)
{
    json_each(it, tolerations) {
        struct str its_key = json_str(json_getz(it, "key")), effect = json_str(json_getz(it, "effect"));

        if ((its_key.n == 0 || str_is(its_key, key)) && (effect.n == 0 || str_is(effect, "NoExecute")))
            return true;
    }
    return false;
}

static void mutate(struct admission *a)
{
    static const char *const keys[] = { "node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable" };
    struct arena *arena = a->k->arena;
    struct json  *spec = json_getz(a->obj, "spec");

    for (size_t i = 0; i < ARRAY_LEN(keys) && json_is(spec, JSON_OBJECT); i++) {
        struct json *list = json_getz(spec, "tolerations"), *t;

        if (tolerates(list, keys[i]))
            continue;
        if (!json_is(list, JSON_ARRAY))
            list = json_setz(arena, spec, "tolerations", json_array(arena));
        t = json_push(list, json_object(arena));
        json_setz(arena, t, "key", json_string_ref(arena, str_of(keys[i])));
        json_setz(arena, t, "operator", json_string_ref(arena, STR("Exists")));
        json_setz(arena, t, "effect", json_string_ref(arena, STR("NoExecute")));
        json_setz(arena, t, "tolerationSeconds", json_int(arena, EVICT_AFTER_S));
    }
}

const struct admit_plugin admit_default_tolerations = {
    .name = "DefaultTolerationSeconds", .on = true,
    .match = { { "", "pods", NULL, ADMIT_CREATE, .mutate = mutate } },
};
