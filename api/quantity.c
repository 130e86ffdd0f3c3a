/* api/quantity.c: quantities as 128-bit counts of billionths.
 *
 * A number's digits are read once, with the decimal point moved by a decimal exponent; the digits before the
 * point count whole units (a unit: 10^9 or 2^n * 10^9 billionths), those after it are summed up from the
 * last, each step a division by ten, so that the result is exact but for a remainder that rounds up. */
#include "api/quantity.h"

#include <stdio.h>

#define NANO 1000000000
#define NANO_MAX ((quantity_int)NANO * NANO * NANO * NANO * 10)      /* 10^37: ten times it still fits */

static const char *const error_format =
    "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
static const char *const error_suffix = "unable to parse quantity's suffix";

/* ---- parsing ----------------------------------------------------------------------------------- */

struct digits { const char *p; size_t n, point; };       /* n digits, without the '.' at p[point] */

static inline bool is_digit(char c) { return c >= '0' && c <= '9'; }

static inline unsigned digit_at(const struct digits *d, size_t i)
{
    return (unsigned)(d->p[i < d->point ? i : i + 1] - '0');
}

/* Cut sign and digits off *rest. */
static bool cut_digits(struct str *rest, bool *ret_negative, struct digits *ret)
{
    const char *p = rest->p, *end = p + rest->n;
    struct digits d;

    *ret_negative = p < end && *p == '-';
    p += p < end && (*p == '-' || *p == '+');
    d.p = p;
    while (p < end && is_digit(*p))
        p++;
    d.point = d.n = (size_t)(p - d.p);
    if (p < end && *p == '.') {
        p++;
        while (p < end && is_digit(*p))
            p++;
        d.n = (size_t)(p - d.p) - 1;
    }
    *rest = str_make(p, (size_t)(end - p));
    *ret = d;
    return d.n > 0;
}

struct suffix { enum quantity_format format; int decimal, binary; };     /* powers of ten and of two */

static bool parse_exponent(struct str s, struct suffix *ret)
{
    bool negative = s.n > 0 && s.p[0] == '-';
    int e = 0;

    s = str_from(s, s.n > 0 && (negative || s.p[0] == '+'));
    if (s.n == 0)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        if (!is_digit(s.p[i]))
            return false;
        e = MIN_OF(e * 10 + (s.p[i] - '0'), 1000000);    /* further is too large, or nothing, all the same */
    }
    *ret = (struct suffix){ QUANTITY_DECIMAL_EXPONENT, negative ? -e : e, 0 };
    return true;
}

static bool parse_suffix(struct str s, struct suffix *ret)
{
    static const struct {
        char text[3];
        struct suffix suffix;
    } table[] = {
        { "", { QUANTITY_DECIMAL_SI, 0, 0 } },   { "n", { QUANTITY_DECIMAL_SI, -9, 0 } },
        { "u", { QUANTITY_DECIMAL_SI, -6, 0 } }, { "m", { QUANTITY_DECIMAL_SI, -3, 0 } },
        { "k", { QUANTITY_DECIMAL_SI, 3, 0 } },  { "M", { QUANTITY_DECIMAL_SI, 6, 0 } },
        { "G", { QUANTITY_DECIMAL_SI, 9, 0 } },  { "T", { QUANTITY_DECIMAL_SI, 12, 0 } },
        { "P", { QUANTITY_DECIMAL_SI, 15, 0 } }, { "E", { QUANTITY_DECIMAL_SI, 18, 0 } },
        { "Ki", { QUANTITY_BINARY_SI, 0, 10 } }, { "Mi", { QUANTITY_BINARY_SI, 0, 20 } },
        { "Gi", { QUANTITY_BINARY_SI, 0, 30 } }, { "Ti", { QUANTITY_BINARY_SI, 0, 40 } },
        { "Pi", { QUANTITY_BINARY_SI, 0, 50 } }, { "Ei", { QUANTITY_BINARY_SI, 0, 60 } },
    };

    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        if (str_is(s, table[i].text)) {
            *ret = table[i].suffix;
            return true;
        }
    }
    return (s.p[0] | 0x20) == 'e' && parse_exponent(str_from(s, 1), ret);
}

/* digits * 10^shift units; false when it does not fit. */
static bool scale_digits(const struct digits *d, int shift, quantity_int unit, quantity_int *ret)
{
    int64_t point = (int64_t)d->point + shift;
    quantity_int whole = 0, part = 0;
    bool rest = false;
    int64_t i = 0;

    while (i < (int64_t)d->n && digit_at(d, (size_t)i) == 0)
        i++;
    if (i == (int64_t)d->n) {
        *ret = 0;
        return true;
    }
    for (; i < point; i++) {
        unsigned digit = i < (int64_t)d->n ? digit_at(d, (size_t)i) : 0;

        whole = whole * 10 + digit;
        if (whole > NANO_MAX / unit)
            return false;
    }
    for (i = (int64_t)d->n; i-- > MAX_OF(point, 0);) {
        part += digit_at(d, (size_t)i) * unit;
        rest |= part % 10 != 0;
        part /= 10;
    }
    for (; point < 0 && (part > 0 || rest); point++) {   /* zeros between the point and the first digit */
        rest |= part % 10 != 0;
        part /= 10;
        if (part == 0)
            break;
    }
    *ret = whole * unit + part + rest;
    return *ret <= NANO_MAX;
}

