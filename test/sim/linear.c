/* test/sim/linear.c: from what clients were told to steps that can be ordered; what revisions alone tell. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include "test/sim/linear_impl.h"

static const char *const kind_name[LINEAR_KINDS] = { "get", "put", "cas", "delete" };

static enum linear_verdict broken_by(const struct linear_op *op, char why[256], const char *what)
{
    snprintf(why, 256, "op %zu (%s of key %" PRIx64 ", asked at %" PRIu64 ", answered at %" PRIu64 "): %s", op->id,
             kind_name[op->kind], op->key, op->asked, op->answered, what);
    return LINEAR_BROKEN;
}

static bool op_writes(const struct linear_op *op)
{
    return op->kind != LINEAR_GET && op->outcome != LINEAR_LOST && op->outcome != LINEAR_FAILED;
}

static int by_key(const void *a, const void *b)
{
    const struct linear_op *x = a, *y = b;

    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    if (x->asked != y->asked)
        return x->asked < y->asked ? -1 : 1;
    return (x->id > y->id) - (x->id < y->id);
}

static int by_number(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* ---- Steps ----------------------------------------------------------------------------------------- */

static struct linear_step step_of(const struct linear_op *op)
{
    struct linear_step s = { .op = op, .from = op->asked, .until = op->answered, .writes = op_writes(op) };

    s.value = op->kind == LINEAR_DELETE ? 0 : op->value;
    s.than = op->kind == LINEAR_DELETE ? 0 : op->seen;
    s.rev = s.writes ? op->rev : 0;
    switch (op->kind) {
    case LINEAR_GET:    s.needs = NEEDS_EQUAL; break;
    case LINEAR_PUT:    s.needs = NEEDS_NOTHING; break;
    case LINEAR_CAS:    s.needs = op->outcome == LINEAR_LOST ? NEEDS_OTHER : NEEDS_EQUAL; break;
    default:            s.needs = op->outcome == LINEAR_LOST ? NEEDS_EQUAL : NEEDS_OTHER; break;
    }
    if (op->outcome == LINEAR_UNKNOWN) {
        s.optional = true;
        s.rev = 0;
        s.until = LINEAR_NEVER;
    }
    return s;
}

struct seen { uint64_t value, until, rev; };

static int seen_by_value(const void *a, const void *b)
{
    const struct seen *x = a, *y = b;

    if (x->value != y->value)
        return x->value < y->value ? -1 : 1;
    return (x->until > y->until) - (x->until < y->until);
}

static const struct seen *seen_find(const struct seen *v, size_t n, uint64_t value)
{
    size_t lo = 0;

    while (n > 0) {                              /* the first of them: seen soonest */
        if (v[lo + n / 2].value < value) {
            lo += n / 2 + 1;
            n -= n / 2 + 1;
        } else {
            n /= 2;
        }
    }
    return v[lo].value == value ? &v[lo] : NULL;
}

/* Who saw which value, and when at the soonest, as far as it is certain; behind the last one that never matches. */
static size_t seen_list(const struct linear_step *step, size_t n, struct seen *v)
{
    size_t m = 0;

    for (size_t i = 0; i < n; i++)
        if (!step[i].optional && step[i].needs == NEEDS_EQUAL && step[i].than != 0)
            v[m++] = (struct seen){ step[i].than, step[i].until, step[i].writes ? 0 : step[i].op->rev };
    if (m > 0)
        qsort(v, m, sizeof(*v), seen_by_value);
    v[m] = (struct seen){ .value = 0 };
    return m;
}

/* Values that are written once: who saw one saw that write. */
static bool written_once(const struct linear_op *op, size_t n)
{
    struct seen *v = mem_alloc((n + 1) * sizeof(*v));
    size_t m = 0;
    bool once = true;

    for (size_t i = 0; i < n; i++)
        if (op_writes(&op[i]) && op[i].kind != LINEAR_DELETE && op[i].value != 0)
            v[m++] = (struct seen){ .value = op[i].value };
    if (m > 0)
        qsort(v, m, sizeof(*v), seen_by_value);
    for (size_t i = 1; i < m; i++)
        once &= v[i].value != v[i - 1].value;
    mem_free(v);
    return once;
}

