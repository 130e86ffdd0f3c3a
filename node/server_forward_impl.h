/* node/server_forward_impl.h: port-forward: connections of a client to ports inside a pod.
 *
 *     server_forward.c       connections into the pod's network namespace, and what flows through them
 *     server_forward_spdy.c  a client whose every connection is a pair of SPDY streams (straight or in a
 * WebSocket)
 *     server_forward_ws.c    one with a fixed list of ports, each a pair of channels of a WebSocket
 *
 * A connection is made by its front and freed after front->end(), which comes exactly once for each that
 * was started. Whatever one side has queued too much of holds the other. */
#ifndef NODE_SERVER_FORWARD_IMPL_H
#define NODE_SERVER_FORWARD_IMPL_H

#include "net/spdy.h"
#include "node/server_impl.h"
#include "node/server_pulse.h"

struct forward_conn;
struct forward_front;

struct forward {
    struct qlink link;                           /* server->forwards */
    struct arena arena;
    struct loop *loop;
    const struct forward_front *front;           /* NULL: the client is gone */
    char netns[64];
    const char *pod;                             /* the sandbox's id, for people */
    struct qlink conns;                          /* started ones */
    unsigned holders;                            /* connections that want the client held */
    bool paused;                                 /* the client does not read: the pod's side waits */
    struct pulse pulse;
    struct spdy *spdy; struct qlink halves;      /* server_forward_spdy.c: pairs that are not complete */
    struct ws *ws; struct forward_conn **ports;  /* server_forward_ws.c */
    size_t n_ports, n_over;
    bool base64;
};

struct forward_conn {
    struct qlink link;
    struct forward *forward;
    uint16_t port;
    struct stream *backend;
    bool started, open, holding;
    bool second;                                 /* the IPv6 attempt */
    bool client_fin, backend_fin;
    struct buf early;                            /* of the client, before the backend is open */
    struct errbuf why;                           /* of the first attempt */
    struct spdy_stream *data, *error;            /* server_forward_spdy.c */
    char *request; struct timer patience;
    unsigned channel;                            /* server_forward_ws.c */
};

struct forward_front {
    void   (*send)(struct forward_conn *c, const char *p, size_t n);
    void   (*fin)(struct forward_conn *c);       /* the pod sends no more */
    void   (*fail)(struct forward_conn *c, struct str why);
    /* it is over: let go of what is the front's; c is freed after */
    void   (*end)(struct forward_conn *c);
    size_t (*queued)(const struct forward *f);
    void   (*hold)(struct forward *f, bool hold);
    void   (*ping)(struct forward *f);
    void   (*close)(struct forward *f);
};

struct forward_conn *forward_conn_new(struct forward *f, uint16_t port);
void forward_conn_free(struct forward_conn *c);  /* one that was never started */
void forward_start(struct forward_conn *c);
/* From the client. */
void forward_take(struct forward_conn *c, const char *p, size_t n);
void forward_fin(struct forward_conn *c);
void forward_abort(struct forward_conn *c);      /* it wants no more of it */
void forward_on_drain(struct forward *f);
void forward_on_front_closed(struct forward *f); /* frees f, now or when its connections have ended */

bool forward_accept_spdy(struct forward *f, struct http_req *req);
bool forward_accept_ws(struct forward *f, struct http_req *req);
extern const char forward_tunnel[];              /* subprotocol of SPDY inside a WebSocket */

#endif
