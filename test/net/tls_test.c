/* test/net/tls_test.c: certificates, who is let in and who is not, and streams under TLS. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>
#include "net/real_stream.h"
#include "test/test.h"

enum { GUARD_MS = 20000 };

struct pair { struct buf cert, key; };
struct pki { struct pair ca, other_ca, server, client, stranger; };

static void issue(struct pair *p, const char *cn, const char *org, const char *san, const struct pair *ca)
{
    const char *orgs[] = { org, "second" }, *sans[] = { san, "localhost", "::1" };
    struct errbuf err = { "" };
    struct pki_req r = { .common_name = cn, .organizations = orgs, .n_organizations = org != NULL ? 2 : 0, .sans = sans,
                         .n_sans = san != NULL ? 3 : 0, .ca = ca == NULL, .server = san != NULL, .client = true, .days = 30 };
    if (ca != NULL) {
        r.ca_cert_pem = buf_str(&ca->cert);
        r.ca_key_pem = buf_str(&ca->key);
    }
    *p = (struct pair){ BUF_INIT, BUF_INIT };
    if (pki_issue(&r, &p->cert, &p->key, &err) < 0)
        test_fail(__FILE__, __LINE__, "%s: %s", cn, err.s);
}

static void pki_make(struct pki *k)
{
    issue(&k->ca, "our-ca", NULL, NULL, NULL);
    issue(&k->other_ca, "our-ca", NULL, NULL, NULL);     /* same name, another key */
    issue(&k->server, "head", NULL, "127.0.0.1", &k->ca);
    issue(&k->client, "jane", "system:masters", NULL, &k->ca);
    issue(&k->stranger, "jane", "system:masters", NULL, &k->other_ca);
}

static void pki_release(struct pki *k)
{
    struct pair *all[] = { &k->ca, &k->other_ca, &k->server, &k->client, &k->stranger };
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        buf_release(&all[i]->cert);
        buf_release(&all[i]->key);
    }
}

static struct tls_ctx *ctx(bool server, const struct pair *ca, const struct pair *own, bool optional, const char *alpn)
{
    struct tls_ctx *c = NULL;
    struct errbuf err = { "" };
    struct tls_opts o = { .server = server, .client_cert_optional = optional, .alpn = alpn };
    if (ca != NULL)
        o.ca_pem = buf_str(&ca->cert);
    if (own != NULL) {
        o.cert_pem = buf_str(&own->cert);
        o.key_pem = buf_str(&own->key);
    }
    if (tls_ctx_new(&o, &c, &err) < 0)
        test_fail(__FILE__, __LINE__, "%s", err.s);
    return c;
}

/* ---- a client and an echoing server ------------------------------------------------------------- */

struct side { struct stream *s; int opened, resumed, eofs, closed, err; struct buf got; char reason[256], user[64], alpn[16];
              size_t n_orgs; bool echo; struct loop *l; };
struct rig { struct loop *l; struct side client, server; struct listener *ln; struct timer guard; int accepted; };

static void side_on_open(void *arg, struct stream *s)
{
    struct side *x = arg;
    x->opened++;
    if (real_stream(s)->ssl != NULL)
        x->resumed = SSL_session_reused(real_stream(s)->ssl);
    snprintf(x->alpn, sizeof x->alpn, "%s", stream_alpn(s));
}

static void side_on_data(void *arg, struct stream *s, const char *p, size_t n)
{
    struct side *x = arg;
    buf_add(&x->got, p, n);
    if (x->echo)
        stream_write(s, p, n);
}

static void side_on_eof(void *arg, struct stream *s)
{
    struct side *x = arg;
    x->eofs++;
    stream_close_after_flush(s);
}

static void side_on_close(void *arg, struct stream *s, int err, const char *reason)
{
    struct side *x = arg;
    x->closed++;
    x->err = err;
    x->s = NULL;
    snprintf(x->reason, sizeof x->reason, "%s", reason);
}

static const struct stream_events side_events = { side_on_open, side_on_data, side_on_eof, NULL, side_on_close };

