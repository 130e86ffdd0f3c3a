/* api/pod_rules.c: see api/pod_rules.h. */
#include "api/pod_rules.h"

bool pod_has_ended(const struct json *pod)
{
    struct str phase = json_path_str(pod, "status.phase");

    return str_is(phase, "Succeeded") || str_is(phase, "Failed");
}

bool toleration_covers(const struct json *toleration, const struct json *taint)
{
    struct str effect = json_str(json_getz(toleration, "effect")),
               key = json_str(json_getz(toleration, "key"));

    if (effect.n > 0 && !str_eq(effect, json_str(json_getz(taint, "effect"))))
        return false;
    if (key.n > 0 && !str_eq(key, json_str(json_getz(taint, "key"))))
        return false;
    if (str_is(json_str(json_getz(toleration, "operator")), "Exists"))
        return true;
    return key.n > 0 && str_eq(json_str(json_getz(toleration, "value")), json_str(json_getz(taint, "value")));
}

bool pod_tolerates(const struct json *pod_spec, const struct json *taint)
{
    json_each(t, json_getz(pod_spec, "tolerations"))
        if (toleration_covers(t, taint))
            return true;
    return false;
}

int64_t pod_bears(const struct json *pod_spec, const struct json *taint)
{
    int64_t shortest = -1, s;
    bool    any = false;

    json_each(t, json_getz(pod_spec, "tolerations")) {
        if (!toleration_covers(t, taint))
            continue;
        any = true;
        if (!json_i64(json_getz(t, "tolerationSeconds"), &s))
            continue;
        s = MAX_OF(s, 0);
        shortest = shortest < 0 ? s : MIN_OF(shortest, s);
    }
    return any ? shortest : 0;
}
