/* store/etcd/etcd.h: etcd's v3 API in front of the store: gRPC over HTTP/2 by net/, so that etcdctl, etcd's
 * client libraries and a kube-apiserver work on it as on etcd.
 *
 * Keys: user keys live in a range of their own in the store (behind the byte 'u'), apart from what the
 * Kubernetes API of the same heads keeps.  Unless store_only, keys that begin with "/registry" name the API's
 * objects: they are read by who shows a certificate of an administrator, and written by nobody.  A range that
 * begins there ends there; one that begins elsewhere does not show them.
 * Who may call: whom the TLS context lets in.  Unless store_only, what concerns the whole cluster (snapshots,
 * members, alarms, compaction, hand-over) is for administrators: certificates of the organization
 * system:masters.
 * Thread: loop only. */
#ifndef STORE_ETCD_H
#define STORE_ETCD_H

#include "store/store.h"

struct etcd;

#define ETCD_VERSION       "3.5.21"              /* whose API this speaks; clients choose features by it */
#define ETCD_CLUSTER       "3.5.0"
#define ETCD_MAX_ADDRS     4

struct etcd_opts {
    struct loop *loop;
    struct store *store;                         /* borrowed */
    uint64_t cluster, member;                    /* ids shown in every answer */
    const char *name;                            /* of this member; NULL: "head-N" */
    const char *addrs[ETCD_MAX_ADDRS]; unsigned n_addrs;         /* HOST:PORT to listen on */
    struct tls_ctx *tls;                         /* NULL: plaintext */
    /* comma separated, as told to clients; NULL: the addresses */
    const char *client_urls;
    /* no Kubernetes API on these heads: /registry is the user's */
    bool     store_only;
    bool     peer_tls;                           /* heads talk TLS among themselves: their URLs say https */
    size_t   max_request_bytes;                  /* 0: 1.5 MiB, as etcd's */
    unsigned max_txn_ops;                        /* 0: 128 */
    /* between progress notifications of idle watches; 0: 10 min */
    uint64_t progress_ms;
};
int  etcd_open(const struct etcd_opts *o, struct etcd **ret, struct errbuf *err);
const char *etcd_addr(const struct etcd *e);     /* of the first, with its real port */
/* Streams end, calls under way are answered; done comes once nothing refers to the store any more. */
void etcd_close(struct etcd *e, void (*done)(void *arg), void *arg);

#endif
