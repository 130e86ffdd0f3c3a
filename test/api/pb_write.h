/* test/api/pb_write.h: any object of the schema as protobuf, the way client-go writes it: what absent values are
 * decided by is left out, all else goes in.  For tests: memory is not freed one by one but with the arena. */
#ifndef TEST_API_PB_WRITE_H
#define TEST_API_PB_WRITE_H

#include "api/quantity.h"
#include "api/time_fmt.h"
#include "test/api/api_fixture.h"

static inline void pbw_object(struct arena *a, struct buf *out, const struct schema_type *t, const struct json *obj, uint32_t path);

static inline void pbw_bytes(struct buf *out, uint32_t n, struct str s)
{
    buf_varint(out, (uint64_t)n << 3 | 2);
    buf_varint(out, s.n);
    buf_str_add(out, s);
}

static inline void pbw_number(struct buf *out, uint32_t n, uint64_t v)
{
    buf_varint(out, (uint64_t)n << 3);
    buf_varint(out, v);
}

static inline struct str pbw_base64(struct arena *a, struct str s)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char *to = arena_alloc(a, s.n + 1);
    size_t n = 0;
    uint32_t v = 0, bits = 0;

    for (size_t i = 0; i < s.n && s.p[i] != '='; i++) {
        v = v << 6 | (uint32_t)(strchr(digits, s.p[i]) - digits);
        bits += 6;
        if (bits >= 8)
            to[n++] = (char)(v >> (bits -= 8) & 0xff);
    }
    return str_make(to, n);
}

static inline void pbw_field(struct arena *a, struct buf *out, const struct schema_field *f, const struct json *v);

/* The field that takes this kind of JSON value; a boolean is always written, as Go does. */
static inline void pbw_either(struct arena *a, struct buf *out, const struct schema_type *t, const struct json *v)
{
    for (unsigned i = 0; i < t->n_fields; i++) {
        const struct schema_field *f = &t->fields[i];
        int type = f->shape == SCHEMA_LIST ? JSON_ARRAY : f->base == SCHEMA_BOOL ? JSON_BOOL : JSON_OBJECT;

        if (v->type == type)
            pbw_field(a, out, f, v);
        else if (f->base == SCHEMA_BOOL)
            pbw_number(out, f->pb, 1);
    }
}

/* The content of a message that stands for one value. */
static inline void pbw_wrapped(struct arena *a, struct buf *out, const struct schema_field *f, const struct json *v)
{
    int64_t s;
    uint32_t ns;

    switch ((enum schema_base)f->base) {
    case SCHEMA_TIME: case SCHEMA_MICROTIME:
        must(time_parse(v->s, &s, &ns));
        pbw_number(out, 1, (uint64_t)s);
        pbw_number(out, 2, ns);
        return;
    case SCHEMA_DURATION:
        must(duration_parse(v->s, &s));
        pbw_number(out, 1, (uint64_t)s);
        return;
    case SCHEMA_INT_OR_STRING:
        pbw_number(out, 1, v->type == JSON_STRING);
        pbw_number(out, 2, (uint64_t)(v->type == JSON_STRING ? 0 : json_i64_or(v, 0)));
        pbw_bytes(out, 3, v->type == JSON_STRING ? v->s : STR(""));
        return;
    case SCHEMA_QUANTITY:
        pbw_bytes(out, 1, v->s);
        return;
    case SCHEMA_STRINGS:
        json_each(e, v)
            pbw_bytes(out, 1, e->s);
        return;
    case SCHEMA_OBJECT:
        pbw_object(a, out, f->type, v, 0);
        return;
    default:
        if (f->either != NULL)
            pbw_either(a, out, f->either, v);
        else
            pbw_bytes(out, 1, text_of(a, v));
    }
}

static inline void pbw_value(struct arena *a, struct buf *out, const struct schema_field *f, uint32_t n, const struct json *v)
{
    struct buf inner = BUF_INIT;
    double d;
    uint64_t bits;

    switch ((enum schema_base)f->base) {
    case SCHEMA_STRING:
        pbw_bytes(out, n, v->s);
        return;
    case SCHEMA_BYTES:
        pbw_bytes(out, n, pbw_base64(a, v->s));
        return;
    case SCHEMA_BOOL:
        pbw_number(out, n, v->boolean);
        return;
    case SCHEMA_INT32: case SCHEMA_INT64:
        pbw_number(out, n, (uint64_t)json_i64_or(v, 0));
        return;
    case SCHEMA_DOUBLE:
        d = json_double_or(v, 0);
        memcpy(&bits, &d, sizeof bits);
        buf_varint(out, (uint64_t)n << 3 | 1);
        for (int i = 0; i < 64; i += 8)
            buf_char(out, (char)(bits >> i & 0xff));
        return;
    default:
        pbw_wrapped(a, &inner, f, v);
        pbw_bytes(out, n, buf_str(&inner));
        buf_release(&inner);
    }
}

static inline void pbw_field(struct arena *a, struct buf *out, const struct schema_field *f, const struct json *v)
{
    if (f->shape == SCHEMA_ONE) {
        pbw_value(a, out, f, f->pb, v);
        return;
    }
    json_each(e, v) {
        struct buf entry = BUF_INIT;

        if (f->shape == SCHEMA_LIST) {
            pbw_value(a, out, f, f->pb, e);
            continue;
        }
        pbw_bytes(&entry, 1, e->key);
        pbw_value(a, &entry, f, 2, e);
        pbw_bytes(out, f->pb, buf_str(&entry));
        buf_release(&entry);
    }
}

/* Fields of the message at this path of inlined messages (0: the object's own), then the messages below it. */
static inline void pbw_object(struct arena *a, struct buf *out, const struct schema_type *t, const struct json *obj, uint32_t path)
{
    uint8_t done[256] = { 0 };

    json_each(v, obj) {
        const struct schema_field *f = schema_field(t, v->key);
        uint32_t p = f != NULL ? f->pb_inline : 0;
        struct buf inner = BUF_INIT;

        if (f == NULL || v->type == JSON_NULL)
            continue;
        if (p == path) {
            if (f->pb != 0)
                pbw_field(a, out, f, v);
            continue;
        }
        while (p > 0xff && p >> 8 != path)
            p >>= 8;
        if ((p >> 8) != path || done[p & 0xff]++)
            continue;
        pbw_object(a, &inner, t, obj, p);
        pbw_bytes(out, p & 0xff, buf_str(&inner));
        buf_release(&inner);
    }
}

#endif
