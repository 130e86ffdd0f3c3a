/* api/node_gate.h: who is a node.  What it may do is told by api/authz_node.h, and by what it writes
 * (api/admit/node_restriction.c): what one stolen node certificate can do ends with that node. */
#ifndef API_NODE_GATE_H
#define API_NODE_GATE_H

#include "api/authn.h"

#define NODE_USER "system:node:"

/* Of system:nodes, by name as well, and no master. */
bool node_gate_is(const struct exchange_user *u);
/* The node that this user is: "system:node:NAME".  Empty: no node. */
struct str node_gate_name(const struct exchange_user *u);

#endif
