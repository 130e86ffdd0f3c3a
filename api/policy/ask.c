/* api/policy/ask.c: what a policy says about a request, and what its binding makes of that: refusal,
 * warning, notes for the audit log. */
#include "api/call.h"
#include "api/policy/policy.h"

#define MESSAGE_MAX 5120                         /* bytes of what an expression says */
#define FAILURE_KEY "validation.policy.admission.k8s.io/validation_failure"

struct ask {
    const struct policy *p;
    const struct policy_binding *b;
    struct admission *a;
    struct subject s;
    struct json *failures;                       /* for the audit log; NULL: none yet */
    struct buf *notes;                           /* the values of each annotation so far */
};

/* ---- Verdicts --------------------------------------------------------------------------------------- */

static int code_of(struct str reason)
{
    static const struct { const char *reason; int code; } codes[] = {
        { REASON_UNAUTHORIZED, 401 }, { REASON_FORBIDDEN, 403 }, { REASON_TOO_LARGE, 413 },
    };

    for (size_t i = 0; i < ARRAY_LEN(codes); i++)
        if (str_is(reason, codes[i].reason))
            return codes[i].code;
    return 422;
}

/* As the original: worded like a refusal of 403, whatever the code is. */
static void refuse(struct ask *k, struct str reason, struct str why)
{
    struct call   *c = k->a->call;
    struct arena  *arena = k->a->k->arena;
    struct status *s = arena_new(arena, struct status);
    struct causes *causes = arena_new(arena, struct causes);
    struct str     text =
        arena_fmt(arena, "ValidatingAdmissionPolicy '%.*s' with binding '%.*s' denied request: %.*s",
                  STR_ARG(k->p->name), STR_ARG(k->b->name), STR_ARG(why));
    struct str     resource = call_resource_name(c), name = k->a->k->name;

    causes_init(causes, arena);
    cause_add(causes, NULL, NULL, "%.*s", STR_ARG(text));
    s->code = code_of(reason);
    s->reason = status_reason_of(s->code);
    s->message = name.n > 0 ? arena_fmt(arena, "%.*s \"%.*s\" is forbidden: %.*s", STR_ARG(resource),
                                        STR_ARG(name), STR_ARG(text))
                            : arena_fmt(arena, "%.*s is forbidden: %.*s", STR_ARG(resource), STR_ARG(text));
    s->details.name = name;
    s->details.group = str_of(k->a->k->asked->kind->group);
    s->details.kind = str_of(k->a->k->asked->plural);
    s->causes = causes;
    kind_refuse_status(k->a->k, s);
}

static void record_failure(struct ask *k, unsigned index, struct str why)
{
    struct arena *arena = k->a->k->arena;
    struct json  *f = json_object(arena), *actions = json_array(arena);

    if (k->failures == NULL)
        k->failures = json_array(arena);
    json_setz(arena, f, "message", json_string(arena, why));
    json_setz(arena, f, "policy", json_string(arena, k->p->name));
    json_setz(arena, f, "binding", json_string(arena, k->b->name));
    json_setz(arena, f, "expressionIndex", json_int(arena, index));
    if (k->b->deny)
        json_push(actions, json_string_ref(arena, STR("Deny")));
    if (k->b->warn)
        json_push(actions, json_string_ref(arena, STR("Warn")));
    json_push(actions, json_string_ref(arena, STR("Audit")));
    json_setz(arena, f, "validationActions", actions);
    json_push(k->failures, f);
}

static void fails(struct ask *k, unsigned index, struct str reason, struct str why)
{
    if (k->b->audit)
        record_failure(k, index, why);
    if (k->b->warn)
        kind_warn(k->a->k, "Validation failed for ValidatingAdmissionPolicy '%.*s' with binding '%.*s': %.*s",
                  STR_ARG(k->p->name), STR_ARG(k->b->name), STR_ARG(why));
    if (k->b->deny)
        refuse(k, reason, why);
}

/* ---- Rules ------------------------------------------------------------------------------------------ */

static struct str message_of(struct ask *k, const struct policy_rule *r)
{
    struct cel_value v = { .kind = CEL_NULL };

