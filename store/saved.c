/* store/saved.c: see saved.h. */
#include "raft/crc32c.h"
#include "raft/limits.h"
#include "store/saved.h"
#include "store/snapshot.h"
#include "store/store_impl.h"

/* ---- Saving -------------------------------------------------------------------------------------- */

struct store_save {
    struct store *store;
    struct snapshot_writer *from;
    struct snapshot_encoder enc;
    struct snapshot_meta meta;
    uint64_t cluster;
    bool     headed, ended;
    char     slice[RAFT_SNAPSHOT_SLICE];
};

/* One piece of an image that is being written, framed; false: it was the end mark. */
static bool save_piece(struct store_save *w, struct buf *out)
{
    must(!w->ended);
    if (!w->headed)
        snapshot_encode_head(&w->enc, w->cluster, &w->meta, out);
    w->headed = true;
    size_t n = snapshot_writer_read(w->from, w->slice, sizeof(w->slice));
    if (n > 0)
        snapshot_encode_chunk(&w->enc, str_make(w->slice, n), out);
    else
        snapshot_encode_end(&w->enc, out);
    w->ended = n == 0;
    return n > 0;
}

static struct store_save *save_new(const struct image *m, uint64_t cluster, const struct snapshot_meta *meta)
{
    struct store_save *w = mem_new(struct store_save);

    w->from = snapshot_writer_new(m);
    w->cluster = cluster;
    w->meta = *meta;
    return w;
}

int store_save_open(struct store *s, struct store_save **ret, struct errbuf *err)
{
    struct snapshot_meta meta;
    uint64_t cluster;

    raft_snapshot_meta(s->raft, &meta, &cluster);
    if (meta.index == 0 || meta.term == 0 || meta.config.n == 0)
        return err_set(err, E_AGAIN, "nothing has been written yet");
    *ret = save_new(&s->state.now, cluster, &meta);
    (*ret)->store = s;
    return 0;
}

bool store_save_read(struct store_save *w, struct buf *out) { return save_piece(w, out); }

void store_save_close(struct store_save *w)
{
    if (w == NULL)
        return;
    snapshot_writer_free(w->from);
    if (w->store != NULL)
        store__tidy_soon(w->store);
    mem_free(w);
}

/* ---- Loading ------------------------------------------------------------------------------------- */

/* what etcdctl saves behind the file (store/etcd/etcd_maintenance.c) */
#define LOAD_TAIL (511u + 32u)

struct store_load {
    struct btree_pool pool;
    struct snapshot_reader *reader;
    struct image image;
    struct raft_fsm fsm;
    struct snapshot_parser parser;
    uint64_t size;
    uint32_t hash;
};

static int load_on_data(void *arg,
                        struct str data) { return snapshot_reader_data(((struct store_load *)arg)->reader,
                                                                       data); }

struct store_load *store_load_new(void)
{
    struct store_load *l = mem_new(struct store_load);

    l->pool = BTREE_POOL_INIT;
    image_init(&l->image, &l->pool);
    l->reader = snapshot_reader_new(&l->pool);
    l->fsm = (struct raft_fsm){ .restore_data = load_on_data, .arg = l };
    snapshot_parser_init(&l->parser, 0, &l->fsm);
    l->parser.tail_max = LOAD_TAIL;
    return l;
}

void store_load_free(struct store_load *l)
{
    if (l == NULL)
        return;
    snapshot_reader_free(l->reader);
    image_release(&l->image);
    while (btree_pool_drain(&l->pool, 4096))
        continue;
    snapshot_parser_release(&l->parser);
    mem_free(l);
}

int store_load_data(struct store_load *l, struct str bytes, struct errbuf *err)
{
    l->size += bytes.n;
    l->hash = crc32c(l->hash, bytes.p, bytes.n);
    return snapshot_parse(&l->parser, bytes, err);
}

int store_load_end(struct store_load *l, struct store_saved *ret, struct errbuf *err)
{
    if (!l->parser.ended)
        return err_set(err, E_CORRUPT, "it ends too early, after %llu bytes", (unsigned long long)l->size);
    if (snapshot_reader_take(l->reader, &l->image) != 0)
        return err_set(err, E_CORRUPT, "its checksums are right, but it is not whole");
    *ret = (struct store_saved){ .meta = l->parser.meta, .cluster = l->parser.cluster, .rev = l->image.rev,
                                 .keys = btree_len(&l->image.keys), .leases = l->image.n_leases,
                                 .bytes = l->image.bytes, .hash = l->hash };
    ret->meta.size = l->size;
    return 0;
}

struct image *store_load_image(struct store_load *l) { return &l->image; }

void store_load_write(struct store_load *l, uint64_t cluster, const struct snapshot_meta *m, struct buf *out)
{
    struct store_save *w = save_new(&l->image, cluster, m);

    while (save_piece(w, out))
        continue;
    store_save_close(w);
}
