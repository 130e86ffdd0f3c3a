/* api/impersonate.h: acting as somebody else. */
#ifndef API_IMPERSONATE_H
#define API_IMPERSONATE_H

#include "api/call.h"

/* Replaces c->user if the request asks for it and its user may.  False: answered. */
bool impersonate(struct call *c);

#endif
