/* api/managed_fields.h: metadata.managedFields: who set which field of an object, and what follows from it
 * when somebody applies.
 *
 * A writer is known by its name, by whether it applies or updates, by the subresource it writes through and,
 * when it updates, by the version it writes in.  Who updates owns what it changed.  Who applies owns what it
 * said, takes back what it said before and no longer says, and is refused what others own unless it forces.
 * An object whose managedFields were taken off is not tracked until somebody applies again.
 *
 * Objects are trees of the stored version that conform to their type; nothing here knows a kind. */
#ifndef API_MANAGED_FIELDS_H
#define API_MANAGED_FIELDS_H

#include "api/typed.h"

struct field_writer {
    struct str name, version, subresource;       /* "kubectl-edit", "apps/v1", "" */
    struct str now;                              /* RFC 3339: when the entry changed */
};

/* Sets obj's managedFields after a create (old NULL) or update.  What obj brings along there counts in place
 * of old's, if it makes sense and was not written through a subresource. */
void managed_update(struct arena *a, const struct schema_type *t, const struct field_writer *w,
                    const struct json *old, struct json *obj);
/* obj gets old's managedFields as they are. */
void managed_keep(struct arena *a, const struct json *old, struct json *obj);

/* manager: as messages name it */
struct field_conflict { struct str manager, path; struct field_conflict *next; };

struct field_apply {
    const struct schema_type *type;
    struct field_writer writer;
    const struct json *live;                     /* NULL: there is none */
    const struct json *config;                   /* what is applied; typed_check()ed */
    const struct json *last_applied; /* what kubectl noted of its client-side apply: no conflict where live is
                                                  * still like that; NULL: nothing */
    struct field_set ignored;                    /* what this road can't write: members and all below */
    bool force;
};
/* The object to store, with its managedFields; shares nothing with live.  E_CONFLICT: *ret_conflicts says
 * with whom. */
int managed_apply(struct arena *a, const struct field_apply *f, struct json **ret,
                  struct field_conflict **ret_conflicts);

#endif
