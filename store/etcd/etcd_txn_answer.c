/* store/etcd/etcd_txn_answer.c: the answers of Put, DeleteRange and Txn: one walk along what was done finds
 * the keys of its ranges, one measures, one writes. */
#include "store/etcd/etcd_found.h"
#include "store/etcd/etcd_txn.h"

/* ---- ranges --------------------------------------------------------------------------------------- */

/* A merge sort; spare has room for half of them. */
static void sort_kvs(const struct etcd_range *r, struct store_kv *kv, struct store_kv *spare, size_t n)
{
    size_t half = n / 2, a = 0, b = half;

    if (n < 2)
        return;
    sort_kvs(r, kv, spare, half);
    sort_kvs(r, kv + half, spare, n - half);
    memcpy(spare, kv, half * sizeof *kv);
    for (size_t i = 0; a < half; i++)
        kv[i] = b < n && etcd_range_order(r, &spare[a], &kv[b]) > 0 ? kv[b++] : spare[a++];
}

static void find_past(struct etcd_call *c, struct etcd_found *f)
{
    struct store_cursor at;

    f->count = store_count(f->view, f->keys.from, f->keys.to);
    f->kvs = arena_alloc(&c->arena, (size_t)f->count * sizeof *f->kvs);
    store_seek(&at, f->view, f->keys.from, f->keys.to);
    while (f->n < f->count && store_next(&at, &f->kvs[f->n]))
        f->n++;
}

static void find_range(struct etcd_call *c, const struct etcd_op *op, const struct store_op_result *res)
{
    const struct etcd_range *r = op->range;
    struct etcd_found *f = op->found;
    size_t n = 0;

    if (f->view == NULL) {
        f->count = res->count;
        f->n = res->n_kvs;
        /* the results' arena, ours until the call returns */
        f->kvs = (struct store_kv *)(uintptr_t)res->kvs;
    } else if (!r->count_only) {
        find_past(c, f);
    } else {
        f->count = store_count(f->view, f->keys.from, f->keys.to);
    }
    if (!r->count_only && etcd_range_whole(r)) {
        for (size_t i = 0; i < f->n; i++)
            if (etcd_range_wants(r, &f->kvs[i]))
                f->kvs[n++] = f->kvs[i];
        f->n = n;
        sort_kvs(r, f->kvs, arena_alloc(&c->arena, (n / 2 + 1) * sizeof *f->kvs), n);
        f->more = r->limit > 0 && n > (uint64_t)r->limit;
    } else {
        f->more = !r->count_only && r->limit > 0 && f->count > (uint64_t)r->limit;
    }
    if (r->limit > 0)
        f->n = MIN_OF(f->n, (uint64_t)r->limit);
}

/* ---- one operation -------------------------------------------------------------------------------- */

struct walk { struct etcd_call *c; struct etcd_sink sink; };

static size_t txn_size(const struct etcd_txn *t, const struct etcd_header *h, bool succeeded,
                       const struct store_op_result *res);
static void txn_write(struct walk *w, const struct etcd_txn *t, const struct etcd_header *h, bool succeeded,
                      const struct store_op_result *res);

static size_t header_size(const struct etcd_header *h)
{
    size_t n = pb_size(&etcd_header_msg, h);

    return pb_head_size(1, n) + n;
}

static void header_write(struct buf *b, const struct etcd_header *h)
{
    pb_add_head(b, 1, pb_size(&etcd_header_msg, h));
    pb_encode(b, &etcd_header_msg, h);
}

/* Keys that a delete is to tell of. */
static size_t taken(const struct etcd_delete *d, const struct store_op_result *res,
                    const struct store_kv **ret)
{
    *ret = d->range_end.n > 0 ? res->kvs : &res->prev;
    return !d->prev_kv ? 0 : d->range_end.n > 0 ? res->n_kvs : res->found;
}

static size_t op_size(const struct etcd_op *op, const struct etcd_header *h,
                      const struct store_op_result *res)
{
    size_t n = header_size(h), n_kvs;
    const struct store_kv *kvs;

    switch (op->which) {
    case OP_RANGE:
        for (size_t i = 0; i < op->found->n; i++)
            n += etcd_kv_size(2, &op->found->kvs[i], op->range->keys_only);
        return n + pb_int_size(3, op->found->more) + pb_int_size(4, op->found->count);
    case OP_PUT:
        return n + (op->put->prev_kv && res->found ? etcd_kv_size(2, &res->prev, false) : 0);
    case OP_DELETE:
        n_kvs = taken(op->del, res, &kvs);
        for (size_t i = 0; i < n_kvs; i++)
            n += etcd_kv_size(3, &kvs[i], false);
        return n + pb_int_size(2, res->deleted);
    default:
        return txn_size(op->txn, h, res->succeeded, res->op);
    }
}

