/* api/convert.h: one object in two versions: what is stored once but served under two names.
 * Today that is Event, stored as core/v1 and served as events.k8s.io/v1 too, whose fields have other names. */
#ifndef API_CONVERT_H
#define API_CONVERT_H

#include "api/schema.h"

/* From what is stored to what r serves, and back; obj is changed in place and returned. */
struct json *convert_from_stored(struct arena *a, const struct resource *r, struct json *obj);
struct json *convert_to_stored(struct arena *a, const struct resource *r, struct json *obj);

#endif
