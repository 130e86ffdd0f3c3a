/* api/delete.h: how objects go: options, marks, graces, finalizers.  Shared by DELETE, deletecollection
 * and eviction. */
#ifndef API_DELETE_H
#define API_DELETE_H

#include "api/write.h"

struct deletion {
    int64_t grace_s;                             /* -1: as the kind has it */
    struct str uid, rv;                          /* preconditions; empty: none */
    bool orphan, foreground, background;         /* at most one; none: as the object's finalizers say */
};
/* From the query and from DeleteOptions (the body's, or obj if not NULL).  May set c->rq.opt.dry_run.
 * False: answered. */
bool deletion_options(struct call *c, const struct json *obj, struct deletion *ret);

enum deletion_step {
    DELETION_NOTHING,                            /* it is being deleted already, as asked */
    DELETION_MARK,                               /* d->text: with its deletionTimestamp: to be put */
    DELETION_REMOVE,                             /* d->text: the last state: to be deleted */
    DELETION_CONFLICT,                           /* a precondition does not hold: *ret_why */
    DELETION_BROKEN                              /* the stored object cannot be read */
};
/* A draft of the deletion of what is stored at d->key: its kind and call are set. False: nothing is there. */
bool deletion_find(struct draft *d);
/* May it be deleted?  then(&d->admit) comes as of admit_validate(). */
void deletion_admit(struct draft *d, void (*then)(struct admission *a));
/* What deleting it means now; d->text is in the scratch buffer. */
enum deletion_step deletion_plan(struct draft *d, const struct deletion *o, const char **ret_why);
/* The transaction of that step. */
void deletion_txn(struct store_txn *t, struct draft *d, enum deletion_step step);

#endif
