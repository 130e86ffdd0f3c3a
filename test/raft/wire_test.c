/* test/raft/wire_test.c: bytes from peers and from snapshot files are hostile: every cut, many flips,
 * garbage on the port; and heads talk over mutual TLS. */
#include "raft/codec.h"
#include "raft/snapshot.h"
#include "test/raft/heads.h"

static uint64_t rng = 0x2545f4914f6cdd1dull;
static uint64_t dice(uint64_t below)
{
    rng ^= rng << 13;
    rng ^= rng >> 7;
    rng ^= rng << 17;
    return (rng >> 11) % below;
}

/* ---- Messages -------------------------------------------------------------------------------------- */

static struct raft_log some_log(void)
{
    struct raft_log l;

    raft_log_init(&l, 10);
    for (unsigned i = 0; i < 5; i++) {
        struct raft_entry e = { .term = 3 + i / 2, .type = RAFT_ENTRY_COMMAND, .p = "hello, world", .len = i * 3 };
        raft_log_add(&l, &e);
    }
    return l;
}

static struct raft_message some_message(unsigned type)
{
    struct raft_message m;

    memset(&m, 0, sizeof(m));
    m.type = (enum raft_message_type)type;
    m.from = 2;
    m.to = 1;
    m.term = 5;
    if (type == RAFT_MSG_APPEND) {
        m.append.prev_index = 10;
        m.append.prev_term = 3;
        m.append.n = 5;
    } else if (type == RAFT_MSG_CHUNK) {
        m.chunk.index = 9;
        m.chunk.total = 1u << 30;
        m.chunk.data = STR("some bytes of a snapshot");
    } else if (type == RAFT_MSG_PROPOSE_REPLY) {
        m.propose_reply.err = E_FULL;
    } else if (type == RAFT_MSG_ACK) {
        m.ack.match = 1ull << 60;
        m.ack.reject = true;
    }
    return m;
}

static int decode(struct str payload, struct raft_message *ret)
{
    struct blob *b = blob_copy(payload);
    int rc = raft_message_decode(blob_str(b), b, ret);

    if (rc == 0) {
        struct raft_message copy = *ret;
        raft_message_release(&copy);
    }
    blob_unref(b);
    return rc;
}

TEST(messages_survive_the_wire_and_nonsense_does_not)
{
    struct raft_log l = some_log();
    long live = mem_live();

    for (unsigned type = 1; type < RAFT_MSG_TYPES; type++) {
        struct raft_message m = some_message(type), back;
        struct raft_entry e[2] = { { .term = 1, .type = RAFT_ENTRY_COMMAND, .p = "abc", .len = 3 },
                                   { .term = 1, .type = RAFT_ENTRY_COMMAND, .p = "", .len = 0 } };
        struct buf b = BUF_INIT;
        struct str in, payload;
        size_t need;
        if (type == RAFT_MSG_PROPOSE) {
            m.propose.entry = e;
            m.propose.n = 2;
        }
        raft_message_encode(&m, &l, &b);
        in = buf_str(&b);
        CHECK_INT(raft_frame_cut(&in, &payload, &need), 1);
        CHECK_INT(in.n, 0);
        CHECK_INT(decode(payload, &back), 0);
        CHECK(back.type == m.type && back.from == 2 && back.to == 1 && back.term == 5);
        if (type == RAFT_MSG_APPEND)
            CHECK(back.append.n == 5 && back.append.prev_index == 10 && back.append.prev_term == 3);
        if (type == RAFT_MSG_ACK)
            CHECK(back.ack.match == 1ull << 60 && back.ack.reject);
        if (type == RAFT_MSG_PROPOSE_REPLY)
            CHECK_INT(back.propose_reply.err, E_FULL);
        for (size_t cut = 0; cut < payload.n; cut++)
            CHECK(decode(str_upto(payload, cut), &back) == E_INVALID);
        for (size_t cut = 0; cut < b.n; cut++) {
            struct str part = str_make(b.p, cut);
            CHECK_INT(raft_frame_cut(&part, &payload, &need), 0);
        }
        for (size_t at = 0; at < b.n; at++) {    /* the CRC notices a flip; whatever the decoder gets, it lives */
            b.p[at] ^= (char)(1 << dice(8));
            struct str part = buf_str(&b);
            CHECK(raft_frame_cut(&part, &payload, &need) <= 0);
            decode(str_make(b.p + 8, b.n - 8), &back);
        }
        buf_release(&b);
    }
    CHECK_INT(mem_live(), live);
    raft_log_release(&l);
}

