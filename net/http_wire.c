/* net/http_wire.c: see net/http_wire.h. */
#include "net/http_wire.h"

ptrdiff_t http_head_scan(size_t *at, const char *p, size_t n)
{
    while (*at < n) {
        const char *line = p + *at;
        const char *lf = memchr(line, '\n', n - *at);
        if (lf == NULL)
            return HTTP_SCAN_MORE;
        if (lf == line || memchr(line, '\r', (size_t)(lf - line)) != lf - 1)
            return HTTP_SCAN_BAD;                /* a line ends in CR LF, and CR stands nowhere else */
        if (lf - line == 1)
            return lf + 1 - p;
        if (*at > 0 && (*line == ' ' || *line == '\t'))
            return HTTP_SCAN_BAD;                /* a folded line: two parsers would read two things */
        *at = (size_t)(lf + 1 - p);
    }
    return HTTP_SCAN_MORE;
}

/* ---- llhttp's callbacks only record spans ------------------------------------------------------- */

/* llhttp may hand a span over in two calls: join them. */
static bool span_grow(struct str *s, const char *at, size_t n)
{
    if (s->p == NULL || s->p + s->n != at)
        return false;
    s->n += n;
    return true;
}

static int parser_on_target(llhttp_t *ll, const char *at, size_t n)
{
    struct http_head *h = ((struct http_parser *)ll->data)->head;

    if (!span_grow(&h->target, at, n))
        h->target = str_make(at, n);
    return 0;
}

static int parser_on_field(llhttp_t *ll, const char *at, size_t n)
{
    struct http_parser *ps = ll->data;
    struct http_head *h = ps->head;

    if (h->n_headers > 0 && span_grow(&h->headers[h->n_headers - 1].name, at, n))
        return 0;
    if (h->n_headers == HTTP_MAX_HEADERS) {
        ps->too_many = true;
        return HPE_USER;
    }
    h->headers[h->n_headers++] = (struct http_header){ str_make(at, n), STR("") };
    return 0;
}

static int parser_on_value(llhttp_t *ll, const char *at, size_t n)
{
    struct http_head *h = ((struct http_parser *)ll->data)->head;

    if (h->n_headers == 0)
        return HPE_USER;
    struct str *v = &h->headers[h->n_headers - 1].value;
    if (!span_grow(v, at, n))
        *v = str_make(at, n);
    return 0;
}

static int parser_on_headers_complete(llhttp_t *ll)
{
    ((struct http_parser *)ll->data)->complete = true;
    return HPE_PAUSED;                           /* the rest is ours */
}

void http_parser_init(struct http_parser *ps)
{
    memset(ps, 0, sizeof *ps);
    llhttp_settings_init(&ps->settings);
    ps->settings.on_url = parser_on_target;
    ps->settings.on_header_field = parser_on_field;
    ps->settings.on_header_value = parser_on_value;
    ps->settings.on_headers_complete = parser_on_headers_complete;
}

/* ---- what the headers mean ---------------------------------------------------------------------- */

struct meaning { unsigned hosts, lengths, codings; bool upgrade_named; const char *bad; int status; };

static int meaning_refuse(struct meaning *m, int status, const char *reason)
{
    if (m->bad == NULL) {
        m->bad = reason;
        m->status = status;
    }
    return status;
}

static void meaning_connection(struct http_head *h, struct str v)
{
    if (http_list_has(v, "close"))
        h->keep_alive = false;
    else if (http_list_has(v, "keep-alive"))
        h->keep_alive = true;
    if (http_list_has(v, "upgrade"))
        h->upgrade = true;
}

static void meaning_length(struct meaning *m, struct http_head *h, struct str v)
{
    if (m->lengths++ > 0)
        meaning_refuse(m, 400, "more than one Content-Length");
    else if (v.n == 0 || v.p[0] < '0' || v.p[0] > '9' || !str_u64(v, &h->length))
        meaning_refuse(m, 400, "Content-Length is not a number");
    h->has_length = true;
}

static void meaning_coding(struct meaning *m, struct http_head *h, struct str v, bool request)
{
    if (m->codings++ > 0)
        meaning_refuse(m, 400, "more than one Transfer-Encoding");
    else if (h->http_1_0)
        meaning_refuse(m, 400, "Transfer-Encoding in HTTP/1.0");
    else if (!str_ieq(v, STR("chunked")))
        meaning_refuse(m, request ? 501 : 400, "the only Transfer-Encoding known here is chunked");
    h->chunked = true;
}

