/* ctrl/controllers.h: everything that runs on the leading head to make the cluster what its objects say.
 *
 * One file per controller (ctrl/deployment.c, ...), all built on informers shared per resource and on work
 * queues (ctrl/workqueue.h): level-triggered, any pass may be repeated at any time. */
#ifndef CTRL_CONTROLLERS_H
#define CTRL_CONTROLLERS_H

#include "api/shared.h"

struct controllers;
struct controllers_opts {
    struct client *client;                       /* borrowed, outlives the controllers */
    /* Made with ctrl_indexes() in this turn of the loop, borrowed, outlives the controllers; NULL: they make
     * their own. */
    struct shared *shared;
    struct str ca_pem;                           /* for kube-root-ca.crt; borrowed */
    /* 0: the original's defaults (5 s, 40 s, 300 s through tolerations, 12500). */
    uint64_t node_monitor_period_ms, node_monitor_grace_ms;
    unsigned terminated_pod_gc_threshold;
};
struct controllers *controllers_start(const struct controllers_opts *o);
/* NULL ok; in-flight calls are canceled; large caches are freed in slices: the loop runs on */
void controllers_stop(struct controllers *c);

#endif
