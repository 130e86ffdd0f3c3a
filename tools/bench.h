/* tools/bench.h: one run of the load generator, as its files share it.
 *
 * A run goes through phases (bench_run.c): the namespace is made, a first object proves that writes work, the
 * objects are filled in, watchers connect, the load warms up and is measured, what was promised is verified,
 * everything is removed.  Workers (bench_load.c) each hold one connection and one request at a time; what
 * they send is made in bench_work.c.  Thread: loop only. */
#ifndef TOOLS_BENCH_H
#define TOOLS_BENCH_H

#include "net/map.h"
#include "tools/bench_conn.h"
#include "tools/bench_proc.h"
#include "tools/bench_results.h"
#include "tools/flags.h"
#include "tools/kubeconfig.h"

#define BENCH_MAX_TARGETS FLAG_MAX_STRINGS
#define BENCH_NO_KEY      UINT64_MAX

enum bench_workload {
    WORK_GET,
    WORK_CREATE,
    WORK_UPDATE,
    WORK_LIST,
    WORK_LEASE,
    WORK_WATCH,
    WORK_MIXED,
    WORK_FAILOVER,
    WORK_SCHEDULE,
    WORK_START,
    WORK_ETCD_PUT,
    WORK_ETCD_RANGE,
    WORK_ETCD_TXN,
    WORK_IDLE,
    WORKLOADS
};

struct workload {
    const char *name, *what;
    enum bench_metric main;                      /* whose latency is drawn and shown as it runs */
    bool fills_pods, fills_leases;               /* needs --objects of them first */
    int64_t connections, objects;                /* when not said */
    bool etcd;                                   /* etcd's gRPC, not the Kubernetes API */
};
extern const struct workload workloads[WORKLOADS];

struct bench_config {
    enum bench_workload work;
    const char *kubeconfig, *context, *ns, *json, *svg, *image;
    struct flag_strings servers, pids;
    int64_t connections, http2, objects, watchers, rate, size, requests, limit, kill_pid;
    uint64_t duration_ms, warmup_ms, timeout_ms, kill_after_ms;
    bool keep, by_node;
};

/* ---- bench_work.c: what is sent ---------------------------------------------------------------------- */

enum bench_op {
    OP_GET,
    OP_CREATE,
    OP_UPDATE,
    OP_LIST,
    OP_LEASE,
    OP_LEASE_NEW,
    OP_LEASE_GET,
    OP_DELETE,
    OP_ETCD_PUT,
    OP_ETCD_RANGE,
    OP_ETCD_TXN,
    OP_ETCD_CLEAN,
    BENCH_OPS
};

/* A request with places of fixed width that are written over before it is sent. */
struct bench_template {
    struct buf text;
    size_t name_at[2], seq_at, rv_at, time_at, node_at;    /* 0: has none */
    unsigned name_digits;
};
struct bench_requests {
    struct buf host, auth;                       /* the lines that all heads of requests share */
    char tag[5];                                 /* tells this run's objects from those of others */
    struct bench_template op[BENCH_OPS];
};

struct bench;
void requests_init(struct bench *b);
void requests_release(struct bench_requests *r);
/* The template of OP_UPDATE is made from what the server says an object looks like. */
int  requests_learn(struct bench *b, struct str pod, struct errbuf *err);
/* The bytes of an operation on object `key`; valid until the next call. */
struct str requests_make(struct bench *b, enum bench_op op, uint64_t key, uint64_t seq);
/* The number in the first `prefix`NNNNNNNNNN of the text: names and sequence numbers; BENCH_NO_KEY without
 * one. */
uint64_t requests_find(struct str text, struct str prefix);
/* --by-node: a watcher's selector, in a query; its node has every so manyth pod. */
struct str requests_selector(struct bench *b, unsigned watcher);
/* what stands before a name's number in JSON */
struct str requests_name_prefix(struct bench *b, struct arena *a);
#define REQUESTS_SEQ_PREFIX STR("\"coracle.bench/seq\":\"")
/* Any request, for bench_control.c. */
void requests_head(struct bench *b, struct buf *out, const char *method, struct str path, struct str body);

/* bench_etcd.c: the same of etcd's API. */
void etcd_requests_init(struct bench *b);

/* ---- bench_control.c: single requests beside the load, one after the other ----------------------------- */

struct bench_control {
    struct bench_conn conn;
    struct buf request, body;
    unsigned target;
    uint64_t deadline_ns;
    struct timer again;
    bool stopped;
    /* status 0: could not be reached, body says why */
    void (*done)(struct bench *b, int status, struct str body);
};
void control_init(struct bench *b);
void control_send(struct bench *b, const char *method, struct str path, struct str body,
                  void (*done)(struct bench *b, int status, struct str body));
void control_close(struct bench *b);

/* ---- bench_load.c: the workers ------------------------------------------------------------------------ */

