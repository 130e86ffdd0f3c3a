/* node/image_sample.h: the sample image, made on the spot from Debian's busybox-static: no network, no build tool. */
#ifndef NODE_IMAGE_SAMPLE_H
#define NODE_IMAGE_SAMPLE_H

#include "net/err.h"

/* Write OCI archives of coracle.local/sample:1 and :2 (they differ in what the web server says) into dir, unless they
 * are there already.  The image serves /www on port 8080 (busybox httpd) as its default command.  Blocking (some ms). */
int image_sample_write(const char *dir, struct errbuf *err);

#endif
