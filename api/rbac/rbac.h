/* api/rbac/rbac.h: role-based access control: roles and bindings of this head's store, compiled.
 *
 * Bindings are found by who is bound and where: a decision looks up the user and each of its groups, once
 * for the cluster and once for the namespace, whatever the number of bindings.  Roles are compiled when they
 * change.  A binding may come before its role: it grants nothing until then.
 * Thread: loop only. */
#ifndef API_RBAC_RBAC_H
#define API_RBAC_RBAC_H

#include "api/authz.h"
#include "api/mirror.h"
#include "api/rbac/rule.h"

#define RBAC_GROUP "rbac.authorization.k8s.io"

struct rbac;
struct rbac *rbac_new(struct mirror *m);
void rbac_free(struct rbac *r);                  /* NULL ok */

/* An authorizer (api/authz.h): allows or has no opinion. */
bool rbac_ask(void *state, struct authz_query *q);
void rbac_cancel(void *state, struct authz_query *q);

/* While the default roles are being made nobody is refused for want of them: who is not allowed waits. */
void rbac_hold(struct rbac *r);
/* From now on they are refused; those that wait are looked at again. */
void rbac_release(struct rbac *r);

/* Every rule that u has in ns (ns empty: at cluster scope). Views until control returns to the loop.  errors:
 * "; "-separated texts of bindings whose role is not there, appended. */
struct rbac_held rbac_rules_of(struct rbac *r, struct arena *a, const struct exchange_user *u, struct str ns,
                               struct buf *errors);
/* The rules of a role; false: there is none.  ns empty: a cluster role. */
bool rbac_role(struct rbac *r, struct str ns, struct str name, const struct rbac_rule **ret, size_t *ret_n);

#endif
