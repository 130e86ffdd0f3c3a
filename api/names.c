/* api/names.c: checks of names by hand-written scanners; the messages quote the equivalent regular
 * expressions. */
#include <arpa/inet.h>
#include "api/names.h"

#define LABEL_MAX 63
#define SUBDOMAIN_MAX 253
#define PORT_NAME_MAX 15
#define TOO_LONG_63 "must be no more than 63 bytes"
#define TOO_LONG_253 "must be no more than 253 bytes"
#define TOO_LONG_15 "must be no more than 15 bytes"
#define EMPTY "must be non-empty"

#define RE_LABEL "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
#define RE_SUBDOMAIN RE_LABEL "(\\." RE_LABEL ")*"
#define RE_NAME "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"

static const char bad_subdomain[] =
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', "
    "and must start and end with an alphanumeric character (e.g. 'example.com', regex used for "
    "validation is '" RE_SUBDOMAIN "')";
static const char bad_label[] =
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must "
    "start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for "
    "validation is '" RE_LABEL "')";
static const char bad_label_1035[] =
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an "
    "alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', "
    "regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";
static const char bad_wildcard[] =
    "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which "
    "must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric "
    "character (e.g. '*.example.com', regex used for validation is '\\*\\." RE_SUBDOMAIN "')";
static const char bad_qualified[] =
    "a qualified name must consist of alphanumeric characters, '-', '_' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for "
    "validation is '" RE_NAME "') with an optional DNS subdomain prefix and '/' (e.g. "
    "'example.com/MyName')";
static const char bad_prefix_part[] =
    "prefix part a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, "
    "'-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex "
    "used for validation is '" RE_SUBDOMAIN "')";
static const char bad_name_part[] =
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with "
    "an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for "
    "validation is '" RE_NAME "')";
static const char bad_label_value[] =
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', "
    "and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or "
    "'12345', regex used for validation is '(" RE_NAME ")?')";
static const char bad_env[] =
    "a valid environment variable name must consist only of printable ASCII characters other than '='";
static const char bad_c_identifier[] =
    "a valid C identifier must start with alphabetic character or '_', followed by a string of "
    "alphanumeric characters or '_' (e.g. 'my_name',  or 'MY_NAME',  or 'MyName', regex used for "
    "validation is '[A-Za-z_][A-Za-z0-9_]*')";
static const char bad_config_key[] =
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  "
    "or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')";

static inline bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
static inline bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
static inline bool is_digit(char c) { return c >= '0' && c <= '9'; }
static inline bool is_alnum(char c) { return is_lower(c) || is_upper(c) || is_digit(c); }

/* Lower-case letters, digits and '-' within; letters and digits at both ends. */
static bool is_dns_label(struct str s)
{
    if (s.n == 0 || s.p[0] == '-' || s.p[s.n - 1] == '-')
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (!is_lower(s.p[i]) && !is_digit(s.p[i]) && s.p[i] != '-')
            return false;
    return true;
}

static bool is_subdomain(struct str s)
{
    struct str part;

    if (s.n == 0)
        return false;
    while (str_split(&s, '.', &part))
        if (!is_dns_label(part))
            return false;
    return true;
}

const char *name_check_subdomain(struct str s)
{
    if (s.n > SUBDOMAIN_MAX)
        return TOO_LONG_253;
    return is_subdomain(s) ? NULL : bad_subdomain;
}

const char *name_check_label(struct str s)
{
    if (s.n > LABEL_MAX)
        return TOO_LONG_63;
    return is_dns_label(s) ? NULL : bad_label;
}

const char *name_check_label_1035(struct str s)
{
    if (s.n > LABEL_MAX)
        return TOO_LONG_63;
    return is_dns_label(s) && is_lower(s.p[0]) ? NULL : bad_label_1035;
}

const char *name_check_wildcard_subdomain(struct str s)
{
    if (s.n > SUBDOMAIN_MAX)
        return TOO_LONG_253;
    return str_starts(s, STR("*.")) && is_subdomain(str_from(s, 2)) ? NULL : bad_wildcard;
}

