/* api/crd/pipeline.h: custom kinds on their way through the request pipeline. */
#ifndef API_CRD_PIPELINE_H
#define API_CRD_PIPELINE_H

#include "api/registry.h"

/* The row of the request's tuple, its schema ready if it writes: sets res, info, custom.  A head that
 * does not know the kind asks what there is before it says so: `again` then comes later.  False:
 * answered, or `again` will come. */
bool custom_route(struct call *c, void (*again)(struct call *c));
/* The object at hand can be had in the request's version.  False: answered. */
bool custom_convertible(struct call *c, struct str stored);
/* Before a write is tried again: the definition may have changed.  False: answered. */
bool custom_renew(struct call *c);
/* Nothing new comes into a kind that is being deleted.  False: answered. */
bool custom_may_create(struct call *c);
/* The write holds only while the definition is the one that the object was checked by. */
void custom_txn_if(struct store_txn *t, struct call *c);
/* The kind that objects of base are written as. */
const struct schema_kind *custom_stored_kind(const struct call *c);

#endif
