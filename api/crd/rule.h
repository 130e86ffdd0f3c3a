/* api/crd/rule.h: x-kubernetes-validations: rules in CEL over the values of a user's kind.
 *
 * Compiled with the schema (crd_compile leaves them in rules->validations, rule_compile turns them into
 * programs) and run over a whole object once its schema found nothing that makes them meaningless.  A
 * rule that looks at oldSelf runs when there is an old value at the same place: members by name,
 * elements by their keys. */
#ifndef API_CRD_RULE_H
#define API_CRD_RULE_H

#include "api/cel.h"
#include "api/crd/rules.h"

struct crd_rule {
    struct cel_program *program, *message_program;         /* message_program NULL: none */
    struct str rule, message;
    const char *reason;                          /* CAUSE_* */
    struct str field_path;                       /* ".spec.foo" below the value; empty: the value itself */
    bool transition;                             /* looks at oldSelf */
    bool optional_old;                           /* runs without an old value too: oldSelf is optional then */
};
struct crd_rules { const struct cel_type *type; struct crd_rule *at; unsigned n; };

/* What is wrong with the rules of a schema is told at `at`, below the schema; NULL causes: they were
 * checked when the definition was stored, those that do not compile are left out.  Programs live in a,
 * and rules->compiled of every value of f is set. */
void crd_rules_compile(const struct schema_field *f, struct arena *a, const struct at *at,
                       struct causes *causes);
/* old NULL: the object is new.  Adds to causes. */
void crd_rules_check(const struct schema_field *f, const struct json *obj, const struct json *old,
                     struct arena *a, struct causes *causes);

#endif