TEST(random_payloads)
{
    struct raft_message back;
    char b[256];
    long live = mem_live();

    for (int i = 0; i < 200000; i++) {
        size_t n = dice(sizeof(b));
        for (size_t k = 0; k < n; k++)
            b[k] = (char)(dice(3) ? dice(16) : dice(256));
        decode(str_make(b, n), &back);
    }
    CHECK_INT(mem_live(), live);
}

/* ---- Snapshot files -------------------------------------------------------------------------------- */

static struct buf restored;
static void file_begin(void *arg) { buf_clear(&restored); }
static int file_data(void *arg, struct str d) { buf_str_add(&restored, d); return 0; }
static int file_end(void *arg, bool ok) { return 0; }

static int parse(struct str file, size_t piece, bool *ret_ended)
{
    struct raft_fsm fsm = { .restore_begin = file_begin, .restore_data = file_data, .restore_end = file_end };
    struct snapshot_parser p;
    int rc = 0;

    buf_clear(&restored);
    snapshot_parser_init(&p, 77, &fsm);
    for (size_t at = 0; rc == 0 && at < file.n; at += piece)
        rc = snapshot_parse(&p, str_make(file.p + at, MIN_OF(piece, file.n - at)), NULL);
    *ret_ended = rc == 0 && p.ended;
    snapshot_parser_release(&p);
    return rc;
}

TEST(snapshot_files_cut_and_flipped_everywhere)
{
    struct snapshot_meta m = { .index = 5, .term = 2 };
    struct snapshot_encoder e;
    struct buf b = BUF_INIT, want = BUF_INIT;
    bool ended;

    m.config.n = 1;
    m.config.head[0] = (struct raft_head){ .id = 1, .parts = RAFT_VOTER, .addr = "x:1" };
    snapshot_encode_head(&e, 77, &m, &b);
    for (int i = 0; i < 4; i++) {
        char text[40];
        int n = snprintf(text, sizeof(text), "chunk number %d;", i);
        snapshot_encode_chunk(&e, str_make(text, (size_t)n), &b);
        buf_add(&want, text, (size_t)n);
    }
    snapshot_encode_end(&e, &b);
    for (size_t piece = 1; piece <= b.n; piece++) {
        CHECK_INT(parse(buf_str(&b), piece, &ended), 0);
        CHECK(ended && str_eq(buf_str(&restored), buf_str(&want)));
    }
    for (size_t cut = 0; cut < b.n; cut++) {
        parse(str_make(b.p, cut), 16, &ended);
        CHECK(!ended);
    }
    for (size_t at = 0; at < b.n * 8; at++) {
        b.p[at / 8] ^= (char)(1 << at % 8);
        parse(buf_str(&b), 64, &ended);
        CHECK(!ended);
        b.p[at / 8] ^= (char)(1 << at % 8);
    }
    buf_release(&b);
    buf_release(&want);
    buf_release(&restored);
}

static bool long_enough(struct group *g) { return false; }

/* ---- Strangers on the port ------------------------------------------------------------------------- */

