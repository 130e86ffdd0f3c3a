/* tools/bench_control.c: see tools/bench.h: making the namespace, first objects, lists, clean-up.  Servers
 * are tried in turn until one answers or the deadline passes: a run may begin while heads still elect. */
#include "tools/bench.h"

#define CONTROL_DEADLINE_NS 30000000000ull
#define CONTROL_AGAIN_MS    100
#define CONTROL_BODY_MAX    (256u << 20)

static void control_try(struct bench *b);

static void control_finish(struct bench *b, int status, struct str body)
{
    void (*done)(struct bench *, int, struct str) = b->control.done;

    b->control.done = NULL;
    done(b, status, body);
}

static void control_on_open(void *arg)
{
    struct bench *b = arg;

    if (b->control.done != NULL)
        bench_conn_send(&b->control.conn, buf_str(&b->control.request));
}

static void control_on_body(void *arg, const char *p, size_t n)
{
    struct bench *b = arg;

    if (b->control.body.n + n > CONTROL_BODY_MAX) {
        bench_conn_close(&b->control.conn);
        return;
    }
    buf_add(&b->control.body, p, n);
}

static void control_on_response(void *arg, int status)
{
    struct bench *b = arg;

    if (b->control.done != NULL)
        control_finish(b, status, buf_str(&b->control.body));
}

static void control_on_close(void *arg, const char *reason)
{
    struct bench *b = arg;

    if (b->control.stopped || b->control.done == NULL)
        return;
    if (loop_now_ns(b->loop) > b->control.deadline_ns) {
        control_finish(b, 0, str_of(reason));
        return;
    }
    b->control.target = (b->control.target + 1) % b->n_targets;
    timer_start(&b->control.again, CONTROL_AGAIN_MS);
}

static void control_on_again(struct timer *t)
{
    control_try(container_of(t, struct bench, control.again));
}

static void control_try(struct bench *b)
{
    struct bench_control *c = &b->control;
    struct errbuf err;

    if (c->conn.open && !c->conn.closing && !c->conn.in_flight) {
        buf_clear(&c->body);
        bench_conn_send(&c->conn, buf_str(&c->request));
        return;
    }
    if (c->conn.stream != NULL) {                /* still closing, or still opening: soon */
        if (c->conn.closing)
            timer_start(&c->again, 1);
        return;
    }
    buf_clear(&c->body);
    if (bench_conn_open(&c->conn, b->loop, &b->target[c->target], &err) != 0)
        control_finish(b, 0, str_of(err.s));
}

void control_init(struct bench *b)
{
    static const struct bench_conn_events events = { .on_open = control_on_open, .on_body = control_on_body,
        .on_response = control_on_response, .on_close = control_on_close };

    bench_conn_init(&b->control.conn, &events, b);
    timer_init(&b->control.again, b->loop, control_on_again);
}

void control_send(struct bench *b, const char *method, struct str path, struct str body,
                  void (*done)(struct bench *b, int status, struct str body))
{
    must(b->control.done == NULL);
    b->control.done = done;
    b->control.deadline_ns = loop_now_ns(b->loop) + CONTROL_DEADLINE_NS;
    buf_clear(&b->control.request);
    requests_head(b, &b->control.request, method, path, body);
    timer_start(&b->control.again, 0);           /* from the loop, never from inside this call */
}

void control_close(struct bench *b)
{
    b->control.stopped = true;
    timer_stop(&b->control.again);
    bench_conn_close(&b->control.conn);
}