static void rig_on_accept(void *arg, struct stream *s)
{
    struct rig *r = arg;
    const struct tls_peer *p = stream_tls_peer(s);
    r->accepted++;
    r->server.s = s;
    r->server.echo = true;
    snprintf(r->server.user, sizeof r->server.user, "%s", p != NULL ? p->common_name : "-");
    r->server.n_orgs = p != NULL ? p->n_organizations : 0;
    if (r->server.n_orgs == 2)
        CHECK(strcmp(p->organizations[0], "system:masters") == 0);
    snprintf(r->server.alpn, sizeof r->server.alpn, "%s", stream_alpn(s));
    stream_set_events(s, &side_events, &r->server);
}

static void rig_close_all(struct rig *r)
{
    if (r->client.s != NULL)
        stream_close(r->client.s);
    if (r->server.s != NULL)
        stream_close(r->server.s);
    if (r->ln != NULL)
        listener_close(r->ln);
    r->ln = NULL;
}

static void rig_on_guard(struct timer *t)
{
    test_fail(__FILE__, __LINE__, "hangs");
    rig_close_all(container_of(t, struct rig, guard));
}

static void rig_open(struct rig *r, struct tls_ctx *server)
{
    struct listener_opts o = { .addr = "127.0.0.1:0", .tls = server, .on_accept = rig_on_accept, .arg = r };
    memset(r, 0, sizeof *r);
    r->l = loop_new_real();
    timer_init(&r->guard, r->l, rig_on_guard);
    timer_start(&r->guard, GUARD_MS);
    CHECK(listener_open(r->l, &o, &r->ln, NULL) == 0);
}

static void on_tick(struct timer *t)
{
    loop_stop(t->loop);
}

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

static void rig_finish(struct rig *r)
{
    rig_close_all(r);
    timer_stop(&r->guard);
    loop_run(r->l);
    loop_free(r->l);
    buf_release(&r->client.got);
    buf_release(&r->server.got);
}

static void rig_connect(struct rig *r, struct tls_ctx *client, const char *name)
{
    struct stream_connect_opts o = { .addr = listener_addr(r->ln), .tls = client, .tls_name = name, .ev = &side_events,
                                     .arg = &r->client };
    CHECK(stream_connect(r->l, &o, &r->client.s, NULL) == 0);
}

/* Say hello, hear it, half-close, and see both ends end in order; the client's outcome is returned. */
static int talk(struct tls_ctx *server, struct tls_ctx *client, const char *name, struct rig *r)
{
    rig_open(r, server);
    rig_connect(r, client, name);
    stream_write(r->client.s, "hello", 5);
    stream_shutdown(r->client.s);
    run_until(r, r->client.closed && (r->server.s == NULL || r->server.closed));
    int err = r->client.err;
    if (err == 0 && r->accepted > 0) {
        CHECK_STR(buf_str(&r->client.got), "hello");
        CHECK_INT(r->server.eofs, 1);
        CHECK_INT(r->client.eofs, 1);
    }
    rig_finish(r);
    return err;
}

