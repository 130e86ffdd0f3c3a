/* tools/bench.c: coracle bench: load for any Kubernetes API, and what came of it. */
#include <stdio.h>
#include <stdlib.h>
#include "tools/bench.h"
#include "tools/limits.h"

#define BENCH_MAX_CONNECTIONS 100000
#define POD_SIZE   2048
#define ETCD_VALUE 256                           /* as etcd's own load generator */
#define ETCD_SHARE 10                            /* clients per connection, likewise */

/* ---- Where to ----------------------------------------------------------------------------------- */

static int add_target(struct bench *b, struct str url, const struct kubeconfig *k, struct tls_ctx *tls,
                      struct errbuf *err)
{
    struct bench_target *t = &b->target[b->n_targets];
    const char *addr;
    bool plain;
    int rc = kubeconfig_address(&b->arena, url, &plain, &addr, err);

    if (rc != 0)
        return rc;
    *t = (struct bench_target){
        .addr = addr,
        .tls = plain ? NULL : tls,
        .tls_name = k->tls_name.n > 0 ? arena_cstr(&b->arena, k->tls_name) : NULL,
    };
    b->n_targets++;
    return 0;
}

static int open_targets(struct bench *b, struct errbuf *err)
{
    struct kubeconfig k = { .insecure = false };
    struct tls_opts o = { 0 };
    struct tls_ctx *tls;
    int rc = 0;

    if (b->cfg.kubeconfig != NULL)
        rc = kubeconfig_load(&b->arena, b->cfg.kubeconfig, b->cfg.context, &k, err);
    if (rc != 0)
        return rc;
    o.ca_pem = k.insecure ? STR_NONE : k.ca_pem;
    o.cert_pem = k.cert_pem;
    o.key_pem = k.key_pem;
    if ((rc = tls_ctx_new(&o, &tls, err)) != 0)
        return err_wrap(err, rc, "%s", b->cfg.kubeconfig);
    o.alpn = "h2";
    if (b->cfg.http2 > 0 && (rc = tls_ctx_new(&o, &b->tls_h2, err)) != 0)
        return rc;
    for (unsigned i = 0; i < b->cfg.servers.n && rc == 0; i++)
        rc = add_target(b, str_of(b->cfg.servers.v[i]), &k, b->work->etcd ? b->tls_h2 : tls, err);
    if (rc == 0 && b->n_targets == 0)
        rc = add_target(b, k.server, &k, tls, err);
    if (rc != 0)
        return rc;
    buf_z(&b->req.host, b->target[0].addr);
    if (k.token.n > 0)
        buf_fmt(&b->req.auth, "Authorization: Bearer %.*s\r\n", STR_ARG(k.token));
    return 0;
}

/* ---- What --------------------------------------------------------------------------------------- */

static const struct workload *find_workload(const char *name)
{
    for (unsigned i = 0; i < WORKLOADS; i++)
        if (strcmp(workloads[i].name, name) == 0)
            return &workloads[i];
    return NULL;
}

