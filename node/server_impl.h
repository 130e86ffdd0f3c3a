/* node/server_impl.h: what the files of the agent's server share.
 *
 *     server.c        who may ask, which path; /pods, /healthz, /metrics
 *     server_logs.c   /containerLogs
 *     server_exec.c   /exec and /attach; see server_exec_impl.h
 *     server_forward.c   /portForward; see server_forward_impl.h
 *     server_tunnel.c    /tunnel
 *     server_pulse.c  what keeps a quiet session alive, and ends a forgotten one
 */
#ifndef NODE_SERVER_IMPL_H
#define NODE_SERVER_IMPL_H

#include "net/http_server.h"
#include "node/logs.h"
#include "node/pod.h"
#include "node/server.h"

#define SERVER_QUEUE_MAX (256u << 10)            /* bytes towards a client, or a process, before the other side is paused */
/* One WebSocket message of a client, the bound that the original has: JavaScript clients send as one whatever
 * their user wrote at once; kubectl's 32 KiB are no measure.  Memory is taken only as the bytes arrive. */
#define SERVER_MESSAGE_MAX (32u << 20)

struct node_server {
    struct agent *agent;
    struct http_server *http;
    struct log_hub *hub;                         /* NULL on a hollow node, which has no logs */
    struct qlink logs, execs, forwards;          /* struct log_stream, exec, forward */
    struct qlink dials, tunnels;                 /* struct tunnel, pipe */
    /* towards pods: nobody is verified; made when first asked for */
    struct tls_ctx *pod_tls;
    uint64_t n_logs, n_execs, n_forwards, n_refused;         /* ever, for metrics */
};

/* The parts of /VERB/NAMESPACE/POD[/PART], unescaped, and what they name. */
struct server_target { struct str ns, pod_name, part; struct pod *pod; struct container *container; };

/* A short text as the whole answer. */
void server_text(struct http_req *req, int status, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* Why a port of a pod could not be reached ("connect to 10.1.2.3:80: Connection refused"), in the
 * original's words. */
struct str server_dial_words(struct arena *a, const char *net, const char *host, unsigned port,
                             const char *why);
/* The next value of a query parameter (as request_param(), for the server of a node). */
bool server_param(struct http_req *req, struct str *rest, const char *name, struct str *ret);
/* ?name, ?name=1, ?name=true */
bool server_flag(struct http_req *req, const char *name);

void server_logs(struct node_server *s, struct http_req *req, const struct server_target *t);
void server_logs_close(struct node_server *s);   /* all of them */
void server_exec(struct node_server *s, struct http_req *req, const struct server_target *t, bool attach);
void server_execs_close(struct node_server *s);
void server_forward(struct node_server *s, struct http_req *req, struct pod *pod);
void server_forwards_close(struct node_server *s);
void server_tunnel(struct node_server *s, struct http_req *req, struct pod *pod, struct str port);
void server_tunnels_close(struct node_server *s);

#endif
