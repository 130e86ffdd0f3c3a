/* raft/snapshot_format.c: the bytes of a snapshot file, and reading the newest good one at start. */
#include <stdio.h>
#include <stdlib.h>
#include "net/log.h"
#include "raft/crc32c.h"
#include "raft/limits.h"
#include "raft/snapshot.h"

#define SNAPSHOT_MAGIC 0x3150414e53524f43ull     /* "CORSNAP1" */
#define HEAD_SIZE      40                        /* before the configuration */
#define CHUNK_HEAD     8

void snapshot_name(char out[SNAPSHOT_NAME_MAX], uint64_t index, uint64_t term)
{
    snprintf(out, SNAPSHOT_NAME_MAX, "snap-%016llx-%016llx.dat", (unsigned long long)index, (unsigned long long)term);
}

bool snapshot_name_parse(const char *name, uint64_t *ret_index, uint64_t *ret_term)
{
    char again[SNAPSHOT_NAME_MAX];

    if (strlen(name) != 42 || strncmp(name, "snap-", 5) != 0)
        return false;
    *ret_index = strtoull(name + 5, NULL, 16);
    *ret_term = strtoull(name + 22, NULL, 16);
    snapshot_name(again, *ret_index, *ret_term);
    return *ret_index > 0 && strcmp(name, again) == 0;
}

/* ---- Writing ------------------------------------------------------------------------------------- */

void snapshot_encode_head(struct snapshot_encoder *e, uint64_t cluster, const struct snapshot_meta *m, struct buf *out)
{
    struct buf config = BUF_INIT;
    size_t at = out->n;

    raft_config_encode(&m->config, &config);
    buf_le64(out, SNAPSHOT_MAGIC);
    buf_le64(out, cluster);
    buf_le64(out, m->index);
    buf_le64(out, m->term);
    buf_le32(out, (uint32_t)config.n);
    uint32_t crc = crc32c(0, out->p + at, out->n - at);
    buf_le32(out, crc32c(crc, config.p, config.n));
    buf_str_add(out, buf_str(&config));
    buf_release(&config);
    e->offset = out->n - at;
    e->crc = 0;
}

static void encode_piece(struct snapshot_encoder *e, struct str data, uint32_t crc, struct buf *out)
{
    buf_le32(out, (uint32_t)data.n);
    buf_le32(out, crc);
    buf_str_add(out, data);
    e->offset += CHUNK_HEAD + data.n;
}

void snapshot_encode_chunk(struct snapshot_encoder *e, struct str data, struct buf *out)
{
    must(data.n > 0 && data.n <= RAFT_SNAPSHOT_SLICE);
    uint32_t crc = crc32c(crc32c(0, &e->offset, sizeof(e->offset)), data.p, data.n);
    e->crc = crc32c(e->crc, &crc, sizeof(crc));
    encode_piece(e, data, crc, out);
}

void snapshot_encode_end(struct snapshot_encoder *e, struct buf *out)
{
    uint32_t crc = crc32c(e->crc, &e->offset, sizeof(e->offset));

    encode_piece(e, STR_NONE, crc, out);
}

/* ---- Reading ------------------------------------------------------------------------------------- */

void snapshot_parser_init(struct snapshot_parser *p, uint64_t cluster, const struct raft_fsm *fsm)
{
    *p = (struct snapshot_parser){ .cluster = cluster, .fsm = fsm };
}

void snapshot_parser_release(struct snapshot_parser *p) { buf_release(&p->in); }

static int parse_bad(const struct snapshot_parser *p, struct errbuf *err, const char *what)
{
    return err_set(err, E_CORRUPT, "at byte %llu: %s", (unsigned long long)p->offset, what);
}

/* 1: a unit was taken off *in; 0: more is needed. */
static int parse_head(struct snapshot_parser *p, struct str *in, struct errbuf *err)
{
    struct str h = *in, config;
    uint64_t magic, cluster;
    uint32_t len, crc;

    if (h.n < HEAD_SIZE)
        return 0;
    must(str_le64(&h, &magic) && str_le64(&h, &cluster) && str_le64(&h, &p->meta.index)
         && str_le64(&h, &p->meta.term) && str_le32(&h, &len) && str_le32(&h, &crc));
    if (magic != SNAPSHOT_MAGIC || len > 65536)
        return parse_bad(p, err, "no snapshot header");
    if (!str_take(&h, len, &config))
        return 0;
    if (crc32c(crc32c(0, in->p, HEAD_SIZE - 4), config.p, config.n) != crc)
        return parse_bad(p, err, "the header does not verify");
    if (p->cluster == 0)
        p->cluster = cluster;
    if (cluster != p->cluster || p->meta.index == 0 || p->meta.term == 0)
        return parse_bad(p, err, "it belongs to another cluster");
    if (raft_config_decode(config, &p->meta.config) != 0)
        return parse_bad(p, err, "its membership makes no sense");
    p->offset += HEAD_SIZE + len;
    *in = h;
    p->headed = true;
    return 1;
}

