/* api/cel/parse.c: the text of an expression as a tree.  The macros become nodes of their own here; names are
 * resolved later (check.c). */
#include <stdlib.h>
#include "api/cel/impl.h"

struct parser {
    struct cel_lexer lex;
    struct arena *arena;
    struct cel_mistakes *m;
    unsigned depth, nodes;
    bool failed;
};

static struct cel_node *parse_expr(struct parser *p);

static void fail_at(struct parser *p, size_t at, const char *what)
{
    if (!p->failed)
        cel_mistake(p->m, at, "%s", what);
    p->failed = true;
}

static void too_big(struct parser *p, size_t at, const char *what)
{
    fail_at(p, at, what);
    p->m->too_big = true;
}

static struct str token_text(const struct parser *p)
{
    return p->lex.token == T_END ? STR("<EOF>")
                                 : str_make(p->lex.text.p + p->lex.from, p->lex.to - p->lex.from);
}

static void next(struct parser *p)
{
    cel_lex(&p->lex);
    if (p->lex.token == T_BAD && !p->failed) {
        struct str t = token_text(p);
        if (p->lex.why[0] == 't')
            cel_mistake(p->m, p->lex.from, "Syntax error: token recognition error at: '%.*s'", STR_ARG(t));
        else
            cel_mistake(p->m, p->lex.from, "%s", p->lex.why);
        p->failed = true;
    }
}

static bool is(const struct parser *p, enum cel_token t) { return !p->failed && p->lex.token == t; }

static bool accept(struct parser *p, enum cel_token t)
{
    if (!is(p, t))
        return false;
    next(p);
    return true;
}

static void expect(struct parser *p, enum cel_token t, const char *sign)
{
    struct str got = token_text(p);

    if (accept(p, t) || p->failed)
        return;
    if (p->lex.token == T_END)
        cel_mistake(p->m, p->lex.from, "Syntax error: missing '%s' at '<EOF>'", sign);
    else
        cel_mistake(p->m, p->lex.from, "Syntax error: mismatched input '%.*s' expecting '%s'", STR_ARG(got),
                    sign);
    p->failed = true;
}

static struct cel_node *node_new(struct parser *p, enum cel_node_kind kind, size_t at, unsigned n)
{
    struct cel_node *node = arena_new(p->arena, struct cel_node);

    if (++p->nodes > CEL_MAX_NODES)
        too_big(p, at, "expression has too many parts");
    node->kind = (uint8_t)kind;
    node->at = (uint32_t)at;
    node->n = n;
    node->height = 1;
    if (n > 0)
        node->arg = arena_zalloc(p->arena, n * sizeof *node->arg);
    return node;
}

static void set_arg(struct parser *p, struct cel_node *node, unsigned i, struct cel_node *arg)
{
    node->arg[i] = arg;
    if (arg != NULL && arg->height >= node->height)
        node->height = (uint16_t)(arg->height + 1);
    if (node->height > CEL_MAX_CHAIN)
        too_big(p, node->at, "expression recursion limit exceeded: 1000");
}

static struct cel_node *node_call(struct parser *p, const char *name, size_t at, struct cel_node *x,
                                  struct cel_node *y)
{
    struct cel_node *node = node_new(p, N_CALL, at, y != NULL ? 2 : 1);

    node->name = str_of(name);
    set_arg(p, node, 0, x);
    if (y != NULL)
        set_arg(p, node, 1, y);
    return node;
}

static bool enter(struct parser *p)
{
    if (++p->depth > CEL_MAX_DEPTH)
        too_big(p, p->lex.from, "expression recursion limit exceeded: 250");
    return !p->failed;
}

/* Nodes gathered until their number is known. */
struct gather { struct cel_node **node; unsigned n, cap; };

static void gather(struct parser *p, struct gather *g, struct cel_node *node)
{
    if (g->n == g->cap) {
        struct cel_node **more = arena_alloc(p->arena, (g->cap * 2 + 4) * sizeof *more);
        if (g->n > 0)
            memcpy(more, g->node, g->n * sizeof *more);
        g->node = more;
        g->cap = g->cap * 2 + 4;
    }
    g->node[g->n++] = node;
}

