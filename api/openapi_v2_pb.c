/* api/openapi_v2_pb.c: the OpenAPI 2 document in the protobuf form of gnostic's OpenAPIv2.proto, which is
 * the only one that some clients ask for (kubectl before 1.29, clients that build merge schemas).
 *
 * Made from the JSON document member by member.  Each message of that format is a small table here: JSON
 * name, number, and how the value is written.  What no table names is left out, except x-... members,
 * which go where vendor extensions go. */
#include "net/arena.h"
#include "api/schema.h"
#include "net/pb.h"

enum form {
    F_STRING, F_BOOL, F_STRINGS,                 /* as they are; F_STRINGS repeated */
    F_MESSAGE,                                   /* of `of` */
    F_WRAPPED,                                   /* {1: `of`} */
    F_WRAPPED_NAMED,                             /* {1: repeated {name=1, value=2 `of`}} */
    F_TYPE,                                      /* TypeItem {value=1} */
    F_ANY, F_ANY_LIST,                           /* Any {yaml=2}: JSON is YAML */
    F_RESPONSES, F_PARAMETERS, F_PATHS
};

struct message;
struct member { const char *name; uint32_t number; enum form form; const struct message *of; };
/* vendor: number of its vendor extensions; 0 none */
struct message { const struct member *members; size_t n; uint32_t vendor; };

#define MESSAGE(id, vendor) static const struct message id = { id##_members, ARRAY_LEN(id##_members), vendor }

static const struct message schema;
static const struct member schema_members[] = {
    { "$ref", 1, F_STRING, NULL },
    { "format", 2, F_STRING, NULL },
    { "description", 4, F_STRING, NULL },
    { "default", 5, F_ANY, NULL },
    { "required", 19, F_STRINGS, NULL },
    { "enum", 20, F_ANY_LIST, NULL },
    { "additionalProperties", 21, F_WRAPPED, &schema },
    { "type", 22, F_TYPE, NULL },
    { "items", 23, F_WRAPPED, &schema },
    { "properties", 25, F_WRAPPED_NAMED, &schema },
};
MESSAGE(schema, 31);

static const struct member info_members[] = { { "title", 1, F_STRING, NULL },
                                              { "version", 2, F_STRING, NULL } };
MESSAGE(info, 0);

static const struct member body_members[] = {
    { "description", 1, F_STRING, NULL }, { "name", 2, F_STRING, NULL }, { "in", 3, F_STRING, NULL },
    { "required", 4, F_BOOL, NULL }, { "schema", 5, F_MESSAGE, &schema },
};
MESSAGE(body, 0);

static const struct member query_members[] = {
    { "required", 1, F_BOOL, NULL }, { "in", 2, F_STRING, NULL }, { "description", 3, F_STRING, NULL },
    { "name", 4, F_STRING, NULL }, { "type", 6, F_STRING, NULL },
};
MESSAGE(query, 0);

/* As a query parameter, but without allowEmptyValue, so its type has another number. */
static const struct member in_path_members[] = {
    { "required", 1, F_BOOL, NULL }, { "in", 2, F_STRING, NULL }, { "description", 3, F_STRING, NULL },
    { "name", 4, F_STRING, NULL }, { "type", 5, F_STRING, NULL },
};
MESSAGE(in_path, 0);

static const struct member response_members[] = { { "description", 1, F_STRING, NULL },
                                                  { "schema", 2, F_WRAPPED, &schema } };
MESSAGE(response, 0);

static const struct member operation_members[] = {
    { "description", 3, F_STRING, NULL },       { "produces", 6, F_STRINGS, NULL },
    { "consumes", 7, F_STRINGS, NULL },         { "parameters", 8, F_PARAMETERS, NULL },
    { "responses", 9, F_RESPONSES, &response },
};
MESSAGE(operation, 13);

static const struct member path_members[] = {
    { "get", 2, F_MESSAGE, &operation },   { "put", 3, F_MESSAGE, &operation },
    { "post", 4, F_MESSAGE, &operation },  { "delete", 5, F_MESSAGE, &operation },
    { "patch", 8, F_MESSAGE, &operation }, { "parameters", 9, F_PARAMETERS, NULL },
};
MESSAGE(path, 0);

static const struct member document_members[] = {
    { "swagger", 1, F_STRING, NULL }, { "info", 2, F_MESSAGE, &info }, { "paths", 8, F_PATHS, &path },
    { "definitions", 9, F_WRAPPED_NAMED, &schema },
};
MESSAGE(document, 0);

static void put_message(struct buf *out, const struct message *m, const struct json *j);

/* ---- the wire ------------------------------------------------------------------------------------- */

/* Everything that `inner` holds as one field; releases it. */
static void put_inner(struct buf *out, uint32_t number, struct buf *inner)
{
    pb_put_str(out, number, buf_str(inner));
    buf_release(inner);
}

