/* api/patch.c: see api/patch.h. */
#include "api/patch.h"
#include "api/decode.h"
#include "api/json_patch.h"
#include "api/merge_patch.h"

#define PATCH_TYPES "application/json-patch+json, application/merge-patch+json, " \
                    "application/strategic-merge-patch+json, application/apply-patch+yaml, " \
                    "application/apply-patch+cbor"

/* The schemas of custom kinds have no merge keys. */
#define CUSTOM_PATCH_TYPES "application/json-patch+json, application/merge-patch+json, " \
                           "application/apply-patch+yaml, application/apply-patch+cbor"

static void does_not_fit(struct call *c, const char *why)
{
    call_fail(c, 422, REASON_INVALID, "the server rejected our request due to an error in our request: %s",
              why);
}

static struct json *apply_json_patch(struct call *c, struct json *obj, const struct json *patch)
{
    struct errbuf err = { "" };
    struct json  *ret;
    int           rc = json_patch_apply(c->arena, obj, patch, &ret, &err);

    if (rc == 0)
        return ret;
    if (rc == E_TOOBIG)
        call_fail(c, 413, REASON_TOO_LARGE, "Request entity too large: %s", err.s);
    else if (rc == E_CONFLICT)
        does_not_fit(c, err.s);
    else
        call_bad_request(c, "error decoding patch: %s", err.s);
    return NULL;
}

static struct json *apply_merge_patch(struct call *c, struct json *obj, const struct json *patch)
{
    if (json_is(patch, JSON_OBJECT))
        return merge_patch_apply(c->arena, obj, patch);
    call_bad_request(c, "error decoding patch: a merge patch must be an object");
    return NULL;
}

static struct json *apply_strategic(struct call *c, const struct schema_kind *k, struct json *obj,
                                    const struct json *patch)
{
    struct errbuf err = { "" };
    struct json  *ret;

    if (!json_is(patch, JSON_OBJECT)) {
        call_bad_request(c, "error decoding patch: a strategic merge patch must be an object");
        return NULL;
    }
    if (schema_strategic_merge(k->type, obj, patch, c->arena, &ret, &err) == 0)
        return ret;
    call_bad_request(c, "unable to apply the patch: %s", err.s);
    return NULL;
}

/* What a patch may not make of an object: another kind. */
static bool same_type(struct call *c, const struct json *old, const struct json *obj)
{
    static const char *const fixed[] = { "apiVersion", "kind" };

    if (!json_is(obj, JSON_OBJECT)) {
        call_bad_request(c, "the patch does not leave an object");
        return false;
    }
    for (size_t i = 0; i < ARRAY_LEN(fixed); i++)
        if (!str_eq(json_str(json_getz(old, fixed[i])), json_str(json_getz(obj, fixed[i])))) {
            call_bad_request(c, "%s of an object cannot be changed by a patch", fixed[i]);
            return false;
        }
    return true;
}

struct json *patch_apply(struct call *c, const struct schema_kind *k, const struct json *old)
{
    enum body_format format = body_format_of(exchange_header(c->x, "Content-Type"));
    struct json     *patch, *obj = json_copy(c->arena, old);

    if (format != BODY_JSON_PATCH && format != BODY_MERGE_PATCH &&
        (format != BODY_STRATEGIC_PATCH || k->type->user != NULL)) {
        call_fail(c, 415, REASON_MEDIA_TYPE,
                  "the body of the request was in an unknown format - accepted media types include: %s",
                  k->type->user != NULL ? CUSTOM_PATCH_TYPES : PATCH_TYPES);
        return NULL;
    }
    patch = decode_plain(c);
    if (patch == NULL)
        return NULL;
    if (format == BODY_JSON_PATCH)
        obj = apply_json_patch(c, obj, patch);
    else if (format == BODY_MERGE_PATCH)
        obj = apply_merge_patch(c, obj, patch);
    else
        obj = apply_strategic(c, k, obj, patch);
    if (obj == NULL || !same_type(c, old, obj) || !decode_conform(c, k, obj))
        return NULL;
    return obj;
}
