/* api/json_scan.c: members of compact JSON text, by skipping over what is not wanted. */
#include "api/json_scan.h"
#include "api/json.h"
#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* p is after the opening quote; returns where the closing one is, or end. */
static const char *find_quote(const char *p, const char *end)
{
    for (const char *from = p; (p = memchr(p, '"', (size_t)(end - p))) != NULL; p++) {
        const char *q = p;

        while (q > from && q[-1] == '\\')
            q--;
        if ((p - q) % 2 == 0)
            return p;
    }
    return end;
}

/* ---- Containers: 64 bytes at a time -------------------------------------------------------------------- */

/* What of 64 bytes is where: a bit each. */
struct marks { uint64_t quotes, slashes, opens, closes; };

#ifdef __SSE2__
static inline uint64_t mask16(__m128i v, char c)
{
    return (uint64_t)(unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(v, _mm_set1_epi8(c)));
}

static inline struct marks marks_of(const char *p)
{
    struct marks m = { 0, 0, 0, 0 };

    for (unsigned at = 0; at < 64; at += 16) {
        __m128i v = _mm_loadu_si128((const __m128i *)(const void *)(p + at));
        __m128i folded = _mm_or_si128(v, _mm_set1_epi8(0x20));       /* [ and {, ] and } are one bit apart */

        m.quotes |= mask16(v, '"') << at;
        m.slashes |= mask16(v, '\\') << at;
        m.opens |= mask16(folded, '{') << at;
        m.closes |= mask16(folded, '}') << at;
    }
    return m;
}
#else
static inline struct marks marks_of(const char *p)
{
    struct marks m = { 0, 0, 0, 0 };

    for (unsigned at = 0; at < 64; at++) {
        m.quotes |= (uint64_t)(p[at] == '"') << at;
        m.slashes |= (uint64_t)(p[at] == '\\') << at;
        m.opens |= (uint64_t)((p[at] | 0x20) == '{') << at;
        m.closes |= (uint64_t)((p[at] | 0x20) == '}') << at;
    }
    return m;
}
#endif

/* The bytes that a backslash takes its meaning from; *odd: the one before the first is such a backslash.  A
 * run of backslashes takes the meaning of every second one and, if it is of odd length, of what follows:
 * adding its first bit to it carries into the place behind its end, and whether that place and the beginning
 * are both even or odd tells its length. */
static uint64_t escaped_of(uint64_t slashes, bool *odd)
{
    const uint64_t even = 0x5555555555555555u;
    uint64_t       follows, starts, ends;

    slashes &= ~(uint64_t)*odd;
    follows = slashes << 1 | *odd;
    starts = slashes & ~even & ~follows;
    *odd = __builtin_add_overflow(starts, slashes, &ends);
    return (even ^ ends << 1) & follows;
}

/* Bits between an odd one (itself included) and the next. */
static inline uint64_t between(uint64_t bits)
{
    for (unsigned by = 1; by < 64; by *= 2)
        bits ^= bits << by;
    return bits;
}

static inline unsigned count(uint64_t bits)
{
    bits -= bits >> 1 & 0x5555555555555555u;
    bits = (bits & 0x3333333333333333u) + (bits >> 2 & 0x3333333333333333u);
    return (unsigned)(((bits + (bits >> 4)) & 0x0f0f0f0f0f0f0f0fu) * 0x0101010101010101u >> 56);
}

struct skipping { size_t depth; uint64_t within; bool odd; };        /* within: all ones inside a string */

/* Through 64 bytes; the place of the bracket that closes the outermost container, or 64. */
static inline unsigned skip_64(struct skipping *k, const char *p)
{
    struct marks m = marks_of(p);
    uint64_t     both;

    if (m.slashes != 0 || k->odd)
        m.quotes &= ~escaped_of(m.slashes, &k->odd);
    both = between(m.quotes) ^ k->within;
    k->within = (uint64_t)0 - (both >> 63);
    m.opens &= ~both;
    m.closes &= ~both;
    both = m.closes != 0 ? count(m.closes) : 0;
    if (k->depth > both) {
        k->depth += (m.opens != 0 ? count(m.opens) : 0) - both;
        return 64;
    }
    for (both = m.opens | m.closes; both != 0; both &= both - 1) {
        if (m.opens & both & (0 - both))
            k->depth++;
        else if (--k->depth == 0)
            return (unsigned)__builtin_ctzll(both);
    }
    return 64;
}

