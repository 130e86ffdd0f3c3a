/* node/oci_caps.h: sets of Linux capabilities by name. */
#ifndef NODE_OCI_CAPS_H
#define NODE_OCI_CAPS_H

#include "node/runtime.h"

/* The usual default, plus cap_add, minus cap_drop ("ALL" means all), or everything when privileged; always
 * within `ours` (what this process could give away).  E_INVALID: an unknown name. */
int oci_caps_resolve(const struct rt_security *sec, uint64_t ours, uint64_t *ret, struct errbuf *err);
const char *oci_cap_name(unsigned bit);          /* "CAP_CHOWN"; NULL past the last */
uint64_t oci_caps_ours(void);                    /* the bounding set of this process */

#endif
