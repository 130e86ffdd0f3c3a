/* api/encode.h: an object as it is stored: JSON, written once, with a hole where the revision goes in. */
#ifndef API_ENCODE_H
#define API_ENCODE_H

#include "api/schema.h"

/* Appends obj as JSON: apiVersion and kind first, then metadata in the original's order, then the rest.
 * metadata.resourceVersion is left empty; *ret_rev_at is where its digits belong. selfLink is left
 * out. */
void encode_object(struct buf *out, const struct schema_kind *k, const struct json *obj,
                   uint32_t *ret_rev_at);
/* The text with this revision in the hole; 0: without the member. */
struct blob *encode_fill(struct str text, uint32_t rev_at, uint64_t rev);
/* Is text, once filled with rev, what is stored already? */
bool encode_equals(struct str text, uint32_t rev_at, uint64_t rev, struct str stored);
/* Would these be stored alike, but for the order of members?  Clients that write another encoding, or with
 * another library, write them in an order of their own. */
bool encode_alike(const struct json *x, const struct json *y);
/* The reverse: a stored text without its revision's digits, appended to out. */
void encode_reopen(struct buf *out, struct str stored, uint32_t *ret_rev_at);

#endif
