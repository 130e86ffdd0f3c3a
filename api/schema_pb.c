/* api/schema_pb.c: Kubernetes protobuf to a tree.
 *
 * The envelope is "k8s\0" and a message Unknown{typeMeta=1 {apiVersion=1, kind=2}, raw=2}; raw is the
 * object by the numbers of the schema.  What the encoder of the original writes is odd in places, and
 * undone here: fields that are no pointers are written even when zero (and dropped here, as its JSON
 * encoder would), an empty message is a zero time, Go's embedded structs are messages of their own while
 * in JSON their fields stand in the parent. Numbers we don't know are skipped, as protobuf wants; wrong
 * wire types and cut messages are errors.  The tree refers to the input where it can. */
#include <stdio.h>
#include "api/json_index.h"
#include "api/quantity.h"
#include "api/schema.h"
#include "api/time_fmt.h"
#include "api/utf8.h"
#include "net/pb.h"

#define OBJECT_MAX_DEPTH 100
/* map whose keys did not come in ascending order: may have duplicates */
#define PB_F_UNSORTED 0x80u

struct pb { struct arena *arena; struct errbuf *err; unsigned depth; };

static int decode_object(struct pb *p, const struct schema_type *t, uint32_t in_message, struct str in,
                         struct json *obj);
static int decode_envelope(struct pb *p, struct str in, struct json **ret,
                           const struct schema_kind **ret_kind);

/* ---- the wire ----------------------------------------------------------------------------------- */

static int bad(struct pb *p, const char *what) { return err_set(p->err, E_INVALID, "protobuf: %s", what); }

/* Cut the next field off *in. */
static int next_item(struct pb *p, struct str *in, struct pb_item *ret)
{
    const char *wrong = pb_next(in, ret);

    return wrong == NULL ? 0 : bad(p, wrong);
}

/* One field of a small message: 0 found, 1 absent (the last one counts). */
static int find_item(struct pb *p, struct str in, uint32_t number, enum pb_wire wire, struct pb_item *ret)
{
    struct pb_item item;
    int found = 1, rc;

    while (in.n > 0) {
        if ((rc = next_item(p, &in, &item)) < 0)
            return rc;
        if (item.number != number)
            continue;
        if (item.wire != wire)
            return bad(p, "wrong wire type");
        *ret = item;
        found = 0;
    }
    return found;
}

/* ---- values -------------------------------------------------------------------------------------- */

static struct json *number(struct pb *p, int64_t v)
{
    struct json *j = json_new(p->arena, JSON_NUMBER);
    char text[24], *at = text + sizeof(text);
    uint64_t u = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;

    do
        *--at = (char)('0' + u % 10);
    while ((u /= 10) > 0);
    if (v < 0)
        *--at = '-';
    j->s = arena_str(p->arena, str_make(at, (size_t)(text + sizeof(text) - at)));
    return j;
}

/* Nearly all strings are ASCII: eight bytes at a time are enough to see that. */
static bool is_text(struct str s)
{
    uint64_t high = 0, word;
    size_t i = 0;

    for (; i + sizeof(word) <= s.n; i += sizeof(word)) {
        memcpy(&word, s.p + i, sizeof(word));
        high |= word;
    }
    for (; i < s.n; i++)
        high |= (unsigned char)s.p[i];
    return (high & 0x8080808080808080u) == 0 || utf8_valid(s);
}

static int string(struct pb *p, struct str s, struct json **ret)
{
    if (!is_text(s))
        return bad(p, "a string is not UTF-8");
    *ret = json_string_ref(p->arena, s.n > 0 ? s : STR(""));
    return 0;
}

static struct json *base64(struct pb *p, struct str s)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t n = (s.n + 2) / 3 * 4, o = 0;
    char *to = arena_alloc(p->arena, n + 1);

    for (size_t i = 0; i < s.n; i += 3) {
        uint32_t v = (uint32_t)(unsigned char)s.p[i] << 16;

        v |= i + 1 < s.n ? (uint32_t)(unsigned char)s.p[i + 1] << 8 : 0;
        v |= i + 2 < s.n ? (uint32_t)(unsigned char)s.p[i + 2] : 0;
        to[o++] = digits[v >> 18];
        to[o++] = digits[v >> 12 & 63];
        to[o++] = i + 1 < s.n ? digits[v >> 6 & 63] : '=';
        to[o++] = i + 2 < s.n ? digits[v & 63] : '=';
    }
    return json_string_ref(p->arena, str_make(to, n));
}

