/* api/connect.h: connections through a head: logs, exec, attach, port-forward, proxy.
 *
 * connect.c finds pod, container and node and checks the address; connect_log.c streams a log; connect_pipe.c
 * hands an upgraded connection through; connect_proxy.c is a reverse proxy, connect_target.c finds where it
 * leads.  The head never follows a redirect and never answers 101 before the node has. */
#ifndef API_CONNECT_H
#define API_CONNECT_H

#include "api/call.h"
#include "net/http_client.h"

#define CONNECT_QUEUE_MAX (256u << 10)           /* towards one side, before the other is paused */

#define CONNECT_HEADERS_MAX (HTTP_MAX_HEADERS + 8)

/* Where to: address and TLS are in the client, one per connection; it is taken over.  target: the path
 * there. */
void connect_log(struct call *c, struct http_client *node, struct str target);

/* A backend that did not upgrade: err and reason, or its answer. */
struct connect_refusal {
    int err; const char *reason;
    int status; const struct http_header *headers; size_t n_headers; struct str body;
};
struct connect_upgrade_opts {
    struct http_client *backend;
    struct str target;
    const struct http_header *headers; size_t n_headers;     /* with the client's handshake */
    void (*refused)(struct call *c, const struct connect_refusal *r);    /* answers */
};
void connect_upgrade(struct call *c, const struct connect_upgrade_opts *o);
void connect_upgrade_node(struct call *c, struct http_client *node, struct str target);
/* Does a header concern only one connection (Connection, what it names, Upgrade, Transfer-Encoding ...)? */
bool connect_is_hop(const struct http_header *h, size_t n, struct str name);

/* Ask the admission plugins; then() goes on, or the refusal is answered. */
void connect_admit(struct call *c, void (*then)(struct call *c, struct json *options));

/* The proxy subresource of pods, services and nodes (connect_proxy.c). */
void connect_proxy(struct call *c);

/* ---- Finding things (connect.c) ---- */

/* From the live view; NULL: there is none. */
struct json *connect_lookup(struct call *c, const char *plural, struct str ns, struct str name);
/* A client for one connection to a node's agent.  NULL: answered. */
struct http_client *connect_node(struct call *c, struct str node_name);
/* The node's InternalIP; false: none. */
bool connect_node_ip(const struct json *node, struct str *ret);

/* 503 without Retry-After: what does not answer now would keep clients trying for ten seconds. */
void connect_unavailable(struct call *c, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* All pipes of this api end (it closes). */
void connect_close_all(struct api *a);
/* May a head connect to this address (HOST:PORT)?  Not to itself, not to link-local or metadata services. */
bool connect_addr_ok(const struct api *a, struct str host);

#endif
