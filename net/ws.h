/* net/ws.h: WebSocket (RFC 6455) frames over a stream, for server and client side.
 * Messages are assembled up to max_message; pings are answered here. */
#ifndef NET_WS_H
#define NET_WS_H

#include "net/stream.h"
#include "net/http_client.h"
#include "net/http_server.h"

struct ws;
struct ws_events {
    void (*on_message)(void *arg, struct ws *w, bool text, const char *p, size_t n);
    void (*on_drain)(void *arg, struct ws *w);   /* NULL ok */
    /* Once, last; code as received (1005: none, 1006: broken). */
    void (*on_close)(void *arg, struct ws *w, int code, const char *reason);
};
/* Sec-WebSocket-Accept for a key, into ret (29 bytes with NUL). */
void ws_accept_key(struct str key, char ret[29]);
/* Takes the stream over.  client: masks what it sends, expects unmasked. */
struct ws *ws_new(struct stream *s, bool client, size_t max_message, const struct ws_events *ev, void *arg);
void   ws_send(struct ws *w, bool text, const void *p, size_t n);
/* channel byte + payload as one binary message, without assembling a copy. */
void   ws_send_channel(struct ws *w, unsigned char channel, const void *p, size_t n);
void   ws_ping(struct ws *w);
size_t ws_queued(struct ws *w);
void   ws_pause(struct ws *w);
void   ws_resume(struct ws *w);
void   ws_close(struct ws *w, int code, const char *reason);   /* closing handshake, then on_close */

/* ---- handshakes (net/ws_handshake.c) ---- */

/* Server: answers req with 101 and gives the WebSocket.  protocols: those spoken here, best first; the
 * first that the client offers is chosen (*ret_protocol; NULL if there are none).  NULL: this is no
 * WebSocket request, or no protocol in common; nothing was answered, *ret_reason says why (400). */
struct ws_accept_opts {
    const char *const *protocols; size_t n_protocols;    /* 0: none is asked for, none is named */
    size_t max_message;
    const struct ws_events *ev; void *arg;
};
struct ws *ws_accept(struct http_req *req, const struct ws_accept_opts *o, const char **ret_protocol,
                     const char **ret_reason);

/* Client: asks for the WebSocket at target; on_open exactly once.  err 0 and w != NULL: open, its events
 * go to ev from now on.  w NULL: err, or a refusal with its status and body. */
struct ws_connect_opts {
    struct str target;
    const struct http_header *headers; size_t n_headers;     /* authorization and the like */
    const char *protocols;                       /* "v5.channel.k8s.io, v4.channel.k8s.io"; NULL: none */
    size_t max_message;
    uint64_t timeout_ms;
    const struct ws_events *ev;
    void (*on_open)(void *arg, int err, const char *reason, int status, struct str body, struct ws *w,
                    struct str protocol);
    void *arg;                                   /* of on_open and ev */
};
int ws_connect(struct http_client *c, const struct ws_connect_opts *o, struct errbuf *err);

#endif
