/* api/shared.h: one informer per resource, shared by all in this process that watch it: an event is parsed
 * once, an object is held once. */
#ifndef API_SHARED_H
#define API_SHARED_H

#include "api/informer.h"

struct shared;
typedef void (*shared_change)(void *arg, enum informer_change what, struct object *old, struct object *new_,
                              struct json *json);

/* c: who reads.  prepare: gives an informer's options its indexes; NULL: there are none. */
struct shared *shared_new(struct client *c, void (*prepare)(struct informer_opts *o));
void shared_free(struct shared *s);              /* NULL ok */
/* Be told of changes; the informer itself, for looking things up. Listeners are called in the order they
 * came; all must come before control returns to the loop after shared_new(), since nothing is delivered
 * earlier and nothing repeated. */
struct informer *shared_listen(struct shared *s, struct client_resource res, shared_change fn, void *arg);
/* fn is called when that resource's informer is synced; to be asked for as early. */
void shared_on_resource_synced(struct shared *s, const struct informer *i, void (*fn)(void *arg), void *arg);
bool shared_synced(const struct shared *s);
/* fn is called when all are synced. */
void shared_on_synced(struct shared *s, void (*fn)(void *arg), void *arg);

#endif
