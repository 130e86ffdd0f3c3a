/* net/grpc.h: gRPC calls over the HTTP server: messages with their length in front, the outcome in trailers,
 * deadlines.
 *
 * A call is a request whose content type begins with application/grpc, on HTTP/2.  Two ways to take one:
 *     grpc_unary()   the body is complete (on_body said 0): it must be exactly one message
 * grpc_stream()  the body follows (HTTP_BODY_FOLLOWS): messages come by on_message, also before it is
 * complete
 * Either way answers are grpc_send_*() of whole messages and then grpc_finish(), once.
 * Lifetime: the caller owns the struct, which must outlive the call; the call is over with grpc_finish(),
 * with on_gone, or when grpc_unary()/grpc_stream() returned false (they have answered).  After that nothing
 * may be called on it. Compressed messages are refused (UNIMPLEMENTED): we announce no encoding, so no client
 * sends any unasked.
 * Thread: loop only.  on_message, on_end and on_gone come from the loop. */
#ifndef NET_GRPC_H
#define NET_GRPC_H

#include "net/http_server.h"

enum grpc_code {
    GRPC_OK, GRPC_CANCELED, GRPC_UNKNOWN, GRPC_INVALID_ARGUMENT, GRPC_DEADLINE_EXCEEDED, GRPC_NOT_FOUND,
    GRPC_ALREADY_EXISTS, GRPC_PERMISSION_DENIED, GRPC_RESOURCE_EXHAUSTED, GRPC_FAILED_PRECONDITION,
        GRPC_ABORTED,
    GRPC_OUT_OF_RANGE, GRPC_UNIMPLEMENTED, GRPC_INTERNAL, GRPC_UNAVAILABLE, GRPC_DATA_LOSS,
        GRPC_UNAUTHENTICATED
};

struct grpc_call;
struct grpc_events {
    /* A message, valid during the call; streams only. */
    void (*on_message)(struct grpc_call *c, struct str message);
    void (*on_end)(struct grpc_call *c);         /* the client will send no more; streams only */
    void (*on_drain)(struct grpc_call *c);       /* room again; NULL ok */
    /* The client went away, or its deadline has passed (it has been told).  The call is over. */
    void (*on_gone)(struct grpc_call *c);
};

struct grpc_call {
    struct http_req *req;                        /* NULL: over */
    const struct grpc_events *ev;
    struct timer deadline;
    struct buf   in;                             /* a message that is not whole yet */
    size_t       max_message;
    bool         begun;
};

bool grpc_is_call(const struct http_req *req);
/* *ret_message is the body's, valid until the call is over. */
bool grpc_unary(struct grpc_call *c, struct http_req *req, const struct grpc_events *ev, size_t max_message,
                struct str *ret_message);
bool grpc_stream(struct grpc_call *c, struct http_req *req, const struct grpc_events *ev, size_t max_message);

/* A message in pieces: append its head to *out; then exactly n bytes follow, by grpc_add() of what is in
 * buffers (the head first) and grpc_add_blob() (which takes one reference). */
#define GRPC_HEAD 5
#define GRPC_MAX_MESSAGE UINT32_MAX
void grpc_head(struct buf *out, size_t n);
void grpc_add(struct grpc_call *c, struct str s);
void grpc_add_blob(struct grpc_call *c, struct blob *b, size_t off, size_t n);
static inline size_t grpc_queued(const struct grpc_call *c) { return http_queued(c->req); }

/* message: for people, NULL for none; what is not printable ASCII travels percent-encoded. */
void grpc_finish(struct grpc_call *c, enum grpc_code code, const char *message);
/* A request that is no call of ours: answer it with nothing but a status. */
void grpc_refuse(struct http_req *req, enum grpc_code code, const char *message);

#endif
