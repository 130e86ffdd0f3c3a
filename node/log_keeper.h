/* node/log_keeper.h: keeps the logs of running containers from filling the disk: looks every few seconds and rotates
 * those that have grown past AGENT_LOG_MAX_BYTES, of which AGENT_LOG_FILES stay. */
#ifndef NODE_LOG_KEEPER_H
#define NODE_LOG_KEEPER_H

#include "node/agent_impl.h"

struct log_keeper;
struct log_keeper *log_keeper_start(struct loop *l, struct runtime *rt, uint64_t every_ms /* 0: 10 s */);
void log_keeper_stop(struct log_keeper *k);      /* NULL ok; before the runtime is closed */

#endif
