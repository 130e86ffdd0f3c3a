/* node/image_sample.h: the sample image, made on the spot from the machine's static busybox; no network. */
#ifndef NODE_IMAGE_SAMPLE_H
#define NODE_IMAGE_SAMPLE_H

#include "net/err.h"

/* Writes an OCI archive (tar) with coracle.local/sample:1 and :2 to `path` (replaced atomically).  They differ in
 * /www/index.html.  busybox: NULL for /bin/busybox.  Blocks for some tens of milliseconds: start-up or thread pool. */
int image_sample_write(const char *path, const char *busybox, struct errbuf *err);

#endif
