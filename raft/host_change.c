/* raft/host_change.c: changes of the membership and handovers, asked on any head, done by the leader.
 *
 * A change is QUEUED (sent_to 0) until somebody leads, then with the leader, which keeps what it has begun in
 * `served` until its outcome is known.  A leader that is to go hands over first and lets the next one do it.
 * What met no leader is asked again until its time is up, what met another change for a while; what got no
 * answer is E_UNKNOWN. */
#include "net/log.h"
#include "raft/host.h"

/* ---- Asking ---------------------------------------------------------------------------------------- */

static const char *const *change_texts_of(const struct raft_change_spec *s, const char *out[RAFT_CHANGE_TEXTS])
{
    out[0] = s->name;
    out[1] = s->addr;
    out[2] = s->api;
    out[3] = s->client;
    return out;
}

static void change_spec_texts(struct raft_change_spec *s, const char *const text[RAFT_CHANGE_TEXTS])
{
    s->name = text[0];
    s->addr = text[1];
    s->api = text[2];
    s->client = text[3];
}

/* The texts in one piece of memory; NULL stays NULL. */
static char *change_copy_texts(struct raft_change_spec *s)
{
    const char *text[RAFT_CHANGE_TEXTS];
    size_t n = 1;

    change_texts_of(s, text);
    for (unsigned i = 0; i < RAFT_CHANGE_TEXTS; i++)
        n += text[i] != NULL ? strlen(text[i]) + 1 : 0;
    char *all = mem_alloc(n), *at = all;
    for (unsigned i = 0; i < RAFT_CHANGE_TEXTS; i++) {
        if (text[i] == NULL)
            continue;
        size_t len = strlen(text[i]) + 1;
        memcpy(at, text[i], len);
        text[i] = at;
        at += len;
    }
    change_spec_texts(s, text);
    return all;
}

/* Who waits for a handover wants to be gone. */
static uint64_t change_patience_ns(const struct raft *r, enum raft_change_op op)
{
    unsigned ms = op == RAFT_TRANSFER ? RAFT_TRANSFER_ELECTIONS * r->opts.election_max_ms : RAFT_CHANGE_MS;

    return ms * 1000000ull;
}

/* No other voter is connected: whatever needs one is in vain. */
static bool change_alone(const struct raft *r)
{
    const struct raft_config *c = &r->core.config;

    for (unsigned i = 0; i < c->n; i++)
        if (c->head[i].id != r->opts.id && raft_config_votes(c, c->head[i].id)
            && peers_connected(r->peers, c->head[i].id))
            return false;
    return true;
}

void raft_change(struct raft *r, struct raft_change *c, const struct raft_change_spec *spec)
{
    must(c->done != NULL);
    c->ctx = ++r->change_ctx;
    c->due_ns = loop_now_ns(r->loop) + change_patience_ns(r, spec->op);
    c->sent_to = 0;
    c->spec = *spec;
    c->texts = change_copy_texts(&c->spec);
    qpush(&r->changes, &c->link);
    r->change_after_ns = 0;
    raft__arm(r);
}

static void change_finish(struct raft_change *c, int err, const char *reason, uint64_t id)
{
    qdel(&c->link);
    mem_free(c->texts);
    c->texts = NULL;
    c->done(c, err, reason, id);                 /* may free it */
}

static bool change_send(struct raft *r, const struct raft_change *c, uint64_t to)
{
    struct raft_message m = { .type = RAFT_MSG_CHANGE, .from = r->opts.id, .to = to };
    const char *text[RAFT_CHANGE_TEXTS];

    m.change.ctx = c->ctx;
    m.change.op = c->spec.op;
    m.change.id = c->spec.id;
    m.change.by = c->spec.by;
    change_texts_of(&c->spec, text);
    for (unsigned i = 0; i < RAFT_CHANGE_TEXTS; i++) {
        if (text[i] == NULL)
            continue;
        m.change.given |= 1u << i;
        m.change.text[i] = str_of(text[i]);
    }
    return peers_send(r->peers, &m, NULL);
}

/* ---- Answering ------------------------------------------------------------------------------------- */

