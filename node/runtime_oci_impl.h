/* node/runtime_oci_impl.h: what the runtime_oci_*.c files share.
 *
 * Every request is a struct that embeds a loop_work or a child; while it is under way it pins the runtime and, where
 * it changes one, marks its sandbox or container busy.  Records are written before a request is answered:
 *     making   -> what a crash leaves in this state is undone at the next start
 *     created, running (containers); ready, stopped (sandboxes)
 * That a container has ended is not recorded: its monitor's exit file says so. */
#ifndef NODE_RUNTIME_OCI_IMPL_H
#define NODE_RUNTIME_OCI_IMPL_H

#include "net/map.h"
#include "net/proc.h"
#include "node/cgroup.h"
#include "node/cni.h"
#include "node/files.h"
#include "node/image_store.h"
#include "node/pidwatch.h"
#include "node/runtime_oci.h"

enum { OCI_ID_HEX = 32, OCI_MEMO_MAX = 64 << 10, OCI_RECORD_MAX = 1 << 20 };
enum { OCI_KILL_TIMEOUT_MS = 10000, OCI_START_TIMEOUT_MS = 60000, OCI_EXIT_WAIT_MS = 10000 };

enum sandbox_state { SB_MAKING, SB_READY, SB_STOPPED };
enum container_state { CT_MAKING /* not listed */, CT_CREATED, CT_RUNNING, CT_EXITED };

struct oci_runtime;

struct oci_sandbox {
    struct oci_runtime *rt;
    struct rt_sandbox_info info;                 /* points into the fields below */
    enum sandbox_state state;
    char id[65], ip[46];
    char *pod_uid, *pod_name, *pod_namespace, *hostname, *domain, *extra_hosts, *cgroup, *dir;
    struct buf memo;
    bool host_network, host_pid, host_ipc, share_pid;
    uint32_t attempt;
    int64_t created_ns;
    struct rt_port *ports; size_t n_ports;       /* strings owned */
    struct proc_id holder;
    struct pid_watch *watch;
    bool busy;
};

struct oci_container {
    struct oci_runtime *rt;
    struct rt_container_info info;
    enum container_state state;
    char id[65], sandbox_id[65], image_id[80];
    char *pod_uid, *name, *image, *log_path, *termination_path, *cgroup, *dir;
    struct buf memo;
    uint32_t attempt;
    int64_t created_ns, started_ns, finished_ns;
    int exit_code;
    bool oom_killed, lost, tty, want_stdin, shared_pid;
    struct proc_id init, monitor;
    struct pid_watch *watch;                     /* of the monitor */
    bool busy;                                   /* a request is changing it */
    bool ended;                                  /* the monitor is gone; the record may not say so yet */
    bool collecting;                             /* the exit is being read */
    struct qlink waiters;                        /* struct oci_waiter: called once the exit is known */
};

/* Calls back once, when the end of a container is known; unlink it to give up. */
struct oci_waiter { struct qlink link; void (*fn)(struct oci_waiter *w); };

struct oci_runtime {
    struct runtime base;
    struct loop *loop;
    char *root, *run, *crun, *conmon, *crun_root, *cgroup_parent, *monitors;   /* monitors: cgroup of conmons and holders */
    char version[64];
    struct cgroup_fs cg;
    uint64_t caps;
    int oom_score_adj_min;
    struct image_store *images;
    struct cni *cni;
    struct map sandboxes, containers;
    struct qlink sessions;
    unsigned pins, undoing;                      /* undoing: what recovery takes apart */
    struct rt_req *purge;                        /* waits for that */
    bool closing;
    void (*closed)(void *arg);
    void *closed_arg;
    struct ready_item closed_item;
};

static inline struct oci_runtime *oci_runtime_of(struct runtime *rt) { return container_of(rt,
    struct oci_runtime, base); }

/* Paths of groups come from files too: never beyond our own. */
static inline bool oci_cgroup_ours(const struct oci_runtime *rt, const char *path)
{
    size_t n = strlen(rt->cgroup_parent);
    return path != NULL && strncmp(path, rt->cgroup_parent, n) == 0 && path[n] == '/' && path[n + 1] != '\0'
        && strstr(path, "..") == NULL;
}

/* ---- runtime_oci.c ---- */
void oci_pin(struct oci_runtime *rt);
void oci_unpin(struct oci_runtime *rt);
void oci_new_id(struct oci_runtime *rt, char ret[65]);
/* An answer that is known at once still comes from the loop. */
void oci_answer(struct oci_runtime *rt, struct rt_req *r, int status);
/* "crun --root ... ARGS": arguments NULL-terminated, at most 12. */
int  oci_crun(struct oci_runtime *rt, const char *const *args,
              void (*done)(void *arg, const struct proc_run_result *r),
              void *arg, struct errbuf *err);
/* What a failed child said, shortened. */
int  oci_child_error(struct errbuf *err, const char *what, const struct proc_run_result *r);

/* ---- runtime_oci_resize.c ---- */
void oci_resize(struct runtime *base, struct rt_resize *r);

