/* node/server_exec_impl.h: exec and attach: a client on one side, a session of the runtime on the other.
 *
 *     server_exec.c       the session, and how both ends come together
 *     server_exec_ws.c    a client that speaks channels in WebSocket messages
 *     server_exec_spdy.c  one that opens a SPDY stream for each channel
 *
 * Two ends, each with its own life: the session ends with the process, the client's side with its closing;
 * the struct goes when both have.  Each side is held while too much waits for the other. */
#ifndef NODE_SERVER_EXEC_IMPL_H
#define NODE_SERVER_EXEC_IMPL_H

#include "net/spdy.h"
#include "node/server_impl.h"
#include "node/server_pulse.h"

enum { CHANNEL_STDIN, CHANNEL_STDOUT, CHANNEL_STDERR, CHANNEL_ERROR, CHANNEL_RESIZE, CHANNELS,
       CHANNEL_CLOSE = 255 };

struct exec;

/* How a client is spoken to.  None of these calls back. */
struct exec_front {
    void   (*send)(struct exec *e, unsigned channel, const void *p, size_t n);
    size_t (*queued)(const struct exec *e);
    void   (*hold)(struct exec *e, bool hold);   /* nothing more from the client */
    /* tells how it ended ("": nothing to tell), and closes */
    void   (*end)(struct exec *e, struct str how);
    void   (*ping)(struct exec *e);
    void   (*close)(struct exec *e);             /* without a word */
};

struct exec {
    struct qlink link;                           /* server->execs */
    struct arena arena;
    struct runtime *rt;                          /* valid until session_done */
    struct rt_session s;
    const struct exec_front *front;              /* NULL: the client's side is closed */
    bool want_out, want_err;
    /* the end is told as a Status; else in words, and only a failure */
    bool status;
    bool begun, session_done, client_held, session_paused;
    struct pulse pulse;
    /* server_exec_ws.c */
    struct ws *ws;
    const struct exec_channels *channels;
    /* server_exec_spdy.c */
    struct spdy *spdy;
    struct spdy_stream *streams[CHANNELS];
    bool wanted[CHANNELS];
    char size[128]; unsigned n_size;             /* of the terminal, as much as came of it */
    struct timer patience;
};

/* What comes from the client. */
void exec_begin(struct exec *e);                 /* it is ready: the process may start */
void exec_take_stdin(struct exec *e, const char *p, size_t n);
void exec_take_resize(struct exec *e, struct str json);
void exec_stdin_eof(struct exec *e);
void exec_on_drain(struct exec *e);              /* it has taken what was queued */
void exec_on_front_closed(struct exec *e);       /* frees e, now or when the session has ended */

/* Answer req with 101 and set e's front.  False: it was answered otherwise. */
bool exec_accept_ws(struct exec *e, struct http_req *req);
bool exec_accept_spdy(struct exec *e, struct http_req *req);

#endif
