/* test/sim/linear_search.c: one order of the steps of a key, or the proof that there is none.
 *
 * Pending steps stand in a list in the order they were asked; a step may come next when it was asked before the
 * soonest deadline of those that stand there.  Depth first, undoing what led nowhere.  What keeps it short:
 *     - a step that only looks is taken as soon as it fits, and never undone for its own sake: it changes nothing
 *     - writes whose revisions are known come in that order
 *     - what may never have happened is tried last
 *     - a set of steps taken, with the state it leaves, is tried once: it is remembered by a 128-bit hash.  Of what
 *       may never have happened the less is used up the better: more of it, all else equal, is not tried again
 * First as if what may never have happened could happen any number of times: that needs no account of what is used
 * up, is quick, and finds nearly all that is broken.  Then exactly, as far as LINEAR_STATES reach. */
#include "test/sim/linear_impl.h"

#define MAX_COMPARED 64                          /* records: more are rarely worth the time */

struct frame { uint64_t state; uint32_t step, rev_at, soonest; bool forced; };

struct search {
    const struct linear_step *step;
    bool     reuse;                              /* what may never have happened may happen again and again */
    uint32_t n, mandatory;                       /* mandatory: not yet taken */
    uint32_t *next, *prev;                       /* circular lists of pending steps; n: of those that must be taken, */
                                                 /* n + 1: of those that may */
    uint32_t *by_until;                          /* the mandatory ones, soonest deadline first ... */
    uint32_t soonest;                            /* ... and the first of them that is not taken */
    bool     *taken;
    uint32_t *alike;                             /* of one that may be taken: the one before it that does the same, or n */
    uint32_t *by_rev, n_rev, rev_at;             /* writes with revisions, in that order */
    uint64_t state, set[2];
    struct frame *stack; uint32_t depth, cap_stack, deepest;
    const struct linear_step *stuck;
    /* By what was taken of those that must be: what was used up of the others, a bit for each, chained. */
    struct tried { uint64_t h[2]; uint32_t newest; } *tried; uint32_t n_tried, cap_tried;
    uint32_t *used_before; uint64_t *used; uint32_t n_used, cap_used;
    uint32_t *bit, words;
    uint64_t *using;
};

static uint64_t mix(uint64_t x)
{
    x = (x ^ (x >> 31)) * 0x7fb5d329728ea185u;
    x = (x ^ (x >> 27)) * 0x81dadef4bc2dd44du;
    return x ^ (x >> 33);
}

/* ---- What was tried -------------------------------------------------------------------------------- */

static struct tried *tried_find(struct search *s, uint64_t a, uint64_t b)
{
    uint32_t i = (uint32_t)a & (s->cap_tried - 1);

    while (s->tried[i].newest != 0 && (s->tried[i].h[0] != a || s->tried[i].h[1] != b))
        i = (i + 1) & (s->cap_tried - 1);
    return &s->tried[i];
}

static void tried_grow(struct search *s)
{
    uint32_t was_cap = s->cap_tried;
    struct tried *was = s->tried;

    s->cap_tried = was_cap > 0 ? 2 * was_cap : 1024;
    s->tried = mem_zalloc((size_t)s->cap_tried * sizeof(*s->tried));
    for (uint32_t i = 0; i < was_cap; i++)
        if (was[i].newest != 0)
            *tried_find(s, was[i].h[0], was[i].h[1]) = was[i];
    mem_free(was);
}

static bool used_no_less(const struct search *s, uint32_t record)
{
    const uint64_t *then = s->used + (size_t)record * s->words;

    for (uint32_t i = 0; i < s->words; i++)
        if (then[i] & ~s->using[i])
            return false;
    return true;
}

/* False: there is nothing new in it.  Record 0 is none. */
static bool tried_add(struct search *s, uint64_t a, uint64_t b)
{
    struct tried *t;

    if (2 * s->n_tried >= s->cap_tried)
        tried_grow(s);
    t = tried_find(s, a, b);
    for (uint32_t r = t->newest, n = 0; r != 0 && n < MAX_COMPARED; r = s->used_before[r], n++)
        if (used_no_less(s, r))
            return false;
    if (s->n_used >= s->cap_used) {
        s->cap_used = s->cap_used > 0 ? 2 * s->cap_used : 1024;
        s->used_before = mem_realloc(s->used_before, s->cap_used * sizeof(*s->used_before));
        s->used = mem_realloc(s->used, (size_t)s->cap_used * s->words * sizeof(*s->used));
    }
    memcpy(s->used + (size_t)s->n_used * s->words, s->using, s->words * sizeof(*s->used));
    s->used_before[s->n_used] = t->newest;
    s->n_tried += t->newest == 0;
    *t = (struct tried){ { a, b }, s->n_used++ };
    return true;
}

