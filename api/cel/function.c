/* api/cel/function.c: the functions of all libraries by name, and which of them takes which arguments. */
#include "api/cel/impl.h"

static const struct cel_library *const libraries[] = {
    &cel_lib_operators, &cel_lib_convert,  &cel_lib_time, &cel_lib_strings,  &cel_lib_lists,
    &cel_lib_regex,     &cel_lib_quantity, &cel_lib_net,  &cel_lib_url,      &cel_lib_format,
    &cel_lib_semver,    &cel_lib_authz,    &cel_lib_math, &cel_lib_optional,
};

bool cel_function_known(struct str name)
{
    for (size_t l = 0; l < ARRAY_LEN(libraries); l++)
        for (unsigned i = 0; i < libraries[l]->n; i++)
            if (str_is(name, libraries[l]->fn[i].name))
                return true;
    return false;
}

/* ---- Signatures: "s.i:s" ---------------------------------------------------------------------------- */

/* A and B in signatures: unique by address. */
static const struct cel_type param_a = { .kind = CEL_DYN, .max = CEL_UNBOUNDED };
static const struct cel_type param_b = { .kind = CEL_DYN, .max = CEL_UNBOUNDED };

static const struct cel_type *sig_type(struct arena *a, const char **at)
{
    static const struct { char letter; uint8_t kind; } letters[] = {
        { 'b', CEL_BOOL },        { 'i', CEL_INT },
        { 'u', CEL_UINT },        { 'd', CEL_DOUBLE },
        { 's', CEL_STRING },      { 'y', CEL_BYTES },
        { 't', CEL_TIMESTAMP },   { 'D', CEL_DURATION },
        { 'n', CEL_NULL },        { '*', CEL_DYN },
        { 'q', CEL_QUANTITY },    { 'U', CEL_URL },
        { 'p', CEL_IP },          { 'c', CEL_CIDR },
        { 'f', CEL_FORMAT },      { 'v', CEL_SEMVER },
        { 'z', CEL_AUTHORIZER },  { 'P', CEL_PATH_CHECK },
        { 'G', CEL_GROUP_CHECK }, { 'R', CEL_RESOURCE_CHECK },
        { 'X', CEL_DECISION },
    };
    const struct cel_type *key;
    char c = *(*at)++;

    switch (c) {
    case 'A': return &param_a;
    case 'B': return &param_b;
    case 'l': return cel_type_list(a, sig_type(a, at));
    case 'o': return cel_type_wrap(a, CEL_OPTIONAL, sig_type(a, at));
    case 'T': return cel_type_wrap(a, CEL_TYPE, sig_type(a, at));
    case 'm':
        key = sig_type(a, at);
        return cel_type_pair(a, key, sig_type(a, at));
    default: break;
    }
    for (size_t i = 0; i < ARRAY_LEN(letters); i++)
        if (letters[i].letter == c)
            return cel_type((enum cel_kind)letters[i].kind);
    panic_at(__FILE__, __LINE__, "a letter of a signature");
}

/* False: it takes another number of arguments, or they stand elsewhere. */
static bool sig_read(struct arena *a, const struct cel_function *f, bool member, unsigned n,
                     struct cel_signature *ret)
{
    const char *at = f->sig;
    bool        dot = strchr(f->sig, '.') != NULL;

    if (dot != member)
        return false;
    *ret = (struct cel_signature){ .f = f };
    while (*at != ':') {
        must(ret->n < CEL_MAX_ARGS);
        if (ret->n == n)
            return false;
        ret->arg[ret->n++] = sig_type(a, &at);
        at += *at == '.';
    }
    at++;
    ret->result = sig_type(a, &at);
    must(*at == '\0');
    return ret->n == n;
}

unsigned cel_signatures(struct arena *a, struct str name, bool member, unsigned n,
                        struct cel_signature ret[CEL_MAX_SIGNATURES])
{
    unsigned count = 0;

    for (size_t l = 0; l < ARRAY_LEN(libraries); l++)
        for (unsigned i = 0; i < libraries[l]->n; i++)
            if (str_is(name, libraries[l]->fn[i].name) &&
                sig_read(a, &libraries[l]->fn[i], member, n, &ret[count])) {
                count++;
                must(count < CEL_MAX_SIGNATURES);
            }
    return count;
}

/* ---- What fits -------------------------------------------------------------------------------------- */

struct binding { const struct cel_type *a, *b; };

static bool bind(const struct cel_type *want, const struct cel_type *have, struct binding *to)
{
    const struct cel_type **slot = want == &param_a ? &to->a : want == &param_b ? &to->b : NULL;

    if (slot != NULL) {
        if (*slot == NULL)
            *slot = have;
        else if (!cel_type_fits(*slot, have) && !cel_type_fits(have, *slot))
            return false;
        else
            *slot = cel_type_join(*slot, have);
        return true;
    }
    if (have->kind == CEL_DYN || have->kind == CEL_ERROR) {
        have = cel_type(CEL_DYN);
        return (want->elem == NULL || bind(want->elem, have, to)) &&
               (want->key == NULL || bind(want->key, have, to));
    }
    if (want->elem == NULL || want->kind != have->kind)
        return cel_type_fits(want, have);
    if (want->kind == CEL_MAP && want->key != NULL &&
        !bind(want->key, have->key != NULL ? have->key : cel_type(CEL_STRING), to))
        return false;
    return bind(want->elem, have->elem, to);
}

static const struct cel_type *filled(struct arena *a, const struct cel_type *t, const struct binding *b)
{
    const struct cel_type *bound = t == &param_a ? b->a : t == &param_b ? b->b : t;

    if (bound == NULL)
        return cel_type(CEL_DYN);
    if (bound != t || t->elem == NULL)
        return bound;
    if (t->kind == CEL_MAP)
        return cel_type_pair(a, filled(a, t->key, b), filled(a, t->elem, b));
    return cel_type_wrap(a, t->kind, filled(a, t->elem, b));
}

bool cel_signature_takes(const struct cel_signature *o, const struct cel_type *const *arg, struct arena *a,
                        const struct cel_type **ret)
{
    struct binding to = { NULL, NULL };

    for (unsigned i = 0; i < o->n; i++)
        if (!bind(o->arg[i], arg[i], &to))
            return false;
    *ret = filled(a, o->result, &to);
    return true;
}

/* ---- At run time ------------------------------------------------------------------------------------ */

struct cel_value cel_call(struct cel_run *r, const struct cel_node *n, struct cel_value *arg)
{
    for (unsigned i = 0; i < n->n; i++) {
        if (arg[i].kind != CEL_BYTES || !arg[i].json)
            continue;
        arg[i] = cel_decoded(r, &arg[i]);
        if (cel_failed(&arg[i]))
            return arg[i];
    }
    for (unsigned i = 0; i < n->n_overloads; i++) {
        const struct cel_overload *o = &n->overload[i];
        uint64_t                   size[2] = { 0, 0 };
        unsigned                   fit = 0;

        while (fit < o->n && (o->kind[fit] == CEL_DYN || o->kind[fit] == arg[fit].kind))
            fit++;
        if (fit < o->n)
            continue;
        if (o->f->cost != COST_ONE)
            for (unsigned k = 0; k < o->n && k < 2; k++)
                size[k] = cel_size_of(&arg[k]);
        if (!cel_charge(r, cel_cost_of((enum cel_cost)o->f->cost, size[0], size[1])))
            return cel_over(r);
        return o->f->fn(r, arg, o->n);
    }
    return cel_no_overload(r);
}