static int parse_chunk(struct snapshot_parser *p, struct str *in, struct errbuf *err)
{
    struct str h = *in, data;
    uint32_t len, crc;

    if (p->ended)
        return parse_bad(p, err, "bytes after the end");
    if (!str_le32(&h, &len) || !str_le32(&h, &crc))
        return 0;
    if (len > RAFT_SNAPSHOT_SLICE)
        return parse_bad(p, err, "a chunk's length makes no sense");
    if (!str_take(&h, len, &data))
        return 0;
    if (len == 0) {
        if (crc != crc32c(p->crc, &p->offset, sizeof(p->offset)))
            return parse_bad(p, err, "the end mark does not verify");
        p->ended = true;
    } else {
        if (crc != crc32c(crc32c(0, &p->offset, sizeof(p->offset)), data.p, data.n))
            return parse_bad(p, err, "a chunk does not verify");
        p->crc = crc32c(p->crc, &crc, sizeof(crc));
        if (p->fsm->restore_data(p->fsm->arg, data) != 0)
            return parse_bad(p, err, "the state machine does not understand it");
    }
    p->offset += CHUNK_HEAD + len;
    *in = h;
    return 1;
}

int snapshot_parse(struct snapshot_parser *p, struct str bytes, struct errbuf *err)
{
    struct str rest = bytes;
    int rc = 1;

    if (p->in.n > 0) {
        buf_str_add(&p->in, bytes);
        rest = buf_str(&p->in);
    }
    while (rc == 1 && rest.n > 0 && !(p->ended && p->tail + rest.n <= p->tail_max))
        rc = p->headed ? parse_chunk(p, &rest, err) : parse_head(p, &rest, err);
    if (rc < 0)
        return rc;
    if (p->ended) {
        p->tail += rest.n;
        buf_clear(&p->in);
        return 0;
    }
    if (p->in.n > 0)
        buf_drop(&p->in, p->in.n - rest.n);
    else
        buf_str_add(&p->in, rest);
    return 0;
}

/* ---- At start ------------------------------------------------------------------------------------ */

#define LIST_MAX 64
struct snapshot_list { struct snapshot_meta at[LIST_MAX]; size_t n; };

/* Newest first; of more than LIST_MAX files, which cannot come from us, the oldest are not looked at. */
static void list_on_file(void *arg, const char *name, uint64_t size)
{
    struct snapshot_list *l = arg;
    struct snapshot_meta m = { .size = size };

    if (!snapshot_name_parse(name, &m.index, &m.term))
        return;
    size_t at = l->n < LIST_MAX ? l->n++ : LIST_MAX - 1;
    for (; at > 0 && l->at[at - 1].index < m.index; at--)
        l->at[at] = l->at[at - 1];
    l->at[at] = m;
}

struct load_scan { struct snapshot_parser *p; struct errbuf *err; };

static int load_on_piece(void *arg, struct str piece)
{
    struct load_scan *s = arg;

    return snapshot_parse(s->p, piece, s->err);
}

static int load_one(struct disk *d, uint64_t cluster, const struct raft_fsm *fsm, struct snapshot_meta *m,
                    struct errbuf *err)
{
    struct snapshot_parser p;
    struct load_scan scan = { &p, err };
    char name[SNAPSHOT_NAME_MAX];

    snapshot_name(name, m->index, m->term);
    snapshot_parser_init(&p, cluster, fsm);
    fsm->restore_begin(fsm->arg);
    int rc = disk_scan_now(d, name, load_on_piece, &scan, err);
    if (rc == 0 && !p.ended)
        rc = parse_bad(&p, err, "it ends too early");
    if (rc == 0 && (p.meta.index != m->index || p.meta.term != m->term))
        rc = parse_bad(&p, err, "its name is not what it holds");
    int end = fsm->restore_end(fsm->arg, rc == 0);
    if (rc == 0 && end != 0)
        rc = err_set(err, end, "the state machine does not take it over");
    if (rc == 0) {
        p.meta.size = m->size;
        *m = p.meta;
    } else {
        err_wrap(err, rc, "%s/%s", disk_path(d), name);
    }
    snapshot_parser_release(&p);
    return rc;
}

int snapshot_load(struct disk *d, uint64_t cluster, const struct raft_fsm *fsm, struct snapshot_found *ret,
                  struct errbuf *err)
{
    struct snapshot_list *l = mem_new(struct snapshot_list);
    int rc = disk_list_now(d, list_on_file, l, err);

    memset(ret, 0, sizeof(*ret));
    for (size_t i = 0; rc == 0 && i < l->n; i++) {
        struct snapshot_meta *m = &l->at[i];
        struct errbuf why = { "" };
        if (load_one(d, cluster, fsm, m, &why) == 0) {
            ret->newest = *m;
            if (i + 1 < l->n)
                ret->older = l->at[i + 1];
            break;
        }
        log_error("raft", "a snapshot does not verify: %s", why.s);
        if (ret->bad_index == 0) {
            ret->bad_index = m->index;
            ret->bad_term = m->term;
            ret->damage = why;
        }
    }
    mem_free(l);
    return rc;
}

int snapshot_put_aside(struct disk *d, uint64_t newer_than, struct errbuf *err)
{
    struct snapshot_list *l = mem_new(struct snapshot_list);
    char name[SNAPSHOT_NAME_MAX], aside[SNAPSHOT_NAME_MAX + 8];
    int rc = disk_list_now(d, list_on_file, l, err);

    for (size_t i = 0; rc == 0 && i < l->n && l->at[i].index > newer_than; i++) {
        snapshot_name(name, l->at[i].index, l->at[i].term);
        snprintf(aside, sizeof(aside), RAFT_ASIDE "%s", name);
        rc = disk_rename_now(d, name, aside, err);
    }
    mem_free(l);
    return rc;
}
