/* api/json_patch.h: RFC 6902, a list of operations on a document.
 *
 * Strict where the RFC is: array indices have no leading zeros and no sign.  Bounds against patches that
 * explode: JSON_PATCH_MAX_OPS operations, JSON_PATCH_MAX_COPY bytes added by "copy", JSON_MAX_DEPTH levels in
 * the result, and JSON_PATCH_MAX_STEPS nodes walked, so that no patch holds the loop long. */
#ifndef API_JSON_PATCH_H
#define API_JSON_PATCH_H

#include "api/json.h"

#define JSON_PATCH_MAX_OPS   10000u
#define JSON_PATCH_MAX_COPY  (3u << 20)
#define JSON_PATCH_MAX_STEPS 20000000u

/* doc is changed in place and is of no use after an error.  Values are copied out of the patch, strings are
 * shared with it.  *ret is the new root.
 * E_INVALID: the patch is malformed (400); E_TOOBIG: over a bound (413); E_CONFLICT: it does not fit the
 * document, or a test failed (422). */
int json_patch_apply(struct arena *a, struct json *doc, const struct json *patch, struct json **ret,
                     struct errbuf *err);

/* RFC 6901: cut the first token off a pointer ("/a~1b/0" gives "a/b" and "/0"), unescaped into the arena if
 * need be. False at the end, and when the rest does not start with '/' or has a bad '~'. */
bool json_pointer_next(struct arena *a, struct str *rest, struct str *ret_token);

#endif
