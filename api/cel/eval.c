/* api/cel/eval.c: a tree evaluated.  Errors are values: they travel up until && or || or a macro finds that
 * the answer does not depend on them; the limits' errors (run->over) are stopped by nothing. */
#include "api/cel/impl.h"

/* What Kubernetes counts for the parts of an expression (cel-go's runtime costs). */
enum { COST_NAME = 1, COST_LIST = 10, COST_MAP = 30 };

static struct cel_value eval(struct cel_run *r, const struct cel_node *n);

/* ---- Fields ----------------------------------------------------------------------------------------- */

/* The field's type when the operand's is known; else what the value itself brings along. */
static const struct cel_type *selected_type(const struct cel_node *n)
{
    const struct cel_type *on = n->arg[0]->type, *t = n->type;
    bool                   optional = n->optional || on->kind == CEL_OPTIONAL;

    if (on->kind == CEL_OPTIONAL)
        on = on->elem;
    if (on->kind != CEL_OBJECT && on->kind != CEL_MAP)
        return NULL;
    return optional && t->kind == CEL_OPTIONAL ? t->elem : t;
}

static bool find_field(const struct cel_node *n, const struct cel_value *on, struct cel_value *ret)
{
    const struct cel_type *t = n->kind == N_SELECT ? selected_type(n) : NULL;
    const struct json     *j;

    if (!on->json || t == NULL)
        return cel_map_find_text(on, n->name, ret);
    if ((j = json_get(on->u.tree, n->name)) == NULL)
        return false;
    *ret = cel_from_json(j, t);
    return true;
}

static struct cel_value eval_select(struct cel_run *r, const struct cel_node *n)
{
    struct cel_value on = eval(r, n->arg[0]), v;
    bool             optional = n->optional;

    if (cel_failed(&on))
        return on;
    if (!cel_charge(r, COST_NAME))
        return cel_over(r);
    if (on.kind == CEL_OPTIONAL) {
        if (on.u.some == NULL)
            return on;
        on = *on.u.some;
        optional = true;
    }
    if (on.kind != CEL_MAP)
        return cel_no_overload(r);
    if (find_field(n, &on, &v))
        return optional && !cel_failed(&v) ? cel_some(r, v) : v;
    return optional ? cel_none() : cel_error(r, "no such key: %.*s", STR_ARG(n->name));
}

static struct cel_value eval_has(struct cel_run *r, const struct cel_node *n)
{
    struct cel_value on = eval(r, n->arg[0]), v;

    if (cel_failed(&on))
        return on;
    if (!cel_charge(r, COST_NAME))
        return cel_over(r);
    if (on.kind == CEL_OPTIONAL) {
        if (on.u.some == NULL)
            return cel_bool(false);
        on = *on.u.some;
    }
    if (on.kind != CEL_MAP)
        return cel_no_overload(r);
    return cel_bool(on.json ? json_get(on.u.tree, n->name) != NULL : cel_map_find_text(&on, n->name, &v));
}

static struct cel_value eval_var(struct cel_run *r, const struct cel_node *n)
{
    if (!cel_charge(r, COST_NAME))
        return cel_over(r);
    if (r->vars[n->slot].kind == CEL_DYN && r->lookup != NULL) {
        struct cel_value v = r->lookup(r, n->slot);
        r->vars[n->slot] = v;
    }
    must(r->vars[n->slot].kind != CEL_DYN);
    return r->vars[n->slot];
}

/* ---- Calls, logic, literals ------------------------------------------------------------------------- */

static struct cel_value call_regex(struct cel_run *r, const struct cel_node *n, struct cel_value *arg)
{
    /* The functions take what was compiled instead of the pattern. */
    if (n->regex != NULL && arg[1].kind == CEL_STRING)
        arg[1].type = (const struct cel_type *)(const void *)n->regex;
    return cel_call(r, n, arg);
}

static struct cel_value eval_call(struct cel_run *r, const struct cel_node *n)
{
    struct cel_value arg[CEL_MAX_ARGS];

    must(n->n <= CEL_MAX_ARGS);
    for (unsigned i = 0; i < n->n; i++) {
        arg[i] = eval(r, n->arg[i]);
        if (cel_failed(&arg[i]))
            return arg[i];
        if (i == 0 && n->flagged && arg[0].kind == CEL_OPTIONAL && arg[0].u.some != NULL)
            return str_is(n->name, "or") ? arg[0] : *arg[0].u.some;
    }
    return n->regex != NULL ? call_regex(r, n, arg) : cel_call(r, n, arg);
}

/* && and ||: `ends` decides it whatever the others are, errors among them. */
static struct cel_value eval_logic(struct cel_run *r, const struct cel_node *n)
{
    bool             ends = n->kind == N_OR;
    struct cel_value failed = { .kind = CEL_DYN };

