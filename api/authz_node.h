/* api/authz_node.h: the Node authorizer: a node may do what nodes do, and of secrets, config maps, claims
 * and the like it reads only what pods that are bound to it refer to.  One stolen node certificate opens
 * what that node runs, no more.
 *
 * Which pods are bound to which node is kept (their names); what a pod refers to is read from the pod when it
 * is first asked for, and again after the pod changed.  What is bound to what beyond that (claim to volume,
 * volume to its secrets) is looked up in the store at the moment of asking. */
#ifndef API_AUTHZ_NODE_H
#define API_AUTHZ_NODE_H

#include "api/authz.h"
#include "api/mirror.h"

struct authz_node;
struct authz_node *authz_node_new(struct mirror *m, struct store *s);
void authz_node_free(struct authz_node *n);      /* NULL ok */
/* An authorizer (api/authz.h); never waits. */
bool authz_node_ask(void *state, struct authz_query *q);

#endif
