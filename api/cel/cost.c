/* api/cel/cost.c: what calls cost by the sizes of their arguments, and what an expression may cost at most.
 *
 * The estimate walks the tree once with the largest sizes that the types allow: what a type does not bound
 * is bounded by the largest object there can be (as Kubernetes does): a string of 3 MB, a list of as many
 * of its smallest elements as fit into that. */
#include "api/cel/impl.h"

#define REQUEST_BYTES ((uint64_t)3 << 20)

static uint64_t add(uint64_t x, uint64_t y) { return x + y < x ? UINT64_MAX : x + y; }
static uint64_t mul(uint64_t x, uint64_t y)
{
    uint64_t z;
    return __builtin_mul_overflow(x, y, &z) ? UINT64_MAX : z;
}
static uint64_t part(uint64_t n, uint64_t of) { return n / of + (n % of != 0); }

uint64_t cel_cost_of(enum cel_cost cost, uint64_t size0, uint64_t size1)
{
    switch (cost) {
    case COST_ONE:          return 1;
    case COST_SCAN:         return add(1, part(size0, 10));
    case COST_SCAN_ARG:     return add(1, part(size1, 10));
    case COST_SCAN_BOTH:    return add(1, part(add(size0, size1), 10));
    case COST_PRODUCT:      return add(1, mul(part(size0, 10), part(size1, 10)));
    case COST_REGEX:        return add(1, mul(part(add(size0, 1), 10), part(size1, 4)));
    case COST_LEAST:        return MAX_OF(part(MIN_OF(size0, size1), 10), (uint64_t)1);
    case COST_WALK:         return add(1, size0);
    case COST_WALK_ARG:     return add(1, size1);
    case COST_WALK_PRODUCT: return add(1, mul(size0, size1));
    case COST_AUTHORIZE:    return 350000;
    }
    return 1;
}

const uint8_t cel_turn_cost[] = {
    [LOOP_ALL] = 3, [LOOP_EXISTS] = 4, [LOOP_EXISTS_ONE] = 2, [LOOP_MAP] = 12, [LOOP_FILTER] = 13,
    [LOOP_TRANSFORM_LIST] = 12, [LOOP_TRANSFORM_MAP] = 2, [LOOP_TRANSFORM_ENTRY] = 2,
};

/* ---- Estimate --------------------------------------------------------------------------------------- */

struct guess { uint64_t cost, size; };           /* size: characters, bytes, elements at most */

struct estimate { uint64_t *local_size; };        /* by slot */

/* The least room that a value takes in JSON. */
static uint64_t least_bytes(const struct cel_type *t, unsigned depth)
{
    uint64_t n = 2;

    switch (t->kind) {
    case CEL_BOOL: return 4;
    case CEL_INT: case CEL_UINT: case CEL_DOUBLE: case CEL_DYN: return 1;
    case CEL_TIMESTAMP: return 22;
    case CEL_OBJECT:
        for (unsigned i = 0; i < t->n_fields && depth < 8; i++)
            if (t->fields[i].required)
                n += t->fields[i].name.n + 4 + least_bytes(t->fields[i].type, depth + 1);
        return n;
    default: return 2;
    }
}

static uint64_t most(const struct cel_type *t)
{
    if (t->max != CEL_UNBOUNDED)
        return t->max;
    switch (t->kind) {
    case CEL_STRING: case CEL_BYTES: case CEL_DYN: return REQUEST_BYTES - 2;
    case CEL_LIST: return REQUEST_BYTES / (least_bytes(t->elem, 0) + 1);
    case CEL_MAP:  return REQUEST_BYTES / (least_bytes(t->elem, 0) + 6);
    default:       return 1;
    }
}

static struct guess guess(struct estimate *e, const struct cel_node *n);

static struct guess guess_sum(struct estimate *e, const struct cel_node *n, uint64_t own)
{
    struct guess g = { own, 1 };

    for (unsigned i = 0; i < n->n; i++)
        g.cost = add(g.cost, guess(e, n->arg[i]).cost);
    return g;
}

static uint64_t size_of_constant(const struct cel_value *v)
{
    return v->kind == CEL_STRING || v->kind == CEL_BYTES ? v->u.s.n : 1;
}

