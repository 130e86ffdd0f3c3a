/* ctrl/shared.h: one informer per resource, shared by all controllers that watch it. */
#ifndef CTRL_SHARED_H
#define CTRL_SHARED_H

#include "api/informer.h"

struct shared;
typedef void (*shared_change)(void *arg, enum informer_change what, struct object *old, struct object *new_,
                              struct json *json);

struct shared *shared_new(struct client *c);
void shared_free(struct shared *s);
/* Be told of changes; the informer itself, for looking things up. Listeners are called in the order they
 * came; all must come before control returns to the loop after shared_new(), since nothing is delivered
 * earlier and nothing repeated. */
struct informer *shared_listen(struct shared *s, struct client_resource res, shared_change fn, void *arg);
bool shared_synced(const struct shared *s);
/* fn is called when all are synced. */
void shared_on_synced(struct shared *s, void (*fn)(void *arg), void *arg);

/* Indexes of pods and replicasets: */
#define BY_OWNER     0                           /* controller's uid; without one: see orphans_key() */
#define BY_NAMESPACE 1
#define BY_NODE      2                           /* pods: spec.nodeName */
#define ONLY_BY_NAMESPACE 0                      /* the index of poddisruptionbudgets and deployments */

/* Where to look for objects without a controller that this selector may select: all of a namespace, or,
 * better, those that carry one of the labels asked for. */
struct str orphans_key(struct arena *a, struct str ns, const struct json *label_selector);

#endif
