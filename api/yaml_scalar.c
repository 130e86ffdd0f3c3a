/* api/yaml_scalar.c: plain scalars: words, integers, floats, strings. */
#include "api/yaml_scalar.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static inline bool is_digit(char c) { return c >= '0' && c <= '9'; }

/* ---- words --------------------------------------------------------------------------------------- */

static bool is_one_of(struct str s, const char *const *words, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (str_is(s, words[i]))
            return true;
    return false;
}

static bool resolve_word(struct str s, struct json *node)
{
    static const char *const nulls[] = { "", "~", "null", "Null", "NULL" };
    static const char *const yes[] = {
        "true", "True", "TRUE", "y", "Y", "yes", "Yes", "YES", "on", "On", "ON"
    };
    static const char *const no[] = {
        "false", "False", "FALSE", "n", "N", "no", "No", "NO", "off", "Off", "OFF"
    };
    bool truth;

    if (s.n > 5)
        return false;
    if (is_one_of(s, nulls, ARRAY_LEN(nulls))) {
        node->type = JSON_NULL;
        return true;
    }
    truth = is_one_of(s, yes, ARRAY_LEN(yes));
    if (!truth && !is_one_of(s, no, ARRAY_LEN(no)))
        return false;
    node->type = JSON_BOOL;
    node->boolean = truth;
    return true;
}

static bool is_infinite_or_nan(struct str s)
{
    static const char *const words[] = {
        ".nan", ".NaN", ".NAN", ".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF", "-.inf", "-.Inf", "-.INF",
    };

    return is_one_of(s, words, ARRAY_LEN(words));
}

/* ---- integers ------------------------------------------------------------------------------------ */

static int digit_value(char c)
{
    if (is_digit(c))
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : 99;
}

/* 0x1f, 0o17, 017, 0b11 and decimals with a sign; up to 2^64 - 1 without one.  z has no underscores. */
static bool resolve_int(struct arena *a, const char *z, struct json *node)
{
    bool negative = *z == '-', sign = negative || *z == '+';
    uint64_t v = 0, limit = !sign ? UINT64_MAX : (uint64_t)INT64_MAX + negative;
    int base = 10;

    z += sign;
    if (z[0] == '0' && z[1] != '\0') {
        char c = (char)(z[1] | 0x20);

        base = c == 'x' ? 16 : c == 'b' ? 2 : 8;
        z += c == 'x' || c == 'b' || c == 'o' ? 2 : 1;
    }
    if (*z == '\0')
        return false;
    for (; *z != '\0'; z++) {
        int d = digit_value(*z);

        if (d >= base || v > (limit - (uint64_t)d) / (uint64_t)base)
            return false;
        v = v * (uint64_t)base + (uint64_t)d;
    }
    node->type = JSON_NUMBER;
    node->s = arena_fmt(a, "%s%llu", negative && v > 0 ? "-" : "", (unsigned long long)v);
    return true;
}

/* ---- floats -------------------------------------------------------------------------------------- */

static const char *skip_digits(const char *z)
{
    while (is_digit(*z))
        z++;
    return z;
}

/* [-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)? */
static bool looks_like_float(const char *z)
{
    const char *from;

    z += *z == '-' || *z == '+';
    from = z;
    z = skip_digits(z);
    if (*z == '.') {
        bool leading = z == from;
        const char *after = skip_digits(z + 1);

        if (leading && after == z + 1)
            return false;
        z = after;
    } else if (z == from) {
        return false;
    }
    if (*z == 'e' || *z == 'E') {
        z += z[1] == '-' || z[1] == '+' ? 2 : 1;
        from = z;
        z = skip_digits(z);
        if (z == from)
            return false;
    }
    return *z == '\0';
}

/* The shortest digits that give v again; with an exponent where Go's JSON encoder writes one. */
static struct str float_text(struct arena *a, double v)
{
    char z[40], digits[24], *e;
    int precision = 0, exponent, n = 0;
    double size = fabs(v);

    do
        snprintf(z, sizeof z, "%.*e", precision, v);
    while (strtod(z, NULL) != v && ++precision <= 17);
    e = strchr(z, 'e');
    must(e != NULL);
    exponent = atoi(e + 1);
    if (size != 0 && (size < 1e-6 || size >= 1e21))
        return arena_fmt(a, "%.*se%s%d", (int)(e - z), z, exponent < 0 ? "" : "+", exponent);
    if (exponent >= precision) {                 /* an integer: the digits and zeros */
        for (const char *p = z; p < e; p++)
            if (is_digit(*p))
                digits[n++] = *p;
        return arena_fmt(a, "%s%.*s%.*s", signbit(v) ? "-" : "", n, digits, exponent - precision,
                         "000000000000000000000");
    }
    return arena_fmt(a, "%.*f", precision - exponent, v);
}

static bool resolve_float(struct arena *a, const char *z, struct json *node)
{
    double v;

    if (!looks_like_float(z))
        return false;
    v = strtod(z, NULL);
    if (isinf(v))
        return false;
    node->type = JSON_NUMBER;
    node->s = float_text(a, v);
    return true;
}

/* ---- all ----------------------------------------------------------------------------------------- */

bool yaml_scalar_resolve(struct arena *a, struct str text, struct json *node)
{
    char c = text.n > 0 ? text.p[0] : '\0', *z, *to;

    if (resolve_word(text, node))
        return true;
    if (is_infinite_or_nan(text))
        return false;
    node->type = JSON_STRING;
    node->s = text;
    if ((!is_digit(c) && c != '-' && c != '+' && c != '.') || memchr(text.p, '\0', text.n) != NULL)
        return true;
    to = z = arena_alloc(a, text.n + 1);
    for (size_t i = 0; i < text.n; i++)
        if (text.p[i] != '_' || c == '.')        /* a leading dot allows no underscores */
            *to++ = text.p[i];
    *to = '\0';
    if (c == '.' || !resolve_int(a, z, node))
        resolve_float(a, z, node);               /* else it stays a string */
    return true;
}
