/* net/key.h: keys that tokens are signed and verified with: parsed once, used often.
 *
 * RSA of at least 2,048 bits and the NIST curves, by the names of JSON Web Algorithms: RS256/384/512,
 * PS256/384/512, ES256/384/512.  A key only verifies algorithms of its own type: what a token says it was
 * signed with never makes one key count as another.  A key is immutable: any thread may use it. */
#ifndef NET_KEY_H
#define NET_KEY_H

#include "net/blob.h"
#include "net/err.h"

struct key;

/* Every key of the text: public keys, private ones, certificates; appended from ret[*n] on, at most max in
 * all. E_INVALID: there is none, or one that is no key.  E_TOOBIG. */
int  key_read_all(struct str pem, struct key **ret, size_t max, size_t *n, struct errbuf *err);
int  key_read_private(struct str pem, struct key **ret, struct errbuf *err);
/* From their numbers, big-endian; curve: "P-256", "P-384", "P-521".  E_INVALID. */
int  key_from_rsa(struct str modulus, struct str exponent, struct key **ret);
int  key_from_ec(struct str curve, struct str x, struct str y, struct key **ret);
void key_free(struct key *k);                    /* NULL ok */

/* What it signs with. */
const char *key_alg(const struct key *k);
/* Told in tokens and key sets: the digest of the public key, as text. */
const char *key_id(const struct key *k);
/* The signature as JWS has it (r and s side by side), appended. */
int  key_sign(const struct key *k, struct str data, struct buf *out, struct errbuf *err);
bool key_verify(const struct key *k, struct str alg, struct str data, struct str sig);

/* "RSA" or "EC", and its numbers in base64url: n, e; x, y (and curve). */
const char *key_type(const struct key *k);
const char *key_curve(const struct key *k);      /* NULL: none */
int  key_number(const struct key *k, char which, struct buf *out);

#endif
