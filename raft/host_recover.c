/* raft/host_recover.c: from the files of a data directory to a core that continues where the last one
 * stopped.
 *
 * First the newest snapshot that verifies, then the log behind it.  The log may begin before the snapshot
 * (segments are kept for the one before it), and after a crash in the middle of installing a leader's
 * snapshot it may hold entries that the snapshot overrode: what follows the snapshot's index counts only
 * if the log agrees with it there.
 *
 * Where something is damaged, the head keeps what still hangs together from the snapshot on, remembers the
 * identity of what it lost (raft/doubt.h), begins its log anew with that, and gets the rest from its peers as
 * any head does that lags.  Damaged files are put aside (bad-*) and removed by the first start after it
 * has all again. A head without peers refuses to start instead. */
#include "net/log.h"
#include "raft/host.h"

struct recovery {
    struct raft *r;
    struct trail trail;
    struct wal_recovered found;
    struct snapshot_found snapshots;
    struct raft_doubt doubt;
    bool gap;                                    /* the log begins behind the snapshot: it is of no use */
    bool agrees;                                 /* the log holds the snapshot's entry, or begins right behind it */
};

static void recovery_reset(struct recovery *v)
{
    raft_log_reset(&v->r->log, v->r->snapshot.index);
    trail_reset(&v->trail, v->r->snapshot.index, v->r->snapshot.term);
}

static int recovery_on_base(void *arg, uint64_t index, uint64_t term, struct errbuf *err)
{
    struct recovery *v = arg;
    struct raft *r = v->r;

    v->gap = index > r->snapshot.index;
    recovery_reset(v);
    v->agrees = index == r->snapshot.index && term == r->snapshot.term;
    return 0;
}

static int recovery_on_entry(void *arg, uint64_t index, uint64_t term, uint8_t type, struct str data,
                             struct errbuf *err)
{
    struct recovery *v = arg;
    struct raft *r = v->r;
    struct raft_entry e = { .term = term, .type = type, .len = (uint32_t)data.n };

    if (index <= r->snapshot.index) {
        recovery_reset(v);                       /* replaced from here on */
        v->agrees = index == r->snapshot.index && term == r->snapshot.term;
        return 0;
    }
    if (!v->agrees || v->gap)
        return 0;                                /* of a log that the snapshot has overridden, or does not reach */
    if (type < RAFT_ENTRY_COMMAND || type > RAFT_ENTRY_CONFIG)
        return err_set(err, E_INVALID, "%s: entry %llu is of an unknown type; a newer version wrote it",
                       disk_path(r->opts.disk), (unsigned long long)index);
    if (index <= raft_log_last(&r->log)) {
        raft_log_cut(&r->log, index);
        trail_truncate(&v->trail, index);
    }
    if (index != raft_log_last(&r->log) + 1 || term < trail_last_term(&v->trail))
        return err_set(err, E_CORRUPT, "%s: entry %llu does not continue the log", disk_path(r->opts.disk),
                       (unsigned long long)index);
    e.owner = data.n > 0 ? blob_copy(data) : NULL;
    e.p = e.owner != NULL ? e.owner->data : NULL;
    raft_log_add(&r->log, &e);
    trail_append(&v->trail, term);
    blob_unref(e.owner);
    return 0;
}

static int recovery_open_wal(struct recovery *v, struct errbuf *err)
{
    struct raft *r = v->r;
    struct wal_opts o = { .loop = r->loop, .disk = r->opts.disk, .cluster = r->opts.cluster, .head = r->opts.id,
                          .segment_bytes = r->opts.segment_bytes, .bugs = r->opts.bugs,
                          .replay = { recovery_on_base, recovery_on_entry, v },
                          .durable = raft__on_durable, .failed = raft__on_disk_failed, .arg = r };
    int rc = wal_open(&o, &r->wal, &v->found, err);

    if (rc != 0)
        return rc;
    r->pins++;
    if (v->found.torn_bytes > 0)
        log_info("raft", "head %llu: %llu bytes of an unfinished last write dropped", (unsigned long long)r->opts.id,
                 (unsigned long long)v->found.torn_bytes);
    if (v->found.vote_copies < 2 && v->found.any && v->found.vote_damage.s[0] != '\0')
        log_warn("raft", "head %llu: term and vote are taken from the log: %s", (unsigned long long)r->opts.id,
                 v->found.vote_damage.s);
    return 0;
}

