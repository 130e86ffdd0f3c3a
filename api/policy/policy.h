/* api/policy/policy.h: ValidatingAdmissionPolicy: a policy as compiled programs, and what one binding of it
 * says about a request. */
#ifndef API_POLICY_POLICY_H
#define API_POLICY_POLICY_H

#include "api/mirror.h"
#include "api/policy/conditions.h"
#include "api/policy/scope.h"

struct policy_rule {                             /* of spec.validations */
    struct str text, message, reason;
    struct cel_program *program, *message_program;           /* message_program NULL: only message */
};
struct policy_note { struct str key; struct cel_program *program; };         /* of spec.auditAnnotations */

struct policy {
    struct arena arena;
    struct blob *text;                           /* what spec views; NULL: the caller's */
    struct str name;
    const struct json *spec;
    struct str broken;                           /* why it cannot be used; empty: it can */
    bool ignore;                                 /* failurePolicy */
    struct scope scope;
    struct str param_version, param_kind;        /* apiVersion; kind empty: no parameters */
    struct conditions conditions;
    struct subject_variable *var; unsigned n_vars;
    struct policy_rule *rule; unsigned n_rules;
    struct policy_note *note; unsigned n_notes;
};

/* Types to compile against, and who is told what does not compile (NULL: nobody): the place below spec, the
 * expression, and why. */
struct policy_types { const struct cel_type *object, *params; };
typedef void policy_mistake_fn(void *arg, const struct at *at, struct str text, struct str why);
/* Compiles all expressions of a spec in p->arena; views the spec.  The first mistake stands in p->broken
 * too. */
void policy_compile(struct policy *p, const struct json *spec, const struct policy_types *types,
                    policy_mistake_fn *tell, void *arg);
/* From a stored object, a reference to which is kept.  NULL: it cannot be read. */
struct policy *policy_new(const struct mirror_event *ev);
void policy_free(struct policy *p);              /* NULL ok */

struct policy_binding {
    struct arena arena;
    struct blob *text;
    struct str name, policy;
    struct scope scope;
    const struct json *param_ref;                /* NULL: none */
    struct selector params; bool by_selector;
    bool allow_missing, deny, warn, audit;
    struct str broken;
};
struct policy_binding *policy_binding_new(const struct mirror_event *ev);
void policy_binding_free(struct policy_binding *b);        /* NULL ok */

/* The objects that a binding takes its parameters from: in the arena, their number in *ret_n; a policy
 * without has one that is NULL.  False: they are not to be had, *ret_why. */
bool policy_params(const struct policy *p, const struct policy_binding *b, struct admission *a,
                   const struct json ***ret, unsigned *ret_n, struct str *ret_why);
#define POLICY_PARAMS_MAX 1000

/* One binding's policy over one request; refuses, warns and notes as the binding says. */
void policy_ask(const struct policy *p, const struct policy_binding *b, struct admission *a);

/* ---- All that are in force on this head ------------------------------------------------------------- */

struct policies;
struct policies *policies_new(struct mirror *m);
void policies_free(struct policies *t);          /* NULL ok */
/* Every binding that covers the request. */
void policies_ask(struct policies *t, struct admission *a);

#endif
