/* api/schema_impl.h: what conforming and validating share between built-in kinds and those that users
 * define; not for others. */
#ifndef API_SCHEMA_IMPL_H
#define API_SCHEMA_IMPL_H

#include "api/schema.h"

struct conform {
    const struct schema_kind *kind;
    struct arena *arena;
    struct causes *warnings;                     /* NULL: nobody wants them */
    struct errbuf *err;
    bool keep;                                   /* what says nothing */
};
/* what: "unknown", "duplicate" */
void schema__warn(struct conform *c, const char *what, const struct at *at);
/* Notes that a key came twice, once. */
void schema__note_duplicate(struct conform *c, struct json *v, const struct at *at);
int  schema__conform_object(struct conform *c, const struct schema_type *t, struct json *obj,
                            const struct at *at);

/* Of elements of a list with keys, or of a set. */
bool schema__same_keys(const struct schema_field *f, const struct json *x, const struct json *y);
uint64_t schema__hash_keys(const struct schema_field *f, const struct json *v);
/* No two elements with the same keys, or of a set with the same value. */
void schema__validate_unique(const struct schema_field *f, const struct json *list, const struct at *at,
                             struct causes *causes);

#endif
