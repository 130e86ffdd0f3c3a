/* raft/codec.h: messages as frames: length, CRC32C, then type and fields as varints.
 *
 * Everything that comes in is hostile: decoding checks every length against what is there before it
 * believes it. */
#ifndef RAFT_CODEC_H
#define RAFT_CODEC_H

#include "net/err.h"
#include "raft/config.h"
#include "raft/limits.h"
#include "raft/log.h"
#include "raft/message.h"

#define RAFT_FRAME_HEAD 8                        /* length and CRC of the payload */

/* The first frame of a connection.  addr: where its sender is reached by others; empty: not known. */
struct raft_hello { uint64_t cluster, from, to; char addr[RAFT_ADDR_MAX]; };

void raft_hello_encode(const struct raft_hello *h, struct buf *out);       /* a whole frame */
int  raft_hello_decode(struct str payload, struct raft_hello *ret);        /* E_INVALID */
/* The one frame that an accepted side ever sends, instead of going on: `to` was removed from the cluster. */
void raft_farewell_encode(const struct raft_hello *h, struct buf *out);
int  raft_farewell_decode(struct str payload, struct raft_hello *ret);     /* E_INVALID */
/* Appends a frame.  Entries of an APPEND to send come from log, of a PROPOSE from the message. */
void raft_message_encode(const struct raft_message *m, const struct raft_log *log, struct buf *out);
/* E_INVALID.  entry arrays are allocated: raft_message_release(). owner: what payload lies in; entries and
 * chunk data point into it, entries take a reference each. */
int  raft_message_decode(struct str payload, struct blob *owner, struct raft_message *ret);
void raft_message_release(struct raft_message *m);

/* Cut one frame off *in: 1: *ret is its payload; 0: more bytes are needed (*ret_need in all); E_INVALID,
 * E_TOOBIG. */
int  raft_frame_cut(struct str *in, struct str *ret, size_t *ret_need);

#endif