/* Letters, digits, '-', '_' and '.', letters and digits at both ends. */
static bool is_label_name(struct str s)
{
    if (s.n == 0 || !is_alnum(s.p[0]) || !is_alnum(s.p[s.n - 1]))
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (!is_alnum(s.p[i]) && s.p[i] != '-' && s.p[i] != '_' && s.p[i] != '.')
            return false;
    return true;
}

const char *name_check_qualified(struct str s)
{
    ptrdiff_t slash = str_find(s, '/');
    struct str name = slash >= 0 ? str_from(s, (size_t)slash + 1) : s;

    if (str_find(name, '/') >= 0)
        return bad_qualified;
    if (slash == 0)
        return "prefix part " EMPTY;
    if (slash > SUBDOMAIN_MAX)
        return "prefix part " TOO_LONG_253;
    if (slash > 0 && !is_subdomain(str_upto(s, (size_t)slash)))
        return bad_prefix_part;
    if (name.n == 0)
        return "name part " EMPTY;
    if (name.n > LABEL_MAX)
        return "name part " TOO_LONG_63;
    return is_label_name(name) ? NULL : bad_name_part;
}

const char *name_check_label_value(struct str s)
{
    if (s.n > LABEL_MAX)
        return TOO_LONG_63;
    return s.n == 0 || is_label_name(s) ? NULL : bad_label_value;
}

const char *name_check_path_segment(struct str s)
{
    if (s.n == 0)
        return EMPTY;
    if (str_is(s, "."))
        return "may not be '.'";
    if (str_is(s, ".."))
        return "may not be '..'";
    if (str_find(s, '/') >= 0)
        return "may not contain '/'";
    if (str_find(s, '%') >= 0)
        return "may not contain '%'";
    return NULL;
}

const char *name_check_env(struct str s)
{
    if (s.n == 0)
        return "environment variable name " EMPTY;
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < ' ' || s.p[i] > '~' || s.p[i] == '=')
            return bad_env;
    return NULL;
}

const char *name_check_c_identifier(struct str s)
{
    bool ok = s.n > 0 && !is_digit(s.p[0]);

    for (size_t i = 0; ok && i < s.n; i++)
        ok = is_alnum(s.p[i]) || s.p[i] == '_';
    return ok ? NULL : bad_c_identifier;
}

const char *name_check_config_key(struct str s)
{
    if (s.n > SUBDOMAIN_MAX)
        return TOO_LONG_253;
    for (size_t i = 0; i < s.n || s.n == 0; i++)
        if (s.n == 0 || (!is_alnum(s.p[i]) && s.p[i] != '-' && s.p[i] != '_' && s.p[i] != '.'))
            return bad_config_key;
    if (str_is(s, "."))
        return "must not be '.'";
    if (str_is(s, ".."))
        return "must not be '..'";
    return str_starts(s, STR("..")) ? "must not start with '..'" : NULL;
}

const char *name_check_port(struct str s)
{
    bool letter = false;

    if (s.n > PORT_NAME_MAX)
        return TOO_LONG_15;
    for (size_t i = 0; i < s.n; i++) {
        if (!is_lower(s.p[i]) && !is_digit(s.p[i]) && s.p[i] != '-')
            return "must contain only alphanumeric characters (a-z, 0-9), and hyphens (-)";
        if (i > 0 && s.p[i] == '-' && s.p[i - 1] == '-')
            return "must not contain consecutive hyphens";
        letter |= is_lower(s.p[i]);
    }
    if (!letter)
        return "must contain at least one letter (a-z)";
    return s.p[0] == '-' || s.p[s.n - 1] == '-' ? "must not begin or end with a hyphen" : NULL;
}

/* The family of the address (AF_INET, AF_INET6), 0 if it is none. */
static int ip_family(struct str s)
{
    char z[INET6_ADDRSTRLEN + 1];
    unsigned char bytes[16];

    if (s.n == 0 || s.n >= sizeof z || memchr(s.p, '\0', s.n) != NULL)
        return 0;
    memcpy(z, s.p, s.n);
    z[s.n] = '\0';
    if (inet_pton(AF_INET, z, bytes) == 1)
        return AF_INET;
    return inet_pton(AF_INET6, z, bytes) == 1 ? AF_INET6 : 0;
}

const char *name_check_ip(struct str s)
{
    return ip_family(s) != 0 ? NULL : "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)";
}