static int real_number(struct pb *p, uint64_t bits, struct json **ret)
{
    double d;

    memcpy(&d, &bits, sizeof(d));
    if (d != d || d - d != 0)
        return bad(p, "a number is infinite or none");
    *ret = json_new(p->arena, JSON_NUMBER);
    (*ret)->s = json_double_text(p->arena, d);
    return 0;
}

/* {seconds=1, nanos=2}; nothing at all is the zero time, for which *ret stays NULL. */
static int timestamp(struct pb *p, struct str in, bool micro, struct json **ret)
{
    struct pb_item s = { 0 }, ns = { 0 };
    int has_s = find_item(p, in, 1, PB_VARINT, &s), has_ns = find_item(p, in, 2, PB_VARINT, &ns);

    if (has_s < 0 || has_ns < 0)
        return E_INVALID;
    if (in.n == 0)
        return 0;
    if (ns.value >= 1000000000 || (int64_t)s.value < -62167219200 || (int64_t)s.value > 253402300799)
        return bad(p, "a time is out of range");
    *ret = json_string_ref(p->arena, micro ? time_micro_text(p->arena, (int64_t)s.value, (uint32_t)ns.value)
                                           : time_text(p->arena, (int64_t)s.value));
    return 0;
}

/* {type=1 (0 number, 1 string), intVal=2, strVal=3} */
static int int_or_string(struct pb *p, struct str in, struct json **ret)
{
    struct pb_item type = { 0 }, n = { 0 }, s = { 0 };
    int a = find_item(p, in, 1, PB_VARINT, &type), b = find_item(p, in, 2, PB_VARINT, &n);
    int c = find_item(p, in, 3, PB_BYTES, &s);

    if (a < 0 || b < 0 || c < 0)
        return E_INVALID;
    if (type.value > 1)
        return bad(p, "neither number nor string");
    if (type.value == 1)
        return string(p, s.bytes, ret);
    *ret = number(p, (int32_t)n.value);
    return 0;
}

/* {number=1: bytes} -> the bytes */
static int inner_bytes(struct pb *p, struct str in, struct str *ret)
{
    struct pb_item item = { .bytes = STR("") };
    int rc = find_item(p, in, 1, PB_BYTES, &item);

    if (rc >= 0)
        *ret = item.bytes;
    return rc < 0 ? rc : 0;
}

static unsigned depth_of(const struct json *j)
{
    unsigned deepest = 0;

    json_each(v, j) {
        unsigned d = depth_of(v);
        deepest = MAX_OF(deepest, d);
    }
    return deepest + 1;
}

/* FieldsV1 and RawExtension carry JSON; the latter may also hold an object in an envelope of its own.  The
 * whole tree must stay one that json_parse() takes: it is stored as JSON. */
static int inner_json(struct pb *p, struct str in, struct json **ret)
{
    struct json_error err;
    struct str raw;
    int rc = inner_bytes(p, in, &raw);

    if (rc < 0 || raw.n == 0)
        return rc;
    if (str_starts(raw, str_make("k8s", 4))) {
        const struct schema_kind *k;
        return decode_envelope(p, raw, ret, &k);
    }
    if (json_parse(p->arena, raw, ret, &err) < 0)
        return err_set(p->err, E_INVALID, "protobuf: embedded JSON: %s", err.text);
    if (2 * p->depth + depth_of(*ret) + 2 > JSON_MAX_DEPTH)          /* a message may be two levels of JSON */
        return err_set(p->err, E_TOOBIG, "protobuf: embedded JSON: nested too deep");
    return 0;
}

static int strings(struct pb *p, struct str in, struct json **ret)
{
    struct json *list = json_array(p->arena);
    struct pb_item item;
    int rc;

    while (in.n > 0) {
        struct json *v;

        if ((rc = next_item(p, &in, &item)) < 0)
            return rc;
        if (item.number != 1)
            continue;
        if (item.wire != PB_BYTES)
            return bad(p, "wrong wire type");
        if ((rc = string(p, item.bytes, &v)) < 0)
            return rc;
        json_push(list, v);
    }
    *ret = list;
    return 0;
}