int quantity_parse(struct str s, struct quantity *ret, struct errbuf *err)
{
    quantity_int unit = NANO, nano = 0, cap = (quantity_int)INT64_MAX * NANO;
    struct suffix suffix;
    struct digits digits;
    bool negative, fits;

    if (!cut_digits(&s, &negative, &digits))
        return err_set(err, E_INVALID, "%s", error_format);
    for (size_t i = 0; i < s.n; i++)
        if (strchr("eEinumkKMGTP+-0123456789", s.p[i]) == NULL || s.p[i] == '\0')
            return err_set(err, E_INVALID, "%s", error_format);
    if (!parse_suffix(s, &suffix))
        return err_set(err, E_INVALID, "%s", error_suffix);
    unit <<= suffix.binary;
    fits = scale_digits(&digits, suffix.decimal, unit, &nano);
    if (suffix.format == QUANTITY_BINARY_SI && (!fits || nano > cap))
        nano = cap;                              /* as the original does, unlike for decimal suffixes */
    else if (!fits)
        return err_set(err, E_TOOBIG, "the quantity is too large");
    if (suffix.format == QUANTITY_BINARY_SI && nano > 0 && nano < NANO)
        suffix.format = QUANTITY_DECIMAL_SI;
    *ret = (struct quantity){ negative ? -nano : nano, suffix.format };
    return 0;
}

int quantity_from_json(const struct json *j, struct quantity *ret, struct errbuf *err)
{
    if (j == NULL || j->type == JSON_NULL) {
        *ret = QUANTITY_ZERO;
        return 0;
    }
    if (j->type == JSON_STRING)
        return quantity_parse(str_trim(j->s), ret, err);
    if (j->type == JSON_NUMBER)
        return quantity_parse(j->s, ret, err);
    return err_set(err, E_INVALID, "%s", error_format);
}

/* ---- text -------------------------------------------------------------------------------------- */

/* Digits of v > 0; returns how many. */
static size_t write_digits(quantity_int v, char *to)
{
    char tmp[48];
    size_t n = 0;

    do
        tmp[n++] = (char)('0' + (int)(v % 10));
    while ((v /= 10) > 0);
    for (size_t i = 0; i < n; i++)
        to[i] = tmp[n - 1 - i];
    return n;
}

static size_t write_decimal(quantity_int nano, enum quantity_format format, char *to)
{
    static const char suffixes[] = "num\0kMGTPE";
    int exponent = -9;
    size_t n;

    while (nano % 1000 == 0) {
        nano /= 1000;
        exponent += 3;
    }
    n = write_digits(nano, to);
    if (exponent == 0)
        return n;
    if (format == QUANTITY_DECIMAL_SI && exponent <= 18) {
        to[n] = suffixes[exponent / 3 + 3];
        return n + 1;
    }
    return n + (size_t)snprintf(to + n, 8, "e%d", exponent);
}

static size_t write_binary(quantity_int value, char *to)
{
    static const char suffixes[] = "KMGTPE";
    size_t power = 0, n;

    while (value % 1024 == 0 && power < sizeof suffixes - 1) {
        value /= 1024;
        power++;
    }
    n = write_digits(value, to);
    if (power > 0) {
        to[n++] = suffixes[power - 1];
        to[n++] = 'i';
    }
    return n;
}

size_t quantity_write(struct quantity q, char to[QUANTITY_TEXT_MAX])
{
    bool negative = q.nano < 0;
    quantity_int nano = negative ? -q.nano : q.nano;
    size_t n = 0;

    must(nano <= NANO_MAX);
    if (nano == 0) {
        to[0] = '0';
        return 1;
    }
    if (negative)
        to[n++] = '-';
    if (q.format == QUANTITY_BINARY_SI && nano >= (quantity_int)1024 * NANO && nano % NANO == 0)
        return n + write_binary(nano / NANO, to + n);
    return n + write_decimal(nano, q.format == QUANTITY_BINARY_SI ? QUANTITY_DECIMAL_SI : q.format, to + n);
}

struct str quantity_text(struct arena *a, struct quantity q)
{
    char text[QUANTITY_TEXT_MAX];

    return arena_str(a, str_make(text, quantity_write(q, text)));
}

/* ---- numbers ----------------------------------------------------------------------------------- */

struct quantity quantity_make(int64_t value, enum quantity_format format)
{
    return (struct quantity){ (quantity_int)value * NANO, format };
}

struct quantity quantity_make_milli(int64_t milli, enum quantity_format format)
{
    return (struct quantity){ (quantity_int)milli * (NANO / 1000), format };
}

static int64_t count_units(struct quantity q, int64_t unit)
{
    quantity_int v = q.nano / unit;

    v += (q.nano % unit > 0) - (q.nano % unit < 0);
    return v > INT64_MAX ? INT64_MAX : v < INT64_MIN ? INT64_MIN : (int64_t)v;
}

int64_t quantity_value(struct quantity q)
{
    return count_units(q, NANO);
}

int64_t quantity_milli(struct quantity q)
{
    return count_units(q, NANO / 1000);
}

double quantity_double(struct quantity q)
{
    return (double)q.nano / NANO;
}

static struct quantity sum(struct quantity x, struct quantity y, quantity_int y_nano)
{
    quantity_int n;

    if (y_nano > 0 && x.nano > NANO_MAX - y_nano)
        n = NANO_MAX;
    else if (y_nano < 0 && x.nano < -NANO_MAX - y_nano)
        n = -NANO_MAX;
    else
        n = x.nano + y_nano;
    return (struct quantity){ n, x.nano == 0 ? y.format : x.format };
}

struct quantity quantity_add(struct quantity x, struct quantity y)
{
    return sum(x, y, y.nano);
}

struct quantity quantity_sub(struct quantity x, struct quantity y)
{
    return sum(x, y, -y.nano);
}
