/* api/json_write.c: tree to text.
 *
 * Nearly all strings need no escape: they are checked and copied 16 bytes at a time, and short ones with two
 * overlapping loads.  Escapes are those of Go's encoder, so that stored and hashed text agrees with what
 * the ecosystem's tools produce.  Bytes that are not UTF-8 are written as U+FFFD. */
#include "api/json.h"
#include "api/utf8.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* Written as it is; non-ASCII needs a closer look (U+2028, U+2029, invalid). */
static inline bool is_plain(unsigned char c)
{
    return c >= 0x20 && c < 0x80 && c != '"' && c != '\\' && c != '<' && c != '>' && c != '&';
}

#ifdef __SSE2__
static inline bool plain16(__m128i v)
{
    __m128i low = _mm_cmplt_epi8(v, _mm_set1_epi8(' '));     /* signed: from 0x80 too */
    __m128i quote_amp = _mm_cmpeq_epi8(_mm_andnot_si128(_mm_set1_epi8(4), v), _mm_set1_epi8('"'));
    __m128i angles = _mm_cmpeq_epi8(_mm_or_si128(v, _mm_set1_epi8(2)), _mm_set1_epi8('>'));
    __m128i slash = _mm_cmpeq_epi8(v, _mm_set1_epi8('\\'));

    return _mm_movemask_epi8(_mm_or_si128(_mm_or_si128(low, slash), _mm_or_si128(quote_amp, angles))) == 0;
}

static inline uint64_t load8(const char *p)
{
    uint64_t v;

    memcpy(&v, p, sizeof v);
    return v;
}

static inline uint32_t load4(const char *p)
{
    uint32_t v;

    memcpy(&v, p, sizeof v);
    return v;
}

static inline bool copy_plain(char *to, const char *from, size_t n)
{
    size_t at = 0;

    if (n >= 16) {
        for (;;) {
            __m128i v = _mm_loadu_si128((const __m128i *)(const void *)(from + at));

            if (!plain16(v))
                return false;
            _mm_storeu_si128((__m128i *)(void *)(to + at), v);
            at += 16;
            if (at == n)
                return true;
            at = MIN_OF(at, n - 16);             /* the last block overlaps the one before */
        }
    }
    if (n >= 8) {
        uint64_t x = load8(from), y = load8(from + n - 8);

        memcpy(to, &x, 8);
        memcpy(to + n - 8, &y, 8);
        return plain16(_mm_set_epi64x((long long)y, (long long)x));
    }
    if (n >= 4) {
        uint32_t x = load4(from), y = load4(from + n - 4);

        memcpy(to, &x, 4);
        memcpy(to + n - 4, &y, 4);
        return plain16(_mm_set_epi32((int)x, (int)x, (int)y, (int)x));
    }
    for (; at < n; at++) {
        if (!is_plain((unsigned char)from[at]))
            return false;
        to[at] = from[at];
    }
    return true;
}
#else
static inline bool copy_plain(char *to, const char *from, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!is_plain((unsigned char)from[i]))
            return false;
        to[i] = from[i];
    }
    return true;
}
#endif

static void write_escape(struct buf *out, unsigned c)
{
    static const char hex[] = "0123456789abcdef";
    char u[6] = { '\\', 'u', hex[c >> 12 & 15], hex[c >> 8 & 15], hex[c >> 4 & 15], hex[c & 15] };
    char two[2] = { '\\', 0 };

    switch (c) {
    case '"': case '\\': two[1] = (char)c; break;
    case '\b': two[1] = 'b'; break;
    case '\f': two[1] = 'f'; break;
    case '\n': two[1] = 'n'; break;
    case '\r': two[1] = 'r'; break;
    case '\t': two[1] = 't'; break;
    default: buf_add(out, u, sizeof u); return;
    }
    buf_add(out, two, sizeof two);
}