/* The one field that is set stands for the whole; beside others a boolean says nothing. */
static int either(struct pb *p, const struct schema_type *t, struct str in, struct json **ret)
{
    struct json *obj = json_object(p->arena), *best = NULL;
    int rc = decode_object(p, t, 0, in, obj);

    json_each(v, obj)
        if (best == NULL || best->type == JSON_BOOL)
            best = v;
    *ret = best;
    return rc;
}

static enum pb_wire wire_of(const struct schema_field *f)
{
    switch ((enum schema_base)f->base) {
    case SCHEMA_BOOL: case SCHEMA_INT32: case SCHEMA_INT64:
        return PB_VARINT;
    case SCHEMA_DOUBLE:
        return PB_FIXED64;
    default:
        return PB_BYTES;
    }
}

/* Small messages that stand for one JSON value. */
static int decode_wrapped(struct pb *p, const struct schema_field *f, struct str in, struct json **ret)
{
    struct pb_item item = { 0 };
    struct str text;
    int rc;

    switch ((enum schema_base)f->base) {
    case SCHEMA_TIME: case SCHEMA_MICROTIME:
        return timestamp(p, in, f->base == SCHEMA_MICROTIME, ret);
    case SCHEMA_INT_OR_STRING:
        return int_or_string(p, in, ret);
    case SCHEMA_QUANTITY:
        if ((rc = inner_bytes(p, in, &text)) < 0)
            return rc;
        return string(p, text.n > 0 ? text : STR("0"), ret);
    case SCHEMA_DURATION:
        if ((rc = find_item(p, in, 1, PB_VARINT, &item)) < 0)
            return rc;
        *ret = json_string_ref(p->arena, duration_text(p->arena, (int64_t)item.value));
        return 0;
    case SCHEMA_STRINGS:
        return strings(p, in, ret);
    default:
        return f->either != NULL ? either(p, f->either, in, ret) : inner_json(p, in, ret);
    }
}

/* One value; into `was` if that is given and an object (a message may come in parts).  *ret stays NULL
 * where nothing is to be kept. */
static int decode_value(struct pb *p, const struct schema_field *f, const struct pb_item *item,
                        struct json *was, struct json **ret)
{
    if (item->wire != wire_of(f))
        return bad(p, "wrong wire type");
    switch ((enum schema_base)f->base) {
    case SCHEMA_STRING:
        return string(p, item->bytes, ret);
    case SCHEMA_BOOL:
        *ret = json_bool(p->arena, item->value != 0);
        return 0;
    case SCHEMA_INT32:
        *ret = number(p, (int32_t)item->value);
        return 0;
    case SCHEMA_INT64:
        *ret = number(p, (int64_t)item->value);
        return 0;
    case SCHEMA_DOUBLE:
        return real_number(p, item->value, ret);
    case SCHEMA_BYTES:
        *ret = base64(p, item->bytes);
        return 0;
    case SCHEMA_OBJECT:
        *ret = was != NULL ? was : json_object(p->arena);
        return decode_object(p, f->type, 0, item->bytes, *ret);
    default:
        return decode_wrapped(p, f, item->bytes, ret);
    }
}

/* ---- lists and maps ------------------------------------------------------------------------------ */

/* Numbers may come packed: many in one run of bytes. */
static int decode_packed(struct pb *p, const struct schema_field *f, struct str in, struct json *list)
{
    struct pb_item item = { .wire = wire_of(f) };

    while (in.n > 0) {
        struct json *v = NULL;
        bool whole = item.wire == PB_FIXED64 ? str_le64(&in, &item.value) : str_varint(&in, &item.value);
        int rc = whole ? decode_value(p, f, &item, NULL, &v) : bad(p, "bad number");

        if (rc < 0)
            return rc;
        json_append(list, STR_NONE, v);
    }
    return 0;
}

static int decode_element(struct pb *p, const struct schema_field *f, const struct pb_item *item,
                          struct json *list)
{
    struct json *v = NULL;
    int rc;

