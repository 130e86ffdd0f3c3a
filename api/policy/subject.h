/* api/policy/subject.h: what expressions about a request see of it: object, oldObject, request,
 * namespaceObject, params, authorizer, and the variables of a policy. */
#ifndef API_POLICY_SUBJECT_H
#define API_POLICY_SUBJECT_H

#include "api/admit.h"
#include "api/cel.h"

enum subject_var {
    SUBJECT_OBJECT, SUBJECT_OLD, SUBJECT_REQUEST, SUBJECT_AUTHORIZER, SUBJECT_REQUEST_RESOURCE,
    SUBJECT_NAMESPACE, SUBJECT_PARAMS,
    SUBJECT_VARS                                 /* of policies: from here on */
};

/* Which there are, and of what types: all but the first two are the same everywhere. */
struct subject_opts {
    const struct cel_type *object, *params;      /* NULL: dyn */
    bool has_namespace, has_params;
    unsigned more;                               /* room for so many variables */
};
/* In the arena; env->vars may be written to (variables), env->n is SUBJECT_VARS when all are there. */
void subject_env(struct cel_env *ret, struct cel_var **ret_vars, const struct subject_opts *o,
                 struct arena *a);

struct subject;
struct subject_variable { struct str name; struct cel_program *program; };
struct subject {
    struct cel_run run;
    struct admission *a;
    const struct json *params;                   /* NULL: null */
    const struct subject_variable *var; unsigned n_vars;
    uint64_t left;                               /* of the cost that all expressions may have */
};
/* values: SUBJECT_VARS + n_vars of them, in the arena. */
void subject_init(struct subject *s, struct admission *a, const struct subject_variable *var, unsigned n_vars,
                  uint64_t budget);
/* The same request with other parameters: what depends on them is asked again. */
void subject_set_params(struct subject *s, const struct json *params);
/* An expression's value; errors also when the whole budget is used up. */
struct cel_value subject_eval(struct subject *s, const struct cel_program *p);

#endif
