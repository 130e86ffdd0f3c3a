/* node/image_ref.h: names of images, made whole the way every container tool does:
 * "busybox" is docker.io/library/busybox:latest, "coracle.local/sample:1" is itself. */
#ifndef NODE_IMAGE_REF_H
#define NODE_IMAGE_REF_H

#include "net/err.h"
#include "net/str.h"

enum { IMAGE_REF_MAX = 512 };
struct image_ref { char s[IMAGE_REF_MAX]; };
/* E_INVALID: not a reference. A digest (name@sha256:...) is kept and stands instead of a tag. */
int image_ref_normalize(struct str ref, struct image_ref *ret, struct errbuf *err);
/* uname's machine as images name it: "x86_64" -> "amd64". */
const char *image_architecture(const char *machine);

#endif
