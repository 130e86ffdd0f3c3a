/* api/policy/scope.h: which requests a policy, a binding or a webhook is about: rules and selectors, read
 * once and asked at every write. */
#ifndef API_POLICY_SCOPE_H
#define API_POLICY_SCOPE_H

#include "api/admit.h"
#include "api/selector.h"

struct scope {
    const struct json *rules, *excluded;         /* arrays of RuleWithOperations; rules NULL: all requests */
    struct selector namespaces, objects;
    bool exact;                                  /* matchPolicy: Exact */
};
/* From an object with namespaceSelector, objectSelector, matchPolicy and rules by that name ("resourceRules",
 * "rules"); excluded ones are excludeResourceRules.  Views the tree.  E_INVALID: a selector is wrong. */
int  scope_read(struct scope *ret, const struct json *from, const char *rules, struct arena *a,
                struct errbuf *err);
bool scope_covers(const struct scope *s, struct admission *a);
/* How AdmissionReview and `request.operation` call it. */
const char *scope_operation(const struct admission *a);

#endif
