/* test/sim/linear_test.c: the checker of histories is fed with good ones, which it must believe, and with bad ones,
 * which it must not: each classic error by hand, then hidden in a history of ten thousand operations. */
#include <stdlib.h>
#include "test/sim/history.h"
#include "test/sim/linear.h"
#include "test/test.h"

/* ---- By hand ---------------------------------------------------------------------------------------- */

enum { GET = LINEAR_GET, PUT = LINEAR_PUT, CAS = LINEAR_CAS, DEL = LINEAR_DELETE };
enum { OK = LINEAR_DONE, LOST = LINEAR_LOST, UNKNOWN = LINEAR_UNKNOWN, FAILED = LINEAR_FAILED };

struct by_hand {
    const char *what;
    bool holds;
    struct { int kind, outcome; uint64_t value, seen, asked, answered, rev, at; } op[6];
};

static const struct by_hand by_hand[] = {
    { "a write and its read", true, { { PUT, OK, 1, 0, 1, 2 }, { GET, OK, 0, 1, 3, 4 } } },
    { "a stale read", false, { { PUT, OK, 1, 0, 1, 2 }, { PUT, OK, 2, 0, 3, 4 }, { GET, OK, 0, 1, 5, 6 } } },
    { "a read beside a write sees old", true, { { PUT, OK, 1, 0, 1, 2 }, { PUT, OK, 2, 0, 3, 8 }, { GET, OK, 0, 1, 4, 5 } } },
    { "first new, then old", false,
      { { PUT, OK, 1, 0, 1, 2 }, { PUT, OK, 2, 0, 3, 9 }, { GET, OK, 0, 2, 4, 5 }, { GET, OK, 0, 1, 6, 7 } } },
    { "a lost update", false,
      { { PUT, OK, 1, 0, 1, 2 }, { CAS, OK, 2, 1, 3, 6 }, { CAS, OK, 3, 1, 4, 7 } } },
    { "one of two swaps loses", true,
      { { PUT, OK, 1, 0, 1, 2 }, { CAS, OK, 2, 1, 3, 6 }, { CAS, LOST, 3, 1, 4, 7 } } },
    { "a swap lost without reason", false, { { PUT, OK, 1, 0, 1, 2 }, { CAS, LOST, 2, 1, 3, 4 } } },
    { "an unknown write explains a lost swap", true,
      { { PUT, OK, 1, 0, 1, 2 }, { PUT, UNKNOWN, 2, 0, 1, 0 }, { CAS, LOST, 3, 1, 3, 4 } } },
    { "an unknown write cannot explain what was before it", false,
      { { PUT, OK, 1, 0, 1, 2 }, { CAS, LOST, 3, 1, 3, 4 }, { PUT, UNKNOWN, 2, 0, 5, 0 } } },
    { "an acknowledged write is gone", false, { { PUT, OK, 1, 0, 1, 2 }, { GET, OK, 0, 0, 3, 4 } } },
    { "a value that nobody wrote", false, { { PUT, OK, 1, 0, 1, 2 }, { GET, OK, 0, 9, 3, 4 } } },
    { "a value before it was written", false, { { GET, OK, 0, 1, 1, 2 }, { PUT, OK, 1, 0, 3, 4 } } },
    { "a refused write is seen", false, { { PUT, FAILED, 1, 0, 1, 2 }, { GET, OK, 0, 1, 3, 4 } } },
    { "an unknown write may be late", true,
      { { PUT, UNKNOWN, 1, 0, 1, 0 }, { PUT, OK, 2, 0, 2, 3 }, { GET, OK, 0, 2, 4, 5 }, { GET, OK, 0, 1, 6, 7 } } },
    { "an unknown write, applied twice", false,
      { { PUT, UNKNOWN, 1, 0, 1, 0 }, { GET, OK, 0, 1, 2, 3 }, { PUT, OK, 2, 0, 4, 5 }, { GET, OK, 0, 1, 6, 7 } } },
    { "a write, applied twice", false,
      { { PUT, OK, 1, 0, 1, 2 }, { DEL, OK, 0, 0, 3, 4 }, { GET, OK, 0, 1, 5, 6 } } },
    { "the deleted comes back", false,
      { { PUT, OK, 1, 0, 1, 2 }, { DEL, OK, 0, 0, 3, 4 }, { GET, OK, 0, 0, 5, 6 }, { GET, OK, 0, 1, 7, 8 } } },
    { "deleted twice", false, { { PUT, OK, 1, 0, 1, 2 }, { DEL, OK, 0, 0, 3, 5 }, { DEL, OK, 0, 0, 4, 6 } } },
    { "nothing to delete, but there was", false, { { PUT, OK, 1, 0, 1, 2 }, { DEL, LOST, 0, 0, 3, 4 } } },
    { "an unknown deletion", true, { { PUT, OK, 1, 0, 1, 2 }, { DEL, UNKNOWN, 0, 0, 3, 0 }, { GET, OK, 0, 0, 4, 5 } } },
    { "created twice", false, { { CAS, OK, 1, 0, 1, 3 }, { CAS, OK, 2, 0, 2, 4 } } },
    { "a revision for two values", false, { { PUT, OK, 1, 0, 1, 4, 7 }, { PUT, OK, 2, 0, 2, 5, 7 } } },
    { "a value with two revisions", false, { { PUT, OK, 1, 0, 1, 2, 7, 7 }, { GET, OK, 0, 1, 3, 4, 8, 8 } } },
    { "a revision that had been told before", false, { { PUT, OK, 1, 0, 1, 2, 7 }, { PUT, OK, 2, 0, 3, 4, 6 } } },
    { "an answer of the past", false, { { PUT, OK, 1, 0, 1, 2, 7, 7 }, { GET, OK, 0, 1, 3, 4, 7, 9 }, { GET, OK, 0, 1, 5, 6, 7, 8 } } },
    { "revisions against the order of reads", false,
      { { PUT, OK, 1, 0, 1, 9, 7 }, { PUT, OK, 2, 0, 2, 9, 6 }, { GET, OK, 0, 1, 3, 4 }, { GET, OK, 0, 2, 5, 6 } } },
};

