/* api/cel/check.c: names become variables, fields and functions; every node gets a type.
 *
 * What is wrong is told and the node gets the type dyn, so that one mistake is told once. */
#include "api/cel/impl.h"

struct scope { struct str name; uint32_t slot; const struct cel_type *type; const struct scope *up; };

struct checker {
    const struct cel_env *env;
    struct cel_program *program;
    struct cel_mistakes *m;
    struct arena *arena, scratch;
    unsigned n_scopes;
};

static void check(struct checker *c, struct cel_node *n, const struct scope *s);

static const struct cel_type *wrong(struct checker *c) { return (void)c, cel_type(CEL_DYN); }

static const char *shown(struct checker *c, const struct cel_type *t)
{
    return arena_cstr(c->arena, cel_type_text(c->arena, t));
}

/* ---- Names ------------------------------------------------------------------------------------------ */

static const struct scope *find_local(const struct scope *s, struct str name)
{
    while (s != NULL && !str_eq(s->name, name))
        s = s->up;
    return s;
}

/* a.b.c as one text; STR_NONE: the node is more than names and dots. */
static struct str dotted(struct checker *c, const struct cel_node *n)
{
    struct str on, parts[3];

    if (n->kind == N_IDENT)
        return n->name;
    if (n->kind != N_SELECT || n->optional)
        return STR_NONE;
    on = dotted(c, n->arg[0]);
    if (str_empty(on))
        return STR_NONE;
    parts[0] = on;
    parts[1] = STR(".");
    parts[2] = n->name;
    return arena_join(c->arena, parts, 3);
}

static const struct cel_node *root_of(const struct cel_node *n)
{
    while (n->kind == N_SELECT)
        n = n->arg[0];
    return n;
}

/* The node as a variable or the name of a type; false: it is neither. */
static bool check_name(struct checker *c, struct cel_node *n, struct str name)
{
    enum cel_kind kind;

    for (unsigned i = 0; i < c->env->n; i++) {
        if (!str_eq(c->env->vars[i].name, name))
            continue;
        n->kind = N_VAR;
        n->slot = i;
        n->type = c->env->vars[i].type;
        c->program->used[i / 64] |= (uint64_t)1 << (i % 64);
        return true;
    }
    if (!cel_kind_by_name(name, &kind))
        return false;
    n->kind = N_CONST;
    n->value = cel_type_value(cel_type(kind));
    n->type = cel_type_wrap(c->arena, CEL_TYPE, cel_type(kind));
    return true;
}

static const struct cel_type *undeclared(struct checker *c, const struct cel_node *n, struct str name)
{
    cel_mistake(c->m, n->at, "undeclared reference to '%.*s' (in container '')", STR_ARG(name));
    return wrong(c);
}

static void check_ident(struct checker *c, struct cel_node *n, const struct scope *s)
{
    const struct scope *local = find_local(s, n->name);

    if (local != NULL) {
        n->kind = N_LOCAL;
        n->slot = local->slot;
        n->type = local->type;
    } else if (!check_name(c, n, n->name)) {
        n->type = undeclared(c, n, n->name);
    }
}

/* ---- Fields ----------------------------------------------------------------------------------------- */

static const struct cel_type *field_type(struct checker *c, struct cel_node *n, const struct cel_type *on)
{
    const struct cel_field *f;

    switch (on->kind) {
    case CEL_DYN:
        return on;
    case CEL_MAP:
        return on->elem;
    case CEL_OBJECT:
        if ((f = cel_type_field(on, n->name)) != NULL) {
            n->name = f->name;
            return f->type;
        }
        if (on->open)
            return cel_type(CEL_DYN);
        cel_mistake(c->m, n->at, "undefined field '%.*s'", STR_ARG(n->name));
        return wrong(c);
    default:
        cel_mistake(c->m, n->at, "type '%s' does not support field selection", shown(c, on));
        return wrong(c);
    }
}