TEST(who_is_let_in)
{
    long live = mem_live();
    struct pki k;
    struct rig r;

    pki_make(&k);
    struct tls_ctx *strict = ctx(true, &k.ca, &k.server, false, NULL), *lax = ctx(true, &k.ca, &k.server, true, NULL);
    struct tls_ctx *open = ctx(true, NULL, &k.server, false, NULL);
    struct tls_ctx *jane = ctx(false, &k.ca, &k.client, false, NULL), *anon = ctx(false, &k.ca, NULL, false, NULL);
    struct tls_ctx *stranger = ctx(false, &k.ca, &k.stranger, false, NULL), *blind = ctx(false, NULL, NULL, false, NULL);
    struct tls_ctx *wrong_ca = ctx(false, &k.other_ca, &k.client, false, NULL);

    CHECK_INT(talk(strict, jane, NULL, &r), 0);
    CHECK_STR(str_of(r.server.user), "jane");
    CHECK_INT(r.server.n_orgs, 2);
    CHECK_INT(r.client.resumed, 0);
    CHECK_INT(talk(strict, jane, NULL, &r), 0);          /* resumed: the same user */
    CHECK_INT(r.client.resumed, 1);
    CHECK_INT(r.server.n_orgs, 2);
    CHECK_STR(str_of(r.server.user), "jane");
    CHECK_INT(talk(lax, jane, NULL, &r), 0);
    CHECK_STR(str_of(r.server.user), "jane");
    CHECK_INT(talk(lax, anon, NULL, &r), 0);
    CHECK_STR(str_of(r.server.user), "-");
    CHECK_INT(talk(open, jane, NULL, &r), 0);
    CHECK_STR(str_of(r.server.user), "-");               /* not verified: not known */
    CHECK_INT(talk(lax, blind, NULL, &r), 0);
    CHECK_INT(talk(strict, jane, "localhost", &r), 0);
    CHECK_INT(r.client.resumed, 0);                      /* another name: nothing carried over */
    CHECK_INT(talk(strict, jane, "::1", &r), 0);

    CHECK_INT(talk(strict, anon, NULL, &r), E_DENIED);
    CHECK_INT(r.accepted, 0);
    CHECK_INT(talk(strict, stranger, NULL, &r), E_DENIED);
    CHECK_INT(r.accepted, 0);
    CHECK_INT(talk(lax, stranger, NULL, &r), E_DENIED);
    CHECK_INT(r.accepted, 0);
    CHECK_INT(talk(strict, wrong_ca, NULL, &r), E_DENIED);
    CHECK_INT(r.client.opened, 0);
    CHECK_INT(r.accepted, 0);
    CHECK(strstr(r.client.reason, "certificate") != NULL);
    CHECK_INT(talk(strict, jane, "example.org", &r), E_DENIED);
    CHECK_INT(r.client.opened, 0);
    CHECK(strstr(r.client.reason, "ostname mismatch") != NULL);
    CHECK_INT(talk(strict, jane, "127.0.0.2", &r), E_DENIED);
    CHECK_INT(talk(NULL, jane, NULL, &r) < 0, 1);        /* a plain server */
    talk(strict, NULL, NULL, &r);                        /* a plain client may take the alert for data */
    CHECK_INT(r.accepted, 0);

    struct tls_ctx *all[] = { strict, lax, open, jane, anon, stranger, blind, wrong_ca };
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        tls_ctx_free(all[i]);
    tls_ctx_free(NULL);
    pki_release(&k);
    CHECK_INT(mem_live(), live);
}

TEST(alpn)
{
    struct pki k;
    struct rig r;

    pki_make(&k);
    struct tls_ctx *server = ctx(true, NULL, &k.server, false, "h2,http/1.1");
    struct tls_ctx *both = ctx(false, &k.ca, NULL, false, "http/1.1,h2"), *old = ctx(false, &k.ca, NULL, false, "http/1.1");
    struct tls_ctx *other = ctx(false, &k.ca, NULL, false, "spdy"), *none = ctx(false, &k.ca, NULL, false, NULL);
    CHECK_INT(talk(server, both, NULL, &r), 0);
    CHECK_STR(str_of(r.client.alpn), "h2");
    CHECK_STR(str_of(r.server.alpn), "h2");
    CHECK_INT(talk(server, old, NULL, &r), 0);
    CHECK_STR(str_of(r.client.alpn), "http/1.1");
    CHECK_INT(talk(server, other, NULL, &r), 0);
    CHECK_STR(str_of(r.client.alpn), "");
    CHECK_INT(talk(server, none, NULL, &r), 0);
    CHECK_STR(str_of(r.server.alpn), "");
    struct tls_ctx *all[] = { server, both, old, other, none };
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        tls_ctx_free(all[i]);
    pki_release(&k);
}

/* Megabytes in small and large pieces to a reader that pauses again and again; then again the other way. */
static int n_flips;
static struct stream *flipped;
static void flip_on_timer(struct timer *t)
{
    if (flipped == NULL)
        return;
    if (n_flips++ % 2)
        stream_resume(flipped);
    else
        stream_pause(flipped);
    timer_start_ns(t, 300000);
}

