/* node/volumes.h: the volumes of one pod: directories of the node that containers mount. */
#ifndef NODE_VOLUMES_H
#define NODE_VOLUMES_H

#include "node/agent_impl.h"
#include "node/env.h"

struct volumes;
/* changed: something that was waited for is there, or content changed: call volumes_update(). */
struct volumes *volumes_new(struct agent *agent, const char *dir, struct source_set *sources,
                            void (*changed)(void *arg), void *arg);
/* What is on disk stays: the pod may run on, or its directory is removed as a whole (node/pod_dir.h). */
void volumes_free(struct volumes *v);

/* Make or bring up to date every volume of the pod. 0: all there; E_AGAIN: waits for something (err says
 * what; changed will be called); E_INVALID, E_IO ...: cannot be mounted now (err says why). */
int  volumes_update(struct volumes *v, const struct downward *d, struct errbuf *err);
/* The directory of a volume in the node's view; NULL: there is none of that name. */
const char *volumes_path(const struct volumes *v, struct str name, bool *ret_read_only);

#endif
