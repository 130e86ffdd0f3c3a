/* api/crd/rule_check.c: rules in CEL, run over an object.
 *
 * One walk over value, old value and schema, only where rules are.  All rules of an object share one
 * budget; when it is used up, that is told and nothing further runs. */
#include "api/crd/rule.h"

#define SELF 0u
#define OLD  1u

struct check {
    struct arena *arena;
    struct causes *causes;
    uint64_t budget;
    bool out_of_budget;
};

static void check_value(struct check *c, const struct schema_field *f, const struct json *v,
                        const struct json *old, const struct at *at);

/* ---- Answers ------------------------------------------------------------------------------------ */

static const char *type_name(const struct json *v)
{
    static const char *const names[] = { "null", "boolean", "number", "string", "array", "object" };

    return names[v->type];
}

static void out_of_budget(struct check *c, const struct at *at, const struct json *v)
{
    c->out_of_budget = true;
    cause_add(
        c->causes, CAUSE_INVALID, at,
        "Invalid value: \"%s\": validation failed due to running out of cost budget, no further validation "
        "rules will be run",
        type_name(v));
}

/* The value that the rule blames: a member of the one it stands at. */
static struct at *blamed(struct check *c, const struct crd_rule *r, const struct at *up)
{
    struct at *at = NULL;
    struct str rest = r->field_path.n > 0 ? str_from(r->field_path, r->field_path.p[0] == '.') : STR_NONE,
               part;

    while (rest.n > 0 && str_split(&rest, '.', &part)) {
        struct at *next = arena_new(c->arena, struct at);

        *next = AT_STR(at != NULL ? at : up, part);
        at = next;
    }
    return at;
}

static void complain(struct check *c, const struct crd_rule *r, const struct at *up, const struct json *v,
                     struct str text)
{
    const struct at *below = blamed(c, r, up), *at = below != NULL ? below : up;

    if (strcmp(r->reason, CAUSE_REQUIRED) == 0)
        cause_required(c->causes, at, arena_cstr(c->arena, text));
    else if (strcmp(r->reason, CAUSE_FORBIDDEN) == 0)
        cause_forbidden(c->causes, at, arena_cstr(c->arena, text));
    else if (strcmp(r->reason, CAUSE_DUPLICATE) == 0)
        cause_duplicate(c->causes, at, str_of(type_name(v)));
    else
        cause_invalid(c->causes, at, str_of(type_name(v)), arena_cstr(c->arena, text));
}

/* What is told when the rule does not hold. */
static struct str message_of(struct check *c, const struct crd_rule *r, struct cel_run *run)
{
    struct cel_value v;

    if (r->message_program != NULL) {
        run->limit = MIN_OF((uint64_t)CEL_COST_CALL, c->budget);
        v = cel_eval(r->message_program, run);
        c->budget -= MIN_OF(c->budget, run->cost);
        if (v.kind == CEL_STRING && str_trim(v.u.s).n > 0 && memchr(v.u.s.p, '\n', v.u.s.n) == NULL)
            return v.u.s;
    }
    return r->message.n > 0 ? r->message
                            : arena_fmt(c->arena, "failed rule: %.*s", STR_ARG(str_trim(r->rule)));
}

/* ---- Running ------------------------------------------------------------------------------------ */

static void run_rule(struct check *c, const struct crd_rule *r, struct cel_value *vars, const struct json *v,
                     const struct at *at)
{
    struct cel_run run = { .arena = c->arena,
                           .vars = vars,
                           .limit = MIN_OF((uint64_t)CEL_COST_CALL, c->budget) };
    struct cel_value result = cel_eval(r->program, &run);

    c->budget -= MIN_OF(c->budget, run.cost);
    if (run.over || c->budget == 0)
        out_of_budget(c, at, v);
    else if (result.kind == CEL_ERROR)
        cause_invalid(c->causes, at, str_of(type_name(v)),
                      arena_fmt(c->arena, "%.*s evaluating rule: %.*s", STR_ARG(result.u.s),
                                STR_ARG(r->message.n > 0 ? r->message : r->rule)).p);
    else if (!cel_is_true(&result))
        complain(c, r, at, v, message_of(c, r, &run));
}

static void check_here(struct check *c, const struct crd_rules *rules, const struct json *v,
                       const struct json *old, const struct at *at)
{
    struct cel_value vars[2] = { cel_from_json(v, rules->type), cel_null() }, some;
    bool same = old != NULL && json_equal(v, old);       /* it passed, or was there before the rule */

    for (unsigned i = 0; i < rules->n && !c->out_of_budget; i++) {
        const struct crd_rule *r = &rules->at[i];

        if (r->transition ? old == NULL && !r->optional_old : same)
            continue;
        if (old != NULL)
            some = cel_from_json(old, rules->type);
        if (r->optional_old)
            vars[OLD] = (struct cel_value){ .kind = CEL_OPTIONAL, .u.some = old != NULL ? &some : NULL };
        else if (old != NULL)
            vars[OLD] = some;
        run_rule(c, r, vars, v, at);
    }
}

/* ---- Walking ------------------------------------------------------------------------------------ */

static void check_elements(struct check *c, const struct schema_field *f, const struct json *v,
                           const struct json *old, const struct at *up)
{
    struct crd_olds olds = crd_olds_of(f, old, c->arena);
    long i = 0;

    if (v->type == JSON_OBJECT) {
        json_each(e, v) {
            struct at at = AT_STR(up, e->key);

            check_value(c, f->element, e, json_get(old, e->key), &at);
        }
        return;
    }
    json_each(e, v) {
        struct at at = AT_INDEX(up, i++);

        check_value(c, f->element, e, crd_old_element(&olds, e), &at);
    }
}

static void check_value(struct check *c, const struct schema_field *f, const struct json *v,
                        const struct json *old, const struct at *up)
{
    if (!f->rules->deep_validations || v->type == JSON_NULL || c->out_of_budget)
        return;
    if (*f->rules->compiled != NULL)
        check_here(c, *f->rules->compiled, v, old != NULL && old->type != JSON_NULL ? old : NULL, up);
    if (f->element != NULL && v->type >= JSON_ARRAY) {
        check_elements(c, f, v, old, up);
        return;
    }
    if (f->type == NULL || f->type->user == NULL)
        return;
    json_each(m, v) {
        const struct schema_field *member = schema_field(f->type, m->key);
        struct at at = AT_STR(up, m->key);

        if (member != NULL && (member->type == NULL || member->type->user != NULL))
            check_value(c, member, m, json_get(old, m->key), &at);
    }
}

/* Rules would stumble over what these say. */
static bool is_blocking(const struct causes *causes)
{
    static const char *const reasons[] = { CAUSE_REQUIRED, CAUSE_TOO_LONG, CAUSE_TOO_MANY, CAUSE_TYPE };

    for (const struct cause *x = causes->first; x != NULL; x = x->next)
        for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
            if (strcmp(x->reason, reasons[i]) == 0)
                return true;
    return causes_more(causes) > 0;
}

void crd_rules_check(const struct schema_field *f, const struct json *obj, const struct json *old,
                     struct arena *a, struct causes *causes)
{
    struct check c = { .arena = a, .causes = causes, .budget = CEL_COST_OBJECT };

    if (!f->rules->deep_validations)
        return;
    if (is_blocking(causes))
        cause_add(
            causes, CAUSE_INVALID, NULL,
            "Invalid value: \"null\": some validation rules were not checked because the object was invalid; "
            "correct the existing errors to complete validation");
    else
        check_value(&c, f, obj, old, NULL);
}