static void change_answered(struct raft *r, uint64_t from, uint64_t ctx, int err, const char *reason, uint64_t id)
{
    qeach(&r->changes, it, tmp) {
        struct raft_change *c = qentry(it, struct raft_change, link);
        if (c->ctx != ctx || c->sent_to != from)
            continue;
        bool patient = loop_now_ns(r->loop) + (RAFT_CHANGE_MS - RAFT_CHANGE_WAIT_MS) * 1000000ull < c->due_ns;
        if (err == E_NOLEADER || (err == E_CONFLICT && patient)) {             /* not begun; soon it may be */
            c->sent_to = 0;
            r->change_after_ns = loop_now_ns(r->loop) + RAFT_CHANGE_RETRY_MS * 1000000ull;
            raft__arm(r);
        } else {
            change_finish(c, err, reason, id);
        }
        return;
    }
}

static void change_reply(struct raft *r, uint64_t to, uint64_t ctx, int err, const char *reason, uint64_t id)
{
    struct raft_message m = { .type = RAFT_MSG_CHANGE_REPLY, .to = to };

    if (to == r->opts.id) {
        change_answered(r, to, ctx, err, reason, id);
        return;
    }
    m.change_reply.ctx = ctx;
    m.change_reply.id = id;
    m.change_reply.err = err;
    m.change_reply.reason = str_of(reason);
    raft__send(r, &m);
}

/* Would the leader itself cease to vote by this?  Then another does it, which it hands over to first. */
static bool change_hands_over(struct raft *r, const struct raft_change_spec *s)
{
    bool goes = s->op == RAFT_REMOVE || s->op == RAFT_DEMOTE || s->op == RAFT_REPLACE;

    if (!goes || s->id != r->opts.id || r->core.config.index > r->core.commit)
        return false;
    return raft__event(r, (struct raft_event){ .type = RAFT_EV_TRANSFER, .transfer_to = 0 }) == 0;
}

static int change_begin(struct raft *r, const struct raft_change_spec *s, struct errbuf *why)
{
    if (r->core.role != RAFT_LEADER || r->core.transfer_to != 0 || !raft_core_leading(&r->core))
        return err_set(why, E_NOLEADER, "no leader");
    if (s->op != RAFT_TRANSFER) {
        if (change_hands_over(r, s))
            return err_set(why, E_NOLEADER, "the leader hands over first");
        return raft__event(r, (struct raft_event){ .type = RAFT_EV_CHANGE, .change = { s, why } });
    }
    int rc = raft__event(r, (struct raft_event){ .type = RAFT_EV_TRANSFER, .transfer_to = s->id });
    if (rc == E_NOTFOUND)
        return err_set(why, rc, s->id != 0 ? "head %llu is no voter" : "no other voter answers", (unsigned long long)s->id);
    return rc;
}

static void change_serve(struct raft *r, uint64_t from, uint64_t ctx, const struct raft_change_spec *s)
{
    struct errbuf why = { "" };
    struct change_served *slot = NULL;

    for (unsigned i = 0; i < RAFT_MAX_CHANGES && slot == NULL; i++)
        if (r->served[i].from == 0)
            slot = &r->served[i];
    int rc = slot != NULL ? change_begin(r, s, &why) : err_set(&why, E_FULL, "too many changes are asked for at once");
    if (rc == E_EXISTS && s->op == RAFT_TRANSFER)
        change_reply(r, from, ctx, 0, "", s->id);              /* it leads already */
    else if (rc != 0)
        change_reply(r, from, ctx, rc, why.s, s->id);
    else
        *slot = (struct change_served){ .from = from, .ctx = ctx, .op = s->op,
                                        .id = s->op == RAFT_ADD ? r->core.config.last_id : s->id,
                                        .due_ns = loop_now_ns(r->loop) + change_patience_ns(r, s->op) };
}

void raft__change_on_request(struct raft *r, const struct raft_message *m)
{
    struct raft_change_spec s = { .op = (enum raft_change_op)m->change.op, .id = m->change.id, .by = m->change.by };
    char text[RAFT_CHANGE_TEXTS][RAFT_MAX_TEXT];
    const char *given[RAFT_CHANGE_TEXTS] = { NULL };

    for (unsigned i = 0; i < RAFT_CHANGE_TEXTS; i++) {
        if (!(m->change.given >> i & 1))
            continue;
        memcpy(text[i], m->change.text[i].p, m->change.text[i].n);
        text[i][m->change.text[i].n] = '\0';
        given[i] = text[i];
    }
    change_spec_texts(&s, given);
    if (m->change.op > 0 && m->change.op < RAFT_CHANGE_OPS)
        change_serve(r, m->from, m->change.ctx, &s);
}

