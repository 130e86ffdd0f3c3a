/* api/continue.h: the opaque token by which a list goes on: revision and last key, in base64url. */
#ifndef API_CONTINUE_H
#define API_CONTINUE_H

#include "net/blob.h"

/* rev 0: at whatever is newest (an inconsistent rest). after: the last key given out, below the list's
 * prefix. */
void continue_write(struct buf *out, uint64_t rev, struct str after);
bool continue_parse(struct arena *a, struct str token, uint64_t *ret_rev, struct str *ret_after);

#endif
