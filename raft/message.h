/* raft/message.h: what heads say to each other, as a tagged union; its form on the wire is raft/codec.h.
 *
 * Messages may be lost, doubled, delayed and reordered; nothing here relies on anything but integrity. */
#ifndef RAFT_MESSAGE_H
#define RAFT_MESSAGE_H

#include "net/blob.h"

enum raft_entry_type { RAFT_ENTRY_COMMAND = 1, RAFT_ENTRY_NOOP = 2, RAFT_ENTRY_CONFIG = 3 };

/* One log entry.  Its index is its place.  data lies in owner (a whole received frame, often); NULL: no
 * bytes. */
struct raft_entry {
    uint64_t term;
    struct blob *owner;
    const char  *p;
    uint32_t len;
    uint8_t  type;
};
static inline struct str raft_entry_data(const struct raft_entry *e) { return str_make(e->p, e->len); }

enum raft_message_type {
    RAFT_MSG_PREVOTE = 1,                        /* would you vote for me in `term`?  Changes nobody's term */
    RAFT_MSG_PREVOTE_REPLY,
    RAFT_MSG_VOTE,
    RAFT_MSG_VOTE_REPLY,
    RAFT_MSG_APPEND,
    RAFT_MSG_HEARTBEAT,
    RAFT_MSG_ACK,                                /* answers APPEND and HEARTBEAT */
    RAFT_MSG_TIMEOUT_NOW,                        /* campaign at once, the leader hands over */
    RAFT_MSG_READ,                               /* what index must I have applied to read?  (term 0) */
    RAFT_MSG_READ_REPLY,
    RAFT_MSG_CHUNK,                              /* part of a snapshot file */
    RAFT_MSG_CHUNK_REPLY,
    RAFT_MSG_PROPOSE,                            /* a follower's proposals (term 0; host to host) */
    RAFT_MSG_PROPOSE_REPLY,
    RAFT_MSG_RECALL,                             /* I lost my log: what do you have?  (term 0; raft/doubt.h) */
    RAFT_MSG_RECALL_REPLY,
    RAFT_MSG_CHANGE,                             /* of the membership, or a handover: asked of the leader (term 0; host to host) */
    RAFT_MSG_CHANGE_REPLY,
    RAFT_MSG_TYPES
};

#define RAFT_CHANGE_TEXTS 4                      /* name, addr, api, client */

struct raft_message {
    enum raft_message_type type;
    uint64_t from, to, term;
    union {
        struct { uint64_t last_index, last_term; bool force; } vote;       /* PREVOTE, VOTE; force: a handover */
        struct { bool granted; } vote_reply;
        struct {
            uint64_t prev_index, prev_term, commit;
            uint64_t round, sent_ns;             /* of the leader; echoed */
            uint64_t n;                          /* entries prev_index + 1 ... */
            struct raft_entry *entry;            /* received: these; to send: NULL, the host has them in its log */
        } append;
        struct { uint64_t commit, round, sent_ns; } heartbeat;             /* round 0: wants no answer */
        struct {
            uint64_t match;                      /* durable and the same as the leader's, up to here */
            uint64_t verified;                   /* the same as the leader's; 0: nothing known in this term */
            uint64_t round, sent_ns;
            bool     reject;                     /* prev did not match (match is said all the same); hint: where it may */
            uint64_t prev_index, hint_index, hint_term;
        } ack;
        struct { uint64_t ctx; } read;
        struct { uint64_t ctx, index; bool ok; } read_reply;
        struct { uint64_t index, snap_term, offset, total; struct str data; } chunk;
        struct { uint64_t index, offset; bool done, ok; } chunk_reply;     /* offset: next one wanted */
        struct { uint64_t ctx; } recall;
        struct { uint64_t ctx, last_index, last_term, voters, newborn; } recall_reply;
        struct { uint64_t boot, first_seq, n; struct raft_entry *entry; } propose;
        struct { uint64_t boot, first_seq, n, index; int err; } propose_reply; /* err 0: at index ... in header's term */
        struct { uint64_t ctx, op, id, by, given; struct str text[RAFT_CHANGE_TEXTS]; } change;    /* given: bit per text */
        struct { uint64_t ctx, id; int err; struct str reason; } change_reply;
    };
};

#endif
