/* tools/supervisor.h: the heads and nodes of `coracle up` as child processes: started, restarted when they
 * die, ended in order.  Children die with the supervisor, whatever ends it. */
#ifndef TOOLS_SUPERVISOR_H
#define TOOLS_SUPERVISOR_H

#include "net/proc.h"
#include "tools/cluster.h"

struct supervisor;
struct supervisor_opts {
    struct loop *loop;
    const struct cluster *cluster;               /* borrowed */
    bool restart;                                /* start again what died, after a moment */
    struct str head_flags, node_flags;           /* further flags, blank-separated; borrowed */
    unsigned hollow;                             /* > 0: one more process with that many hollow nodes */
    /* A head wrote "serving ADDR" or "leading" to its ready descriptor, a node "serving". */
    void (*on_ready)(void *arg, bool head, unsigned number, struct str line);
    /* A child died; the first death before readiness is what people want to know of. */
    void (*on_exit)(void *arg, bool head, unsigned number, int status, const char *log_path);
    void *arg;
};
int  supervisor_new(const struct supervisor_opts *o, struct supervisor **ret, struct errbuf *err);
int  supervisor_start_heads(struct supervisor *s, struct errbuf *err);
int  supervisor_start_nodes(struct supervisor *s, struct errbuf *err);
/* SIGTERM to nodes, then heads; SIGKILL to what is left after a grace; done when all are gone. */
void supervisor_stop(struct supervisor *s, void (*done)(void *arg), void *arg);
void supervisor_free(struct supervisor *s);      /* after done */

#endif
