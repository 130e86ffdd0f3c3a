/* net/http2_fields.c: headers in the form that HTTP/2 wants; see net/http2_link.h. */
#include "net/http2_link.h"
#include "net/http_wire.h"
#include "net/log.h"

/* RFC 9113 8.2.2: malformed in HTTP/2. */
static bool is_hop_header(struct str name)
{
    static const char *const hop[] = {
        "connection", "upgrade", "transfer-encoding", "keep-alive", "proxy-connection",
    };

    for (size_t i = 0; i < ARRAY_LEN(hop); i++)
        if (str_ieq(name, str_of(hop[i])))
            return true;
    return false;
}

static bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }

static struct str lowered(struct arena *a, struct str name)
{
    size_t at = 0;

    while (at < name.n && !is_upper(name.p[at]))
        at++;
    if (at == name.n)
        return name;
    char *low = arena_alloc(a, name.n);
    for (size_t i = 0; i < name.n; i++)
        low[i] = (char)(is_upper(name.p[i]) ? name.p[i] | 0x20 : name.p[i]);
    return str_make(low, name.n);
}

/* No client's text can become a header. */
static struct str cleaned(struct arena *a, struct str value)
{
    value = str_trim(value);
    if (http_is_field_value(value))
        return value;
    char *clean = arena_alloc(a, value.n);
    for (size_t i = 0; i < value.n; i++)
        clean[i] = (unsigned char)value.p[i] < 0x20 || value.p[i] == 0x7f ? ' ' : value.p[i];
    return str_make(clean, value.n);
}

size_t h2_fields(nghttp2_nv *nv, struct arena *a, const struct http_header *h, size_t n)
{
    size_t at = 0;

    for (size_t i = 0; i < n; i++) {
        if (!http_is_token(h[i].name))
            log_warn("http", "a header with a malformed name was left out");
        else if (!is_hop_header(h[i].name))
            nv[at++] = h2_nv(lowered(a, h[i].name), cleaned(a, h[i].value));
    }
    return at;
}
