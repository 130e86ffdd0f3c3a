/* node/cni.h: pod addresses from CNI plugins: bridge with host-local, and portmap for host ports.
 *
 * Plugins run in the agent's network namespace, which is the node's.  The loopback of a pod is brought up by
 * whoever makes the namespace (node/spawn.h).  Thread: loop only; requests call back from the loop. */
#ifndef NODE_CNI_H
#define NODE_CNI_H

#include "node/runtime.h"

struct cni;
struct cni_opts {
    struct loop *loop;
    const char *plugin_dir;                      /* NULL: /usr/lib/cni, or /opt/cni/bin when that is all there is */
    const char *state_dir;                       /* address leases; survives the agent */
    const char *bridge;                          /* NULL: cni0 */
    const char *cluster_cidr;                    /* all pods' addresses; NULL: see node/masquerade.h */
};
int  cni_open(const struct cni_opts *o, struct cni **ret, struct errbuf *err);
void cni_close(struct cni *c);                   /* no requests in flight */
/* Where addresses come from; may be set again to the same, E_INVALID when it is not a network. */
int  cni_set_cidr(struct cni *c, const char *cidr, struct errbuf *err);
bool cni_ready(const struct cni *c);

struct cni_request {
    struct rt_req req;
    const char *id, *netns;                      /* netns "": gone already (remove only) */
    const struct rt_port *ports; size_t n_ports;
    char ip[46];                                 /* out, of add */
};
void cni_add(struct cni *c, struct cni_request *r);
/* Gives the address back; fine for what was never added.  E_CHILD when a plugin fails (worth trying again). */
void cni_del(struct cni *c, struct cni_request *r);
/* Drop leases of pods that are no more. */
void cni_sweep(struct cni *c, bool (*known)(void *arg, const char *id), void *arg);

#endif
