/* raft/wal_format.h: the log on disk, byte by byte; shared by wal.c, wal_replay.c and their test.
 *
 * A segment file is a header and then records, each padded to 8 bytes.  Every write ("batch") is followed
 * by a sync, and there is never more than one under way, so a record can say up to which offset of its
 * segment everything was already durable when it was written (`synced`).  By that a torn tail is told from
 * damage: if the first bad place is X and any good record behind it says synced > X, then what was at X
 * had been durable: damage.  If none does, X belongs to the last write, which nobody was told of: torn.
 * The CRC is seeded with segment number and offset: a record in a wrong place does not verify. */
#ifndef RAFT_WAL_FORMAT_H
#define RAFT_WAL_FORMAT_H

#include "net/blob.h"
#include "raft/crc32c.h"

#define WAL_MAGIC   0x314c415741524f43ull        /* "CORAWAL1" */
#define WAL_NAME    "wal-%016llx.seg"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "files are little-endian");

struct wal_header {
    uint64_t magic, seq, cluster, head;
    uint64_t prev_seq;                           /* the segment before, 0: none ... */
    uint64_t prev_end;                           /* ... and how far its records reach at least */
    uint64_t prev_index, prev_term;              /* last log entry before this segment */
    uint32_t pad, crc;
};
_Static_assert(sizeof(struct wal_header) == 72, "on-disk layout");

enum wal_type {
    WAL_ENTRY = 1,                               /* index, term, payload; index <= last: entries from it on are replaced */
    WAL_HARD,                                    /* term; index: vote */
    WAL_COMMIT,                                  /* index: known to be committed (a hint); payload: struct wal_last */
    WAL_BASE,                                    /* index, term: a snapshot replaced the log, which goes on behind it */
    WAL_CONFIG,                                  /* index; payload: configuration in force */
    WAL_DOUBT,                                   /* index, term; payload: struct wal_doubt.  See raft/doubt.h */
    WAL_TYPES
};

struct wal_record {
    uint32_t crc, len, synced;
    uint8_t  type, entry_type;
    uint16_t zero;
    uint64_t index, term;
};
_Static_assert(sizeof(struct wal_record) == 32, "on-disk layout");

/* The last entry of the log at that time: it is known by this should the entry itself be damaged. */
struct wal_last { uint64_t index, term; };
struct wal_doubt { uint64_t lost; };

static inline size_t wal_padded(size_t n) { return (n + 7) & ~(size_t)7; }
static inline size_t wal_record_size(uint32_t len) { return sizeof(struct wal_record) + wal_padded(len); }

static inline uint32_t wal_header_crc(const struct wal_header *h)
{
    return crc32c(0, h, offsetof(struct wal_header, crc));
}

/* p: the record with its padded payload behind it. */
static inline uint32_t wal_record_crc(uint64_t seq, uint64_t off, const char *p, uint32_t len)
{
    uint64_t seed[2] = { seq, off };

    return crc32c(crc32c(0, seed, sizeof(seed)), p + sizeof(uint32_t), wal_record_size(len) - sizeof(uint32_t));
}

#endif
