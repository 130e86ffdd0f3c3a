/* store/space.c: see store/space.h. */
#include <inttypes.h>
#include "net/log.h"
#include "store/alarm.h"
#include "store/space.h"
#include "store/store_impl.h"

#define SPACE_LOOK_NS  1000000000u               /* between looks at the disk while there are writes */
#define SPACE_AGAIN_MS 2000u                     /* while it is low, or an alarm could not be raised */
/* Alarms go once this part of quota or need is free again, so that they do not come and go. */
#define SPACE_CALM     10u
#define SPACE_SEGMENTS 4u                        /* of log that must still fit beside the next snapshot */

/* ---- Growth ---------------------------------------------------------------------------------------- */

static int64_t part_growth(const struct image *m, struct txn_part part);

static int64_t txn_growth(const struct image *m, const struct txn *t)
{
    int64_t then = part_growth(m, t->then), orelse = part_growth(m, t->orelse);

    return MAX_OF(then, orelse);
}

static int64_t op_growth(const struct image *m, const struct txn_op *op)
{
    const struct btree_item *it;
    struct txn inner;
    int64_t had;

    if (op->kind == TXN_LEASE_GRANT)
        return 1;
    if (op->kind == TXN_NESTED) {
        txn_nested(op, &inner);
        return txn_growth(m, &inner);
    }
    if (op->kind != TXN_PUT && op->kind != TXN_PUT_KEEP && op->kind != TXN_DELETE)
        return 0;
    it = btree_get(&m->keys, op->key);
    had = it != NULL ? (int64_t)it->key->len + (int64_t)it->value->len : 0;
    if (op->kind == TXN_DELETE)
        return -had;
    return op->flags & STORE_KEEP_VALUE ? 0 : (int64_t)(op->key.n + op->value.n) - had;
}

/* By how much the state grows at most; ranges that are deleted are not counted. */
static int64_t part_growth(const struct image *m, struct txn_part part)
{
    struct txn_op op;
    int64_t sum = 0;

    while (txn_next(&part, &op))
        sum += op_growth(m, &op);
    return sum;
}

static uint64_t calm_bytes(const struct space *sp) { return sp->quota - sp->quota / SPACE_CALM; }

/* One large request that does not fit any more is no reason for an alarm as long as others do. */
bool space_short(struct space *sp, size_t more)
{
    uint64_t bytes = sp->store->state.now.bytes;

    if (sp->tight || bytes + more <= sp->quota)
        return sp->tight;
    if (bytes > calm_bytes(sp)) {
        sp->wanted = true;
        store__notify_soon(sp->store);
    }
    return true;
}

bool space_refuses(struct space *sp, const struct store_txn *t)
{
    struct str command;
    struct txn txn;

    return !t->reserve && space_short(sp, t->buf.n) && txn_command(t, &command) == 0
           && txn_decode(command, &txn) == 0 && txn_growth(&sp->store->state.now, &txn) > 0;
}

/* ---- Looking --------------------------------------------------------------------------------------- */

/* What must be free: some log, and the next snapshot beside those that are there. */
static uint64_t disk_need(const struct space *sp)
{
    uint64_t state = sp->store->state.now.bytes;

    return SPACE_SEGMENTS * sp->segment_bytes + state + state / 8;
}

static void look_at_disk(struct space *sp)
{
    uint64_t now = loop_now_ns(sp->store->loop), need = disk_need(sp);

    if (sp->looked_ns > 0 && now - sp->looked_ns < SPACE_LOOK_NS)
        return;
    sp->looked_ns = now;
    if (disk_space(sp->disk, &sp->room) != 0) {
        sp->disk_low = false;                    /* who cannot say is not full */
        return;
    }
    if (!sp->disk_low && sp->room.free < need) {
        log_warn("store", "the disk of the data directory is nearly full: %" PRIu64 " MB are free, %" PRIu64
                 " MB are needed for log and snapshots", sp->room.free >> 20, need >> 20);
        sp->disk_low = true;
    } else if (sp->disk_low && sp->room.free >= need + need / SPACE_CALM) {
        log_info("store", "the disk of the data directory has room again");
        sp->disk_low = false;
    }
}

/* Sums of what is raised. */
struct raised { struct store_alarm own, quota, orphan; unsigned low_voters; bool nospace; };

static const struct raft_member *member_of(const struct raft_status *st, uint64_t id)
{
    for (unsigned i = 0; i < st->n_heads; i++)
        if (st->head[i].id == id)
            return &st->head[i];
    return NULL;
}

