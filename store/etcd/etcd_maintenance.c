/* store/etcd/etcd_maintenance.c: Maintenance: status, alarms, hashes, snapshot,
 * defragmentation; and the services that have one answer only: Auth (off, as in an etcd without it) and
 * gRPC's health check. */
#include <inttypes.h>
#include "net/log.h"
#include "raft/crc32c.h"
#include "store/alarm.h"
#include "store/etcd/etcd_write.h"
#include "store/saved.h"

static void reply_header(struct etcd_call *c)
{
    etcd_reply(c, &etcd_reply_header, &(struct etcd_reply){ .header = NULL });
}

/* ---- alarms --------------------------------------------------------------------------------------- */

static void alarm_list(struct etcd_call *c, int64_t type, struct pb_list *ret)
{
    struct etcd_alarm_member *all = NULL;
    struct store_cursor at;
    struct store_alarm a;

    for (store_alarm_seek(&at, c->e->store); store_alarm_next(&at, &a); )
        ret->cap++;
    ret->at = all = arena_zalloc(&c->arena, (size_t)(ret->cap + 1) * sizeof *all);
    for (store_alarm_seek(&at, c->e->store); store_alarm_next(&at, &a); )
        if (type == ALARM_NONE || a.type == (uint64_t)type)
            all[ret->n++] = (struct etcd_alarm_member){ (int64_t)a.member, (int64_t)a.type };
}

static void alarm_changed(struct etcd_call *c)
{
    const struct etcd_alarm *r = c->request;
    struct etcd_alarm_member a = { r->member, r->alarm };
    bool told = r->action == ALARM_ACTIVATE || c->commit.op[0].found;

    etcd_reply(c, &etcd_reply_alarms, &(struct etcd_reply){ .list = { &a, told, told } });
}

static void alarm_get(struct etcd_call *c)
{
    struct etcd_reply r = { .header = NULL };

    alarm_list(c, ((struct etcd_alarm *)c->request)->alarm, &r.list);
    etcd_reply(c, &etcd_reply_alarms, &r);
}

void etcd_maintenance_alarm(struct etcd_call *c)
{
    const struct etcd_alarm *r = c->request;
    struct store_alarm a;
    struct store_txn t;

    if (r->action == ALARM_GET) {
        etcd_when_current(c, false, alarm_get);
    } else if (r->alarm != ALARM_NOSPACE && r->alarm != ALARM_CORRUPT) {
        etcd_reply(c, &etcd_reply_alarms, &(struct etcd_reply){ .header = NULL });
    } else {
        a = (struct store_alarm){ (uint64_t)r->member, (uint64_t)r->alarm, STORE_ALARM_ASKED };
        store_alarm_txn(&t, &a, r->action == ALARM_ACTIVATE);
        etcd_commit(c, &t, alarm_changed);
    }
}

/* ---- status --------------------------------------------------------------------------------------- */

void etcd_maintenance_status(struct etcd_call *c)
{
    struct etcd_reply r = { .text = STR(ETCD_VERSION) };
    struct pb_list alarms = { NULL, 0, 0 };
    struct raft_status st;
    struct store_stats ss;
    struct str *errors;

    raft_status(store_raft(c->e->store), &st);
    store_stats(c->e->store, &ss);
    r.a = (int64_t)(ss.bytes + ss.event_bytes);
    r.b = (int64_t)st.leader;
    r.c = (int64_t)st.commit;
    r.d = (int64_t)st.term;
    r.e = (int64_t)st.applied;
    r.f = (int64_t)ss.bytes;
    for (unsigned i = 0; i < st.n_heads; i++)
        r.flag |= st.head[i].id == st.id && st.head[i].learner && !st.head[i].voter;
    alarm_list(c, ALARM_NONE, &alarms);
    r.list.at = errors = arena_alloc(&c->arena, (alarms.n + 1) * sizeof *errors);
    if (st.leader == 0)
        errors[r.list.n++] = str_of(etcd_error_text(ETCD_NO_LEADER));
    for (uint32_t i = 0; i < alarms.n; i++) {
        const struct etcd_alarm_member *a = alarms.at;
        if (r.list.n <= alarms.n)
            errors[r.list.n++] = arena_fmt(&c->arena, "memberID:%" PRId64 " alarm:%s ", a[i].member,
                                           store_alarm_name((uint64_t)a[i].alarm));
    }
    etcd_reply(c, &etcd_reply_status, &r);
}

void etcd_maintenance_defragment(struct etcd_call *c)
{
    log_info("etcd", "asked to defragment: nothing to do, space goes back by itself");
    reply_header(c);
}

/* ---- hashes --------------------------------------------------------------------------------------- */

struct hash_job {
    struct etcd_call *c;
    struct store_view *view;
    struct store_cursor at;
    struct ready_item again;
    uint32_t crc;
    uint64_t rev;
};

static void hash_add(uint32_t *crc, const struct store_kv *kv)
{
    uint64_t n[6] = { kv->key.n, kv->create_rev, kv->mod_rev, kv->version, kv->lease, kv->value->len };

    *crc = crc32c(*crc, n, sizeof n);
    *crc = crc32c(*crc, kv->key.p, kv->key.n);
    *crc = crc32c(*crc, kv->value->data, kv->value->len);
}