void raft__change_on_reply(struct raft *r, const struct raft_message *m)
{
    struct errbuf reason;

    err_set(&reason, 0, "%.*s", STR_ARG(m->change_reply.reason));
    change_answered(r, m->from, m->change_reply.ctx, m->change_reply.err, reason.s, m->change_reply.id);
}

/* ---- Outcomes -------------------------------------------------------------------------------------- */

/* What was wanted is so, for good. */
static bool change_holds(const struct raft *r, const struct change_served *v)
{
    const struct raft_config *c = &r->core.config;
    int slot = raft_config_find(c, v->id);

    if (c->index > r->core.commit || raft_config_joint(c))
        return false;
    switch (v->op) {
    case RAFT_PROMOTE: return slot >= 0 && c->head[slot].parts == RAFT_VOTER;
    case RAFT_DEMOTE:  return slot >= 0 && c->head[slot].parts == RAFT_LEARNER;
    case RAFT_REMOVE:
    case RAFT_REPLACE: return slot < 0;
    default:           return slot >= 0;
    }
}

static void served_end(struct raft *r, struct change_served *v, int err, const char *reason, uint64_t id)
{
    struct change_served was = *v;

    v->from = 0;
    change_reply(r, was.from, was.ctx, err, reason, id);
}

/* Whoever was chosen has gone, or did not win: then the next. */
static bool served_transfer_again(struct raft *r)
{
    return raft__event(r, (struct raft_event){ .type = RAFT_EV_TRANSFER, .transfer_to = 0 }) == 0;
}

static void served_transfer(struct raft *r, struct change_served *v)
{
    bool leads = r->core.role == RAFT_LEADER;

    if (!leads && r->core.leader != 0)
        served_end(r, v, 0, "", r->core.leader);
    else if (change_alone(r))
        served_end(r, v, E_TIMEOUT, "no other voter is connected", v->id);
    else if (leads && r->core.transfer_to == 0 && (v->id != 0 || !served_transfer_again(r)))
        served_end(r, v, E_TIMEOUT, "nobody took over in time", v->id);
}

static void served_look(struct raft *r, struct change_served *v)
{
    if (v->op == RAFT_TRANSFER)
        served_transfer(r, v);
    else if (change_holds(r, v))
        served_end(r, v, 0, "", v->id);
    else if (r->core.role != RAFT_LEADER)
        served_end(r, v, E_UNKNOWN, "the leader changed meanwhile; look at the members", v->id);
    if (v->from != 0 && v->due_ns <= loop_now_ns(r->loop))
        served_end(r, v, E_UNKNOWN, "it is not settled yet; look at the members", v->id);
}

static void change_expire(struct raft *r)
{
    uint64_t now = loop_now_ns(r->loop);

    qeach(&r->changes, it, tmp) {
        struct raft_change *c = qentry(it, struct raft_change, link);
        bool lost = c->sent_to != 0 && c->sent_to != r->opts.id && !peers_connected(r->peers, c->sent_to);
        bool vain = c->spec.op == RAFT_TRANSFER && c->sent_to == 0 && change_alone(r);
        if (c->due_ns > now && !lost && !vain)
            continue;
        if (c->sent_to == 0)
            change_finish(c, E_NOLEADER, "there is no leader", c->spec.id);
        else
            change_finish(c, E_UNKNOWN, "no answer from the leader; look at the members", c->spec.id);
    }
}

/* ---- Ourselves ------------------------------------------------------------------------------------- */

static void publish_on_done(struct raft_change *c, int err, const char *reason, uint64_t id)
{
    struct raft *r = container_of(c, struct raft, publish);
    bool again = err == E_NOLEADER || err == E_CONFLICT || err == E_AGAIN || err == E_UNKNOWN || err == E_TIMEOUT;

    r->publishing = false;
    r->publish_after_ns = again ? loop_now_ns(r->loop) + RAFT_PUBLISH_RETRY_MS * 1000000ull
                                + loop_random_u64(r->loop) % (RAFT_PUBLISH_RETRY_MS * 1000000ull) : UINT64_MAX;
    if (err != 0 && !again && !r->closing)
        log_warn("raft", "head %llu cannot make its name and URLs known: %s", (unsigned long long)id, reason);
}

