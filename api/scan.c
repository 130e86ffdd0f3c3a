/* api/scan.c: see api/scan.h. */
#include "api/scan.h"

#define SCAN_MAX_DEPTH 600                       /* above what any parser of ours lets in */

/* p is behind the opening quote; returns behind the closing one, NULL if there is none. */
static const char *skip_string(const char *p, const char *end)
{
    while (p < end) {
        const char *q = memchr(p, '"', (size_t)(end - p));
        const char *b;
        size_t      slashes = 0;

        if (q == NULL)
            return NULL;
        for (b = q; b > p && b[-1] == '\\'; b--)
            slashes++;
        if (slashes % 2 == 0)
            return q + 1;
        p = q + 1;
    }
    return NULL;
}

/* Behind the value that starts at p. */
static const char *skip_value(const char *p, const char *end)
{
    int depth = 0;

    while (p < end) {
        switch (*p) {
        case '"':
            p = skip_string(p + 1, end);
            if (p == NULL)
                return NULL;
            if (depth == 0)
                return p;
            break;
        case '{': case '[':
            if (++depth > SCAN_MAX_DEPTH)
                return NULL;
            p++;
            break;
        case '}': case ']':
            if (depth == 0)
                return p;                        /* end of a number before a closing bracket */
            p++;
            if (--depth == 0)
                return p;
            break;
        case ',':
            if (depth == 0)
                return p;
            p++;
            break;
        default:
            p++;
        }
    }
    return depth == 0 ? p : NULL;
}

/* One `value` of an array or the value part of a member; cuts it and the following comma off *at. */
static bool take_value(struct str *at, struct str *ret)
{
    const char *end = at->p + at->n, *q = skip_value(at->p, end);

    if (q == NULL || q == at->p)
        return false;
    *ret = str_make(at->p, (size_t)(q - at->p));
    if (q < end && *q == ',')
        q++;
    *at = str_make(q, (size_t)(end - q));
    return true;
}

bool scan_member(struct str *at, struct str *ret_key_raw, struct str *ret_value_raw)
{
    const char *end = at->p + at->n, *p = at->p, *q;

    if (p < end && *p == '{')
        p++;
    if (p >= end || *p != '"')
        return false;
    q = skip_string(p + 1, end);
    if (q == NULL || q >= end || *q != ':')
        return false;
    *ret_key_raw = str_make(p, (size_t)(q - p));
    *at = str_make(q + 1, (size_t)(end - q - 1));
    return take_value(at, ret_value_raw);
}

bool scan_element(struct str *at, struct str *ret_value_raw)
{
    if (at->n > 0 && at->p[0] == '[')
        *at = str_from(*at, 1);
    if (at->n == 0 || at->p[0] == ']')
        return false;
    return take_value(at, ret_value_raw);
}

static bool find_member(struct str obj, struct str name, struct str *ret)
{
    struct str key;

    if (obj.n == 0 || obj.p[0] != '{')
        return false;
    while (scan_member(&obj, &key, ret))
        if (key.n == name.n + 2 && memcmp(key.p + 1, name.p, name.n) == 0)
            return true;
    return false;
}

bool scan_path(struct str json, const char *path, struct str *ret_raw)
{
    struct str rest = str_of(path), part;

    while (str_split(&rest, '.', &part))
        if (!find_member(json, part, &json))
            return false;
    *ret_raw = json;
    return true;
}

static int hex4(const char *p)
{
    int v = 0;

    for (int i = 0; i < 4; i++) {
        char c = p[i];

        v = v * 16 + (c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : 1 << 20);
    }
    return v < 1 << 16 ? v : -1;
}

static char *put_utf8(char *q, unsigned c)
{
    if (c < 0x80) {
        *q++ = (char)c;
    } else if (c < 0x800) {
        *q++ = (char)(0xc0 | c >> 6);
        *q++ = (char)(0x80 | (c & 0x3f));
    } else if (c < 0x10000) {
        *q++ = (char)(0xe0 | c >> 12);
        *q++ = (char)(0x80 | (c >> 6 & 0x3f));
        *q++ = (char)(0x80 | (c & 0x3f));
    } else {
        *q++ = (char)(0xf0 | c >> 18);
        *q++ = (char)(0x80 | (c >> 12 & 0x3f));
        *q++ = (char)(0x80 | (c >> 6 & 0x3f));
        *q++ = (char)(0x80 | (c & 0x3f));
    }
    return q;
}

/* A \u escape at p (behind the u), with its low surrogate if it needs one. */
static const char *take_unicode(const char *p, const char *end, unsigned *ret)
{
    int c, low;

    if (end - p < 4 || (c = hex4(p)) < 0)
        return NULL;
    p += 4;
    *ret = (unsigned)c;
    if (c < 0xd800 || c > 0xdbff)
        return p;
    if (end - p < 6 || p[0] != '\\' || p[1] != 'u' || (low = hex4(p + 2)) < 0xdc00 || low > 0xdfff)
        return NULL;
    *ret = 0x10000u + (((unsigned)c - 0xd800u) << 10) + ((unsigned)low - 0xdc00u);
    return p + 6;
}

static bool unescape_into(const char *p, const char *end, char *out, size_t *ret_n)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    char *q = out;

    while (p < end) {
        const char *f;
        unsigned    c;

        if (*p != '\\') {
            *q++ = *p++;
            continue;
        }
        if (++p == end)
            return false;
        if (*p == 'u') {
            p = take_unicode(p + 1, end, &c);
            if (p == NULL)
                return false;
            q = put_utf8(q, c);
            continue;
        }
        f = memchr(from, *p, sizeof(from) - 1);
        if (f == NULL)
            return false;
        *q++ = to[f - from];
        p++;
    }
    *ret_n = (size_t)(q - out);
    return true;
}

bool scan_unquote(struct arena *a, struct str raw, struct str *ret)
{
    struct str in;
    char      *out;
    size_t     n;

    if (raw.n < 2 || raw.p[0] != '"' || raw.p[raw.n - 1] != '"')
        return false;
    in = str_make(raw.p + 1, raw.n - 2);
    if (str_find(in, '\\') < 0) {
        *ret = in;
        return true;
    }
    out = arena_alloc(a, in.n);                  /* unescaping never makes it longer */
    if (!unescape_into(in.p, in.p + in.n, out, &n))
        return false;
    *ret = str_make(out, n);
    return true;
}

struct str scan_string(struct arena *a, struct str json, const char *path)
{
    struct str raw, s;

    return scan_path(json, path, &raw) && scan_unquote(a, raw, &s) ? s : STR_NONE;
}

struct str scan_scalar(struct arena *a, struct str json, const char *path)
{
    struct str raw, s;

    if (!scan_path(json, path, &raw) || raw.n == 0 || raw.p[0] == '{' || raw.p[0] == '[' || str_is(raw, "null"))
        return STR_NONE;
    if (raw.p[0] != '"')
        return raw;
    return scan_unquote(a, raw, &s) ? s : STR_NONE;
}