static int recovery_initial_config(const struct raft_opts *o, struct raft_config *ret, struct errbuf *err)
{
    struct raft_config c = { .n = (unsigned)MIN_OF(o->n_heads, RAFT_MAX_HEADS) };

    if (o->n_heads == 0)
        return err_set(err, E_INVALID, "%s: there is no log, and no heads are named to begin one with", disk_path(o->disk));
    if (o->n_heads > RAFT_MAX_HEADS)
        return err_set(err, E_INVALID, "%zu heads; at most %d are possible", o->n_heads, RAFT_MAX_HEADS);
    for (unsigned i = 0; i < c.n; i++) {
        c.head[i].id = o->heads[i].id;
        c.head[i].parts = RAFT_VOTER;
        if (strlen(o->heads[i].addr) >= RAFT_ADDR_MAX)
            return err_set(err, E_INVALID, "address of head %llu is too long", (unsigned long long)c.head[i].id);
        memcpy(c.head[i].addr, o->heads[i].addr, strlen(o->heads[i].addr));
    }
    for (unsigned i = 0; i < c.n; i++)
        c.last_id = MAX_OF(c.last_id, c.head[i].id);
    if (raft_config_valid(&c, err) != 0)
        return E_INVALID;
    if (raft_config_find(&c, o->id) < 0)
        return err_set(err, E_INVALID, "head %llu is not among the heads", (unsigned long long)o->id);
    *ret = c;
    return 0;
}

/* Newest of: entries in the log, snapshot, log records, command line. */
static int recovery_config(struct recovery *v, struct raft_config *ret, struct errbuf *err)
{
    struct raft *r = v->r;

    struct raft_config logged;
    bool known = v->found.config.n > 0 && raft_config_decode(buf_str(&v->found.config), &logged) == 0
              && logged.index <= v->trail.last;

    if (r->snapshot.index > 0 && !(known && logged.index > r->snapshot.config.index))
        *ret = r->snapshot.config;
    else if (known)
        *ret = logged;
    else if (r->opts.join || (v->found.any && r->opts.n_heads == 0))
        *ret = (struct raft_config){ 0 };        /* the cluster it was added to will say who belongs to it */
    else
        return recovery_initial_config(&r->opts, ret, err);
    return 0;
}

/* ---- Damage -------------------------------------------------------------------------------------- */

/* What was acknowledged once and is not there any more; false: nothing. */
static bool recovery_lost_something(struct recovery *v)
{
    struct raft *r = v->r;
    struct raft_doubt d = v->found.doubt;

    if (!v->found.any && r->snapshot.index > 0)  /* not even a vote file, which a restored directory has */
        d.lost = true;
    raft_doubt_widen(&d, v->snapshots.bad_index, v->snapshots.bad_term);
    if (v->gap)
        raft_doubt_widen(&d, wal_last_index(r->wal), wal_last_term(r->wal));
    v->doubt = d;
    if (!d.lost && raft_up_to_date(trail_last_term(&v->trail), v->trail.last, d.term, d.index))
        memset(&v->doubt, 0, sizeof(v->doubt));
    return v->doubt.lost || v->doubt.term > 0;
}

static const char *recovery_damage(const struct recovery *v)
{
    if (v->found.damaged)
        return v->found.damage.s;
    if (v->snapshots.bad_index > 0)
        return v->snapshots.damage.s;
    return v->gap ? "the log begins behind the newest snapshot" : v->doubt.lost ? "the log and its vote are gone"
                                                                                : "entries are missing";
}

static int recovery_refuse(const struct recovery *v, struct errbuf *err)
{
    return err_set(err, E_CORRUPT, "%s: %s; there is no other head to get them from: `coracle check %s` tells more, "
                   "`coracle snapshot restore` begins anew from a backup", disk_path(v->r->opts.disk),
                   recovery_damage(v), disk_path(v->r->opts.disk));
}

/* Begin the log anew with what hangs together, and ask others for the rest. */
static int recovery_repair(struct recovery *v, struct errbuf *err)
{
    struct raft *r = v->r;
    int rc;

    if (v->doubt.lost)
        log_error("raft", "head %llu: %s: %s; it neither votes nor acknowledges before all other heads told what they have",
                  (unsigned long long)r->opts.id, disk_path(r->opts.disk), recovery_damage(v));
    else if (v->doubt.term > 0)
        log_error("raft", "head %llu: %s: %s; up to entry %llu is fetched from the other heads, which it does not lead before",
                  (unsigned long long)r->opts.id, disk_path(r->opts.disk), recovery_damage(v),
                  (unsigned long long)v->doubt.index);
    rc = wal_restart(r->wal, r->snapshot.index, r->snapshot.term, &v->doubt, err);
    for (uint64_t i = r->log.first; rc == 0 && i <= raft_log_last(&r->log); i++)
        wal_entry(r->wal, i, raft_log_at(&r->log, i));
    return rc != 0 ? rc : snapshot_put_aside(r->opts.disk, r->snapshot.index, err);
}