    for (unsigned i = 0; i < n->n; i++) {
        struct cel_value v = eval(r, n->arg[i]);
        if (r->over)
            return cel_over(r);
        if (v.kind == CEL_BOOL && v.u.b == ends)
            return v;
        if (v.kind != CEL_BOOL && failed.kind == CEL_DYN)
            failed = cel_failed(&v) ? v : cel_no_overload(r);
    }
    return failed.kind == CEL_DYN ? cel_bool(!ends) : failed;
}

static struct cel_value eval_cond(struct cel_run *r, const struct cel_node *n)
{
    struct cel_value v = eval(r, n->arg[0]);

    if (cel_failed(&v))
        return v;
    return v.kind == CEL_BOOL ? eval(r, n->arg[v.u.b ? 1 : 2]) : cel_no_overload(r);
}

/* An element ?x: false: it is none, and left out. */
static bool element_present(struct cel_run *r, struct cel_value *v)
{
    if (cel_failed(v))
        return true;
    if (v->kind != CEL_OPTIONAL) {
        *v = cel_no_overload(r);
        return true;
    }
    if (v->u.some == NULL)
        return false;
    *v = *v->u.some;
    return true;
}

static struct cel_value eval_list(struct cel_run *r, const struct cel_node *n)
{
    struct cel_items *items = cel_items_new(r, n->n);

    if (!cel_charge(r, COST_LIST) || items == NULL)
        return cel_over(r);
    for (unsigned i = 0; i < n->n; i++) {
        struct cel_value v = eval(r, n->arg[i]);
        if (n->arg[i]->optional && !element_present(r, &v))
            continue;
        if (cel_failed(&v))
            return v;
        items->v[items->n++] = v;
    }
    return cel_list(items);
}

static bool is_key(const struct cel_value *v)
{
    return v->kind == CEL_STRING || v->kind == CEL_INT || v->kind == CEL_UINT || v->kind == CEL_BOOL;
}

/* One more entry; an error, or of the kind CEL_DYN when all is well. */
static struct cel_value add_entry(struct cel_run *r, struct cel_items *items, struct cel_value key,
                                  struct cel_value v)
{
    struct cel_value map = cel_map(items), before;
    struct str       text;

    if (cel_failed(&key))
        return key;
    if (cel_failed(&v))
        return v;
    if (!is_key(&key))
        return cel_error(r, "unsupported key type: %s", cel_kind_name((enum cel_kind)key.kind));
    if (!cel_charge(r, items->n / 16))
        return cel_over(r);
    if (cel_map_find(&map, &key, &before)) {
        text = cel_value_text(r->arena, &key);
        return cel_error(r, "insert failed: key %.*s already exists", STR_ARG(text));
    }
    if (!cel_items_add(r, items, key) || !cel_items_add(r, items, v))
        return cel_over(r);
    return (struct cel_value){ .kind = CEL_DYN };
}

static struct cel_value eval_map(struct cel_run *r, const struct cel_node *n)
{
    struct cel_items *items = cel_items_new(r, n->n);

    if (!cel_charge(r, COST_MAP) || items == NULL)
        return cel_over(r);
    for (unsigned i = 0; i + 1 < n->n; i += 2) {
        struct cel_value key = eval(r, n->arg[i]), v = eval(r, n->arg[i + 1]);
        if (n->arg[i]->optional && !element_present(r, &v))
            continue;
        v = add_entry(r, items, key, v);
        if (v.kind != CEL_DYN)
            return v;
    }
    return cel_map(items);
}

/* ---- Macros ----------------------------------------------------------------------------------------- */

struct turns {
    const struct cel_node *n;
    struct cel_items *items;                     /* of those that make something */
    struct cel_value failed;                     /* all, exists: an error that a later turn may outdo */
    unsigned ones;
    int64_t  i;
};

/* Merge a map of entries made by one turn. */
static struct cel_value add_entries(struct cel_run *r, struct cel_items *items, const struct cel_value *map)
{
    struct cel_walk  w = { .of = map };
    struct cel_value key, v, done = { .kind = CEL_DYN };

    if (map->kind != CEL_MAP)
        return cel_failed(map) ? *map : cel_no_overload(r);
    while (done.kind == CEL_DYN && cel_next(&w, &key, &v))
        done = add_entry(r, items, key, v);
    return done;
}

/* all and exists: the answer when it is known; CEL_DYN: go on. */
static struct cel_value turn_of_logic(struct cel_run *r, struct turns *t, struct cel_value v, bool ends)
{
    if (v.kind == CEL_BOOL)
        return v.u.b == ends ? v : (struct cel_value){ .kind = CEL_DYN };
    if (t->failed.kind == CEL_DYN)
        t->failed = cel_failed(&v) ? v : cel_no_overload(r);
    return r->over ? cel_over(r) : (struct cel_value){ .kind = CEL_DYN };
}

static struct cel_value one_turn(struct cel_run *r, struct turns *t)
{
    const struct cel_node *n = t->n;
    struct cel_value       go_on = { .kind = CEL_DYN }, v;

