/* api/crd/formats.c: the formats of texts that schemas may name.  What is unknown is not checked. */
#include "api/crd/rules.h"
#include "api/names.h"
#include "api/time_fmt.h"
#include "net/ip_range.h"

static bool all_of(struct str s, const char *set)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] == '\0' || strchr(set, s.p[i]) == NULL)
            return false;
    return true;
}

#define DIGITS "0123456789"
#define HEX    DIGITS "abcdefABCDEF"
#define BASE64 DIGITS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ+/"

static bool is_ipv4(struct str s) { return name_check_ipv4(s) == NULL; }
static bool is_ip(struct str s) { return name_check_ip(s) == NULL; }
static bool is_ipv6(struct str s) { return str_find(s, ':') >= 0 && is_ip(s); }
static bool is_cidr(struct str s) { return name_check_cidr(s) == NULL; }
static bool is_date_time(struct str s)
{
    uint32_t ns;
    int64_t at;

    return time_parse(s, &at, &ns);
}

static bool is_date(struct str s)
{
    char text[32];

    if (s.n != 10)
        return false;
    memcpy(text, s.p, 10);
    memcpy(text + 10, "T00:00:00Z", 10);
    return is_date_time(str_make(text, 20));
}

static bool is_duration(struct str s)
{
    int64_t ns;

    return duration_parse(s, &ns);
}

static bool is_byte(struct str s)
{
    size_t n = s.n;

    if (s.n % 4 != 0)
        return false;
    while (n > 0 && s.n - n < 2 && s.p[n - 1] == '=')
        n--;
    return all_of(str_upto(s, n), BASE64);
}

/* Groups of hexadecimal digits; a version of UUID, or 0 for any. */
static bool is_uuid_of(struct str s, char version)
{
    char bare[32];
    size_t n = 0;

    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '-' && (i == 8 || i == 13 || i == 18 || i == 23))
            continue;
        if (n == sizeof(bare))
            return false;
        bare[n++] = s.p[i];
    }
    return n == 32 && (s.n == 32 || s.n == 36) && all_of(str_make(bare, 32), HEX) &&
           (version == 0 || bare[12] == version);
}

static bool is_uuid(struct str s) { return is_uuid_of(s, 0); }
static bool is_uuid3(struct str s) { return is_uuid_of(s, '3'); }
static bool is_uuid4(struct str s) { return is_uuid_of(s, '4'); }
static bool is_uuid5(struct str s) { return is_uuid_of(s, '5'); }
static bool is_object_id(struct str s) { return s.n == 24 && all_of(s, HEX); }

static bool is_mac(struct str s)
{
    if (s.n != 17 || (s.p[2] != ':' && s.p[2] != '-'))
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (i % 3 == 2 ? s.p[i] != s.p[2] : !all_of(str_make(s.p + i, 1), HEX))
            return false;
    return true;
}

static bool is_hostname(struct str s)
{
    struct str part;

    if (s.n == 0 || s.n > 253)
        return false;
    while (str_split(&s, '.', &part))
        if (part.n == 0 || part.n > 63 || part.p[0] == '-' || part.p[part.n - 1] == '-' ||
            !all_of(part, BASE64 "-") || str_find(part, '+') >= 0 || str_find(part, '/') >= 0)
            return false;
    return true;
}

static bool is_email(struct str s)
{
    ptrdiff_t at = -1;

    for (size_t i = 0; i < s.n; i++) {
        if ((unsigned char)s.p[i] <= ' ' || s.p[i] == 0x7f)
            return false;
        if (s.p[i] == '@')
            at = (ptrdiff_t)i;
    }
    return at > 0 && is_hostname(str_from(s, (size_t)at + 1));
}

/* A scheme, or a path from the root. */
static bool is_uri(struct str s)
{
    ptrdiff_t colon = str_find(s, ':');

    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] <= ' ' || s.p[i] == 0x7f)
            return false;
    if (s.n > 0 && s.p[0] == '/')
        return true;
    return colon > 0 && all_of(str_upto(s, (size_t)colon), BASE64 ".-") &&
           !all_of(str_make(s.p, 1), DIGITS "+.-/");
}

