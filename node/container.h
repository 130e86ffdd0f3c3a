/* node/container.h: one container of a pod: the machine that pulls, creates, starts, probes, stops and restarts it.
 *
 *     IDLE --its turn--> PULL --> CREATE --> START --> POST_START --> RUNNING --exit--> EXITED --restart--> BACKOFF --> PULL
 *       |                  |         |                                   |                 |
 *       |                  +-fails: WAIT (retry with back-off) -> PULL    +--stop--> PRE_STOP --> TERM --> KILL --> EXITED
 *       +--recovered by the agent: RUNNING or EXITED
 */
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
    bool init, sidecar;                          /* sidecar: an init container with restartPolicy Always */
    enum container_state state;
    char id[65], image_id[80];                   /* of the run there is or was last; "" : none yet */
    unsigned attempt;                            /* runs begun before this one: restartCount */
    bool started, ready;                         /* startup probe passed; readiness */
    bool stop_wanted;                            /* the pod or a probe wants it ended; no restart if the pod stops */
    const char *wait_reason; char *wait_message; /* status.state.waiting */
    int64_t started_s;
    struct ct_end end, last;                     /* this run's; the one before */
    uint64_t backoff_ms, run_since_ms;
    struct timer timer;                          /* by state: back-off, retry, grace */
    struct ct_op *op;                            /* request in flight; at most one besides sessions */
    struct ct_hook *hook;                        /* postStart or preStop in flight */
    struct probe *startup, *readiness, *liveness;
    int64_t kill_grace_s;
};

void container_init(struct container *c, struct pod *p, const struct json *spec, bool init);
void container_release(struct container *c);     /* lets it run on */
/* Do what is next.  may_start: it is its turn to be started. */
void container_tick(struct container *c, bool may_start);
/* Ask it to end: preStop, SIGTERM, after grace SIGKILL. */
void container_stop(struct container *c, int64_t grace_s);
void container_on_exit(struct container *c);     /* the runtime says it ended */
void container_adopt(struct container *c, const struct rt_container_info *i);
/* It runs, or is on its way to. */
bool container_is_live(const struct container *c);
/* Ended for good: no restart will come. */
bool container_is_done(const struct container *c);
const char *container_log_path(const struct container *c, unsigned attempt, char *buf, size_t cap);

#endif