/* Of x.f, x.?f and has(x.f). */
static void check_select(struct checker *c, struct cel_node *n, const struct scope *s)
{
    const struct cel_type *on;
    bool                   optional = n->optional;

    if (n->kind == N_SELECT && root_of(n)->kind == N_IDENT && find_local(s, root_of(n)->name) == NULL) {
        struct str name = dotted(c, n);
        if (!str_empty(name) && check_name(c, n, name))
            return;
    }
    check(c, n->arg[0], s);
    on = n->arg[0]->type;
    if (on->kind == CEL_OPTIONAL) {
        on = on->elem;
        optional = true;
    }
    n->type = field_type(c, n, on);
    if (n->kind == N_HAS)
        n->type = cel_type(CEL_BOOL);
    else if (optional && n->type->kind != CEL_OPTIONAL)
        n->type = cel_type_wrap(c->arena, CEL_OPTIONAL, n->type);
}

/* ---- Calls ------------------------------------------------------------------------------------------ */

static void no_overload(struct checker *c, const struct cel_node *n, const struct cel_type *const *types)
{
    struct buf b = BUF_INIT;
    unsigned   i = n->member;

    if (n->member)
        buf_fmt(&b, "%s.", shown(c, types[0]));
    buf_char(&b, '(');
    for (unsigned first = i; i < n->n; i++)
        buf_fmt(&b, "%s%s", i > first ? ", " : "", shown(c, types[i]));
    buf_char(&b, ')');
    cel_mistake(c->m, n->at, "found no matching overload for '%.*s' applied to '%.*s'", STR_ARG(n->name),
                STR_ARG(buf_str(&b)));
    buf_release(&b);
}

/* math.greatest(1, 2) is no member of `math`: the dotted name is the function's. */
static void join_function_name(struct checker *c, struct cel_node *n)
{
    struct str parts[3], name;

    if (!n->member || str_empty(parts[0] = dotted(c, n->arg[0])))
        return;
    parts[1] = STR(".");
    parts[2] = n->name;
    name = arena_join(c->arena, parts, 3);
    if (!cel_function_known(name))
        return;
    n->name = name;
    n->member = false;
    n->arg++;
    n->n--;
}

/* A constant pattern is compiled here, once. */
static void check_regex(struct checker *c, struct cel_node *n)
{
    struct errbuf err = { "" };

    if (!str_is(n->name, "matches") && !str_is(n->name, "find") && !str_is(n->name, "findAll"))
        return;
    if (n->n < 2 || n->arg[1]->kind != N_CONST || n->arg[1]->value.kind != CEL_STRING)
        return;
    if (regex_compile(&n->regex, n->arg[1]->value.u.s, c->arena, &err) != 0)
        cel_mistake(c->m, n->at, "%s", err.s);
}

/* Those of all that take these types; the type is theirs if they agree. */
static void choose_overloads(struct checker *c, struct cel_node *n, const struct cel_type *const *types)
{
    struct cel_signature all[CEL_MAX_SIGNATURES];
    struct cel_overload  kept[CEL_MAX_SIGNATURES], *to;
    unsigned             n_all = cel_signatures(&c->scratch, n->name, n->member, n->n, all);

    for (unsigned i = 0; i < n_all; i++) {
        const struct cel_type *result = NULL;
        if (!cel_signature_takes(&all[i], types, c->arena, &result))
            continue;
        kept[n->n_overloads] = (struct cel_overload){ .f = all[i].f, .n = (uint8_t)all[i].n };
        for (unsigned k = 0; k < all[i].n; k++)
            kept[n->n_overloads].kind[k] = (uint8_t)all[i].arg[k]->kind;
        n->n_overloads++;
        n->type = n->type == NULL ? result : cel_type_join(n->type, result);
    }
    arena_reset(&c->scratch);
    n->overload = to = arena_alloc(c->arena, n->n_overloads * sizeof *to);
    memcpy(to, kept, n->n_overloads * sizeof *to);
    if (n->n_overloads == 0) {
        no_overload(c, n, types);
        n->type = wrong(c);
    }
}

