/* net/blob.c: blobs, growing buffers, and the integer encodings of our files and frames. */
#include <inttypes.h>
#include <stdio.h>
#include "net/blob.h"

#define VARINT_MAX 10u                            /* bytes: 64 bits, seven in each */

struct blob *blob_new(size_t len)
{
    must(len < UINT32_MAX);
    struct blob *b = mem_alloc(sizeof *b + len);
    b->refs = 1;
    b->len = (uint32_t)len;
    return b;
}

struct blob *blob_copy(struct str s)
{
    struct blob *b = blob_new(s.n);
    if (s.n > 0)
        memcpy(b->data, s.p, s.n);
    return b;
}

void blob__free(struct blob *b)
{
    must(b->refs == 0);
    mem_free(b);
}

void buf_release(struct buf *b)
{
    mem_free(b->p);
    *b = BUF_INIT;
}

void buf_reserve(struct buf *b, size_t more)
{
    size_t need;

    must(!__builtin_add_overflow(b->n, more, &need));
    if (need <= b->cap)
        return;
    b->cap = MAX_OF(need, MAX_OF(b->cap + b->cap / 2, (size_t)64));
    b->p = mem_realloc(b->p, b->cap);
}

void buf_fmt(struct buf *b, const char *fmt, ...)
{
    va_list ap;
    size_t  room = b->cap - b->n;

    va_start(ap, fmt);
    int n = vsnprintf(room > 0 ? b->p + b->n : NULL, room, fmt, ap);
    va_end(ap);
    must(n >= 0);
    if ((size_t)n >= room) {                     /* did not fit: now its length is known */
        buf_reserve(b, (size_t)n + 1);
        va_start(ap, fmt);
        vsnprintf(b->p + b->n, (size_t)n + 1, fmt, ap);
        va_end(ap);
    }
    b->n += (size_t)n;
}

void buf_drop(struct buf *b, size_t n)
{
    must(n <= b->n);
    b->n -= n;
    if (b->n > 0 && n > 0)
        memmove(b->p, b->p + n, b->n);
}

struct blob *buf_to_blob(struct buf *b)
{
    struct blob *o = blob_copy(buf_str(b));
    b->n = 0;
    return o;
}

void buf_u64(struct buf *b, uint64_t v)
{
    char  text[20];
    char *p = text + sizeof text;

    do
        *--p = (char)('0' + v % 10);
    while ((v /= 10) > 0);
    buf_add(b, p, (size_t)(text + sizeof text - p));
}

void buf_i64(struct buf *b, int64_t v)
{
    if (v < 0)
        buf_char(b, '-');
    buf_u64(b, v < 0 ? 0 - (uint64_t)v : (uint64_t)v);
}

void buf_le32(struct buf *b, uint32_t v)
{
    unsigned char p[4];
    for (unsigned i = 0; i < sizeof p; i++)
        p[i] = (unsigned char)(v >> (8 * i));
    buf_add(b, p, sizeof p);
}

void buf_le64(struct buf *b, uint64_t v)
{
    buf_le32(b, (uint32_t)v);
    buf_le32(b, (uint32_t)(v >> 32));
}

void buf_varint(struct buf *b, uint64_t v)
{
    if (b->cap - b->n < VARINT_MAX)
        buf_reserve(b, VARINT_MAX);
    for (; v >= 0x80; v >>= 7)
        b->p[b->n++] = (char)(v | 0x80);
    b->p[b->n++] = (char)v;
}

bool str_take(struct str *s, size_t n, struct str *ret)
{
    if (n > s->n)
        return false;
    *ret = str_upto(*s, n);
    *s = str_from(*s, n);
    return true;
}

static uint64_t le_decode(struct str s)
{
    uint64_t v = 0;
    for (size_t i = s.n; i-- > 0; )
        v = v << 8 | (unsigned char)s.p[i];
    return v;
}

bool str_le32(struct str *s, uint32_t *ret)
{
    struct str part;
    if (!str_take(s, 4, &part))
        return false;
    *ret = (uint32_t)le_decode(part);
    return true;
}

bool str_le64(struct str *s, uint64_t *ret)
{
    struct str part;
    if (!str_take(s, 8, &part))
        return false;
    *ret = le_decode(part);
    return true;
}

bool str_varint(struct str *s, uint64_t *ret)
{
    uint64_t v = 0;

    for (unsigned i = 0; i < s->n && i < 10; i++) {
        unsigned char c = (unsigned char)s->p[i];
        if (i == 9 && c > 1)                     /* would not fit in 64 bits */
            return false;
        v |= (uint64_t)(c & 0x7f) << (7 * i);
        if (c < 0x80) {
            *s = str_from(*s, i + 1);
            *ret = v;
            return true;
        }
    }
    return false;
}
