/* node/image_source.h: the files of an OCI layout or of a `docker save` archive, from a directory or a tar.
 *
 * A tar is first spread into a scratch directory under numbers, never under its own names, because its index may
 * come after what it indexes.  Blocks: thread pool only. */
#ifndef NODE_IMAGE_SOURCE_H
#define NODE_IMAGE_SOURCE_H

#include "net/map.h"
#include "node/digest.h"

struct image_source {
    int dir;                                     /* of the layout, or of the scratch files */
    bool archive;
    struct map members;                          /* archive: name -> struct source_member */
    char scratch[4096];                          /* "" for a directory */
};

#define IMAGE_SOURCE_INIT ((struct image_source){ .dir = -1, .members = MAP_INIT })
/* scratch: a directory that does not exist yet; made and (by release) removed when path is a tar. */
int  image_source_open(struct image_source *s, const char *path, const char *scratch, struct errbuf *err);
void image_source_release(struct image_source *s);
bool image_source_has(const struct image_source *s, const char *name);
int  image_source_fd(const struct image_source *s, const char *name, struct errbuf *err);      /* a regular file, for reading */
/* A small file whole (JSON documents: up to 4 MiB); with `want`, only if its digest is that (E_CORRUPT). */
int  image_source_read(const struct image_source *s, const char *name, const struct digest *want,
                       struct buf *ret,
                       struct errbuf *err);

#endif