    if (n->arg[2] != NULL) {
        v = eval(r, n->arg[2]);
        if (v.kind != CEL_BOOL)
            return cel_failed(&v) ? v : cel_no_overload(r);
        if (!v.u.b)
            return go_on;
    }
    v = eval(r, n->arg[1]);
    if (n->op == LOOP_ALL || n->op == LOOP_EXISTS)
        return turn_of_logic(r, t, v, n->op == LOOP_EXISTS);
    if (cel_failed(&v))
        return v;
    switch ((enum cel_loop)n->op) {
    case LOOP_EXISTS_ONE:
        t->ones += v.kind == CEL_BOOL && v.u.b;
        return v.kind == CEL_BOOL ? go_on : cel_no_overload(r);
    case LOOP_FILTER:
        if (v.kind != CEL_BOOL)
            return cel_no_overload(r);
        if (!v.u.b)
            return go_on;
        v = r->locals[n->slot];
        break;
    case LOOP_TRANSFORM_MAP:
        if (!cel_items_add(r, t->items, r->locals[n->slot]))
            return cel_over(r);
        break;
    case LOOP_TRANSFORM_ENTRY:
        return add_entries(r, t->items, &v);
    default:
        break;
    }
    return cel_items_add(r, t->items, v) ? go_on : cel_over(r);
}

static struct cel_value loop_result(const struct turns *t)
{
    switch ((enum cel_loop)t->n->op) {
    case LOOP_ALL: case LOOP_EXISTS:
        return t->failed.kind != CEL_DYN ? t->failed : cel_bool(t->n->op == LOOP_ALL);
    case LOOP_EXISTS_ONE:
        return cel_bool(t->ones == 1);
    case LOOP_TRANSFORM_MAP: case LOOP_TRANSFORM_ENTRY:
        return cel_map(t->items);
    default:
        return cel_list(t->items);
    }
}

static struct cel_value eval_loop(struct cel_run *r, const struct cel_node *n)
{
    struct turns     t = { .n = n, .failed = { .kind = CEL_DYN } };
    struct cel_value on = eval(r, n->arg[0]), *var = &r->locals[n->slot], done;
    struct cel_walk  w = { .of = &on };
    bool             two = !str_empty(n->name2);

    if (cel_failed(&on))
        return on;
    if (on.kind != CEL_LIST && on.kind != CEL_MAP)
        return cel_no_overload(r);
    if (n->op >= LOOP_MAP && (t.items = cel_items_new(r, 0)) == NULL)
        return cel_over(r);
    for (; cel_next(&w, &var[0], &var[1]); t.i++) {
        if (on.kind == CEL_LIST && two) {
            var[1] = var[0];
            var[0] = cel_int(t.i);
        }
        if (!cel_charge(r, cel_turn_cost[n->op]))
            return cel_over(r);
        done = one_turn(r, &t);
        if (done.kind != CEL_DYN)
            return done;
    }
    return cel_charge(r, COST_NAME) ? loop_result(&t) : cel_over(r);
}

static struct cel_value eval_let(struct cel_run *r, const struct cel_node *n)
{
    struct cel_value on = eval(r, n->arg[0]), v;

    if (cel_failed(&on) || (on.kind == CEL_OPTIONAL && on.u.some == NULL))
        return on;
    if (on.kind != CEL_OPTIONAL)
        return cel_no_overload(r);
    r->locals[n->slot] = *on.u.some;
    v = eval(r, n->arg[1]);
    if (cel_failed(&v))
        return v;
    if (!n->op)
        return cel_some(r, v);
    return v.kind == CEL_OPTIONAL ? v : cel_no_overload(r);
}

/* ---- The whole -------------------------------------------------------------------------------------- */

static struct cel_value eval(struct cel_run *r, const struct cel_node *n)
{
    switch ((enum cel_node_kind)n->kind) {
    case N_CONST:  return n->value;
    case N_VAR:    return eval_var(r, n);
    case N_LOCAL:  return cel_charge(r, COST_NAME) ? r->locals[n->slot] : cel_over(r);
    case N_SELECT: return eval_select(r, n);
    case N_HAS:    return eval_has(r, n);
    case N_CALL:   return eval_call(r, n);
    case N_AND: case N_OR: return eval_logic(r, n);
    case N_COND:   return eval_cond(r, n);
    case N_LIST:   return eval_list(r, n);
    case N_MAP:    return eval_map(r, n);
    case N_LOOP:   return eval_loop(r, n);
    case N_LET:    return eval_let(r, n);
    case N_IDENT: case N_STRUCT: break;          /* none is left after the check */
    }
    panic_at(__FILE__, __LINE__, "a kind of node");
}

struct cel_value cel_eval(const struct cel_program *p, struct cel_run *run)
{
    struct cel_value *before = run->locals, v;

    if (run->depth == 0) {
        run->cost = 0;
        run->memory = 0;
        run->over = false;
    }
    run->depth++;
    run->locals = arena_alloc(run->arena, (p->n_locals + 1) * sizeof *run->locals);
    v = eval(run, p->root);
    run->locals = before;
    run->depth--;
    return run->over ? cel_over(run) : v;
}
