/* node/agent_impl.h: what the parts of the agent share. */
#ifndef NODE_AGENT_IMPL_H
#define NODE_AGENT_IMPL_H

#include "api/informer.h"
#include "net/map.h"
#include "node/agent.h"
#include "node/runtime.h"
#include "node/source.h"

#define AGENT_LOG_MAX_BYTES   (10 << 20)         /* a container's log file before it is rotated */
#define AGENT_LOG_FILES       5                  /* rotated ones that are kept */

struct agent {
    struct loop *loop;
    struct client *client;
    struct runtime *rt;
    struct event_recorder *events;
    struct sources *sources;
    char *name, *root_dir, *run_dir, *node_ip, *pod_cidr, *cluster_dns, *cluster_domain;
    char **labels;
    bool hollow;
    unsigned max_pods, port;
    int64_t cpu_millis, memory_bytes, storage_bytes;
    uint64_t lease_ms, status_ms;

    struct informer *pod_informer, *node_informer;
    struct map pods;                             /* uid -> struct pod */
    struct node_report *report;                  /* node/node_report.h */
    struct node_server *node_server;             /* node/server.c */
    struct http_server *server;                  /* inside of it */
    struct loop_work *import;
    struct log_keeper *log_keeper;
    void (*closed)(void *arg); void *closed_arg;
    bool closing, purging, images_ready, synced, runtime_closed;
    unsigned n_work;                             /* jobs on the thread pool that come back to the agent */
};

void agent_work_done(struct agent *a);           /* one of n_work; last thing its callback does */

static inline int64_t agent_now_s(const struct agent *a) { return loop_wall_ns(a->loop) / 1000000000; }

#endif
