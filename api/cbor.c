/* api/cbor.c: see api/cbor.h. */
#include "api/cbor.h"
#include <stdio.h>
#include <stdlib.h>
#include "api/json_impl.h"
#include "api/time_fmt.h"
#include "api/utf8.h"
#include "net/tls.h"

enum major { CBOR_UINT, CBOR_NEGATIVE, CBOR_BYTES, CBOR_TEXT, CBOR_ARRAY, CBOR_MAP, CBOR_TAG, CBOR_SIMPLE };

#define TAG_TIME_TEXT     0u
#define TAG_TIME_EPOCH    1u
#define TAG_BASE64URL     21u
#define TAG_BASE64        22u
#define TAG_BASE16        23u
#define TAG_SELF_DESCRIBE 55799u

/* ---- Writing --------------------------------------------------------------------------------------- */

static void put_head(struct buf *out, enum major major, uint64_t n)
{
    unsigned char bytes[9];
    unsigned      log = n <= 0xff ? 0 : n <= 0xffff ? 1 : n <= 0xffffffff ? 2 : 3;
    unsigned      size = n < 24 ? 0 : 1u << log;

    bytes[0] = (unsigned char)((unsigned)major << 5 | (size == 0 ? (unsigned)n : 24 + log));
    for (unsigned i = 0; i < size; i++)
        bytes[1 + i] = (unsigned char)(n >> 8 * (size - 1 - i));
    buf_add(out, bytes, 1 + size);
}

void cbor_put_string(struct buf *out, struct str s)
{
    put_head(out, CBOR_BYTES, s.n);
    buf_str_add(out, s);
}

void cbor_put_map(struct buf *out, uint64_t members) { put_head(out, CBOR_MAP, members); }
void cbor_put_array(struct buf *out, uint64_t elements) { put_head(out, CBOR_ARRAY, elements); }
void cbor_put_tag(struct buf *out) { put_head(out, CBOR_TAG, TAG_SELF_DESCRIBE); }

static void put_number(struct buf *out, const struct json *j)
{
    int64_t  v;
    uint64_t u, bits;
    double   d;

    if (json_i64(j, &v)) {
        put_head(out, v < 0 ? CBOR_NEGATIVE : CBOR_UINT, v < 0 ? ~(uint64_t)v : (uint64_t)v);
        return;
    }
    if (str_u64(j->s, &u)) {
        put_head(out, CBOR_UINT, u);
        return;
    }
    d = json_double_or(j, 0);
    memcpy(&bits, &d, sizeof(bits));
    buf_char(out, (char)(CBOR_SIMPLE << 5 | 27));
    for (int shift = 56; shift >= 0; shift -= 8)
        buf_char(out, (char)(bits >> shift));
}

/* Shorter keys first, as their encodings begin with the length. */
static int by_encoded_key(const void *x, const void *y)
{
    const struct json *p = *(const struct json *const *)x, *q = *(const struct json *const *)y;

    return p->key.n != q->key.n ? (p->key.n > q->key.n) - (p->key.n < q->key.n) : str_cmp(p->key, q->key);
}

static void put_object(struct buf *out, const struct json *j)
{
    const struct json **sorted = mem_alloc((j->n + 1) * sizeof(*sorted));
    size_t              n = 0;

    json_each(it, j)
        sorted[n++] = it;
    qsort(sorted, n, sizeof(*sorted), by_encoded_key);
    cbor_put_map(out, n);
    for (size_t i = 0; i < n; i++) {
        cbor_put_string(out, sorted[i]->key);
        cbor_write_item(out, sorted[i]);
    }
    mem_free(sorted);
}

void cbor_write_item(struct buf *out, const struct json *j)
{
    switch ((enum json_type)j->type) {
    case JSON_NULL:   buf_char(out, (char)0xf6); break;
    case JSON_BOOL:   buf_char(out, (char)(j->boolean ? 0xf5 : 0xf4)); break;
    case JSON_NUMBER: put_number(out, j); break;
    case JSON_STRING: cbor_put_string(out, j->s); break;
    case JSON_OBJECT: put_object(out, j); break;
    case JSON_ARRAY:
        cbor_put_array(out, j->n);
        json_each(it, j)
            cbor_write_item(out, it);
        break;
    }
}

