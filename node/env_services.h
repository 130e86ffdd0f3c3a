/* node/env_services.h: the variables by which a process finds the Services of its namespace and the API. */
#ifndef NODE_ENV_SERVICES_H
#define NODE_ENV_SERVICES_H

#include "node/env.h"

/* put for each: KUBERNETES_SERVICE_HOST and what else tells of the API, and, unless the pod says enableServiceLinks: false,
 * the same of every Service of its namespace that has an address.  Text in a.  E_AGAIN: not known yet, the set's user will
 * be told.  put NULL: only asks, so that they are known in time. */
int env_services(const struct downward *d, struct source_set *sources, struct arena *a,
                 void (*put)(void *arg, struct str name, struct str value), void *arg, struct errbuf *err);

#endif
