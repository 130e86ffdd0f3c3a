/* api/authz.h: may this user do this?  Its place in the pipeline is final; the policy stands in one table
 * in authz.c. */
#ifndef API_AUTHZ_H
#define API_AUTHZ_H

#include "api/exchange.h"

struct authz_attr {
    const struct exchange_user *user;
    const char *verb;
    struct str group, resource, subresource, ns, name;     /* is_resource */
    struct str path;                                       /* otherwise */
    bool is_resource;
};
/* True: allowed.  ret_reason: for reviews; static. */
bool authz_allowed(const struct authz_attr *a, const char **ret_reason);

#endif
