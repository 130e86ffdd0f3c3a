/* api/connect.h: connections through a head to a node: logs, exec, attach.
 *
 * connect.c finds pod, container and node and checks the address; connect_log.c streams a log; connect_pipe.c
 * hands a WebSocket through.  The head never follows a redirect and never answers 101 before the node has. */
#ifndef API_CONNECT_H
#define API_CONNECT_H

#include "api/call.h"
#include "net/http_client.h"

#define CONNECT_QUEUE_MAX (256u << 10)           /* towards one side, before the other is paused */

/* Where to: address and TLS are in the client, one per connection; the target is the path on the node. */
void connect_log(struct call *c, struct http_client *node, struct str target);
void connect_upgrade(struct call *c, struct http_client *node, struct str target);
/* All pipes of this api end (it closes). */
void connect_close_all(struct api *a);
/* May a head connect to this address (HOST:PORT)?  Not to itself, not to link-local or metadata services. */
bool connect_addr_ok(const struct api *a, struct str host);

#endif