void cbor_write(struct buf *out, const struct json *j)
{
    cbor_put_tag(out);
    cbor_write_item(out, j);
}

/* ---- Reading --------------------------------------------------------------------------------------- */

struct parser { struct arena *arena; struct str in; struct errbuf *err; unsigned depth; };

static int value(struct parser *p, struct json **ret);

static int bad(struct parser *p, const char *what)
{
    return err_set(p->err, E_INVALID, "CBOR: %s", what);
}

static int head(struct parser *p, enum major *ret_major, unsigned *ret_info, uint64_t *ret_n)
{
    unsigned char first;
    unsigned      size;
    struct str    bytes;

    if (p->in.n == 0)
        return bad(p, "the input ends within a value");
    first = (unsigned char)*p->in.p;
    p->in = str_from(p->in, 1);
    *ret_major = (enum major)(first >> 5);
    *ret_info = first & 31;
    *ret_n = *ret_info;
    if (*ret_info < 24)
        return 0;
    if (*ret_info == 31)
        return bad(p, "values of indefinite length are not taken");
    if (*ret_info > 27)
        return bad(p, "a reserved length");
    size = 1u << (*ret_info - 24);
    if (!str_take(&p->in, size, &bytes))
        return bad(p, "the input ends within a value");
    *ret_n = 0;
    for (unsigned i = 0; i < size; i++)
        *ret_n = *ret_n << 8 | (unsigned char)bytes.p[i];
    return 0;
}

static int string(struct parser *p, uint64_t n, struct str *ret)
{
    if (n > p->in.n || !str_take(&p->in, (size_t)n, ret))
        return bad(p, "the input ends within a string");
    if (ret->n == 0)
        *ret = STR("");
    return 0;
}

static int text(struct parser *p, uint64_t n, struct str *ret)
{
    int rc = string(p, n, ret);

    return rc < 0 ? rc : utf8_valid(*ret) ? 0 : bad(p, "a string is not valid UTF-8");
}

static struct json *number_text(struct parser *p, struct str s)
{
    struct json *j = json_new(p->arena, JSON_NUMBER);

    j->s = s;
    return j;
}

static int negative(struct parser *p, uint64_t n, struct json **ret)
{
    if (n > INT64_MAX)
        return bad(p, "a number is out of range");
    *ret = json_int(p->arena, -1 - (int64_t)n);
    return 0;
}

/* IEEE 754 binary16, the one width that C does not know. */
static double half(uint64_t bits)
{
    unsigned exponent = bits >> 10 & 31, fraction = bits & 1023;
    double   d = exponent == 0 ? (double)fraction / (1 << 24) : 1 + (double)fraction / 1024;

    for (int e = (int)exponent - 15; exponent > 0 && e != 0; e += e > 0 ? -1 : 1)
        d = e > 0 ? d * 2 : d / 2;
    return bits & 0x8000 ? -d : d;
}

static int real(struct parser *p, unsigned info, uint64_t bits, struct json **ret)
{
    double   d;
    float    f;
    uint32_t low = (uint32_t)bits;

    if (info == 25) {
        if ((bits >> 10 & 31) == 31)
            return bad(p, "a number is infinite or none");
        d = half(bits);
    } else if (info == 26) {
        memcpy(&f, &low, sizeof(f));
        d = (double)f;
    } else {
        memcpy(&d, &bits, sizeof(d));
    }
    if (d != d || d - d != 0)
        return bad(p, "a number is infinite or none");
    *ret = number_text(p, json_double_text(p->arena, d));
    return 0;
}

static int simple(struct parser *p, unsigned info, uint64_t n, struct json **ret)
{
    switch (info) {
    case 20: case 21: *ret = json_bool(p->arena, info == 21); return 0;
    case 22:          *ret = json_null(p->arena); return 0;
    case 25: case 26: case 27: return real(p, info, n, ret);
    default:          return bad(p, "a value that JSON does not know");
    }
}