static void check_call(struct checker *c, struct cel_node *n, const struct scope *s)
{
    const struct cel_type **types;
    unsigned                mistakes = c->m->n;

    join_function_name(c, n);
    types = arena_alloc(c->arena, n->n * sizeof *types);
    for (unsigned i = 0; i < n->n; i++) {
        check(c, n->arg[i], s);
        types[i] = n->arg[i]->type;
    }
    if (!cel_function_known(n->name))
        n->type = undeclared(c, n, n->name);
    else if (n->n > CEL_MAX_ARGS)
        no_overload(c, n, types);
    else
        choose_overloads(c, n, types);
    if (n->type == NULL)
        n->type = wrong(c);
    n->flagged = n->member && (str_is(n->name, "or") || str_is(n->name, "orValue"));
    if (c->m->n == mistakes)
        check_regex(c, n);
}

/* ---- Logic, literals -------------------------------------------------------------------------------- */

static void check_logic(struct checker *c, struct cel_node *n, const struct scope *s)
{
    const char *name = n->kind == N_AND ? "_&&_" : "_||_";

    n->type = cel_type(CEL_BOOL);
    for (unsigned i = 0; i < n->n; i++)
        check(c, n->arg[i], s);
    for (unsigned i = 0; i < n->n; i++) {
        const struct cel_type *pair[2] = { i > 0 ? n->type : n->arg[0]->type, n->arg[i > 0 ? i : 1]->type };
        struct cel_node        shown = { .name = str_of(name), .n = 2, .at = n->at };
        if (cel_type_fits(n->type, n->arg[i]->type))
            continue;
        no_overload(c, &shown, pair);
        return;
    }
}

static void check_cond(struct checker *c, struct cel_node *n, const struct scope *s)
{
    const struct cel_type *types[3];

    for (unsigned i = 0; i < 3; i++) {
        check(c, n->arg[i], s);
        types[i] = n->arg[i]->type;
    }
    n->type = cel_type_join(types[1], types[2]);
    if (cel_type_fits(cel_type(CEL_BOOL), types[0]) &&
        (cel_type_fits(types[1], types[2]) || cel_type_fits(types[2], types[1])))
        return;
    n->name = STR("_?_:_");
    no_overload(c, n, types);
    n->type = wrong(c);
}

/* One more element's type joins those before; aggregates are all of one. */
static const struct cel_type *check_element(struct checker *c, const struct cel_node *e, bool optional,
                                            const struct cel_type *so_far)
{
    const struct cel_type *t = e->type;

    if (optional && t->kind == CEL_OPTIONAL)
        t = t->elem;
    else if (optional && t->kind != CEL_DYN)
        cel_mistake(c->m, e->at, "expected type 'optional_type(%s)' but found '%s'", shown(c, t),
                    shown(c, t));
    if (so_far == NULL)
        return t;
    if (!cel_type_fits(so_far, t) && !cel_type_fits(t, so_far)) {
        cel_mistake(c->m, e->at, "expected type '%s' but found '%s'", shown(c, so_far), shown(c, t));
        return so_far;
    }
    return cel_type_join(so_far, t);
}

static void check_list(struct checker *c, struct cel_node *n, const struct scope *s)
{
    const struct cel_type *elem = NULL;

    for (unsigned i = 0; i < n->n; i++) {
        check(c, n->arg[i], s);
        elem = check_element(c, n->arg[i], n->arg[i]->optional, elem);
    }
    n->type = cel_type_list(c->arena, elem != NULL ? elem : cel_type(CEL_DYN));
}