/* An operation whose answer a write that nobody saw might explain. */
static bool asks_for_more(const struct linear_op *op)
{
    if (op->kind == LINEAR_CAS)
        return op->outcome == LINEAR_LOST || (op->seen == 0 && op->outcome == LINEAR_DONE);
    return op->kind == LINEAR_DELETE || (op->kind == LINEAR_GET && op->seen == 0);
}

/* What is seen did happen, before it was seen, and has the revision it was seen with; so did what that one saw, in
 * its turn.  True: something new was learned. */
static bool steps_learn(struct linear_step *step, size_t n, struct seen *seen)
{
    size_t n_seen = seen_list(step, n, seen);
    bool learned = false;

    for (size_t i = 0; i < n; i++) {
        struct linear_step *s = &step[i];
        const struct seen *by = s->writes && s->value != 0 ? seen_find(seen, n_seen, s->value) : NULL;
        if (by == NULL)
            continue;
        learned |= s->optional || s->until > by->until;
        s->until = MIN_OF(s->until, by->until);
        s->optional = false;
        for (; s->rev == 0 && by->value == s->value; by++)
            s->rev = by->rev;
    }
    return learned;
}

/* Of what may have happened, and was seen by nobody: none, where it could explain nothing; else one is as good as
 * another. */
static size_t steps_unseen(struct linear_step *step, size_t n, bool more)
{
    uint64_t *asked_for = mem_alloc((n + 1) * sizeof(*asked_for));
    size_t m = 0, n_asked = 0;

    for (size_t i = 0; i < n; i++)
        if (step[i].needs != NEEDS_NOTHING)
            asked_for[n_asked++] = step[i].than;
    if (n_asked > 0)
        qsort(asked_for, n_asked, sizeof(*asked_for), by_number);
    for (size_t i = 0; i < n; i++) {
        struct linear_step s = step[i];
        bool unseen = s.value != 0 && bsearch(&s.value, asked_for, n_asked, sizeof(*asked_for), by_number) == NULL;
        if (s.optional && unseen && !more)
            continue;
        if (s.writes && unseen)
            s.value = LINEAR_NEVER;
        step[m++] = s;
    }
    mem_free(asked_for);
    return m;
}

static size_t steps_of_key(const struct linear_op *op, size_t n, struct linear_step *step)
{
    struct seen *seen = mem_alloc((n + 1) * sizeof(*seen));
    bool once = written_once(op, n), more = false;
    size_t m = 0;

    for (size_t i = 0; i < n; i++) {
        more |= asks_for_more(&op[i]);
        if (op[i].outcome != LINEAR_FAILED && (op[i].kind != LINEAR_GET || op[i].outcome != LINEAR_UNKNOWN))
            step[m++] = step_of(&op[i]);
    }
    while (once && steps_learn(step, m, seen))
        continue;
    mem_free(seen);
    return once ? steps_unseen(step, m, more) : m;
}

/* ---- Revisions ------------------------------------------------------------------------------------- */

static int by_answer(const void *a, const void *b)
{
    const struct linear_op *x = *(const struct linear_op *const *)a, *y = *(const struct linear_op *const *)b;

    return (x->answered > y->answered) - (x->answered < y->answered);
}

static int by_asking(const void *a, const void *b)
{
    const struct linear_op *x = *(const struct linear_op *const *)a, *y = *(const struct linear_op *const *)b;

    return (x->asked > y->asked) - (x->asked < y->asked);
}

static bool answers(const struct linear_op *op) { return op->outcome == LINEAR_DONE || op->outcome == LINEAR_LOST; }

static enum linear_verdict revs_in_time(struct linear_op *const *asked, struct linear_op *const *answered, size_t n,
                                        char why[256])
{
    uint64_t floor = 0;
    size_t next = 0;

    for (size_t i = 0; i < n; i++) {
        const struct linear_op *op = asked[i];
        for (; next < n && answered[next]->answered < op->asked; next++)
            if (answers(answered[next]))
                floor = MAX_OF(floor, MAX_OF(answered[next]->rev, answered[next]->at));
        if (!answers(op))
            continue;
        if (op_writes(op) && op->rev != 0 && op->rev <= floor)
            return broken_by(op, why, "it was written at a revision that had been told before it began");
        if (op->at != 0 && op->at < floor)
            return broken_by(op, why, "its answer is of an older revision than one that was told before it began");
        if (op->kind == LINEAR_GET && op->at != 0 && op->rev > op->at)
            return broken_by(op, why, "what it saw is newer than the state it is said to be of");
    }
    return LINEAR_HOLDS;
}

