/* api/regex_dfa.c: a yes or no about a text, with the sets of threads remembered as states.
 *
 * States are made when a text first leads to them, and what an ASCII character leads to is kept; other
 * characters are worked out each time.  The number of states is bounded: when there are too many, the caller
 * falls back to running the threads.  Only \A and \z (^ and $ without m) are known here: the first holds in
 * the first state only, the second is asked about at the end. */
#include "api/regex_impl.h"

#define DFA_STATES 512u
#define DFA_MEMORY ((size_t)512 << 10)
#define DFA_UNKNOWN UINT16_MAX

struct state {
    uint16_t  next[128];
    bool      match, match_at_end;
    unsigned  n;
    uint32_t *pc;                                /* sorted; only what takes a character */
};
struct regex_dfa {
    struct state *state[DFA_STATES];             /* 0: where texts begin */
    unsigned n;
    size_t   used;
};

/* Into threads[0], what follows from pc without a character, at the text's begin, its end or between. */
static bool closure(struct regex *re, uint32_t pc, bool begin, bool end)
{
    struct regex_threads *t = &re->threads[0];
    bool     match = false;
    unsigned depth = 0;

    re->stack[depth++] = pc;
    while (depth > 0) {
        const struct regex_inst *in;
        pc = re->stack[--depth];
        if (regex_threads_have(t, pc))
            continue;
        t->where[pc] = t->n;
        t->pc[t->n++] = pc;
        in = &re->inst[pc];
        if (in->op == OP_MATCH)
            match = true;
        if (in->op == OP_SPLIT)
            re->stack[depth++] = in->y;
        if (in->op == OP_JUMP || in->op == OP_SPLIT)
            re->stack[depth++] = in->x;
        if (in->op == OP_ASSERT && (in->assertion == RE_TEXT_BEGIN ? begin : end))
            re->stack[depth++] = pc + 1;
    }
    return match;
}

/* threads[0] in the program's order, without what the closure only went through, in threads[1]. */
static unsigned leaves(struct regex *re)
{
    uint32_t *to = re->threads[1].pc;
    unsigned  n = 0;

    for (uint32_t pc = 0; pc < re->n; pc++) {
        const struct regex_inst *in = &re->inst[pc];
        if (in->op != OP_CHAR && in->op != OP_CLASS && !(in->op == OP_ASSERT && in->assertion == RE_TEXT_END))
            continue;
        if (regex_threads_have(&re->threads[0], pc))
            to[n++] = pc;
    }
    return n;
}

/* The state of threads[0]: a known one or a new one.  False: there are too many. */
static bool intern(struct regex *re, bool match, bool begin, uint16_t *ret)
{
    struct regex_dfa *dfa = re->dfa;
    const uint32_t   *pc = re->threads[1].pc;
    unsigned          n = leaves(re);
    struct state     *s;

    for (unsigned i = begin ? dfa->n : 1; i < dfa->n; i++) {   /* what $ says at the begin is its own */
        s = dfa->state[i];
        if (s->n == n && s->match == match && memcmp(s->pc, pc, n * sizeof *pc) == 0) {
            *ret = (uint16_t)i;
            return true;
        }
    }
    if (dfa->n == DFA_STATES || dfa->used + sizeof *s + n * sizeof *pc > DFA_MEMORY)
        return false;
    s = arena_new(re->arena, struct state);
    memset(s->next, 0xff, sizeof s->next);
    s->match = match;
    s->n = n;
    s->pc = arena_alloc(re->arena, n * sizeof *pc);
    memcpy(s->pc, pc, n * sizeof *pc);
    re->threads[0].n = 0;
    s->match_at_end = match;
    for (unsigned i = 0; i < n && !s->match_at_end; i++)
        if (re->inst[s->pc[i]].op == OP_ASSERT)
            s->match_at_end = closure(re, s->pc[i], begin, true);
    dfa->used += sizeof *s + n * sizeof *pc;
    *ret = (uint16_t)dfa->n;
    dfa->state[dfa->n++] = s;
    return true;
}

static bool dfa_step(struct regex *re, const struct state *s, uint32_t rune, uint16_t *ret)
{
    bool match = false;

    re->threads[0].n = 0;
    for (unsigned i = 0; i < s->n; i++)
        if (regex_inst_takes(&re->inst[s->pc[i]], rune))
            match |= closure(re, s->pc[i] + 1, false, false);
    if (!re->anchored)
        match |= closure(re, 0, false, false);
    return intern(re, match, false, ret);
}

static bool dfa_start(struct regex *re)
{
    uint16_t first;
    bool     match;

    regex_make_room(re);
    re->dfa = arena_new(re->arena, struct regex_dfa);
    re->threads[0].n = 0;
    match = closure(re, 0, true, false);
    return intern(re, match, true, &first);
}

int regex_dfa_match(struct regex *re, struct str text)
{
    struct state *s;
    uint32_t      steps = 0;

    if (re->dfa == NULL && !dfa_start(re))
        return E_AGAIN;
    if (re->dfa->n == 0)
        return E_AGAIN;
    s = re->dfa->state[0];
    for (size_t at = 0; at < text.n && !s->match; at++) {
        unsigned char c = (unsigned char)text.p[at];
        uint16_t      to = c < 128 ? s->next[c] : DFA_UNKNOWN;
        if (s->n == 0 && re->anchored)
            return 0;
        if (to == DFA_UNKNOWN) {
            uint32_t rune;
            unsigned len = regex_rune(text, at, &rune);
            if ((steps += re->n + re->dfa->n) > REGEX_MAX_STEPS)
                return E_TOOBIG;
            if (!dfa_step(re, s, rune, &to))
                return E_AGAIN;
            if (c < 128)
                s->next[c] = to;
            at += len - 1;
        }
        s = re->dfa->state[to];
    }
    return s->match || s->match_at_end;
}
