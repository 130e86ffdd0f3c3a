/* api/audit/policy.h: the audit policy: how much is told of which requests (audit.k8s.io/v1 Policy).
 *
 * Rules are tried in their order, the first that fits a request decides its level; a request that none
 * fits is not told of.  Source: the Kubernetes documentation, "Auditing". */
#ifndef API_AUDIT_POLICY_H
#define API_AUDIT_POLICY_H

#include "api/exchange.h"
#include "api/request.h"

enum audit_level { AUDIT_NONE, AUDIT_METADATA, AUDIT_REQUEST, AUDIT_REQUEST_RESPONSE };
enum audit_stage { AUDIT_RECEIVED, AUDIT_STARTED, AUDIT_COMPLETE, AUDIT_PANIC };
#define AUDIT_STAGES (AUDIT_PANIC + 1)
const char *audit_level_name(enum audit_level l);
const char *audit_stage_name(enum audit_stage s);

struct audit_policy;
/* YAML or JSON.  E_INVALID: the text says what is wrong and where. */
int  audit_policy_parse(struct str text, struct audit_policy **ret, struct errbuf *err);
void audit_policy_free(struct audit_policy *p);  /* NULL ok */

struct audit_verdict {
    enum audit_level level;
    unsigned omit_stages;                        /* bits 1 << enum audit_stage */
    bool     omit_managed_fields;
};
/* user NULL: nobody has been authenticated. */
struct audit_verdict audit_policy_ask(const struct audit_policy *p, const struct request *rq,
                                      const struct exchange_user *user);

#endif
