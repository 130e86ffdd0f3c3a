/* api/causes.h: what is wrong with an object, collected field by field, as Status.details.causes and the
 * message of an Invalid answer show it. */
#ifndef API_CAUSES_H
#define API_CAUSES_H

#include "net/arena.h"

/* Reasons as Kubernetes' field errors name them. */
#define CAUSE_REQUIRED      "FieldValueRequired"
#define CAUSE_INVALID       "FieldValueInvalid"
#define CAUSE_NOT_SUPPORTED "FieldValueNotSupported"
#define CAUSE_FORBIDDEN     "FieldValueForbidden"
#define CAUSE_DUPLICATE     "FieldValueDuplicate"
#define CAUSE_NOT_FOUND     "FieldValueNotFound"
#define CAUSE_TOO_LONG      "FieldValueTooLong"
#define CAUSE_TOO_MANY      "FieldValueTooMany"
#define CAUSE_TYPE          "FieldValueTypeInvalid"

struct cause { const char *reason; struct str field, message; struct cause *next; };

/* An object of a few megabytes can be wrong in a hundred thousand places: all are counted, the first so many
 * kept. Who shows them says how many more there are. */
#define CAUSES_KEPT 128
struct causes { struct arena *arena; struct cause *first, **last; unsigned n; };
static inline unsigned causes_more(const struct causes *c)
{
    return c->n > CAUSES_KEPT ? c->n - CAUSES_KEPT : 0;
}

static inline void causes_init(struct causes *c, struct arena *a)
{
    *c = (struct causes){ a, NULL, NULL, 0 };
}

/* Where we are in an object: a chain on the C stack, turned into text only when a cause is added.
 *   struct at spec = at_key(NULL, "spec"), c = at_index(at_key(&spec, "containers")...) */
struct at { const struct at *up; struct str key; long index; bool quoted; };
#define AT_KEY(up, name)    ((struct at){ (up), STR(name), -1, false })
#define AT_STR(up, s)       ((struct at){ (up), (s), -1, false })      /* .key */
#define AT_MAP(up, s)       ((struct at){ (up), (s), -1, true })       /* [key] */
#define AT_INDEX(up, i)     ((struct at){ (up), { NULL, 0 }, (long)(i), false })
struct str at_text(struct arena *a, const struct at *at);              /* spec.containers[0].image */

/* The message is the part after "field: ", e.g. "Required value", "Invalid value: \"x\": must be ...". */
void cause_add(struct causes *c, const char *reason, const struct at *at, const char *fmt, ...)
    PRINTF_LIKE(4, 5);
/* The common ones, worded as clients know them. */
/* detail may be "" */
void cause_required(struct causes *c, const struct at *at, const char *detail);
void cause_invalid(struct causes *c, const struct at *at, struct str value,
                   const char *detail); /* value is quoted */
/* numbers, objects */
void cause_invalid_raw(struct causes *c, const struct at *at, struct str value, const char *detail);
void cause_unsupported(struct causes *c, const struct at *at, struct str value, const char *const *allowed,
                       size_t n);
void cause_forbidden(struct causes *c, const struct at *at, const char *detail);
void cause_duplicate(struct causes *c, const struct at *at, struct str value);
void cause_too_long(struct causes *c, const struct at *at, size_t max);

#endif
