/* tools/cluster.h: a cluster on this machine as `coracle up` lays it out: names, addresses, files.
 *
 * Everything it makes carries its name, so that it can be found and removed even after a kill -9:
 *     processes     environment CORACLE_CLUSTER=NAME, or in its cgroups
 *     cgroups       /coracle-NAME/...
 *     namespaces    /run/netns/coracle-NAME-node-N
 *     bridge        cor-NAME (interface names hold 15 bytes)
 *     directories   DATA (given or /var/lib/coracle/NAME), /run/coracle/NAME
 * A file DATA/cluster.json keeps ports and addresses, so that a kept cluster comes back as it was. */
#ifndef TOOLS_CLUSTER_H
#define TOOLS_CLUSTER_H

#include "net/blob.h"
#include "net/err.h"

#define CLUSTER_MAX_HEADS 9
/* in the heads' certificates; nodes and users, of the same CA, have others */
#define HEAD_ORGANIZATION "coracle:heads"
#define CLUSTER_MAX_NODES 200
#define CLUSTER_NAME_MAX  11                     /* "cor-" + name must fit an interface name */

struct cluster {
    char name[CLUSTER_NAME_MAX + 1];
    char data[512], run[512];
    bool keep;                                   /* --data was given: DATA outlives the cluster */
    unsigned n_heads, n_nodes;
    unsigned net;                                /* the bridge is 10.NET.0.1/16 */
    unsigned api_port[CLUSTER_MAX_HEADS], peer_port[CLUSTER_MAX_HEADS], etcd_port[CLUSTER_MAX_HEADS];
};

/* Name and directories; checks them. data NULL: the default place. */
int  cluster_init(struct cluster *c, const char *name, const char *data, struct errbuf *err);
/* Make the directories; take over ports, addresses and counts of an earlier run in the same DATA, or choose
 * free ones. */
int  cluster_prepare(struct cluster *c, struct errbuf *err);
/* Two clusters that start at the same time would choose the same: whoever prepares one holds this (close
 * the descriptor) until its heads listen and its bridge is there.  Waits for others, but not for ever; -1
 * is no error either: there is then no such protection. */
int  cluster_numbers_lock(void);

/* Paths and names; the result lives in the buffer given. */
struct cluster_text { char s[640]; };
const char *cluster_path(const struct cluster *c, struct cluster_text *t, const char *fmt, ...)
    PRINTF_LIKE(3, 4);
const char *cluster_run_path(const struct cluster *c, struct cluster_text *t, const char *fmt, ...)
    PRINTF_LIKE(3, 4);
const char *cluster_bridge(const struct cluster *c, struct cluster_text *t);
/* nodes count from 1 */
const char *cluster_netns(const struct cluster *c, struct cluster_text *t, unsigned node);
const char *cluster_node_ip(const struct cluster *c, struct cluster_text *t, unsigned node);
const char *cluster_gateway(const struct cluster *c, struct cluster_text *t);
const char *cluster_cgroup(const struct cluster *c, struct cluster_text *t);

/* Keys and certificates under DATA/pki (kept if there), kubeconfig as DATA/admin.kubeconfig. */
int  cluster_write_pki(const struct cluster *c, struct errbuf *err);
int  cluster_write_kubeconfig(const struct cluster *c, struct errbuf *err);

/* Bridge, namespaces, veth pairs, routes. */
int  cluster_make_network(const struct cluster *c, struct errbuf *err);

/* End and remove everything of the cluster, whoever made it; DATA only if !keep.  Counts what was found. */
struct cluster_found { unsigned processes, cgroups, mounts, namespaces, bridges; };
int  cluster_clean(const struct cluster *c, struct cluster_found *ret, struct errbuf *err);

#endif
