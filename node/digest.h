/* node/digest.h: SHA-256 digests in the form that OCI documents use. */
#ifndef NODE_DIGEST_H
#define NODE_DIGEST_H

#include "net/err.h"
#include "net/str.h"

enum { DIGEST_HEX = 64, DIGEST_LEN = 71 };       /* "sha256:" + hex */
struct digest { char s[DIGEST_LEN + 1]; };

struct digest_run { void *impl; };
void digest_begin(struct digest_run *d);
void digest_add(struct digest_run *d, const void *p, size_t n);
void digest_end(struct digest_run *d, struct digest *ret);
void digest_drop(struct digest_run *d);          /* instead of end; fine after it */

void digest_of(struct str data, struct digest *ret);
/* "sha256:" and 64 lower-case hex digits, nothing else: then it is also safe as a file name. */
bool digest_parse(struct str text, struct digest *ret);
static inline const char *digest_hex(const struct digest *d) { return d->s + DIGEST_LEN - DIGEST_HEX; }

#endif
