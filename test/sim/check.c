/* test/sim/check.c: the truth, and everything that is compared with it.
 *
 * The truth is what each revision did, as the first head that had it showed; every other head, every watch
 * and every answer to a client must agree.  Revisions give the order of everything, so a history is
 * linearizable exactly when that order respects real time and every answer fits the state at its revision. */
#include <stdlib.h>
#include "test/sim/cluster.h"
#include "test/sim/hash.h"

void trace_line(const struct world *w, const char *fmt, ...)
{
    va_list ap;

    printf("%10.3f ms  ", (double)sim_now_ns(w->s) / 1e6);
    va_start(ap, fmt);
    vprintf(fmt, ap);
    va_end(ap);
    putchar('\n');
}

void broken(const struct world *w, const char *fmt, ...)
{
    va_list ap;

    fflush(stdout);
    fprintf(stderr, "seed %" PRIu64 ", %.3f ms: ", w->seed, (double)sim_now_ns(w->s) / 1e6);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fprintf(stderr, "\n  replay with: make sim SEED=%" PRIu64 "\n0 passed, 1 failed\n", w->seed);
    exit(1);
}

/* ---- keys and values ------------------------------------------------------------------------------ */

/* By hand, all of this: a life makes and reads a hundred thousand of them. */
struct str key_name(unsigned key, char *buf)
{
    unsigned n = 3, number = key < KEYS ? key : key - KEYS;

    memcpy(buf, key < KEYS ? "/s/" : "/l/", n);
    if (key < KEYS) {
        buf[n++] = (char)('a' + key % 3);
        buf[n++] = '/';
    }
    must(number < 100);
    if (number >= 10)
        buf[n++] = (char)('0' + number / 10);
    buf[n++] = (char)('0' + number % 10);
    return str_make(buf, n);
}

unsigned key_index(const struct world *w, struct str key)
{
    unsigned number = 0, of_ten = 1, i;
    char buf[32];

    if (str_starts(key, STR("/coracle/etcd/alarms/")))
        return ALARM_KEY;
    for (size_t n = key.n; n > 0 && key.p[n - 1] != '/' && of_ten <= 10; n--, of_ten *= 10)
        number += of_ten * (unsigned)(key.p[n - 1] - '0');
    i = key.n > 1 && key.p[1] == 'l' ? KEYS + number : number;
    if (i >= ALARM_KEY || !str_eq(key, key_name(i, buf)))
        broken(w, "a key nobody wrote: %.*s", STR_ARG(key));
    return i;
}