/* The text between the quotes; runs of what may stay are copied whole. */
static void write_escaped(struct buf *out, struct str s)
{
    const char *p = s.p, *end = s.p + s.n, *run = p;

    while (p < end) {
        unsigned n = utf8_len(p, end), c = (unsigned char)*p;
        bool line_separator =
            n == 3 && c == 0xe2 && (unsigned char)p[1] == 0x80 && ((unsigned char)p[2] | 1) == 0xa9;

        if (n > 1 ? !line_separator : n == 1 && (is_plain((unsigned char)c) || c == 0x7f)) {
            p += n;
            continue;
        }
        buf_add(out, run, (size_t)(p - run));
        if (n == 0)
            c = 0xfffd;
        else if (n == 3)
            c = 0x2000 | ((unsigned char)p[2] & 0x3f);
        write_escape(out, c);
        p += n > 0 ? n : 1;
        run = p;
    }
    buf_add(out, run, (size_t)(p - run));
}

static inline void write_string(struct buf *out, struct str s, char after, bool has_after)
{
    char *to;

    if (out->cap - out->n < s.n + 3)
        buf_reserve(out, s.n + 3);
    to = out->p + out->n;
    *to = '"';
    if (!copy_plain(to + 1, s.p, s.n)) {
        out->n++;
        write_escaped(out, s);
        buf_char(out, '"');
        if (has_after)
            buf_char(out, after);
        return;
    }
    to[s.n + 1] = '"';
    if (has_after)
        to[s.n + 2] = after;
    out->n += s.n + 2 + has_after;
}

void json_write_string(struct buf *out, struct str s)
{
    write_string(out, s, 0, false);
}

static void write_scalar(struct buf *out, const struct json *j)
{
    switch (j->type) {
    case JSON_NULL: buf_add(out, "null", 4); break;
    case JSON_BOOL: buf_add(out, j->boolean ? "true" : "false", j->boolean ? 4 : 5); break;
    case JSON_NUMBER: buf_str_add(out, j->s); break;
    default:
        if (j->flags & JSON_F_RAW)
            buf_str_add(out, j->s);
        else
            write_string(out, j->s, 0, false);
        break;
    }
}

static void write_container(struct buf *out, const struct json *j)
{
    bool is_object = j->type == JSON_OBJECT;

    buf_char(out, is_object ? '{' : '[');
    for (const struct json *it = j->first; it != NULL; it = it->next) {
        if (is_object)
            write_string(out, it->key, ':', true);
        if (it->type >= JSON_ARRAY)
            write_container(out, it);
        else
            write_scalar(out, it);
        if (it->next != NULL)
            buf_char(out, ',');
    }
    buf_char(out, is_object ? '}' : ']');
}

void json_write(struct buf *out, const struct json *j)
{
    if (j == NULL)
        buf_add(out, "null", 4);
    else if (j->type >= JSON_ARRAY)
        write_container(out, j);
    else
        write_scalar(out, j);
}

static void write_newline(struct buf *out, unsigned spaces)
{
    buf_char(out, '\n');
    buf_reserve(out, spaces);
    memset(out->p + out->n, ' ', spaces);
    out->n += spaces;
}

static void write_pretty(struct buf *out, const struct json *j, unsigned indent, unsigned depth)
{
    if (j->type < JSON_ARRAY || j->first == NULL) {
        json_write(out, j);
        return;
    }
    buf_char(out, j->type == JSON_OBJECT ? '{' : '[');
    for (const struct json *it = j->first; it != NULL; it = it->next) {
        write_newline(out, indent * (depth + 1));
        if (j->type == JSON_OBJECT) {
            write_string(out, it->key, ':', true);
            buf_char(out, ' ');
        }
        write_pretty(out, it, indent, depth + 1);
        if (it->next != NULL)
            buf_char(out, ',');
    }
    write_newline(out, indent * depth);
    buf_char(out, j->type == JSON_OBJECT ? '}' : ']');
}

void json_write_pretty(struct buf *out, const struct json *j, unsigned indent)
{
    if (j == NULL)
        buf_add(out, "null", 4);
    else
        write_pretty(out, j, indent, 0);
}