static bool is_hex_color(struct str s)
{
    struct str bare = s.n > 0 && s.p[0] == '#' ? str_from(s, 1) : s;

    return (bare.n == 3 || bare.n == 6) && all_of(bare, HEX);
}

static bool is_rgb_color(struct str s)
{
    struct str part;
    uint64_t value;
    unsigned n = 0;

    if (!str_starts(s, STR("rgb(")) || s.p[s.n - 1] != ')')
        return false;
    s = str_make(s.p + 4, s.n - 5);
    while (str_split(&s, ',', &part)) {
        if (!str_u64(str_trim(part), &value) || value > 255)
            return false;
        n++;
    }
    return n == 3;
}

/* The digits of a number that is written with dashes and blanks; -1: too many, or something else. */
static int bare_digits(struct str s, char *to, int max)
{
    int n = 0;

    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '-' || s.p[i] == ' ')
            continue;
        if (n == max || ((s.p[i] < '0' || s.p[i] > '9') && s.p[i] != 'X'))
            return -1;
        to[n++] = s.p[i];
    }
    return n;
}

static bool is_isbn10(struct str s)
{
    char d[10];
    int sum = 0;

    if (bare_digits(s, d, 10) != 10)
        return false;
    for (int i = 0; i < 10; i++) {
        if (d[i] == 'X' && i != 9)
            return false;
        sum += (10 - i) * (d[i] == 'X' ? 10 : d[i] - '0');
    }
    return sum % 11 == 0;
}

static bool is_isbn13(struct str s)
{
    char d[13];
    int sum = 0;

    if (bare_digits(s, d, 13) != 13)
        return false;
    for (int i = 0; i < 13; i++) {
        if (d[i] == 'X')
            return false;
        sum += (i % 2 == 0 ? 1 : 3) * (d[i] - '0');
    }
    return sum % 10 == 0;
}

static bool is_isbn(struct str s) { return is_isbn10(s) || is_isbn13(s); }

static bool is_credit_card(struct str s)
{
    char d[19];
    int n = bare_digits(s, d, 19), sum = 0;

    if (n < 13)
        return false;
    for (int i = 0; i < n; i++) {
        int digit = d[n - 1 - i] - '0', twice = digit * 2;

        if (d[n - 1 - i] == 'X')
            return false;
        sum += i % 2 == 0 ? digit : twice > 9 ? twice - 9 : twice;
    }
    return sum % 10 == 0;
}

static bool is_ssn(struct str s)
{
    char d[9];

    return s.n == 11 && (s.p[3] == '-' || s.p[3] == ' ') && s.p[6] == s.p[3] && bare_digits(s, d, 9) == 9 &&
           all_of(str_make(d, 9), DIGITS);
}

static bool is_anything(struct str s)
{
    (void)s;
    return true;
}

static const struct { const char *name; bool (*fits)(struct str s); } formats[] = {
    { "bsonobjectid", is_object_id }, { "uri", is_uri },           { "email", is_email },
    { "hostname", is_hostname },      { "ipv4", is_ipv4 },         { "ipv6", is_ipv6 },
    { "cidr", is_cidr },              { "mac", is_mac },           { "uuid", is_uuid },
    { "uuid3", is_uuid3 },            { "uuid4", is_uuid4 },       { "uuid5", is_uuid5 },
    { "isbn", is_isbn },              { "isbn10", is_isbn10 },     { "isbn13", is_isbn13 },
    { "creditcard", is_credit_card }, { "ssn", is_ssn },           { "hexcolor", is_hex_color },
    { "rgbcolor", is_rgb_color },     { "byte", is_byte },         { "password", is_anything },
    { "date", is_date },              { "duration", is_duration }, { "datetime", is_date_time },
    { "date-time", is_date_time },    { "int32", is_anything },    { "int64", is_anything },
    { "float", is_anything },         { "double", is_anything },   { "int-or-string", is_anything },
};

bool crd_format_fits(struct str format, struct str text)
{
    for (size_t i = 0; i < ARRAY_LEN(formats); i++)
        if (str_is(format, formats[i].name))
            return formats[i].fits(text);
    return true;
}

bool crd_format_known(struct str format)
{
    for (size_t i = 0; i < ARRAY_LEN(formats); i++)
        if (str_is(format, formats[i].name))
            return true;
    return false;
}