static enum linear_verdict hand_run(const struct by_hand *h, char why[256])
{
    struct linear_op op[6];
    size_t n = 0;

    for (; n < 6 && h->op[n].asked != 0; n++)
        op[n] = (struct linear_op){ .key = 1, .value = h->op[n].value, .seen = h->op[n].seen, .id = n,
                                    .asked = h->op[n].asked, .answered = h->op[n].answered, .rev = h->op[n].rev,
                                    .at = h->op[n].at, .kind = (enum linear_kind)h->op[n].kind,
                                    .outcome = (enum linear_outcome)h->op[n].outcome };
    return linear_check(op, n, why);
}

TEST(errors_by_hand)
{
    for (size_t i = 0; i < ARRAY_LEN(by_hand); i++) {
        char why[256] = "";
        enum linear_verdict v = hand_run(&by_hand[i], why);
        if (v != (by_hand[i].holds ? LINEAR_HOLDS : LINEAR_BROKEN))
            test_fail(__FILE__, __LINE__, "%s: verdict %d (%s)", by_hand[i].what, (int)v, why);
        CHECK((v == LINEAR_HOLDS) == (why[0] == '\0'));
    }
}

/* ---- At random: small histories against every order there is ----------------------------------------- */

struct tiny { struct linear_op op[7]; unsigned n; };

static bool tiny_fits(const struct linear_op *op, uint64_t state)
{
    switch (op->kind) {
    case LINEAR_GET: return op->seen == state;
    case LINEAR_PUT: return true;
    case LINEAR_CAS: return (op->outcome == LINEAR_LOST) != (op->seen == state);
    default:         return (op->outcome == LINEAR_LOST) == (state == 0);
    }
}

