/* node/pod.h: one pod of this node, from the moment it is bound here until the API has forgotten it.
 *
 *     SETUP --volumes there--> SANDBOX --made--> RUN --deleted, or nothing left to run--> STOP --all ended--> TEARDOWN --> ENDED
 *       |                         |               |                                                                        |
 *       |                         |               +--sandbox died: it is stopped, removed, made anew--> SANDBOX            |
 *       +-------------------------+--deleted--------------------------------------------------> TEARDOWN                   v
 *                                                                        status reported, object deleted if it asks for that
 *
 * pod_tick() looks at the facts and starts whatever is next; every callback only records a fact and ticks.  It is safe to call
 * at any time and any number of times.  Containers have small machines of their own (node/container.h). */
#ifndef NODE_POD_H
#define NODE_POD_H

#include "node/agent_impl.h"
#include "node/container.h"
#include "node/volumes.h"

enum pod_state { POD_SETUP, POD_SANDBOX, POD_RUN, POD_STOP, POD_TEARDOWN, POD_ENDED };

struct pod {
    struct agent *agent;
    char *uid, *ns, *name;
    enum pod_state state;
    struct object *object;                       /* as the API showed it last */
    struct arena arena; struct json *json;       /* parsed once from the object that made the pod */
    struct arena now_arena; struct json *now;    /* the newest, where metadata or spec differ from that; else NULL */
    bool wanted;                                 /* false: the API has forgotten it (or never knew: found by recovery) */
    bool deleted;                                /* deletionTimestamp is set */
    bool recovered;                              /* its sandbox ran already when the agent started */
    const char *doomed;                          /* the node ends it: status.reason ("DeadlineExceeded"); NULL */
    int64_t grace_s; uint64_t stop_ms;           /* when stopping, and since when; 0: not yet */

    struct container *containers; unsigned n_containers, n_init;     /* init containers first */
    struct container **ephemeral; unsigned n_ephemeral;              /* added while it ran */
    struct source_set sources;
    struct volumes *volumes;
    bool volumes_ok, volumes_dirty, kick;        /* all there; something changed; containers may go on for that */
    bool initialized;                            /* all init containers have passed since the sandbox was made */
    char sandbox_id[65], ip[46];
    unsigned sandbox_attempt;
    bool sandbox_dead, sandbox_stopped;          /* it died by itself; and what was left of it has been stopped */
    struct pod_stale *stale;                     /* sandboxes of earlier attempts, to be removed */
    struct rt_sandbox_create *making;            /* in flight */
    struct rt_by_id *removing;
    struct timer retry; uint64_t retry_ms;       /* of volumes or sandbox */
    struct timer mount_wait, deadline;
    struct ready_item tick;
    bool cleaning, cleaned;                      /* its directories */
    char *waiting;                               /* why it does not go on, for people; NULL */

    struct pod_resize {
        bool look;                               /* something may be wanted */
        bool in_progress;                        /* limits are not all in force yet */
        const char *pending; char *why;          /* reason and message of PodResizePending; NULL: it is not */
        char *error;                             /* why the last write of limits failed; NULL */
        struct rt_resize *op;                    /* in flight */
        struct timer again;
    } resize;

    char *start_time;                            /* status.startTime */
    struct client_call *status_call, *delete_call;
    struct timer status_retry; uint64_t status_retry_ms;
    char *status_sent;                           /* JSON text of the status the API has from us */
    bool status_lost;                            /* or rather has not: it was refused */
    unsigned status_gist; uint64_t status_rv;    /* of what was sent; the revision that made */
    bool status_dirty, final_sent, delete_sent;
};

