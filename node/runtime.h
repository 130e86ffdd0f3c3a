/* node/runtime.h: what the agent asks of whatever runs containers.
 *
 * Two implementations: runtime_oci (conmon + an OCI runtime over overlayfs, node/runtime_oci.h) and
 * runtime_hollow (no processes; node/runtime_hollow.h).  A pod is a sandbox (network, IPC and UTS
 * namespaces, an address, a cgroup) with containers in it.
 *
 * Requests: the caller owns the request struct and every string and array it points to; all must stay
 * until req.done, which comes exactly once, from the loop, never from inside the call that started it.
 * In done the struct may be freed or reused.  status is 0 or a code of net/err.h with the reason in req.err:
 *     E_NOTFOUND  no such sandbox, container or image
 *     E_INVALID   the request cannot be right (Kubernetes: CreateContainerConfigError)
 *     E_CHILD     the OCI runtime or a network plugin refused; its message is the reason
 *     E_AGAIN     not ready yet (no pod CIDR), or the thing is in the wrong state just now
 *     E_CONFLICT  in use (removing an image or a running container; a pod's attempt that has a sandbox)
 *     E_IO, E_FULL, E_TIMEOUT, E_CLOSED (the runtime is being closed)
 * Requests on one container are made one at a time (kill, stats and sessions excepted), and so are those on one
 * sandbox, except that its containers may be made at the same time; too early is E_AGAIN.
 *
 * Everything is on disk before done: after a kill -9 of the agent the next open finds every sandbox and
 * container again, with what happened to them meanwhile.  Closing leaves them running.
 *
 * Info structs belong to the runtime and are valid until control returns to the loop; so are the names in
 * events.  Thread: loop only.  Times are wall clock, ns since 1970. */
#ifndef NODE_RUNTIME_H
#define NODE_RUNTIME_H

#include "net/loop.h"

struct runtime;

struct rt_req { void (*done)(struct rt_req *r, int status); struct errbuf err; void *impl; };

/* ---- sandboxes -------------------------------------------------------------------------------- */

/* Zero: not set. */
struct rt_resources {
    uint64_t cpu_shares;                         /* as in cgroup v1 (2..262144); converted to a v2 weight */
    int64_t  cpu_quota_us;
    uint64_t cpu_period_us;                      /* 0 with a quota: 100 ms */
    int64_t  memory_bytes;
    int64_t  pids;
    int      oom_score_adj;
};

struct rt_port { uint16_t host_port, container_port; const char *protocol; /* "tcp", "udp", "sctp" */ const char *host_ip; };
struct rt_sysctl { const char *name, *value; };

struct rt_sandbox_create {
    struct rt_req req;
    const char *pod_uid, *pod_name, *pod_namespace;
    uint32_t attempt;
    const char *hostname;                        /* 1..63 bytes; ignored with host_network */
    const char *domain;                          /* "web.default.svc.cluster.local" part after the host name; NULL: none */
    bool host_network, host_pid, host_ipc, share_pid;
    const char *resolv_conf;                     /* contents of /etc/resolv.conf; NULL: the host's */
    const char *extra_hosts;                     /* lines to add to /etc/hosts; NULL: none */
    uint64_t shm_bytes;                          /* of the shared /dev/shm; 0: 64 MiB */
    struct rt_resources resources;               /* of the whole pod */
    const struct rt_port *ports; size_t n_ports; /* host ports */
    const struct rt_sysctl *sysctls; size_t n_sysctls;
    struct str memo;                             /* the caller's own bytes, handed back in rt_sandbox_info; <= 64 KiB */
    char id[65];                                 /* out */
    char ip[46];                                 /* out; "" with host_network */
};

struct rt_sandbox_info {
    const char *id, *pod_uid, *pod_name, *pod_namespace;
    uint32_t attempt;
    bool ready;                                  /* its namespaces live; false after stop or when its process died */
    bool host_network;
    const char *ip;                              /* "" : none */
    int  pid;                                    /* holder of the namespaces; 0: none.  /proc/PID/ns/net is the pod's network */
    int64_t created_ns;
    struct str memo;
};

/* One struct for all that needs nothing but a name. */
struct rt_by_id { struct rt_req req; const char *id; };

/* ---- containers ------------------------------------------------------------------------------- */

enum rt_propagation { RT_PROP_NONE, RT_PROP_HOST_TO_CONTAINER, RT_PROP_BIDIRECTIONAL };

struct rt_mount {
    const char *source;                          /* on the node; exists */
    const char *sub_path;                        /* inside source, may not leave it; made (0750) when missing; NULL: source itself */
    const char *dest;                            /* absolute, in the container */
    bool read_only;
    enum rt_propagation propagation;
};

