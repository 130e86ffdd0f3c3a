/* store/txn.c: see txn.h. */
#include "store/limits.h"
#include "store/txn.h"

#define TXN_HEADER 13u                           /* version and three counts */
#define TXN_ROOM   512u                          /* for the compares and the small parts of what follows */

/* ---- writing ------------------------------------------------------------------------------------- */

enum txn_writing { WRITING_IF, WRITING_THEN, WRITING_ELSE };

void store_txn_init(struct store_txn *t)
{
    *t = (struct store_txn){ .buf = BUF_INIT };
}

void store_txn_release(struct store_txn *t)
{
    buf_release(&t->buf);
    store_txn_init(t);
}

static void put_le32(char *p, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        p[i] = (char)(v >> 8 * i);
}

static void txn_string(struct buf *b, struct str s)
{
    buf_varint(b, s.n);
    buf_str_add(b, s);
}

/* The header is kept true at all times, so the buffer is a command whenever the caller stops. */
static struct buf *txn_begin(struct store_txn *t, enum txn_kind kind)
{
    bool      compare = txn_compares(kind);
    uint32_t *n;

    must(!compare || t->part == WRITING_IF);     /* compares come first */
    if (t->buf.n == 0) {
        static const char zero[TXN_HEADER] = { TXN_VERSION };
        buf_reserve(&t->buf, TXN_ROOM);
        buf_add(&t->buf, zero, sizeof zero);
    }
    if (!compare && t->part == WRITING_IF)
        t->part = WRITING_THEN;
    n = compare ? &t->n_if : t->part == WRITING_THEN ? &t->n_then : &t->n_else;
    must(*n < UINT32_MAX);
    ++*n;
    put_le32(t->buf.p + 1, t->n_if);
    put_le32(t->buf.p + 5, t->n_then);
    put_le32(t->buf.p + 9, t->n_else);
    buf_char(&t->buf, (char)kind);
    return &t->buf;
}

void store_txn_if(struct store_txn *t, struct str key, enum store_target target, enum store_relation rel,
                  uint64_t value)
{
    struct buf *b = txn_begin(t, TXN_COMPARE);

    must(target <= STORE_LEASE && rel <= STORE_GT);
    txn_string(b, key);
    buf_char(b, (char)target);
    buf_char(b, (char)rel);
    buf_varint(b, value);
}

void store_txn_if_value(struct store_txn *t, struct str key, enum store_relation rel, struct str value)
{
    struct buf *b = txn_begin(t, TXN_COMPARE_VALUE);

    must(rel <= STORE_GT);
    txn_string(b, key);
    buf_char(b, (char)rel);
    txn_string(b, value);
}

void store_txn_if_range(struct store_txn *t, struct store_range r, enum store_target target,
                        enum store_relation rel,
                        uint64_t value)
{
    struct buf *b = txn_begin(t, TXN_COMPARE_RANGE);

    must(target <= STORE_LEASE && rel <= STORE_GT);
    txn_string(b, r.from);
    txn_string(b, r.to);
    buf_char(b, (char)target);
    buf_char(b, (char)rel);
    buf_varint(b, value);
}

void store_txn_if_range_value(struct store_txn *t, struct store_range r, enum store_relation rel,
                              struct str value)
{
    struct buf *b = txn_begin(t, TXN_COMPARE_RANGE_VALUE);

    must(rel <= STORE_GT);
    txn_string(b, r.from);
    txn_string(b, r.to);
    buf_char(b, (char)rel);
    txn_string(b, value);
}

/* 0: none, else offset + 1. */
static void txn_rev_at(struct buf *b, struct str value, uint32_t rev_at)
{
    must(rev_at == STORE_NO_REV || rev_at <= value.n);
    buf_varint(b, rev_at == STORE_NO_REV ? 0 : (uint64_t)rev_at + 1);
}

void store_txn_put(struct store_txn *t, struct str key, struct str value, uint32_t rev_at, uint64_t tag,
                   uint64_t lease)
{
    struct buf *b = txn_begin(t, TXN_PUT);

    buf_reserve(b, key.n + value.n + TXN_ROOM);
    txn_string(b, key);
    buf_varint(b, tag);
    buf_varint(b, lease);
    txn_rev_at(b, value, rev_at);
    txn_string(b, value);
}

void store_txn_put_keep(struct store_txn *t, struct str key, struct str value, uint64_t lease, unsigned keep)
{
    struct buf *b = txn_begin(t, TXN_PUT_KEEP);

    must(keep > 0 && keep <= (STORE_KEEP_VALUE | STORE_KEEP_LEASE));
    txn_string(b, key);
    buf_char(b, (char)keep);
    buf_varint(b, lease);
    txn_string(b, value);
}

void store_txn_delete(struct store_txn *t, struct str key, struct str last, uint32_t rev_at)
{
    struct buf *b = txn_begin(t, TXN_DELETE);

    txn_string(b, key);
    txn_rev_at(b, last, last.n > 0 ? rev_at : STORE_NO_REV);
    txn_string(b, last);
}

