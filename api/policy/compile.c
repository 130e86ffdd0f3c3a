/* api/policy/compile.c: the expressions of a policy as programs: variables first, in their order, then what
 * may use them. */
#include "api/policy/policy.h"

struct compile {
    struct policy *p;
    struct cel_env env;
    struct cel_var *vars;
    policy_mistake_fn *tell;
    void *arg;
};

/* NULL: told. */
static struct cel_program *compile(struct compile *c, struct str text, const struct cel_type *want,
                                   const struct at *at)
{
    struct cel_program *program = NULL;
    struct str          why = STR_NONE;

    if (cel_compile(&program, &c->env, text, want, &c->p->arena, &why) == 0)
        return program;
    if (c->p->broken.n == 0)
        c->p->broken = why;
    if (c->tell != NULL)
        c->tell(c->arg, at, text, why);
    return NULL;
}

static unsigned count(const struct json *list) { return json_is(list, JSON_ARRAY) ? list->n : 0; }

static void compile_variables(struct compile *c, const struct json *list, const struct at *up)
{
    struct policy *p = c->p;
    struct at      at = AT_KEY(up, "variables");
    unsigned       i = 0;

    p->var = arena_zalloc(&p->arena, (count(list) + 1) * sizeof *p->var);
    json_each(it, list) {
        struct at           here = AT_INDEX(&at, i++), key = AT_KEY(&here, "expression");
        struct str          name = json_str(json_getz(it, "name"));
        struct cel_program *program = compile(c, json_str(json_getz(it, "expression")), NULL, &key);
        /* One that does not compile has its place and any type, so that it is told once. */
        c->vars[c->env.n++] = (struct cel_var){
            arena_fmt(&p->arena, "variables.%.*s", STR_ARG(name)),
            program != NULL ? cel_program_type(program) : cel_type(CEL_DYN),
        };
        p->var[p->n_vars++] = (struct subject_variable){ name, program };
    }
}

static void compile_rules(struct compile *c, const struct json *list, const struct at *up)
{
    struct policy *p = c->p;
    struct at      at = AT_KEY(up, "validations");
    unsigned       i = 0;

    p->rule = arena_zalloc(&p->arena, (count(list) + 1) * sizeof *p->rule);
    json_each(it, list) {
        struct at           here = AT_INDEX(&at, i++), key = AT_KEY(&here, "expression"),
                            message_key = AT_KEY(&here, "messageExpression");
        struct policy_rule *r = &p->rule[p->n_rules++];
        struct str          message = json_str(json_getz(it, "messageExpression"));
        r->text = str_trim(json_str(json_getz(it, "expression")));
        r->message = str_trim(json_str(json_getz(it, "message")));
        r->reason = json_str(json_getz(it, "reason"));
        r->program = compile(c, r->text, cel_type(CEL_BOOL), &key);
        if (message.n > 0)
            r->message_program = compile(c, message, cel_type(CEL_STRING), &message_key);
    }
}

static void compile_notes(struct compile *c, const struct json *list, const struct at *up)
{
    struct policy *p = c->p;
    struct at      at = AT_KEY(up, "auditAnnotations");
    unsigned       i = 0;

    p->note = arena_zalloc(&p->arena, (count(list) + 1) * sizeof *p->note);
    json_each(it, list) {
        struct at           here = AT_INDEX(&at, i++), key = AT_KEY(&here, "valueExpression");
        struct policy_note *n = &p->note[p->n_notes++];
        struct str          text = json_str(json_getz(it, "valueExpression"));
        enum cel_kind       kind;
        n->key = json_str(json_getz(it, "key"));
        if ((n->program = compile(c, text, NULL, &key)) == NULL)
            continue;
        kind = cel_program_type(n->program)->kind;
        if (kind == CEL_STRING || kind == CEL_NULL || kind == CEL_DYN)
            continue;
        if (c->tell != NULL)
            c->tell(c->arg, &key, text, STR("must evaluate to one of [string null_type]"));
        p->broken = STR("must evaluate to one of [string null_type]");
    }
}