/* From the API's object (or, o NULL and wanted false, from what recovery found on disk: its memo). */
struct pod *pod_new(struct agent *a, const char *uid, struct object *o, const struct json *json);
void pod_update(struct pod *p, struct object *o, const struct json *json);   /* the object changed */
void pod_forget(struct pod *p);                                             /* the object is gone from the API */
void pod_free(struct pod *p);                                               /* lets what runs run on */
void pod_tick(struct pod *p);                                               /* soon, from the loop */
/* A container or the sandbox was found running by the agent at its start. */
void pod_adopt_sandbox(struct pod *p, const struct rt_sandbox_info *i);
void pod_adopt_container(struct pod *p, const struct rt_container_info *i);
void pod_adopted(struct pod *p);                                            /* that was all */
void pod_on_container_exit(struct pod *p, const char *id);
void pod_on_sandbox_death(struct pod *p, const char *id);

/* All of them, ephemeral ones last: 0 <= i < pod_n_all(). */
static inline unsigned pod_n_all(const struct pod *p) { return p->n_containers + p->n_ephemeral; }
static inline struct container *pod_nth(const struct pod *p, unsigned i)
{
    return i < p->n_containers ? &p->containers[i] : p->ephemeral[i - p->n_containers];
}
struct container *pod_container(struct pod *p, struct str name);            /* NULL: none of that name */
struct pod *agent_pod(struct agent *a, struct str ns, struct str name);     /* NULL */
void agent_drop_pod(struct agent *a, struct pod *p);                        /* ended and forgotten: frees it */

void pod_event(struct pod *p, const struct container *c, const char *type, const char *reason, const char *fmt, ...) PRINTF_LIKE(5, 6);
struct downward pod_downward(const struct pod *p);
bool pod_is_host_network(const struct pod *p);
bool pod_has_sandbox(const struct pod *p);                                  /* one that containers can be made in */
const struct json *pod_json(const struct pod *p);                           /* the newest metadata and spec */
/* Restart policy for one container after this exit. */
bool pod_restarts(const struct pod *p, const struct container *c, int exit_code);

/* a copy that lives as long as the pod */
struct json *pod_own_tree(struct pod *p, const struct json *json);

/* node/pod_ephemeral.c */
bool pod_take_ephemeral(struct pod *p);          /* new ones of pod_json(); false: none */
void pod_run_ephemeral(struct pod *p);
void pod_free_ephemeral(struct pod *p);

/* node/pod_resize.c */
void pod_resize_begin(struct pod *p, struct container *c);   /* what it was granted before, if it was */
void pod_resize_look(struct pod *p);             /* grant what is wanted, if there is room */
void pod_resize_release(struct pod *p);
void pod_on_resize_again(struct timer *t);
void agent_room_made(struct agent *a);           /* a pod has gone: others may grow */
struct json *pod_tree_copy(struct arena *a, const struct json *json);       /* with strings of its own */

/* What the whole pod was granted; and the sum of one amount over what runs at once, by these resources of
 * containers.  limit: -1 if any has none. */
struct rt_resources pod_limits(const struct pod *p);
int64_t pod_amount(const struct pod *p, container_resources_fn *resources, const char *path, bool milli,
                   bool limit);

/* node/pod_sandbox.c: requests on sandboxes that find their pod again by its uid; done: pod_on_sandbox(), pod_on_sandbox_end(). */
void pod_sandbox_make(struct pod *p);
void pod_sandbox_end(struct pod *p, const char *id, bool remove);           /* else only stop */
void pod_on_sandbox_made(struct pod *p, const struct rt_sandbox_create *r, int status);
void pod_on_sandbox_end(struct pod *p, const char *id, bool removed, int status, const char *why);

/* node/pod_status.c: compute the status from the facts and send it if it says something new. */
void pod_report(struct pod *p);
/* What stands in the API now: others write there too (the node controller, that pods of a silent node are not ready). */
void pod_status_seen(struct pod *p, const struct json *json);
void pod_begin_status(struct pod *p);            /* startTime */
void pod_report_stop(struct pod *p);             /* cancels what is in flight */
void pod_on_status_retry(struct timer *t);

#endif
