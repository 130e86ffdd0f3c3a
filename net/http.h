/* net/http.h: what HTTP server and client share: methods, headers, status texts, header look-up. */
#ifndef NET_HTTP_H
#define NET_HTTP_H

#include "net/stream.h"

struct http_header { struct str name, value; };

#define HTTP_MAX_BODY        (3u << 20)          /* what a request may carry (Kubernetes' own bound) */
#define HTTP_MAX_HEADERS     128
#define HTTP_MAX_HEAD_BYTES  (64u << 10)

/* Case-insensitive; STR_NONE when absent. */
struct str  http_header_get(const struct http_header *h, size_t n, const char *name);
const char *http_status_text(int status);
/* Percent-decoding; '+' stays unless form.  False on a bad escape or NUL. */
bool http_unescape(struct arena *a, struct str in, bool form, struct str *ret);
void http_escape(struct buf *out, struct str in);                  /* for a path segment or query value */

#endif
