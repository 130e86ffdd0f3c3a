/* node/oci_spec.h: the config.json of a container's bundle, and the process document of an exec. */
#ifndef NODE_OCI_SPEC_H
#define NODE_OCI_SPEC_H

#include "node/cgroup.h"
#include "node/oci_user.h"

/* A mount whose source is settled (sub_path resolved, file made). */
struct oci_mount { const char *source, *dest; bool read_only; enum rt_propagation propagation; };

struct oci_spec {
    const struct rt_container_create *req;
    const struct rt_image_info *image;
    const struct oci_user *user;
    uint64_t caps;
    const struct oci_mount *mounts; size_t n_mounts; /* the pod's own files first; later ones win over equal destinations */
    const char *rootfs, *cgroup_path, *hostname;
    int  holder_pid;                             /* whose namespaces are joined */
    int  target_pid;                             /* whose processes it shares; 0: nobody's */
    bool host_network, host_pid, host_ipc, share_pid;
    bool cgroup_v2, limit_swap;
    int  oom_score_adj_min;                      /* lower ones than this would be refused by the kernel */
};

/* E_INVALID: no command, bad working directory or bad destination. */
int oci_spec_write(struct buf *out, const struct oci_spec *s, struct errbuf *err);
/* From the container's own config.json: same user, environment and capabilities, other arguments. */
int oci_exec_write(struct buf *out, struct str config, const char *const *argv, size_t n_argv, bool tty,
                   uint16_t cols, uint16_t rows, struct errbuf *err);

#endif