/* Plain recursion over all orders: slow, and as plain as the definition. */
static bool tiny_holds(const struct tiny *t, unsigned taken, uint64_t state)
{
    bool all = true;

    for (unsigned i = 0; i < t->n; i++) {
        const struct linear_op *op = &t->op[i];
        bool first = true;
        if (taken >> i & 1 || op->outcome == LINEAR_FAILED)
            continue;
        all &= op->outcome == LINEAR_UNKNOWN;
        for (unsigned j = 0; j < t->n; j++)
            first &= (taken >> j & 1) || t->op[j].outcome == LINEAR_UNKNOWN || t->op[j].outcome == LINEAR_FAILED
                  || t->op[j].answered >= op->asked;
        if (!first || !tiny_fits(op, state))
            continue;
        bool writes = op->kind != LINEAR_GET && op->outcome != LINEAR_LOST;
        if (tiny_holds(t, taken | 1u << i, !writes ? state : op->kind == LINEAR_DELETE ? 0 : op->value))
            return true;
    }
    return all;
}

static uint64_t rng;
static uint64_t below(uint64_t n)
{
    rng ^= rng << 13;
    rng ^= rng >> 7;
    rng ^= rng << 17;
    return rng % n;
}

TEST(small_histories_against_every_order)
{
    unsigned held = 0, rounds = 40000;

    rng = 88172645463325252u;
    for (unsigned round = 0; round < rounds; round++) {
        struct tiny t = { .n = 2 + (unsigned)below(6) };
        struct linear_op copy[7];
        char why[256];
        for (unsigned i = 0; i < t.n; i++) {
            struct linear_op *op = &t.op[i];
            op->id = i;
            op->kind = (enum linear_kind)below(4);
            op->outcome = (enum linear_outcome)(below(3) > 0 ? 0 : below(4));
            if (op->outcome == LINEAR_LOST && op->kind < LINEAR_CAS)
                op->outcome = LINEAR_DONE;
            op->value = op->kind == LINEAR_PUT || op->kind == LINEAR_CAS ? i + 1 : 0;
            op->seen = op->kind == LINEAR_GET || op->kind == LINEAR_CAS ? below(t.n + 1) : 0;
            op->asked = 1 + below(12);
            op->answered = op->asked + below(8);
        }
        bool must_hold = tiny_holds(&t, 0, 0);
        held += must_hold;
        memcpy(copy, t.op, sizeof copy);
        if ((linear_check(copy, t.n, why) == LINEAR_HOLDS) != must_hold)
            test_fail(__FILE__, __LINE__, "round %u: %s, it is said, but it is not so", round, must_hold ? why : "it holds");
    }
    CHECK(held > rounds / 20 && held < rounds / 2);
}

/* ---- Large ones ---------------------------------------------------------------------------------------- */

#define CLIENTS 24                               /* without revisions, fewer on a key: orders are many then */
struct making { struct linear_op *op; size_t n; uint64_t state[64], rev_of[64], rev, clock; unsigned keys; bool revs; };

/* The operation happens now. */
static void make_happen(struct making *m, struct linear_op *op)
{
    uint64_t *state = &m->state[op->key];

    bool fits = op->kind == LINEAR_DELETE ? *state != 0 : op->kind == LINEAR_CAS ? op->seen == *state : true;
    op->outcome = fits ? LINEAR_DONE : LINEAR_LOST;
    if (op->kind == LINEAR_GET)
        op->seen = *state;
    if (op->kind != LINEAR_GET && fits) {
        *state = op->kind == LINEAR_DELETE ? 0 : op->value;
        m->rev_of[op->key] = ++m->rev;
    }
    if (m->revs) {
        op->rev = op->kind == LINEAR_GET && *state == 0 ? 0 : fits ? m->rev_of[op->key] : 0;
        op->at = m->rev;
    }
}

