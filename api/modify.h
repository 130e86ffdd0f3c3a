/* api/modify.h: read, change, compare and swap: what PUT, PATCH and the writing subresources have in common.
 *
 * make() turns the stored object into the wanted one; it runs again, on newer state, when the swap lost a
 * race. Everything else (metadata, spec/status separation, defaults, admission, hooks, checks, finalizers,
 * dry run) is done here.  A subresource with an object of its own (Scale, Binding) makes that, which is what
 * admission sees, and merges it into the stored object afterwards. */
#ifndef API_MODIFY_H
#define API_MODIFY_H

#include "api/call.h"
#include "api/write.h"

enum modify_part {
    MODIFY_SPEC,                                 /* all but status */
    MODIFY_STATUS,                               /* only status (and labels, annotations) */
    MODIFY_ALL                                   /* as make() left it, unchecked: bindings, finalize */
};

struct modify {
    enum modify_part part;
    /* NULL: answered.  old is the stored object in the request's version; the result may reuse its nodes
     * only by copying. */
    struct json *(*make)(struct call *c, struct modify *m, struct json *old);
    /* What make() made, put into old. NULL: answered. The function NULL: it is the object already. */
    struct json *(*merge)(struct call *c, struct modify *m, struct json *old, struct json *made);
    /* old as the subresource shows it, for admission; NULL: as it is. */
    struct json *(*face)(struct call *c, const struct json *old);
    enum admit_op op;                            /* what it is for admission; 0: an update */
    /* stored: as it is now (dry run: as it would be).  NULL: 200 with the object. */
    void (*answer)(struct call *c, struct modify *m, struct blob *stored);
    bool need_rv;                                /* refuse updates without resourceVersion */
    bool create;                                 /* an absent object is created (PUT, apply) */
    bool tracked;                                /* make() has set managedFields itself */
    void *state;                                 /* make's own */
    struct str key;                              /* of the object; set by modify_run */
    struct json *shown;                          /* the stored object in the request's version */
    uint64_t new_lease;
};
void modify_run(struct call *c, struct modify *m);
/* Kinds without a spec are all spec, but for their metadata. */
bool modify_equal_but_metadata(const struct json *x, const struct json *y);

#endif
