/* node/layer.h: unpack one image layer, a tar (possibly compressed) of unknown origin, as an overlayfs layer.
 *
 * What a layer may do is write below its own directory, nothing else: names with ".." are refused, symlinks on the way
 * resolve inside the directory, hard links only reach files of the same layer, device nodes are left out (a
 * container's /dev is the runtime's), overlayfs's own attributes are dropped, bytes and entries are bounded.
 * Blocks for long: thread pool only. */
#ifndef NODE_LAYER_H
#define NODE_LAYER_H

#include "node/digest.h"

struct layer_limits { uint64_t max_bytes, max_entries; };
#define LAYER_LIMITS_DEFAULT ((struct layer_limits){ 32ull << 30, 4000000 })

struct layer_result { uint64_t bytes, entries; struct digest blob, diff; };

/* fd: the blob, read from its start; dir: an empty directory.  On failure dir may hold a part.
 * E_INVALID, E_TOOBIG, E_CORRUPT (damaged compression or tar), E_IO, E_FULL. */
int layer_unpack(int fd, const char *dir, const struct layer_limits *lim, struct layer_result *ret,
                 struct errbuf *err);

#endif
