/* raft/config.c: membership sets, majorities over them, and their form in entries and snapshots. */
#include "raft/config.h"

int raft_config_find(const struct raft_config *c, uint64_t id)
{
    for (unsigned i = 0; i < c->n; i++)
        if (c->head[i].id == id)
            return (int)i;
    return -1;
}

bool raft_config_votes(const struct raft_config *c, uint64_t id)
{
    int slot = raft_config_find(c, id);

    return slot >= 0 && (c->head[slot].parts & (RAFT_VOTER | RAFT_VOTER_OLD)) != 0;
}

bool raft_config_joint(const struct raft_config *c)
{
    for (unsigned i = 0; i < c->n; i++)
        if (c->head[i].parts & RAFT_VOTER_OLD)
            return true;
    return false;
}

unsigned raft_config_voters(const struct raft_config *c)
{
    unsigned n = 0;

    for (unsigned i = 0; i < c->n; i++)
        n += (c->head[i].parts & (RAFT_VOTER | RAFT_VOTER_OLD)) != 0;
    return n;
}

int raft_config_valid(const struct raft_config *c, struct errbuf *err)
{
    bool voter = false;

    if (c->n == 0 || c->n > RAFT_MAX_HEADS)
        return err_set(err, E_INVALID, "%u heads; 1 to %d are possible", c->n, RAFT_MAX_HEADS);
    for (unsigned i = 0; i < c->n; i++) {
        const struct raft_head *h = &c->head[i];
        if (h->id == 0)
            return err_set(err, E_INVALID, "head id 0 is not allowed");
        if (h->parts == 0 || h->parts > (RAFT_VOTER | RAFT_VOTER_OLD | RAFT_LEARNER))
            return err_set(err, E_INVALID, "head %llu has no valid part", (unsigned long long)h->id);
        if (memchr(h->addr, '\0', sizeof(h->addr)) == NULL)
            return err_set(err, E_INVALID, "address of head %llu is too long", (unsigned long long)h->id);
        if (raft_config_find(c, h->id) != (int)i)
            return err_set(err, E_INVALID, "head %llu is there twice", (unsigned long long)h->id);
        voter |= (h->parts & RAFT_VOTER) != 0;
    }
    return voter ? 0 : err_set(err, E_INVALID, "no head may vote");
}

/* For one voter set: sort its values descending, take the one in the middle. An empty set decides nothing. */
static uint64_t config_majority(const struct raft_config *c, const uint64_t *value, enum raft_part part)
{
    uint64_t sorted[RAFT_MAX_HEADS];
    unsigned n = 0;

    for (unsigned i = 0; i < c->n; i++) {
        if (!(c->head[i].parts & part))
            continue;
        unsigned at = n++;
        for (; at > 0 && sorted[at - 1] < value[i]; at--)
            sorted[at] = sorted[at - 1];
        sorted[at] = value[i];
    }
    return n > 0 ? sorted[n / 2] : UINT64_MAX;
}

uint64_t raft_config_quorum(const struct raft_config *c, const uint64_t value[RAFT_MAX_HEADS])
{
    must(c->n > 0 && c->n <= RAFT_MAX_HEADS);
    uint64_t now = config_majority(c, value, RAFT_VOTER), old = config_majority(c, value, RAFT_VOTER_OLD);
    must(now != UINT64_MAX);
    return MIN_OF(now, old);
}

void raft_config_encode(const struct raft_config *c, struct buf *out)
{
    must(c->n > 0 && c->n <= RAFT_MAX_HEADS);
    buf_varint(out, 1);                          /* version of this form */
    buf_varint(out, c->index);
    buf_varint(out, c->n);
    for (unsigned i = 0; i < c->n; i++) {
        const struct raft_head *h = &c->head[i];
        buf_varint(out, h->id);
        buf_varint(out, h->parts);
        buf_varint(out, strlen(h->addr));
        buf_z(out, h->addr);
    }
}

int raft_config_decode(struct str in, struct raft_config *ret)
{
    struct raft_config c = { 0 };
    struct str addr;
    uint64_t   version, n, parts, len;

    if (!str_varint(&in, &version) || version != 1 || !str_varint(&in, &c.index) || !str_varint(&in, &n))
        return E_CORRUPT;
    if (n == 0 || n > RAFT_MAX_HEADS)
        return E_CORRUPT;
    c.n = (unsigned)n;
    for (unsigned i = 0; i < c.n; i++) {
        struct raft_head *h = &c.head[i];
        if (!str_varint(&in, &h->id) || !str_varint(&in, &parts) || !str_varint(&in, &len))
            return E_CORRUPT;
        if (parts > UINT32_MAX || len >= RAFT_ADDR_MAX || !str_take(&in, len, &addr))
            return E_CORRUPT;
        h->parts = (unsigned)parts;
        if (len > 0)
            memcpy(h->addr, addr.p, len);
    }
    if (!str_empty(in) || raft_config_valid(&c, NULL) != 0)
        return E_CORRUPT;
    *ret = c;
    return 0;
}
