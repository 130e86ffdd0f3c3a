/* api/regex_run.c: a program run over a text, all its threads side by side.
 *
 * A thread is an instruction and where its match began.  Threads stand in the order of preference, and no
 * two at the same instruction: so a step costs at most the length of the program, and the first to arrive is
 * the match that a backtracking search would find. */
#include "api/regex_impl.h"
#include "api/utf8.h"

/* Where a thread is: what stands before and after. */
struct place { size_t at; uint32_t before, after; };

struct run {
    struct regex *re;
    struct str text;
};

unsigned regex_rune(struct str text, size_t at, uint32_t *ret)
{
    const unsigned char *u = (const unsigned char *)text.p + at;
    unsigned n;

    if (at >= text.n) {
        *ret = REGEX_NO_RUNE;
        return 0;
    }
    n = utf8_len(text.p + at, text.p + text.n);
    switch (n) {
    case 1: *ret = u[0]; break;
    case 2: *ret = (uint32_t)(u[0] & 0x1f) << 6 | (u[1] & 0x3f); break;
    case 3: *ret = (uint32_t)(u[0] & 0x0f) << 12 | (uint32_t)(u[1] & 0x3f) << 6 | (u[2] & 0x3f); break;
    case 4:
        *ret = (uint32_t)(u[0] & 0x07) << 18 | (uint32_t)(u[1] & 0x3f) << 12 | (uint32_t)(u[2] & 0x3f) << 6 |
               (u[3] & 0x3f);
        break;
    default: *ret = 0xfffd; return 1;
    }
    return n;
}

static uint32_t rune_before(struct str text, size_t at)
{
    uint32_t rune = REGEX_NO_RUNE;
    size_t   from = at > 4 ? at - 4 : 0;

    while (from < at && ((unsigned char)text.p[from] & 0xc0) == 0x80)
        from++;
    while (from < at)
        from += regex_rune(text, from, &rune);
    return rune;
}

static bool is_word(uint32_t r)
{
    return (r >= '0' && r <= '9') || (r >= 'A' && r <= 'Z') || r == '_' || (r >= 'a' && r <= 'z');
}

static bool holds(enum regex_assert what, const struct place *p, size_t end)
{
    switch (what) {
    case RE_TEXT_BEGIN: return p->at == 0;
    case RE_TEXT_END:   return p->at == end;
    case RE_LINE_BEGIN: return p->at == 0 || p->before == '\n';
    case RE_LINE_END:   return p->at == end || p->after == '\n';
    case RE_WORD:       return is_word(p->before) != is_word(p->after);
    case RE_NO_WORD:    return is_word(p->before) == is_word(p->after);
    }
    return false;
}

void regex_make_room(struct regex *re)
{
    if (re->stack != NULL)
        return;
    for (int i = 0; i < 2; i++) {
        re->threads[i].pc = arena_alloc(re->arena, re->n * sizeof(uint32_t));
        re->threads[i].where = arena_zalloc(re->arena, re->n * sizeof(uint32_t));
        re->threads[i].start = arena_alloc(re->arena, re->n * sizeof(size_t));
        re->threads[i].n = 0;
    }
    /* Each instruction leaves at most two behind while it is looked at, and is looked at once. */
    re->stack = arena_alloc(re->arena, (2 * re->n + 2) * sizeof(uint32_t));
}

/* Follow what takes no character, from pc on. */
static void add_thread(struct run *r, struct regex_threads *to, uint32_t pc, const struct place *p,
                       size_t start)
{
    struct regex *re = r->re;
    unsigned      depth = 0;

    re->stack[depth++] = pc;
    while (depth > 0) {
        const struct regex_inst *in;
        pc = re->stack[--depth];
        if (regex_threads_have(to, pc))
            continue;
        to->where[pc] = to->n;
        to->pc[to->n] = pc;
        to->start[to->n++] = start;
        re->steps++;
        in = &re->inst[pc];
        if (in->op == OP_JUMP) {
            re->stack[depth++] = in->x;
        } else if (in->op == OP_SPLIT) {
            re->stack[depth++] = in->y;
            re->stack[depth++] = in->x;
        } else if (in->op == OP_ASSERT && holds(in->assertion, p, r->text.n)) {
            re->stack[depth++] = pc + 1;
        }
    }
}

/* All threads over the character after `here`.  True: one has arrived; those behind it are dropped. */
static bool step(struct run *r, const struct regex_threads *from, struct regex_threads *to,
                 const struct place *here, const struct place *next, struct regex_span *ret)
{
    to->n = 0;
    for (unsigned i = 0; i < from->n; i++) {
        const struct regex_inst *in = &r->re->inst[from->pc[i]];
        if (in->op == OP_MATCH) {
            *ret = (struct regex_span){ from->start[i], here->at };
            return true;
        }
        if (here->after != REGEX_NO_RUNE && regex_inst_takes(in, here->after))
            add_thread(r, to, from->pc[i] + 1, next, from->start[i]);
    }
    r->re->steps += from->n;
    return false;
}

int regex_find(struct regex *re, struct str text, size_t from, struct regex_span *ret)
{
    struct run   r = { .re = re, .text = text };
    struct place here = { .at = from }, next;
    bool         found = false;
    int          cur = 0;

    must(from <= text.n);
    regex_make_room(re);
    re->threads[0].n = 0;
    re->steps = 0;
    here.before = rune_before(text, from);
    for (unsigned len = regex_rune(text, from, &here.after);; cur = !cur) {
        if (!found && (here.at == 0 || !re->anchored))
            add_thread(&r, &re->threads[cur], 0, &here, here.at);
        if (re->threads[cur].n == 0)
            return found;
        next = (struct place){ .at = here.at + len, .before = here.after };
        len = regex_rune(text, next.at, &next.after);
        found |= step(&r, &re->threads[cur], &re->threads[!cur], &here, &next, ret);
        if (here.after == REGEX_NO_RUNE)
            return found;
        if (re->steps > REGEX_MAX_STEPS)
            return E_TOOBIG;
        here = next;
    }
}

int regex_match(struct regex *re, struct str text)
{
    struct regex_span ignored;
    int               rc = re->plain ? regex_dfa_match(re, text) : E_AGAIN;

    return rc == E_AGAIN ? regex_find(re, text, 0, &ignored) : rc;
}

uint32_t regex_steps(const struct regex *re) { return re->steps; }
