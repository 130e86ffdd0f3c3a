/* node/image_ref.c: see image_ref.h. */
#include <stdio.h>
#include "node/digest.h"
#include "node/image_ref.h"

static bool is_lower_alnum(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }
static bool is_alnum(char c) { return is_lower_alnum(c) || (c >= 'A' && c <= 'Z'); }

/* A path component: lower-case letters, digits, single separators inside. */
static bool component_ok(struct str s)
{
    if (s.n == 0 || !is_lower_alnum(s.p[0]) || !is_lower_alnum(s.p[s.n - 1]))
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (!is_lower_alnum(s.p[i]) && s.p[i] != '.' && s.p[i] != '_' && s.p[i] != '-')
            return false;
    return true;
}

static bool host_ok(struct str s)
{
    if (s.n == 0 || !is_alnum(s.p[0]))
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (!is_alnum(s.p[i]) && s.p[i] != '.' && s.p[i] != '-' && s.p[i] != ':')
            return false;
    return true;
}

static bool tag_ok(struct str s)
{
    if (s.n == 0 || s.n > 128 || s.p[0] == '.' || s.p[0] == '-')
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (!is_alnum(s.p[i]) && s.p[i] != '.' && s.p[i] != '_' && s.p[i] != '-')
            return false;
    return true;
}

static bool path_ok(struct str s)
{
    struct str part;
    bool ok = s.n > 0;

    while (ok && str_split(&s, '/', &part))
        ok = component_ok(part);
    return ok;
}

/* The first part is a registry when it looks like a host, as opposed to a user. */
static bool first_is_host(struct str name)
{
    ptrdiff_t slash = str_find(name, '/');

    if (slash < 0)
        return false;
    struct str first = str_upto(name, (size_t)slash);
    return str_find(first, '.') >= 0 || str_find(first, ':') >= 0 || str_is(first, "localhost");
}

int image_ref_normalize(struct str ref, struct image_ref *ret, struct errbuf *err)
{
    struct str name = ref, tag = STR("latest"), host = STR("docker.io");
    struct digest digest = { "" };
    const char *library = "";
    ptrdiff_t at = str_find(ref, '@');

    if (ref.n == 0 || ref.n > 400)
        return err_set(err, E_INVALID, "invalid image reference of %zu bytes", ref.n);
    if (at >= 0) {
        if (!digest_parse(str_from(ref, (size_t)at + 1), &digest))
            return err_set(err, E_INVALID, "invalid digest in image reference \"%.*s\"", STR_ARG(ref));
        name = str_upto(ref, (size_t)at);
    }
    for (size_t i = name.n; i > 0 && name.p[i - 1] != '/'; i--)
        if (name.p[i - 1] == ':') {
            tag = str_from(name, i);
            name = str_upto(name, i - 1);
            break;
        }
    if (first_is_host(name)) {
        size_t slash = (size_t)str_find(name, '/');
        host = str_upto(name, slash);
        name = str_from(name, slash + 1);
    } else if (str_find(name, '/') < 0) {
        library = "library/";
    }
    if (!path_ok(name) || !host_ok(host) || !tag_ok(tag))
        return err_set(err, E_INVALID, "invalid image reference \"%.*s\"", STR_ARG(ref));
    if (digest.s[0] != '\0')
        snprintf(ret->s, sizeof ret->s, "%.*s/%s%.*s@%s", STR_ARG(host), library, STR_ARG(name), digest.s);
    else
        snprintf(ret->s, sizeof ret->s, "%.*s/%s%.*s:%.*s", STR_ARG(host), library, STR_ARG(name),
                 STR_ARG(tag));
    return 0;
}

const char *image_architecture(const char *machine)
{
    static const char *const map[][2] = { { "x86_64", "amd64" }, { "aarch64", "arm64" }, { "i686", "386" },
                                          { "armv7l", "arm" } };

    for (unsigned i = 0; i < ARRAY_LEN(map); i++)
        if (strcmp(machine, map[i][0]) == 0)
            return map[i][1];
    return machine;
}
