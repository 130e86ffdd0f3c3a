/* net/ws.h: WebSocket (RFC 6455) frames over a stream, for server and client side.
 * Messages are assembled up to max_message; pings are answered here. */
#ifndef NET_WS_H
#define NET_WS_H

#include "net/stream.h"
#include "net/http.h"

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

#endif