struct rt_security {
    bool privileged, read_only_root, no_new_privileges, unmasked_proc;
    bool run_as_non_root;                        /* refuse (E_INVALID) when the user comes out as 0 or cannot be known */
    bool seccomp_default;                        /* without the system calls that hardly any program needs */
    const char *who;                             /* the container, for people, in that refusal; NULL ok */
    bool has_uid, has_gid;                       /* else the image's USER */
    uint32_t uid, gid;
    const uint32_t *groups; size_t n_groups;     /* supplementary, added to those of the image's /etc/group */
    const char *const *cap_add; size_t n_cap_add;    /* "NET_ADMIN", "ALL"; CAP_ prefix allowed */
    const char *const *cap_drop; size_t n_cap_drop;
};

struct rt_container_create {
    struct rt_req req;
    const char *sandbox_id, *name;
    const char *pid_target;                      /* a running container whose processes it sees; NULL: none */
    uint32_t attempt;                            /* restart count */
    const char *image;                           /* reference or id; must be there (image_ensure) */
    const char *const *command; size_t n_command;    /* replaces the image's ENTRYPOINT (and then also its CMD) */
    const char *const *args; size_t n_args;          /* replaces the image's CMD */
    const char *const *env; size_t n_env;            /* "K=V"; override the image's */
    const char *cwd;                             /* NULL: the image's */
    struct rt_resources resources;
    struct rt_security security;
    const struct rt_mount *mounts; size_t n_mounts;
    bool tty, want_stdin, stdin_once;
    const char *log_path;                        /* CRI format; directories are made.  NULL: no log */
    const char *termination_path;                /* file in the container; NULL: none */
    struct str memo;
    char id[65];                                 /* out */
};

enum rt_state { RT_CREATED, RT_RUNNING, RT_EXITED };

struct rt_container_info {
    const char *id, *sandbox_id, *pod_uid, *name;
    uint32_t attempt;
    const char *image, *image_id;                /* as asked for; "sha256:..." */
    enum rt_state state;
    int  pid;                                    /* 0 unless created or running */
    int64_t created_ns, started_ns, finished_ns; /* 0: not yet */
    int  exit_code;                              /* 128 + signal when killed by one */
    bool oom_killed;
    bool lost;                                   /* how it ended is not known (its monitor or the machine died): exit_code 137 */
    const char *log_path, *termination_file;     /* on the node; NULL: none */
    struct str memo;
};

/* Other limits for a sandbox and containers of it that run: the sandbox's are pod_meanwhile while the
 * containers' change.  Zeros leave things as they are. */
struct rt_limits { const char *id; struct rt_resources resources; };
struct rt_resize {
    struct rt_req req;
    const char *sandbox_id;
    struct rt_resources pod, pod_meanwhile;
    const struct rt_limits *containers; size_t n_containers;
};

struct rt_kill { struct rt_req req; const char *id; int signum; };

struct rt_stats_get {
    struct rt_req req;
    const char *id;                              /* container or sandbox (then the whole pod) */
    uint64_t cpu_ns, memory_bytes, working_set_bytes, pids;    /* out */
};

/* ---- exec and attach -------------------------------------------------------------------------- */

/* done: the process ended (or, attached, the container) and all its output was delivered; exit_code is set
 * when status is 0.  Attached sessions end with 0 when the container's streams end. */
struct rt_session {
    struct rt_req req;
    const char *container_id;
    const char *const *argv; size_t n_argv;      /* n_argv 0: attach to the container's own process */
    bool tty, want_stdin;
    uint16_t cols, rows;                         /* tty's first size; 0: unknown */
    uint64_t timeout_ms;                         /* then it is killed and status is E_TIMEOUT; 0: none */
    /* which: 1 stdout, 2 stderr (a tty has only 1).  Bytes are valid during the call. */
    void (*on_output)(struct rt_session *s, int which, const char *p, size_t n);
    /* Input queue fell low again.  NULL ok. */
    void (*on_drain)(struct rt_session *s);
    int exit_code;                               /* out */
};

/* ---- images ----------------------------------------------------------------------------------- */

struct rt_image_info {
    const char *id;                              /* "sha256:..." of the image's config */
    const char *const *refs; size_t n_refs;      /* normalized names with tag */
    uint64_t size;                               /* of its unpacked layers */
    const char *const *entrypoint; size_t n_entrypoint;
    const char *const *cmd; size_t n_cmd;
    const char *const *env; size_t n_env;
    const char *user, *cwd, *stop_signal;        /* "" when unset */
};

