/* api/key_set.h: the public keys of one issuer of tokens; shared by whoever verifies with them, on any
 * thread, until the last lets go. */
#ifndef API_KEY_SET_H
#define API_KEY_SET_H

#include "api/jwt.h"

#define KEY_SET_MAX 64

struct key_set { unsigned refs; size_t n; struct key *key[KEY_SET_MAX]; char *kid[KEY_SET_MAX]; };

/* One reference each.  PEM: see key_read_all().  JSON: a JWKS; keys of other use or kind are left out. */
int key_set_from_pem(struct str pem, struct key_set **ret, struct errbuf *err);
int key_set_from_json(const struct json *jwks, struct key_set **ret, struct errbuf *err);
struct key_set *key_set_ref(struct key_set *s);
void key_set_unref(struct key_set *s);           /* NULL ok; loop only, as the count is plain */
bool key_set_has(const struct key_set *s, struct str kid);
/* By the key that the token names, or by any if it names none or none of these.  Any thread. */
bool key_set_verify(const struct key_set *s, const struct jwt *t);
/* {"keys":[...]}, as a JWKS. */
struct json *key_set_json(const struct key_set *s, struct arena *a);

#endif
