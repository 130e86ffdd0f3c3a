/* node/source.h: the ConfigMaps and Secrets that pods of this node use: watched while used, shared between pods. */
#ifndef NODE_SOURCE_H
#define NODE_SOURCE_H

#include "api/informer.h"

struct sources;
struct sources *sources_new(struct client *c);
void sources_free(struct sources *s);            /* all sets released first */

/* All the sources of one pod. changed: one of them came, went or changed (from the loop). */
struct source_set { struct sources *all; struct qlink uses; void (*changed)(struct source_set *set); };
void source_set_init(struct source_set *set, struct sources *all, void (*changed)(struct source_set *set));
void source_set_release(struct source_set *set);

/* 0: *ret is the object (a tree in a, valid with it); E_AGAIN: not known yet; E_NOTFOUND: there is none.  The first asking
 * starts the watch. */
int source_get(struct source_set *set, bool secret, struct str ns, struct str name, struct arena *a, struct json **ret);
/* The bytes of a value in data of a Secret or binaryData of a ConfigMap; empty if it is no base64. */
struct str source_bytes(struct arena *a, const struct json *value);

#endif
