/* api/impersonate.h: acting as somebody else. */
#ifndef API_IMPERSONATE_H
#define API_IMPERSONATE_H

#include "api/call.h"

/* then(c) once c->user is who the request asks to be (who sent it, if it asks for nobody); answers 403 or 400
 * if its user may not. */
void impersonate(struct call *c, void (*then)(struct call *c));

#endif