    if (item->wire == PB_BYTES && wire_of(f) != PB_BYTES)
        return decode_packed(p, f, item->bytes, list);
    rc = decode_value(p, f, item, NULL, &v);
    if (rc == 0 && v != NULL)
        json_append(list, STR_NONE, v);
    return rc;
}

/* {key=1, value=2} */
static int decode_entry(struct pb *p, const struct schema_field *f, const struct pb_item *item,
                        struct json *map)
{
    struct pb_item key = { .bytes = STR("") }, value = { .wire = wire_of(f), .bytes = STR("") };
    struct json *v = NULL;
    int rc;

    if (item->wire != PB_BYTES)
        return bad(p, "wrong wire type");
    if ((rc = find_item(p, item->bytes, 1, PB_BYTES, &key)) < 0
        || (rc = find_item(p, item->bytes, 2, value.wire, &value)) < 0
        || (rc = decode_value(p, f, &value, NULL, &v)) < 0)
        return rc;
    if (!is_text(key.bytes))
        return bad(p, "a key is not UTF-8");
    if (map->n > 0 && str_cmp(map->last->key, key.bytes) >= 0)
        map->flags |= PB_F_UNSORTED;
    if (v != NULL)
        json_append(map, key.bytes, v);
    return 0;
}

/* Of equal keys the last one counts. */
static void drop_duplicates(struct pb *p, struct json *map)
{
    struct json out = { .type = JSON_OBJECT }, *next;
    struct json_index ix;

    json_index_make(p->arena, &ix, &out, map->n);
    for (struct json *v = map->first; v != NULL; v = next) {
        struct json *was = json_index_add(&ix, v);

        next = v->next;
        if (was == NULL) {
            json_append(&out, v->key, v);
        } else {
            struct json *after = was->next;

            *was = *v;
            was->next = after;
        }
    }
    map->first = out.first;
    map->last = out.last;
    map->n = out.n;
    map->flags &= (uint8_t)~PB_F_UNSORTED;
}

/* ---- objects ------------------------------------------------------------------------------------- */

/* The member that a field has already; keys of members made here are the tables' own, so pointers compare. */
static struct json *member_of(const struct json *obj, const struct schema_field *f)
{
    if (obj->n == 0)
        return NULL;
    if (obj->last->key.p == f->name.p)
        return obj->last;
    json_each(v, obj)
        if (v->key.p == f->name.p)
            return v;
    return NULL;
}

static int decode_field(struct pb *p, const struct schema_field *f, const struct pb_item *item,
                        struct json *obj)
{
    struct json *was = member_of(obj, f), *v = NULL;
    int rc;

    if (f->shape != SCHEMA_ONE) {
        if (was == NULL) {
            was = json_new(p->arena, f->shape == SCHEMA_LIST ? JSON_ARRAY : JSON_OBJECT);
            json_append(obj, f->name, was);
        }
        return f->shape == SCHEMA_LIST ? decode_element(p, f, item, was) : decode_entry(p, f, item, was);
    }
    rc = decode_value(p, f, item, f->base == SCHEMA_OBJECT ? was : NULL, &v);
    if (rc < 0)
        return rc;
    if (was != NULL && v != was)
        json_del(obj, f->name);
    if (v != NULL && v != was && !schema_says_nothing(f, v))
        json_append(obj, f->name, v);
    return 0;
}

static bool is_on_path(uint32_t path, uint32_t message)
{
    while (path > message)
        path >>= 8;
    return path == message;
}

/* The field with this number; *ret_inlined tells that the number is that of a message whose fields are
 * inlined.  in_message: the path of inlined messages that we are in, as schema_field.pb_inline. */
static const struct schema_field *field_by_number(const struct schema_type *t, uint32_t in_message,
                                                  uint32_t number, bool *ret_inlined)
{
    *ret_inlined = false;
    if (in_message == 0 && number < t->n_by_pb && t->by_pb[number] != 0)
        return &t->fields[t->by_pb[number] - 1];
    for (unsigned i = 0; i < t->n_fields; i++) {
        const struct schema_field *f = &t->fields[i];

        if (f->pb_inline == 0)
            continue;
        if (f->pb_inline == in_message && f->pb == number)
            return f;
        if (number <= 0xff && is_on_path(f->pb_inline, in_message << 8 | number)) {
            *ret_inlined = true;
            return f;
        }
    }
    return NULL;
}

