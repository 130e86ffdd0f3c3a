/* tools/bench_watch.c: see tools/bench.h.  Events are lines of JSON; of each, only the name or the sequence
 * number and the few words that matter are looked for. */
#include "tools/bench.h"

#define WATCH_OPENING  32
#define WATCH_LINE_MAX (16u << 20)

static void watcher_open(struct bench_watcher *w);

/* ---- Events ------------------------------------------------------------------------------------- */

static bool has(struct str line, struct str word)
{
    return memmem(line.p, line.n, word.p, word.n) != NULL;
}

/* When number was sent, 0 if it was not (or is done with). */
static uint64_t *sent_at(struct bench *b, uint64_t number)
{
    return number < b->watch.n_sent && b->watch.sent_ns[number] != 0 ? &b->watch.sent_ns[number] : NULL;
}

static void on_update(struct bench *b, struct str line, uint64_t now)
{
    const uint64_t *sent = sent_at(b, requests_find(line, REQUESTS_SEQ_PREFIX));

    if (sent == NULL)
        return;
    b->watch.received++;
    if (*sent >= b->res.start_ns && (b->phase == PHASE_MEASURE || b->phase == PHASE_SETTLE))
        results_add(&b->res, METRIC_RECEIPT, now - *sent, now);
}

static void on_pod(struct bench *b, struct str line, uint64_t now)
{
    bool start = b->cfg.work == WORK_START;
    uint64_t key = requests_find(line, b->watch.name_prefix), *sent = sent_at(b, key);

    if (key == BENCH_NO_KEY)
        return;
    if (start && has(str_upto(line, MIN_OF(line.n, 24)), STR("\"DELETED\""))) {
        load_unpark(b, key, OP_DELETE);
        return;
    }
    if (sent == NULL || !has(line, start ? STR("\"phase\":\"Running\"") : STR("\"nodeName\":\"")))
        return;
    results_add(&b->res, start ? METRIC_RUNNING : METRIC_BOUND, now - *sent, now);
    *sent = 0;
    b->watch.reached++;
    if (start)
        load_unpark(b, key, OP_CREATE);
    bench_on_goal(b);
}

static void watcher_line(struct bench_watcher *w, struct str line, uint64_t now)
{
    if (w->b->cfg.work == WORK_WATCH)
        on_update(w->b, line, now);
    else
        on_pod(w->b, line, now);
}

static void watcher_on_body(void *arg, const char *p, size_t n)
{
    struct bench_watcher *w = arg;
    uint64_t now = loop_hires_ns(w->b->loop);
    struct str rest = str_make(p, n);
    ptrdiff_t end;

    if (w->conn.status != 200)
        return;
    w->b->res.bytes += n;
    if (w->part.n > 0 && (end = str_find(rest, '\n')) >= 0) {
        buf_add(&w->part, rest.p, (size_t)end);
        watcher_line(w, buf_str(&w->part), now);
        buf_clear(&w->part);
        rest = str_from(rest, (size_t)end + 1);
    }
    while ((end = str_find(rest, '\n')) >= 0) {
        watcher_line(w, str_upto(rest, (size_t)end), now);
        rest = str_from(rest, (size_t)end + 1);
    }
    buf_str_add(&w->part, rest);
    if (w->part.n > WATCH_LINE_MAX)
        bench_conn_close(&w->conn);
}

/* ---- Opening: one after the other, so that a thousand handshakes do not time out ---------------- */

/* The watch stands once the head of the answer came; servers send it with the first event, some before: what
 * counts here is that the request has been written. */
