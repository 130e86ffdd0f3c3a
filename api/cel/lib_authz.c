/* api/cel/lib_authz.c: questions to the authorizer:
 * authorizer.group('apps').resource('deployments').check('get').
 *
 * Each step is the query so far with one field more; check() asks (cel_run.authorize). */
#include "api/cel/impl.h"

/* A value of these kinds points to its query; the authorizer itself may have none yet. */
static struct cel_query query_of(const struct cel_value *v)
{
    return v->u.opaque != NULL ? *(const struct cel_query *)v->u.opaque
                               : (struct cel_query){ .path = STR_NONE };
}

static struct cel_value with(struct cel_run *r, enum cel_kind kind, struct cel_query q)
{
    struct cel_query *p = cel_alloc(r, sizeof *p);

    if (p == NULL)
        return cel_over(r);
    *p = q;
    return cel_opaque(kind, p);
}

#define STEP(fn, to, member)                       \
    CEL_FN(fn)                                     \
    {                                              \
        struct cel_query q = query_of(&a[0]);      \
        q.member = a[1].u.s;                       \
        return with(r, to, q);                     \
    }
STEP(path, CEL_PATH_CHECK, path)
STEP(group, CEL_GROUP_CHECK, group)
STEP(subresource, CEL_RESOURCE_CHECK, subresource)
STEP(in_namespace, CEL_RESOURCE_CHECK, ns)
STEP(named, CEL_RESOURCE_CHECK, name)
STEP(field_selector, CEL_RESOURCE_CHECK, field_selector)
STEP(label_selector, CEL_RESOURCE_CHECK, label_selector)

CEL_FN(resource)
{
    struct cel_query q = query_of(&a[0]);

    q.resource_check = true;
    q.resource = a[1].u.s;
    return with(r, CEL_RESOURCE_CHECK, q);
}

CEL_FN(service_account)
{
    struct cel_query q = query_of(&a[0]);

    q.sa_namespace = a[1].u.s;
    q.sa_name = a[2].u.s;
    if (str_empty(q.sa_namespace) || str_empty(q.sa_name))
        return cel_error(r, "Invalid service account namespace or name");
    return with(r, CEL_AUTHORIZER, q);
}

CEL_FN(check)
{
    struct cel_query   q = query_of(&a[0]);
    struct cel_answer *answer = cel_alloc(r, sizeof *answer);

    if (answer == NULL)
        return cel_over(r);
    q.verb = a[1].u.s;
    *answer = (struct cel_answer){ .reason = STR_NONE };
    if (r->authorize == NULL)
        return cel_error(r, "no authorizer here");
    r->authorize(r, &q, answer);
    return cel_opaque(CEL_DECISION, answer);
}

#define ANSWER (*(const struct cel_answer *)a[0].u.opaque)
CEL_FN(allowed) { return cel_bool(ANSWER.allowed); }
CEL_FN(reason) { return cel_string(ANSWER.reason); }
CEL_FN(errored) { return cel_bool(ANSWER.error.n > 0); }
CEL_FN(error_text) { return cel_string(ANSWER.error); }

#define ROW(name, sig, fn) { name, sig, fn, COST_ONE, SIZE_NONE }
static const struct cel_function questions[] = {
    ROW("path", "z.s:P", path),
    ROW("group", "z.s:G", group),
    ROW("serviceAccount", "z.ss:z", service_account),
    ROW("resource", "G.s:R", resource),
    ROW("subresource", "R.s:R", subresource),
    ROW("namespace", "R.s:R", in_namespace),
    ROW("name", "R.s:R", named),
    ROW("fieldSelector", "R.s:R", field_selector),
    ROW("labelSelector", "R.s:R", label_selector),
    { "check", "P.s:X", check, COST_AUTHORIZE, 0 },
    { "check", "R.s:X", check, COST_AUTHORIZE, 0 },
    ROW("allowed", "X.:b", allowed),
    ROW("reason", "X.:s", reason),
    ROW("errored", "X.:b", errored),
    ROW("error", "X.:s", error_text),
};
const struct cel_library cel_lib_authz = { questions, ARRAY_LEN(questions) };