/* p is at the opening bracket; returns what comes after the closing one, or end. */
static const char *skip_container(const char *p, const char *end)
{
    struct skipping k = { 1, 0, false };
    char            last[64] = { 0 };
    unsigned        at;

    for (p++; end - p >= 64; p += 64)
        if ((at = skip_64(&k, p)) < 64)
            return p + at + 1;
    memcpy(last, p, (size_t)(end - p));
    at = skip_64(&k, last);
    return at < 64 ? p + at + 1 : end;
}

static const char *skip_value(const char *p, const char *end)
{
    if (p < end && (*p == '{' || *p == '['))
        return skip_container(p, end);
    if (p < end && *p == '"') {
        p = find_quote(p + 1, end);
        return p < end ? p + 1 : end;
    }
    while (p < end && *p != ',' && *p != '}' && *p != ']')
        p++;
    return p;
}

bool json_scan_member(struct str *rest, struct str *ret_key, struct str *ret_value)
{
    const char *p = rest->p, *end = p + rest->n, *key_end, *value_end;

    if (rest->n < 2 || (*p != '{' && *p != ',') || p[1] != '"')
        return false;
    p += 2;
    key_end = find_quote(p, end);
    if (end - key_end < 2 || key_end[1] != ':')
        return false;
    value_end = skip_value(key_end + 2, end);
    *ret_key = str_make(p, (size_t)(key_end - p));
    *ret_value = str_make(key_end + 2, (size_t)(value_end - key_end - 2));
    *rest = str_make(value_end, (size_t)(end - value_end));
    return true;
}

/* The member that a step of *path names, with what stands before and after it in its object; *path moves
 * on. */
static bool scan_step(struct str text, const char **path, struct str *ret_before, struct str *ret_after,
                      struct str *ret_value)
{
    size_t     n = strcspn(*path, ".");
    struct str key;

    *ret_before = *ret_after = text;
    while (json_scan_member(ret_after, &key, ret_value)) {
        if (key.n == n && memcmp(key.p, *path, n) == 0) {
            *path += n + ((*path)[n] == '.');
            return true;
        }
        *ret_before = *ret_after;
    }
    return false;
}

bool json_scan_path(struct str text, const char *path, struct str *ret)
{
    struct str before, after;

    while (*path != '\0')
        if (!scan_step(text, &path, &before, &after, &text))
            return false;
    *ret = text;
    return true;
}

struct str json_scan_without(struct arena *a, struct str text, const char *path)
{
    struct str at = text, before = text, after = text;

    while (*path != '\0')
        if (!scan_step(at, &path, &before, &after, &at))
            return text;
    if (*before.p == '{') {                      /* the first: its comma is the one behind it */
        before = str_from(before, 1);
        if (after.n > 0 && *after.p == ',')
            after = str_from(after, 1);
    }
    return arena_join(a, (const struct str[]){ str_make(text.p, (size_t)(before.p - text.p)),
                                               str_make(after.p, (size_t)(text.p + text.n - after.p)) }, 2);
}

bool json_scan_string(struct arena *a, struct str value, struct str *ret)
{
    struct json *j;

    if (value.n < 2 || value.p[0] != '"')
        return false;
    if (memchr(value.p, '\\', value.n) == NULL) {
        *ret = str_make(value.p + 1, value.n - 2);
        return true;
    }
    if (json_parse(a, value, &j, NULL) != 0 || j->type != JSON_STRING)
        return false;
    *ret = j->s;
    return true;
}
