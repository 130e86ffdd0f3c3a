/* api/client_impl.h: between api/client.c and its two transports: HTTP (client_http.c) and function call
 * (client_local.c).
 *
 * A transport allocates its own struct around client_call and client_watch and hands results to
 * client__deliver() and client__event(); those call the user, from the loop only. */
#ifndef API_CLIENT_IMPL_H
#define API_CLIENT_IMPL_H

#include "api/client.h"

struct client_call {
    struct qlink link;                           /* client->calls */
    struct client *client;
    client_done done;
    void *arg;
};

struct client_watch {
    struct qlink link;                           /* client->watches */
    struct client *client;
    struct client_watch_opts o;                  /* texts are only valid during start */
    bool in_callback, closed;                    /* closed inside a callback: freed when that returns */
};

/* One request in the words of HTTP; valid during send. */
struct client_wire {
    const char *method;
    struct str target;                           /* path and query */
    struct str body;
    const char *content_type;                    /* NULL: no body */
    uint64_t timeout_ms;
};

struct client_ops {
    /* base is filled in by the caller */
    struct client_call  *(*send)(struct client *c, const struct client_wire *w);
    void                 (*cancel)(struct client_call *call);                            /* frees */
    struct client_watch *(*watch)(struct client *c, struct str target);
    void                 (*watch_close)(struct client_watch *w);                         /* frees */
    void                 (*free)(struct client *c);
};

struct client {
    const struct client_ops *ops;
    struct loop *loop;
    struct qlink calls, watches;
};

void client__init(struct client *c, const struct client_ops *ops, struct loop *l);
/* The answer is there: unlinks the call and tells the user; the transport frees the call after. */
void client__deliver(struct client_call *call, int err, const char *reason, int status, struct str body);
/* One event or the end; false: the user closed the watch meanwhile, touch it no more. */
bool client__event(struct client_watch *w, struct str type, struct blob *object);
void client__end(struct client_watch *w, int err, const char *reason);
/* What an ERROR event or a refused watch means: E_STALE for 410, else E_IO; message for people. */
int  client__status_error(struct str status_json, struct arena *a, struct str *ret_message);

#endif