void store_txn_delete_range(struct store_txn *t, struct str from, struct str to)
{
    struct buf *b = txn_begin(t, TXN_DELETE_RANGE);

    txn_string(b, from);
    txn_string(b, to);
}

void store_txn_take_range(struct store_txn *t, struct str from, struct str to)
{
    struct buf *b = txn_begin(t, TXN_TAKE_RANGE);

    txn_string(b, from);
    txn_string(b, to);
}

void store_txn_range(struct store_txn *t, struct str from, struct str to, uint64_t limit, bool count_only)
{
    struct buf *b = txn_begin(t, TXN_RANGE);

    txn_string(b, from);
    txn_string(b, to);
    buf_char(b, count_only);
    buf_varint(b, limit);
}

void store_txn_nest(struct store_txn *t, const struct store_txn *inner)
{
    static const char nothing[TXN_HEADER] = { TXN_VERSION };
    struct buf *b = txn_begin(t, TXN_NESTED);

    must(t != inner);
    txn_string(b, inner->buf.n > 0 ? buf_str(&inner->buf) : str_make(nothing, sizeof nothing));
}

void store_txn_compact(struct store_txn *t, uint64_t rev)
{
    buf_varint(txn_begin(t, TXN_COMPACT), rev);
}

void store_txn_get(struct store_txn *t, struct str key)
{
    txn_string(txn_begin(t, TXN_GET), key);
}

void store_txn_else(struct store_txn *t)
{
    must(t->part != WRITING_ELSE);
    t->part = WRITING_ELSE;
}

void store_txn_lease_grant(struct store_txn *t, uint64_t id, uint64_t ttl_ms)
{
    struct buf *b = txn_begin(t, TXN_LEASE_GRANT);

    buf_varint(b, id);
    buf_varint(b, ttl_ms);
}

void store_txn_lease_revoke(struct store_txn *t, uint64_t id)
{
    buf_varint(txn_begin(t, TXN_LEASE_REVOKE), id);
}

void txn_lease_touch(struct store_txn *t, uint64_t id)
{
    buf_varint(txn_begin(t, TXN_LEASE_TOUCH), id);
}

void txn_lease_expire(struct store_txn *t, uint64_t id, uint64_t touches, uint64_t epoch)
{
    struct buf *b = txn_begin(t, TXN_LEASE_EXPIRE);

    buf_varint(b, id);
    buf_varint(b, touches);
    buf_varint(b, epoch);
}

void txn_lease_epoch(struct store_txn *t, uint64_t epoch)
{
    buf_varint(txn_begin(t, TXN_LEASE_EPOCH), epoch);
}

int txn_command(const struct store_txn *t, struct str *ret)
{
    static const char nothing[TXN_HEADER] = { TXN_VERSION };

    if (t->n_if > STORE_MAX_OPS || t->n_then > STORE_MAX_OPS || t->n_else > STORE_MAX_OPS)
        return E_TOOBIG;
    if (t->buf.n > RAFT_MAX_COMMAND)
        return E_TOOBIG;
    *ret = t->buf.n > 0 ? buf_str(&t->buf) : str_make(nothing, sizeof nothing);
    return 0;
}

/* ---- reading ------------------------------------------------------------------------------------- */

static bool take_byte(struct str *s, unsigned *ret)
{
    if (s->n == 0)
        return false;
    *ret = (unsigned char)s->p[0];
    *s = str_from(*s, 1);
    return true;
}

static bool take_string(struct str *s, struct str *ret)
{
    uint64_t n;

    return str_varint(s, &n) && n <= s->n && str_take(s, (size_t)n, ret);
}

static bool take_key(struct str *s, struct str *ret)
{
    return take_string(s, ret) && ret->n > 0 && ret->n <= STORE_MAX_KEY;
}

static bool take_bound(struct str *s, struct str *ret)
{
    return take_string(s, ret) && ret->n <= STORE_MAX_KEY;
}

/* rev_at, then the value it points into. */
static bool take_value(struct str *s, struct txn_op *op)
{
    uint64_t at;

    if (!str_varint(s, &at) || !take_string(s, &op->value))
        return false;
    op->rev_at = at == 0 ? STORE_NO_REV : (uint32_t)(at - 1);
    return at <= (uint64_t)op->value.n + 1;
}

static bool take_compare(struct str *s, struct txn_op *op)
{
    bool range = op->kind == TXN_COMPARE_RANGE || op->kind == TXN_COMPARE_RANGE_VALUE;
    bool value = op->kind == TXN_COMPARE_VALUE || op->kind == TXN_COMPARE_RANGE_VALUE;
    unsigned target = 0, relation;

    if (range ? !take_bound(s, &op->key) || !take_bound(s, &op->to) : !take_key(s, &op->key))
        return false;
    if (!value && (!take_byte(s, &target) || target > STORE_LEASE))
        return false;
    if (!take_byte(s, &relation) || relation > STORE_GT)
        return false;
    op->target = (enum store_target)target;
    op->relation = (enum store_relation)relation;
    return value ? take_string(s, &op->value) : str_varint(s, &op->number);
}

