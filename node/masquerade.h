/* node/masquerade.h: pods talk to what is not a pod under their node's address, which is the one that is
 * known there; among each other they keep their own.  A node that does not know the addresses of all pods
 * does nothing of the kind. */
#ifndef NODE_MASQUERADE_H
#define NODE_MASQUERADE_H

#include "net/loop.h"

/* Sets the node's one rule (nftables, table "coracle"): what comes from pod_cidr and leaves cluster_cidr.
 * Both are networks already checked.  Goes on by itself; a failure is logged. */
void masquerade_set(struct loop *l, const char *pod_cidr, const char *cluster_cidr);

#endif
