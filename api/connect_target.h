/* api/connect_target.h: what the proxy subresource leads to: [scheme:]name[:port] of a pod, a service or a
 * node.
 *
 * Pods are reached through the agent of their node, so a head need not be part of the pods' network, and at
 * no address but the one their node gave them.  Other endpoints of services, and nodes' other ports, are
 * dialled from here. */
#ifndef API_CONNECT_TARGET_H
#define API_CONNECT_TARGET_H

#include "api/connect.h"

struct connect_target {
    bool tls;
    uint16_t port;
    /* pod: through its node's agent; else node: the agent itself */
    struct str pod_ns, pod, node;
    struct str host;                             /* neither: an address to dial */
};
/* False: answered. */
bool connect_target_find(struct call *c, struct connect_target *t);

#endif