/* ---- Steps ----------------------------------------------------------------------------------------- */

static void list_drop(struct search *s, uint32_t i)
{
    s->next[s->prev[i]] = s->next[i];
    s->prev[s->next[i]] = s->prev[i];
}

static void list_back(struct search *s, uint32_t i)
{
    s->next[s->prev[i]] = i;
    s->prev[s->next[i]] = i;
}

static void search_toggle(struct search *s, uint32_t i)
{
    if (s->reuse && s->step[i].optional)
        return;
    s->taken[i] = !s->taken[i];
    if (s->step[i].optional) {
        s->using[s->bit[i] / 64] ^= 1ull << s->bit[i] % 64;
        return;
    }
    s->set[0] ^= mix(2 * (uint64_t)i + 1);
    s->set[1] ^= mix(0x5851f42d4c957f2du * ((uint64_t)i + 7));
}

static bool in_rev_order(const struct search *s, uint32_t i)
{
    return s->step[i].rev == 0 || !s->step[i].writes || (s->rev_at < s->n_rev && s->by_rev[s->rev_at] == i);
}

/* Until when one of those that must be taken has to be. */
static uint64_t search_deadline(struct search *s)
{
    while (s->soonest < s->n && s->taken[s->by_until[s->soonest]])
        s->soonest++;
    return s->soonest < s->n ? s->step[s->by_until[s->soonest]].until : LINEAR_NEVER;
}

/* Takes a step unless that is known to lead nowhere. */
static bool search_take(struct search *s, uint32_t i, bool forced)
{
    const struct linear_step *t = &s->step[i];
    uint64_t state = t->writes ? t->value : s->state;

    search_toggle(s, i);
    if (!tried_add(s, s->set[0] ^ mix(state), s->set[1] + 0x9e3779b97f4a7c15u * mix(state ^ 0x1234567))) {
        search_toggle(s, i);
        return false;
    }
    if (s->depth == s->cap_stack) {
        s->cap_stack = s->cap_stack > 0 ? 2 * s->cap_stack : 1024;
        s->stack = mem_realloc(s->stack, s->cap_stack * sizeof(*s->stack));
    }
    s->stack[s->depth++] = (struct frame){ s->state, i, s->rev_at, s->soonest, forced };
    s->state = state;
    s->rev_at += t->writes && t->rev != 0;
    s->mandatory -= !t->optional;
    if (s->taken[i])
        list_drop(s, i);
    search_deadline(s);
    if (s->depth > s->deepest && s->soonest < s->n) {
        s->deepest = s->depth;
        s->stuck = &s->step[s->by_until[s->soonest]];
    }
    return true;
}

static uint32_t search_undo(struct search *s, bool *ret_forced)
{
    struct frame f = s->stack[--s->depth];

    if (s->taken[f.step])
        list_back(s, f.step);
    search_toggle(s, f.step);
    s->state = f.state;
    s->rev_at = f.rev_at;
    s->mandatory += !s->step[f.step].optional;
    s->soonest = f.soonest;
    *ret_forced = f.forced;
    return f.step;
}

/* A step that only looks and fits now. */
static bool search_look(struct search *s, uint64_t deadline)
{
    for (uint32_t i = s->next[s->n]; i < s->n && s->step[i].from <= deadline; i = s->next[i])
        if (!s->step[i].writes && linear_step_fits(&s->step[i], s->state) && search_take(s, i, true))
            return true;
    return false;
}

/* Of those that do the same and may never have happened, the one asked first; none that changes nothing. */
static bool worth_it(const struct search *s, uint32_t i)
{
    return !s->step[i].optional
        || ((s->alike[i] == s->n || s->taken[s->alike[i]]) && s->step[i].value != s->state);
}

