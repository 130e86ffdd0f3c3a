/* raft/config_change.c: from one membership to the next: what each kind of change makes of it, and the
 * joint step between. */
#include "raft/config.h"

static int change_text(char *to, size_t cap, const char *from, const char *what, struct errbuf *err)
{
    if (from == NULL)
        return 0;                                /* stays as it is */
    if (strlen(from) >= cap)
        return err_set(err, E_INVALID, "%s is too long: at most %zu characters", what, cap - 1);
    memset(to, 0, cap);
    memcpy(to, from, strlen(from));
    return 0;
}

static int change_texts(const struct raft_config *c, struct raft_head *h, const struct raft_change_spec *s,
                        struct errbuf *err)
{
    int rc = change_text(h->addr, sizeof(h->addr), s->addr, "the peer address", err);

    if (rc == 0)
        rc = change_text(h->name, sizeof(h->name), s->name, "the name", err);
    if (rc == 0)
        rc = change_text(h->api, sizeof(h->api), s->api, "the API URL", err);
    if (rc == 0)
        rc = change_text(h->client, sizeof(h->client), s->client, "the client URL", err);
    if (rc == 0 && h->addr[0] == '\0')
        rc = err_set(err, E_INVALID, "a head needs an address where the others reach it");
    for (unsigned i = 0; i < c->n && rc == 0; i++) {
        if (&c->head[i] == h || c->head[i].id == h->id)
            continue;
        if (strcmp(c->head[i].addr, h->addr) == 0)
            rc = err_set(err, E_EXISTS, "head %llu has the address %s", (unsigned long long)c->head[i].id, h->addr);
        else if (h->name[0] != '\0' && strcmp(c->head[i].name, h->name) == 0)
            rc = err_set(err, E_EXISTS, "head %llu has the name %s", (unsigned long long)c->head[i].id, h->name);
    }
    return rc;
}

static int change_add(struct raft_config *c, const struct raft_change_spec *s, struct errbuf *err)
{
    uint64_t id = s->id > 0 ? s->id : c->last_id + 1;

    if (c->n == RAFT_MAX_HEADS)
        return err_set(err, E_FULL, "there are %u heads already; no more are possible", c->n);
    if (raft_config_find(c, id) >= 0)
        return err_set(err, E_EXISTS, "head %llu is a member already", (unsigned long long)id);
    if (id <= c->last_id || id == UINT64_MAX)
        return err_set(err, E_INVALID, "number %llu was given before; a head that comes back gets a new one",
                       (unsigned long long)id);
    struct raft_head *h = &c->head[c->n++];
    *h = (struct raft_head){ .id = id, .parts = RAFT_LEARNER };
    c->last_id = id;
    return change_texts(c, h, s, err);
}

static void change_drop(struct raft_config *c, unsigned slot)
{
    must(slot < c->n);
    memmove(&c->head[slot], &c->head[slot + 1], (c->n - slot - 1) * sizeof(c->head[0]));
    c->n--;
}

static int change_role(struct raft_head *h, enum raft_part to, struct errbuf *err)
{
    if (h->parts == (unsigned)to)
        return err_set(err, E_EXISTS, "head %llu is a %s already", (unsigned long long)h->id,
                       to == RAFT_VOTER ? "voter" : "learner");
    h->parts = to;
    return 0;
}

static int change_replace(struct raft_config *c, unsigned slot, uint64_t by, struct errbuf *err)
{
    int other = raft_config_find(c, by);

    if (other < 0)
        return err_set(err, E_NOTFOUND, "there is no head %llu", (unsigned long long)by);
    int rc = change_role(&c->head[other], RAFT_VOTER, err);
    if (rc == 0)
        change_drop(c, slot);
    return rc;
}

int raft_config_change(const struct raft_config *c, const struct raft_change_spec *s, struct raft_config *ret,
                       struct errbuf *err)
{
    struct raft_config next = *c;
    int slot = raft_config_find(c, s->id), rc = 0;

    must(!raft_config_joint(c));
    if (s->op != RAFT_ADD && slot < 0)
        return err_set(err, E_NOTFOUND, "there is no head %llu", (unsigned long long)s->id);
    switch (s->op) {
    case RAFT_ADD:     rc = change_add(&next, s, err); break;
    case RAFT_PROMOTE: rc = change_role(&next.head[slot], RAFT_VOTER, err); break;
    case RAFT_DEMOTE:  rc = change_role(&next.head[slot], RAFT_LEARNER, err); break;
    case RAFT_REMOVE:  change_drop(&next, (unsigned)slot); break;
    case RAFT_REPLACE: rc = change_replace(&next, (unsigned)slot, s->by, err); break;
    case RAFT_UPDATE:  rc = change_texts(&next, &next.head[slot], s, err); break;
    default:           rc = err_set(err, E_INVALID, "no such change"); break;
    }
    if (rc == 0 && raft_config_valid(&next, NULL) != 0)
        rc = err_set(err, E_INVALID, "the last voter cannot go");
    if (rc == 0)
        *ret = next;
    return rc;
}

int raft_config_join(const struct raft_config *from, const struct raft_config *goal, struct raft_config *ret,
                     struct errbuf *err)
{
    struct raft_config joint = *goal;
    bool same = true;

    for (unsigned i = 0; i < from->n; i++) {
        const struct raft_head *h = &from->head[i];
        int slot = raft_config_find(&joint, h->id);
        bool now = slot >= 0 && (joint.head[slot].parts & RAFT_VOTER);
        if (!(h->parts & RAFT_VOTER)) {
            same = same && !now;
            continue;
        }
        same = same && now;
        if (slot < 0) {
            if (joint.n == RAFT_MAX_HEADS)
                return err_set(err, E_FULL, "old and new heads together are more than %d; remove one first", RAFT_MAX_HEADS);
            slot = (int)joint.n++;
            joint.head[slot] = *h;
            joint.head[slot].parts = 0;
        }
        joint.head[slot].parts |= RAFT_VOTER_OLD;
    }
    *ret = same ? *goal : joint;
    return 0;
}

void raft_config_settle(const struct raft_config *joint, struct raft_config *ret)
{
    struct raft_config next = *joint;

    for (unsigned i = 0; i < next.n; ) {
        next.head[i].parts &= ~(unsigned)RAFT_VOTER_OLD;
        if (next.head[i].parts == 0)
            change_drop(&next, i);
        else
            i++;
    }
    must(raft_config_valid(&next, NULL) == 0);
    *ret = next;
}