static void check_map(struct checker *c, struct cel_node *n, const struct scope *s)
{
    const struct cel_type *key = NULL, *elem = NULL;

    for (unsigned i = 0; i + 1 < n->n; i += 2) {
        check(c, n->arg[i], s);
        check(c, n->arg[i + 1], s);
        key = check_element(c, n->arg[i], false, key);
        elem = check_element(c, n->arg[i + 1], n->arg[i]->optional, elem);
    }
    n->type = cel_type_pair(c->arena, key != NULL ? key : cel_type(CEL_DYN),
                            elem != NULL ? elem : cel_type(CEL_DYN));
}

/* ---- Macros ----------------------------------------------------------------------------------------- */

static void no_range(struct checker *c, const struct cel_node *n)
{
    cel_mistake(c->m, n->arg[0]->at,
                "expression of type '%s' cannot be range of a comprehension (must be list, map, or dynamic)",
                shown(c, n->arg[0]->type));
}

/* What the one variable or the two go over. */
static void loop_types(struct checker *c, const struct cel_node *n, const struct cel_type **ret_first,
                       const struct cel_type **ret_second)
{
    const struct cel_type *range = n->arg[0]->type, *any = cel_type(CEL_DYN);
    bool                   two = !str_empty(n->name2);

    *ret_first = *ret_second = any;
    if (range->kind == CEL_LIST) {
        *ret_first = two ? cel_type(CEL_INT) : range->elem;
        *ret_second = range->elem;
    } else if (range->kind == CEL_MAP) {
        *ret_first = range->key != NULL ? range->key : cel_type(CEL_STRING);
        *ret_second = range->elem;
    } else if (range->kind != CEL_DYN) {
        no_range(c, n);
    }
}

static void want_bool(struct checker *c, const struct cel_node *n)
{
    if (n != NULL && !cel_type_fits(cel_type(CEL_BOOL), n->type))
        cel_mistake(c->m, n->at, "expected type 'bool' but found '%s'", shown(c, n->type));
}

static const struct cel_type *loop_result(struct checker *c, const struct cel_node *n,
                                          const struct cel_type *first)
{
    const struct cel_type *body = n->arg[1]->type;

    switch ((enum cel_loop)n->op) {
    case LOOP_MAP: case LOOP_TRANSFORM_LIST:
        return cel_type_list(c->arena, body);
    case LOOP_TRANSFORM_MAP:
        return cel_type_pair(c->arena, first, body);
    case LOOP_TRANSFORM_ENTRY:
        if (!cel_type_fits(cel_type(CEL_MAP), body))
            cel_mistake(c->m, n->arg[1]->at, "expected type 'map(dyn, dyn)' but found '%s'", shown(c, body));
        return body->kind == CEL_MAP ? body : cel_type(CEL_MAP);
    case LOOP_FILTER:
        want_bool(c, n->arg[1]);
        return cel_type_list(c->arena, first);
    default:
        want_bool(c, n->arg[1]);
        return cel_type(CEL_BOOL);
    }
}

static void check_loop(struct checker *c, struct cel_node *n, const struct scope *s)
{
    struct scope first = { .name = n->name, .up = s }, second = { .name = n->name2, .up = &first };

    check(c, n->arg[0], s);
    loop_types(c, n, &first.type, &second.type);
    n->slot = first.slot = c->n_scopes;
    second.slot = first.slot + 1;
    c->n_scopes += 2;
    c->program->n_locals = MAX_OF(c->program->n_locals, c->n_scopes);
    s = str_empty(n->name2) ? &first : &second;
    if (n->arg[2] != NULL)
        check(c, n->arg[2], s);
    want_bool(c, n->arg[2]);
    check(c, n->arg[1], s);
    c->n_scopes -= 2;
    n->type = loop_result(c, n, first.type);
}

