/* node/runtime_oci.h: the real runtime: OCI bundles over overlayfs, run by crun (or what has its command line) under
 * conmon.
 *
 * On disk, below root_dir: images/ (image_store.h), cni/, sandboxes/ID/ and containers/ID/ with a record each.
 * Below run_dir: the OCI runtime's state, short-lived sockets, holders of the mount namespace (mountns.h).
 * The agent calls mountns_enter(run_dir) before it makes its loop; on a hybrid cgroup host open fails otherwise. */
#ifndef NODE_RUNTIME_OCI_H
#define NODE_RUNTIME_OCI_H

#include "node/runtime.h"

struct runtime_oci_opts {
    struct loop *loop;                           /* a real one */
    const char *root_dir, *run_dir;              /* absolute; run_dir at most 60 bytes (socket names) */
    const char *cgroup_parent;                   /* "/coracle/node-1"; holds no process itself */
    const char *oci_runtime, *conmon;            /* NULL: "crun", "conmon" in PATH */
    const char *cni_plugin_dir, *cni_bridge;     /* NULL: see cni.h */
    const char *cluster_cidr;                    /* see cni.h; NULL ok */
};
/* Blocks for start-up: reads what is there.  Needs root. */
int runtime_oci_open(const struct runtime_oci_opts *o, struct runtime **ret, struct errbuf *err);

#endif