/* The next candidate behind `after` (of either list; its head: from the start). */
static bool search_write(struct search *s, uint32_t after, uint64_t deadline)
{
    uint32_t i = s->next[after];

    for (;; i = s->next[i]) {
        if (i == s->n || (i < s->n && !s->step[i].optional && s->step[i].from > deadline))
            i = s->next[s->n + 1];               /* on with those that may never have happened */
        if (i > s->n || s->step[i].from > deadline)
            return false;
        if (s->step[i].writes && linear_step_fits(&s->step[i], s->state) && in_rev_order(s, i) && worth_it(s, i)
            && search_take(s, i, false))
            return true;
    }
}

static enum linear_verdict search_run(struct search *s)
{
    uint32_t after = s->n;

    while (s->mandatory > 0) {
        uint64_t deadline = search_deadline(s);
        bool forced;
        if (s->n_used > LINEAR_STATES)
            return LINEAR_UNDECIDED;
        if ((after == s->n && search_look(s, deadline)) || search_write(s, after, deadline)) {
            after = s->n;
            continue;
        }
        do {
            if (s->depth == 0)
                return LINEAR_BROKEN;
            after = search_undo(s, &forced);
        } while (forced);
    }
    return LINEAR_HOLDS;
}

/* ---- All of it ------------------------------------------------------------------------------------- */

static void search_alike(struct search *s, uint32_t i)
{
    const struct linear_step *a = &s->step[i];

    s->alike[i] = s->n;
    for (uint32_t j = i; a->optional && s->alike[i] == s->n && j-- > 0; ) {
        const struct linear_step *b = &s->step[j];
        if (b->optional && b->needs == a->needs && b->than == a->than && b->value == a->value)
            s->alike[i] = j;
    }
}

/* By insertion: steps come nearly in order. */
static void search_order(struct search *s)
{
    for (uint32_t i = 0; i < s->n; i++) {
        uint32_t at = i;
        search_alike(s, i);
        for (; at > 0 && s->step[s->by_until[at - 1]].until > s->step[i].until; at--)
            s->by_until[at] = s->by_until[at - 1];
        s->by_until[at] = i;
        if (!s->step[i].writes || s->step[i].rev == 0)
            continue;
        for (at = s->n_rev++; at > 0 && s->step[s->by_rev[at - 1]].rev > s->step[i].rev; at--)
            s->by_rev[at] = s->by_rev[at - 1];
        s->by_rev[at] = i;
    }
}

static void search_lists(struct search *s)
{
    for (uint32_t head = s->n; head <= s->n + 1; head++)
        s->next[head] = s->prev[head] = head;
    for (uint32_t i = 0, bits = 0; i < s->n; i++) {
        uint32_t head = s->n + s->step[i].optional;
        s->bit[i] = bits;
        bits += s->step[i].optional;
        s->words = bits / 64 + 1;
        s->mandatory += !s->step[i].optional;
        s->next[i] = head;
        s->prev[i] = s->prev[head];
        list_back(s, i);
    }
}

static enum linear_verdict search(const struct linear_step *step, size_t n, bool reuse,
                                  const struct linear_step **ret_stuck)
{
    struct search s = { .step = step, .n = (uint32_t)n, .reuse = reuse };

    s.next = mem_alloc(2 * (n + 2) * sizeof(*s.next));
    s.prev = s.next + n + 2;
    s.by_until = mem_alloc(4 * (n + 1) * sizeof(*s.by_until));
    s.by_rev = s.by_until + n + 1;
    s.alike = s.by_rev + n + 1;
    s.bit = s.alike + n + 1;
    s.using = mem_zalloc((n / 64 + 1) * sizeof(*s.using));
    s.words = s.n_used = 1;
    s.taken = mem_zalloc((n + 1) * sizeof(*s.taken));
    search_order(&s);
    search_lists(&s);
    search_deadline(&s);
    s.stuck = s.soonest < s.n ? &step[s.by_until[s.soonest]] : step;
    enum linear_verdict v = search_run(&s);
    *ret_stuck = s.stuck;
    mem_free(s.next);
    mem_free(s.by_until);
    mem_free(s.taken);
    mem_free(s.stack);
    mem_free(s.tried);
    mem_free(s.used_before);
    mem_free(s.used);
    mem_free(s.using);
    return v;
}

enum linear_verdict linear_search(const struct linear_step *step, size_t n, const struct linear_step **ret_stuck)
{
    const struct linear_step *stuck;
    enum linear_verdict v = search(step, n, true, ret_stuck);

    if (v == LINEAR_HOLDS && search(step, n, false, &stuck) == LINEAR_BROKEN) {
        *ret_stuck = stuck;
        return LINEAR_BROKEN;
    }
    return v;
}
