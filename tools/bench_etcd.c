/* tools/bench_etcd.c: the requests of the workloads for etcd's API: gRPC messages made once per run, in which
 * the key's digits are written over.
 *
 * Keys have 8 bytes, as those of etcd's own load generator: a tilde, which few keys of others begin with, and
 * seven digits. */
#include "net/pb.h"
#include "tools/bench.h"
#include "tools/bench_grpc.h"

#define KEY        "~0000000"
#define KEYS_BEGIN "~0"
#define KEYS_END   "~:"                          /* the byte after the digit 9 */
#define KEY_DIGITS (sizeof KEY - 2)

/* Numbers of etcdserverpb: what is compared and how. */
enum { COMPARE_NOT_EQUAL = 3, COMPARE_MOD = 2 };

static void template_make(struct bench *b, enum bench_op op, const char *path, const struct buf *message)
{
    struct bench_template *t = &b->req.op[op];
    size_t from = 0;

    bench_grpc_request(&t->text, path, buf_str(message));
    t->name_digits = KEY_DIGITS;
    for (size_t i = 0; i < ARRAY_LEN(t->name_at); i++) {
        const char *at = memmem(t->text.p + from, t->text.n - from, STR(KEY).p, STR(KEY).n);
        if (at == NULL)
            return;
        t->name_at[i] = (size_t)(at - t->text.p) + 1;
        from = t->name_at[i];
    }
}

static void put_message(struct bench *b, struct buf *out)
{
    struct buf value = BUF_INIT;

    buf_reserve(&value, (size_t)b->cfg.size);
    memset(value.p, 'x', (size_t)b->cfg.size);
    value.n = (size_t)b->cfg.size;
    pb_put_str(out, 1, STR(KEY));
    pb_put_str(out, 2, buf_str(&value));
    buf_release(&value);
}

/* If the key was ever modified, put it: what an update under a condition is. */
static void txn_message(const struct buf *put, struct buf *out)
{
    struct buf compare = BUF_INIT, op = BUF_INIT;

    pb_put_int(&compare, 1, COMPARE_NOT_EQUAL);
    pb_put_int(&compare, 2, COMPARE_MOD);
    pb_put_str(&compare, 3, STR(KEY));
    pb_put_int(&compare, 6, 0);
    pb_put_str(&op, 2, buf_str(put));
    pb_put_str(out, 1, buf_str(&compare));
    pb_put_str(out, 2, buf_str(&op));
    buf_release(&compare);
    buf_release(&op);
}

void etcd_requests_init(struct bench *b)
{
    struct buf put = BUF_INIT, range = BUF_INIT, txn = BUF_INIT, clean = BUF_INIT;

    put_message(b, &put);
    pb_put_str(&range, 1, STR(KEY));
    txn_message(&put, &txn);
    pb_put_str(&clean, 1, STR(KEYS_BEGIN));
    pb_put_str(&clean, 2, STR(KEYS_END));
    template_make(b, OP_ETCD_PUT, "/etcdserverpb.KV/Put", &put);
    template_make(b, OP_ETCD_RANGE, "/etcdserverpb.KV/Range", &range);
    template_make(b, OP_ETCD_TXN, "/etcdserverpb.KV/Txn", &txn);
    template_make(b, OP_ETCD_CLEAN, "/etcdserverpb.KV/DeleteRange", &clean);
    buf_release(&put);
    buf_release(&range);
    buf_release(&txn);
    buf_release(&clean);
}
