/* api/rbac/rule.h: one rule of a role, compiled: what it matches, whether some rules cover another, how it
 * is written for people. */
#ifndef API_RBAC_RULE_H
#define API_RBAC_RULE_H

#include "api/authz.h"
#include "api/json.h"

struct rbac_list { const struct str *v; unsigned n; };

/* Verbs that are asked for most have a bit; RULE_ANY stands for "*". */
enum { RULE_OTHER = 1u << 30, RULE_ANY = 1u << 31 };

struct rbac_rule {
    struct rbac_list verbs, groups, resources, names, urls;
    uint32_t verb_bits;                          /* RULE_OTHER: verbs has some that have no bit */
    bool any_group, any_resource;
};

/* From a role's rules; all memory is the arena's, texts are copied.  What is no rule is left out. */
struct rbac_rule *rules_compile(struct arena *a, const struct json *rules, size_t *ret_n);

/* What is asked, with what many rules are compared to worked out once. */
struct rbac_ask {
    const struct authz_attr *attr;
    uint32_t verb_bit;
    struct str combined;                         /* "pods/log" */
    char text[512];
};
void rule_ask_init(struct rbac_ask *ask, struct arena *a, const struct authz_attr *attr);
bool rule_allows(const struct rbac_rule *r, const struct rbac_ask *ask);

/* What of `want` no rule of `held` allows, in simple rules (one group, one resource, one name, or one URL
 * each; verbs together).  Returns how many; *ret is in the arena. */
struct rbac_held { const struct rbac_rule *const *v; size_t n; };
size_t rules_missing(struct arena *a, struct rbac_held held, const struct rbac_rule *want, size_t n_want,
                     struct rbac_rule **ret);
/* {APIGroups:[""], Resources:["pods"], Verbs:["get" "list"]} */
void rule_text(struct buf *out, const struct rbac_rule *r);
struct json *rule_json(struct arena *a, const struct rbac_rule *r);

#endif