static struct cel_node *gathered(struct parser *p, enum cel_node_kind kind, size_t at, const struct gather *g)
{
    struct cel_node *node = node_new(p, kind, at, g->n);

    for (unsigned i = 0; i < g->n; i++)
        set_arg(p, node, i, g->node[i]);
    return node;
}

/* ---- Literals --------------------------------------------------------------------------------------- */

static bool is_hex(struct str s) { return s.n > 2 && s.p[0] == '0' && (s.p[1] | 32) == 'x'; }

static bool whole_number(struct str s, uint64_t *ret)
{
    uint64_t v = 0;

    if (!is_hex(s))
        return str_u64(s, ret);
    for (size_t i = 2; i < s.n; i++) {
        unsigned d = s.p[i] <= '9' ? (unsigned)(s.p[i] - '0') : (unsigned)((s.p[i] | 32) - 'a' + 10);
        if (v >> 60 != 0)
            return false;
        v = v << 4 | d;
    }
    *ret = v;
    return true;
}

static struct cel_node *parse_number(struct parser *p, size_t at, bool negative)
{
    struct cel_node *node = node_new(p, N_CONST, at, 0);
    struct str       s = p->lex.value;
    uint64_t         v = 0;

    if (is(p, T_DOUBLE)) {
        double d = strtod(arena_cstr(p->arena, s), NULL);
        node->value = cel_double(negative ? -d : d);
    } else if (is(p, T_UINT)) {
        if (!whole_number(s, &v) || negative)
            fail_at(p, at, "invalid uint literal");
        node->value = cel_uint(v);
    } else {
        if (!whole_number(s, &v) || v > (uint64_t)INT64_MAX + negative)
            fail_at(p, at, "invalid int literal");
        node->value = cel_int(negative ? (int64_t)(0 - v) : (int64_t)v);
    }
    next(p);
    return node;
}

static struct cel_node *parse_constant(struct parser *p)
{
    struct cel_node *node = node_new(p, N_CONST, p->lex.from, 0);

    switch (p->lex.token) {
    case T_STRING: node->value = cel_string(p->lex.value); break;
    case T_BYTES:
        node->value = cel_string(p->lex.value);
        node->value.kind = CEL_BYTES;
        break;
    case T_TRUE: case T_FALSE: node->value = cel_bool(p->lex.token == T_TRUE); break;
    default: node->value = cel_null(); break;
    }
    next(p);
    return node;
}

/* ---- Lists, maps, arguments ------------------------------------------------------------------------- */

static void parse_args(struct parser *p, struct gather *g)
{
    next(p);
    while (!p->failed && !is(p, T_RPAREN)) {
        gather(p, g, parse_expr(p));
        if (!accept(p, T_COMMA))
            break;
    }
    expect(p, T_RPAREN, ")");
}

static struct cel_node *parse_list(struct parser *p)
{
    struct gather g = { NULL, 0, 0 };
    size_t        at = p->lex.from;

    next(p);
    while (!p->failed && !is(p, T_RBRACKET)) {
        bool             optional = accept(p, T_QUESTION);
        struct cel_node *e = parse_expr(p);
        if (e != NULL)
            e->optional |= optional;
        gather(p, &g, e);
        if (!accept(p, T_COMMA))
            break;
    }
    expect(p, T_RBRACKET, "]");
    return gathered(p, N_LIST, at, &g);
}

static struct cel_node *parse_map(struct parser *p)
{
    struct gather g = { NULL, 0, 0 };
    size_t        at = p->lex.from;

    next(p);
    while (!p->failed && !is(p, T_RBRACE)) {
        bool             optional = accept(p, T_QUESTION);
        struct cel_node *key = parse_expr(p);
        if (key != NULL)
            key->optional |= optional;
        gather(p, &g, key);
        expect(p, T_COLON, ":");
        gather(p, &g, parse_expr(p));
        if (!accept(p, T_COMMA))
            break;
    }
    expect(p, T_RBRACE, "}");
    return gathered(p, N_MAP, at, &g);
}

/* ---- Macros ----------------------------------------------------------------------------------------- */

