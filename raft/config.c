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

bool raft_config_alone(const struct raft_config *c, uint64_t id)
{
    unsigned n = 0;

    for (unsigned i = 0; i < c->n; i++)
        n += (c->head[i].parts & (RAFT_VOTER | RAFT_VOTER_OLD)) != 0;
    return n == 1 && raft_config_votes(c, id);
}

bool raft_config_left(const struct raft_config *c, uint64_t id)
{
    return id <= c->last_id && raft_config_find(c, id) < 0;
}

uint64_t raft_config_voters(const struct raft_config *c)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < c->n; i++) {        /* in whatever order */
        uint64_t h = (c->head[i].id << 2 | (c->head[i].parts & 3)) * 0x9e3779b97f4a7c15u;
        sum += raft_config_votes(c, c->head[i].id) ? (h ^ h >> 29) * 0xbf58476d1ce4e5b9u : 0;
    }
    return sum;
}

static bool config_ended(const char *text, size_t cap) { return memchr(text, '\0', cap) != NULL; }

static int config_head_valid(const struct raft_head *h, struct errbuf *err)
{
    unsigned long long id = h->id;

    if (h->id == 0)
        return err_set(err, E_INVALID, "head id 0 is not allowed");
    if (h->parts == 0 || h->parts > (RAFT_VOTER | RAFT_VOTER_OLD | RAFT_LEARNER))
        return err_set(err, E_INVALID, "head %llu has no valid part", id);
    if (!config_ended(h->addr, sizeof(h->addr)))
        return err_set(err, E_INVALID, "address of head %llu is too long", id);
    if (!config_ended(h->name, sizeof(h->name)) || !config_ended(h->api, sizeof(h->api))
        || !config_ended(h->client, sizeof(h->client)))
        return err_set(err, E_INVALID, "name or URL of head %llu is too long", id);
    return 0;
}

int raft_config_valid(const struct raft_config *c, struct errbuf *err)
{
    bool voter = false;

    if (c->n == 0 || c->n > RAFT_MAX_HEADS)
        return err_set(err, E_INVALID, "%u heads; 1 to %d are possible", c->n, RAFT_MAX_HEADS);
    for (unsigned i = 0; i < c->n; i++) {
        const struct raft_head *h = &c->head[i];
        int rc = config_head_valid(h, err);
        if (rc != 0)
            return rc;
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

/* ---- Bytes: version 1 had ids, parts and addresses only --------------------------------------------- */

#define CONFIG_VERSION 2

static void config_text_add(struct buf *out, const char *text)
{
    buf_varint(out, strlen(text));
    buf_z(out, text);
}

void raft_config_encode(const struct raft_config *c, struct buf *out)
{
    must(c->n > 0 && c->n <= RAFT_MAX_HEADS);
    buf_varint(out, CONFIG_VERSION);
    buf_varint(out, c->index);
    buf_varint(out, c->last_id);
    buf_varint(out, c->n);
    for (unsigned i = 0; i < c->n; i++) {
        const struct raft_head *h = &c->head[i];
        buf_varint(out, h->id);
        buf_varint(out, h->parts);
        config_text_add(out, h->addr);
        config_text_add(out, h->name);
        config_text_add(out, h->api);
        config_text_add(out, h->client);
    }
}

static bool config_text_take(struct str *in, char *ret, size_t cap)
{
    struct str text;
    uint64_t len;

    if (!str_varint(in, &len) || len >= cap || !str_take(in, len, &text) || str_find(text, '\0') >= 0)
        return false;
    if (len > 0)
        memcpy(ret, text.p, len);
    return true;
}

static bool config_head_take(struct str *in, uint64_t version, struct raft_head *h)
{
    uint64_t parts;

    if (!str_varint(in, &h->id) || !str_varint(in, &parts) || parts > UINT32_MAX)
        return false;
    h->parts = (unsigned)parts;
    if (!config_text_take(in, h->addr, sizeof(h->addr)))
        return false;
    return version == 1
        || (config_text_take(in, h->name, sizeof(h->name)) && config_text_take(in, h->api, sizeof(h->api))
            && config_text_take(in, h->client, sizeof(h->client)));
}

int raft_config_decode(struct str in, struct raft_config *ret)
{
    struct raft_config c = { 0 };
    uint64_t version, n;

    if (!str_varint(&in, &version) || version == 0 || version > CONFIG_VERSION || !str_varint(&in, &c.index))
        return E_CORRUPT;
    if (version > 1 && !str_varint(&in, &c.last_id))
        return E_CORRUPT;
    if (!str_varint(&in, &n) || n == 0 || n > RAFT_MAX_HEADS)
        return E_CORRUPT;
    c.n = (unsigned)n;
    for (unsigned i = 0; i < c.n; i++) {
        if (!config_head_take(&in, version, &c.head[i]))
            return E_CORRUPT;
        if (version == 1)
            c.last_id = MAX_OF(c.last_id, c.head[i].id);
    }
    if (!str_empty(in) || raft_config_valid(&c, NULL) != 0)
        return E_CORRUPT;
    *ret = c;
    return 0;
}
