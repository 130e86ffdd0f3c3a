/* raft/wal_scan.h: the records of one segment, good and bad,
    told apart; for recovery and for `coracle check`.
 *
 * Bytes that are no record end the segment when nothing shows that they had been durable: the tail of a write
 * that was never finished.  Else they are a hole, and the scan goes on behind it.  What shows it: a record
 * behind
 * them that says so (`synced`), or `durable`, from elsewhere. */
#ifndef RAFT_WAL_SCAN_H
#define RAFT_WAL_SCAN_H

#include "net/err.h"
#include "raft/wal_format.h"

struct wal_scan {
    uint64_t seq, durable;                       /* durable: what ends before is known to have been on disk */
    struct str bytes;                            /* the whole file */
    int (*record)(void *arg, uint64_t at, const struct wal_record *rec, struct str data, struct errbuf *err);
    int (*hole)(void *arg, uint64_t at, uint64_t to, struct errbuf *err);
    void *arg;
};

/* "wal-....seg": its number, 0 if that is no segment's name. */
uint64_t wal_name_seq(const char *name);
bool wal_scan_header(const struct wal_scan *s, struct wal_header *ret);
/* *ret_end: behind the last record (or hole); what follows was never durable. */
int  wal_scan_records(const struct wal_scan *s, uint64_t *ret_end, struct errbuf *err);
bool wal_scan_blank(struct str bytes);

#endif
