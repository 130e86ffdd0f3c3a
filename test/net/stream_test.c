/* test/net/stream_test.c: streams over TCP and unix sockets on the real reactor: every way a
 * connection can begin, carry, stall and end. */
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include "net/proc.h"
#include "test/test.h"

enum { GUARD_MS = 20000 };                       /* a test that hangs fails instead */

/* What happened to one end of a connection. */
struct end {
    struct stream *s;
    struct buf     got;
    int            opened, eofs, drains, closed, err;
    size_t         n_got;
    char           reason[256];
    bool           keep;                         /* keep bytes in got, not only count them */
    bool           echo, echo_eof;               /* send back; answer an eof with our own */
    bool           close_on_open, stop_on_close;
    size_t         close_at;                     /* close once so many bytes came; 0: never */
    struct loop   *l;
};

static void end_on_open(void *arg, struct stream *s)
{
    struct end *e = arg;
    e->opened++;
    if (e->close_on_open)
        stream_close(s);
}

static void end_on_data(void *arg, struct stream *s, const char *p, size_t n)
{
    struct end *e = arg;
    CHECK(e->closed == 0 && e->eofs == 0);
    e->n_got += n;
    if (e->keep)
        buf_add(&e->got, p, n);
    if (e->echo)
        stream_write(s, p, n);
    if (e->close_at > 0 && e->n_got >= e->close_at)
        stream_close(s);
}

static void end_on_eof(void *arg, struct stream *s)
{
    struct end *e = arg;
    e->eofs++;
    if (e->echo_eof)
        stream_shutdown(s);
}

static void end_on_drain(void *arg, struct stream *s)
{
    struct end *e = arg;
    CHECK(stream_queued(s) <= STREAM_LOW_WATER);
    e->drains++;
}

static void end_on_close(void *arg, struct stream *s, int err, const char *reason)
{
    struct end *e = arg;
    e->closed++;
    e->err = err;
    e->s = NULL;
    snprintf(e->reason, sizeof e->reason, "%s", reason);
    if (e->stop_on_close)
        loop_stop(e->l);
}

static const struct stream_events end_events = { end_on_open, end_on_data, end_on_eof, end_on_drain, end_on_close };

struct rig {
    struct loop     *l;
    struct listener *ln;
    struct end       client, server;
    unsigned         accepted;
    struct timer     guard;
    void           (*on_accept)(struct rig *r, struct stream *s);
};

static void rig_on_guard(struct timer *t)
{
    struct rig *r = container_of(t, struct rig, guard);
    test_fail(__FILE__, __LINE__, "hangs");
    if (r->client.s != NULL)
        stream_close(r->client.s);
    if (r->server.s != NULL)
        stream_close(r->server.s);
    if (r->ln != NULL)
        listener_close(r->ln);
    r->ln = NULL;
    loop_stop(r->l);
}

static void rig_on_accept(void *arg, struct stream *s)
{
    struct rig *r = arg;
    r->accepted++;
    r->server.s = s;
    r->server.l = r->l;
    stream_set_events(s, &end_events, &r->server);
    if (r->on_accept != NULL)
        r->on_accept(r, s);
}

static void rig_open(struct rig *r, const char *addr)
{
    struct listener_opts o = { .addr = addr, .on_accept = rig_on_accept, .arg = r };
    struct errbuf err = { "" };

    memset(r, 0, sizeof *r);
    r->l = loop_new_real();
    r->client.l = r->l;
    r->client.keep = r->server.keep = true;
    timer_init(&r->guard, r->l, rig_on_guard);
    timer_start(&r->guard, GUARD_MS);
    CHECK(listener_open(r->l, &o, &r->ln, &err) == 0);
}

static void rig_connect(struct rig *r)
{
    struct stream_connect_opts o = { .addr = listener_addr(r->ln), .ev = &end_events, .arg = &r->client };
    struct errbuf err;
    CHECK(stream_connect(r->l, &o, &r->client.s, &err) == 0);
}

/* Run until both ends are closed and the rest is only the guard; then everything must be gone. */
static void rig_finish(struct rig *r, long live)
{
    if (r->ln != NULL)
        listener_close(r->ln);
    r->ln = NULL;
    timer_stop(&r->guard);
    loop_run(r->l);
    loop_free(r->l);
    buf_release(&r->client.got);
    buf_release(&r->server.got);
    CHECK_INT(mem_live(), live);
}

