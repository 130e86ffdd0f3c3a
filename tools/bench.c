/* tools/bench.c: coracle bench: load for any Kubernetes API, and what came of it. */
#include <stdio.h>
#include <stdlib.h>
#include "tools/bench_conn.h"
#include "tools/bench_hist.h"
#include "tools/flags.h"
#include "tools/kubeconfig.h"

struct bench {
    struct loop *loop;
    struct hist *hist;
    struct str request;
    uint64_t left, start_ns;
    uint64_t errors;
};
struct bench_worker { struct bench *b; struct bench_conn conn; uint64_t start_ns; };

static void worker_next(struct bench_worker *w)
{
    if (w->b->left == 0) {
        bench_conn_close(&w->conn);
        return;
    }
    w->b->left--;
    w->start_ns = loop_hires_ns(w->b->loop);
    bench_conn_send(&w->conn, w->b->request);
}

static void worker_on_open(void *arg) { worker_next(arg); }

static void worker_on_response(void *arg, int status)
{
    struct bench_worker *w = arg;

    hist_add(w->b->hist, loop_hires_ns(w->b->loop) - w->start_ns);
    w->b->errors += status != 200;
    if (!w->conn.closing)
        worker_next(w);
}

static void worker_on_close(void *arg, const char *reason)
{
    struct bench_worker *w = arg;
    if (w->b->left > 0)
        fprintf(stderr, "coracle bench: %s\n", reason);
}

static int bench_run(int argc, char **argv)
{
    static const struct bench_conn_events events = { .on_open = worker_on_open, .on_response = worker_on_response,
                                                     .on_close = worker_on_close };
    const char *path = getenv("KUBECONFIG"), *context = NULL;
    int64_t connections = 1, requests = 1000;
    const struct flag flags[] = {
        { "kubeconfig", NULL, FLAG_STRING, &path, "FILE", "how to reach the API" },
        { "context", NULL, FLAG_STRING, &context, "NAME", "the kubeconfig's context" },
        { "connections", "c", FLAG_INT, &connections, "N", "requests in flight" },
        { "requests", "n", FLAG_INT, &requests, "N", "requests" },
    };
    struct errbuf err = { "" };
    struct arena a = ARENA_INIT;
    struct kubeconfig k;
    struct bench_target t = { 0 };

    flags_parse(&cmd_bench, flags, ARRAY_LEN(flags), argc, argv);
    if (path == NULL || connections < 1 || requests < 1)
        return fail(&cmd_bench, "needs --kubeconfig, and --connections and --requests above 0");
    if (kubeconfig_load(&a, path, context, &k, &err) != 0)
        return fail(&cmd_bench, "%s", err.s);
    if (!str_starts(k.server, STR("https://")))
        return fail(&cmd_bench, "the server must be an https:// address");
    t.addr = arena_cstr(&a, str_from(k.server, 8));
    struct tls_opts to = { .ca_pem = k.ca_pem, .cert_pem = k.cert_pem, .key_pem = k.key_pem };
    if (tls_ctx_new(&to, &t.tls, &err) != 0)
        return fail(&cmd_bench, "%s", err.s);
    struct bench b = { .loop = loop_new_real(), .hist = mem_alloc(sizeof(struct hist)), .left = (uint64_t)requests };
    b.request = arena_fmt(&a, "GET /api/v1/namespaces/default HTTP/1.1\r\nHost: %s\r\n%s%.*s%s\r\n", t.addr,
                          k.token.n > 0 ? "Authorization: Bearer " : "", STR_ARG(k.token), k.token.n > 0 ? "\r\n" : "");
    hist_clear(b.hist);
    struct bench_worker *w = mem_zalloc((size_t)connections * sizeof *w);
    b.start_ns = loop_hires_ns(b.loop);
    for (int64_t i = 0; i < connections; i++) {
        w[i].b = &b;
        bench_conn_init(&w[i].conn, &events, &w[i]);
        if (bench_conn_open(&w[i].conn, b.loop, &t, &err) != 0)
            return fail(&cmd_bench, "%s", err.s);
    }
    loop_run(b.loop);
    double s = (double)(loop_hires_ns(b.loop) - b.start_ns) / 1e9;
    printf("%llu requests, %.0f/s, %llu errors, p50 %.3f ms, p99 %.3f ms\n", (unsigned long long)b.hist->n, (double)b.hist->n / s,
           (unsigned long long)b.errors, (double)hist_at(b.hist, 0.5) / 1e6, (double)hist_at(b.hist, 0.99) / 1e6);
    return b.errors > 0;
}

const struct command cmd_bench = {
    "bench", "bench [flags]", "Put load on a Kubernetes API and measure it",
    "Sends requests to a Kubernetes API, Coracle's or any other, and reports throughput and latencies.",
    bench_run,
};
