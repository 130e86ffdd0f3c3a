/* tools/node.c: coracle node: one node of the cluster, or many hollow ones for trying large clusters. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "net/log.h"
#include "net/trim.h"
#include "node/agent.h"
#include "node/files.h"
#include "node/mountns.h"
#include "tools/flags.h"

#define NODE_MAX_HOLLOW 100000

struct node_flags {
    const char *name, *root, *run, *ip, *listen, *pod_cidr, *cluster_cidr, *dns, *domain, *cgroup, *images;
    struct flag_strings servers, labels;
    const char *ca, *cert, *key, *serving_cert, *serving_key, *token_file;
    int64_t max_pods, cpu_millis, memory, verbosity, ready_fd, count;
    uint64_t lease_ms, status_ms;
    bool hollow, purge;
};

struct node {
    struct node_flags f;
    struct loop *loop;
    struct client *client;
    struct tls_ctx *tls_client, *tls_server;
    struct agent **agents;
    size_t n_agents, n_open;
    bool stopping;
};

static void node_on_closed(void *arg)
{
    struct node *n = arg;

    if (--n->n_open == 0)
        loop_stop(n->loop);
}

static void node_on_signal(void *arg, int signum)
{
    struct node *n = arg;

    if (n->stopping) {
        loop_stop(n->loop);
        return;
    }
    n->stopping = true;
    log_info("node", "stopping on signal %d; pods go on running", signum);
    for (size_t i = 0; i < n->n_agents; i++)
        if (n->f.purge)
            agent_purge(n->agents[i], node_on_closed, n);
        else
            agent_close(n->agents[i], node_on_closed, n);
}

static int node_open_tls(struct node *n, struct errbuf *err)
{
    struct buf ca = BUF_INIT, cert = BUF_INIT, key = BUF_INIT, scert = BUF_INIT, skey = BUF_INIT;
    const struct node_flags *f = &n->f;
    struct tls_opts client = { .server = false }, server = { .server = true };
    int rc = file_read(f->ca, TOOLS_FILE_MAX, &ca, err);

    if (rc == 0 && f->cert != NULL)
        rc = file_read(f->cert, TOOLS_FILE_MAX, &cert, err);
    if (rc == 0 && f->key != NULL)
        rc = file_read(f->key, TOOLS_FILE_MAX, &key, err);
    if (rc == 0 && f->serving_cert != NULL)
        rc = file_read(f->serving_cert, TOOLS_FILE_MAX, &scert, err);
    if (rc == 0 && f->serving_key != NULL)
        rc = file_read(f->serving_key, TOOLS_FILE_MAX, &skey, err);
    client.ca_pem = server.ca_pem = buf_str(&ca);
    client.cert_pem = buf_str(&cert);
    client.key_pem = buf_str(&key);
    server.cert_pem = buf_str(&scert);
    server.key_pem = buf_str(&skey);
    if (rc == 0)
        rc = tls_ctx_new(&client, &n->tls_client, err);
    if (rc == 0 && scert.n > 0)
        rc = tls_ctx_new(&server, &n->tls_server, err);
    buf_release(&ca);
    buf_release(&cert);
    buf_release(&key);
    buf_release(&scert);
    buf_release(&skey);
    return rc;
}

static int node_open_client(struct node *n, struct errbuf *err)
{
    struct client_http_opts o = { .loop = n->loop, .servers = n->f.servers.v, .n_servers = n->f.servers.n,
                                  .tls = n->tls_client, .user_agent = "coracle-node" };
    return client_new_http(&o, &n->client, err);
}

static int node_open_agent(struct node *n, size_t i, struct errbuf *err)
{
    const struct node_flags *f = &n->f;
    char name[256], root[4096], run[4096];
    struct agent_opts o = {
        .loop = n->loop,
        .client = n->client,
        .name = name,
        .root_dir = root,
        .run_dir = run,
        .node_ip = f->ip,
        .listen_addr = f->listen,
        .tls = n->tls_server,
        .pod_cidr = f->pod_cidr,
        .cluster_cidr = f->cluster_cidr,
        .cluster_dns = f->dns,
        .cluster_domain = f->domain,
        .cgroup_parent = f->cgroup,
        .labels = f->labels.v,
        .hollow = f->hollow,
        .max_pods = (unsigned)f->max_pods,
        .cpu_millis = f->cpu_millis,
        .memory_bytes = f->memory,
        .lease_ms = f->lease_ms,
        .status_ms = f->status_ms,
        .image_dir = f->images,
    };
    bool many = f->count > 1;
    int  rc;

    snprintf(name, sizeof name, many ? "%s-%zu" : "%s", f->name, i);
    snprintf(root, sizeof root, many ? "%s/%zu" : "%s", f->root, i);
    snprintf(run, sizeof run, many ? "%s/%zu" : "%s", f->run, i);
    rc = agent_open(&o, &n->agents[i], err);
    if (rc != 0)
        return rc;
    n->n_open++;
    return 0;
}

static int node_start(struct node *n, struct errbuf *err)
{
    int rc;

    if ((rc = node_open_tls(n, err)) != 0 || (rc = node_open_client(n, err)) != 0)
        return rc;
    n->n_agents = (size_t)n->f.count;
    n->agents = mem_zalloc(n->n_agents * sizeof *n->agents);
    for (size_t i = 0; i < n->n_agents; i++)
        if ((rc = node_open_agent(n, i, err)) != 0)
            return rc;
    loop_on_signal(n->loop, SIGTERM, node_on_signal, n);
    loop_on_signal(n->loop, SIGINT, node_on_signal, n);
    if (n->f.ready_fd >= 0 && write((int)n->f.ready_fd, "serving\n", 8) < 0)
        n->f.ready_fd = -1;
    return 0;
}

static int node_run(int argc, char **argv)
{
    char host[256] = "node";
    struct node n = { .f = { .root = "/var/lib/coracle/node", .run = "/run/coracle/node",
                             .cgroup = "/coracle", .ready_fd = -1, .count = 1 } };
    struct node_flags *f = &n.f;
    struct trim trim;
    const struct flag flags[] = {
        { "hostname-override", NULL, FLAG_STRING, &f->name, "NAME", "the node's name" },
        { "server", NULL, FLAG_STRINGS, &f->servers, "HOST:PORT", "a head's API" },
        { "certificate-authority", NULL, FLAG_STRING, &f->ca, "FILE",
          "CA of the heads, and of who may call this node" },
        { "client-certificate", NULL, FLAG_STRING, &f->cert, "FILE",
          "certificate shown to the heads: system:node:NAME" },
        { "client-key", NULL, FLAG_STRING, &f->key, "FILE", "its key" },
        { "tls-cert-file", NULL, FLAG_STRING, &f->serving_cert, "FILE", "certificate of this node's server" },
        { "tls-private-key-file", NULL, FLAG_STRING, &f->serving_key, "FILE", "its key" },
        { "root-dir", NULL, FLAG_STRING, &f->root, "DIR", "images, containers, volumes, logs" },
        { "run-dir", NULL, FLAG_STRING, &f->run, "DIR", "sockets and runtime state; gone after a boot" },
        { "node-ip", NULL, FLAG_STRING, &f->ip, "IP", "this node's address" },
        { "listen", NULL, FLAG_STRING, &f->listen, "HOST:PORT",
          "logs, exec and attach for the heads (default NODE-IP:10250)" },
        { "pod-cidr", NULL, FLAG_STRING, &f->pod_cidr, "CIDR", "addresses of this node's pods" },
        { "cluster-cidr", NULL, FLAG_STRING, &f->cluster_cidr, "CIDR",
          "addresses of all pods; others see pods under their node's address" },
        { "cluster-dns", NULL, FLAG_STRING, &f->dns, "IP", "name server of the pods" },
        { "cluster-domain", NULL, FLAG_STRING, &f->domain, "NAME", "domain of the cluster" },
        { "cgroup-root", NULL, FLAG_STRING, &f->cgroup, "PATH", "parent of all pods' cgroups" },
        { "node-labels", NULL, FLAG_STRINGS, &f->labels, "K=V", "a label of the node" },
        { "image-dir", NULL, FLAG_STRING, &f->images, "DIR", "OCI layouts and archives to import at start" },
        { "max-pods", NULL, FLAG_INT, &f->max_pods, "N", "pods at most (default 110)" },
        { "cpu-millis", NULL, FLAG_INT, &f->cpu_millis, "N", "capacity to report (default: the machine's)" },
        { "memory-bytes", NULL, FLAG_INT, &f->memory, "N", "capacity to report (default: the machine's)" },
        { "node-lease-renew-interval", NULL, FLAG_DURATION_MS, &f->lease_ms, "TIME",
          "between renewals of the lease (default 10s)" },
        { "node-status-report-frequency", NULL, FLAG_DURATION_MS, &f->status_ms, "TIME",
          "between reports of an unchanged status (default 5m)" },
        { "hollow", NULL, FLAG_BOOL, &f->hollow, NULL, "run no containers: pods only seem to run" },
        { "count", NULL, FLAG_INT, &f->count, "N", "with --hollow: that many nodes in this process" },
        { "purge-on-exit", NULL, FLAG_BOOL, &f->purge, NULL, "end all pods when stopped by a signal" },
        { "ready-fd", NULL, FLAG_INT, &f->ready_fd, "FD",
          "write \"serving\" to this descriptor when started" },
        { "v", "v", FLAG_INT, &f->verbosity, "N", "4 and above: debug lines" },
    };
    struct errbuf err = { "" };

    if (gethostname(host, sizeof host - 1) == 0)
        f->name = host;
    if (flags_parse(&cmd_node, flags, ARRAY_LEN(flags), argc, argv) > 0)
        return fail(&cmd_node, "takes no arguments, got \"%s\"", argv[1]);
    if (f->servers.n == 0 || f->ca == NULL)
        return fail(&cmd_node, "needs --server and --certificate-authority");
    if (f->count < 1 || f->count > NODE_MAX_HOLLOW || (f->count > 1 && !f->hollow))
        return fail(&cmd_node, "--count must be from 1 to %d, and above 1 only with --hollow",
                    NODE_MAX_HOLLOW);
    if (f->verbosity >= 4)
        log_level = LOG_DEBUG;
    if (!f->hollow && (file_mkdirs(f->run, 0700, &err) != 0 || mountns_enter(f->run, &err) != 0))
        return fail(&cmd_node, "%s", err.s);
    n.loop = loop_new_real();
    if (node_start(&n, &err) != 0)
        return fail(&cmd_node, "%s", err.s);
    trim_start(&trim, n.loop);
    loop_run(n.loop);
    trim_stop(&trim);
    client_free(n.client);
    tls_ctx_free(n.tls_client);
    tls_ctx_free(n.tls_server);
    mem_free(n.agents);
    return 0;
}

const struct command cmd_node = {
    "node",
    "node --server HOST:PORT --certificate-authority FILE [flags]",
    "Run one node: pods, probes, logs, exec",
    "Runs the node agent: registers this machine as a node and runs the pods bound to it.\n"
    "Pods go on running when the agent ends or is killed; it finds them again when it starts.",
    node_run,
};