static void put_any(struct buf *out, uint32_t number, const struct json *v)
{
    struct buf text = BUF_INIT, any = BUF_INIT;

    json_write(&text, v);
    buf_char(&text, '\n');
    put_inner(&any, 2, &text);
    put_inner(out, number, &any);
}

static void put_named(struct buf *out, uint32_t number, const struct message *of, const struct json *member)
{
    struct buf named = BUF_INIT, value = BUF_INIT;

    pb_put_str(&named, 1, member->key);
    put_message(&value, of, member);
    put_inner(&named, 2, &value);
    put_inner(out, number, &named);
}

/* ---- forms that are not regular ------------------------------------------------------------------- */

/* Response codes: {1: {name, value {response=1}}} */
static void put_responses(struct buf *out, uint32_t number, const struct message *of, const struct json *j)
{
    struct buf all = BUF_INIT;

    json_each(v, j) {
        struct buf named = BUF_INIT, value = BUF_INIT, inner = BUF_INIT;

        pb_put_str(&named, 1, v->key);
        put_message(&inner, of, v);
        put_inner(&value, 1, &inner);
        put_inner(&named, 2, &value);
        put_inner(&all, 1, &named);
    }
    put_inner(out, number, &all);
}

/* {parameter=1 {body=1 | other=2 {query=3 | path=4}}} for each. */
static void put_parameters(struct buf *out, uint32_t number, const struct json *j)
{
    json_each(v, j) {
        struct str in = json_str(json_getz(v, "in"));
        struct buf item = BUF_INIT, parameter = BUF_INIT, other = BUF_INIT, inner = BUF_INIT;

        if (str_is(in, "body")) {
            put_message(&inner, &body, v);
            put_inner(&parameter, 1, &inner);
        } else {
            put_message(&inner, str_is(in, "path") ? &in_path : &query, v);
            put_inner(&other, str_is(in, "path") ? 4 : 3, &inner);
            put_inner(&parameter, 2, &other);
        }
        put_inner(&item, 1, &parameter);
        put_inner(out, number, &item);
    }
}

static void put_members(struct buf *out, uint32_t number, uint32_t each, const struct message *of,
                        const struct json *j)
{
    struct buf all = BUF_INIT;

    json_each(v, j)
        put_named(&all, each, of, v);
    put_inner(out, number, &all);
}

/* ---- messages ------------------------------------------------------------------------------------- */

static void put_wrapped(struct buf *out, uint32_t number, const struct message *of, const struct json *v)
{
    struct buf wrapped = BUF_INIT, inner = BUF_INIT;

    put_message(&inner, of, v);
    put_inner(&wrapped, 1, &inner);
    put_inner(out, number, &wrapped);
}

static void put_member(struct buf *out, const struct member *m, const struct json *v)
{
    struct buf inner = BUF_INIT;

    switch (m->form) {
    case F_STRING:
        pb_put_str(out, m->number, json_str(v));
        break;
    case F_BOOL:
        pb_put_int(out, m->number, json_true(v));
        break;
    case F_STRINGS:
        json_each(s, v)
            pb_put_str(out, m->number, json_str(s));
        break;
    case F_MESSAGE:
        put_message(&inner, m->of, v);
        put_inner(out, m->number, &inner);
        break;
    case F_WRAPPED:
        put_wrapped(out, m->number, m->of, v);
        break;
    case F_WRAPPED_NAMED:
        put_members(out, m->number, 1, m->of, v);
        break;
    case F_PATHS:
        put_members(out, m->number, 2, m->of, v);
        break;
    case F_TYPE:
        pb_put_str(&inner, 1, json_str(v));
        put_inner(out, m->number, &inner);
        break;
    case F_ANY:
        put_any(out, m->number, v);
        break;
    case F_ANY_LIST:
        json_each(e, v)
            put_any(out, m->number, e);
        break;
    case F_RESPONSES:
        put_responses(out, m->number, m->of, v);
        break;
    case F_PARAMETERS:
        put_parameters(out, m->number, v);
        break;
    }
}

static void put_message(struct buf *out, const struct message *m, const struct json *j)
{
    for (size_t i = 0; i < m->n; i++) {
        const struct json *v = json_getz(j, m->members[i].name);

        if (v != NULL)
            put_member(out, &m->members[i], v);
    }
    if (m->vendor == 0)
        return;
    json_each(v, j)
        if (str_starts(v->key, STR("x-"))) {
            struct buf named = BUF_INIT;

            pb_put_str(&named, 1, v->key);
            put_any(&named, 2, v);
            put_inner(out, m->vendor, &named);
        }
}

struct blob *openapi_v2_pb(const struct resource_set *all)
{
    struct arena a = ARENA_INIT;
    struct buf out = BUF_INIT;
    struct blob *text = openapi_v2(all), *b;
    struct json_error err;
    struct json *j;

    must_ok(json_parse(&a, blob_str(text), &j, &err));           /* our own text */
    put_message(&out, &document, j);
    b = buf_to_blob(&out);
    buf_release(&out);
    arena_release(&a);
    blob_unref(text);
    return b;
}
