/* raft/snapshot.h: snapshot files: written in the background from a pinned state, loaded at start, sent to
 * and received from other heads chunk by chunk.
 *
 * A file is a header (cluster, index, term, configuration), chunks with a CRC each, and an end mark with
 * the CRC of all; it is written to a temporary name, synced, and only then renamed.  One that does not
 * verify is never used. Everything works in slices of RAFT_SNAPSHOT_SLICE, at most one per turn, so that
 * the loop is never held. Thread: loop only.  Re-entry: callbacks come from the loop. */
#ifndef RAFT_SNAPSHOT_H
#define RAFT_SNAPSHOT_H

#include "net/disk.h"
#include "raft/config.h"
#include "raft/message.h"

struct snapshot_meta { uint64_t index, term, size; struct raft_config config; };

/* ---- Form (snapshot_format.c) -------------------------------------------------------------------- */

#define SNAPSHOT_NAME_MAX 64
#define SNAPSHOT_TMP  "snapshot.tmp"
#define SNAPSHOT_RECV "snapshot.recv"
void snapshot_name(char out[SNAPSHOT_NAME_MAX], uint64_t index, uint64_t term);
bool snapshot_name_parse(const char *name, uint64_t *ret_index, uint64_t *ret_term);

struct snapshot_encoder { uint64_t offset; uint32_t crc; };
void snapshot_encode_head(struct snapshot_encoder *e, uint64_t cluster, const struct snapshot_meta *m, struct buf *out);
void snapshot_encode_chunk(struct snapshot_encoder *e, struct str data, struct buf *out);
void snapshot_encode_end(struct snapshot_encoder *e, struct buf *out);

/* Fed a file's bytes in any pieces; hands verified data to the state machine.  cluster 0: any, it is found out. */
struct snapshot_parser {
    uint64_t cluster, offset;
    const struct raft_fsm *fsm;
    struct snapshot_meta meta;                   /* once `headed` */
    struct buf in;
    uint32_t crc;
    bool headed, ended;
    size_t tail_max, tail;                       /* bytes that may follow the end, for others' use; that did */
};
void snapshot_parser_init(struct snapshot_parser *p, uint64_t cluster, const struct raft_fsm *fsm);
void snapshot_parser_release(struct snapshot_parser *p);
int  snapshot_parse(struct snapshot_parser *p, struct str bytes, struct errbuf *err);      /* E_CORRUPT */

/* ---- At start (blocking) ------------------------------------------------------------------------- */

struct snapshot_found {
    struct snapshot_meta newest, older;          /* restored; and the one before it (not verified); index 0: none */
    /* Of the newest that does not verify: identity by its name, and what is wrong. index 0: all do. */
    uint64_t bad_index, bad_term;
    struct errbuf damage;
};
/* Restores the newest snapshot that verifies.  Those that do not are put aside by snapshot_put_aside(). */
int  snapshot_load(struct disk *d, uint64_t cluster, const struct raft_fsm *fsm, struct snapshot_found *ret,
                   struct errbuf *err);
int  snapshot_put_aside(struct disk *d, uint64_t newer_than, struct errbuf *err);

/* ---- Writing one --------------------------------------------------------------------------------- */

struct snapshot_writer;
/* Pins the state now. done: once; meta.size is set; status 0, E_IO, E_FULL. */
struct snapshot_writer *snapshot_write(struct loop *l, struct disk *d, uint64_t cluster, const struct raft_fsm *fsm,
                                       const struct snapshot_meta *meta,
                                       void (*done)(void *arg, int status, const struct snapshot_meta *m), void *arg);
/* Ends early; done comes with E_CANCELED. */
void snapshot_write_cancel(struct snapshot_writer *w);

/* Of a snapshot that would be taken now, of the state as it is. index 0: nothing was applied yet. */
struct raft;
void raft_snapshot_meta(const struct raft *r, struct snapshot_meta *ret, uint64_t *ret_cluster);

/* ---- Receiving one ------------------------------------------------------------------------------- */

struct snapshot_receiver;
struct snapshot_receiver_opts {
    struct loop *loop;
    struct disk *disk;
    uint64_t cluster;
    const struct raft_fsm *fsm;
    /* Offset wanted next from the sender of the last chunk; done: all is here and in force. */
    void (*reply)(void *arg, uint64_t to, uint64_t index, uint64_t offset, bool done, bool ok);
    /* It is verified and has its name: false if it is no longer wanted (restore_end(false) follows), else
     * the state machine takes it over, then installed is called. */
    bool (*wanted)(void *arg, const struct snapshot_meta *m);
    void (*installed)(void *arg, const struct snapshot_meta *m);
    void (*failed)(void *arg, int status);       /* our disk */
    void *arg;
};
struct snapshot_receiver *snapshot_receiver_new(const struct snapshot_receiver_opts *o);
void snapshot_receive(struct snapshot_receiver *r, const struct raft_message *m, struct blob *owner);
bool snapshot_receiver_active(const struct snapshot_receiver *r);  /* one is coming in; NULL ok */
/* Frees it once its I/O has ended; done then, from the loop. */
void snapshot_receiver_close(struct snapshot_receiver *r, void (*done)(void *arg), void *arg);

/* ---- Sending one --------------------------------------------------------------------------------- */

struct snapshot_sender;
struct snapshot_sender_opts {
    struct loop *loop;
    struct disk *disk;
    struct snapshot_meta meta;
    uint64_t to;
    void (*send)(void *arg, struct raft_message *m);               /* from, term are the callee's to set */
    void (*done)(void *arg, struct snapshot_sender *s, bool ok);   /* once, from the loop; s is freed after it */
    void *arg;
};
int  snapshot_send(const struct snapshot_sender_opts *o, struct snapshot_sender **ret, struct errbuf *err);
void snapshot_send_on_reply(struct snapshot_sender *s, const struct raft_message *m);
void snapshot_send_cancel(struct snapshot_sender *s);              /* done(false) follows */
uint64_t snapshot_send_to(const struct snapshot_sender *s);
uint64_t snapshot_send_index(const struct snapshot_sender *s);

#endif
