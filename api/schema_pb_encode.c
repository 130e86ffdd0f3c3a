/* api/schema_pb_encode.c: a tree to Kubernetes protobuf: the reverse of api/schema_pb.c, which explains
 * the format.
 *
 * Members are written as they stand in the tree: the order of fields does not matter in protobuf, and a
 * zero that is not written is read as zero.  A message is written behind one byte of room for its length,
 * and moved if that is not enough: most messages are short. */
#include "api/schema.h"
#include "api/time_fmt.h"
#include "net/pb.h"
#include "net/tls.h"

/* What is written between these two is a message, or bytes. */
static size_t open_message(struct buf *out, uint32_t number)
{
    pb_put_tag(out, number, PB_BYTES);
    buf_char(out, 0);
    return out->n;
}

static void close_message(struct buf *out, size_t from)
{
    size_t n = out->n - from, more = 0;

    for (size_t left = n >> 7; left > 0; left >>= 7)
        more++;
    if (more > 0) {
        buf_reserve(out, more);
        memmove(out->p + from + more, out->p + from, n);
    }
    out->n = from - 1;
    buf_varint(out, n);
    out->n += n;
}

/* ---- Values ------------------------------------------------------------------------------------- */

static void put_time(struct buf *out, struct str text, bool micro)
{
    int64_t  s = 0;
    uint32_t ns = 0;

    if (micro ? time_parse_micro(text, &s, &ns) : time_parse(text, &s, &ns)) {
        pb_put_int(out, 1, s);
        pb_put_int(out, 2, ns);
    }
}

static void put_int_or_string(struct buf *out, const struct json *v)
{
    pb_put_int(out, 1, v->type == JSON_STRING);
    if (v->type == JSON_STRING)
        pb_put_str(out, 3, v->s);
    else
        pb_put_int(out, 2, json_i64_or(v, 0));
}

static void put_double(struct buf *out, uint32_t number, const struct json *v)
{
    double   d = json_double_or(v, 0);
    uint64_t bits;

    memcpy(&bits, &d, sizeof(bits));
    pb_put_tag(out, number, PB_FIXED64);
    buf_le64(out, bits);
}

static void put_json(struct buf *out, uint32_t number, const struct json *v)
{
    size_t from = open_message(out, number);

    json_write(out, v);
    close_message(out, from);
}

static void put_object(struct buf *out, const struct schema_type *t, uint32_t in_message,
                       const struct json *obj);
static void put_field(struct buf *out, const struct schema_field *f, const struct json *v);

/* One of several forms, each a field of the message; a truth value beside it says that there is another. */
static void put_either(struct buf *out, const struct schema_type *t, const struct json *v)
{
    for (unsigned i = 0; i < t->n_fields; i++) {
        const struct schema_field *f = &t->fields[i];
        enum json_type scalar = f->base == SCHEMA_BOOL ? JSON_BOOL : JSON_OBJECT;

        if (v->type == (f->shape == SCHEMA_LIST ? JSON_ARRAY : scalar))
            put_field(out, f, v);
        else if (f->base == SCHEMA_BOOL)
            pb_put_int(out, f->pb, 1);
    }
}

/* The inside of the message that stands for one value. */
static void put_wrapped(struct buf *out, const struct schema_field *f, const struct json *v)
{
    int64_t ns;

    switch ((enum schema_base)f->base) {
    case SCHEMA_TIME: case SCHEMA_MICROTIME:
        put_time(out, json_str(v), f->base == SCHEMA_MICROTIME);
        break;
    case SCHEMA_DURATION:
        if (duration_parse(json_str(v), &ns))
            pb_put_int(out, 1, ns);
        break;
    case SCHEMA_QUANTITY:
        pb_put_str(out, 1, v->type == JSON_NUMBER ? v->s : json_str(v));
        break;
    case SCHEMA_INT_OR_STRING:
        put_int_or_string(out, v);
        break;
    case SCHEMA_STRINGS:
        json_each(it, v)
            pb_put_str(out, 1, json_str(it));
        break;
    case SCHEMA_OBJECT:
        put_object(out, f->type, 0, v);
        break;
    default:
        if (f->either != NULL)
            put_either(out, f->either, v);
        else
            put_json(out, 1, v);
        break;
    }
}

