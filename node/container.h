/* node/container.h: one container of a pod: the machine that pulls, creates, starts, probes, stops and restarts it.
 *
 *     IDLE --its turn--> PULL --> CREATE --> START --> POST_START --> RUNNING --exit--> EXITED --restart--> BACKOFF --> PULL
 *       |                  |         |                                   |                 |
 *       |                  +-fails: WAIT (retry with back-off) -> PULL    +--stop--> PRE_STOP --> TERM --> KILL --> EXITED
 *       +--recovered by the agent: START, RUNNING or EXITED
 *
 * WAIT ends by time, or, when something of the pod was missing (config map, volume, sandbox), by container_kick().
 * EXITED goes on at once the first time and with a back-off of 10 s to 5 min then; a run of 10 minutes is forgiven. */
#ifndef NODE_CONTAINER_H
#define NODE_CONTAINER_H

#include "node/agent_impl.h"

struct pod;
struct probe;

enum container_state {
    CT_IDLE, CT_PULL, CT_WAIT, CT_CREATE, CT_START, CT_POST_START, CT_RUNNING, CT_PRE_STOP, CT_TERM, CT_KILL, CT_EXITED, CT_BACKOFF,
    CT_STATES
};

struct ct_end {                                  /* how a run ended */
    bool valid, oom;
    int exit_code;
    int64_t started_s, finished_s;
    char id[65];
    char *message;                               /* termination message; NULL */
    const char *reason;                          /* "Completed", "Error", "OOMKilled", "ContainerStatusUnknown", "StartError" */
};

struct container {
    struct pod *pod;
    const struct json *spec;                     /* in the pod's arena */
    const char *name;
    const struct json *granted;                  /* its resources; see node/pod_resize.c.  NULL: none */
    struct arena granted_arena;
    char *image;                                 /* as the newest spec has it: pods may change that */
    bool ephemeral;                              /* added to a pod that ran: runs once, see pod_ephemeral.c */
    bool init, sidecar;                          /* sidecar: an init container with restartPolicy Always */
    enum container_state state;
    char id[65], image_id[80];                   /* of the run there is or was last; "" : none yet */
    unsigned attempt;                            /* runs begun before this one: restartCount */
    bool started, ready;                         /* startup probe passed; readiness */
    bool stop_wanted;                            /* the pod or a probe wants it ended; no restart if the pod stops */
    bool changed;                                /* ended for a new image: starts again whatever the restart policy is */
    bool wants_kick;                             /* in WAIT: for something of the pod */
    const char *wait_reason; char *wait_message; /* status.state.waiting */
    int64_t started_s;
    struct ct_end end, last;                     /* this run's; the one before */
    uint64_t backoff_ms, pull_backoff_ms, run_since_ms;
    struct timer timer;                          /* by state: back-off, retry, grace */
    struct ct_op *op;                            /* request in flight; at most one besides sessions */
    struct ct_hook *hook;                        /* postStart or preStop in flight */
    struct probe *startup, *readiness, *liveness;
    int64_t kill_grace_s;                        /* as asked for last */
    uint64_t kill_due_ms;                        /* when patience ends */
};

void container_init(struct container *c, struct pod *p, const struct json *spec, bool init);
void container_release(struct container *c);     /* lets it run on */
/* Do what is next.  may_start: it is its turn to be started. */
void container_tick(struct container *c, bool may_start);
/* Ask it to end: preStop, SIGTERM, after grace (2 s at least) SIGKILL.  Asked again, only a shorter grace counts.
 * why: text of its event, NULL: the usual one. */
void container_stop(struct container *c, int64_t grace_s, const char *why);
/* What it waited for may be there now. */
void container_kick(struct container *c);
void container_set_image(struct container *c, struct str image);
/* End the run there is; the next one begins whatever the restart policy is.  why: for people. */
void container_restart(struct container *c, const char *why);
/* What it was granted, as the runtime wants it. */
struct rt_resources container_limits(const struct container *c);
typedef const struct json *container_resources_fn(const struct container *c);
static inline const struct json *container_resources(const struct container *c) { return c->granted; }
/* Its sandbox is made anew: what has succeeded before has to run again (init containers). */
void container_again(struct container *c);
void container_on_exit(struct container *c);     /* the runtime says it ended */
/* Nothing of it runs any more, whatever we thought. */
void container_lost(struct container *c);
/* What the agent found when it started: a run of it; or, after all were shown, none at all. */
void container_adopt(struct container *c, const struct rt_container_info *i);
void container_adopt_none(struct container *c);
/* It runs, or is on its way to. */
bool container_is_live(const struct container *c);
/* Ended for good: no restart will come. */
bool container_is_done(const struct container *c);
const char *container_log_path(const struct container *c, unsigned attempt, char *buf, size_t cap);

#endif