/* Each client has one operation under way: asked, happens, answered; of some the answer is never heard. */
static void make(struct making *m, size_t n, unsigned keys, bool revs, uint64_t seed)
{
    size_t clients = revs ? CLIENTS : MIN_OF(CLIENTS, 4 * keys);
    struct { struct linear_op *op; int stage; bool deaf; } client[CLIENTS] = { { NULL } };

    *m = (struct making){ .op = calloc(n, sizeof(*m->op)), .keys = keys, .revs = revs };
    rng = seed * 0x9e3779b97f4a7c15u | 1;
    while (m->n < n) {
        size_t c = below(clients);
        struct linear_op *op = client[c].op;
        m->clock++;
        if (op == NULL) {
            op = client[c].op = &m->op[m->n];
            *op = (struct linear_op){ .id = m->n, .key = below(keys), .value = m->n + 1, .asked = m->clock,
                                      .kind = (enum linear_kind)below(4), .outcome = LINEAR_UNKNOWN,
                                      .answered = LINEAR_NEVER };
            op->seen = op->kind == LINEAR_CAS && below(4) ? m->state[op->key] : 0;
            if (op->kind == LINEAR_GET || op->kind == LINEAR_DELETE)
                op->value = 0;
            client[c].stage = 0;
            client[c].deaf = below(8) == 0;
            m->n++;
        } else if (client[c].stage++ == 0) {
            if (!client[c].deaf || below(2))
                make_happen(m, op);
        } else {
            op->answered = m->clock;
            if (client[c].deaf) {
                op->outcome = LINEAR_UNKNOWN;
                op->seen = op->kind == LINEAR_CAS ? op->seen : 0;
                op->rev = op->at = 0;
                op->answered = LINEAR_NEVER;
            }
            client[c].op = NULL;
        }
    }
    for (size_t c = 0; c < CLIENTS; c++)
        if (client[c].op != NULL) {
            client[c].op->outcome = LINEAR_UNKNOWN;
            client[c].op->rev = client[c].op->at = 0;
        }
}

TEST(ten_thousand_operations_hold)
{
    for (uint64_t seed = 1; seed <= 12; seed++) {
        struct making m;
        char why[256] = "";
        make(&m, 10000, seed % 4 == 0 ? 60 : seed % 4 == 1 ? 1 : 8, seed % 2, seed);
        if (linear_check(m.op, m.n, why) != LINEAR_HOLDS)
            test_fail(__FILE__, __LINE__, "seed %" PRIu64 ": %s", seed, why);
        free(m.op);
    }
}

/* A value that was overwritten long before this operation began. */
static const struct linear_op *overwritten(const struct making *m, size_t i)
{
    const struct linear_op *w = NULL;

    for (size_t j = 0; j < i; j++) {
        const struct linear_op *o = &m->op[j];
        if (o->key != m->op[i].key || o->outcome != LINEAR_DONE || o->kind != LINEAR_PUT
            || o->answered >= m->op[i].asked)
            continue;
        if (w == NULL)
            w = o;
        else if (o->asked > w->answered)
            return w;
    }
    return NULL;
}

/* One from the second half is made to have seen that. */
static bool spoil_past(struct making *m, size_t from, enum linear_kind kind)
{
    for (size_t i = from; i < m->n; i++) {
        const struct linear_op *w = overwritten(m, i);
        if (m->op[i].kind != kind || m->op[i].outcome != (kind == LINEAR_GET ? LINEAR_DONE : LINEAR_LOST) || w == NULL)
            continue;
        m->op[i].outcome = LINEAR_DONE;
        m->op[i].seen = w->value;
        m->op[i].rev = kind == LINEAR_GET ? w->rev : 0;
        return true;
    }
    return false;
}

static bool spoil_stale(struct making *m, size_t from) { return spoil_past(m, from, LINEAR_GET); }
static bool spoil_swap(struct making *m, size_t from) { return spoil_past(m, from, LINEAR_CAS); }

static bool spoil_value(struct making *m, size_t from)
{
    for (size_t i = from; i < m->n; i++) {
        if (m->op[i].kind != LINEAR_GET || m->op[i].outcome != LINEAR_DONE)
            continue;
        m->op[i].seen = 77777777;
        return true;
    }
    return false;
}