static void compile_conditions(struct compile *c, const struct json *list, const struct at *up)
{
    struct at at = AT_KEY(up, "matchConditions");
    unsigned  i = 0;

    conditions_read(&c->p->conditions, list, &c->env, &c->p->arena);
    for (; i < c->p->conditions.n; i++) {
        struct at here = AT_INDEX(&at, i), key = AT_KEY(&here, "expression");
        if (c->p->conditions.list[i].program == NULL && c->tell != NULL)
            c->tell(c->arg, &key, json_str(json_getz(json_at(list, i), "expression")),
                    c->p->conditions.list[i].why);
    }
}

void policy_compile(struct policy *p, const struct json *spec, const struct policy_types *types,
                    policy_mistake_fn *tell, void *arg)
{
    const struct json  *variables = json_getz(spec, "variables"), *kind = json_getz(spec, "paramKind");
    struct subject_opts opts = { .object = types->object, .params = types->params, .has_namespace = true,
                                 .has_params = kind != NULL, .more = count(variables) };
    struct compile      c = { .p = p, .tell = tell, .arg = arg };
    struct at           at = AT_KEY(NULL, "spec");

    p->spec = spec;
    subject_env(&c.env, &c.vars, &opts, &p->arena);
    compile_conditions(&c, json_getz(spec, "matchConditions"), &at);
    compile_variables(&c, variables, &at);
    compile_rules(&c, json_getz(spec, "validations"), &at);
    compile_notes(&c, json_getz(spec, "auditAnnotations"), &at);
}

struct policy *policy_new(const struct mirror_event *ev)
{
    static const struct policy_types any = { NULL, NULL };
    struct policy     *p = mem_new(struct policy);
    const struct json *obj = mirror_json(ev, &p->arena);
    struct errbuf      err = { "" };

    p->text = blob_ref(ev->object);
    if (obj == NULL) {
        policy_free(p);
        return NULL;
    }
    p->name = json_path_str(obj, "metadata.name");
    policy_compile(p, json_getz(obj, "spec"), &any, NULL, NULL);
    p->ignore = str_is(json_str(json_getz(p->spec, "failurePolicy")), "Ignore");
    p->param_version = json_path_str(p->spec, "paramKind.apiVersion");
    p->param_kind = json_path_str(p->spec, "paramKind.kind");
    if (scope_read(&p->scope, json_getz(p->spec, "matchConstraints"), "resourceRules", &p->arena, &err) !=
            0 &&
        p->broken.n == 0)
        p->broken = arena_str(&p->arena, str_of(err.s));
    return p;
}

void policy_free(struct policy *p)
{
    if (p == NULL)
        return;
    blob_unref(p->text);
    arena_release(&p->arena);
    mem_free(p);
}

struct policy_binding *policy_binding_new(const struct mirror_event *ev)
{
    struct policy_binding *b = mem_new(struct policy_binding);
    const struct json     *obj = mirror_json(ev, &b->arena), *spec, *selector;
    struct errbuf          err = { "" };
    int                    rc;

    b->text = blob_ref(ev->object);
    if (obj == NULL) {
        policy_binding_free(b);
        return NULL;
    }
    spec = json_getz(obj, "spec");
    b->name = json_path_str(obj, "metadata.name");
    b->policy = json_str(json_getz(spec, "policyName"));
    b->param_ref = json_getz(spec, "paramRef");
    b->allow_missing = str_is(json_str(json_getz(b->param_ref, "parameterNotFoundAction")), "Allow");
    json_each(it, json_getz(spec, "validationActions")) {
        b->deny |= str_is(json_str(it), "Deny");
        b->warn |= str_is(json_str(it), "Warn");
        b->audit |= str_is(json_str(it), "Audit");
    }
    rc = scope_read(&b->scope, json_getz(spec, "matchResources"), "resourceRules", &b->arena, &err);
    selector = json_getz(b->param_ref, "selector");
    b->by_selector = selector != NULL;
    if (rc == 0 && selector != NULL)
        rc = selector_from_json(&b->arena, selector, &b->params, &err);
    if (rc != 0)
        b->broken = arena_str(&b->arena, str_of(err.s));
    return b;
}

void policy_binding_free(struct policy_binding *b)
{
    if (b == NULL)
        return;
    blob_unref(b->text);
    arena_release(&b->arena);
    mem_free(b);
}