static struct guess guess_call(struct estimate *e, const struct cel_node *n)
{
    struct guess g = { 0, most(n->type) }, arg;
    uint64_t     size[2] = { 1, 1 }, own = 1;
    uint8_t      how = SIZE_NONE;

    for (unsigned i = 0; i < n->n; i++) {
        arg = guess(e, n->arg[i]);
        g.cost = add(g.cost, arg.cost);
        if (i < 2)
            size[i] = arg.size;
    }
    for (unsigned i = 0; i < n->n_overloads; i++) {
        own = MAX_OF(own, cel_cost_of((enum cel_cost)n->overload[i].f->cost, size[0], size[1]));
        how = MAX_OF(how, n->overload[i].f->size);
    }
    g.cost = add(g.cost, own);
    if (how == SIZE_SAME)
        g.size = size[0];
    else if (how == SIZE_SUM)
        g.size = add(size[0], size[1]);
    else if (how == SIZE_JOIN)
        g.size = MAX_OF(size[0], size[1]);
    return g;
}

static struct guess guess_loop(struct estimate *e, const struct cel_node *n)
{
    struct guess           range = guess(e, n->arg[0]), body, filter = { 0, 1 }, g;
    const struct cel_type *on = n->arg[0]->type;
    bool                   two = !str_empty(n->name2);

    e->local_size[n->slot] = on->kind == CEL_MAP ? most(on->key != NULL ? on->key : cel_type(CEL_STRING))
                             : two || on->elem == NULL ? 1 : most(on->elem);
    e->local_size[n->slot + 1] = on->elem != NULL ? most(on->elem) : 1;
    if (on->kind == CEL_DYN)
        e->local_size[n->slot] = e->local_size[n->slot + 1] = most(on);
    body = guess(e, n->arg[1]);
    if (n->arg[2] != NULL)
        filter = guess(e, n->arg[2]);
    g.cost = add(range.cost, mul(range.size, add(add(body.cost, filter.cost), cel_turn_cost[n->op])));
    g.size = range.size;
    return g;
}

static struct guess guess_cond(struct estimate *e, const struct cel_node *n)
{
    struct guess c = guess(e, n->arg[0]), x = guess(e, n->arg[1]), y = guess(e, n->arg[2]);

    return (struct guess){ add(c.cost, MAX_OF(x.cost, y.cost)), MAX_OF(x.size, y.size) };
}

static struct guess guess_let(struct estimate *e, const struct cel_node *n)
{
    struct guess on = guess(e, n->arg[0]), body;

    e->local_size[n->slot] = on.size;
    body = guess(e, n->arg[1]);
    return (struct guess){ add(add(on.cost, body.cost), 3), body.size };
}

static struct guess guess(struct estimate *e, const struct cel_node *n)
{
    struct guess g;

    switch ((enum cel_node_kind)n->kind) {
    case N_CONST: return (struct guess){ 0, size_of_constant(&n->value) };
    case N_VAR:   return (struct guess){ 1, most(n->type) };
    case N_LOCAL: return (struct guess){ 1, e->local_size[n->slot] };
    case N_SELECT: case N_HAS:
        g = guess(e, n->arg[0]);
        return (struct guess){ add(g.cost, 1),
                               most(n->type->kind == CEL_OPTIONAL ? n->type->elem : n->type) };
    case N_CALL:  return guess_call(e, n);
    case N_AND: case N_OR: return guess_sum(e, n, 0);
    case N_COND:  return guess_cond(e, n);
    case N_LIST:
        g = guess_sum(e, n, 10);
        return (struct guess){ g.cost, n->n };
    case N_MAP:
        g = guess_sum(e, n, 30);
        return (struct guess){ g.cost, n->n / 2 };
    case N_LOOP:  return guess_loop(e, n);
    case N_LET:   return guess_let(e, n);
    case N_IDENT: case N_STRUCT: break;
    }
    panic_at(__FILE__, __LINE__, "a kind of node");
}

uint64_t cel_estimate(const struct cel_program *p, struct arena *a)
{
    struct estimate e = { arena_zalloc(a, (p->n_locals + 1) * sizeof *e.local_size) };

    return guess(&e, p->root).cost;
}
