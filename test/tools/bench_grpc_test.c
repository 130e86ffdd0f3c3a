/* test/tools/bench_grpc_test.c: the load generator's own gRPC client against net/'s server: many calls on one
 * connection, messages larger than windows and frames, failures, servers that go away. */
#include <stdlib.h>
#include "net/grpc.h"
#include "test/test.h"
#include "tools/bench_grpc.h"

#define PLACES 40

struct rig;
struct place {
    struct bench_conn conn;
    struct rig *rig;
    int opened, closed, answers, status;
    size_t body;
    char said[64];
};
struct rig {
    struct loop *loop;
    struct http_server *srv;
    struct bench_grpc *g;
    struct bench_target target;
    struct place place[PLACES]; unsigned n;
    unsigned rounds;                             /* calls that each place still makes, */
    unsigned events, until;                      /* answers and closes; the loop stops at so many */
    struct buf request;
};

/* ---- the server: /echo, /fail, /drop ------------------------------------------------------ */

static void on_gone(struct grpc_call *c) { free(c); }

static void rig_on_request(void *arg, struct http_req *req)
{
    static const struct grpc_events events = { .on_gone = on_gone };
    struct rig *r = arg;
    struct grpc_call *c = calloc(1, sizeof *c);
    struct buf head = BUF_INIT;
    struct str message;

    CHECK(grpc_is_call(req) && grpc_unary(c, req, &events, 8 << 20, &message));
    if (str_is(req->path, "/drop")) {
        if (r->srv != NULL)
            http_server_close(r->srv);
        r->srv = NULL;
        return;
    }
    if (str_is(req->path, "/fail")) {
        grpc_finish(c, GRPC_RESOURCE_EXHAUSTED, "100 % full");
    } else {
        grpc_head(&head, message.n);
        grpc_add(c, buf_str(&head));
        grpc_add(c, message);
        grpc_finish(c, GRPC_OK, NULL);
    }
    buf_release(&head);
    free(c);
}

/* ---- the places ----------------------------------------------------------------------------------- */

static void rig_event(struct rig *r)
{
    if (++r->events == r->until)
        loop_stop(r->loop);
}

static void place_send(struct place *p) { bench_conn_send(&p->conn, buf_str(&p->rig->request)); }

static void place_on_open(void *arg)
{
    struct place *p = arg;

    p->opened++;
    place_send(p);
}

static void place_on_body(void *arg, const char *b, size_t n)
{
    struct place *p = arg;

    p->body += n;
    snprintf(p->said, sizeof p->said, "%.*s", (int)MIN_OF(n, sizeof p->said - 1), b);
}

static void place_on_response(void *arg, int status)
{
    struct place *p = arg;

    p->answers++;
    p->status = status;
    if ((unsigned)p->answers < p->rig->rounds)
        place_send(p);
    else
        rig_event(p->rig);
}

static void place_on_close(void *arg, const char *reason)
{
    struct place *p = arg;

    p->closed++;
    CHECK(reason != NULL);
    rig_event(p->rig);
}

static const struct bench_conn_events place_events = { .on_open = place_on_open, .on_body = place_on_body,
                                                       .on_response = place_on_response,
                                                       .on_close = place_on_close };

static void rig_open(struct rig *r, unsigned n, unsigned rounds, const char *path, size_t bytes)
{
    struct http_server_opts o = { .addr = "127.0.0.1:0", .max_body = 8 << 20, .on_request = rig_on_request,
                                  .arg = r };
    struct errbuf err = { "" };
    struct buf message = BUF_INIT;

    *r = (struct rig){ .loop = loop_new_real(), .n = n, .rounds = rounds, .until = n };
    CHECK(http_server_open(r->loop, &o, &r->srv, &err) == 0);
    r->target.addr = http_server_addr(r->srv);
    r->g = bench_grpc_new(r->loop);
    for (size_t i = 0; i < bytes; i++)
        buf_char(&message, (char)('a' + i % 26));
    bench_grpc_request(&r->request, path, buf_str(&message));
    buf_release(&message);
    for (unsigned i = 0; i < n; i++) {
        r->place[i].rig = r;
        bench_conn_init(&r->place[i].conn, &place_events, &r->place[i]);
        r->place[i].conn.grpc = r->g;
        CHECK(bench_conn_open(&r->place[i].conn, r->loop, &r->target, &err) == 0);
    }
    loop_run(r->loop);
}

static void rig_close(struct rig *r)
{
    for (unsigned i = 0; i < r->n; i++)
        bench_conn_close(&r->place[i].conn);
    bench_grpc_shut(r->g);
    if (r->srv != NULL)
        http_server_close(r->srv);
    loop_run(r->loop);                           /* until nothing is left to do */
    for (unsigned i = 0; i < r->n; i++)
        bench_conn_release(&r->place[i].conn);
    bench_grpc_free(r->g);
    buf_release(&r->request);
    loop_free(r->loop);
}

/* ---- tests ----------------------------------------------------------------------------------------- */

TEST(many_calls_share_a_connection)
{
    struct rig r;

    rig_open(&r, PLACES, 25, "/echo", 300);
    for (unsigned i = 0; i < r.n; i++) {
        CHECK_INT(r.place[i].opened, 1);
        CHECK_INT(r.place[i].answers, 25);
        CHECK_INT(r.place[i].status, 200);
        CHECK_INT(r.place[i].body, 25 * (5 + 300));
    }
    rig_close(&r);
}

TEST(messages_larger_than_frames_and_windows)
{
    struct rig r;

    rig_open(&r, 8, 2, "/echo", 200000);         /* 1.6 MB under way: the server has to open its window */
    for (unsigned i = 0; i < r.n; i++) {
        CHECK_INT(r.place[i].answers, 2);
        CHECK_INT(r.place[i].status, 200);
        CHECK_INT(r.place[i].body, 2 * (5 + 200000));
    }
    rig_close(&r);
}

TEST(a_failure_is_told_as_http_would)
{
    struct rig r;

    rig_open(&r, 3, 1, "/fail", 10);
    for (unsigned i = 0; i < r.n; i++) {
        CHECK_INT(r.place[i].status, 429);
        CHECK_STR(str_of(r.place[i].said), "100 %25 full");
    }
    rig_close(&r);
}

TEST(a_server_that_goes_away_ends_all_calls)
{
    struct rig r;

    rig_open(&r, 5, 1, "/drop", 10);
    for (unsigned i = 0; i < r.n; i++) {
        CHECK_INT(r.place[i].answers, 0);
        CHECK_INT(r.place[i].closed, 1);
        CHECK(r.place[i].conn.in_flight);        /* the owner sees that a call was lost */
    }
    rig_close(&r);
}
