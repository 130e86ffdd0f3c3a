/* node/image_store.h: the images of a node: what is there, under which names, and how to mount one.
 *
 * A directory: images.json (ids, names, layers), configs/HEX.json, layers/ (see image_import.h).  Layers are unpacked
 * once, whoever shares them.  Thread: loop only, except that imports do their work on the thread pool. */
#ifndef NODE_IMAGE_STORE_H
#define NODE_IMAGE_STORE_H

#include "node/image_import.h"
#include "node/runtime.h"

struct image_store;

/* Blocks a moment (start-up): reads the table, drops what no image refers to. */
int  image_store_open(struct loop *l, const char *dir, struct image_store **ret, struct errbuf *err);
/* done comes when no work of it is left on the thread pool; waiting imports end with E_CLOSED. */
void image_store_close(struct image_store *s, void (*done)(void *arg), void *arg);

/* By reference (normalized here), by id, or by a unique prefix of an id of 12 digits or more. */
const struct rt_image_info *image_store_get(struct image_store *s, const char *ref_or_id);
void image_store_each(struct image_store *s, void (*fn)(void *arg, const struct rt_image_info *i), void *arg);
/* The layer directories of an image, lowest first; valid until it is removed. */
const char *const *image_store_layers(struct image_store *s, const char *id, size_t *ret_n);

void image_store_import(struct image_store *s, struct rt_image_import *r);
/* While imports are under way an image that is missing may be about to come: fn comes from the loop when the last of
 * them is over.  False (and no call) when there are none. */
struct image_wait { struct qlink link; void (*fn)(struct image_wait *w); };
bool image_store_wait(struct image_store *s, struct image_wait *w);
/* A reference is taken off; an image without references, or one named by id, goes.  E_NOTFOUND, E_IO. */
int  image_store_remove(struct image_store *s, const char *ref_or_id, struct errbuf *err);

#endif
