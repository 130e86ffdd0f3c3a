/* raft/vote.c: the vote file to and from bytes. */
#include "net/blob.h"
#include "raft/crc32c.h"
#include "raft/vote.h"

#define VOTE_MAGIC 0x3145544f56524f43ull         /* "CORVOTE1" */

/* One page.  What changes lies within one sector, so that no write leaves a page half old and half new. */
struct vote_page {
    uint64_t magic, cluster, head, term, vote, doubt_index, doubt_term, lost, seq, synced, prev_seq, prev_end;
    uint32_t copy, crc;
    char     zero[VOTE_PAGE - 13 * 8];
};
_Static_assert(sizeof(struct vote_page) == VOTE_PAGE && offsetof(struct vote_page, zero) <= 512,
               "on-disk layout");

static uint32_t page_crc(const struct vote_page *p)
{
    return crc32c(crc32c(0, p, offsetof(struct vote_page, crc)), p->zero, sizeof(p->zero));
}

void vote_encode(const struct vote *v, char out[VOTE_BYTES])
{
    struct vote_page p = { .magic = VOTE_MAGIC, .cluster = v->cluster, .head = v->head, .term = v->term,
                           .vote = v->vote, .doubt_index = v->doubt.index, .doubt_term = v->doubt.term,
                           .lost = v->doubt.lost, .seq = v->seq, .synced = v->synced,
                           .prev_seq = v->prev_seq, .prev_end = v->prev_end };

    for (uint32_t i = 0; i < 2; i++) {
        p.copy = i;
        p.crc = page_crc(&p);
        memcpy(out + i * VOTE_PAGE, &p, VOTE_PAGE);
    }
}

unsigned vote_decode(struct str file, struct vote *ret)
{
    struct vote_page p;
    unsigned good = 0;

    for (uint32_t i = 0; i < 2 && file.n >= (i + 1) * (size_t)VOTE_PAGE; i++) {
        memcpy(&p, file.p + i * VOTE_PAGE, VOTE_PAGE);
        if (p.magic != VOTE_MAGIC || p.copy != i || p.crc != page_crc(&p) || p.lost > 1)
            continue;
        good++;
        /* After a crash in the middle of a write both may verify and differ: the newer is not less true. */
        if (good == 2 && (p.term < ret->term || (p.term == ret->term && p.vote == 0)))
            continue;
        *ret = (struct vote){ .cluster = p.cluster, .head = p.head, .term = p.term, .vote = p.vote,
                              .seq = p.seq, .synced = p.synced, .prev_seq = p.prev_seq, .prev_end = p.prev_end,
                              .doubt = { p.doubt_index, p.doubt_term, p.lost == 1 } };
    }
    return good;
}

int vote_read_now(struct disk *d, uint64_t cluster, uint64_t head, struct vote *ret, unsigned *ret_copies,
                  struct errbuf *err)
{
    struct buf file = BUF_INIT;
    struct vote v;
    int rc = disk_read_now(d, VOTE_NAME, &file, err);

    if (rc != 0) {
        buf_release(&file);
        return rc == E_NOTFOUND ? rc : err_wrap(err, E_CORRUPT, "%s/" VOTE_NAME, disk_path(d));
    }
    *ret_copies = vote_decode(buf_str(&file), &v);
    buf_release(&file);
    if (*ret_copies == 0)
        return err_set(err, E_CORRUPT, "%s/" VOTE_NAME ": neither copy verifies", disk_path(d));
    if ((cluster != 0 && v.cluster != cluster) || (head != 0 && v.head != head))
        return err_set(err, E_INVALID, "%s belongs to head %llu of another cluster or to another head",
                       disk_path(d),
                       (unsigned long long)v.head);
    *ret = v;
    return 0;
}

int vote_write_now(struct disk *d, const struct vote *v, struct errbuf *err)
{
    char bytes[VOTE_BYTES];

    vote_encode(v, bytes);
    return disk_replace_now(d, VOTE_NAME, str_make(bytes, sizeof bytes), err);
}
