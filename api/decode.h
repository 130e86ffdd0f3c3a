/* api/decode.h: what clients send in, as a tree that fits its schema. */
#ifndef API_DECODE_H
#define API_DECODE_H

#include "api/call.h"

/* The request's body as an object of kind k.  Unknown and duplicate fields become warnings or a 400, as
 * fieldValidation says.  apiVersion and kind may be left out; if given they must be k's.  NULL: answered. */
struct json *decode_body(struct call *c, const struct schema_kind *k);
/* The body of an apply patch: it must say what it is, and be the object of this path. NULL:
 * answered. */
struct json *decode_applied(struct call *c, const struct schema_kind *k);
/* The same for a tree that came about otherwise (a patched object). */
bool decode_conform(struct call *c, const struct schema_kind *k, struct json *obj);
/* What an object says of its name and namespace, where it does, must be what the path says.  False:
 * answered (400). */
bool decode_check_name(struct call *c, const struct json *obj);
bool decode_check_namespace(struct call *c, const struct json *obj);
/* The body as a tree, whatever its format, not held against a schema (patches, DeleteOptions).  NULL:
 * answered. */
struct json *decode_plain(struct call *c);

#endif
