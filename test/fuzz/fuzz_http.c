/* test/fuzz/fuzz_http.c: hostile bytes at the HTTP server, and as an answer at the HTTP client.
 * First byte: which side, and whether the peer half-closes; second: how the bytes are cut.  The rest
 * is what the peer says.  Whatever it is, nothing may break or leak, and a client's call ends once. */
#include "net/http_client.h"
#include "test/net/http_rig.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

void test_register(struct test *t) { }

void test_fail(const char *file, int line, const char *fmt, ...)
{
    panic_at(file, line, fmt);
}

static void answer_held(struct rig *g)
{
    struct http_req *req = g->held;

    g->held = NULL;
    if (req == NULL)
        return;
    if (str_is(req->path, "/stream")) {
        http_send(req, "some", 4);
        http_end(req);
    } else {
        http_respond(req, 200, NULL, blob_copy(STR("late")), NULL, 0);
    }
}

static void fuzz_server(struct rig *g, const char *p, size_t n, bool half_close)
{
    struct raw r;

    raw_open(g->w, "srv", &r);
    mem_run_for(g->w, 1);
    stream_write(r.s, p, n);
    if (half_close)
        stream_shutdown(r.s);
    for (int i = 0; i < 50 && !r.closed; i++) {
        mem_run_for(g->w, 10);
        answer_held(g);
    }
    if (g->upgraded != NULL)
        stream_close(g->upgraded);
    raw_close(g, &r);
    mem_run_for(g->w, 10);
    answer_held(g);
}

struct answer { const char *p; size_t n; bool close; int done; };

static void answer_on_data(void *arg, struct stream *s, const char *p, size_t n)
{
    struct answer *a = arg;

    stream_write(s, a->p, a->n);
    a->n = 0;
    if (a->close)
        stream_close_after_flush(s);
}

static void answer_on_accept(void *arg, struct stream *s)
{
    static const struct stream_events ev = { .on_data = answer_on_data };

    stream_set_events(s, &ev, arg);
}

static void answer_on_done(void *arg, struct http_call *c, int err, const char *reason, int status, struct str body)
{
    ((struct answer *)arg)->done++;
}

static void answer_ignore_data(void *arg, struct http_call *c, const char *p, size_t n) { }

static void fuzz_client(struct rig *g, const char *p, size_t n, bool close, bool streamed)
{
    struct answer a = { p, n, close, 0 };
    struct listener_opts lo = { .addr = "answer", .on_accept = answer_on_accept, .arg = &a };
    const char *addr = "answer";
    struct http_client_opts o = { .addrs = &addr, .n_addrs = 1 };
    struct http_call_opts co = { .method = "GET", .target = STR("/"), .streamed = streamed, .timeout_ms = 1000,
                                 .on_data = streamed ? answer_ignore_data : NULL, .on_done = answer_on_done, .arg = &a };
    struct listener *ln;
    struct http_client *c;

    must(listener_open(&g->w->l, &lo, &ln, NULL) == 0 && http_client_new(&g->w->l, &o, &c, NULL) == 0);
    for (int i = 0; i < 2; i++)
        must(http_call(c, &co, NULL, NULL) == 0);
    mem_run_for(g->w, 2000);
    must(a.done == 2);
    listener_close(ln);
    http_client_free(c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rig g;

    if (size < 2)
        return 0;
    rig_open_lazy(&g);
    if (data[1] != 0)
        g.w->piece = data[1];
    if (data[0] & 1)
        fuzz_client(&g, (const char *)data + 2, size - 2, data[0] & 2, data[0] & 4);
    else
        fuzz_server(&g, (const char *)data + 2, size - 2, data[0] & 2);
    rig_close(&g);
    return 0;
}