/* Bytes that are to appear as text. */
static int encoded(struct parser *p, uint64_t tag, struct json **ret)
{
    enum major    major;
    unsigned      info;
    uint64_t      n;
    struct str    bytes;
    struct buf    b = BUF_INIT;
    int           rc;

    if ((rc = head(p, &major, &info, &n)) < 0)
        return rc;
    if (major != CBOR_BYTES)
        return bad(p, "a tag for bytes before something else");
    if ((rc = string(p, n, &bytes)) < 0)
        return rc;
    if (tag == TAG_BASE16)
        for (size_t i = 0; i < bytes.n; i++)
            buf_fmt(&b, "%02x", (unsigned char)bytes.p[i]);
    else
        base64_encode(&b, bytes, tag == TAG_BASE64URL);
    *ret = json_string(p->arena, buf_str(&b));
    buf_release(&b);
    return 0;
}

static int epoch(struct parser *p, struct json **ret)
{
    int64_t s;
    int     rc = value(p, ret);

    if (rc < 0)
        return rc;
    if (!json_is(*ret, JSON_NUMBER) || !json_i64(*ret, &s) || s < -62167219200 || s > 253402300799)
        return bad(p, "a time that is no number of seconds in range");
    *ret = json_string_ref(p->arena, time_text(p->arena, s));
    return 0;
}

static int tagged(struct parser *p, uint64_t tag, struct json **ret)
{
    int rc;

    switch (tag) {
    case TAG_SELF_DESCRIBE:
        return value(p, ret);
    case TAG_TIME_TEXT:
        if ((rc = value(p, ret)) == 0 && !json_is(*ret, JSON_STRING))
            rc = bad(p, "a tag for a time before something else");
        return rc;
    case TAG_TIME_EPOCH:
        return epoch(p, ret);
    case TAG_BASE64URL: case TAG_BASE64: case TAG_BASE16:
        return encoded(p, tag, ret);
    default:
        return bad(p, "an unknown tag");
    }
}

static int array(struct parser *p, uint64_t n, struct json **ret)
{
    struct json *list = json_array(p->arena), *v;
    int          rc;

    if (n > p->in.n)                             /* each takes a byte at least */
        return bad(p, "the input ends within a list");
    for (; n > 0; n--) {
        if ((rc = value(p, &v)) < 0)
            return rc;
        json_append(list, STR_NONE, v);
    }
    *ret = list;
    return 0;
}

static int map(struct parser *p, uint64_t n, struct json **ret)
{
    struct json *obj = json_object(p->arena), *v;
    int          rc;

    if (n > p->in.n / 2)
        return bad(p, "the input ends within a map");
    for (; n > 0; n--) {
        enum major major;
        unsigned   info;
        uint64_t   len;
        struct str key;

        if ((rc = head(p, &major, &info, &len)) < 0)
            return rc;
        if (major != CBOR_BYTES && major != CBOR_TEXT)
            return bad(p, "a key that is no string");
        if ((rc = text(p, len, &key)) < 0 || (rc = value(p, &v)) < 0)
            return rc;
        json_append(obj, key, v);
    }
    json__merge_duplicates(p->arena, obj);
    *ret = obj;
    return 0;
}

static int value(struct parser *p, struct json **ret)
{
    enum major major;
    unsigned   info;
    uint64_t   n;
    struct str s;
    int        rc;

    if (p->depth == CBOR_MAX_DEPTH)
        return err_set(p->err, E_TOOBIG, "CBOR: nested too deeply");
    if ((rc = head(p, &major, &info, &n)) < 0)
        return rc;
    p->depth++;
    switch (major) {
    case CBOR_UINT:     *ret = number_text(p, arena_fmt(p->arena, "%llu", (unsigned long long)n)); break;
    case CBOR_NEGATIVE: rc = negative(p, n, ret); break;
    case CBOR_ARRAY:    rc = array(p, n, ret); break;
    case CBOR_MAP:      rc = map(p, n, ret); break;
    case CBOR_TAG:      rc = tagged(p, n, ret); break;
    case CBOR_SIMPLE:   rc = simple(p, info, n, ret); break;
    case CBOR_BYTES: case CBOR_TEXT:
        if ((rc = text(p, n, &s)) == 0)
            *ret = json_string_ref(p->arena, s);
        break;
    }
    p->depth--;
    return rc;
}

int cbor_parse(struct arena *a, struct str in, struct json **ret, struct errbuf *err)
{
    struct parser p = { a, in, err, 0 };
    struct json  *j;
    int           rc = value(&p, &j);

    if (rc < 0)
        return rc;
    if (p.in.n > 0)
        return bad(&p, "more after the end of the value");
    *ret = j;
    return 0;
}