/* A write that was done and seen is said to have been refused. */
static bool spoil_refused(struct making *m, size_t from)
{
    for (size_t i = from; i < m->n; i++)
        for (size_t j = i; j < m->n && m->op[i].kind == LINEAR_PUT && m->op[i].outcome == LINEAR_DONE; j++) {
            if (m->op[j].kind != LINEAR_GET || m->op[j].seen != m->op[i].value || m->op[j].outcome != LINEAR_DONE)
                continue;
            m->op[i].outcome = LINEAR_FAILED;
            return true;
        }
    return false;
}

TEST(one_error_in_ten_thousand_operations)
{
    static bool (*const spoil[])(struct making *m, size_t from) =
        { spoil_stale, spoil_swap, spoil_value, spoil_refused };
    unsigned spoiled = 0;

    for (uint64_t seed = 1; seed <= 24; seed++) {
        struct making m;
        char why[256] = "";
        make(&m, 10000, seed % 4 == 1 ? 2 : 12, seed % 2, seed);
        if (spoil[seed / 2 % ARRAY_LEN(spoil)](&m, m.n / 2)) {
            spoiled++;
            enum linear_verdict v = linear_check(m.op, m.n, why);
            if (v != LINEAR_BROKEN)
                test_fail(__FILE__, __LINE__, "seed %" PRIu64 ": an error is not found: %d %s", seed, (int)v, why);
        }
        free(m.op);
    }
    CHECK(spoiled > 20);
}

/* ---- Recorded ones ------------------------------------------------------------------------------------- */

#define P(k, v, at, rev) "{\"op\":\"put\",\"key\":\"" k "\",\"value\":\"" v "\",\"result\":\"ok\",\"start\":" #at ",\"end\":" #at ",\"rev\":" #rev "}\n"
#define FROM(rev) "{\"watch\":\"w\",\"from\":" #rev "}\n"
#define EVENT(k, v, rev) "{\"watch\":\"w\",\"event\":\"put\",\"key\":\"" k "\",\"value\":\"" v "\",\"rev\":" #rev "}\n"
#define SEEN(rev) "{\"watch\":\"w\",\"seen\":" #rev "}\n"
#define WRITES P("a", "1", 1, 2) P("b", "2", 2, 3) P("a", "3", 3, 4)

static const struct { const char *what, *text, *why; } recorded[] = {
    { "all, in order", WRITES FROM(1) EVENT("a", "1", 2) EVENT("b", "2", 3) EVENT("a", "3", 4) SEEN(4), NULL },
    { "from the middle, then again", WRITES FROM(2) EVENT("b", "2", 3) SEEN(3) FROM(3) EVENT("a", "3", 4) SEEN(4), NULL },
    { "not over yet", WRITES FROM(1) EVENT("a", "1", 2) SEEN(2), NULL },
    { "one is skipped", WRITES FROM(1) EVENT("a", "1", 2) EVENT("a", "3", 4) SEEN(4), "should have told" },
    { "the last is skipped", WRITES FROM(1) EVENT("a", "1", 2) EVENT("b", "2", 3) SEEN(4), "should have told" },
    { "skipped between two heads", WRITES FROM(1) EVENT("a", "1", 2) FROM(2) EVENT("a", "3", 4) SEEN(4), "should have told" },
    { "twice", WRITES FROM(1) EVENT("a", "1", 2) EVENT("a", "1", 2) SEEN(2), "out of order, or twice" },
    { "the wrong way round", WRITES FROM(1) EVENT("b", "2", 3) EVENT("a", "1", 2), "out of order, or twice" },
    { "of the past", WRITES FROM(2) EVENT("a", "1", 2), "out of order, or twice" },
    { "another value", WRITES FROM(1) EVENT("a", "9", 2), "nobody caused" },
    { "another revision", WRITES FROM(1) EVENT("a", "1", 3), "nobody caused" },
    { "no watch", WRITES EVENT("a", "1", 2), "not begun" },
};

