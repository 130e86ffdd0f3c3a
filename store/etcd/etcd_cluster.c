/* store/etcd/etcd_cluster.c: Cluster, and Maintenance.MoveLeader: raft's membership in etcd's words.  A
 * member that is added is a learner first, whatever was asked: it is promoted once it has caught up (`member
 * promote`). */
#include <inttypes.h>
#include <stdio.h>
#include "store/etcd/etcd_impl.h"

/* ---- listing -------------------------------------------------------------------------------------- */

static struct str text_or(struct arena *a, const char *text, struct str otherwise)
{
    return text != NULL && *text != '\0' ? arena_str(a, str_of(text)) : otherwise;
}

/* What stands between commas. */
static struct pb_list urls(struct arena *a, struct str text)
{
    struct pb_list l = { NULL, 0, 0 };
    struct str part;

    l.at = arena_alloc(a, (text.n + 1) * sizeof(struct str) / 2 + sizeof(struct str));
    while (text.n > 0 && str_split(&text, ',', &part))
        if (part.n > 0)
            ((struct str *)l.at)[l.n++] = part;
    return l;
}

static void member_fill(struct etcd *e, struct arena *a, const struct raft_member *from,
                        struct etcd_member *m)
{
    struct str peer = arena_fmt(a, "%s://%s", e->o.peer_tls ? "https" : "http", from->addr);
    struct str own = from->id == e->o.member ? str_of(e->client_urls) : STR_NONE;

    m->id = (int64_t)from->id;
    m->name = text_or(a, from->name, from->id == e->o.member ? str_of(e->name) : STR_NONE);
    m->peer_urls = urls(a, peer);
    m->client_urls = urls(a, text_or(a, from->client, own));
    m->learner = from->learner && !from->voter;
}

static struct etcd_member *member_all(struct etcd_call *c, struct etcd_reply *r, int64_t which)
{
    struct etcd_member *m, *found = NULL;
    struct raft_status st;

    raft_status(store_raft(c->e->store), &st);
    r->list.at = m = arena_zalloc(&c->arena, (st.n_heads + 1) * sizeof *m);
    for (unsigned i = 0; i < st.n_heads; i++, r->list.n++) {
        member_fill(c->e, &c->arena, &st.head[i], &m[i]);
        found = m[i].id == which ? &m[i] : found;
    }
    return found;
}

static void member_list(struct etcd_call *c)
{
    struct etcd_reply r = { .header = NULL };

    member_all(c, &r, 0);
    etcd_reply(c, &etcd_reply_members, &r);
}

void etcd_member_list(struct etcd_call *c)
{
    etcd_when_current(c, false, member_list);
}

/* ---- changing ------------------------------------------------------------------------------------- */

struct member_job { struct etcd_call *c; struct raft_change change; enum raft_change_op op; };

static void member_failed(struct etcd_call *c, enum raft_change_op op, int err, const char *reason)
{
    char text[256];

    if (err == E_NOTFOUND)
        etcd_fail(c, op == RAFT_TRANSFER ? ETCD_BAD_TRANSFEREE : ETCD_MEMBER_NOT_FOUND);
    else if (err == E_EXISTS)
        etcd_fail(c, ETCD_PEER_URL_EXISTS);
    else if (op == RAFT_PROMOTE && err == E_AGAIN)
        etcd_fail(c, ETCD_LEARNER_LAGS);
    else if (err == E_NOLEADER || err == E_UNKNOWN || err == E_TIMEOUT || err == E_CLOSED)
        etcd_fail(c, etcd_error_of(err));
    else {
        snprintf(text, sizeof text, "etcdserver: %s", reason != NULL ? reason : err_text(err));
        etcd_fail_text(c, GRPC_FAILED_PRECONDITION, text);
    }
}

static void member_on_changed(struct raft_change *change, int err, const char *reason, uint64_t id)
{
    struct member_job *j = container_of(change, struct member_job, change);
    struct etcd_call  *c = j->c;
    struct etcd_reply  r = { .header = NULL };

    if (!etcd_resume(c))
        return;
    if (err != 0) {
        member_failed(c, j->op, err, reason);
    } else if (j->op == RAFT_TRANSFER) {
        etcd_reply(c, &etcd_reply_header, &r);
    } else {
        r.member = member_all(c, &r, (int64_t)id);
        etcd_reply(c, j->op == RAFT_ADD ? &etcd_reply_added : &etcd_reply_members, &r);
    }
}

static void member_change(struct etcd_call *c, const struct raft_change_spec *spec)
{
    struct member_job *j = arena_new(&c->arena, struct member_job);

    j->c = c;
    j->op = spec->op;
    j->change.done = member_on_changed;
    c->waiting++;
    raft_change(store_raft(c->e->store), &j->change, spec);
}

/* "https://host:2380" -> "host:2380"; NULL: no URL at all. */
static const char *peer_addr(struct etcd_call *c, const struct pb_list *peer_urls)
{
    struct str url = peer_urls->n > 0 ? *(const struct str *)peer_urls->at : STR_NONE;

    for (size_t i = 0; i + 3 <= url.n; i++)
        if (memcmp(url.p + i, "://", 3) == 0) {
            url = str_from(url, i + 3);
            break;
        }
    return url.n > 0 ? arena_cstr(&c->arena, url) : NULL;
}

static void member_addressed(struct etcd_call *c, enum raft_change_op op)
{
    const struct etcd_member_change *r = c->request;
    struct raft_change_spec spec = { .op = op, .id = (uint64_t)r->id, .addr = peer_addr(c, &r->peer_urls) };

    if (spec.addr == NULL)
        etcd_fail_text(c, GRPC_INVALID_ARGUMENT, "etcdserver: given member URLs are invalid");
    else
        member_change(c, &spec);
}

static void member_numbered(struct etcd_call *c, enum raft_change_op op)
{
    const struct etcd_number *r = c->request;

    member_change(c, &(struct raft_change_spec){ .op = op, .id = (uint64_t)r->v });
}

void etcd_member_add(struct etcd_call *c) { member_addressed(c, RAFT_ADD); }
void etcd_member_update(struct etcd_call *c) { member_addressed(c, RAFT_UPDATE); }
void etcd_member_remove(struct etcd_call *c) { member_numbered(c, RAFT_REMOVE); }
void etcd_member_promote(struct etcd_call *c) { member_numbered(c, RAFT_PROMOTE); }

void etcd_maintenance_move_leader(struct etcd_call *c)
{
    const struct etcd_number *r = c->request;
    struct raft_status st;

    raft_status(store_raft(c->e->store), &st);
    if (!st.is_leader)
        etcd_fail(c, ETCD_NOT_LEADER);
    else if (r->v == 0)
        etcd_fail(c, ETCD_BAD_TRANSFEREE);
    else if ((uint64_t)r->v == st.id)
        etcd_reply(c, &etcd_reply_header, &(struct etcd_reply){ .header = NULL });
    else
        member_numbered(c, RAFT_TRANSFER);
}
