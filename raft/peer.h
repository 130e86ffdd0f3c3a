/* raft/peer.h: connections between heads.
 *
 * Each head dials every other for what it sends and accepts what the others send: two one-way connections
 * per pair, so neither side waits for the other's.  A connection begins with a hello (cluster, from, to, and
 * where the sender is reached); then frames (codec.h).
 *
 * A head that we do not know may be newer than our configuration: it is let in and dialed back as a guest, for
 * its vote or its log may be needed.  One that was removed is told so and shut out. Messages that cannot be sent are dropped: Raft tolerates loss, and its flow
 * control keeps a slow peer's queue short. Whoever sends bytes that make no sense is disconnected. Thread:
 * loop only.  Re-entry: the callbacks come from the loop, never from inside peers_send(). */
#ifndef RAFT_PEER_H
#define RAFT_PEER_H

#include "net/stream.h"
#include "raft/codec.h"
#include "raft/config.h"

struct peers;

struct peers_opts {
    struct loop *loop;
    uint64_t id, cluster;
    const char *listen_addr;
    struct tls_ctx *tls_server, *tls_client;
    const char *organization;                    /* that a peer's certificate must carry; NULL: any that verifies */
    void (*on_message)(void *arg, struct raft_message *m, struct blob *owner);     /* m's contents become the callee's */
    void (*on_up)(void *arg, uint64_t id);       /* we can send */
    void (*on_lost)(void *arg, uint64_t id);     /* either direction broke */
    bool (*has_left)(void *arg, uint64_t id);    /* was removed from the cluster, for good */
    void (*on_removed)(void *arg, uint64_t by);  /* another head says that we were */
    void *arg;
};

int  peers_open(const struct peers_opts *o, struct peers **ret, struct errbuf *err);
void peers_close(struct peers *p, void (*done)(void *arg), void *arg);     /* done from the loop; then p is freed */
/* Dial the heads of c (all but ourselves), drop those that have left. To be called again whenever that may be
 * others. */
void peers_use(struct peers *p, const struct raft_config *c);
bool peers_connected(const struct peers *p, uint64_t id);
/* log: where an APPEND's entries are. False: dropped. */
bool peers_send(struct peers *p, const struct raft_message *m, const struct raft_log *log);
const char *peers_addr(const struct peers *p);   /* listening address with the real port */

#endif
