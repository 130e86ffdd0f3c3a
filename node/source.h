/* node/source.h: the ConfigMaps, Secrets and Services that pods of this node use: watched while used, shared between
 * pods.  Each ConfigMap and Secret is watched by its name: a node sees no other. */
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

/* What a pod refers to. */
struct source_ref { bool secret, optional; struct str ns, name; };
/* 0: *ret is the object (a tree in a, valid with it), or NULL: it is optional and there is none.  E_AGAIN: not known yet;
 * E_NOTFOUND: there is none.  Both with words.  The first asking starts the watch. */
int source_get(struct source_set *set, const struct source_ref *ref, struct arena *a, struct json **ret, struct errbuf *err);
/* fn for each Service of a namespace, or for the one of that name (name not empty).  E_AGAIN: not known yet.  Only that they
 * are known is told by changed(), not what changes then: a process's environment stays as it was when it began. */
int source_services(struct source_set *set, struct str ns, struct str name, void (*fn)(void *arg, const struct json *service),
                    void *arg);
/* The bytes of a value in data of a Secret or binaryData of a ConfigMap; empty if it is no base64. */
struct str source_bytes(struct arena *a, const struct json *value);

#endif