    if (r->message_program != NULL)
        v = subject_eval(&k->s, r->message_program);
    if (v.kind == CEL_STRING && str_trim(v.u.s).n > 0 && v.u.s.n <= MESSAGE_MAX && str_find(v.u.s, '\n') < 0)
        return str_trim(v.u.s);
    if (r->message.n > 0)
        return r->message;
    return arena_fmt(k->a->k->arena, "failed expression: %.*s", STR_ARG(r->text));
}

static void ask_rule(struct ask *k, unsigned i)
{
    const struct policy_rule *r = &k->p->rule[i];
    struct cel_value          v = subject_eval(&k->s, r->program);

    if (cel_is_true(&v))
        return;
    if (v.kind == CEL_BOOL) {
        fails(k, i, r->reason, message_of(k, r));
    } else if (!k->p->ignore) {
        struct str why = v.kind == CEL_ERROR ? v.u.s : STR("the expression is not true or false");
        fails(k, i, STR(REASON_INVALID),
              arena_fmt(k->a->k->arena, "expression '%.*s' resulted in error: %.*s", STR_ARG(r->text),
                        STR_ARG(why)));
    }
}

static void ask_note(struct ask *k, unsigned i)
{
    struct cel_value v = subject_eval(&k->s, k->p->note[i].program);

    if (v.kind != CEL_STRING) {
        if (v.kind != CEL_NULL && !k->p->ignore)
            refuse(k, STR(REASON_INVALID),
                   arena_fmt(k->a->k->arena, "expression of auditAnnotation '%.*s' resulted in error: %.*s",
                             STR_ARG(k->p->note[i].key),
                             STR_ARG(v.kind == CEL_ERROR ? v.u.s : STR("neither a string nor null"))));
        return;
    }
    if (str_trim(v.u.s).n == 0)
        return;
    if (k->notes[i].n > 0)
        buf_z(&k->notes[i], ", ");
    buf_str_add(&k->notes[i], str_upto(v.u.s, MIN_OF(v.u.s.n, (size_t)10240)));
}

/* With one set of parameters. */
static void ask_with(struct ask *k, const struct json *params)
{
    enum conditions_result met;
    struct str             why = STR_NONE;

    subject_set_params(&k->s, params);
    met = conditions_ask(&k->p->conditions, &k->s, &why);
    if (met == CONDITIONS_FAILED && !k->p->ignore)
        refuse(k, STR(REASON_INVALID), why);
    if (met != CONDITIONS_MET)
        return;
    for (unsigned i = 0; i < k->p->n_rules && k->a->k->refused == 0; i++)
        ask_rule(k, i);
    for (unsigned i = 0; i < k->p->n_notes && k->a->k->refused == 0; i++)
        ask_note(k, i);
}

static void tell_audit(struct ask *k)
{
    struct arena *arena = k->a->call->arena;
    struct buf    b = BUF_INIT;

    if (k->failures != NULL) {
        json_write(&b, k->failures);
        admit_note(k->a, FAILURE_KEY, buf_str(&b));
    }
    buf_release(&b);
    for (unsigned i = 0; i < k->p->n_notes; i++) {
        if (k->notes[i].n > 0) {
            struct str key = arena_fmt(arena, "%.*s/%.*s", STR_ARG(k->p->name), STR_ARG(k->p->note[i].key));
            admit_note(k->a, key.p, buf_str(&k->notes[i]));
        }
        buf_release(&k->notes[i]);
    }
}

void policy_ask(const struct policy *p, const struct policy_binding *b, struct admission *a)
{
    struct ask          k = { .p = p, .b = b, .a = a };
    const struct json **params = NULL;
    struct str          why =
        p->broken.n > 0 ? arena_fmt(a->k->arena, "compilation error: %.*s", STR_ARG(p->broken)) : b->broken;
    unsigned            n = 0;

    if (why.n > 0 || !policy_params(p, b, a, &params, &n, &why)) {
        if (!p->ignore)
            refuse(&k, STR(REASON_INVALID),
                   p->broken.n > 0
                       ? why
                       : arena_fmt(a->k->arena, "failed to configure binding: %.*s", STR_ARG(why)));
        return;
    }
    k.notes = arena_zalloc(a->k->arena, (p->n_notes + 1) * sizeof *k.notes);
    subject_init(&k.s, a, p->var, p->n_vars, CEL_COST_OBJECT);
    for (unsigned i = 0; i < n && a->k->refused == 0; i++)
        ask_with(&k, params[i]);
    tell_audit(&k);
}
