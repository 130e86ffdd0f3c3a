/* api/exchange.h: one request to the API and the way its answer goes: HTTP or a call from inside the head.
 *
 * The pipeline (api/server.h) sees only this.  Who starts an exchange fills in the request part and `ops`;
 * the pipeline answers exactly once: respond, or begin .. send*|event* .. end, or upgrade.
 * The request part stays valid until the answer has ended or on_abort was called. */
#ifndef API_EXCHANGE_H
#define API_EXCHANGE_H

#include "net/http_server.h"

struct exchange;

struct exchange_ops {
    /* Each takes over one reference of every blob in pieces. */
    void (*respond)(struct exchange *x, int status, const char *content_type, const struct http_piece *p,
                    size_t n,
                    const struct http_header *extra, size_t n_extra);
    void (*begin)(struct exchange *x, int status, const char *content_type, bool gzip,
                  const struct http_header *extra, size_t n_extra);
    void (*send)(struct exchange *x, const struct http_piece *p, size_t n);
    /* One watch event whose object is exactly this blob: HTTP frames it, a local watcher takes a
     * reference of its own (the blob is borrowed).
     * NULL: the pipeline frames it itself and uses send. */
    void (*event)(struct exchange *x, struct str type, struct blob *object);
    size_t (*queued)(struct exchange *x);
    void (*end)(struct exchange *x);
    /* What begin begins will be messages of a WebSocket, each send one of them.  NULL: not asked for. */
    void (*messages)(struct exchange *x, bool log);
    void (*cut)(struct exchange *x);             /* the answer breaks off here; NULL: end does for that */
    struct stream *(*upgrade)(struct exchange *x, const struct http_header *extra, size_t n_extra,
                              const struct stream_events *ev, void *arg);     /* NULL: not possible here */
};

/* What an authenticator tells beside: a key may come with several values. */
struct user_extra { struct str key, value; };
struct exchange_user {
    struct str name, uid;
    const struct str *groups; size_t n_groups;
    const struct user_extra *extra; size_t n_extra;
    uint64_t lead_term;                          /* of who is inside: see client_lead(); 0: no condition */
};

struct exchange {
    const struct exchange_ops *ops;
    struct loop *loop;
    struct arena *arena;                         /* lives as long as the exchange */
    struct str method, path, query;              /* escaped */
    const struct http_header *headers; size_t n_headers;
    struct str body;
    const struct tls_peer *tls_peer;             /* NULL: none */
    const struct exchange_user *user;            /* set for calls from inside: already authenticated */
    const char *peer_addr;
    bool wants_upgrade;

    void *transport;                             /* of who made the exchange, for its ops */

    /* The pipeline's; it sets these before returning without an answer. */
    /* the client went away: free what you have, answer nothing */
    void (*on_abort)(struct exchange *x);
    void (*on_drain)(struct exchange *x);
    void *state;
};

static inline struct str exchange_header(const struct exchange *x, const char *name)
{
    return http_header_get(x->headers, x->n_headers, name);
}

#endif
