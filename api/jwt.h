/* api/jwt.h: JSON Web Tokens: taken apart, and signed.  Who verifies chooses the key, and the key the
 * algorithms (net/key.h): the header is a claim like all others. */
#ifndef API_JWT_H
#define API_JWT_H

#include "api/json.h"
#include "net/key.h"

#define JWT_MAX_BYTES 8192

struct jwt {
    struct str alg, kid;                         /* of the header; kid may be empty */
    struct json *claims;                         /* an object; unjudged */
    struct str covered;                          /* what the signature is over: a view of the token */
    struct str signature;                        /* bytes */
};
/* Form only.  E_INVALID. */
int jwt_parse(struct arena *a, struct str token, struct jwt *ret, struct errbuf *err);
/* header.payload.signature of the claims, appended to out. */
int jwt_sign(const struct key *k, const struct json *claims, struct buf *out, struct errbuf *err);

#endif