static void check_let(struct checker *c, struct cel_node *n, const struct scope *s)
{
    struct scope           var = { .name = n->name, .up = s };
    const struct cel_type *on, *body;

    check(c, n->arg[0], s);
    on = n->arg[0]->type;
    if (on->kind != CEL_OPTIONAL && on->kind != CEL_DYN)
        cel_mistake(c->m, n->at, "found no matching overload for '%s' applied to '%s.()'",
                    n->op ? "optFlatMap" : "optMap", shown(c, on));
    var.type = on->kind == CEL_OPTIONAL ? on->elem : cel_type(CEL_DYN);
    n->slot = var.slot = c->n_scopes++;
    c->program->n_locals = MAX_OF(c->program->n_locals, c->n_scopes);
    check(c, n->arg[1], &var);
    c->n_scopes--;
    body = n->arg[1]->type;
    if (n->op && !cel_type_fits(cel_type(CEL_OPTIONAL), body))
        cel_mistake(c->m, n->arg[1]->at, "expected type 'optional_type(dyn)' but found '%s'",
                    shown(c, body));
    n->type = n->op ? body : cel_type_wrap(c->arena, CEL_OPTIONAL, body);
}

static const struct cel_type *const_type(const struct cel_node *n)
{
    return n->value.kind == CEL_TYPE ? n->type : cel_type((enum cel_kind)n->value.kind);
}

static void check(struct checker *c, struct cel_node *n, const struct scope *s)
{
    switch ((enum cel_node_kind)n->kind) {
    case N_CONST: n->type = const_type(n); break;
    case N_IDENT: check_ident(c, n, s); break;
    case N_SELECT: case N_HAS: check_select(c, n, s); break;
    case N_CALL: check_call(c, n, s); break;
    case N_AND: case N_OR: check_logic(c, n, s); break;
    case N_COND: check_cond(c, n, s); break;
    case N_LIST: check_list(c, n, s); break;
    case N_MAP: check_map(c, n, s); break;
    case N_LOOP: check_loop(c, n, s); break;
    case N_LET: check_let(c, n, s); break;
    case N_STRUCT: n->type = undeclared(c, n, dotted(c, n->arg[0])); break;
    case N_VAR: case N_LOCAL: break;             /* seen already */
    }
    must(n->type != NULL);
}

void cel_check(struct cel_node *root, const struct cel_env *env, struct cel_program *p,
               struct cel_mistakes *m)
{
    struct checker c = { .env = env, .program = p, .m = m, .arena = m->arena };

    check(&c, root, NULL);
    must(c.n_scopes == 0);
    arena_release(&c.scratch);
}

int cel_compile(struct cel_program **ret, const struct cel_env *env, struct str text,
                const struct cel_type *want, struct arena *a, struct str *ret_why)
{
    struct cel_mistakes m = { .arena = a, .text = text, .out = BUF_INIT };
    struct cel_program *p = arena_new(a, struct cel_program);
    struct cel_node    *root = cel_parse(text, a, &m);
    struct str          type;

    p->used = arena_zalloc(a, (env->n / 64 + 1) * sizeof *p->used);
    if (root != NULL)
        cel_check(root, env, p, &m);
    if (m.n > 0) {
        struct str parts[2] = { STR(CEL_WHY_PREFIX), buf_str(&m.out) };
        *ret_why = arena_join(a, parts, 2);
        buf_release(&m.out);
        return m.too_big ? E_TOOBIG : E_INVALID;
    }
    if (want != NULL && !cel_type_fits(want, root->type)) {
        type = cel_type_text(a, want);
        *ret_why = arena_fmt(a, "must evaluate to %.*s", STR_ARG(type));
        return E_INVALID;
    }
    p->root = root;
    p->estimate = cel_estimate(p, a);
    *ret = p;
    return 0;
}

const struct cel_type *cel_program_type(const struct cel_program *p) { return p->root->type; }
uint64_t cel_program_estimate(const struct cel_program *p) { return p->estimate; }
bool cel_program_uses(const struct cel_program *p, unsigned var)
{
    return (p->used[var / 64] >> (var % 64) & 1) != 0;
}