static void hash_run(struct ready_item *it)
{
    struct hash_job *j = container_of(it, struct hash_job, again);
    struct etcd *e = j->c->e;
    struct store_kv kv;
    uint64_t compacted = store_compacted(e->store);

    for (unsigned i = 0; i < ETCD_RANGE_SLICE; i++) {
        if (!store_next(&j->at, &kv)) {
            etcd_reply(j->c, &etcd_reply_hash, &(struct etcd_reply){ .a = j->crc,
                       .b = compacted > 0 ? (int64_t)compacted : -1 });
            return;
        }
        hash_add(&j->crc, &kv);
    }
    ready_post(e->loop, &j->again);
}

static void hash_dropped(struct etcd_call *c)
{
    struct hash_job *j = c->job;

    ready_cancel(&j->again);
    store_unpin(j->view);
}

static void hash_begin(struct etcd_call *c, int64_t revision)
{
    struct hash_job *j = arena_new(&c->arena, struct hash_job);
    enum etcd_error err = etcd_view_at(c->e, revision, &j->view);

    if (err != ETCD_OK) {
        etcd_fail(c, err);
        return;
    }
    j->c = c;
    if (j->view == NULL)
        j->view = store_pin(c->e->store);
    ready_init(&j->again, hash_run);
    c->job = j;
    c->dropped = hash_dropped;
    store_seek(&j->at, j->view, STR_NONE, STR_NONE);
    hash_run(&j->again);
}

static void hash_kv(struct etcd_call *c) { hash_begin(c, ((const struct etcd_number *)c->request)->v); }

void etcd_maintenance_hash(struct etcd_call *c) { hash_begin(c, 0); }
void etcd_maintenance_hash_kv(struct etcd_call *c)
{
    etcd_when_near(c, ((const struct etcd_number *)c->request)->v, hash_kv);
}

/* ---- snapshot: the file that `coracle snapshot` knows, in pieces -----------------------------------
 * Behind it stands what etcdctl insists on: zeros up to a multiple of 512, then the SHA-256 of all before. */

struct save_job {
    struct etcd_call *c;
    struct store_save *save;
    struct ready_item again;
    struct buf piece;
    struct pki_digest *digest;
    uint64_t size;
};

static void save_dropped(struct etcd_call *c)
{
    struct save_job *j = c->job;

    ready_cancel(&j->again);
    store_save_close(j->save);
    pki_digest_end(j->digest, NULL);
    buf_release(&j->piece);
}

static void save_send(struct save_job *j)
{
    struct etcd *e = j->c->e;
    struct etcd_header h;
    struct etcd_reply  r = { .header = &h };
    struct etcd_sink   sink;
    size_t head;

    etcd_header(e, store_revision(e->store), &h);
    head = pb_size(&etcd_reply_snapshot, &r);
    etcd_sink_begin(&sink, &j->c->grpc, &e->out, head + pb_str_size(3, j->piece.n));
    pb_encode(sink.buf, &etcd_reply_snapshot, &r);
    pb_add_str(sink.buf, 3, buf_str(&j->piece));
    etcd_sink_end(&sink);
}

static void save_seal(struct save_job *j)
{
    static const char zeros[ETCD_SNAPSHOT_BLOCK];
    unsigned char sum[32];
    struct str pad =
        str_make(zeros, (ETCD_SNAPSHOT_BLOCK - j->size % ETCD_SNAPSHOT_BLOCK) % ETCD_SNAPSHOT_BLOCK);

    pki_digest_add(j->digest, pad);
    pki_digest_end(j->digest, sum);
    j->digest = NULL;
    buf_str_add(&j->piece, pad);
    buf_add(&j->piece, sum, sizeof sum);
}

static void save_run(struct ready_item *it)
{
    struct save_job *j = container_of(it, struct save_job, again);
    bool more;

    if (grpc_queued(&j->c->grpc) > ETCD_QUEUE_MAX)
        return;                                  /* on_drain comes */
    buf_clear(&j->piece);
    more = store_save_read(j->save, &j->piece);
    pki_digest_add(j->digest, buf_str(&j->piece));
    j->size += j->piece.n;
    if (!more)
        save_seal(j);
    save_send(j);
    if (more)
        ready_post(j->c->e->loop, &j->again);
    else
        etcd_done(j->c);
}

static void save_drained(struct etcd_call *c)
{
    struct save_job *j = c->job;

    ready_post(c->e->loop, &j->again);
}

void etcd_maintenance_snapshot(struct etcd_call *c)
{
    struct save_job *j = arena_new(&c->arena, struct save_job);
    struct errbuf err = { "" };

    if (store_save_open(c->e->store, &j->save, &err) != 0) {
        etcd_fail_text(c, GRPC_UNAVAILABLE, err.s);
        return;
    }
    j->c = c;
    j->digest = pki_digest_new();
    ready_init(&j->again, save_run);
    c->job = j;
    c->dropped = save_dropped;
    c->drained = save_drained;
    save_run(&j->again);
}

/* ---- services with one answer --------------------------------------------------------------------- */

void etcd_auth_disabled(struct etcd_call *c) { etcd_fail(c, ETCD_AUTH_DISABLED); }

void etcd_auth_status(struct etcd_call *c)
{
    etcd_reply(c, &etcd_reply_auth, &(struct etcd_reply){ .flag = false, .a = 1 });
}

void etcd_health_check(struct etcd_call *c)
{
    etcd_reply(c, &etcd_reply_health, &(struct etcd_reply){ .a = etcd_has_leader(c->e) ? 1 : 2 });
}
