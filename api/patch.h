/* api/patch.h: the three kinds of patch documents, as a PATCH request brings them. */
#ifndef API_PATCH_H
#define API_PATCH_H

#include "api/call.h"

/* old, an object of kind k, with the request's body applied to it, conforming again.  NULL: answered. */
struct json *patch_apply(struct call *c, const struct schema_kind *k, const struct json *old);

#endif
