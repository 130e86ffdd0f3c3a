/* net/map.h: hash map from byte strings to pointers.  Keys are copied; values are the caller's.
 * Open addressing; grows by itself.  The map may be changed during a walk only by map_del() of the
 * entry at hand. */
#ifndef NET_MAP_H
#define NET_MAP_H

#include "net/str.h"

struct map_slot { uint64_t hash; char *key; size_t key_len; void *val; };
struct map { struct map_slot *slot; size_t cap, n, dead; };

#define MAP_INIT ((struct map){ NULL, 0, 0, 0 })
void  map_release(struct map *m);                        /* frees keys and table, not values */
void *map_get(const struct map *m, struct str key);      /* NULL: absent */
void *map_put(struct map *m, struct str key, void *val); /* val != NULL; returns the value it replaced */
void *map_del(struct map *m, struct str key);            /* returns the value that was there */
/* for (size_t i = 0; map_next(&m, &i, &key, &val); ) */
bool  map_next(const struct map *m, size_t *i, struct str *ret_key, void **ret_val);

#endif
