/* ctrl/custom_kinds.h: kinds that users define, as rows that controllers can treat like built-in ones.
 *
 * Learned from the definitions; a row that was made stays until the controllers end, so that whoever holds it
 * need not ask: `served` says whether the kind is there now. */
#ifndef CTRL_CUSTOM_KINDS_H
#define CTRL_CUSTOM_KINDS_H

#include "api/schema.h"
#include "api/shared.h"

struct custom_kind {
    struct resource res;                         /* of the version that objects are stored in */
    struct schema_kind kind;
    bool served;
    void *gc;                                    /* the garbage collector's */
};

struct custom_kinds;
struct custom_kinds *custom_kinds_new(struct shared *s);
void custom_kinds_free(struct custom_kinds *c);
/* fn is called when a kind has begun or ended to be served (k->served). */
void custom_kinds_listen(struct custom_kinds *c, void (*fn)(void *arg, struct custom_kind *k), void *arg);
/* Those that are served: for (it = 0; (k = custom_kinds_next(c, &it)); ) */
struct custom_kind *custom_kinds_next(const struct custom_kinds *c, size_t *it);
/* NULL: none that is served. */
const struct resource *custom_kinds_find(const struct custom_kinds *c, struct str group, struct str kind);

#endif
