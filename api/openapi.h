/* api/openapi.h: one writer for both versions of OpenAPI; for api/openapi_*.c only.
 *
 * Version 2 and 3 differ in where schemas live, in how parameters and bodies are written, and in whether a
 * reference can have a description beside it; the walk over kinds and paths is the same. */
#ifndef API_OPENAPI_H
#define API_OPENAPI_H

#include "api/schema.h"

struct openapi {
    struct buf out;
    bool v3;
    uint8_t *seen;                               /* per schema_types[]: is to be described */
    const struct resource **custom; unsigned n_custom;   /* the custom kinds that are */
};

void openapi_begin(struct openapi *o, bool v3);
struct blob *openapi_finish(struct openapi *o);  /* releases o */
/* "api/v1" or "apis/GROUP/VERSION" */
void openapi_gv_path(struct buf *out, const struct schema_kind *k);

/* Note a kind, and all types below it, for openapi_put_schemas(). */
void openapi_see(struct openapi *o, const struct schema_type *t);
/* api/crd/openapi.c: the schemas of a custom kind and of its lists. */
void openapi_put_custom(struct openapi *o, const struct resource *r);
void openapi_put_ref(struct openapi *o, const struct schema_type *t);      /* {"$ref":"..."} */
/* the members of definitions or components.schemas */
void openapi_put_schemas(struct openapi *o);
/* The members of paths, for one resource; `more`: others came before. */
void openapi_put_paths(struct openapi *o, const struct resource *r, bool more);

#endif
