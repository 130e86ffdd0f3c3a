/* node/runtime_hollow.h: a runtime without processes, behind the same interface: how a laptop carries a million nodes.
 * Containers "run" until killed (annotation-free: exit code 0 never comes by itself), addresses count up, images are always there. */
#ifndef NODE_RUNTIME_HOLLOW_H
#define NODE_RUNTIME_HOLLOW_H

#include "node/runtime.h"

struct runtime_hollow_opts { struct loop *loop; uint64_t start_ms; /* how long a start takes; 0: at once */ };
struct runtime *runtime_hollow_new(const struct runtime_hollow_opts *o);

#endif
