/* tools/snapshot_restore.c: coracle snapshot restore: a data directory for a head of a new cluster. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "net/tls.h"
#include "net/disk.h"
#include "raft/vote.h"
#include "tools/snapshot.h"

struct restore {
    const char *data, *cluster, *initial;
    struct flag_strings heads;
    int64_t id, bump;
    bool compacted;
};

static int add_head(struct raft_config *c, struct str s, struct errbuf *err)
{
    struct raft_head *h = &c->head[c->n];
    ptrdiff_t eq = str_find(s, '=');
    struct str addr;

    if (c->n == RAFT_MAX_HEADS)
        return err_set(err, E_INVALID, "at most %d heads are possible", RAFT_MAX_HEADS);
    if (eq <= 0 || !str_u64(str_upto(s, (size_t)eq), &h->id))
        return err_set(err, E_INVALID, "\"%.*s\" must be ID=HOST:PORT with a number above 0", STR_ARG(s));
    addr = str_from(s, (size_t)eq + 1);
    for (unsigned i = 0; i < 2; i++) {           /* etcdctl's URLs will do, too */
        struct str scheme = i == 0 ? STR("https://") : STR("http://");
        if (str_starts(addr, scheme))
            addr = str_from(addr, scheme.n);
    }
    if (addr.n == 0 || addr.n >= sizeof(h->addr))
        return err_set(err, E_INVALID, "the address of head %llu makes no sense", (unsigned long long)h->id);
    memcpy(h->addr, addr.p, addr.n);
    h->parts = RAFT_VOTER;
    c->n++;
    return 0;
}

static int restore_config(const struct restore *r, struct raft_config *ret, struct errbuf *err)
{
    struct str rest = str_of(r->initial), part;
    int rc = 0;

    memset(ret, 0, sizeof(*ret));
    while (rc == 0 && rest.n > 0 && str_split(&rest, ',', &part))
        rc = add_head(ret, part, err);
    for (unsigned i = 0; rc == 0 && i < r->heads.n; i++)
        rc = add_head(ret, str_of(r->heads.v[i]), err);
    if (rc == 0 && ret->n == 0)
        rc = add_head(ret, STR("1=127.0.0.1:2380"), err);
    if (rc == 0)
        rc = raft_config_valid(ret, err);
    if (rc == 0 && raft_config_find(ret, (uint64_t)r->id) < 0)
        rc = err_set(err, E_INVALID, "head %lld (--id) is not in --initial-cluster", (long long)r->id);
    return rc;
}

static void count_file(void *arg, const char *name, uint64_t size)
{
    (void)name, (void)size;
    ++*(unsigned *)arg;
}

/* Snapshot first: without a vote file beside it, which comes last, no head starts from it. */
static int restore_write(const struct restore *r, struct disk *d, struct store_load *l,
                         const struct store_saved *s,
                         const struct raft_config *config, struct errbuf *err)
{
    struct snapshot_meta meta = { .index = s->meta.index, .term = s->meta.term, .config = *config };
    struct vote v = { .head = (uint64_t)r->id, .term = s->meta.term };
    unsigned char digest[32];
    char name[SNAPSHOT_NAME_MAX];
    struct buf file = BUF_INIT;
    unsigned files = 0;
    int rc = disk_list_now(d, count_file, &files, err);

    if (rc == 0 && files > 0)
        rc = err_set(err, E_EXISTS, "%s is not empty", r->data);
    pki_sha256(str_of(r->cluster), digest);
    memcpy(&v.cluster, digest, sizeof(v.cluster));
    snapshot_name(name, meta.index, meta.term);
    if (rc == 0) {
        store_load_write(l, v.cluster, &meta, &file);
        rc = disk_replace_now(d, name, buf_str(&file), err);
    }
    if (rc == 0)
        rc = vote_write_now(d, &v, err);
    buf_release(&file);
    return rc;
}

static int restore_all(const struct restore *r, const char *path, struct store_saved *ret, struct errbuf *err)
{
    struct loop *loop = loop_new_real();
    struct store_load *l = NULL;
    struct raft_config config;
    struct disk *d = NULL;
    int rc = restore_config(r, &config, err);

    if (rc == 0)
        rc = snapshot_file_load(path, &l, ret, err);
    if (rc == 0) {
        store_load_image(l)->rev += (uint64_t)r->bump;
        ret->rev += (uint64_t)r->bump;
        rc = disk_open(loop, r->data, &d, err);
    }
    if (rc == 0)
        rc = restore_write(r, d, l, ret, &config, err);
    disk_close(d);
    store_load_free(l);
    loop_free(loop);
    return rc;
}

int snapshot_restore_run(int argc, char **argv)
{
    struct restore r = { .cluster = "coracle", .id = 1 };
    const struct flag flags[] = {
        { "data-dir", NULL, FLAG_STRING, &r.data, "DIR",
          "to be made; `coracle head --data DIR` starts from it" },
        { "id", NULL, FLAG_INT, &r.id, "N", "the head whose directory it is" },
        { "initial-cluster", NULL, FLAG_STRING, &r.initial, "ID=HOST:PORT,...",
          "all heads of the new cluster (default: this one alone)" },
        { "head", NULL, FLAG_STRINGS, &r.heads, "ID=HOST:PORT", "the same, one by one" },
        { "cluster", NULL, FLAG_STRING, &r.cluster, "NAME",
          "of the new cluster; heads of another name are refused" },
        { "bump-revision", NULL, FLAG_INT, &r.bump, "N",
          "add to the revision, so that it is above any that clients have seen" },
        { "mark-compacted", NULL, FLAG_BOOL, &r.compacted, NULL,
          "always so: watches from before the restore are told to list again" },
    };
    struct errbuf err = { "" };
    struct store_saved s;

    if (flags_parse(&cmd_snapshot, flags, ARRAY_LEN(flags), argc, argv) != 1)
        return fail(&cmd_snapshot, "restore takes one file");
    if (r.data == NULL)
        return fail(&cmd_snapshot, "restore needs --data-dir");
    if (r.id <= 0 || r.bump < 0 || r.bump > INT64_MAX / 4)
        return fail(&cmd_snapshot, "--id must be above 0, --bump-revision not negative");
    if (restore_all(&r, argv[1], &s, &err) != 0)
        return fail(&cmd_snapshot, "%s", err.s);
    printf("restored revision %llu with %llu keys into %s\n", (unsigned long long)s.rev,
           (unsigned long long)s.keys, r.data);
    return 0;
}