static enum linear_verdict check_revs(struct linear_op *op, size_t n, char why[256])
{
    struct linear_op **asked = mem_alloc((n + 1) * sizeof(*asked)), **answered = mem_alloc((n + 1) * sizeof(*answered));

    for (size_t i = 0; i < n; i++)
        asked[i] = answered[i] = &op[i];
    if (n > 0) {
        qsort(asked, n, sizeof(*asked), by_asking);
        qsort(answered, n, sizeof(*answered), by_answer);
    }
    enum linear_verdict v = revs_in_time(asked, answered, n, why);
    mem_free(asked);
    mem_free(answered);
    return v;
}

struct told { uint64_t value, rev; const struct linear_op *op; };

static int told_by_value(const void *a, const void *b)
{
    const struct told *x = a, *y = b;

    if (x->value != y->value)
        return x->value < y->value ? -1 : 1;
    return (x->rev > y->rev) - (x->rev < y->rev);
}

static int told_by_rev(const void *a, const void *b)
{
    const struct told *x = a, *y = b;

    if (x->rev != y->rev)
        return x->rev < y->rev ? -1 : 1;
    return (x->value > y->value) - (x->value < y->value);
}

/* Of one key: a value has one revision, and a revision one value. */
static enum linear_verdict check_told(const struct linear_op *op, size_t n, char why[256])
{
    struct told *v = mem_alloc((n + 1) * sizeof(*v));
    enum linear_verdict r = LINEAR_HOLDS;
    size_t m = 0;

    for (size_t i = 0; i < n; i++) {
        uint64_t value = op[i].kind == LINEAR_GET ? op[i].seen : op[i].kind == LINEAR_DELETE ? 0 : op[i].value;
        if (op[i].outcome == LINEAR_DONE && value != 0 && op[i].rev != 0)
            v[m++] = (struct told){ value, op[i].rev, &op[i] };
    }
    if (m > 0 && written_once(op, n)) {
        qsort(v, m, sizeof(*v), told_by_value);
        for (size_t i = 1; i < m && r == LINEAR_HOLDS; i++)
            if (v[i].value == v[i - 1].value && v[i].rev != v[i - 1].rev)
                r = broken_by(v[i].op, why, "its value was told with another revision, too");
    }
    if (m > 0)
        qsort(v, m, sizeof(*v), told_by_rev);
    for (size_t i = 1; i < m && r == LINEAR_HOLDS; i++)
        if (v[i].rev == v[i - 1].rev && v[i].value != v[i - 1].value)
            r = broken_by(v[i].op, why, "its revision was told with another value, too");
    mem_free(v);
    return r;
}

/* ---- All of it --------------------------------------------------------------------------------------- */

static enum linear_verdict check_key(const struct linear_op *op, size_t n, struct linear_step *step, char why[256])
{
    const struct linear_step *stuck;
    enum linear_verdict v = check_told(op, n, why);

    if (v != LINEAR_HOLDS)
        return v;
    v = linear_search(step, steps_of_key(op, n, step), &stuck);
    if (v == LINEAR_BROKEN)
        return broken_by(stuck->op, why, "no order of what is known explains its answer");
    if (v == LINEAR_UNDECIDED)
        broken_by(stuck->op, why, "not decided: more orders than can be tried lead there");
    return v;
}

enum linear_verdict linear_check(struct linear_op *op, size_t n, char why[256])
{
    enum linear_verdict v, worst;
    struct linear_step *step = mem_alloc((n + 1) * sizeof(*step));

    if (n > 0)
        qsort(op, n, sizeof(*op), by_key);
    worst = check_revs(op, n, why);
    for (size_t i = 0, j; i < n && worst != LINEAR_BROKEN; i = j) {
        char reason[256];
        for (j = i; j < n && op[j].key == op[i].key; j++)
            continue;
        v = check_key(op + i, j - i, step, reason);
        if (v == LINEAR_HOLDS)
            continue;
        worst = v;
        memcpy(why, reason, sizeof reason);
    }
    mem_free(step);
    return worst;
}