static void watcher_on_open(void *arg)
{
    struct bench_watcher *w = arg;
    struct bench *b = w->b;
    struct buf request = BUF_INIT, path = BUF_INIT;

    buf_str_add(&path, b->watch.path);
    buf_str_add(&path, requests_selector(b, (unsigned)(w - b->watch.watcher)));
    requests_head(b, &request, "GET", buf_str(&path), STR_NONE);
    bench_conn_send(&w->conn, buf_str(&request));
    buf_release(&request);
    buf_release(&path);
    b->watch.open++;
    if (b->watch.next_open < b->watch.n)
        watcher_open(&b->watch.watcher[b->watch.next_open++]);
    if (b->watch.open == b->watch.n)
        b->watch.opened(b);
}

static void watcher_on_response(void *arg, int status)
{
    struct bench_watcher *w = arg;

    if (status != 200)
        bench_give_up(w->b, "a watch was refused with status %d", status);
    bench_conn_close(&w->conn);
}

static void watcher_on_close(void *arg, const char *reason)
{
    struct bench_watcher *w = arg;
    struct bench *b = w->b;

    if (b->watch.closed)
        return;
    b->watch.lost_watches++;
    results_error(&b->res, 0, str_of(reason), loop_hires_ns(b->loop));
    if (b->cfg.work != WORK_WATCH || b->watch.open < b->watch.n)
        bench_give_up(b, "a watch ended: %s", reason);
}

static void watcher_open(struct bench_watcher *w)
{
    struct bench *b = w->b;
    unsigned target = (unsigned)(w - b->watch.watcher) % b->n_targets;
    struct errbuf err;

    if (bench_conn_open(&w->conn, b->loop, &b->target[target], &err) != 0)
        bench_give_up(b, "cannot connect to %s: %s", b->target[target].addr, err.s);
}

int watch_open(struct bench *b, struct str rv, void (*opened)(struct bench *b), struct errbuf *err)
{
    static const struct bench_conn_events events = { .on_open = watcher_on_open, .on_body = watcher_on_body,
        .on_response = watcher_on_response, .on_close = watcher_on_close };
    struct bench_watch *x = &b->watch;

    if (rv.n == 0)
        return err_set(err, E_INVALID, "the server's list of pods has no resourceVersion");
    x->n = b->cfg.work == WORK_WATCH ? (unsigned)b->cfg.watchers : 1;
    x->watcher = mem_zalloc(x->n * sizeof *x->watcher);
    x->opened = opened;
    x->name_prefix = requests_name_prefix(b, &b->arena);
    x->path =
        arena_fmt(&b->arena, "/api/v1/namespaces/%s/pods?watch=1&resourceVersion=%.*s&timeoutSeconds=86400",
                  b->cfg.ns, STR_ARG(rv));
    for (unsigned i = 0; i < x->n; i++) {
        x->watcher[i].b = b;
        bench_conn_init(&x->watcher[i].conn, &events, &x->watcher[i]);
    }
    x->next_open = MIN_OF(x->n, WATCH_OPENING);
    for (unsigned i = 0; i < MIN_OF(x->n, WATCH_OPENING); i++)
        watcher_open(&x->watcher[i]);
    return 0;
}

void watch_sent(struct bench *b, uint64_t number, uint64_t now_ns)
{
    struct bench_watch *x = &b->watch;

    if (number >= x->n_sent) {
        size_t n = MAX_OF(number + 1, x->n_sent * 2);
        x->sent_ns = mem_realloc(x->sent_ns, n * sizeof *x->sent_ns);
        memset(x->sent_ns + x->n_sent, 0, (n - x->n_sent) * sizeof *x->sent_ns);
        x->n_sent = n;
    }
    x->sent_ns[number] = now_ns;
}

void watch_close(struct bench *b)
{
    b->watch.closed = true;
    for (unsigned i = 0; i < b->watch.n; i++)
        bench_conn_close(&b->watch.watcher[i].conn);
}

void watch_release(struct bench *b)
{
    for (unsigned i = 0; i < b->watch.n; i++) {
        bench_conn_release(&b->watch.watcher[i].conn);
        buf_release(&b->watch.watcher[i].part);
    }
    mem_free(b->watch.watcher);
    mem_free(b->watch.sent_ns);
}
