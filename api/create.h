/* api/create.h: creation as other verbs use it. */
#ifndef API_CREATE_H
#define API_CREATE_H

#include "api/call.h"

/* PUT of an absent object, for kinds that allow it. */
void create_from_update(struct call *c);

#endif
