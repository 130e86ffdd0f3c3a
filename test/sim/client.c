/* test/sim/client.c: reads and writes on random heads. */
#include "test/sim/cluster.h"

#define OPEN_OPS 24

/* Values say who wrote them: id, then the revision that is spliced in, then padding. */
static struct str op_value(const struct op *op, char *buf)
{
    size_t pad = op->id * 37 % 300;

    for (unsigned i = 0; i < 16; i++)
        buf[i] = "0123456789abcdef"[op->id >> (60 - 4 * i) & 15];
    buf[16] = buf[17] = ':';
    memset(buf + 18, ' ', pad);
    return str_make(buf, 18 + pad);
}

#define VALUE_REV_AT 17                          /* between the colons */

static void op_settle(struct op *op, enum op_outcome outcome)
{
    struct world *w = op->w;

    must(op->outcome == OP_OPEN);
    op->outcome = outcome;
    op->answered_ns = outcome == OP_MAYBE ? NEVER : sim_now_ns(w->s);
    must(w->open_ops > 0);
    w->open_ops--;
    switch (outcome) {
    case OP_DONE:      *(op->kind == OP_GET ? &w->reads : &w->done) += 1; break;
    case OP_LOST_RACE: w->lost++; break;
    case OP_NOT_DONE:  w->not_done++; break;
    default:           w->maybe++; break;
    }
    if (outcome == OP_DONE || outcome == OP_LOST_RACE)
        w->acked_rev = MAX_OF(w->acked_rev, op->rev);
    trace(w, "  op %" PRIu64 " on h%u: %s, revision %" PRIu64, op->id, op->head + 1,
          (const char *[]){ "open", "done", "lost the race", "not done", "unknown" }[outcome],
          op->rev);
}

static void op_on_committed(struct store_commit *c, int err)
{
    struct op *op = container_of(c, struct op, commit);

    switch (err) {
    case 0:
        op->rev = c->rev;
        op_settle(op, c->succeeded ? OP_DONE : OP_LOST_RACE);
        break;
    case E_NOLEADER: case E_FULL: case E_NOSPACE: case E_CLOSED: case E_IO:
        op_settle(op, OP_NOT_DONE);
        break;
    case E_UNKNOWN:
        op_settle(op, OP_MAYBE);
        break;
    default:
        broken(op->w, "op %" PRIu64 ": unexpected error %s", op->id, err_text(err));
    }
}

static void op_in_write(void *arg)
{
    struct op *op = arg;
    char key[32], key2[32], value[400];
    struct str k = key_name(op->key, key), v = op_value(op, value);
    struct store_txn t;

    store_txn_init(&t);
    if (op->kind == OP_CAS)
        store_txn_if(&t, k, STORE_MOD, STORE_EQ, op->expected);
    if (op->kind == OP_DELETE)
        store_txn_delete(&t, k, v, VALUE_REV_AT);
    else
        store_txn_put(&t, k, v, VALUE_REV_AT, 1 + op->id % 3, 0);
    if (op->kind == OP_PUT_TWO)
        store_txn_put(&t, key_name(op->key2, key2), v, VALUE_REV_AT, 1 + op->id % 3, 0);
    op->commit.done = op_on_committed;
    store_commit(op->w->head[op->head].store, &op->commit, &t);
    store_txn_release(&t);
}

static void op_look(struct op *op)
{
    struct store_view *v = store_live(op->w->head[op->head].store);
    struct store_kv kv;
    char key[32];

    op->rev = store_view_revision(v);
    if (store_get(v, key_name(op->key, key), &kv)) {
        op->seen_mod = kv.mod_rev;
        op->seen_value = value_id(op->w, blob_str(kv.value), kv.mod_rev);
    }
    op_settle(op, OP_DONE);
}

static void op_on_read(struct raft_read *req, int err)
{
    struct op *op = container_of(req, struct op, read);

    if (err == 0)
        op_look(op);
    else
        op_settle(op, OP_NOT_DONE);
}

static void op_in_read(void *arg)
{
    struct op *op = arg;

    if (store_read_now(op->w->head[op->head].store)) {
        op_look(op);
        return;
    }
    op->read.done = op_on_read;
    store_read_barrier(op->w->head[op->head].store, &op->read);
}

/* What a client believes the key's revision to be: often right, sometimes late. */
static void op_in_expect(void *arg)
{
    struct op *op = arg;
    struct store_kv kv;
    char key[32];

    if (store_get(store_live(op->w->head[op->head].store), key_name(op->key, key), &kv))
        op->expected = kv.mod_rev;
}

static struct op *op_new(struct world *w, unsigned head, enum op_kind kind)
{
    struct op *op = &w->op[w->n_op++];

    *op = (struct op){ .w = w, .kind = kind, .head = head, .id = w->n_op, .invoked_ns = sim_now_ns(w->s) };
    op->key = (unsigned)sim_below(w->s, KEYS);
    op->key2 = (op->key + 1) % KEYS;
    w->open_ops++;
    return op;
}

static void op_begin(struct op *op)
{
    struct head *h = &op->w->head[op->head];

    if (op->kind == OP_CAS)
        head_do(h, op_in_expect, op);
    trace(op->w, "  op %" PRIu64 " on h%u: %s key %u", op->id, op->head + 1,
          (const char *[]){ "put", "cas", "delete", "put two", "get" }[op->kind], op->key);
    head_do(h, op->kind == OP_GET ? op_in_read : op_in_write, op);
}

void client_step(struct world *w)
{
    static const enum op_kind mix[] = { OP_PUT, OP_PUT, OP_CAS, OP_CAS, OP_CAS, OP_DELETE, OP_PUT_TWO, OP_GET,
        OP_GET, OP_GET };
    int head = head_any(w);

    if (head < 0 || w->open_ops >= OPEN_OPS || w->n_op == MAX_OPS)
        return;
    op_begin(op_new(w, (unsigned)head, mix[sim_below(w->s, ARRAY_LEN(mix))]));
}

void client_final_put(struct world *w, unsigned head)
{
    if (w->n_op < MAX_OPS)
        op_begin(op_new(w, head, OP_PUT));
}

void client_head_down(struct world *w, unsigned head)
{
    for (unsigned i = 0; i < w->n_op; i++) {
        struct op *op = &w->op[i];
        if (op->outcome == OP_OPEN && op->head == head)
            op_settle(op, op->kind == OP_GET ? OP_NOT_DONE : OP_MAYBE);
    }
}
