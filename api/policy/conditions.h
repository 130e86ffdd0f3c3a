/* api/policy/conditions.h: matchConditions: expressions that must all be true for a webhook or a policy to
 * be asked.
 *
 * Read once, when the object that has them changes; asked at every request that its rules cover. */
#ifndef API_POLICY_CONDITIONS_H
#define API_POLICY_CONDITIONS_H

#include "api/causes.h"
#include "api/policy/subject.h"

struct condition {
    struct str          name;
    struct cel_program *program;
    struct str          why;
}; /* why: it is no program */
struct conditions { struct condition *list; unsigned n; };

enum conditions_result { CONDITIONS_MET, CONDITIONS_UNMET, CONDITIONS_FAILED };

/* From a matchConditions array (NULL: none, always met).  An expression that does not compile fails when it
 * is asked. env: as subject_env makes it; NULL: that of webhooks.  Views the tree. */
void conditions_read(struct conditions *ret, const struct json *list, const struct cel_env *env,
                     struct arena *a);
/* Any that is false: UNMET, even if others fail.  FAILED: *ret_why, and the failure policy decides. */
enum conditions_result conditions_ask(const struct conditions *c, struct subject *s, struct str *ret_why);
/* The same for a webhook, which has no variables and no parameters. */
enum conditions_result conditions_ask_plain(const struct conditions *c, struct admission *a,
                                            struct str *ret_why);
/* For validation: every expression that does not compile becomes a cause. */
void conditions_check(const struct json *list, const struct cel_env *env, const struct at *at,
                      struct causes *causes);

#endif
