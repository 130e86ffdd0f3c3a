/* api/health.h: /healthz, /livez, /readyz: is this head alive, can it serve? */
#ifndef API_HEALTH_H
#define API_HEALTH_H

#include "api/call.h"

bool health_is_path(struct str first_segment);
/* The i-th path that answers; NULL: there are no more. */
const char *health_path(size_t i);
/* check: one check by name, or empty for all (?verbose lists them, ?exclude=NAME leaves some out). */
void health_serve(struct call *c, struct str which, struct str check);

#endif
