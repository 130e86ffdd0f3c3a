/* api/jwt.h: JSON Web Tokens signed with ES256, as service accounts carry them. */
#ifndef API_JWT_H
#define API_JWT_H

#include "api/json.h"

#define JWT_MAX_BYTES 8192

/* header.payload.signature of the claims, appended to out. */
int jwt_sign(struct str key_pem, const struct json *claims, struct buf *out, struct errbuf *err);
/* Signature, algorithm and form; claims are returned unjudged (expiry, audience: the caller).  E_INVALID,
 * E_DENIED. */
int jwt_verify(struct str pub_pem, struct str token, struct arena *a, struct json **ret_claims,
               struct errbuf *err);

#endif
