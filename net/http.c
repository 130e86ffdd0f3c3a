/* net/http.c: the parts of HTTP that server and client share and that know no connection. */
#include "net/http.h"
#include "net/http_wire.h"

struct str http_header_get(const struct http_header *h, size_t n, const char *name)
{
    struct str want = str_of(name);

    for (size_t i = 0; i < n; i++)
        if (h[i].name.n == want.n && str_ieq(h[i].name, want))
            return h[i].value;
    return STR_NONE;
}

static const struct { short status; const char *text; } status_texts[] = {
    { 100, "Continue" }, { 101, "Switching Protocols" },
    { 200, "OK" }, { 201, "Created" }, { 202, "Accepted" }, { 204, "No Content" }, { 206, "Partial Content" },
    { 301, "Moved Permanently" }, { 302, "Found" }, { 303, "See Other" }, { 304, "Not Modified" },
    { 307, "Temporary Redirect" }, { 308, "Permanent Redirect" },
    { 400, "Bad Request" }, { 401, "Unauthorized" }, { 403, "Forbidden" }, { 404, "Not Found" },
    { 405, "Method Not Allowed" }, { 406, "Not Acceptable" }, { 408, "Request Timeout" }, { 409, "Conflict" },
    { 410, "Gone" }, { 411, "Length Required" }, { 412, "Precondition Failed" }, { 413, "Content Too Large" },
    { 414, "URI Too Long" }, { 415, "Unsupported Media Type" }, { 416, "Range Not Satisfiable" },
    { 417, "Expectation Failed" }, { 421, "Misdirected Request" }, { 422, "Unprocessable Entity" },
    { 426, "Upgrade Required" }, { 428, "Precondition Required" }, { 429, "Too Many Requests" },
    { 431, "Request Header Fields Too Large" },
    { 500, "Internal Server Error" }, { 501, "Not Implemented" }, { 502, "Bad Gateway" },
    { 503, "Service Unavailable" }, { 504, "Gateway Timeout" }, { 505, "HTTP Version Not Supported" },
    { 507, "Insufficient Storage" },
};

const char *http_status_text(int status)
{
    for (size_t i = 0; i < ARRAY_LEN(status_texts); i++)
        if (status_texts[i].status == status)
            return status_texts[i].text;
    return "Unknown";
}

int http_hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool http_unescape(struct arena *a, struct str in, bool form, struct str *ret)
{
    if (str_find(in, '%') < 0 && !(form && str_find(in, '+') >= 0) && str_find(in, '\0') < 0) {
        *ret = in;
        return true;
    }
    char  *out = arena_alloc(a, in.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < in.n; i++) {
        char c = in.p[i];
        if (c == '%') {
            int hi = i + 2 < in.n ? http_hex_value(in.p[i + 1]) : -1;
            int lo = i + 2 < in.n ? http_hex_value(in.p[i + 2]) : -1;
            if (hi < 0 || lo < 0)
                return false;
            c = (char)(hi << 4 | lo);
            i += 2;
        } else if (c == '+' && form) {
            c = ' ';
        }
        if (c == '\0')
            return false;
        out[n++] = c;
    }
    out[n] = '\0';
    *ret = str_make(out, n);
    return true;
}

void http_escape(struct buf *out, struct str in)
{
    static const char hex[] = "0123456789ABCDEF";

    buf_reserve(out, in.n * 3);
    for (size_t i = 0; i < in.n; i++) {
        unsigned char c = (unsigned char)in.p[i];
        bool letter = (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
        if (letter || (c >= '0' && c <= '9') || (c != 0 && strchr("-._~", c) != NULL)) {
            buf_char(out, (char)c);
        } else {
            char esc[3] = { '%', hex[c >> 4], hex[c & 15] };
            buf_add(out, esc, 3);
        }
    }
}

/* RFC 9110 "tchar": letters, digits and !#$%&'*+-.^_`|~, one bit each. */
bool http_is_token(struct str s)
{
    static const uint64_t tchar[4] = { 0x03ff6cfa00000000, 0x57ffffffc7fffffe, 0, 0 };

    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if ((tchar[c >> 6] >> (c & 63) & 1) == 0)
            return false;
    }
    return s.n > 0;
}

bool http_is_field_value(struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return false;
    }
    return true;
}

bool http_is_target(struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c <= 0x20 || c == 0x7f)
            return false;
    }
    return s.n > 0;
}

bool http_list_has(struct str list, const char *token)
{
    struct str part, want = str_of(token);

    while (str_split(&list, ',', &part))
        if (str_ieq(str_trim(part), want))
            return true;
    return false;
}

/* Does this Accept-Encoding allow gzip?  "gzip;q=0" forbids it. */
bool http_accepts_gzip(struct str list)
{
    struct str part, name;

    while (str_split(&list, ',', &part)) {
        struct str q = part;
        str_split(&q, ';', &name);
        if (!str_ieq(str_trim(name), STR("gzip")))
            continue;
        q = str_trim(q);
        if (q.n < 2 || (q.p[0] | 0x20) != 'q' || q.p[1] != '=')
            return true;
        for (size_t i = 2; i < q.n; i++)
            if (q.p[i] >= '1' && q.p[i] <= '9')
                return true;
        return false;
    }
    return false;
}

void http_header_add(struct buf *out, struct str name, struct str value)
{
    must(http_is_token(name));
    buf_str_add(out, name);
    buf_add(out, ": ", 2);
    buf_str_add(out, value);
    if (!http_is_field_value(value))
        /* It may carry what a client once sent: a line break must not become a header (RFC 9110 5.5). */
        for (char *p = out->p + out->n - value.n; p < out->p + out->n; p++)
            if (((unsigned char)*p < 0x20 && *p != '\t') || *p == 0x7f)
                *p = ' ';
    buf_add(out, "\r\n", 2);
}
