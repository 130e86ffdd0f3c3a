/* api/content.h: bytes of answers in the format that the client and we agreed on (api/negotiate.h): whole
 * objects, and the events of a watch.  Lists are written piece by piece: api/shape.h. */
#ifndef API_CONTENT_H
#define API_CONTENT_H

#include "api/json.h"
#include "api/negotiate.h"

/* An object as a whole document, appended. */
void content_write(struct buf *out, const struct accept *as, const struct json *obj);
/* One event of a watch, framed; object is JSON text. */
struct blob *content_event(const struct accept *as, struct str type, struct str object);

#endif