/* The length of the name picks the candidate, so most headers cost one switch. */
static void meaning_take(struct meaning *m, struct http_head *h, const struct http_header *f, bool request)
{
    switch (f->name.n) {
    case 4:
        m->hosts += str_ieq(f->name, STR("host"));
        break;
    case 6:
        if (str_ieq(f->name, STR("expect")) && request && !h->http_1_0) {
            h->expect_continue = str_ieq(f->value, STR("100-continue"));
            if (!h->expect_continue)
                meaning_refuse(m, 417, "the only expectation known here is 100-continue");
        }
        break;
    case 7:
        m->upgrade_named |= str_ieq(f->name, STR("upgrade"));
        break;
    case 10:
        if (str_ieq(f->name, STR("connection")))
            meaning_connection(h, f->value);
        break;
    case 14:
        if (str_ieq(f->name, STR("content-length")))
            meaning_length(m, h, f->value);
        break;
    case 15:
        if (str_ieq(f->name, STR("accept-encoding")))
            h->accept_gzip |= http_accepts_gzip(f->value);
        break;
    case 17:
        if (str_ieq(f->name, STR("transfer-encoding")))
            meaning_coding(m, h, f->value, request);
        break;
    }
}

static int head_interpret(struct http_head *h, bool request, const char **reason)
{
    struct meaning m = { 0 };

    h->keep_alive = !h->http_1_0;
    for (size_t i = 0; i < h->n_headers; i++) {
        struct http_header *f = &h->headers[i];
        f->value = str_trim(f->value);
        if (!http_is_token(f->name))
            meaning_refuse(&m, 400, "a header's name is malformed");
        else if (!http_is_field_value(f->value))
            meaning_refuse(&m, 400, "a header's value holds a control character");
        else
            meaning_take(&m, h, f, request);
    }
    h->upgrade = h->upgrade && m.upgrade_named && !h->http_1_0;
    if (h->chunked && h->has_length)
        meaning_refuse(&m, 400, "both Content-Length and Transfer-Encoding");
    if (request && (m.hosts > 1 || (m.hosts == 0 && !h->http_1_0)))
        meaning_refuse(&m, 400, m.hosts > 1 ? "more than one Host" : "Host is missing");
    if (request && !http_is_target(h->target))
        meaning_refuse(&m, 400, "the request target is malformed");
    if (m.bad != NULL)
        *reason = m.bad;
    return m.status;
}

/* "METHOD SP target SP HTTP/1.x": llhttp would forgive more spaces. */
static bool request_line_split(struct http_head *h, struct str bytes)
{
    ptrdiff_t sp = str_find(bytes, ' ');

    if (sp <= 0 || h->target.p != bytes.p + sp + 1)
        return false;
    struct str rest = str_from(bytes, (size_t)sp + 1 + h->target.n);
    h->method = str_upto(bytes, (size_t)sp);
    return str_starts(rest, STR(" HTTP/1."));
}

int http_head_parse(struct http_parser *ps, bool request, struct str bytes, struct http_head *h,
                    const char **reason)
{
    memset(h, 0, offsetof(struct http_head, headers));
    ps->head = h;
    ps->complete = ps->too_many = false;
    llhttp_init(&ps->ll, request ? HTTP_REQUEST : HTTP_RESPONSE, &ps->settings);
    ps->ll.data = ps;
    llhttp_errno_t e = llhttp_execute(&ps->ll, bytes.p, bytes.n);
    if (ps->too_many) {
        *reason = "too many headers";
        return 431;
    }
    if (!ps->complete) {
        *reason = e == HPE_INVALID_VERSION ? "the protocol version is not known here" :
                  request ? "the request head is malformed" : "the response head is malformed";
        return e == HPE_INVALID_VERSION ? 505 : 400;
    }
    h->http_1_0 = ps->ll.http_major == 1 && ps->ll.http_minor == 0;
    if (ps->ll.http_major != 1) {
        *reason = "the protocol version is not known here";
        return 505;
    }
    h->status = ps->ll.status_code;
    if (request && !request_line_split(h, bytes)) {
        *reason = "the request line is malformed";
        return 400;
    }
    return head_interpret(h, request, reason);
}

/* ---- bodies ------------------------------------------------------------------------------------- */

enum {
    CH_SIZE, CH_EXT, CH_SIZE_LF, CH_DATA, CH_DATA_CR, CH_DATA_LF, CH_TRAILER, CH_TRAILER_LINE, CH_TRAILER_LF,
    CH_END_LF, CH_DONE
};

/* Bytes of chunk heads and trailers beyond what reasonable chunks need; a client could otherwise send
 * kilobytes of extension for each byte of body. */