static void look_at_alarms(struct space *sp, const struct raft_status *st, struct raised *ret)
{
    struct store_cursor at;
    struct store_alarm a;

    *ret = (struct raised){ .nospace = false };
    for (store_alarm_seek(&at, sp->store); store_alarm_next(&at, &a); ) {
        const struct raft_member *m = member_of(st, a.member);
        if (a.type != STORE_ALARM_NOSPACE)
            continue;
        if (a.why == STORE_ALARM_DISK)
            ret->low_voters += m != NULL && m->voter;
        else
            ret->nospace = true;
        if (a.why == STORE_ALARM_QUOTA)
            ret->quota = a;
        if (a.why == STORE_ALARM_DISK && m == NULL)
            ret->orphan = a;
        if (a.member == st->id)
            ret->own = a;
    }
}

static unsigned voters_of(const struct raft_status *st)
{
    unsigned n = 0;

    for (unsigned i = 0; i < st->n_heads; i++)
        n += st->head[i].voter;
    return n;
}

/* ---- Raising and clearing -------------------------------------------------------------------------- */

static void space_on_settled(struct store_commit *c, int err)
{
    struct space *sp = container_of(c, struct space, commit);

    sp->busy = false;
    if (err != 0 && !sp->store->closing)
        timer_start(&sp->again, SPACE_AGAIN_MS);
    else if (!sp->store->closing)
        space_look(sp);
}

static void space_change(struct space *sp, const struct store_alarm *a, bool set)
{
    struct store_txn t;

    log_warn("store", "alarm %s of head %" PRIu64 " is %s: %s", store_alarm_name(a->type), a->member,
             set ? "raised" : "cleared", a->why == STORE_ALARM_DISK ? "room on its disk"
             : "bytes of keys and values against the quota");
    store_alarm_txn(&t, a, set);
    sp->busy = true;
    sp->commit.done = space_on_settled;
    store_commit(sp->store, &sp->commit, &t);
    store_txn_release(&t);
}

/* One change at a time; what else is due comes when it is settled. */
static void space_act(struct space *sp, const struct raft_status *st, const struct raised *r)
{
    uint64_t bytes = sp->store->state.now.bytes;
    struct store_alarm a = { st->id, STORE_ALARM_NOSPACE, STORE_ALARM_DISK };
    bool mine = r->own.type != 0;

    if (sp->disk_low && !mine) {
        space_change(sp, &a, true);
    } else if (!sp->disk_low && mine && r->own.why == STORE_ALARM_DISK) {
        space_change(sp, &r->own, false);
    } else if ((sp->wanted || (sp->store->leading && bytes > sp->quota)) && !r->nospace && !mine) {
        a.why = STORE_ALARM_QUOTA;
        space_change(sp, &a, true);
    } else if (!sp->store->leading) {
        return;
    } else if (bytes <= calm_bytes(sp) && r->quota.type != 0) {
        space_change(sp, &r->quota, false);
    } else if (r->orphan.type != 0) {            /* its head was removed */
        space_change(sp, &r->orphan, false);
    }
}

void space_look(struct space *sp)
{
    struct raft_status st;
    struct raised r;

    if (sp->store->closing)
        return;
    look_at_disk(sp);
    sp->alarms = store_alarms(sp->store);
    if (!sp->alarms && !sp->disk_low && !sp->wanted && sp->store->state.now.bytes <= sp->quota) {
        sp->tight = false;
        return;
    }
    raft_status(sp->store->raft, &st);
    look_at_alarms(sp, &st, &r);
    sp->tight = r.nospace || (r.low_voters > 0 && 2 * r.low_voters >= voters_of(&st));
    if (!sp->busy) {
        space_act(sp, &st, &r);
        sp->wanted = false;
    }
    if (sp->disk_low && !timer_active(&sp->again))
        timer_start(&sp->again, SPACE_AGAIN_MS);
}

static void space_on_again(struct timer *t)
{
    space_look(container_of(t, struct space, again));
}

/* ---- Life ------------------------------------------------------------------------------------------ */

void space_init(struct space *sp, struct store *s, struct disk *d, uint64_t quota, uint64_t segment_bytes)
{
    *sp = (struct space){ .store = s, .disk = d, .quota = quota, .segment_bytes = segment_bytes };
    timer_init(&sp->again, s->loop, space_on_again);
    qinit(&sp->commit.link);
}

void space_release(struct space *sp)
{
    must(!sp->busy);
    timer_stop(&sp->again);
}
