/* api/node_gate.h: a node writes only what is its own: pods that are bound to it, tokens of accounts whose
 * pods run on it.  (Nodes, leases and the like are told by their name alone: api/authz.c.)  What one stolen
 * node certificate can do ends with that node. */
#ifndef API_NODE_GATE_H
#define API_NODE_GATE_H

#include "api/call.h"

/* The node that this user is: "system:node:NAME" in system:nodes, and no master.  Empty: no node. */
struct str node_gate_name(const struct exchange_user *u);
/* May the caller have a token that is bound to this pod (NULL: to none)? */
bool node_gate_token(const struct exchange_user *u, const struct json *pod);
/* Route and scope are known, the body is not yet read.  False: answered. */
bool node_gate(struct call *c);

#endif