static void put_value(struct buf *out, const struct schema_field *f, uint32_t number, const struct json *v)
{
    size_t from;

    switch ((enum schema_base)f->base) {
    case SCHEMA_STRING:
        pb_put_str(out, number, json_str(v));
        break;
    case SCHEMA_BOOL:
        pb_put_int(out, number, json_true(v));
        break;
    case SCHEMA_INT32: case SCHEMA_INT64:
        pb_put_int(out, number, json_i64_or(v, 0));
        break;
    case SCHEMA_DOUBLE:
        put_double(out, number, v);
        break;
    case SCHEMA_BYTES:
        from = open_message(out, number);
        if (base64_decode(out, json_str(v), false) < 0)
            out->n = from;                       /* conforming objects have no such value */
        close_message(out, from);
        break;
    default:
        from = open_message(out, number);
        put_wrapped(out, f, v);
        close_message(out, from);
        break;
    }
}

/* ---- Objects ------------------------------------------------------------------------------------ */

static void put_field(struct buf *out, const struct schema_field *f, const struct json *v)
{
    if (v->type == JSON_NULL)
        return;
    if (f->shape == SCHEMA_ONE) {
        put_value(out, f, f->pb, v);
        return;
    }
    json_each(it, v) {
        size_t from;

        if (f->shape == SCHEMA_LIST) {
            put_value(out, f, f->pb, it);
            continue;
        }
        from = open_message(out, f->pb);
        pb_put_str(out, 1, it->key);
        put_value(out, f, 2, it);
        close_message(out, from);
    }
}

/* The first step from in_message towards a field in a message below it; 0: it is right here, or elsewhere. */
static uint32_t next_message(uint32_t in_message, const struct schema_field *f)
{
    uint32_t path = f->pb_inline, step = 0;

    while (path > in_message) {
        step = path & 0xff;
        path >>= 8;
    }
    return path == in_message ? step : 0;
}

/* Go's embedded structs are messages of their own, whose fields stand side by side in the tables. */
static void put_inlined(struct buf *out, const struct schema_type *t, uint32_t in_message,
                        const struct json *obj)
{
    uint32_t last = 0;

    for (unsigned i = 0; i < t->n_fields; i++) {
        uint32_t step = next_message(in_message, &t->fields[i]);
        size_t   from;

        if (step == 0 || step == last)
            continue;
        last = step;
        from = open_message(out, step);
        put_object(out, t, in_message << 8 | step, obj);
        close_message(out, from);
    }
}

static void put_object(struct buf *out, const struct schema_type *t, uint32_t in_message,
                       const struct json *obj)
{
    bool inlined = false;

    json_each(v, obj) {
        const struct schema_field *f = schema_field(t, v->key);

        if (f == NULL || f->pb == 0)
            continue;
        if (f->pb_inline == in_message)
            put_field(out, f, v);
        else
            inlined = inlined || next_message(in_message, f) != 0;
    }
    if (inlined)
        put_inlined(out, t, in_message, obj);
}

void schema_pb_encode_type(struct buf *out, const struct schema_type *t, const struct json *obj)
{
    put_object(out, t, 0, obj);
}

void schema_pb_open(struct buf *out, struct str api_version, struct str kind)
{
    size_t meta;

    buf_add(out, "k8s", 4);                      /* with its NUL */
    meta = open_message(out, 1);
    pb_put_str(out, 1, api_version);
    pb_put_str(out, 2, kind);
    close_message(out, meta);
}

void schema_pb_encode(struct buf *out, const struct schema_type *t, const struct json *obj)
{
    size_t raw;

    schema_pb_open(out, json_str(json_getz(obj, "apiVersion")), json_str(json_getz(obj, "kind")));
    raw = open_message(out, 2);
    put_object(out, t, 0, obj);
    close_message(out, raw);
}