/* Until a condition holds, or the guard rings. */
#define run_until(r, cond)                                              \
    do {                                                                \
        struct timer tick_;                                             \
        timer_init(&tick_, (r)->l, on_tick);                            \
        while (!(cond) && timer_active(&(r)->guard)) {                  \
            timer_start_ns(&tick_, 200000);                             \
            loop_run((r)->l);                                           \
        }                                                               \
        timer_stop(&tick_);                                             \
    } while (0)

static void on_tick(struct timer *t)
{
    loop_stop(t->loop);
}

static void run_for(struct rig *r, uint64_t ns)
{
    uint64_t until = loop_hires_ns(r->l) + ns;
    run_until(r, loop_hires_ns(r->l) >= until);
}

/* ---- the plain course of things -------------------------------------------------------------- */

static void echo_over(const char *addr, const char *peer)
{
    long live = mem_live();
    struct rig r;

    rig_open(&r, addr);
    r.server.echo = r.server.echo_eof = true;
    rig_connect(&r);
    CHECK_INT(r.client.opened, 0);               /* nothing happens inside the call */
    stream_write(r.client.s, "hello ", 6);       /* before it is open: waits */
    stream_write_blob(r.client.s, blob_copy(STR("xxworldxx")), 2, 5);
    stream_shutdown(r.client.s);
    stream_write(r.client.s, "late", 4);         /* after our half is closed: nowhere to go */
    run_until(&r, r.client.eofs > 0);
    CHECK_INT(r.client.opened, 1);
    CHECK_STR(buf_str(&r.client.got), "hello world");
    CHECK_STR(buf_str(&r.server.got), "hello world");
    CHECK_INT(r.server.eofs, 1);
    CHECK_STR(str_upto(str_of(stream_peer_addr(r.client.s)), strlen(peer)), peer);
    CHECK(strlen(stream_local_addr(r.client.s)) > 0);
    CHECK_STR(str_of(stream_alpn(r.client.s)), "");
    CHECK(stream_tls_peer(r.client.s) == NULL);
    stream_close(r.client.s);
    stream_close(r.client.s);                    /* idempotent */
    CHECK_INT(r.client.closed, 0);
    stream_close(r.server.s);
    run_until(&r, r.client.closed && r.server.closed);
    CHECK_INT(r.client.closed, 1);
    CHECK_INT(r.client.err, 0);
    CHECK_INT(r.server.err, 0);
    rig_finish(&r, live);
}

TEST(echo_ipv4) { echo_over("127.0.0.1:0", "127.0.0.1:"); }
TEST(echo_ipv6) { echo_over("[::1]:0", "[::1]:"); }

TEST(echo_unix)
{
    char addr[128];
    snprintf(addr, sizeof addr, "unix:%s/sock", test_dir());
    echo_over(addr, "unix");
    /* A file left by a crash doesn't stop the next one; a living listener does. */
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    struct { sa_family_t family; char path[108]; } un = { AF_UNIX, "" };
    snprintf(un.path, sizeof un.path, "%.100s", addr + 5);
    CHECK(bind(fd, (void *)&un, sizeof un) == 0);
    close(fd);
    echo_over(addr, "unix");
    struct rig r;
    struct listener *other;
    struct errbuf err;
    rig_open(&r, addr);
    struct listener_opts o = { .addr = addr, .on_accept = rig_on_accept, .arg = &r };
    CHECK(listener_open(r.l, &o, &other, &err) < 0);
    listener_close(r.ln);
    r.ln = NULL;
    timer_stop(&r.guard);
    loop_run(r.l);
    loop_free(r.l);
}