TEST(recorded_watches)
{
    for (size_t i = 0; i < ARRAY_LEN(recorded); i++) {
        struct history h;
        struct errbuf err = { "" };
        char why[256] = "";
        if (history_parse(&h, str_of(recorded[i].text), &err) != 0)
            test_fail(__FILE__, __LINE__, "%s: %s", recorded[i].what, err.s);
        bool holds = history_watches_hold(&h, why);
        if (holds != (recorded[i].why == NULL) || (!holds && strstr(why, recorded[i].why) == NULL))
            test_fail(__FILE__, __LINE__, "%s: %s", recorded[i].what, why);
        CHECK(linear_check(h.op, h.n_op, why) == LINEAR_HOLDS);
        history_release(&h);
    }
}

TEST(lines_that_are_none)
{
    static const char *const line[] = {
        "{", "{\"op\":\"put\"}", "{\"op\":\"jump\",\"key\":\"a\",\"result\":\"ok\",\"start\":1,\"end\":2}",
        "{\"op\":\"put\",\"key\":\"a\",\"value\":\"1\",\"result\":\"ok\",\"start\":1}",
        "{\"op\":\"put\",\"key\":\"a\",\"value\":\"1\",\"result\":\"ok\",\"start\":3,\"end\":2}",
        "{\"op\":\"get\",\"key\":\"a\",\"value\":\"1\",\"result\":\"lost\",\"start\":1,\"end\":2}",
        "{\"op\":\"cas\",\"key\":\"a\",\"value\":\"1\",\"result\":\"ok\",\"start\":1,\"end\":2}",
        "{\"nonsense\":1}", "{\"op\":\"put\"} x", "{\"start\":99999999999999999999999}", "{\"key\":\"a}", "{\"watch\":\"w\"}",
    };

    for (size_t i = 0; i < ARRAY_LEN(line); i++) {
        struct history h;
        struct errbuf err = { "" };
        char text[400];
        snprintf(text, sizeof text, "\n  \n%s", line[i]);
        if (history_parse(&h, str_of(text), &err) != E_INVALID)
            test_fail(__FILE__, __LINE__, "taken: %s", line[i]);
        CHECK(strstr(err.s, "line 3: ") != NULL);
        history_release(&h);
    }
}

TEST(a_recorded_history)
{
    static const char good[] =
        "{\"op\":\"create\",\"key\":\"a\",\"value\":\"x\",\"result\":\"ok\",\"start\":1,\"end\":2,\"rev\":5,\"client\":\"c1\"}\n"
        "{\"op\":\"cas\",\"key\":\"a\",\"expect\":\"x\",\"value\":\"y\",\"result\":\"unknown\",\"start\":3}\n"
        "{ \"op\" : \"get\", \"key\":\"a\", \"value\":\"y\", \"result\":\"ok\", \"start\":4, \"end\":5, \"at\":9 }\r\n"
        "{\"op\":\"delete\",\"key\":\"a\",\"result\":\"ok\",\"start\":6,\"end\":7}\n"
        "{\"op\":\"get\",\"key\":\"a\",\"value\":\"\",\"result\":\"ok\",\"start\":8,\"end\":9}";
    static const char more[] = "\n{\"op\":\"get\",\"key\":\"a\",\"value\":\"y\",\"result\":\"ok\",\"start\":10,\"end\":11}";
    struct errbuf err = { "" };
    char both[2000], why[256];

    snprintf(both, sizeof both, "%s%s", good, more);
    for (int bad = 0; bad <= 1; bad++) {
        struct history h;
        CHECK_INT(history_parse(&h, str_of(bad ? both : good), &err), 0);
        CHECK_INT(linear_check(h.op, h.n_op, why), bad ? LINEAR_BROKEN : LINEAR_HOLDS);
        history_release(&h);
    }
}
