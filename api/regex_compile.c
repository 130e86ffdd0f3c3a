/* api/regex_compile.c: the tree as a program of few instructions, each going on to the next. */
#include "api/regex_impl.h"

struct emit {
    struct regex *re;
    unsigned cap;
    struct errbuf *err;
};

static int emit(struct emit *e, enum regex_op op, unsigned *ret_pc)
{
    struct regex *re = e->re;

    if (re->n == REGEX_MAX_INSTS)
        return err_set(e->err, E_TOOBIG, "error parsing regexp: expression too large");
    if (re->n == e->cap) {
        struct regex_inst *more = arena_alloc(re->arena, (e->cap * 2 + 16) * sizeof *more);
        if (re->n > 0)
            memcpy(more, re->inst, re->n * sizeof *more);
        re->inst = more;
        e->cap = e->cap * 2 + 16;
    }
    *ret_pc = re->n;
    re->inst[re->n++] = (struct regex_inst){ .op = (uint8_t)op };
    return 0;
}

static int emit_node(struct emit *e, const struct regex_node *n, int product);

/* What follows the split and what it leads to later; lazy: the other way round. */
static void aim_split(struct emit *e, unsigned pc, unsigned into, unsigned past, bool lazy)
{
    e->re->inst[pc].x = lazy ? past : into;
    e->re->inst[pc].y = lazy ? into : past;
}

static int emit_star(struct emit *e, const struct regex_node *n, int product)
{
    unsigned split, jump;
    int      rc;

    if ((rc = emit(e, OP_SPLIT, &split)) != 0 || (rc = emit_node(e, n->first, product)) != 0 ||
        (rc = emit(e, OP_JUMP, &jump)) != 0)
        return rc;
    e->re->inst[jump].x = split;
    aim_split(e, split, split + 1, e->re->n, n->lazy);
    return 0;
}

/* x{2,4} is xx(x(x)?)?: every optional one may leave for the end. */
static int emit_repeat(struct emit *e, const struct regex_node *n, int product)
{
    unsigned first_split = e->re->n, pc;
    int      most = MAX_OF(n->max, n->min), rc;

    product *= MAX_OF(most, 1);
    if (product > REGEX_MAX_REPEAT)
        return err_set(e->err, E_INVALID, "error parsing regexp: invalid repeat count: `{%d}`", most);
    for (int i = 0; i < n->min; i++)
        if ((rc = emit_node(e, n->first, product)) != 0)
            return rc;
    if (n->max < 0)
        return emit_star(e, n, product);
    first_split = e->re->n;
    for (int i = n->min; i < n->max; i++) {
        if ((rc = emit(e, OP_SPLIT, &pc)) != 0)
            return rc;
        e->re->inst[pc].y = REGEX_NO_RUNE;       /* ours: aimed below, when the end is known */
        if ((rc = emit_node(e, n->first, product)) != 0)
            return rc;
    }
    for (unsigned i = first_split; i < e->re->n; i++)
        if (e->re->inst[i].op == OP_SPLIT && e->re->inst[i].y == REGEX_NO_RUNE)
            aim_split(e, i, i + 1, e->re->n, n->lazy);
    return 0;
}

static int emit_alt(struct emit *e, const struct regex_node *n, int product)
{
    unsigned last_jump = REGEX_NO_RUNE, pc;
    int      rc;

    for (const struct regex_node *c = n->first; c != NULL; c = c->next) {
        unsigned split = REGEX_NO_RUNE;
        if (c->next != NULL && (rc = emit(e, OP_SPLIT, &split)) != 0)
            return rc;
        if (split != REGEX_NO_RUNE)
            e->re->inst[split].x = split + 1;
        if ((rc = emit_node(e, c, product)) != 0)
            return rc;
        if (split == REGEX_NO_RUNE)
            break;
        if ((rc = emit(e, OP_JUMP, &pc)) != 0)
            return rc;
        e->re->inst[pc].x = last_jump;           /* a chain, until the end is known */
        last_jump = pc;
        e->re->inst[split].y = pc + 1;
    }
    while (last_jump != REGEX_NO_RUNE) {
        pc = last_jump;
        last_jump = e->re->inst[pc].x;
        e->re->inst[pc].x = e->re->n;
    }
    return 0;
}

static int emit_class(struct emit *e, const struct regex_class *c)
{
    bool     one = c->n == 1 && c->range[0].lo == c->range[0].hi;
    unsigned pc;
    int      rc = emit(e, one ? OP_CHAR : OP_CLASS, &pc);

    if (rc == 0 && one)
        e->re->inst[pc].x = c->range[0].lo;
    else if (rc == 0)
        e->re->inst[pc].cls = c;
    return rc;
}

static int emit_node(struct emit *e, const struct regex_node *n, int product)
{
    unsigned pc;
    int      rc = 0;

    switch ((enum regex_kind)n->kind) {
    case RE_EMPTY:
        return 0;
    case RE_CLASS:
        return emit_class(e, n->cls);
    case RE_ASSERT:
        if ((rc = emit(e, OP_ASSERT, &pc)) == 0)
            e->re->inst[pc].assertion = n->assertion;
        return rc;
    case RE_CAT:
        for (const struct regex_node *c = n->first; c != NULL && rc == 0; c = c->next)
            rc = emit_node(e, c, product);
        return rc;
    case RE_ALT:
        return emit_alt(e, n, product);
    case RE_REPEAT:
        return emit_repeat(e, n, product);
    }
    panic_at(__FILE__, __LINE__, "a kind of node");
}

int regex_emit(struct regex *re, const struct regex_node *tree, struct errbuf *err)
{
    struct emit e = { .re = re, .err = err };
    unsigned    pc;
    int         rc;

    if ((rc = emit_node(&e, tree, 1)) != 0 || (rc = emit(&e, OP_MATCH, &pc)) != 0)
        return rc;
    re->anchored = re->inst[0].op == OP_ASSERT && re->inst[0].assertion == RE_TEXT_BEGIN;
    re->plain = true;
    for (unsigned i = 0; i < re->n; i++) {
        const struct regex_inst *in = &re->inst[i];
        must(in->op != OP_SPLIT || (in->x < re->n && in->y < re->n));
        must(in->op != OP_JUMP || in->x < re->n);
        if (in->op == OP_ASSERT && in->assertion != RE_TEXT_BEGIN && in->assertion != RE_TEXT_END)
            re->plain = false;
    }
    return 0;
}

int regex_compile(struct regex **ret, struct str pattern, struct arena *a, struct errbuf *err)
{
    struct regex      *re = arena_new(a, struct regex);
    struct regex_node *tree = NULL;
    int                rc;

    re->arena = a;
    if ((rc = regex_parse(&tree, pattern, a, err)) != 0 || (rc = regex_emit(re, tree, err)) != 0)
        return rc;
    *ret = re;
    return 0;
}