static const struct { const char *name; uint8_t op, vars, min, max; } loops[] = {
    { "all", LOOP_ALL, 1, 2, 2 },             { "all", LOOP_ALL, 2, 3, 3 },
    { "exists", LOOP_EXISTS, 1, 2, 2 },       { "exists", LOOP_EXISTS, 2, 3, 3 },
    { "exists_one", LOOP_EXISTS_ONE, 1, 2, 2 }, { "existsOne", LOOP_EXISTS_ONE, 2, 3, 3 },
    { "exists_one", LOOP_EXISTS_ONE, 2, 3, 3 }, { "existsOne", LOOP_EXISTS_ONE, 1, 2, 2 },
    { "map", LOOP_MAP, 1, 2, 3 },             { "filter", LOOP_FILTER, 1, 2, 2 },
    { "transformList", LOOP_TRANSFORM_LIST, 2, 3, 4 }, { "transformMap", LOOP_TRANSFORM_MAP, 2, 3, 4 },
    { "transformMapEntry", LOOP_TRANSFORM_ENTRY, 2, 3, 4 },
};

static struct str take_variable(struct parser *p, const struct cel_node *node)
{
    if (node != NULL && node->kind != N_IDENT)
        fail_at(p, node->at, "argument must be a simple name");
    return node != NULL ? node->name : STR_NONE;
}

/* NULL: not a macro, or not with so many arguments. */
static struct cel_node *parse_loop(struct parser *p, struct cel_node *on, struct str name, size_t at,
                                   const struct gather *args)
{
    struct cel_node *node;

    for (size_t i = 0; i < ARRAY_LEN(loops); i++) {
        if (!str_is(name, loops[i].name) || args->n < loops[i].min || args->n > loops[i].max)
            continue;
        node = node_new(p, N_LOOP, at, 3);
        node->op = loops[i].op;
        node->name = take_variable(p, args->node[0]);
        if (loops[i].vars == 2)
            node->name2 = take_variable(p, args->node[1]);
        if (!p->failed && str_eq(node->name, node->name2))
            fail_at(p, args->node[1]->at, "duplicate iteration variable name");
        set_arg(p, node, 0, on);
        set_arg(p, node, 1, args->node[args->n - 1]);
        if (args->n > loops[i].vars + 1u)
            set_arg(p, node, 2, args->node[loops[i].vars]);
        return node;
    }
    return NULL;
}

/* x.optMap(v, expr) and optFlatMap. */
static struct cel_node *parse_let(struct parser *p, struct cel_node *on, struct str name, size_t at,
                                  const struct gather *args)
{
    bool             flat = str_is(name, "optFlatMap");
    struct cel_node *node;

    if (args->n != 2 || (!flat && !str_is(name, "optMap")))
        return NULL;
    node = node_new(p, N_LET, at, 2);
    node->op = flat;
    node->name = take_variable(p, args->node[0]);
    set_arg(p, node, 0, on);
    set_arg(p, node, 1, args->node[1]);
    return node;
}

static struct cel_node *parse_has(struct parser *p, const struct gather *args, size_t at)
{
    struct cel_node *on = args->node[0], *node;

    if (on == NULL || on->kind != N_SELECT) {
        fail_at(p, on != NULL ? on->at : at, "invalid argument to has() macro");
        return on;
    }
    node = node_new(p, N_HAS, at, 1);
    node->name = on->name;
    node->optional = on->optional;
    set_arg(p, node, 0, on->arg[0]);
    return node;
}

/* ---- Operands --------------------------------------------------------------------------------------- */

static bool is_reserved(struct str s)
{
    static const char *const words[] = { "as", "break", "const", "continue", "else", "for", "function", "if",
                                         "import", "let", "loop", "package", "namespace", "return", "var",
                                         "void", "while" };

    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (str_is(s, words[i]))
            return true;
    return false;
}

static struct cel_node *parse_name(struct parser *p)
{
    struct gather    args = { NULL, 0, 0 };
    struct str       name = p->lex.value;
    size_t           at = p->lex.from;
    struct cel_node *node;

