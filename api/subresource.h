/* api/subresource.h: the subresources that are neither status nor a connection, one file each. */
#ifndef API_SUBRESOURCE_H
#define API_SUBRESOURCE_H

#include "api/call.h"

void scale_serve(struct call *c);                /* deployments, replicasets: GET, PUT, PATCH */
void binding_serve(struct call *c);              /* pods: POST */
/* The old way: POST .../bindings, a resource of its own with the pod's name in it. */
void binding_serve_collection(struct call *c);
void eviction_serve(struct call *c);             /* pods: POST */
void token_serve(struct call *c);                /* serviceaccounts: POST */
void finalize_serve(struct call *c);             /* namespaces: PUT */

#endif