struct bench_worker {
    struct bench *b;
    struct bench_conn conn;
    unsigned number, target;
    enum bench_op op;
    uint64_t key, seq, start_ns, sent_ns;
    uint64_t next_lease;
    bool measured, counted;                      /* counted: its connection is among load.open */
    bool parked;                                 /* waits for a watch to see what became of its pod */
    bool stale;                                  /* its lease's revision must be read again */
    bool timed_out;
    struct buf body;                             /* the first of an answer, where one is looked at */
    struct qlink idle;
    struct timer again;
};
struct bench_load {
    struct bench_worker *worker;
    struct http_client **client; unsigned n_clients;       /* HTTP/2: connections that workers share */
    struct bench_grpc **grpc; unsigned n_grpc;             /* gRPC: likewise */
    unsigned n, next_open, open, in_flight, parked, failures;
    bool running, filling, cleaning, closed;
    struct qlink idle;
    struct timer tick;                           /* open loop: the next request is due */
    uint64_t period_ns, due_ns;                  /* period 0: closed loop */
    uint64_t issued, limit;                      /* of this stretch; limit 0: until stopped */
    void (*connected)(struct bench *b);
    void (*done)(struct bench *b);               /* limit reached or load_stop(), and nothing in flight */
};
int  load_connect(struct bench *b, void (*connected)(struct bench *b), struct errbuf *err);
void load_start(struct bench *b, bool filling, uint64_t limit, uint64_t rate, void (*done)(struct bench *b));
void load_stop(struct bench *b);                 /* no more requests; done follows */
void load_close(struct bench *b);
void load_release(struct bench *b);
void load_expire(struct bench *b);               /* once a second: requests over --timeout are given up */
/* A watch saw what the worker of this pod waits for after `op`. */
void load_unpark(struct bench *b, uint64_t key, enum bench_op op);

/* ---- bench_watch.c: watchers that see updates, or pods reach a state ---------------------------- */

struct bench_watcher { struct bench *b; struct bench_conn conn; struct buf part; };
struct bench_watch {
    struct bench_watcher *watcher;
    unsigned n, next_open, open;
    bool closed;
    struct str path, name_prefix;
    uint64_t received, expected, reached, lost_watches;
    uint64_t *sent_ns; size_t n_sent;            /* by sequence number or key */
    void (*opened)(struct bench *b);
};
int  watch_open(struct bench *b, struct str rv, void (*opened)(struct bench *b), struct errbuf *err);
void watch_sent(struct bench *b, uint64_t number, uint64_t now_ns);
void watch_close(struct bench *b);
void watch_release(struct bench *b);

/* ---- bench_failover.c: what was acknowledged, and the longest time without ---------------------- */

struct bench_failover {
    uint8_t *acked; size_t cap;                  /* a bit per key */
    uint64_t n_acked, last_ns, gap_ns, gap_at_ns, found, lost, strangers;
    uint64_t killed_ns;                          /* 0: nothing was */
    void (*done)(struct bench *b, const char *error);
};
void failover_start(struct bench *b);
void failover_acked(struct bench *b, uint64_t key, uint64_t now_ns);
void failover_end(struct bench *b, uint64_t now_ns);
void failover_verify(struct bench *b, void (*done)(struct bench *b, const char *error));
void failover_release(struct bench *b);

/* ---- bench_run.c -------------------------------------------------------------------------------- */

enum bench_phase {
    PHASE_NEW,
    PHASE_NAMESPACE,
    PHASE_PROBE,
    PHASE_FILL,
    PHASE_WATCH,
    PHASE_WARMUP,
    PHASE_MEASURE,
    PHASE_SETTLE,
    PHASE_VERIFY,
    PHASE_CLEAN,
    PHASE_END
};

struct bench {
    struct bench_config cfg;
    const struct workload *work;
    struct loop *loop;
    struct arena arena;                          /* lives as long as the run */
    struct bench_target target[BENCH_MAX_TARGETS]; unsigned n_targets;
    struct tls_ctx *tls_h2;                      /* offers HTTP/2 */
    struct bench_requests req;
    struct bench_control control;
    struct bench_load load;
    struct bench_watch watch;
    struct bench_failover failover;
    struct bench_procs procs;
    struct results res;
    enum bench_phase phase;
    struct timer phase_end, second, kill;
    uint64_t start_ns, next_key, next_seq;
    uint64_t *lease_rv;                          /* by lease */
    unsigned probes;
    uint64_t rng;
    bool prepared;                               /* the namespace is there, and to be removed */
    bool stopped;                                /* Ctrl-C */
    int  exit_status;
};
int  bench_start(struct bench *b, struct errbuf *err);
void bench_give_up(struct bench *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* A pod reached what WORK_SCHEDULE or WORK_START waits for. */
void bench_on_goal(struct bench *b);
void bench_release(struct bench *b);
static inline bool bench_measuring(const struct bench *b) { return b->phase == PHASE_MEASURE; }

#endif