/* Who wrote it; rev: the revision that must stand in it (0: not checked). */
uint64_t value_id(const struct world *w, struct str value, uint64_t rev)
{
    uint64_t id = 0, at = 0;
    size_t n = 0;

    for (; n < value.n && n < 16; n++) {
        char c = value.p[n];
        id = id << 4 | (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
    }
    if (value.n < 18 || value.p[n++] != ':')
        broken(w, "a value nobody wrote: %.*s", STR_ARG(value));
    for (; n < value.n && value.p[n] >= '0' && value.p[n] <= '9'; n++)
        at = 10 * at + (uint64_t)(value.p[n] - '0');
    if (n == value.n || value.p[n] != ':' || (rev != 0 && at != rev))
        broken(w, "value %.*s at revision %" PRIu64, (int)n, value.p, rev);
    return id;
}

uint64_t event_value(const struct world *w, const struct store_event *e, unsigned key, uint64_t rev)
{
    return key == ALARM_KEY ? hash_bytes(1, e->value->data, e->value->len)
                            : value_id(w, blob_str(e->value), rev);
}

/* ---- what heads have ------------------------------------------------------------------------------ */

static struct truth_rev *truth_at(struct world *w, uint64_t rev)
{
    if (rev >= MAX_REVS)
        broken(w, "revision %" PRIu64 " is out of all proportion", rev);
    return &w->truth[rev];
}

static void check_lease_event(struct world *w, const struct truth_event *e)
{
    struct lease_client *c = &w->lease[e->key - KEYS];
    uint64_t slack = c->ttl_ms * MS * 6 / 100;   /* clocks may run five percent fast */

    if (!e->deleted || c->id == 0 || e->value != c->value)
        return;
    if (sim_now_ns(w->s) + slack < c->promised_ns)
        broken(w, "lease %" PRIu64 " (%" PRIu64 " ms) ended %.3f ms early", c->id, c->ttl_ms,
               (double)(c->promised_ns - sim_now_ns(w->s)) / 1e6);
    c->id = 0;
    c->expired++;
    w->expiries++;
}

void check_event(struct head *h, const struct store_event *e)
{
    struct world *w = h->w;
    struct truth_rev *t = truth_at(w, e->rev);
    struct truth_event is = { key_index(w, e->key), e->type == STORE_DELETE, 0, e->tag, e->prev_tag }, *was;

    is.value = event_value(w, e, is.key, is.deleted && is.key >= KEYS ? 0 : e->rev);
    if (h->tap_n == t->n) {                      /* the first to have it */
        if (t->n == MAX_REV_EVENTS || (t->seen_ns != 0 && t->seen_ns != sim_now_ns(w->s)))
            broken(w, "%s: revision %" PRIu64 " has more events here than elsewhere", h->name, e->rev);
        t->ev[t->n++] = is;
        t->seen_ns = sim_now_ns(w->s);
        w->max_rev = MAX_OF(w->max_rev, e->rev);
        if (is.key >= KEYS && is.key != ALARM_KEY)
            check_lease_event(w, &is);
    }
    was = &t->ev[h->tap_n++];
    if (was->key != is.key || was->deleted != is.deleted || was->value != is.value || was->tag != is.tag
        || was->prev_tag != is.prev_tag)
        broken(w, "%s: revision %" PRIu64 " differs: key %u value %" PRIx64 " here, key %u value %" PRIx64
               " elsewhere",
               h->name, e->rev, is.key, is.value, was->key, was->value);
}

static void check_hash(struct head *h, uint64_t rev, uint64_t hash, const char *what)
{
    struct truth_rev *t = truth_at(h->w, rev);

    if (t->state_hash == 0)
        t->state_hash = hash;
    if (t->state_hash != hash)
        broken(h->w, "%s: %s at revision %" PRIu64 " differs from that of another head", h->name, what, rev);
}

void check_state(struct head *h)
{
    uint64_t rev = store_revision(h->store);

    if (rev < h->last_rev)
        broken(h->w, "%s: revision went back from %" PRIu64 " to %" PRIu64, h->name, h->last_rev, rev);
    h->last_rev = rev;
    check_hash(h, rev, view_hash(store_live(h->store)), "the state");
}

static void check_in_past(void *arg)
{
    struct head *h = arg;
    uint64_t from = store_history_start(h->store), to = store_revision(h->store);
    uint64_t rev = from + sim_below(h->w->s, to - from + 1);
    struct store_view *v;

    if (store_pin_at(h->store, rev, &v) != 0)
        broken(h->w, "%s: revision %" PRIu64 " of [%" PRIu64 ", %" PRIu64 "] cannot be pinned", h->name, rev,
               from, to);
    check_hash(h, rev, view_hash(v), "the past");
    if (h->pin != NULL) {                        /* the one that was kept for a while */
        if (view_hash(h->pin) != h->pin_hash)
            broken(h->w, "%s: a pinned view changed", h->name);
        store_unpin(h->pin);
    }
    h->pin = v;
    h->pin_hash = view_hash(v);
}

void check_past(struct head *h)
{
    head_do(h, check_in_past, h);
}

/* ---- what watches told ---------------------------------------------------------------------------- */

void check_watcher(struct watcher *x)
{
    struct world *w = x->w;
    unsigned at = 0;

    for (uint64_t rev = x->from_rev + 1; rev <= x->seen_rev && rev <= w->max_rev; rev++) {
        for (unsigned i = 0; i < w->truth[rev].n; i++) {
            const struct truth_event *e = &w->truth[rev].ev[i];
            if (!watcher_wants(x, e))
                continue;
            if (at == x->n || x->log[at].rev != rev || x->log[at].key != e->key
                || x->log[at].value != e->value
                || x->log[at].deleted != e->deleted)
                broken(w, "watcher %d: event of revision %" PRIu64 " on key %u was %s", (int)(x - w->watcher),
                       rev, e->key,
                       at == x->n || x->log[at].rev > rev ? "skipped" : "told wrongly or twice");
            at++;
        }
    }
    if (at != x->n)
        broken(w, "watcher %d: was told of revision %" PRIu64 ", which is not there", (int)(x - w->watcher),
               x->log[at].rev);
    x->from_rev = x->seen_rev;
    x->n = 0;
}

/* ---- what clients were told ------------------------------------------------------------------------ */

struct version { uint64_t rev, value; };         /* value 0: deleted */
struct history { struct version *v[ALL_KEYS]; unsigned n[ALL_KEYS]; uint64_t *rev_of_op; };

static struct version state_at(const struct history *hs, unsigned key, uint64_t rev)
{
    struct version found = { 0, 0 };

    for (unsigned i = 0; i < hs->n[key] && hs->v[key][i].rev <= rev; i++)
        found = hs->v[key][i];
    return found;
}

static void history_build(struct world *w, struct history *hs)
{
    hs->rev_of_op = mem_zalloc((MAX_OPS + 1) * sizeof *hs->rev_of_op);
    for (unsigned k = 0; k < ALL_KEYS; k++)
        hs->v[k] = mem_zalloc((w->max_rev + 1) * 2 * sizeof *hs->v[k]);
    for (uint64_t rev = 2; rev <= w->max_rev; rev++) {
        if (w->truth[rev].n == 0)
            broken(w, "revision %" PRIu64 " was skipped", rev);
        for (unsigned i = 0; i < w->truth[rev].n; i++) {
            const struct truth_event *e = &w->truth[rev].ev[i];
            hs->v[e->key][hs->n[e->key]++] = (struct version){ rev, e->deleted ? 0 : e->value };
            if (e->key >= KEYS)
                continue;
            if (e->value == 0 || e->value > w->n_op)
                broken(w, "revision %" PRIu64 " was written by nobody", rev);
            if (hs->rev_of_op[e->value] != 0 && hs->rev_of_op[e->value] != rev)
                broken(w, "op %" PRIu64 " happened twice, at %" PRIu64 " and %" PRIu64, e->value,
                       hs->rev_of_op[e->value], rev);
            hs->rev_of_op[e->value] = rev;
        }
    }
}

static void history_free(struct history *hs)
{
    for (unsigned k = 0; k < ALL_KEYS; k++)
        mem_free(hs->v[k]);
    mem_free(hs->rev_of_op);
}

static void check_read(struct world *w, const struct history *hs, const struct op *op)
{
    struct version v = state_at(hs, op->key, op->rev);

    if (op->seen_value != v.value || (v.value != 0 && op->seen_mod != v.rev))
        broken(w, "op %" PRIu64 " read value %" PRIx64 " of key %u at revision %" PRIu64 ", where it is %" PRIx64, op->id,
               op->seen_value, op->key, op->rev, v.value);
}

static void check_write(struct world *w, const struct history *hs, const struct op *op)
{
    struct version before = state_at(hs, op->key, op->rev - 1), at = state_at(hs, op->key, op->rev);
    uint64_t had = before.value != 0 ? before.rev : 0;

    if (op->kind == OP_DELETE && hs->rev_of_op[op->id] == 0) {
        if (at.value != 0)
            broken(w, "op %" PRIu64 " deleted nothing, but the key was there", op->id);
        return;
    }
    if (hs->rev_of_op[op->id] != op->rev)
        broken(w, "op %" PRIu64 " was acknowledged at revision %" PRIu64 " and is %s", op->id, op->rev,
               hs->rev_of_op[op->id] == 0 ? "lost" : "elsewhere");
    if (op->kind == OP_CAS && had != op->expected)
        broken(w, "op %" PRIu64 " swapped at %" PRIu64 " though the key was at %" PRIu64 " and not %" PRIu64,
               op->id, op->rev,
               had, op->expected);
}

static void check_lost_race(struct world *w, const struct history *hs, const struct op *op)
{
    struct version v = state_at(hs, op->key, op->rev);

    if (op->kind != OP_CAS || (v.value != 0 ? v.rev : 0) == op->expected)
        broken(w, "op %" PRIu64 " lost a race that there was not", op->id);
}

/* The answer fits the state at its revision. */
static void check_op(struct world *w, const struct history *hs, const struct op *op)
{
    bool happened = hs->rev_of_op[op->id] != 0;

    if (op->outcome == OP_OPEN)
        broken(w, "op %" PRIu64 " was never answered", op->id);
    if (happened && (op->outcome == OP_NOT_DONE || op->outcome == OP_LOST_RACE))
        broken(w, "op %" PRIu64 " did not happen, it was said, but revision %" PRIu64 " is its", op->id,
               hs->rev_of_op[op->id]);
    if (op->outcome == OP_DONE || op->outcome == OP_LOST_RACE) {
        if (op->rev > w->max_rev || (op->rev > 0 && w->truth[op->rev].seen_ns > op->answered_ns))
            broken(w, "op %" PRIu64 " was answered with revision %" PRIu64 " before there was one", op->id,
                   op->rev);
    }
    if (op->outcome == OP_LOST_RACE)
        check_lost_race(w, hs, op);
    else if (op->outcome == OP_DONE && op->kind == OP_GET)
        check_read(w, hs, op);
    else if (op->outcome == OP_DONE)
        check_write(w, hs, op);
}

static int by_answer(const void *a, const void *b)
{
    const struct op *x = *(struct op *const *)a, *y = *(struct op *const *)b;
    return x->answered_ns != y->answered_ns
        ? (x->answered_ns > y->answered_ns) - (x->answered_ns < y->answered_ns)
                                            : (x->id > y->id) - (x->id < y->id);
}

/* Whatever was answered before an operation began comes before it in the order of revisions. Ops are by
 * invocation. */
static void check_real_time(struct world *w, const struct history *hs)
{
    struct op **answered = mem_alloc((w->n_op + 1) * sizeof(struct op *));
    uint64_t floor = 0;
    unsigned next = 0;

    for (unsigned i = 0; i < w->n_op; i++)
        answered[i] = &w->op[i];
    qsort(answered, w->n_op, sizeof *answered, by_answer);
    for (unsigned i = 0; i < w->n_op; i++) {
        const struct op *op = &w->op[i];
        uint64_t point = hs->rev_of_op[op->id];
        for (; next < w->n_op && answered[next]->answered_ns < op->invoked_ns; next++)
            if (answered[next]->outcome == OP_DONE || answered[next]->outcome == OP_LOST_RACE)
                floor = MAX_OF(floor, answered[next]->rev);
        if (point != 0 && point <= floor)
            broken(w, "op %" PRIu64 " took effect at %" PRIu64 ", before it began (%" PRIu64 ")", op->id,
                   point, floor);
        if (point == 0 && (op->outcome == OP_DONE || op->outcome == OP_LOST_RACE) && op->rev < floor)
            broken(w,
                   "op %" PRIu64 " saw revision %" PRIu64 ", but %" PRIu64 " had been answered before it began", op->id,
                   op->rev, floor);
    }
    mem_free(answered);
}

void check_history(struct world *w)
{
    struct history hs = { .rev_of_op = NULL };

    history_build(w, &hs);
    for (unsigned i = 0; i < w->n_op; i++)
        check_op(w, &hs, &w->op[i]);
    check_real_time(w, &hs);
    if (w->acked_rev > w->max_rev)
        broken(w, "revision %" PRIu64 " was told to a client and is gone", w->acked_rev);
    history_free(&hs);
}