static int check_config(struct bench *b, int others, char **argv, struct errbuf *err)
{
    struct bench_config *f = &b->cfg;

    if (others != 1 || (b->work = find_workload(argv[1])) == NULL)
        return err_set(err, E_INVALID,
                       "needs one workload: get, create, update, list, lease, watch, mixed, failover, "
                       "schedule, start, etcd-put, etcd-range, etcd-txn or idle");
    f->work = (enum bench_workload)(b->work - workloads);
    if (b->work->etcd && f->servers.n == 0)
        return err_set(err, E_INVALID, "needs --server: where etcd's API is (http://127.0.0.1:2379)");
    if (f->kubeconfig == NULL && f->work != WORK_IDLE && !b->work->etcd)
        return err_set(err, E_INVALID, "needs --kubeconfig");
    if (f->size < 0)
        f->size = b->work->etcd ? ETCD_VALUE : POD_SIZE;
    if (f->http2 < 0)
        f->http2 = b->work->etcd ? ETCD_SHARE : 0;
    if (f->connections == 0)
        f->connections = b->work->connections;
    if (f->objects == 0)
        f->objects = b->work->objects;
    if (f->work == WORK_WATCH && f->rate == 0)
        f->rate = 100;
    if (f->connections < 0 || f->connections > BENCH_MAX_CONNECTIONS || f->watchers < 1 ||
        f->watchers > BENCH_MAX_CONNECTIONS)
        return err_set(err, E_INVALID, "--connections and --watchers must be 1 to %d", BENCH_MAX_CONNECTIONS);
    if (f->http2 < (b->work->etcd ? 1 : 0) || f->http2 > BENCH_MAX_CONNECTIONS)
        return err_set(err, E_INVALID, "--http2 must be 0 (etcd: 1) to %d", BENCH_MAX_CONNECTIONS);
    if (f->objects < 0 || f->objects > 10000000 || f->rate < 0 || f->rate > 10000000 || f->requests < 0 ||
        f->limit < 0)
        return err_set(err, E_INVALID, "--objects, --rate, --requests and --limit must be 0 to 10000000");
    if (b->work->etcd && (f->objects < 1 || f->objects > 10000000))
        return err_set(err, E_INVALID, "--objects must be 1 to 10000000");
    if (f->size > (1 << 20))
        return err_set(err, E_INVALID, "--size must be at most 1 MiB");
    if (f->duration_ms == 0)
        return err_set(err, E_INVALID, "--duration must be above 0");
    return 0;
}

static int bench_finish(struct bench *b)
{
    struct errbuf err = { "" };

    if (b->res.end_ns > b->res.start_ns) {
        report_text(b, stdout);
        if (b->cfg.json != NULL && report_json(b, b->cfg.json, &err) != 0)
            b->exit_status = fail(&cmd_bench, "%s", err.s);
        if (b->cfg.svg != NULL && report_svg(b, b->cfg.svg, &err) != 0)
            b->exit_status = fail(&cmd_bench, "%s", err.s);
    }
    return b->exit_status;
}

static int bench_go(struct bench *b, int others, char **argv)
{
    struct errbuf err = { "" };

    if (check_config(b, others, argv, &err) != 0 || procs_init(&b->procs, &b->cfg.pids, &err) != 0)
        return fail(&cmd_bench, "%s", err.s);
    if (b->cfg.work != WORK_IDLE && open_targets(b, &err) != 0)
        return fail(&cmd_bench, "%s", err.s);
    limits_raise_files();
    b->loop = loop_new_real();
    if (bench_start(b, &err) != 0)
        return fail(&cmd_bench, "%s", err.s);
    loop_run(b->loop);
    return bench_finish(b);
}

