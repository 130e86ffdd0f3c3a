/* api/decode.c: see api/decode.h. */
#include "api/decode.h"
#include "api/cbor.h"
#include "api/yaml.h"

#define BODY_TYPES "application/json, application/yaml, application/vnd.kubernetes.protobuf, " \
                   "application/cbor"

#define CUSTOM_BODY_TYPES "application/json, application/yaml, application/cbor"

static void unsupported(struct call *c, const char *types)
{
    call_fail(c, 415, REASON_MEDIA_TYPE,
              "the body of the request was in an unknown format - accepted media types include: %s", types);
}

static void unreadable(struct call *c, const struct json_error *why)
{
    call_bad_request(c, "the object provided is unrecognized: line %u, column %u: %s", why->line,
                     why->column, why->text);
}

static struct json *parse_text(struct call *c, bool yaml)
{
    struct json_error why = { 0 };
    struct json      *obj;
    int rc = yaml ? yaml_parse(c->arena, c->x->body, &obj, &why) : json_parse(c->arena, c->x->body, &obj,
            &why);

    if (rc < 0) {
        unreadable(c, &why);
        return NULL;
    }
    return obj;
}

static struct json *parse_binary(struct call *c, bool cbor)
{
    const struct schema_kind *k;
    struct errbuf             err;
    struct json              *obj;
    int rc;

    if (cbor)
        rc = cbor_parse(c->arena, c->x->body, &obj, &err);
    else
        rc = schema_pb_decode(c->x->body, c->arena, &obj, &k, &err);
    if (rc < 0) {
        call_bad_request(c, "the object provided is unrecognized: %s", err.s);
        return NULL;
    }
    return obj;
}

static enum body_format format_of(const struct call *c)
{
    return body_format_of(exchange_header(c->x, "Content-Type"));
}

struct json *decode_plain(struct call *c)
{
    switch (format_of(c)) {
    case BODY_YAML: case BODY_APPLY_PATCH:      return parse_text(c, true);
    case BODY_CBOR: case BODY_APPLY_PATCH_CBOR: return parse_binary(c, true);
    case BODY_PROTOBUF:                         return parse_binary(c, false);
    default:                                    return parse_text(c, false);
    }
}

static bool string_or_absent(const struct json *obj, const char *key)
{
    const struct json *m = json_getz(obj, key);

    return m == NULL || m->type == JSON_STRING || m->type == JSON_NULL;
}

/* What the body says it is must be what this path takes. */
static bool check_type(struct call *c, const struct schema_kind *k, struct json *obj)
{
    struct str want = schema_api_version(c->arena, k), version, kind;

    if (!json_is(obj, JSON_OBJECT)) {
        call_bad_request(c, "the object provided is unrecognized (must be of type %s): it is not an object",
                         k->kind);
        return false;
    }
    if (!string_or_absent(obj, "apiVersion") || !string_or_absent(obj, "kind")) {
        call_bad_request(c, "the object provided is unrecognized (must be of type %s): apiVersion and kind "
                            "must be strings", k->kind);
        return false;
    }
    version = json_str(json_getz(obj, "apiVersion"));
    kind = json_str(json_getz(obj, "kind"));
    if (version.n > 0 && !str_eq(version, want)) {
        call_bad_request(c, "the API version in the data (%.*s) does not match the expected API version "
                            "(%.*s)", STR_ARG(version), STR_ARG(want));
        return false;
    }
    if (kind.n > 0 && !str_is(kind, k->kind)) {
        call_bad_request(c, "%.*s in version \"%s\" cannot be handled as a %s: the kind does not match",
                         STR_ARG(kind), k->version, k->kind);
        return false;
    }
    json_setz(c->arena, obj, "apiVersion", json_string_ref(c->arena, want));
    json_setz(c->arena, obj, "kind", json_string_ref(c->arena, str_of(k->kind)));
    return true;
}