static unsigned strangers_gone;
static void stranger_on_data(void *arg, struct stream *s, const char *p, size_t n) { test_fail(__FILE__, __LINE__, "an answer"); }
static void stranger_on_close(void *arg, struct stream *s, int err, const char *reason) { strangers_gone++; }
static void stranger_on_open(void *arg, struct stream *s)
{
    unsigned kind = *(unsigned *)arg;
    struct raft_hello h = { .cluster = kind == 1 ? 1 : 0xc0ffee, .from = kind == 2 ? 1 : 2, .to = kind == 3 ? 2 : 1 };
    struct buf b = BUF_INIT;
    char junk[64];

    if (kind == 0)
        buf_z(&b, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    else
        raft_hello_encode(&h, &b);
    if (kind == 4)                               /* a good hello, then a frame that lies about its sender */
        raft_message_encode(&(struct raft_message){ .type = RAFT_MSG_TIMEOUT_NOW, .from = 3, .to = 1, .term = 99 }, NULL, &b);
    for (size_t i = 0; i < sizeof(junk); i++)
        junk[i] = (char)dice(256);
    if (kind >= 5) {
        memset(junk + 2, 0, 2);
        buf_add(&b, junk, sizeof(junk));
    }
    stream_write(s, b.p, b.n);
    stream_shutdown(s);
    buf_release(&b);
}
static const struct stream_events stranger_events = {
    .on_open = stranger_on_open, .on_data = stranger_on_data, .on_close = stranger_on_close,
};
static bool strangers_are_gone(struct group *g) { return strangers_gone == 12; }

TEST(strangers_are_shown_out)
{
    struct raft_opts base = { 0 };
    struct group *g = group_new(3, &base, 0);
    static unsigned kind[12];
    struct raft_status before, after;

    strangers_gone = 0;
    for (unsigned i = 0; i < 3; i++)
        head_start(&g->head[i]);
    CHECK(group_run(g, group_has_leader, 3000));
    raft_status(g->head[0].raft, &before);
    for (unsigned i = 0; i < 12; i++) {
        struct stream_connect_opts o = { .addr = g->addr[0], .ev = &stranger_events, .arg = &kind[i] };
        struct stream *s;
        kind[i] = i;
        CHECK_INT(stream_connect(g->loop, &o, &s, NULL), 0);
    }
    CHECK(group_run(g, strangers_are_gone, 8000));
    CHECK(group_has_leader(g));
    raft_status(g->head[0].raft, &after);
    CHECK_INT(after.term, before.term);
    group_free(g);
}

/* ---- Answers to questions of a former life --------------------------------------------------------- */

static struct stream *fake_stream;
static bool fake_ends;
static void fake_send(struct raft_message m)
{
    struct buf b = BUF_INIT;

    m.from = 2;
    m.to = 1;
    m.term = 99;
    raft_message_encode(&m, NULL, &b);
    stream_write(fake_stream, b.p, b.n);
    buf_release(&b);
}
static void fake_on_open(void *arg, struct stream *s)
{
    struct buf b = BUF_INIT;

    raft_hello_encode(&(struct raft_hello){ .cluster = 0xc0ffee, .from = 2, .to = 1 }, &b);
    stream_write(s, b.p, b.n);
    buf_release(&b);
    fake_send((struct raft_message){ .type = RAFT_MSG_HEARTBEAT, .heartbeat = { .round = 1 } });
}
static void fake_on_data(void *arg, struct stream *s, const char *p, size_t n) { }
static void fake_on_close(void *arg, struct stream *s, int err, const char *reason) { fake_ends = true; }
static const struct stream_events fake_events = {
    .on_open = fake_on_open, .on_data = fake_on_data, .on_close = fake_on_close,
};
static bool fake_is_gone(struct group *g) { return fake_ends; }
static bool fake_leads(struct group *g)
{
    struct raft_status st;

    raft_status(g->head[0].raft, &st);
    return st.leader == 2;
}
static unsigned reads_answered;
static void on_read(struct raft_read *req, int err) { reads_answered++; }

/* A head that asks, dies and asks again may hear the answer to its first question then: what has been
 * acknowledged since is not in it. */
TEST(an_answer_to_a_former_life_answers_nothing)
{
    static const uint64_t ctx[] = { 1, 2, 1000, 1ull << 40, UINT64_MAX / 2, UINT64_MAX };
    struct raft_opts base = { 0 };
    struct group *g = group_new(3, &base, 0);
    struct stream_connect_opts o = { .addr = g->addr[0], .ev = &fake_events };
    struct raft_read read = { .done = on_read };

    reads_answered = 0;
    fake_ends = false;
    for (unsigned i = 0; i < 3; i++)             /* a head with an empty directory would listen to nobody */
        head_start(&g->head[i]);
    CHECK(group_run(g, group_has_leader, 3000));
    for (unsigned i = 0; i < 3; i++)
        head_stop(&g->head[i]);
    head_start(&g->head[0]);
    CHECK_INT(stream_connect(g->loop, &o, &fake_stream, NULL), 0);
    CHECK(group_run(g, fake_leads, 3000));
    raft_read(g->head[0].raft, &read);
    group_run(g, long_enough, 20);
    for (size_t i = 0; i < ARRAY_LEN(ctx); i++)
        fake_send((struct raft_message){ .type = RAFT_MSG_READ_REPLY, .read_reply = { ctx[i], 0, true } });
    group_run(g, long_enough, 60);
    CHECK_INT(reads_answered, 0);
    CHECK(fake_leads(g));                        /* it did listen */
    if (reads_answered == 0)
        raft_read_cancel(g->head[0].raft, &read);
    stream_close(fake_stream);
    CHECK(group_run(g, fake_is_gone, 2000));
    group_free(g);
}

/* ---- TLS ------------------------------------------------------------------------------------------- */

static struct buf ca_cert, ca_key;

static void issue(struct tls_ctx **server, struct tls_ctx **client, const char *org)
{
    struct buf cert = BUF_INIT, key = BUF_INIT;
    const char *orgs[] = { org }, *sans[] = { "localhost", "127.0.0.1" };
    struct pki_req r = { .common_name = "head", .organizations = orgs, .n_organizations = 1, .sans = sans, .n_sans = 2,
                         .server = true, .client = true, .ca_cert_pem = buf_str(&ca_cert), .ca_key_pem = buf_str(&ca_key),
                         .days = 1 };
    must_ok(pki_issue(&r, &cert, &key, NULL));
    struct tls_opts o = { .server = true, .ca_pem = buf_str(&ca_cert), .cert_pem = buf_str(&cert), .key_pem = buf_str(&key) };
    must_ok(tls_ctx_new(&o, server, NULL));
    o.server = false;
    must_ok(tls_ctx_new(&o, client, NULL));
    buf_release(&cert);
    buf_release(&key);
}

static void no_accept(void *arg, struct stream *s) { stream_close(s); }

/* A port that is free now. */
static void free_addr(struct group *g, char *out, size_t cap)
{
    struct listener_opts o = { .addr = "127.0.0.1:0", .on_accept = no_accept };
    struct listener *ln;

    must_ok(listener_open(g->loop, &o, &ln, NULL));
    snprintf(out, cap, "%s", listener_addr(ln));
    listener_close(ln);
}

static void tls_group(const char *org, bool works)
{
    struct raft_opts base = { .peer_organization = "coracle:heads" };
    struct pki_req ca = { .common_name = "ca", .ca = true, .days = 1 };
    enum log_level before = log_level;

    must_ok(pki_issue(&ca, &ca_cert, &ca_key, NULL));
    issue(&base.tls_server, &base.tls_client, org);
    struct group *g = group_new(3, &base, 0);
    for (unsigned i = 0; i < 3; i++)             /* certificates carry names and addresses, so no unix sockets here */
        free_addr(g, g->addr[i], sizeof(g->addr[i]));
    log_level = LOG_ERROR;
    for (unsigned i = 0; i < 3; i++)
        head_start(&g->head[i]);
    if (works) {
        CHECK(group_run(g, group_has_leader, 5000));
    } else {
        group_run(g, long_enough, 700);
        CHECK(!group_has_leader(g));
    }
    group_free(g);
    log_level = before;
    tls_ctx_free(base.tls_server);
    tls_ctx_free(base.tls_client);
    buf_release(&ca_cert);
    buf_release(&ca_key);
}

TEST(heads_talk_over_mutual_tls) { tls_group("coracle:heads", true); }
TEST(a_certificate_of_somebody_else_is_no_head) { tls_group("coracle:nodes", false); }
