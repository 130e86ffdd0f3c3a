/* api/cel/lib_url.c: URLs, as Go's url.ParseRequestURI reads them: absolute, or an absolute path. */
#include "api/cel/opaque.h"

#define URL(i) (*(const struct cel_url *)a[i].u.opaque)

static bool is_alnum(char c)
{
    return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z');
}

/* Length of "https" before its colon; 0: there is none. */
static size_t scheme_length(struct str s)
{
    size_t n = 0;

    while (n < s.n && (is_alnum(s.p[n]) || (n > 0 && strchr("+-.", s.p[n]) != NULL && s.p[n] != '\0')))
        n++;
    return n > 0 && n < s.n && s.p[n] == ':' && !(s.p[0] >= '0' && s.p[0] <= '9') ? n : 0;
}

static bool hex(char c) { return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'f'); }

/* No control characters, and every % begins an escape. */
static bool bytes_ok(struct str s, bool escapes)
{
    for (size_t i = 0; i < s.n; i++) {
        if ((unsigned char)s.p[i] < ' ' || s.p[i] == 0x7f)
            return false;
        if (escapes && s.p[i] == '%' && (i + 2 >= s.n || !hex(s.p[i + 1]) || !hex(s.p[i + 2])))
            return false;
    }
    return true;
}

static bool host_ok(struct str host)
{
    ptrdiff_t  end = host.n > 0 && host.p[0] == '[' ? str_find(host, ']') : -1;
    struct str port = STR_NONE;

    if (host.n > 0 && host.p[0] == '[') {
        if (end < 0)
            return false;
        port = str_from(host, (size_t)end + 1);
    } else if (str_find(host, ':') >= 0) {
        port = str_from(host, (size_t)str_find(host, ':'));
    }
    for (size_t i = 0; i < host.n; i++)
        if (host.p[i] == ' ' || host.p[i] == '<' || host.p[i] == '>' || host.p[i] == '"')
            return false;
    for (size_t i = 0; i < port.n; i++)
        if (i == 0 ? port.p[i] != ':' : !(port.p[i] >= '0' && port.p[i] <= '9'))
            return false;
    return true;
}

bool cel_url_read(struct str s, struct cel_url *ret)
{
    size_t    scheme = scheme_length(s), end = 0;
    ptrdiff_t question, at;
    struct str rest = scheme > 0 ? str_from(s, scheme + 1) : s;

    *ret = (struct cel_url){ .text = s, .scheme = str_upto(s, scheme) };
    if (s.n == 0 || !bytes_ok(s, false) || rest.n == 0 || rest.p[0] != '/')
        return false;
    if ((question = str_find(rest, '?')) >= 0) {
        ret->query = str_from(rest, (size_t)question + 1);
        rest = str_upto(rest, (size_t)question);
    }
    if (scheme > 0 && str_starts(rest, STR("//"))) {
        for (end = 2; end < rest.n && rest.p[end] != '/';)
            end++;
        ret->host = str_make(rest.p + 2, end - 2);
        if ((at = str_find(ret->host, '@')) >= 0)
            ret->host = str_from(ret->host, (size_t)at + 1);
    }
    ret->path = str_from(rest, end);
    return host_ok(ret->host) && bytes_ok(ret->path, true);
}

CEL_FN(parse)
{
    struct cel_url *u = cel_alloc(r, sizeof *u);

    if (u == NULL)
        return cel_over(r);
    if (cel_url_read(a[0].u.s, u))
        return cel_opaque(CEL_URL, u);
    return cel_error(
        r, "URL parse error during conversion from string: parse \"%.*s\": invalid URI for request",
        (int)MIN_OF(a[0].u.s.n, (size_t)200), a[0].u.s.p);
}
CEL_FN(is_url)
{
    struct cel_url u;
    return cel_bool(cel_url_read(a[0].u.s, &u));
}

static struct str host_name(struct str host)
{
    ptrdiff_t end = host.n > 0 && host.p[0] == '[' ? str_find(host, ']') : str_find(host, ':');

    if (host.n > 0 && host.p[0] == '[')
        return str_make(host.p + 1, (size_t)end - 1);
    return end < 0 ? host : str_upto(host, (size_t)end);
}

CEL_FN(scheme) { return cel_string(URL(0).scheme); }
CEL_FN(host) { return cel_string(URL(0).host); }
CEL_FN(hostname) { return cel_string(host_name(URL(0).host)); }
CEL_FN(port)
{
    struct str host = URL(0).host, name = host_name(host);
    size_t     after = (size_t)(name.p - host.p) + name.n + (host.n > 0 && host.p[0] == '[');

    return cel_string(host.n > after ? str_from(host, after + 1) : STR(""));
}
CEL_FN(path) { return cel_string(URL(0).path); }

/* %41 and + of a query. */
static struct cel_value unescaped(struct cel_run *r, struct str s)
{
    struct buf b = BUF_INIT;

    for (size_t i = 0; i < s.n; i++) {
        unsigned v = 0;
        if (s.p[i] != '%' || i + 2 >= s.n || !hex(s.p[i + 1]) || !hex(s.p[i + 2])) {
            buf_char(&b, s.p[i] == '+' ? ' ' : s.p[i]);
            continue;
        }
        for (int k = 0; k < 2; k++) {
            char c = s.p[++i];
            v = v * 16 + (unsigned)(c <= '9' ? c - '0' : (c | 32) - 'a' + 10);
        }
        buf_char(&b, (char)v);
    }
    return cel_take_buf(r, &b);
}

/* Values by key, each a list. */
CEL_FN(query)
{
    struct cel_items *items = cel_items_new(r, 0);
    struct str        rest = URL(0).query, part;

    if (items == NULL)
        return cel_over(r);
    while (str_split(&rest, '&', &part)) {
        ptrdiff_t         eq = str_find(part, '=');
        struct cel_value  key, v, found;
        struct cel_value  map = cel_map(items);
        struct cel_items *list;
        if (part.n == 0)
            continue;
        key = unescaped(r, eq < 0 ? part : str_upto(part, (size_t)eq));
        v = unescaped(r, eq < 0 ? STR("") : str_from(part, (size_t)eq + 1));
        if (!cel_charge(r, 1 + items->n / 16) || cel_failed(&key) || cel_failed(&v))
            return cel_over(r);
        if (cel_map_find(&map, &key, &found)) {
            list = (struct cel_items *)(uintptr_t)found.u.items;
        } else if ((list = cel_items_new(r, 1)) == NULL || !cel_items_add(r, items, key) ||
                   !cel_items_add(r, items, cel_list(list))) {
            return cel_over(r);
        }
        if (!cel_items_add(r, list, v))
            return cel_over(r);
    }
    return cel_map(items);
}

static const struct cel_function urls[] = {
    { "url", "s:U", parse, COST_SCAN, 0 }, { "isURL", "s:b", is_url, COST_SCAN, 0 },
    { "getScheme", "U.:s", scheme, COST_ONE, 0 }, { "getHost", "U.:s", host, COST_ONE, 0 },
    { "getHostname", "U.:s", hostname, COST_ONE, 0 }, { "getPort", "U.:s", port, COST_ONE, 0 },
    { "getEscapedPath", "U.:s", path, COST_ONE, 0 }, { "getQuery", "U.:msls", query, COST_ONE, 0 },
};
const struct cel_library cel_lib_url = { urls, ARRAY_LEN(urls) };
