/* node/image_import.h: from a layout or archive to unpacked layers and image records; inside of image_store.
 *
 * Store directory: layers/HEX/ (an overlayfs layer, named by the digest of its tar), layers/HEX.ok (it is complete:
 * "SIZE BOOT-ID", or "SIZE synced" once it is also durable), tmp/ (work in progress, emptied at start).
 * Blocks for long: thread pool only; one import at a time per store. */
#ifndef NODE_IMAGE_IMPORT_H
#define NODE_IMAGE_IMPORT_H

#include "node/image_ref.h"
#include "node/layer.h"

enum { IMAGE_LAYERS_MAX = 200, IMAGE_REFS_MAX = 64 };

struct image_found {
    struct digest id;
    char *config;                                /* JSON text */
    struct image_ref *refs; size_t n_refs;
    struct digest *layers; size_t n_layers;      /* lowest first, by digest of the tar */
    uint64_t size;
    struct image_found *next;
};

int  image_import_run(const char *store_dir, const char *path, const struct layer_limits *lim,
                      struct image_found **ret, struct errbuf *err);
void image_found_free(struct image_found *list);
/* Is the layer there and whole?  *ret_size: of its files. */
bool image_layer_ready(const char *store_dir, const struct digest *diff, uint64_t *ret_size);
/* Flush unpacked layers to disk and mark them so. */
void image_layers_sync(const char *store_dir);

#endif
