/* api/apply.h: server-side apply: PATCH with application/apply-patch+yaml; and who is noted as the writer of
 * what other requests change. */
#ifndef API_APPLY_H
#define API_APPLY_H

#include "api/call.h"

/* Is this request an apply patch? */
bool apply_asked(const struct call *c);
/* What an apply patch must say in its options, and others may not.  False: answered. */
bool apply_options(struct call *c);
/* The object to store, from what is applied (NULL: the request's body) and old (NULL: there is none), with
 * its managedFields.  NULL: answered. */
struct json *apply_make(struct call *c, const struct json *config, const struct json *old);
/* After a create or update by another kind of request. */
void apply_note_update(struct call *c, const struct json *old, struct json *obj);

#endif