static int bench_run(int argc, char **argv)
{
    struct bench *b = mem_new(struct bench);
    struct bench_config *f = &b->cfg;
    const struct flag flags[] = {
        { "kubeconfig", NULL, FLAG_STRING, &f->kubeconfig, "FILE",
          "how to reach the API: certificate or token" },
        { "context", NULL, FLAG_STRING, &f->context, "NAME",
          "the kubeconfig's context, if not its current one" },
        { "server", NULL, FLAG_STRINGS, &f->servers, "URL",
          "instead of the kubeconfig's; connections are spread over several" },
        { "namespace", "N", FLAG_STRING, &f->ns, "NAME",
          "where the objects go; it is created, and removed at the end" },
        { "connections", "c", FLAG_INT, &f->connections, "N",
          "connections with a request each (default by workload)" },
        { "http2", NULL, FLAG_INT, &f->http2, "N",
          "N of these share one connection of HTTP/2 (etcd: 10); 0: HTTP/1.1" },
        { "rate", "r", FLAG_INT, &f->rate, "N",
          "open loop: requests a second, whatever the server does; 0: closed loop" },
        { "duration", "d", FLAG_DURATION_MS, &f->duration_ms, "TIME", "how long to measure" },
        { "requests", "n", FLAG_INT, &f->requests, "N", "measure that many requests, instead of a duration" },
        { "warmup", NULL, FLAG_DURATION_MS, &f->warmup_ms, "TIME", "load before measuring" },
        { "objects", "o", FLAG_INT, &f->objects, "N", "objects to work on (default by workload)" },
        { "size", NULL, FLAG_INT, &f->size, "BYTES", "of a pod as JSON (2048), or of a value in etcd (256)" },
        { "image", NULL, FLAG_STRING, &f->image, "IMAGE", "of the pods' container" },
        { "limit", NULL, FLAG_INT, &f->limit, "N", "list: only the first N" },
        { "watchers", "w", FLAG_INT, &f->watchers, "N", "watch: watches, a connection each" },
        { "by-node", NULL, FLAG_BOOL, &f->by_node, NULL,
          "watch: the pods have nodes, as many as watchers, and each watcher sees those of one" },
        { "kill", NULL, FLAG_INT, &f->kill_pid, "PID",
          "failover: end this process with SIGKILL, as a crash would" },
        { "kill-after", NULL, FLAG_DURATION_MS, &f->kill_after_ms, "TIME", "after measuring that long" },
        { "timeout", NULL, FLAG_DURATION_MS, &f->timeout_ms, "TIME",
          "a request without an answer counts as an error" },
        { "pid", "p", FLAG_STRINGS, &f->pids, "PID", "report this process's CPU time and memory" },
        { "keep", NULL, FLAG_BOOL, &f->keep, NULL, "leave the objects there" },
        { "json", NULL, FLAG_STRING, &f->json, "FILE", "write the result there, for programs" },
        { "svg", NULL, FLAG_STRING, &f->svg, "FILE", "draw latency over time and its distribution there" },
    };
    *f = (struct bench_config){ .kubeconfig = getenv("KUBECONFIG"),
                                .ns = "bench",
                                .duration_ms = 10000,
                                .warmup_ms = 1000,
                                .size = -1,
                                .http2 = -1,
                                .watchers = 1000,
                                .timeout_ms = 10000,
                                .kill_after_ms = 3000,
                                .image = "coracle.local/sample:1" };
    int others = flags_parse(&cmd_bench, flags, ARRAY_LEN(flags), argc, argv);
    int status = bench_go(b, others, argv);

    bench_release(b);
    mem_free(b);
    return status;
}

const struct command cmd_bench = {
    "bench",
    "bench WORKLOAD [flags]",
    "Put load on a Kubernetes API, or etcd's, and measure it",
    "Puts load on a Kubernetes API, Coracle's or any other, and reports throughput, latencies, errors and "
    "what the\n"
    "servers used for it.  Latency counts from the moment a request was due, so a stall does not look like "
    "silence.\n\n"
    "Workloads:\n"
    "  get        read one pod (of --objects), linearizable\n"
    "  create     create pods of --size bytes\n"
    "  update     replace pods by PUT\n"
    "  list       list --objects pods\n"
    "  lease      renew leases, as nodes do\n"
    "  watch      --watchers see every one of --rate updates a second; latency from write to receipt\n"
    "  mixed      60 % get, 20 % update, 10 % lease, 10 % create\n"
    "  failover   creates on all servers: the longest time without one; nothing acknowledged may be missing\n"
    "  schedule   create --objects pods and wait until a scheduler has bound all\n"
    "  start      create --objects pods one at a time, each until it runs\n"
    "  etcd-put   put keys of 8 bytes with values of --size through etcd's API at --server, Coracle's or\n"
    "             etcd's (https: certificates from --kubeconfig)\n"
    "  etcd-range read one of --objects keys, linearizable\n"
    "  etcd-txn   put one of --objects keys if it exists\n"
    "  idle       no load: what the --pid processes use by themselves",
    bench_run,
};
