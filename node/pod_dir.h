/* node/pod_dir.h: a pod's directory (volumes, logs) is removed off the loop: it may hold very many files. */
#ifndef NODE_POD_DIR_H
#define NODE_POD_DIR_H

#include "node/agent_impl.h"

/* Unmounts what is mounted in it and removes it all.  done: from the loop, when it is gone or cannot be removed (logged), with
 * the pod if there still is one; NULL: nobody asks. */
void pod_dir_remove(struct agent *a, const char *uid, void (*done)(struct agent *a, struct str uid));
/* At the start: directories of pods that are not on this node any more. */
void pod_dir_sweep(struct agent *a);

#endif