    next(p);
    if (is(p, T_LPAREN)) {
        at = p->lex.from;
        parse_args(p, &args);
        if (p->failed)
            return NULL;
        if (str_is(name, "has") && args.n == 1)
            return parse_has(p, &args, at);
        node = gathered(p, N_CALL, at, &args);
        node->name = name;
        return node;
    }
    if (is_reserved(name)) {
        if (!p->failed)
            cel_mistake(p->m, at, "reserved identifier: %.*s", STR_ARG(name));
        p->failed = true;
    }
    node = node_new(p, N_IDENT, at, 0);
    node->name = name;
    return node;
}

static struct cel_node *parse_primary(struct parser *p)
{
    struct cel_node *node;
    struct str       t;

    switch (p->failed ? T_BAD : p->lex.token) {
    case T_LPAREN:
        next(p);
        node = parse_expr(p);
        expect(p, T_RPAREN, ")");
        return node;
    case T_LBRACKET:
        return parse_list(p);
    case T_LBRACE:
        return parse_map(p);
    case T_INT: case T_UINT: case T_DOUBLE:
        return parse_number(p, p->lex.from, false);
    case T_STRING: case T_BYTES: case T_TRUE: case T_FALSE: case T_NULL:
        return parse_constant(p);
    case T_DOT:
        next(p);
        if (is(p, T_IDENT))
            return parse_name(p);
        break;
    case T_IDENT:
        return parse_name(p);
    default:
        break;
    }
    t = token_text(p);
    if (!p->failed)
        cel_mistake(p->m, p->lex.from,
                    "Syntax error: mismatched input '%.*s' expecting {'[', '{', '(', '.', '-', '!', 'true', "
                    "'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}", STR_ARG(t));
    p->failed = true;
    return NULL;
}

/* .name, .?name and .name(...), behind the dot. */
static struct cel_node *parse_dot(struct parser *p, struct cel_node *on, size_t at)
{
    struct gather    args = { NULL, 0, 0 };
    struct cel_node *node;
    struct str       name, got = token_text(p);
    bool             optional = accept(p, T_QUESTION);

    if (!is(p, T_IDENT) && !is(p, T_QUOTED_IDENT)) {
        if (!p->failed)
            cel_mistake(p->m, p->lex.from, "Syntax error: no viable alternative at input '.%.*s'",
                        STR_ARG(got));
        p->failed = true;
        return on;
    }
    name = p->lex.value;
    next(p);
    if (!is(p, T_LPAREN) || optional) {
        node = node_new(p, N_SELECT, at, 1);
        node->name = name;
        node->optional = optional;
        set_arg(p, node, 0, on);
        return node;
    }
    at = p->lex.from;
    gather(p, &args, on);
    parse_args(p, &args);
    if (p->failed)
        return on;
    struct gather rest = { args.node + 1, args.n - 1, 0 };
    if ((node = parse_loop(p, on, name, at, &rest)) != NULL ||
        (node = parse_let(p, on, name, at, &rest)) != NULL)
        return node;
    node = gathered(p, N_CALL, at, &args);
    node->name = name;
    node->member = true;
    return node;
}

static struct cel_node *parse_member(struct parser *p)
{
    struct cel_node *node = parse_primary(p);

    while (!p->failed) {
        size_t at = p->lex.from;
        if (accept(p, T_DOT)) {
            node = parse_dot(p, node, at);
        } else if (accept(p, T_LBRACKET)) {
            bool optional = accept(p, T_QUESTION);
            node = node_call(p, optional ? "_[?_]" : "_[_]", at, node, parse_expr(p));
            expect(p, T_RBRACKET, "]");
        } else if (is(p, T_LBRACE) && (node->kind == N_IDENT || node->kind == N_SELECT)) {
            struct cel_node *of = node;
            parse_map(p);
            node = node_new(p, N_STRUCT, at, 1);
            set_arg(p, node, 0, of);
        } else {
            break;
        }
    }
    return node;
}

static struct cel_node *parse_unary(struct parser *p)
{
    enum cel_token   sign = p->lex.token;
    struct cel_node *node;
    size_t           at = p->lex.from;
    unsigned         n = 0;

