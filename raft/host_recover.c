/* raft/host_recover.c: from the files of a data directory to a core that continues where the last one
 * stopped.
 *
 * First the newest snapshot that verifies, then the log behind it.  The log may begin before the snapshot
 * (segments are kept for the one before it), and after a crash in the middle of installing a leader's
 * snapshot it may hold entries that the snapshot overrode: what follows the snapshot's index counts only
 * if the log agrees with it there. */
#include "net/log.h"
#include "raft/host.h"

struct recovery {
    struct raft *r;
    struct trail trail;
    struct wal_recovered found;
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

    if (index > r->snapshot.index)
        return err_set(err, E_CORRUPT, "%s: the log begins behind entry %llu, but the newest good snapshot is at %llu; if the "
                       "other heads are well, move this directory away and start the head empty, else restore a backup",
                       disk_path(r->opts.disk), (unsigned long long)index, (unsigned long long)r->snapshot.index);
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
    if (!v->agrees)
        return 0;                                /* of a log that the snapshot has overridden */
    if (type < RAFT_ENTRY_COMMAND || type > RAFT_ENTRY_CONFIG)
        return err_set(err, E_CORRUPT, "%s: entry %llu is of an unknown type; a newer version wrote it",
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
                          .segment_bytes = r->opts.segment_bytes,
                          .replay = { recovery_on_base, recovery_on_entry, v },
                          .durable = raft__on_durable, .failed = raft__on_disk_failed, .arg = r };
    int rc = wal_open(&o, &r->wal, &v->found, err);

    if (rc != 0)
        return rc;
    r->pins++;
    if (v->found.torn_bytes > 0)
        log_info("raft", "head %llu: %llu bytes of an unfinished last write dropped", (unsigned long long)r->opts.id,
                 (unsigned long long)v->found.torn_bytes);
    if (!v->found.any && r->snapshot.index > 0)
        return err_set(err, E_CORRUPT, "%s: there is a snapshot but no log: its term and vote are lost; if the other heads "
                       "are well, move this directory away and start the head empty", disk_path(r->opts.disk));
    /* The log stops before the snapshot, or disagrees with it: it goes on behind it. */
    if (r->snapshot.index > 0 && !v->agrees)
        wal_base(r->wal, r->snapshot.index, r->snapshot.term);
    return 0;
}

static int recovery_initial_config(const struct raft_opts *o, struct raft_config *ret, struct errbuf *err)
{
    struct raft_config c = { .n = (unsigned)MIN_OF(o->n_heads, RAFT_MAX_HEADS) };

    if (o->n_heads > RAFT_MAX_HEADS)
        return err_set(err, E_INVALID, "%zu heads; at most %d are possible", o->n_heads, RAFT_MAX_HEADS);
    for (unsigned i = 0; i < c.n; i++) {
        c.head[i].id = o->heads[i].id;
        c.head[i].parts = RAFT_VOTER;
        if (strlen(o->heads[i].addr) >= RAFT_ADDR_MAX)
            return err_set(err, E_INVALID, "address of head %llu is too long", (unsigned long long)c.head[i].id);
        memcpy(c.head[i].addr, o->heads[i].addr, strlen(o->heads[i].addr));
    }
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
    struct raft_config c;
    struct buf form = BUF_INIT;
    int rc = 0;

    if (r->snapshot.index > 0)
        c = r->snapshot.config;
    else if (v->found.config.n > 0)
        rc = raft_config_decode(buf_str(&v->found.config), &c) != 0
           ? err_set(err, E_CORRUPT, "%s: the membership in the log makes no sense", disk_path(r->opts.disk)) : 0;
    else
        rc = recovery_initial_config(&r->opts, &c, err);
    if (rc != 0)
        return rc;
    if (v->found.config.n == 0) {
        raft_config_encode(&c, &form);
        wal_config(r->wal, c.index, buf_str(&form));
        buf_release(&form);
    }
    *ret = c;
    return 0;
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
                                .restarted = v->found.any, .entry_size = recovery_entry_size, .arg = &r->log };

    o.commit = MAX_OF(r->snapshot.index, MIN_OF(v->found.commit, v->trail.last));
    raft_core_init(&r->core, &o, &v->trail);
    for (uint64_t i = r->log.first; i <= raft_log_last(&r->log); i++)
        if (raft_log_at(&r->log, i)->type == RAFT_ENTRY_CONFIG)
            raft_core_adopt(&r->core, i, raft_log_at(&r->log, i));
}

int raft__recover(struct raft *r, struct errbuf *err)
{
    struct recovery v = { .r = r };
    struct raft_config config;
    int rc;

    rc = snapshot_load(r->opts.disk, r->opts.cluster, &r->opts.fsm, &r->snapshot, &r->snapshot_older, err);
    if (rc != 0)
        return rc;
    raft_log_init(&r->log, r->snapshot.index);
    trail_init(&v.trail, r->snapshot.index, r->snapshot.term);
    v.agrees = r->snapshot.index == 0;
    rc = recovery_open_wal(&v, err);
    if (rc == 0)
        rc = recovery_config(&v, &config, err);
    if (rc == 0) {
        r->applied = r->snapshot.index;
        r->bytes_since = r->log.bytes;
        recovery_start_core(&v, &config);
    }
    trail_release(&v.trail);
    buf_release(&v.found.config);
    return rc;
}
