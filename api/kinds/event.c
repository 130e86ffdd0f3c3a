/* api/kinds/event.c: events of both groups; they are stored, and so checked, in the core group's form.
 *
 * Those that carry eventTime follow newer, stricter rules; what comes by the newer group (events.k8s.io)
 * must carry it, must leave the older fields alone, and stays as it was told: only the series goes on. */
#include "api/kinds/kinds_impl.h"

#define SHORT_MAX 128
#define NOTE_MAX  1024

static void check_namespace(struct kind_ctx *c, const struct json *obj, bool newer, struct causes *causes)
{
    struct at  up = AT_KEY(NULL, "involvedObject"), at = AT_KEY(&up, "namespace");
    struct str about = json_path_str(obj, "involvedObject.namespace");
    bool       fits;

    if (about.n == 0)                            /* what has no namespace is told about in a common one */
        fits = str_is(c->ns, "default") || (newer && str_is(c->ns, "kube-system"));
    else
        fits = newer || str_eq(about, c->ns);
    if (!fits)
        cause_invalid(causes, &at, about, "does not match event.namespace");
}

static void check_short(const struct json *obj, const char *key, struct causes *causes)
{
    struct at at = AT_STR(NULL, str_of(key));
    size_t    n = json_str(json_getz(obj, key)).n;

    if (n == 0)
        cause_required(causes, &at, "");
    else if (n > SHORT_MAX)
        cause_invalid(causes, &at, STR(""), "can have at most 128 characters");
}

static void check_newer(const struct json *obj, struct causes *causes)
{
    struct at  component = AT_KEY(NULL, "reportingComponent"), message = AT_KEY(NULL, "message");
    struct str s = json_str(json_getz(obj, "reportingComponent"));

    if (s.n == 0)
        cause_required(causes, &component, "");
    check_text(name_check_qualified, s, &component, causes);
    check_short(obj, "reportingInstance", causes);
    check_short(obj, "action", causes);
    check_short(obj, "reason", causes);
    if (json_str(json_getz(obj, "message")).n > NOTE_MAX)
        cause_invalid(causes, &message, STR(""), "can have at most 1024 characters");
}

static bool by_newer_group(const struct kind_ctx *c) { return c->asked != c->res; }

static void check_unset(const struct json *obj, const char *key, struct causes *causes)
{
    const struct json *v = json_getz(obj, key);
    struct at          at = AT_STR(NULL, str_of(key));
    int64_t            n;

    if (!json_is_blank(v) && !(json_i64(v, &n) && n == 0))
        cause_invalid_raw(causes, &at, json_text(causes->arena, v), "needs to be unset");
}

/* What the newer group asks of a new event beyond check_newer(). */
static void check_new_by_newer_group(const struct json *obj, struct causes *causes)
{
    static const char *const older[] = { "firstTimestamp", "lastTimestamp", "count", "source" };
    struct at  time = AT_KEY(NULL, "eventTime"), at_type = AT_KEY(NULL, "type");
    struct str type = json_str(json_getz(obj, "type"));

    if (json_str(json_getz(obj, "eventTime")).n == 0) {
        cause_required(causes, &time, "");
        check_newer(obj, causes);
    }
    if (!str_is(type, "Normal") && !str_is(type, "Warning"))
        cause_invalid(causes, &at_type, type, "has invalid value");
    for (size_t i = 0; i < ARRAY_LEN(older); i++)
        check_unset(obj, older[i], causes);
}

static void event_validate(struct kind_ctx *c, const struct json *obj, struct causes *causes)
{
    bool newer = json_str(json_getz(obj, "eventTime")).n > 0;

    check_namespace(c, obj, newer, causes);
    if (newer)
        check_newer(obj, causes);
    if (c->creating && by_newer_group(c))
        check_new_by_newer_group(obj, causes);
}

/* What is told once stays; by the core group anything may be written over. */
static void event_validate_update(struct kind_ctx *c, const struct json *old, const struct json *obj,
                                  struct causes *causes)
{
    static const char *const fixed[] = {
        "involvedObject", "reason", "message", "source",  "firstTimestamp",     "lastTimestamp",     "count",
        "eventTime",      "type",   "action",  "related", "reportingComponent", "reportingInstance",
    };

    if (!by_newer_group(c))
        return;
    for (size_t i = 0; i < ARRAY_LEN(fixed); i++) {
        const struct json *was = json_getz(old, fixed[i]), *now = json_getz(obj, fixed[i]);
        struct at          at = AT_STR(NULL, str_of(fixed[i]));

        if (json_is_blank(was) != json_is_blank(now) || (!json_is_blank(was) && !json_equal(was, now)))
            cause_invalid_raw(causes, &at, json_text(causes->arena, now), "field is immutable");
    }
}

const struct kind_hooks kind_core_events = {
    .group = "", .plural = "events", .unconditional_update = true, .create_on_update = true,
    .validate = event_validate, .validate_update = event_validate_update,
};
