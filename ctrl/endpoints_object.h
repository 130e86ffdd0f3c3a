/* ctrl/endpoints_object.h: the Endpoints object of a service: the old form of its EndpointSlices, of the
 * service's first address family only. */
#ifndef CTRL_ENDPOINTS_OBJECT_H
#define CTRL_ENDPOINTS_OBJECT_H

#include "ctrl/backends.h"

/* Sends what is needed as part of the pass. */
void endpoints_correct(struct pass *p, struct informer *endpoints, const struct json *service,
                       const struct backends *b);
void endpoints_remove(struct pass *p, struct informer *endpoints);

#endif
