/* api/rbac/escalate.h: nobody gives more than he has: who writes a role or a binding must hold every
 * permission that it grants, or be allowed to `escalate` the role or to `bind` it.  For the hooks of the
 * kinds; they refuse with 403. */
#ifndef API_RBAC_ESCALATE_H
#define API_RBAC_ESCALATE_H

#include "api/kinds.h"

/* old NULL: it is created. */
void rbac_guard_role(struct kind_ctx *c, const struct json *old, const struct json *obj);
void rbac_guard_binding(struct kind_ctx *c, const struct json *old, const struct json *obj);

#endif