static bool publish_differs(const char *want, const char *is) { return want != NULL && strcmp(want, is) != 0; }

/* When the members' record of us is not what we were started with; 0: it is. */
static uint64_t publish_due(const struct raft *r)
{
    int slot = raft_config_find(&r->core.config, r->opts.id);

    if (slot < 0 || r->publishing || r->core.leader == 0 || r->core.config.index > r->core.commit)
        return 0;
    const struct raft_head *h = &r->core.config.head[slot];
    if (!publish_differs(r->opts.name, h->name) && !publish_differs(r->opts.api_url, h->api)
        && !publish_differs(r->opts.client_url, h->client))
        return 0;
    return MAX_OF(r->publish_after_ns, 1);
}

static void change_publish(struct raft *r)
{
    struct raft_change_spec s = { .op = RAFT_UPDATE, .id = r->opts.id, .name = r->opts.name, .api = r->opts.api_url,
                                  .client = r->opts.client_url };
    uint64_t due = publish_due(r);

    if (due == 0 || due > loop_now_ns(r->loop))
        return;
    r->publishing = true;
    r->publish.done = publish_on_done;
    raft_change(r, &r->publish, &s);
}

/* Asked here to remove ourselves: by the time the leader would say so it has no way to us any more. */
static void change_removed_asked(struct raft *r)
{
    qeach(&r->changes, it, tmp) {
        struct raft_change *c = qentry(it, struct raft_change, link);
        if ((c->spec.op == RAFT_REMOVE || c->spec.op == RAFT_REPLACE) && c->spec.id == r->opts.id)
            change_finish(c, 0, "", r->opts.id);
    }
}

static void change_removed(struct raft *r)
{
    if (r->removed_told || !(r->removed || (r->core.leader != r->opts.id && raft_core_left(&r->core, r->opts.id))))
        return;
    r->removed = r->removed_told = true;
    change_removed_asked(r);
    log_warn("raft", "head %llu was removed from the cluster", (unsigned long long)r->opts.id);
    if (r->opts.fsm.removed != NULL)
        r->opts.fsm.removed(r->opts.fsm.arg);
}

void raft__change_on_removed(void *arg, uint64_t by)
{
    struct raft *r = arg;

    r->removed = true;
    raft__arm(r);
}

bool raft__change_has_left(void *arg, uint64_t id)
{
    return raft_core_left(&((struct raft *)arg)->core, id);
}

/* ---- The turn -------------------------------------------------------------------------------------- */

void raft__change_step(struct raft *r)
{
    uint64_t leader = r->core.leader;

    change_removed(r);
    change_publish(r);
    if (leader != 0 && r->change_after_ns <= loop_now_ns(r->loop)) {
        qeach(&r->changes, it, tmp) {
            struct raft_change *c = qentry(it, struct raft_change, link);
            if (c->sent_to != 0)
                continue;
            c->sent_to = leader;
            if (leader == r->opts.id)
                change_serve(r, leader, c->ctx, &c->spec);
            else if (!change_send(r, c, leader))
                c->sent_to = 0;
        }
    }
    for (unsigned i = 0; i < RAFT_MAX_CHANGES; i++)
        if (r->served[i].from != 0)
            served_look(r, &r->served[i]);
    change_expire(r);
}

uint64_t raft__change_due(const struct raft *r)
{
    uint64_t due = publish_due(r);
    bool waiting = !qempty(&r->changes);

    for (unsigned i = 0; i < RAFT_MAX_CHANGES && !waiting; i++)
        waiting = r->served[i].from != 0;
    if (due == 0)
        due = UINT64_MAX;
    return waiting ? MIN_OF(due, loop_now_ns(r->loop) + RAFT_CHANGE_RETRY_MS * 1000000ull) : due;
}

void raft__change_fail_all(struct raft *r)
{
    while (!qempty(&r->changes)) {
        struct raft_change *c = qentry(qfirst(&r->changes), struct raft_change, link);
        change_finish(c, E_UNKNOWN, "this head is shutting down", c->spec.id);
    }
}