static void strict_error(struct call *c, const struct schema_kind *k, const struct causes *found)
{
    struct buf b = BUF_INIT;

    for (const struct cause *w = found->first; w != NULL; w = w->next) {
        if (b.n > 0)
            buf_z(&b, ", ");
        buf_str_add(&b, w->message);
    }
    call_bad_request(c, "%s in version \"%s\" cannot be handled as a %s: strict decoding error: %.*s",
                     k->kind, k->version, k->kind,
                     (int)b.n, b.p);
    buf_release(&b);
}

typedef int conform_fn(const struct schema_kind *k, struct json *obj, struct arena *a, struct causes *found,
                       struct errbuf *err);

static bool conform_by(struct call *c, conform_fn *conform, const struct schema_kind *k, struct json *obj)
{
    struct causes found;
    struct errbuf err;

    causes_init(&found, c->arena);
    if (conform(k, obj, c->arena, &found, &err) < 0) {
        call_bad_request(c, "%s", err.s);
        return false;
    }
    if (found.n == 0 || c->rq.opt.validation == FIELDS_IGNORE)
        return true;
    if (c->rq.opt.validation == FIELDS_STRICT) {
        strict_error(c, k, &found);
        return false;
    }
    if (c->tries == 0)                           /* a repeated try would warn of the same again */
        for (const struct cause *w = found.first; w != NULL; w = w->next)
            cause_add(&c->warnings, w->reason, NULL, "%.*s", STR_ARG(w->message));
    return true;
}

bool decode_conform(struct call *c, const struct schema_kind *k, struct json *obj)
{
    return conform_by(c, schema_conform, k, obj);
}

struct json *decode_body(struct call *c, const struct schema_kind *k)
{
    enum body_format format = format_of(c);
    struct json     *obj;

    if ((format != BODY_JSON && format != BODY_YAML && format != BODY_PROTOBUF && format != BODY_CBOR) ||
        (format == BODY_PROTOBUF && k->type->user != NULL)) {
        unsupported(c, k->type->user != NULL ? CUSTOM_BODY_TYPES : BODY_TYPES);
        return NULL;
    }
    obj = decode_plain(c);
    if (obj == NULL || !check_type(c, k, obj) || !decode_conform(c, k, obj))
        return NULL;
    return obj;
}

bool decode_check_name(struct call *c, const struct json *obj)
{
    struct str name = json_path_str(obj, "metadata.name");

    if (name.n == 0 || c->rq.name.n == 0 || str_eq(name, c->rq.name))
        return true;
    call_bad_request(c, "the name of the object (%.*s) does not match the name on the URL (%.*s)",
                     STR_ARG(name), STR_ARG(c->rq.name));
    return false;
}

bool decode_check_namespace(struct call *c, const struct json *obj)
{
    struct str ns = json_path_str(obj, "metadata.namespace");

    if (!c->res->namespaced || ns.n == 0 || str_eq(ns, c->rq.ns))
        return true;
    call_bad_request(c, "the namespace of the provided object does not match the namespace sent on the "
                        "request");
    return false;
}

struct json *decode_applied(struct call *c, const struct schema_kind *k)
{
    static const char *const needed[] = { "apiVersion", "kind" };
    struct json *obj = decode_plain(c);

    if (obj == NULL)
        return NULL;
    for (size_t i = 0; i < ARRAY_LEN(needed); i++)
        if (json_is(obj, JSON_OBJECT) && json_str(json_getz(obj, needed[i])).n == 0) {
            call_bad_request(c, "error decoding patch: %s must be set in what is applied", needed[i]);
            return NULL;
        }
    if (!check_type(c, k, obj) || !conform_by(c, schema_conform_applied, k, obj) ||
        !decode_check_name(c, obj))
        return NULL;
    if (json_path(obj, "metadata.managedFields") != NULL) {
        call_bad_request(c, "metadata.managedFields must be nil");
        return NULL;
    }
    return obj;
}