TEST(much_data_with_pauses)
{
    enum { TOTAL = 6 << 20 };
    long live = mem_live();
    struct pki k;
    struct rig r;
    struct blob *b = blob_new(TOTAL);
    struct timer flip;

    for (size_t i = 0; i < TOTAL; i++)
        b->data[i] = (char)(i * 2654435761u >> 11);
    pki_make(&k);
    struct tls_ctx *server = ctx(true, NULL, &k.server, false, NULL), *client = ctx(false, &k.ca, NULL, false, NULL);
    rig_open(&r, server);
    rig_connect(&r, client, NULL);
    size_t at = 0;
    for (size_t n = 1; at < 100000; at += n, n = n * 7 % 5003 + 1)       /* copied, of all sizes */
        stream_write(r.client.s, b->data + at, n);
    for (; at + 3000 < 200000; at += 3000)                               /* many small references */
        stream_write_blob(r.client.s, blob_ref(b), at, 3000);
    stream_write_blob(r.client.s, blob_ref(b), at, TOTAL - at);
    run_until(&r, r.accepted);
    flipped = r.server.s;
    timer_init(&flip, r.l, flip_on_timer);
    timer_start(&flip, 0);
    run_until(&r, r.client.got.n == TOTAL || r.client.closed);
    timer_stop(&flip);
    flipped = NULL;
    CHECK(n_flips > 2);
    CHECK(r.client.got.n == TOTAL && memcmp(r.client.got.p, b->data, TOTAL) == 0);
    CHECK(r.server.got.n == TOTAL && memcmp(r.server.got.p, b->data, TOTAL) == 0);
    CHECK_INT(b->refs, 1);
    rig_finish(&r);
    blob_unref(b);
    tls_ctx_free(server);
    tls_ctx_free(client);
    pki_release(&k);
    CHECK_INT(mem_live(), live);
}

/* A contexts' owner may go first; a peer that vanishes without a goodbye is an error, not an end. */
TEST(truncation_is_noticed)
{
    struct pki k;
    struct rig r;

    pki_make(&k);
    struct tls_ctx *server = ctx(true, NULL, &k.server, false, NULL), *client = ctx(false, &k.ca, NULL, false, NULL);
    rig_open(&r, server);
    rig_connect(&r, client, NULL);
    run_until(&r, r.accepted && r.client.opened);
    tls_ctx_free(client);
    /* Shut the socket down under the server's feet. */
    for (int fd = 3; fd < 64; fd++) {
        struct sockaddr_storage ss;
        socklen_t len = sizeof ss;
        int on = 0;
        socklen_t on_len = sizeof on;
        if (getpeername(fd, (void *)&ss, &len) == 0 && getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &on, &on_len) == 0 && !on) {
            shutdown(fd, SHUT_WR);
            break;
        }
    }
    run_until(&r, r.client.closed && r.server.closed);
    CHECK(r.client.err < 0 && r.server.err < 0);         /* one sees it, the other is told by an alert */
    CHECK(r.client.err == E_CLOSED || r.server.err == E_CLOSED);
    rig_finish(&r);
    tls_ctx_free(server);
    pki_release(&k);
}

/* Bytes that are no TLS at all, at every point: errors, no crash, no accept. */
TEST(garbage_in_the_handshake)
{
    struct pki k;
    struct rig r;
    uint64_t seed = 7;

    pki_make(&k);
    struct tls_ctx *server = ctx(true, &k.ca, &k.server, false, NULL);
    for (int i = 0; i < 30; i++) {
        unsigned char junk[300] = { 22, 3, 1, 0, 200, 1, 0, 0, 196, 3, 3 };
        for (size_t j = i % 3 == 0 ? 0 : i % 3 == 1 ? 5 : 11; j < sizeof junk; j++)
            junk[j] = (unsigned char)((seed = seed * 6364136223846793005u + 1) >> 40);
        rig_open(&r, server);
        rig_connect(&r, NULL, NULL);
        stream_write(r.client.s, junk, sizeof junk);
        stream_shutdown(r.client.s);
        run_until(&r, r.client.closed);
        CHECK_INT(r.accepted, 0);
        rig_finish(&r);
    }
    tls_ctx_free(server);
    pki_release(&k);
}