#define CHUNK_EXCESS_MAX  (16u << 10)

void http_body_init(struct http_body *b, enum http_framing kind, uint64_t length)
{
    *b = (struct http_body){ .kind = kind, .state = CH_SIZE, .left = length };
    if (kind == HTTP_BODY_LENGTH && length == 0)
        b->kind = HTTP_BODY_NONE;
    if (kind == HTTP_BODY_CHUNKED)
        b->left = 0;
}

static int chunk_size_byte(struct http_body *b, char c)
{
    int v = http_hex_value(c);

    if (v >= 0) {
        if (++b->digits > 15)
            return HTTP_BODY_BAD;
        b->left = b->left << 4 | (unsigned)v;
        return HTTP_BODY_MORE;
    }
    if (b->digits == 0)
        return HTTP_BODY_BAD;
    if (c == '\r')
        b->state = CH_SIZE_LF;
    else if (c == ';' || c == ' ' || c == '\t')
        b->state = CH_EXT;
    else
        return HTTP_BODY_BAD;
    return HTTP_BODY_MORE;
}

static int chunk_size_end(struct http_body *b)
{
    uint64_t allowance = 16 + 2 * MIN_OF(b->left, CHUNK_EXCESS_MAX);

    b->excess = b->excess > allowance ? b->excess - (unsigned)allowance : 0;
    b->state = b->left > 0 ? CH_DATA : CH_TRAILER;
    b->digits = 0;
    return HTTP_BODY_MORE;
}

/* One byte outside of a chunk's data.  Only CR LF ends a line. */
static int chunk_byte(struct http_body *b, char c)
{
    if (++b->excess > CHUNK_EXCESS_MAX + 64)
        return HTTP_BODY_BAD;
    switch (b->state) {
    case CH_SIZE:
        return chunk_size_byte(b, c);
    case CH_EXT:
    case CH_TRAILER_LINE:
        if (c == '\r')
            b->state = b->state == CH_EXT ? CH_SIZE_LF : CH_TRAILER_LF;
        if (((unsigned char)c < 0x20 && c != '\t' && c != '\r') || c == 0x7f)
            return HTTP_BODY_BAD;
        return HTTP_BODY_MORE;
    case CH_SIZE_LF:
        return c == '\n' ? chunk_size_end(b) : HTTP_BODY_BAD;
    case CH_DATA_CR:
        b->state = CH_DATA_LF;
        return c == '\r' ? HTTP_BODY_MORE : HTTP_BODY_BAD;
    case CH_DATA_LF:
        b->state = CH_SIZE;
        return c == '\n' ? HTTP_BODY_MORE : HTTP_BODY_BAD;
    case CH_TRAILER:
        b->state = c == '\r' ? CH_END_LF : CH_TRAILER_LINE;
        return c == '\r' || (unsigned char)c > 0x20 ? HTTP_BODY_MORE : HTTP_BODY_BAD;
    case CH_TRAILER_LF:
        b->state = CH_TRAILER;
        return c == '\n' ? HTTP_BODY_MORE : HTTP_BODY_BAD;
    default:
        must(b->state == CH_END_LF);
        b->state = CH_DONE;
        return c == '\n' ? HTTP_BODY_DONE : HTTP_BODY_BAD;
    }
}

static struct str str_cut(struct str *in, uint64_t n)
{
    struct str head = str_upto(*in, (size_t)MIN_OF(n, in->n));

    *in = str_from(*in, head.n);
    return head;
}

int http_body_step(struct http_body *b, struct str *in, struct str *ret_data)
{
    int rc = HTTP_BODY_MORE;

    *ret_data = STR_NONE;
    switch (b->kind) {
    case HTTP_BODY_NONE:
        return HTTP_BODY_DONE;
    case HTTP_BODY_EOF:
        *ret_data = str_cut(in, in->n);
        return HTTP_BODY_MORE;
    case HTTP_BODY_LENGTH:
        *ret_data = str_cut(in, b->left);
        b->left -= ret_data->n;
        return b->left == 0 ? HTTP_BODY_DONE : HTTP_BODY_MORE;
    case HTTP_BODY_CHUNKED:
        break;
    }
    while (in->n > 0 && rc == HTTP_BODY_MORE) {
        if (b->state == CH_DATA) {
            *ret_data = str_cut(in, b->left);
            b->left -= ret_data->n;
            if (b->left == 0)
                b->state = CH_DATA_CR;
            return HTTP_BODY_MORE;
        }
        rc = chunk_byte(b, *in->p);
        *in = str_from(*in, 1);
    }
    return rc;
}
