/* node/oci_user.h: which user a container runs as: the request's numbers, else the image's USER looked up in the
 * image's own /etc/passwd and /etc/group (untrusted: bounded, opened inside the root only). */
#ifndef NODE_OCI_USER_H
#define NODE_OCI_USER_H

#include "node/runtime.h"

enum { OCI_GROUPS_MAX = 64 };
struct oci_user { uint32_t uid, gid, groups[OCI_GROUPS_MAX]; unsigned n_groups; };

/* rootfs: the container's mounted root; image_user: "", "name", "uid", "name:group", "uid:gid".
 * E_INVALID: no such user, or root although run_as_non_root. */
int oci_user_resolve(const char *rootfs, const char *image_user, const struct rt_security *sec,
                     struct oci_user *ret,
                     struct errbuf *err);

#endif
