/* raft/host_read.c: linearizable reads: asked in batches (one question to the core, or to the leader, per
 * turn), then held until the state has come as far as the answer says. */
#include "raft/host.h"

bool raft_read_now(struct raft *r)
{
    return r->applied == r->core.commit && raft_core_lease(&r->core, loop_hires_ns(r->loop));
}

void raft_read(struct raft *r, struct raft_read *req)
{
    req->seq = req->index = 0;
    req->due_ns = loop_now_ns(r->loop) + RAFT_READ_MS * 1000000ull;
    req->index = r->applied;
    qpush(BUG(&r->core, RAFT_BUG_READ_LOCAL) ? &r->reads_placed : &r->reads_new, &req->link);
    raft__arm(r);
}

void raft_read_cancel(struct raft *r, struct raft_read *req)
{
    qdel(&req->link);
}

/* A question that went unanswered for a while (lost, or the leader changed) is asked anew, together with
 * the new ones. */
void raft__read_step(struct raft *r)
{
    uint64_t now = loop_now_ns(r->loop);
    bool stale = !qempty(&r->reads_asked) && now - r->read_asked_ns >= RAFT_READ_RETRY_MS * 1000000ull;

    if (r->disk_failed)
        raft__read_fail_all(r, E_NOLEADER);
    if (stale)
        qprepend(&r->reads_new, &r->reads_asked);
    if (qempty(&r->reads_new))
        return;
    uint64_t ctx = ++r->read_ctx;
    if (qempty(&r->reads_asked))
        r->read_asked_ns = now;
    while (!qempty(&r->reads_new)) {
        struct raft_read *req = qentry(qpop(&r->reads_new), struct raft_read, link);
        if (req->seq == 0)                       /* asked again: an answer to its first question still counts */
            req->seq = ctx;
        qpush(&r->reads_asked, &req->link);
    }
    /* A refusal leaves them asked: they are asked again until their time is up. */
    (void)raft__event(r, (struct raft_event){ .type = RAFT_EV_READ, .read_ctx = ctx });
}

static void read_place(struct raft *r, uint64_t ctx, uint64_t index)
{
    /* To a question of our life before the restart: it says nothing about those asked in this one. */
    if (ctx <= r->read_base || ctx > r->read_ctx)
        return;
    qeach(&r->reads_asked, it, tmp) {
        struct raft_read *req = qentry(it, struct raft_read, link);
        if (req->seq > ctx)
            break;
        /* An answer to a later question is good for an earlier one too: it was asked after that. */
        req->index = index;
        qdel(&req->link);
        qpush(&r->reads_placed, &req->link);
    }
}

void raft__read_results(struct raft *r)
{
    struct raft_read_done *done;
    size_t n = raft_core_reads(&r->core, &done);

    for (size_t i = 0; i < n; i++)
        if (done[i].err == 0)
            read_place(r, done[i].ctx, done[i].index);
}

static void read_expire(struct raft *r, struct qlink *list, int err)
{
    uint64_t now = loop_now_ns(r->loop);
    struct qlink late;

    qinit(&late);
    qeach(list, it, tmp) {
        struct raft_read *req = qentry(it, struct raft_read, link);
        if (req->due_ns <= now) {
            qdel(&req->link);
            qpush(&late, &req->link);
        }
    }
    while (!qempty(&late)) {
        struct raft_read *req = qentry(qpop(&late), struct raft_read, link);
        req->done(req, err);
    }
}

void raft__read_deliver(struct raft *r)
{
    struct qlink ready;

    qinit(&ready);
    qeach(&r->reads_placed, it, tmp) {
        struct raft_read *req = qentry(it, struct raft_read, link);
        if (req->index <= r->applied) {
            qdel(&req->link);
            qpush(&ready, &req->link);
        }
    }
    while (!qempty(&ready)) {                    /* done may read, propose or cancel others: the list is detached */
        struct raft_read *req = qentry(qpop(&ready), struct raft_read, link);
        req->done(req, 0);
    }
    read_expire(r, &r->reads_asked, r->core.leader == 0 ? E_NOLEADER : E_TIMEOUT);
    read_expire(r, &r->reads_placed, E_TIMEOUT);
}

void raft__read_fail_all(struct raft *r, int err)
{
    struct qlink all;

    qmove(&r->reads_new, &all);
    qprepend(&all, &r->reads_asked);
    qprepend(&all, &r->reads_placed);
    while (!qempty(&all)) {
        struct raft_read *req = qentry(qpop(&all), struct raft_read, link);
        req->done(req, err);
    }
}