static void recovery_on_file(void *arg, const char *name, uint64_t size)
{
    struct raft *r = arg;

    (void)size;
    if (strncmp(name, RAFT_ASIDE, strlen(RAFT_ASIDE)) == 0)
        (void)disk_unlink_now(r->opts.disk, name, NULL);           /* else the next start tries again */
}

static int recovery_mend(struct recovery *v, const struct raft_config *config, struct errbuf *err)
{
    struct raft *r = v->r;
    bool lost = recovery_lost_something(v), cut = v->found.damaged || v->gap;
    int rc = 0;

    if ((lost || cut) && raft_config_alone(config, r->opts.id))
        return recovery_refuse(v, err);
    if (v->doubt.lost && config->n == 0)
        return err_set(err, E_CORRUPT, "%s: %s, and with it who the other heads are; remove this head (coracle member remove %llu) "
                       "and add a new one with an empty directory", disk_path(r->opts.disk), recovery_damage(v),
                       (unsigned long long)r->opts.id);
    if (cut || (lost && memcmp(&v->doubt, &v->found.doubt, sizeof(v->doubt)) != 0))
        return recovery_repair(v, err);
    if (lost)
        return 0;                                /* as an earlier start found out */
    if (v->snapshots.bad_index > 0)
        rc = snapshot_put_aside(r->opts.disk, r->snapshot.index, err);
    else
        rc = disk_list_now(r->opts.disk, recovery_on_file, r, err);
    return rc;
}

static uint32_t recovery_entry_size(void *arg, uint64_t index)
{
    return raft_log_at(arg, index)->len;
}

static void recovery_start_core(struct recovery *v, const struct raft_config *config)
{
    struct raft *r = v->r;
    struct raft_core_opts o = { .id = r->opts.id, .seed = loop_random_u64(r->loop), .now_ns = loop_hires_ns(r->loop),
                                .heartbeat_ns = r->opts.heartbeat_ms * 1000000ull,
                                .election_min_ns = r->opts.election_min_ms * 1000000ull,
                                .election_max_ns = r->opts.election_max_ms * 1000000ull,
                                .max_append = r->opts.append_bytes,
                                .config = *config, .term = v->found.term, .vote = v->found.vote,
                                .restarted = v->found.any, .newborn = r->founding, .doubt = v->doubt,
                                .bugs = r->opts.bugs, .entry_size = recovery_entry_size, .arg = &r->log };

    o.commit = MAX_OF(r->snapshot.index, MIN_OF(v->found.commit, v->trail.last));
    raft_core_init(&r->core, &o, &v->trail);
    for (uint64_t i = r->log.first; i <= raft_log_last(&r->log); i++)
        if (raft_log_at(&r->log, i)->type == RAFT_ENTRY_CONFIG)
            raft_core_adopt(&r->core, i, raft_log_at(&r->log, i));
}

/* Records that the log must begin with, whatever it held. */
static void recovery_write(struct recovery *v, const struct raft_config *config)
{
    struct raft *r = v->r;

    /* The log stops before the snapshot, or disagrees with it: it goes on behind it. */
    if (r->snapshot.index > 0 && !v->agrees && !v->found.damaged && !v->gap)
        wal_base(r->wal, r->snapshot.index, r->snapshot.term);
    if (v->found.config.n == 0 && config->n > 0 && !r->founding)
        raft__recover_founded(r, config);
}

void raft__recover_founded(struct raft *r, const struct raft_config *config)
{
    struct buf form = BUF_INIT;

    raft_config_encode(config, &form);
    wal_config(r->wal, config->index, buf_str(&form));
    buf_release(&form);
}

int raft__recover(struct raft *r, struct errbuf *err)
{
    struct recovery v = { .r = r };
    struct raft_config config;
    int rc;

    rc = snapshot_load(r->opts.disk, r->opts.cluster, &r->opts.fsm, &v.snapshots, err);
    if (rc != 0)
        return rc;
    r->snapshot = v.snapshots.newest;
    r->snapshot_older = v.snapshots.older;
    raft_log_init(&r->log, r->snapshot.index);
    trail_init(&v.trail, r->snapshot.index, r->snapshot.term);
    v.agrees = r->snapshot.index == 0;
    rc = recovery_open_wal(&v, err);
    if (rc == 0)
        rc = recovery_config(&v, &config, err);
    if (rc == 0)
        rc = recovery_mend(&v, &config, err);
    if (rc == 0) {
        /* Nothing is written before the others have said that there is nothing to be remembered. */
        r->founding = !v.found.any && v.trail.last == 0 && config.n > 0
                   && !raft_config_alone(&config, r->opts.id);
        recovery_write(&v, &config);
        r->applied = r->snapshot.index;
        r->bytes_since = r->log.bytes;
        recovery_start_core(&v, &config);
    }
    trail_release(&v.trail);
    buf_release(&v.found.config);
    return rc;
}
