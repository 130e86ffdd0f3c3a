/* api/issuer.h: what others need to verify service accounts' tokens with:
 * /.well-known/openid-configuration and /openid/v1/jwks. */
#ifndef API_ISSUER_H
#define API_ISSUER_H

#include "api/call.h"

/* The i-th path that answers here; NULL: there are no more. */
const char *issuer_path(const struct api *a, size_t i);
/* False: neither of these paths. */
bool issuer_serve(struct call *c, struct str path);

#endif
