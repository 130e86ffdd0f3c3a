/* node/oci_seccomp.h: linux.seccomp of a container that asks for the runtime's default profile. */
#ifndef NODE_OCI_SECCOMP_H
#define NODE_OCI_SECCOMP_H

#include "api/json.h"

/* caps: those it will have (bits as in node/oci_caps.h): they give back what belongs to them. */
struct json *oci_seccomp_default(struct arena *a, uint64_t caps);

#endif