TEST(localhost_is_looked_up)
{
    long live = mem_live();
    struct rig r;
    char addr[64];

    rig_open(&r, "127.0.0.1:0");
    snprintf(addr, sizeof addr, "localhost%s", strrchr(listener_addr(r.ln), ':'));
    struct stream_connect_opts o = { .addr = addr, .ev = &end_events, .arg = &r.client };
    CHECK(stream_connect(r.l, &o, &r.client.s, NULL) == 0);
    run_until(&r, r.client.opened || r.client.closed);
    CHECK_INT(r.client.opened, 1);
    stream_close(r.client.s);
    run_until(&r, r.server.closed || r.accepted == 0 || r.server.eofs);
    if (r.server.s != NULL)
        stream_close(r.server.s);
    /* And one given up during the lookup. */
    struct end gone = { .l = r.l };
    o.arg = &gone;
    CHECK(stream_connect(r.l, &o, &gone.s, NULL) == 0);
    stream_close(gone.s);
    run_until(&r, gone.closed);
    CHECK_INT(gone.closed, 1);
    CHECK_INT(gone.opened, 0);
    rig_finish(&r, live);
}

TEST(bad_addresses)
{
    static const char *const bad[] = { "", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:x", ":80", "[::1]",
                                       "::1:80", "unix:", "1.2.3.4:-1", "a:b:80" };
    struct loop *l = loop_new_real();
    struct end   e = { .l = l };
    struct errbuf err;

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct stream_connect_opts o = { .addr = bad[i], .ev = &end_events, .arg = &e };
        struct listener_opts       lo = { .addr = bad[i], .on_accept = NULL };
        struct listener *ln;
        CHECK_INT(stream_connect(l, &o, &e.s, &err), E_INVALID);
        CHECK_INT(listener_open(l, &lo, &ln, &err), E_INVALID);
    }
    loop_run(l);
    CHECK_INT(e.closed, 0);                      /* an error returned is never called back */
    loop_free(l);
}

/* ---- connects that fail ----------------------------------------------------------------------- */

TEST(connect_refused)
{
    long live = mem_live();
    struct rig r;

    rig_open(&r, "127.0.0.1:0");
    char addr[64];
    snprintf(addr, sizeof addr, "%s", listener_addr(r.ln));
    listener_close(r.ln);
    r.ln = NULL;
    struct stream_connect_opts o = { .addr = addr, .ev = &end_events, .arg = &r.client };
    CHECK(stream_connect(r.l, &o, &r.client.s, NULL) == 0);
    stream_write(r.client.s, "x", 1);
    CHECK_INT(r.client.closed, 0);
    run_until(&r, r.client.closed);
    CHECK_INT(r.client.closed, 1);
    CHECK_INT(r.client.opened, 0);
    CHECK_INT(r.client.err, E_IO);
    CHECK(strstr(r.client.reason, "refused") != NULL && strstr(r.client.reason, addr) != NULL);
    /* A unix socket fails inside connect(2); still from the loop. */
    memset(&r.client, 0, sizeof r.client);
    o.addr = "unix:/nonexistent/socket";
    CHECK(stream_connect(r.l, &o, &r.client.s, NULL) == 0);
    CHECK_INT(r.client.closed, 0);
    run_until(&r, r.client.closed);
    CHECK_INT(r.client.err, E_NOTFOUND);
    rig_finish(&r, live);
}