/* E_NOTFOUND: not here and nowhere to get it (imports under way are waited for); E_INVALID: not a reference. */
struct rt_image_ensure { struct rt_req req; const char *ref; char id[80]; };
/* An OCI layout directory, or a tar archive (may be gzipped) of one or of `docker save`. */
struct rt_image_import { struct rt_req req; const char *path; unsigned n_images; };

/* ---- the whole -------------------------------------------------------------------------------- */

struct runtime_events {
    /* A container that was running is not any more: its info says how. */
    void (*on_container_exit)(void *arg, const char *id);
    /* The holder of a sandbox's namespaces died by itself: the pod has to be made anew. */
    void (*on_sandbox_death)(void *arg, const char *id);
};

struct runtime_ops {
    void (*close)(struct runtime *rt, void (*done)(void *arg), void *arg);
    /* Ends and removes every sandbox and container of this runtime (images stay). */
    void (*purge)(struct runtime *rt, struct rt_req *r);
    /* "10.244.1.0/24": where pod addresses come from.  Sandboxes with a network of their own wait for it. */
    int  (*set_pod_cidr)(struct runtime *rt, const char *cidr, struct errbuf *err);

    void (*sandbox_create)(struct runtime *rt, struct rt_sandbox_create *r);
    /* Kills what runs in it, gives back the address; containers stay listed, logs stay. Fine when stopped already. */
    void (*sandbox_stop)(struct runtime *rt, struct rt_by_id *r);
    /* Also removes its containers and its directories.  Fine (0) when there is none. */
    void (*sandbox_remove)(struct runtime *rt, struct rt_by_id *r);
    const struct rt_sandbox_info *(*sandbox_get)(struct runtime *rt, const char *id);
    void (*sandbox_each)(struct runtime *rt, void (*fn)(void *arg, const struct rt_sandbox_info *i),
                         void *arg);

    void (*container_create)(struct runtime *rt, struct rt_container_create *r);
    void (*container_start)(struct runtime *rt, struct rt_by_id *r);
    /* SIGKILL ends every process of the container.  0 also when it has ended; on_container_exit follows. */
    void (*container_kill)(struct runtime *rt, struct rt_kill *r);
    /* Not running; its log stays.  Fine (0) when there is none. */
    void (*container_remove)(struct runtime *rt, struct rt_by_id *r);
    const struct rt_container_info *(*container_get)(struct runtime *rt, const char *id);
    void (*container_each)(struct runtime *rt, void (*fn)(void *arg, const struct rt_container_info *i),
                           void *arg);
    /* After the log file was renamed: go on in a new one. */
    int  (*container_reopen_log)(struct runtime *rt, const char *id, struct errbuf *err);
    void (*stats)(struct runtime *rt, struct rt_stats_get *r);
    void (*resize)(struct runtime *rt, struct rt_resize *r);

    void (*session_open)(struct runtime *rt, struct rt_session *s);
    /* These four only between session_open and done; never fail (a session that has just ended ignores them). */
    void (*session_write)(struct rt_session *s, const char *p, size_t n);   /* copies */
    void (*session_eof)(struct rt_session *s);                   /* close its stdin */
    void (*session_resize)(struct rt_session *s, uint16_t cols, uint16_t rows);
    void (*session_pause)(struct rt_session *s, bool pause);     /* no on_output meanwhile */
    size_t (*session_queued)(const struct rt_session *s);        /* bytes of input not taken yet */
    /* Kill an exec, leave an attach; done still comes, with E_CANCELED. */
    void (*session_cancel)(struct rt_session *s);

    void (*image_ensure)(struct runtime *rt, struct rt_image_ensure *r);
    void (*image_import)(struct runtime *rt, struct rt_image_import *r);
    void (*image_remove)(struct runtime *rt, struct rt_by_id *r);       /* by reference, or by id with all references */
    const struct rt_image_info *(*image_get)(struct runtime *rt, const char *ref_or_id);
    void (*image_each)(struct runtime *rt, void (*fn)(void *arg, const struct rt_image_info *i), void *arg);

    const char *(*version)(struct runtime *rt);                  /* "crun://1.8.1"; for the node's status */
};

/* First member of every implementation. */
struct runtime { const struct runtime_ops *ops; const struct runtime_events *events; void *events_arg; };

/* Set once, before the first turn of the loop.  What ended while no agent was there is no event: the listing says so
 * right after open. */
static inline void runtime_set_events(struct runtime *rt, const struct runtime_events *ev, void *arg)
{
    rt->events = ev;
    rt->events_arg = arg;
}

#endif
