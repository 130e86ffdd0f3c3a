/* net/http_wire.h: HTTP/1.1 as bytes, for server and client alike: find a head, parse it, take a
 * body's framing off.  No connection, no clock, no allocation: what comes in is borrowed, what goes
 * out points into it.
 *
 * A head is first looked for as a whole (http_head_scan) and only then parsed, in one go, by llhttp.
 * So every name and value is one contiguous span, a head in pieces costs one buffer and no parser
 * state, and line discipline (CRLF only, no folding) is settled before anything is interpreted.
 * llhttp is the tokenizer; which headers decide about framing is judged here once more and strictly,
 * because the two disagreeing with a proxy in front is how requests get smuggled.  Bodies are framed
 * here and not by llhttp, whose loose build takes any byte for the LF after a chunk size. */
#ifndef NET_HTTP_WIRE_H
#define NET_HTTP_WIRE_H

#include <llhttp.h>
#include "net/http.h"

#define HTTP_SCAN_MORE  0
#define HTTP_SCAN_BAD   (-1)
/* Length of the head at p (including its empty line), HTTP_SCAN_MORE or HTTP_SCAN_BAD.  *at is the
 * scanner's memory between calls with the same, longer bytes; 0 at first. */
ptrdiff_t http_head_scan(size_t *at, const char *p, size_t n);

struct http_head {
    struct str method, target;                   /* requests */
    int status;                                  /* responses */
    bool http_1_0;
    /* What the headers say about framing and connection. */
    bool keep_alive, chunked, has_length, upgrade, expect_continue, accept_gzip;
    uint64_t length;
    size_t n_headers;
    struct http_header headers[HTTP_MAX_HEADERS];
};
/* One parser serves all connections of a server or client: a head is parsed in one call. */
struct http_parser {
    llhttp_t ll;
    llhttp_settings_t settings;
    struct http_head *head;
    bool complete, too_many;
};
void http_parser_init(struct http_parser *ps);
/* 0, or the status to refuse with (400, 431, 501, 505, 417) and why. */
int http_head_parse(struct http_parser *ps, bool request, struct str bytes, struct http_head *ret,
                    const char **reason);

/* The framing of one body. */
enum http_framing { HTTP_BODY_NONE, HTTP_BODY_LENGTH, HTTP_BODY_CHUNKED, HTTP_BODY_EOF };
struct http_body { enum http_framing kind; int state; uint64_t left; unsigned digits, excess; };
void http_body_init(struct http_body *b, enum http_framing kind, uint64_t length);
#define HTTP_BODY_MORE  0
#define HTTP_BODY_DONE  1
#define HTTP_BODY_BAD   (-1)
/* Cuts bytes off the front of *in; *ret_data is what of them is content (maybe empty).  MORE with an empty
 * *in wants bytes; MORE with some left wants to be called again. */
int http_body_step(struct http_body *b, struct str *in, struct str *ret_data);

int  http_hex_value(char c);                      /* -1: none */
bool http_is_token(struct str s);
bool http_is_field_value(struct str s);          /* no control characters but tab */
bool http_is_target(struct str s);
bool http_list_has(struct str list, const char *token);
bool http_accepts_gzip(struct str accept_encoding);
/* "Name: value\r\n"; control characters in the value become spaces. */
void http_header_add(struct buf *out, struct str name, struct str value);

#endif
