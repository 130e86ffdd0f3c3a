/* api/policy/conditions.c: see api/policy/conditions.h. */
#include "api/policy/conditions.h"

static const struct cel_env *plain_env(struct cel_env *room, struct arena *a)
{
    static const struct subject_opts opts = { .object = NULL };
    struct cel_var *vars;

    subject_env(room, &vars, &opts, a);
    return room;
}

void conditions_read(struct conditions *ret, const struct json *list, const struct cel_env *env,
                     struct arena *a)
{
    struct cel_env room;

    *ret = (struct conditions){ NULL, 0 };
    if (list == NULL || list->n == 0)
        return;
    if (env == NULL)
        env = plain_env(&room, a);
    ret->list = arena_zalloc(a, list->n * sizeof *ret->list);
    json_each(it, list) {
        struct condition *c = &ret->list[ret->n++];
        c->name = json_str(json_getz(it, "name"));
        if (cel_compile(&c->program, env, json_str(json_getz(it, "expression")), cel_type(CEL_BOOL), a,
                        &c->why) != 0)
            c->program = NULL;
    }
}

enum conditions_result conditions_ask(const struct conditions *c, struct subject *s, struct str *ret_why)
{
    bool failed = false;

    for (unsigned i = 0; i < c->n; i++) {
        const struct condition *one = &c->list[i];
        struct cel_value        v = { .kind = CEL_ERROR, .u.s = one->why };
        if (one->program != NULL)
            v = subject_eval(s, one->program);
        if (v.kind == CEL_BOOL && !v.u.b)
            return CONDITIONS_UNMET;
        if (v.kind == CEL_BOOL || failed)
            continue;
        failed = true;
        *ret_why = v.kind == CEL_ERROR ? v.u.s : STR("the expression is not true or false");
        *ret_why = arena_fmt(s->run.arena, "expression of matchCondition '%.*s' resulted in error: %.*s",
                             STR_ARG(one->name), STR_ARG(*ret_why));
    }
    return failed ? CONDITIONS_FAILED : CONDITIONS_MET;
}

enum conditions_result conditions_ask_plain(const struct conditions *c, struct admission *a,
                                            struct str *ret_why)
{
    struct subject s;

    if (c->n == 0)
        return CONDITIONS_MET;
    subject_init(&s, a, NULL, 0, CEL_COST_CONDITION);
    return conditions_ask(c, &s, ret_why);
}

void conditions_check(const struct json *list, const struct cel_env *env, const struct at *at,
                      struct causes *causes)
{
    struct cel_env      room;
    struct cel_program *p;
    struct str          why;
    unsigned            i = 0;

    if (list == NULL || list->n == 0)
        return;
    if (env == NULL)
        env = plain_env(&room, causes->arena);
    json_each(it, list) {
        struct at  here = AT_INDEX(at, i++), key = AT_KEY(&here, "expression");
        struct str text = str_trim(json_str(json_getz(it, "expression")));
        if (text.n == 0)
            continue;
        if (cel_compile(&p, env, text, cel_type(CEL_BOOL), causes->arena, &why) != 0)
            cause_invalid(causes, &key, text, arena_cstr(causes->arena, why));
    }
}