/* Tags, lease numbers and the like are any 64 bits; what has a meaning is checked. */
static bool take_op(struct str *s, struct txn_op *op)
{
    unsigned kind;

    *op = (struct txn_op){ .rev_at = STORE_NO_REV };
    if (!take_byte(s, &kind) || kind == 0 || kind >= TXN_KINDS)
        return false;
    op->kind = (enum txn_kind)kind;
    switch (op->kind) {
    case TXN_COMPARE:
    case TXN_COMPARE_VALUE:
    case TXN_COMPARE_RANGE:
    case TXN_COMPARE_RANGE_VALUE: return take_compare(s, op);
    case TXN_PUT:           return take_key(s, &op->key) && str_varint(s, &op->tag)
                                   && str_varint(s, &op->lease) && take_value(s, op);
    case TXN_DELETE:        return take_key(s, &op->key) && take_value(s, op);
    case TXN_PUT_KEEP:      return take_key(s, &op->key) && take_byte(s, &op->flags) && op->flags > 0
                                   && op->flags <= (STORE_KEEP_VALUE | STORE_KEEP_LEASE)
                                   && str_varint(s, &op->lease) && take_string(s, &op->value);
    case TXN_DELETE_RANGE:
    case TXN_TAKE_RANGE:    return take_bound(s, &op->key) && take_bound(s, &op->to);
    case TXN_RANGE:         return take_bound(s, &op->key) && take_bound(s, &op->to)
                                   && take_byte(s, &op->flags) && op->flags <= 1
                                       && str_varint(s, &op->number);
    case TXN_NESTED:        return take_string(s, &op->value);
    case TXN_COMPACT:       return str_varint(s, &op->number);
    case TXN_GET:           return take_key(s, &op->key);
    case TXN_LEASE_GRANT:   return str_varint(s, &op->lease) && str_varint(s, &op->number)
                                   && op->number > 0 && op->number <= STORE_MAX_LEASE_TTL_MS;
    case TXN_LEASE_REVOKE:
    case TXN_LEASE_TOUCH:   return str_varint(s, &op->lease);
    case TXN_LEASE_EXPIRE:  return str_varint(s, &op->lease) && str_varint(s, &op->number)
                                   && str_varint(s, &op->epoch);
    case TXN_LEASE_EPOCH:   return str_varint(s, &op->epoch);
    case TXN_KINDS:         break;
    }
    return false;
}

/* What is left of STORE_MAX_OPS in each part, and how deep it may still go. */
struct txn_room { uint32_t ops[3]; unsigned depth; };

static int decode(struct str command, struct txn_room *room, struct txn *ret);

static bool txn_writes(enum txn_kind k)
{
    return !txn_compares(k) && k != TXN_GET && k != TXN_RANGE && k != TXN_NESTED;
}

/* Check the n operations of one part; *s is left behind them. */
static int take_part(struct str *s, uint32_t n, bool compares, struct txn_room *room, struct txn_part *ret,
                     struct txn *t)
{
    struct str start = *s;
    struct txn_op op;
    struct txn inner;

    for (uint32_t i = 0; i < n; i++) {
        if (!take_op(s, &op) || compares != txn_compares(op.kind))
            return E_INVALID;
        t->writes |= txn_writes(op.kind);
        if (op.kind != TXN_NESTED)
            continue;
        int rc = decode(op.value, room, &inner);
        if (rc != 0)
            return rc;
        t->nests = true;
        t->writes |= inner.writes;
    }
    *ret = (struct txn_part){ str_upto(start, start.n - s->n), n };
    return 0;
}

static int decode(struct str command, struct txn_room *room, struct txn *ret)
{
    struct str s = command;
    struct txn t = { .nests = false };
    struct txn_part *part[3] = { &t.compares, &t.then, &t.orelse };
    uint32_t   n[3];
    unsigned   version;
    int rc = 0;

    if (!take_byte(&s, &version) || version != TXN_VERSION)
        return E_INVALID;
    if (room->depth-- == 0)
        return E_TOOBIG;
    for (int i = 0; i < 3; i++) {
        if (!str_le32(&s, &n[i]))
            return E_INVALID;
        if (n[i] > room->ops[i])
            return E_TOOBIG;
        room->ops[i] -= n[i];
    }
    for (int i = 0; i < 3 && rc == 0; i++)
        rc = take_part(&s, n[i], i == 0, room, part[i], &t);
    if (rc != 0)
        return rc;
    if (s.n > 0)
        return E_INVALID;
    room->depth++;
    *ret = t;
    return 0;
}

int txn_decode(struct str command, struct txn *ret)
{
    struct txn_room room = { { STORE_MAX_OPS, STORE_MAX_OPS, STORE_MAX_OPS }, STORE_MAX_DEPTH };

    return decode(command, &room, ret);
}

/* Its parts' ends are where they were when all of it was checked. */
void txn_nested(const struct txn_op *op, struct txn *ret)
{
    must(op->kind == TXN_NESTED);
    must_ok(txn_decode(op->value, ret));
}

bool txn_next(struct txn_part *part, struct txn_op *ret)
{
    bool ok;

    if (part->n == 0)
        return false;
    part->n--;
    ok = take_op(&part->bytes, ret);
    must(ok);                                    /* txn_decode() has been here */
    return true;
}