    if (p->failed || (sign != T_NOT && sign != T_MINUS))
        return p->failed ? NULL : parse_member(p);
    while (accept(p, sign))
        n++;
    if (sign == T_MINUS && n % 2 == 1 && (is(p, T_INT) || is(p, T_DOUBLE)))
        node = parse_number(p, at, true);
    else if ((node = parse_member(p)) != NULL && n % 2 == 1)
        node = node_call(p, sign == T_NOT ? "!_" : "-_", at, node, NULL);
    return node;
}

/* ---- Operators, by how tight they bind -------------------------------------------------------------- */

static const struct { uint8_t token, level; const char *name; } operators[] = {
    { T_LT, 0, "_<_" }, { T_LE, 0, "_<=_" }, { T_GT, 0, "_>_" }, { T_GE, 0, "_>=_" }, { T_EQ, 0, "_==_" },
    { T_NE, 0, "_!=_" }, { T_IN, 0, "@in" }, { T_PLUS, 1, "_+_" }, { T_MINUS, 1, "_-_" },
    { T_STAR, 2, "_*_" }, { T_SLASH, 2, "_/_" }, { T_PERCENT, 2, "_%_" },
};

static const char *operator_at(const struct parser *p, unsigned level)
{
    for (size_t i = 0; i < ARRAY_LEN(operators) && !p->failed; i++)
        if (operators[i].token == p->lex.token && operators[i].level == level)
            return operators[i].name;
    return NULL;
}

static struct cel_node *parse_binary(struct parser *p, unsigned level)
{
    struct cel_node *node = level == 2 ? parse_unary(p) : parse_binary(p, level + 1);
    const char      *name;

    while ((name = operator_at(p, level)) != NULL) {
        struct cel_node *right;
        size_t           at = p->lex.from;
        next(p);
        right = level == 2 ? parse_unary(p) : parse_binary(p, level + 1);
        if (p->failed)
            return NULL;
        node = node_call(p, name, at, node, right);
    }
    return node;
}

/* a && b && c is one node: evaluated in any order, and as deep as one. */
static struct cel_node *parse_logic(struct parser *p, enum cel_token sign)
{
    struct cel_node *first = sign == T_OR ? parse_logic(p, T_AND) : parse_binary(p, 0);
    struct gather    g = { NULL, 0, 0 };
    size_t           at = p->lex.from;

    if (!is(p, sign))
        return first;
    gather(p, &g, first);
    while (accept(p, sign))
        gather(p, &g, sign == T_OR ? parse_logic(p, T_AND) : parse_binary(p, 0));
    return p->failed ? NULL : gathered(p, sign == T_OR ? N_OR : N_AND, at, &g);
}

static struct cel_node *parse_expr(struct parser *p)
{
    struct cel_node *node = NULL, *cond;
    size_t           at;

    if (enter(p))
        node = parse_logic(p, T_OR);
    at = p->lex.from;
    if (accept(p, T_QUESTION)) {
        cond = node_new(p, N_COND, at, 3);
        set_arg(p, cond, 0, node);
        set_arg(p, cond, 1, parse_logic(p, T_OR));
        expect(p, T_COLON, ":");
        set_arg(p, cond, 2, p->failed ? NULL : parse_expr(p));
        node = cond;
    }
    p->depth--;
    return p->failed ? NULL : node;
}

struct cel_node *cel_parse(struct str text, struct arena *a, struct cel_mistakes *m)
{
    struct parser    p = { .lex = { .text = text, .arena = a }, .arena = a, .m = m };
    struct cel_node *root;

    if (cel_runes(text) > CEL_MAX_TEXT) {
        m->text = STR_NONE;
        too_big(&p, 0, "expression code point size exceeds limit: 100000");
        return NULL;
    }
    next(&p);
    root = parse_expr(&p);
    if (!p.failed && !is(&p, T_END)) {
        struct str t = token_text(&p);
        cel_mistake(m, p.lex.from, "Syntax error: extraneous input '%.*s' expecting <EOF>", STR_ARG(t));
        p.failed = true;
    }
    return p.failed ? NULL : root;
}