/* ---- pki, contexts and base64 -------------------------------------------------------------------- */

/* ---- a request in the same flight as the client's last word of the handshake ------------------------ */

enum { HASTY = 300, HASTY_WAIT_S = 4 };

/* Server and client take turns on one processor: the client's answer tends to be there before the server
 * has come back from sending its own flight. */
static void share_one_cpu(cpu_set_t *before)
{
    cpu_set_t one;

    CPU_ZERO(&one);
    CPU_SET(sched_getcpu(), &one);
    if (sched_getaffinity(0, sizeof *before, before) == 0)
        (void)sched_setaffinity(0, sizeof one, &one);
}

static int hasty_dial(int port)
{
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    struct timeval wait = { .tv_sec = HASTY_WAIT_S };
    int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;

    if (connect(fd, (struct sockaddr *)&to, sizeof to) != 0)
        _exit(2);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

/* Bytes from the socket into the TLS machine; false: the end, or nothing for too long. */
static bool hasty_hear(int fd, BIO *in)
{
    char buf[16384];
    ssize_t n = recv(fd, buf, sizeof buf, 0);

    return n > 0 && BIO_write(in, buf, (int)n) == n;
}

static void hasty_say(int fd, BIO *out)
{
    char *p;
    long  n = BIO_get_mem_data(out, &p);

    if (n > 0 && send(fd, p, (size_t)n, MSG_NOSIGNAL) != n)
        _exit(3);
    (void)BIO_reset(out);
}

/* One connection; exits when it is not answered. */
static void hasty_talk(SSL_CTX *ctx, int port)
{
    int   fd = hasty_dial(port);
    SSL  *ssl = SSL_new(ctx);
    BIO  *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
    char  buf[64];

    SSL_set_bio(ssl, in, out);
    SSL_set_connect_state(ssl);
    while (SSL_do_handshake(ssl) != 1) {
        hasty_say(fd, out);
        if (!hasty_hear(fd, in))
            _exit(4);
    }
    if (SSL_write(ssl, "hasty", 5) != 5)         /* behind the Finished that has not been sent yet */
        _exit(5);
    hasty_say(fd, out);
    while (SSL_read(ssl, buf, sizeof buf) != 5)
        if (!hasty_hear(fd, in))
            _exit(6);
    SSL_shutdown(ssl);
    hasty_say(fd, out);
    SSL_free(ssl);
    while (recv(fd, buf, sizeof buf, 0) > 0)     /* until it has hung up, too */
        ;
    close(fd);
}

static pid_t hasty_fork(int port)
{
    fflush(NULL);
    pid_t pid = fork();

    if (pid != 0)
        return pid;
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    for (int i = 0; i < HASTY; i++)
        hasty_talk(ctx, port);
    SSL_CTX_free(ctx);
    _exit(0);
}

TEST(a_request_right_behind_the_handshake_is_answered)
{
    struct pki k;
    struct rig r;
    cpu_set_t  before;
    int        status = 0;
    pid_t      done = 0;

    pki_make(&k);
    struct tls_ctx *server = ctx(true, &k.ca, &k.server, true, NULL);
    rig_open(&r, server);
    share_one_cpu(&before);
    pid_t pid = hasty_fork(atoi(strrchr(listener_addr(r.ln), ':') + 1));
    CHECK(pid > 0);
    run_until(&r, (done = waitpid(pid, &status, WNOHANG)) != 0);
    CHECK(done == pid && WIFEXITED(status));
    CHECK_INT(WEXITSTATUS(status), 0);           /* 6: one was not answered */
    CHECK_INT(r.accepted, HASTY);
    (void)sched_setaffinity(0, sizeof before, &before);
    rig_finish(&r);
    tls_ctx_free(server);
    pki_release(&k);
}

TEST(bad_pem)
{
    struct pki k;
    struct errbuf err;
    struct tls_ctx *c = NULL;
    struct buf out = BUF_INIT, out2 = BUF_INIT;

    pki_make(&k);
    struct tls_opts o = { .server = true };
    CHECK_INT(tls_ctx_new(&o, &c, &err), E_INVALID);     /* a server without certificate */
    o.cert_pem = STR("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    o.key_pem = buf_str(&k.server.key);
    CHECK_INT(tls_ctx_new(&o, &c, &err), E_INVALID);
    o.cert_pem = buf_str(&k.server.cert);
    o.key_pem = buf_str(&k.client.key);                  /* not its key */
    CHECK_INT(tls_ctx_new(&o, &c, &err), E_INVALID);
    o.key_pem = buf_str(&k.server.key);
    o.ca_pem = STR("nothing here");
    CHECK_INT(tls_ctx_new(&o, &c, &err), E_INVALID);
    o.ca_pem = STR_NONE;
    o.alpn = "h2,,x";
    CHECK_INT(tls_ctx_new(&o, &c, &err), E_INVALID);
    CHECK(c == NULL);
    struct pki_req r = { .common_name = "x", .ca_cert_pem = buf_str(&k.ca.cert), .ca_key_pem = buf_str(&k.other_ca.key), .days = 1 };
    CHECK_INT(pki_issue(&r, &out, &out2, &err), E_INVALID);
    CHECK(out.n == 0 && out2.n == 0);
    buf_release(&out);
    buf_release(&out2);
    pki_release(&k);
}

TEST(digests)
{
    unsigned char hash[32];

    pki_sha256(STR("abc"), hash);
    CHECK(memcmp(hash, "\xba\x78\x16\xbf\x8f\x01\xcf\xea\x41\x41\x40\xde\x5d\xae\x22\x23"
                       "\xb0\x03\x61\xa3\x96\x17\x7a\x9c\xb4\x10\xff\x61\xf2\x00\x15\xad", 32) == 0);
    pki_sha256(STR_NONE, hash);
    CHECK(hash[0] == 0xe3 && hash[1] == 0xb0);
    CHECK(pki_equal(STR("ab"), STR("ab")) && !pki_equal(STR("ab"), STR("ac")) && !pki_equal(STR("a"), STR("ab")));
}

TEST(base64)
{
    static const char *const v[][3] = { { "", "", "" }, { "f", "Zg==", "Zg" }, { "fo", "Zm8=", "Zm8" }, { "foo", "Zm9v", "Zm9v" },
                                        { "foob", "Zm9vYg==", "Zm9vYg" }, { "\xfb\xff\xfe", "+//+", "-__-" } };
    static const char *const bad[] = { "Z", "Zg", "Zg=", "Zg===", "Zh==", "Zm9=", "Zm 9", "Zm9v\n", "====", "Z===", "-__-", "Zm=v" };
    static const char *const bad_url[] = { "Z", "Zg==", "Zh", "+//+", "Zm9", "Zm9vY" };
    struct buf b = BUF_INIT;

    for (size_t i = 0; i < ARRAY_LEN(v); i++)
        for (int url = 0; url < 2; url++) {
            buf_clear(&b);
            base64_encode(&b, str_of(v[i][0]), url);
            CHECK_STR(buf_str(&b), v[i][1 + url]);
            buf_clear(&b);
            CHECK_INT(base64_decode(&b, str_of(v[i][1 + url]), url), 0);
            CHECK_STR(buf_str(&b), v[i][0]);
        }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        buf_clear(&b);
        if (base64_decode(&b, str_of(bad[i]), false) != E_INVALID || b.n != 0)
            test_fail(__FILE__, __LINE__, "\"%s\" is taken", bad[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad_url); i++)
        CHECK_INT(base64_decode(&b, str_of(bad_url[i]), true), E_INVALID);
    buf_release(&b);
}
