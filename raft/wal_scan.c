/* raft/wal_scan.c: records, holes and torn tails of one segment.  Every byte is taken as hostile. */
#include <stdlib.h>
#include "raft/wal_scan.h"

uint64_t wal_name_seq(const char *name)
{
    char *end;

    if (strlen(name) != 24 || strncmp(name, "wal-", 4) != 0 || strcmp(name + 20, ".seg") != 0)
        return 0;
    uint64_t seq = strtoull(name + 4, &end, 16);
    return end == name + 20 ? seq : 0;
}

bool wal_scan_blank(struct str bytes)
{
    for (size_t i = 0; i < bytes.n; i++)
        if (bytes.p[i] != 0)
            return false;
    return true;
}

bool wal_scan_header(const struct wal_scan *s, struct wal_header *ret)
{
    struct wal_header h;

    if (s->bytes.n < sizeof(h))
        return false;
    memcpy(&h, s->bytes.p, sizeof(h));
    if (h.magic != WAL_MAGIC || h.crc != wal_header_crc(&h) || h.seq != s->seq)
        return false;
    *ret = h;
    return true;
}

/* A whole, verifying record at `at`? */
static bool scan_record(const struct wal_scan *s, uint64_t at, struct wal_record *ret)
{
    struct wal_record rec;

    if (at > s->bytes.n || s->bytes.n - at < sizeof(rec))
        return false;
    memcpy(&rec, s->bytes.p + at, sizeof(rec));
    if (rec.type == 0 || rec.type >= WAL_TYPES || rec.zero != 0 || rec.synced > at)
        return false;
    if (rec.len > s->bytes.n || wal_record_size(rec.len) > s->bytes.n - at)
        return false;
    if (rec.crc != wal_record_crc(s->seq, at, s->bytes.p + at, rec.len))
        return false;
    *ret = rec;
    return true;
}

/* The next record behind a bad place, and whether any from there on was written when `at` was already durable;
 * *ret_next: the end of the file if there is none. */
static bool scan_resync(const struct wal_scan *s, uint64_t at, uint64_t *ret_next)
{
    struct wal_record rec;
    bool durable = s->durable > at;
    uint64_t next = s->bytes.n;

    for (uint64_t i = wal_padded(at + 1); i + sizeof(rec) <= s->bytes.n; ) {
        if (s->bytes.p[i + offsetof(struct wal_record, type)] == 0 || !scan_record(s, i, &rec)) {
            i += 8;
            continue;
        }
        next = MIN_OF(next, i);
        durable |= rec.synced > at;
        if (durable)
            break;
        i += wal_record_size(rec.len);
    }
    *ret_next = next;
    return durable;
}

int wal_scan_records(const struct wal_scan *s, uint64_t *ret_end, struct errbuf *err)
{
    struct wal_record rec;
    struct wal_header h;
    uint64_t at = wal_scan_header(s, &h) ? sizeof(h) : 0, next;
    int rc = 0;

    while (rc == 0) {
        if (at > 0 && scan_record(s, at, &rec)) {
            rc = s->record(s->arg, at, &rec, str_make(s->bytes.p + at + sizeof(rec), rec.len), err);
            at += wal_record_size(rec.len);
            continue;
        }
        if (!scan_resync(s, at, &next))
            break;
        rc = s->hole(s->arg, at, next, err);
        at = next;
        if (at == s->bytes.n)
            break;
    }
    *ret_end = at;
    return rc;
}