/* A backlog of one that nobody accepts from: the kernel lets further connects hang. */
TEST(connect_times_out)
{
    long live = mem_live();
    struct rig r;
    struct sockaddr_in sin = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof sin;
    int fd = socket(AF_INET, SOCK_STREAM, 0), fill[4];
    char addr[64];

    rig_open(&r, "127.0.0.1:0");
    CHECK(bind(fd, (void *)&sin, sizeof sin) == 0 && listen(fd, 0) == 0);
    CHECK(getsockname(fd, (void *)&sin, &len) == 0);
    for (size_t i = 0; i < ARRAY_LEN(fill); i++) {
        fill[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        (void)!connect(fill[i], (void *)&sin, sizeof sin);
    }
    snprintf(addr, sizeof addr, "127.0.0.1:%u", ntohs(sin.sin_port));
    struct stream_connect_opts o = { .addr = addr, .ev = &end_events, .arg = &r.client, .timeout_ms = 30 };
    uint64_t t0 = loop_hires_ns(r.l);
    CHECK(stream_connect(r.l, &o, &r.client.s, NULL) == 0);
    run_until(&r, r.client.closed);
    CHECK_INT(r.client.err, E_TIMEOUT);
    CHECK(loop_hires_ns(r.l) - t0 >= 30000000);
    for (size_t i = 0; i < ARRAY_LEN(fill); i++)
        close(fill[i]);
    close(fd);
    rig_finish(&r, live);
}

TEST(close_while_connecting_and_in_on_open)
{
    long live = mem_live();
    struct rig r;

    rig_open(&r, "127.0.0.1:0");
    rig_connect(&r);
    stream_write(r.client.s, "abc", 3);
    stream_close(r.client.s);
    run_until(&r, r.client.closed);
    CHECK_INT(r.client.opened, 0);
    CHECK_INT(r.client.err, 0);
    memset(&r.client, 0, sizeof r.client);
    r.client.close_on_open = true;
    rig_connect(&r);
    run_until(&r, r.client.closed && r.server.eofs);
    CHECK_INT(r.client.opened, 1);
    CHECK_INT(r.client.closed, 1);
    stream_close(r.server.s);
    run_until(&r, r.server.closed);
    rig_finish(&r, live);
}

/* ---- back-pressure ---------------------------------------------------------------------------- */

/* 16 MiB to a reader that pauses: the queue holds what the kernel does not take, nothing is lost,
 * and on_drain comes once per crossing. */
TEST(slow_reader)
{
    enum { TOTAL = 16 << 20 };
    long live = mem_live();
    struct rig r;
    struct blob *b = blob_new(TOTAL);

    for (size_t i = 0; i < TOTAL; i++)
        b->data[i] = (char)(i * 2654435761u >> 13);
    rig_open(&r, "127.0.0.1:0");
    rig_connect(&r);
    run_until(&r, r.client.opened && r.server.s != NULL);
    stream_pause(r.server.s);
    stream_write(r.client.s, b->data, 100);
    stream_write_blob(r.client.s, blob_ref(b), 100, TOTAL - 100);
    size_t before = 0;
    while (stream_queued(r.client.s) != before) {        /* until the kernel takes no more */
        before = stream_queued(r.client.s);
        run_for(&r, 5000000);
    }
    CHECK(stream_queued(r.client.s) > STREAM_LOW_WATER);
    CHECK_INT(r.client.drains, 0);
    size_t paused_at = r.server.n_got;
    run_for(&r, 2000000);
    CHECK_INT(r.server.n_got, paused_at);        /* a pause is kept */
    stream_resume(r.server.s);
    run_until(&r, r.server.n_got == TOTAL);
    CHECK_INT(r.client.drains, 1);
    CHECK_INT(stream_queued(r.client.s), 0);
    CHECK(r.server.got.n == TOTAL && memcmp(r.server.got.p, b->data, TOTAL) == 0);
    CHECK_INT(b->refs, 1);                       /* the queue let go */
    blob_unref(b);
    stream_close(r.client.s);
    stream_close(r.server.s);
    rig_finish(&r, live);
}

/* ---- ends ------------------------------------------------------------------------------------- */

TEST(close_in_on_data_drops_the_queue)
{
    long live = mem_live();
    struct rig r;
    struct blob *b = blob_new(8 << 20);

    memset(b->data, 'z', b->len);
    rig_open(&r, "127.0.0.1:0");
    r.server.close_at = 1000;
    rig_connect(&r);
    stream_write_blob(r.client.s, blob_ref(b), 0, b->len);
    run_until(&r, r.server.closed && r.client.closed);
    CHECK_INT(r.server.err, 0);
    CHECK_INT(r.client.err, E_CLOSED);           /* reset in the middle of a write */
    CHECK_INT(r.client.closed, 1);
    CHECK_INT(b->refs, 1);
    blob_unref(b);
    rig_finish(&r, live);
}

/* The reply must arrive whole although the server closes with the rest of the request unread. */
static void reply_and_close(struct rig *r, struct stream *s)
{
    for (int i = 0; i < 1000; i++)
        stream_write(s, "no more of this\n", 16);
    stream_close_after_flush(s);
}

TEST(close_after_flush_delivers)
{
    long live = mem_live();
    struct rig r;
    struct blob *b = blob_new(256 << 10);

    memset(b->data, 'q', b->len);
    rig_open(&r, "127.0.0.1:0");
    r.on_accept = reply_and_close;
    rig_connect(&r);
    stream_write_blob(r.client.s, b, 0, b->len);
    run_until(&r, r.client.eofs);
    CHECK_INT(r.client.n_got, 16000);
    CHECK_INT(r.server.n_got, 0);                /* discarded, not delivered */
    stream_close(r.client.s);
    run_until(&r, r.server.closed);
    CHECK_INT(r.server.err, 0);
    rig_finish(&r, live);
}

TEST(eof_without_handler_closes)
{
    static const struct stream_events plain = { NULL, end_on_data, NULL, NULL, end_on_close };
    long live = mem_live();
    struct rig r;

    rig_open(&r, "127.0.0.1:0");
    rig_connect(&r);
    run_until(&r, r.server.s != NULL && r.client.opened);
    stream_set_events(r.server.s, &plain, &r.server);
    stream_write(r.client.s, "bye", 3);
    stream_shutdown(r.client.s);
    run_until(&r, r.server.closed && r.client.eofs);
    CHECK_STR(buf_str(&r.server.got), "bye");
    CHECK_INT(r.server.err, 0);
    stream_close(r.client.s);
    rig_finish(&r, live);
}

/* ---- many ------------------------------------------------------------------------------------- */

enum { MANY = 1000 };
struct many { struct end *server; unsigned n; struct loop *l; };

static void many_on_accept(void *arg, struct stream *s)
{
    struct many *m = arg;
    must(m->n < MANY);
    struct end *e = &m->server[m->n++];
    e->s = s;
    e->l = m->l;
    e->echo = true;
    stream_set_events(s, &end_events, e);
}

TEST(a_thousand_connections)
{
    long live = mem_live();
    struct rig r;
    struct end *client = mem_zalloc(MANY * sizeof *client);
    struct many m = { mem_zalloc(MANY * sizeof *m.server), 0, NULL };
    struct rlimit lim = { 0 };

    getrlimit(RLIMIT_NOFILE, &lim);
    lim.rlim_cur = lim.rlim_max;
    setrlimit(RLIMIT_NOFILE, &lim);
    rig_open(&r, "127.0.0.1:0");
    listener_close(r.ln);
    m.l = r.l;
    struct listener_opts lo = { .addr = "127.0.0.1:0", .on_accept = many_on_accept, .arg = &m };
    CHECK(listener_open(r.l, &lo, &r.ln, NULL) == 0);
    for (unsigned i = 0; i < MANY; i++) {
        struct stream_connect_opts o = { .addr = listener_addr(r.ln), .ev = &end_events, .arg = &client[i] };
        CHECK(stream_connect(r.l, &o, &client[i].s, NULL) == 0);
        client[i].keep = true;
        char text[32];
        int  n = snprintf(text, sizeof text, "I am %u", i);
        stream_write(client[i].s, text, (size_t)n);
    }
    size_t done = 0;
    run_until(&r, ({ done = 0; for (unsigned i = 0; i < MANY; i++) done += client[i].n_got >= 6u + (i > 9) + (i > 99);
                     done == MANY; }));
    for (unsigned i = 0; i < MANY; i++) {
        char text[32];
        snprintf(text, sizeof text, "I am %u", i);
        CHECK_STR(buf_str(&client[i].got), text);
        stream_close(i % 2 ? client[i].s : m.server[i].s);
    }
    run_until(&r, ({ done = 0; for (unsigned i = 0; i < MANY; i++)
                         done += (client[i].eofs || client[i].closed) && (m.server[i].eofs || m.server[i].closed);
                     done == MANY; }));
    for (unsigned i = 0; i < MANY; i++) {
        if (client[i].s != NULL)
            stream_close(client[i].s);
        if (m.server[i].s != NULL)
            stream_close(m.server[i].s);
    }
    listener_close(r.ln);
    r.ln = NULL;
    timer_stop(&r.guard);
    loop_run(r.l);
    for (unsigned i = 0; i < MANY; i++) {
        CHECK_INT(client[i].closed, 1);
        CHECK_INT(m.server[i].closed, 1);
        buf_release(&client[i].got);
    }
    mem_free(client);
    mem_free(m.server);
    rig_finish(&r, live);
}

/* Out of descriptors: the client waits, the loop doesn't spin, and service resumes. */
TEST(out_of_descriptors)
{
    long live = mem_live();
    struct rig r;
    struct rlimit was, lim;
    int hold[2];
    unsigned turns = 0;

    rig_open(&r, "127.0.0.1:0");
    rig_connect(&r);
    getrlimit(RLIMIT_NOFILE, &was);
    lim = was;
    CHECK(pipe(hold) == 0);
    close(hold[0]);
    close(hold[1]);
    lim.rlim_cur = (rlim_t)hold[0] + 1;          /* one more: the client's; none for the server's */
    setrlimit(RLIMIT_NOFILE, &lim);
    run_until(&r, r.client.opened);
    CHECK_INT(r.client.opened, 1);
    uint64_t t0 = loop_hires_ns(r.l);
    run_until(&r, ({ turns++; loop_hires_ns(r.l) - t0 > 30000000; }));
    CHECK_INT(r.accepted, 0);
    setrlimit(RLIMIT_NOFILE, &was);
    run_until(&r, r.accepted == 1);
    CHECK_INT(r.accepted, 1);
    stream_close(r.client.s);
    stream_close(r.server.s);
    rig_finish(&r, live);
}

/* Clients don't get the last descriptors: one too many is closed, and the one before it is served. */
static void last_descriptor(bool fits)
{
    long live = mem_live();
    struct rlimit was, lim;
    int hold[2];
    struct rig r;

    rig_open(&r, "127.0.0.1:0");
    struct listener_opts o = { .addr = "127.0.0.1:0", .on_accept = rig_on_accept, .arg = &r, .spare_files = 4 };
    listener_close(r.ln);
    CHECK(pipe(hold) == 0);                      /* next: the listener, its client, the other end */
    close(hold[0]);
    close(hold[1]);
    getrlimit(RLIMIT_NOFILE, &was);
    lim = was;
    lim.rlim_cur = (rlim_t)hold[1] + 1 + fits + o.spare_files;
    setrlimit(RLIMIT_NOFILE, &lim);
    CHECK(listener_open(r.l, &o, &r.ln, NULL) == 0);
    rig_connect(&r);
    run_until(&r, r.accepted == 1 || r.client.eofs + r.client.closed > 0);
    CHECK_INT(r.accepted, fits);
    CHECK_INT(r.client.eofs + r.client.closed > 0, !fits);
    setrlimit(RLIMIT_NOFILE, &was);
    if (r.client.s != NULL)
        stream_close(r.client.s);
    if (r.server.s != NULL)
        stream_close(r.server.s);
    rig_finish(&r, live);
}

TEST(some_descriptors_are_not_for_clients)
{
    last_descriptor(true);
    last_descriptor(false);
}

/* A listener closed in its own on_accept, and with handed-over streams alive. */
static void close_listener(struct rig *r, struct stream *s)
{
    listener_close(r->ln);
    r->ln = NULL;
}

TEST(listener_closed_in_on_accept)
{
    long live = mem_live();
    struct rig r;

    rig_open(&r, "127.0.0.1:0");
    r.on_accept = close_listener;
    r.server.echo = true;
    rig_connect(&r);
    stream_write(r.client.s, "still here", 10);
    run_until(&r, r.client.n_got == 10);
    CHECK_STR(buf_str(&r.client.got), "still here");
    stream_close(r.client.s);
    stream_close(r.server.s);
    rig_finish(&r, live);
}

/* ---- descriptors ------------------------------------------------------------------------------ */

TEST(pipes_as_streams)
{
    long live = mem_live();
    struct rig r;
    int fd[2];

    rig_open(&r, "127.0.0.1:0");
    CHECK(pipe2(fd, O_CLOEXEC | O_NONBLOCK) == 0);
    CHECK(stream_from_fd(r.l, fd[0], &end_events, &r.server, &r.server.s, NULL) == 0);
    CHECK(stream_from_fd(r.l, fd[1], &end_events, &r.client, &r.client.s, NULL) == 0);
    for (int i = 0; i < 20000; i++)
        stream_write(r.client.s, "0123456789", 10);
    stream_shutdown(r.client.s);                 /* a write end has no other half: it closes */
    run_until(&r, r.server.eofs && r.client.closed);
    CHECK_INT(r.server.n_got, 200000);
    CHECK_INT(r.client.err, 0);
    stream_close(r.server.s);
    int file = open("/dev/null", O_RDWR | O_CLOEXEC);
    struct stream *s;
    CHECK(stream_from_fd(r.l, file, &end_events, &r.client, &s, NULL) < 0);   /* cannot be polled */
    rig_finish(&r, live);
}