/* ---- runtime_oci_state.c: records ---- */
struct oci_sandbox   *oci_sandbox_find(struct oci_runtime *rt, const char *id);
struct oci_container *oci_container_find(struct oci_runtime *rt, const char *id);
struct oci_sandbox   *oci_sandbox_new(struct oci_runtime *rt, const char *id);
struct oci_container *oci_container_new(struct oci_runtime *rt, const char *id);
void oci_sandbox_free(struct oci_sandbox *sb);   /* also out of the map */
void oci_container_free(struct oci_container *c);
void oci_sandbox_refresh(struct oci_sandbox *sb);        /* info from the fields */
void oci_container_refresh(struct oci_container *c);
int  oci_sandbox_save(const struct oci_sandbox *sb, struct errbuf *err);     /* blocking, short; any thread that owns it */
int  oci_container_save(const struct oci_container *c, struct errbuf *err);
/* At start: reads all records; what cannot be read is only a name. */
int  oci_records_load(struct oci_runtime *rt, struct errbuf *err);

/* ---- runtime_oci_sandbox.c ---- */
void oci_sandbox_create(struct runtime *rt, struct rt_sandbox_create *r);
void oci_sandbox_stop(struct runtime *rt, struct rt_by_id *r);
void oci_sandbox_remove(struct runtime *rt, struct rt_by_id *r);
void oci_sandbox_watch(struct oci_sandbox *sb);
void oci_purge(struct runtime *rt, struct rt_req *r);
/* Take apart what a crash left half-made. */
void oci_sandbox_undo(struct oci_sandbox *sb, void (*done)(void *arg, int status), void *arg);

/* ---- runtime_oci_container.c ---- */
void oci_container_create(struct runtime *rt, struct rt_container_create *r);
void oci_container_start(struct runtime *rt, struct rt_by_id *r);
void oci_container_kill(struct runtime *rt, struct rt_kill *r);
void oci_container_remove(struct runtime *rt, struct rt_by_id *r);
int  oci_container_reopen_log(struct runtime *rt, const char *id, struct errbuf *err);
void oci_stats(struct runtime *rt, struct rt_stats_get *r);
/* Removal for the runtime's own purposes; done(arg, status) once, from the loop. c is gone when status is 0. */
void oci_container_discard(struct oci_container *c, void (*done)(void *arg, int status), void *arg);

/* ---- runtime_oci_prepare.c: the blocking part of a create, on the thread pool ---- */
struct oci_prepare {
    struct oci_runtime *rt;                      /* constants only */
    struct oci_container *c;                     /* nobody else touches it meanwhile */
    const struct rt_container_create *req;
    const struct rt_image_info *image;           /* copied: the table may change */
    const char *const *layers; size_t n_layers;
    int holder_pid;
    const char *sandbox_dir, *hostname;
    int target_pid;                              /* 0: none */
    bool host_network, host_pid, host_ipc, share_pid;
    int sync_fd;                                 /* out: conmon reports on it */
    struct errbuf err;
};
int  oci_prepare_run(struct oci_prepare *p);
/* Unmount, kill what is left, remove the cgroup and the directory; blocking. */
int  oci_container_wipe(struct oci_runtime *rt, const struct oci_container *c, struct errbuf *err);
int  oci_control(const struct oci_container *c, const char *line, struct errbuf *err);   /* to conmon's ctl fifo */

/* ---- runtime_oci_exit.c ---- */
void oci_container_watch(struct oci_container *c);
/* At start: what is it now, and if it has not ended, watch it.  Blocks a moment. */
void oci_container_recover(struct oci_container *c);
/* fn comes (from the loop) once its end is known; c must not have ended yet. */
void oci_container_on_end(struct oci_container *c, struct oci_waiter *w);
/* A request that kept the exit waiting is over. */
void oci_container_settle(struct oci_container *c);

/* ---- runtime_oci_exec.c, runtime_oci_attach.c ---- */
struct oci_session;
/* write, eof and cancel may be called at any time until finish; finish is ours. */
struct oci_session_ops {
    void (*write)(struct oci_session *x, const char *p, size_t n);
    void (*eof)(struct oci_session *x);
    void (*resize)(struct oci_session *x, uint16_t cols, uint16_t rows);
    void (*pause)(struct oci_session *x, bool pause);
    size_t (*queued)(const struct oci_session *x);
    void (*cancel)(struct oci_session *x, int status);
};
struct oci_session { struct qlink link; const struct oci_session_ops *ops; struct oci_runtime *rt; struct rt_session *s; };
void oci_exec_open(struct oci_runtime *rt, struct oci_container *c, struct rt_session *s);
void oci_attach_open(struct oci_runtime *rt, struct oci_container *c, struct rt_session *s);
/* Links x into the runtime and the request into x; and the reverse followed by done.  x itself is the caller's. */
void oci_session_begin(struct oci_session *x, const struct oci_session_ops *ops, struct oci_runtime *rt,
                       struct rt_session *s);
void oci_session_finish(struct oci_session *x, int status);

#endif
