/* ctrl/objects.c: see ctrl/objects.h. */
#include "api/time_fmt.h"
#include "ctrl/objects.h"

const struct json *controller_ref(const struct json *obj)
{
    json_each(o, json_path(obj, "metadata.ownerReferences"))
        if (json_true(json_getz(o, "controller")))
            return o;
    return NULL;
}

struct str controller_uid(const struct json *obj) { return json_str(json_getz(controller_ref(obj), "uid")); }

struct json *owner_ref_new(struct arena *a, const char *api_version, const char *kind,
                           const struct json *owner)
{
    struct json *r = json_object(a);

    json_setz(a, r, "apiVersion", json_string(a, str_of(api_version)));
    json_setz(a, r, "kind", json_string(a, str_of(kind)));
    json_setz(a, r, "name", json_string(a, meta_str(owner, "name")));
    json_setz(a, r, "uid", json_string(a, meta_str(owner, "uid")));
    json_setz(a, r, "controller", json_bool(a, true));
    json_setz(a, r, "blockOwnerDeletion", json_bool(a, true));
    return r;
}

bool has_finalizer(const struct json *obj, const char *name)
{
    json_each(f, json_path(obj, "metadata.finalizers"))
        if (str_is(json_str(f), name))
            return true;
    return false;
}

/* ---- Conditions --------------------------------------------------------------------------------- */

static struct json *find(const struct json *conditions, const char *type)
{
    json_each(c, conditions)
        if (str_is(json_str(json_getz(c, "type")), type))
            return c;
    return NULL;
}

const struct json *condition_get(const struct json *obj, const char *type)
{
    return find(json_path(obj, "status.conditions"), type);
}

bool condition_is(const struct json *obj, const char *type, const char *status)
{
    return str_is(json_str(json_getz(condition_get(obj, type), "status")), status);
}

bool condition_set(struct arena *a, struct json *conditions, const char *type, const char *status,
                   const char *reason, struct str message, struct str now)
{
    struct json *c = find(conditions, type);
    bool same_status = c != NULL && str_is(json_str(json_getz(c, "status")), status);

    if (same_status && str_is(json_str(json_getz(c, "reason")), reason) &&
        str_eq(json_str(json_getz(c, "message")), message))
        return false;
    if (c == NULL) {
        c = json_push(conditions, json_object(a));
        json_setz(a, c, "type", json_string(a, str_of(type)));
    }
    json_setz(a, c, "status", json_string(a, str_of(status)));
    json_setz(a, c, "reason", json_string(a, str_of(reason)));
    json_setz(a, c, "message", json_string(a, message));
    json_setz(a, c, "lastUpdateTime", json_string(a, now));
    if (!same_status)
        json_setz(a, c, "lastTransitionTime", json_string(a, now));
    return true;
}

bool condition_drop(struct json *conditions, const char *type)
{
    size_t i = 0;

    json_each(c, conditions) {
        if (str_is(json_str(json_getz(c, "type")), type)) {
            json_remove_at(conditions, i);
            return true;
        }
        i++;
    }
    return false;
}

/* ---- Pods --------------------------------------------------------------------------------------- */

bool pod_is_active(const struct json *pod) { return !pod_has_ended(pod) && !is_being_deleted(pod); }
bool pod_is_ready(const struct json *pod) { return condition_is(pod, "Ready", "True"); }

bool pod_is_available(const struct json *pod, int64_t min_ready_s, int64_t now_s, uint64_t *ret_left_ms)
{
    int64_t since;
    uint32_t ns;

    *ret_left_ms = 0;
    if (!pod_is_ready(pod))
        return false;
    if (min_ready_s <= 0)
        return true;
    if (!time_parse(json_str(json_getz(condition_get(pod, "Ready"), "lastTransitionTime")), &since, &ns))
        return false;
    if (since + min_ready_s <= now_s)
        return true;
    *ret_left_ms = (uint64_t)(since + min_ready_s - now_s) * 1000;
    return false;
}

int64_t count_or_percent(const struct json *v, int64_t total, bool round_up, int64_t otherwise)
{
    struct str s = json_str(v);
    int64_t n;

    if (json_i64(v, &n))
        return n;
    if (s.n < 2 || s.p[s.n - 1] != '%' || !str_i64(str_upto(s, s.n - 1), &n) || n < 0 || n > 1000000)
        return otherwise;
    return (n * total + (round_up ? 99 : 0)) / 100;
}