const char *name_check_ipv4(struct str s)
{
    return ip_family(s) == AF_INET ? NULL : "must be a valid IPv4 address, (e.g. 10.9.8.7)";
}

const char *name_check_cidr(struct str s)
{
    static const char bad[] = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)";
    ptrdiff_t slash = str_find(s, '/');
    struct str bits;
    int family;
    unsigned n = 0;

    if (slash < 0)
        return bad;
    family = ip_family(str_upto(s, (size_t)slash));
    bits = str_from(s, (size_t)slash + 1);
    if (family == 0 || bits.n == 0 || bits.n > 3 || (bits.n > 1 && bits.p[0] == '0'))
        return bad;
    for (size_t i = 0; i < bits.n; i++) {
        if (!is_digit(bits.p[i]))
            return bad;
        n = n * 10 + (unsigned)(bits.p[i] - '0');
    }
    return n <= (family == AF_INET ? 32u : 128u) ? NULL : bad;
}

const char *name_check_port_number(int64_t port)
{
    return port >= 1 && port <= 65535 ? NULL : "must be between 1 and 65535, inclusive";
}

const char *name_check_uuid(struct str s)
{
    static const char bad[] = "must be a UUID (e.g. '0b6d4f0a-3c3f-4a51-9c35-8d4c6b8a7f10')";

    if (s.n != 36)
        return bad;
    for (size_t i = 0; i < s.n; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        char c = s.p[i], lower = (char)(c | 0x20);

        if (dash ? c != '-' : !is_digit(c) && (lower < 'a' || lower > 'f'))
            return bad;
    }
    return NULL;
}

/* Case doesn't matter to drivers. */
const char *name_check_csi_driver(struct str s)
{
    char z[LABEL_MAX];

    if (s.n > LABEL_MAX)
        return TOO_LONG_63;
    for (size_t i = 0; i < s.n; i++)
        z[i] = is_upper(s.p[i]) ? (char)(s.p[i] + 32) : s.p[i];
    return name_check_subdomain(str_make(z, s.n));
}

const char *name_check_domain_path(struct str s)
{
    static const char more[] = "/-._~!$&'()*+,;=:@";
    ptrdiff_t slash = str_find(s, '/');

    if (slash <= 0 || (size_t)slash + 1 == s.n)
        return "must be a domain-prefixed path (such as \"acme.io/foo\")";
    for (size_t i = (size_t)slash + 1; i < s.n; i++)
        if (!is_alnum(s.p[i]) && memchr(more, s.p[i], sizeof(more) - 1) == NULL)
            return "a valid path must consist of characters allowed in HTTP paths";
    return name_check_subdomain(str_upto(s, (size_t)slash));
}

const char *name_check_host(struct str s)
{
    if (ip_family(s) != 0)
        return "must be a DNS name, not an IP address";
    return str_find(s, '*') >= 0 ? name_check_wildcard_subdomain(s) : name_check_subdomain(s);
}

/* A '-' at the end will be followed by a letter or digit: check as if it were one. */
const char *name_check_generate(name_check_fn *check, struct str prefix)
{
    char z[SUBDOMAIN_MAX + 1];

    if (prefix.n > 1 && prefix.n <= sizeof z && prefix.p[prefix.n - 1] == '-') {
        memcpy(z, prefix.p, prefix.n);
        z[prefix.n - 1] = 'a';
        return check(str_make(z, prefix.n));
    }
    return check(prefix);
}

name_check_fn *name_check_find(const char *format)
{
    static const struct { const char *format; name_check_fn *check; } formats[] = {
        { "dns1123subdomain", name_check_subdomain }, { "dns1123label", name_check_label },
        { "dns1035label", name_check_label_1035 },    { "qualifiedname", name_check_qualified },
        { "labelvalue", name_check_label_value },     { "pathsegment", name_check_path_segment },
        { "envname", name_check_env },                { "cidentifier", name_check_c_identifier },
        { "configkey", name_check_config_key },       { "portname", name_check_port },
        { "ip", name_check_ip },                      { "ipv4", name_check_ipv4 },
        { "cidr", name_check_cidr },                  { "uuid", name_check_uuid },
    };

    for (size_t i = 0; i < ARRAY_LEN(formats); i++)
        if (format != NULL && strcmp(formats[i].format, format) == 0)
            return formats[i].check;
    return NULL;
}
