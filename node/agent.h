/* node/agent.h: one node: registers itself, keeps its lease and status, runs the pods bound to it, and serves
 * logs, exec and attach to the heads (kubelet-compatible paths on a TLS port). */
#ifndef NODE_AGENT_H
#define NODE_AGENT_H

#include "api/client.h"

struct agent;
struct agent_opts {
    struct loop *loop;
    struct client *client;                       /* borrowed */
    const char *name;                            /* node name */
    const char *root_dir;                        /* state: images, containers, pods, volumes, logs */
    const char *run_dir;                         /* sockets, conmon and crun state */
    const char *node_ip;                         /* InternalIP; NULL: first address of the machine */
    const char *listen_addr;                     /* of the agent's server; NULL: node_ip:10250 */
    struct tls_ctx *tls;                         /* server context; client certificates required */
    const char *pod_cidr;                        /* "10.244.1.0/24" */
    const char *cluster_cidr;                    /* of all pods; others see the node's address. NULL: no matter */
    const char *cluster_dns, *cluster_domain;    /* for resolv.conf; NULL: the host's */
    const char *cgroup_parent;                   /* "/coracle/node-1" */
    const char *const *labels;                   /* NULL-terminated "k=v" */
    struct runtime *runtime;                     /* closed with the agent; NULL: one of its own */
    bool hollow;                                 /* no containers: the simulated runtime behind the same interface */
    unsigned max_pods;                           /* 0: 110 */
    int64_t cpu_millis, memory_bytes;            /* 0: those of the machine */
    uint64_t lease_ms;                           /* 0: 10 s renewals, 40 s duration */
    uint64_t status_ms;                          /* 0: 5 min between unchanged status reports */
    const char *image_dir;                       /* OCI archives and layouts imported at start; NULL: none */
};
int  agent_open(const struct agent_opts *o, struct agent **ret, struct errbuf *err);
/* Leaves the containers running; done when all files and sockets are closed. */
void agent_close(struct agent *a, void (*done)(void *arg), void *arg);
/* End every pod of this node and remove what belongs to it (coracle down, tests). */
void agent_purge(struct agent *a, void (*done)(void *arg), void *arg);
const char *agent_addr(struct agent *a);

#endif