static int decode_object(struct pb *p, const struct schema_type *t, uint32_t in_message, struct str in,
                         struct json *obj)
{
    struct pb_item item;
    int rc = 0;

    if (++p->depth > OBJECT_MAX_DEPTH)
        return err_set(p->err, E_TOOBIG, "protobuf: nested more than %d deep", OBJECT_MAX_DEPTH);
    while (rc >= 0 && in.n > 0) {
        const struct schema_field *f;
        bool inlined;

        rc = next_item(p, &in, &item);
        if (rc < 0)
            break;
        f = field_by_number(t, in_message, item.number, &inlined);
        if (f == NULL)
            continue;
        if (!inlined)
            rc = decode_field(p, f, &item, obj);
        else if (item.wire != PB_BYTES)
            rc = bad(p, "wrong wire type");
        else
            rc = decode_object(p, t, in_message << 8 | item.number, item.bytes, obj);
        if (rc < 0)
            err_wrap(p->err, rc, "%.*s", STR_ARG(f->name));
    }
    if (rc >= 0)
        json_each(v, obj)
            if (v->flags & PB_F_UNSORTED)
                drop_duplicates(p, v);
    p->depth--;
    return rc;
}

int schema_pb_decode_type(const struct schema_type *t, struct str in, struct arena *a, struct json **ret,
                          struct errbuf *err)
{
    struct pb p = { a, err, 0 };
    struct json *obj = json_object(a);
    int rc = decode_object(&p, t, 0, in, obj);

    if (rc < 0)
        return rc;
    *ret = obj;
    return 0;
}

/* ---- the envelope -------------------------------------------------------------------------------- */

static int decode_type_meta(struct pb *p, struct str in, struct str *ret_version, struct str *ret_kind)
{
    struct pb_item version = { .bytes = STR("") }, name = { .bytes = STR("") };
    int rc;

    if ((rc = find_item(p, in, 1, PB_BYTES, &version)) < 0 ||
        (rc = find_item(p, in, 2, PB_BYTES, &name)) < 0)
        return rc;
    if (!utf8_valid(version.bytes) || !utf8_valid(name.bytes))
        return bad(p, "a string is not UTF-8");
    *ret_version = version.bytes;
    *ret_kind = name.bytes;
    return 0;
}

static int decode_envelope(struct pb *p, struct str in, struct json **ret,
                           const struct schema_kind **ret_kind)
{
    struct pb_item meta = { .bytes = STR("") }, raw = { .bytes = STR("") };
    const struct schema_kind *k;
    struct str version, name;
    struct json *obj;
    int rc;

    if (!str_starts(in, str_make("k8s", 4)))
        return bad(p, "the body does not begin with k8s\\0");
    in = str_from(in, 4);
    if ((rc = find_item(p, in, 1, PB_BYTES, &meta)) < 0 || (rc = find_item(p, in, 2, PB_BYTES, &raw)) < 0
        || (rc = decode_type_meta(p, meta.bytes, &version, &name)) < 0)
        return rc;
    k = schema_kind_by_version(version, name);
    if (k == NULL)
        return err_set(p->err, E_NOTFOUND, "no kind \"%.*s\" is registered for version \"%.*s\"",
                       STR_ARG(name), STR_ARG(version));
    obj = json_object(p->arena);
    json_append(obj, STR("apiVersion"), json_string_ref(p->arena, version));
    json_append(obj, STR("kind"), json_string_ref(p->arena, name));
    if ((rc = decode_object(p, k->type, 0, raw.bytes, obj)) < 0)
        return rc;
    *ret = obj;
    *ret_kind = k;
    return 0;
}

int schema_pb_decode(struct str in, struct arena *a, struct json **ret, const struct schema_kind **ret_kind,
                     struct errbuf *err)
{
    struct pb p = { a, err, 0 };

    return decode_envelope(&p, in, ret, ret_kind);
}
