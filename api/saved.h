/* api/saved.h: GET /coracle/v1/snapshot: the whole state as one file (store/saved.h),
    for those who may read this
 * path: by default only administrators, for it holds everything, secrets included. */
#ifndef API_SAVED_H
#define API_SAVED_H

#include "api/call.h"

#define SAVED_PATH "/coracle/v1/snapshot"
void saved_serve(struct call *c);

#endif