static void op_write(struct walk *w, const struct etcd_op *op, const struct etcd_header *h,
                     const struct store_op_result *res)
{
    struct buf *b = w->sink.buf;
    const struct store_kv *kvs;
    size_t n;

    if (op->which == OP_TXN) {
        txn_write(w, op->txn, h, res->succeeded, res->op);
        return;
    }
    header_write(b, h);
    switch (op->which) {
    case OP_RANGE:
        for (size_t i = 0; i < op->found->n; i++)
            etcd_kv_write(&w->sink, 2, &op->found->kvs[i], op->range->keys_only);
        pb_add_int(b, 3, op->found->more);
        pb_add_int(b, 4, op->found->count);
        break;
    case OP_PUT:
        if (op->put->prev_kv && res->found)
            etcd_kv_write(&w->sink, 2, &res->prev, false);
        break;
    default:
        pb_add_int(b, 2, res->deleted);
        n = taken(op->del, res, &kvs);
        for (size_t i = 0; i < n; i++)
            etcd_kv_write(&w->sink, 3, &kvs[i], false);
        break;
    }
}

/* ---- transactions --------------------------------------------------------------------------------- */

static const struct pb_list *branch(const struct etcd_txn *t, bool succeeded)
{
    return succeeded ? &t->success : &t->failure;
}

/* Answers within a transaction carry a header with nothing but the revision, that of the state they saw or
 * made; a nested transaction's is empty. */
static struct etcd_header inner_header(const struct etcd_op *op, const struct store_op_result *res)
{
    return (struct etcd_header){ .revision = op->which == OP_TXN ? 0 : (int64_t)res->rev };
}

static void find_all(struct etcd_call *c, const struct etcd_txn *t, bool succeeded,
                     const struct store_op_result *res)
{
    const struct pb_list *ops = branch(t, succeeded);
    const struct etcd_op *op = ops->at;

    for (uint32_t i = 0; i < ops->n; i++) {
        if (op[i].which == OP_RANGE)
            find_range(c, &op[i], &res[i]);
        else if (op[i].which == OP_TXN)
            find_all(c, op[i].txn, res[i].succeeded, res[i].op);
    }
}

static size_t txn_size(const struct etcd_txn *t, const struct etcd_header *h, bool succeeded,
                       const struct store_op_result *res)
{
    const struct pb_list *ops = branch(t, succeeded);
    const struct etcd_op *op = ops->at;
    size_t n = header_size(h) + pb_int_size(2, succeeded);

    for (uint32_t i = 0; i < ops->n; i++) {
        struct etcd_header inner = inner_header(&op[i], &res[i]);
        size_t body = op_size(&op[i], &inner, &res[i]), one = pb_head_size(op[i].which, body) + body;
        n += pb_head_size(3, one) + one;
    }
    return n;
}

static void txn_write(struct walk *w, const struct etcd_txn *t, const struct etcd_header *h, bool succeeded,
                      const struct store_op_result *res)
{
    const struct pb_list *ops = branch(t, succeeded);
    const struct etcd_op *op = ops->at;
    struct buf *b = w->sink.buf;

    header_write(b, h);
    pb_add_int(b, 2, succeeded);
    for (uint32_t i = 0; i < ops->n; i++) {
        struct etcd_header inner = inner_header(&op[i], &res[i]);
        size_t body = op_size(&op[i], &inner, &res[i]);
        pb_add_head(b, 3, pb_head_size(op[i].which, body) + body);
        pb_add_head(b, op[i].which, body);
        op_write(w, &op[i], &inner, &res[i]);
    }
}

void etcd_txn_answer(struct etcd_txn_job *j)
{
    struct etcd_call *c = j->c;
    const struct store_commit *done = &c->commit;
    struct walk w = { .c = c };
    struct etcd_header h;
    size_t n;

    etcd_header(c->e, done->rev, &h);
    if (j->txn != NULL) {
        must(done->n_op == branch(j->txn, done->succeeded)->n);
        find_all(c, j->txn, done->succeeded, done->op);
    }
    n = j->txn != NULL ? txn_size(j->txn, &h, done->succeeded, done->op) : op_size(&j->one, &h, &done->op[0]);
    if (n > GRPC_MAX_MESSAGE) {
        etcd_fail_text(c, GRPC_RESOURCE_EXHAUSTED, "etcdserver: the answer is larger than a message can be");
        return;
    }
    etcd_sink_begin(&w.sink, &c->grpc, &c->e->out, n);
    if (j->txn != NULL)
        txn_write(&w, j->txn, &h, done->succeeded, done->op);
    else
        op_write(&w, &j->one, &h, &done->op[0]);
    etcd_sink_end(&w.sink);
    etcd_done(c);
}
