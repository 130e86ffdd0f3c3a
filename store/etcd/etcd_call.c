/* store/etcd/etcd_call.c: the life of a call: accepted, decoded, waiting for barrier or commit, answered,
 * freed. */
#include <inttypes.h>
#include <stdio.h>
#include "store/etcd/etcd_impl.h"

/* ---- errors --------------------------------------------------------------------------------------- */

#define ETCD_ROW(name, code, text) [ETCD_##name] = { GRPC_##code, text },
static const struct { enum grpc_code code; const char *text; } errors[ETCD_N_ERRORS] =
    { ETCD_ERRORS(ETCD_ROW) };

enum grpc_code etcd_error_code(enum etcd_error err) { return errors[err].code; }
const char *etcd_error_text(enum etcd_error err) { return errors[err].text; }

enum etcd_error etcd_error_of(int err)
{
    static const struct { int from; enum etcd_error to; } map[] = {
        { E_TOOBIG, ETCD_TOO_LARGE }, { E_NOTFOUND, ETCD_LEASE_NOT_FOUND }, { E_EXISTS, ETCD_LEASE_EXISTS },
        { E_CONFLICT, ETCD_KEY_NOT_FOUND }, { E_STALE, ETCD_COMPACTED }, { E_FUTURE, ETCD_FUTURE_REV },
        { E_FULL, ETCD_TOO_MANY_REQUESTS }, { E_NOSPACE, ETCD_NO_SPACE }, { E_NOLEADER, ETCD_TIMEOUT }, { E_TIMEOUT, ETCD_TIMEOUT },
        { E_UNKNOWN, ETCD_LEADER_FAILED }, { E_CLOSED, ETCD_STOPPED },
    };

    for (size_t i = 0; i < ARRAY_LEN(map); i++)
        if (map[i].from == err)
            return map[i].to;
    return ETCD_STORE;
}

/* ---- ends ----------------------------------------------------------------------------------------- */

static struct etcd_call *call_new(struct etcd *e)
{
    struct etcd_call *c;
    struct arena arena;

    if (e->n_spare == 0) {
        c = mem_new(struct etcd_call);
        arena_init_sized(&c->arena, ETCD_CALL_ARENA);
        return c;
    }
    c = qentry(qpop(&e->spare), struct etcd_call, link);
    e->n_spare--;
    arena = c->arena;
    *c = (struct etcd_call){ .arena = arena };
    return c;
}

static void call_free(struct etcd *e, struct etcd_call *c)
{
    if (e->n_spare == ETCD_SPARE_CALLS || e->closing) {
        arena_release(&c->arena);
        mem_free(c);
        return;
    }
    arena_reset(&c->arena);
    qinit(&c->link);
    qpush_front(&e->spare, &c->link);            /* the warm one is taken next */
    e->n_spare++;
}

static void etcd_drop_spare(struct etcd *e)
{
    while (e->n_spare > 0) {
        struct etcd_call *c = qentry(qpop(&e->spare), struct etcd_call, link);
        arena_release(&c->arena);
        mem_free(c);
        e->n_spare--;
    }
}

/* Nothing may follow: c may be gone. */
static void call_settle(struct etcd_call *c)
{
    struct etcd *e = c->e;

    if (c->grpc.req != NULL || c->waiting > 0)
        return;
    if (c->dropped != NULL)
        c->dropped(c);
    qdel(&c->link);
    timer_stop(&c->timer);
    call_free(e, c);
    etcd_unpin(e);
}

void etcd_fail_text(struct etcd_call *c, enum grpc_code code, const char *text)
{
    store_served(c->e->store);
    grpc_finish(&c->grpc, code, text);
    call_settle(c);
}

void etcd_fail(struct etcd_call *c, enum etcd_error err)
{
    etcd_fail_text(c, errors[err].code, errors[err].text);
}

void etcd_done(struct etcd_call *c)
{
    etcd_fail_text(c, GRPC_OK, NULL);
}

void etcd_header(const struct etcd *e, uint64_t rev, struct etcd_header *ret)
{
    struct raft_status st;

    raft_status(store_raft(e->store), &st);
    *ret = (struct etcd_header){ (int64_t)e->o.cluster, (int64_t)e->o.member, (int64_t)rev,
                                 (int64_t)st.term };
}

void etcd_append(struct buf *out, const struct pb_message *m, const void *from)
{
    grpc_head(out, pb_size(m, from));
    pb_encode(out, m, from);
}

void etcd_reply(struct etcd_call *c, const struct pb_message *m, struct etcd_reply *r)
{
    struct etcd_header h;
    struct buf *out = &c->e->out;

    if (r->header == NULL) {
        etcd_header(c->e, store_revision(c->e->store), &h);
        r->header = &h;
    }
    buf_clear(out);
    etcd_append(out, m, r);
    grpc_add(&c->grpc, buf_str(out));
    etcd_done(c);
}

/* ---- waiting -------------------------------------------------------------------------------------- */

bool etcd_resume(struct etcd_call *c)
{
    must(c->waiting > 0);
    c->waiting--;
    if (c->grpc.req != NULL)
        return true;
    call_settle(c);
    return false;
}

static void call_go_on(struct etcd_call *c, int err)
{
    if (!etcd_resume(c))
        return;
    if (err != 0)
        etcd_fail(c, etcd_error_of(err));
    else
        c->current(c);
}

static void call_on_current(struct raft_read *read, int err)
{
    call_go_on(container_of(read, struct etcd_call, read), err);
}

void etcd_when_current(struct etcd_call *c, bool serializable, void (*fn)(struct etcd_call *c))
{
    if (serializable || store_read_now(c->e->store)) {
        fn(c);
        return;
    }
    c->current = fn;
    c->waiting++;
    c->read = (struct raft_read){ .done = call_on_current };
    qinit(&c->read.link);
    store_read_barrier(c->e->store, &c->read);
}

static void call_on_rewound(struct store_rewind *w, int err)
{
    call_go_on(container_of(w, struct etcd_call, rewind), err);
}

void etcd_when_near(struct etcd_call *c, int64_t revision, void (*fn)(struct etcd_call *c))
{
    if (revision <= 0 || store_pin_is_near(c->e->store, (uint64_t)revision)) {
        fn(c);
        return;
    }
    c->current = fn;
    c->waiting++;
    c->rewind.done = call_on_rewound;
    store_rewind(c->e->store, &c->rewind, (uint64_t)revision);
}

static void call_on_commit(struct store_commit *commit, int err)
{
    struct etcd_call *c = container_of(commit, struct etcd_call, commit);

    if (!etcd_resume(c))
        return;
    if (err != 0)
        etcd_fail(c, etcd_error_of(err));
    else
        c->decided(c);
}

void etcd_commit(struct etcd_call *c, struct store_txn *t, void (*fn)(struct etcd_call *c))
{
    c->decided = fn;
    c->waiting++;
    c->commit.done = call_on_commit;
    store_commit(c->e->store, &c->commit, t);
    store_txn_release(t);
}

static void call_on_gone(struct grpc_call *g)
{
    call_settle(container_of(g, struct etcd_call, grpc));
}

static void call_on_drain(struct grpc_call *g)
{
    struct etcd_call *c = container_of(g, struct etcd_call, grpc);

    if (c->drained != NULL)
        c->drained(c);
}

static const struct grpc_events call_events = { .on_drain = call_on_drain, .on_gone = call_on_gone };

/* ---- beginning ------------------------------------------------------------------------------------ */

bool etcd_is_admin(struct etcd *e, struct http_req *req)
{
    const struct tls_peer *peer = e->o.store_only ? NULL : http_req_tls_peer(req);

    for (size_t i = 0; peer != NULL && i < peer->n_organizations; i++)
        if (strcmp(peer->organizations[i], "system:masters") == 0)
            return true;
    return e->o.store_only;
}

bool etcd_has_leader(struct etcd *e)
{
    struct raft_status st;

    raft_status(store_raft(e->store), &st);
    return st.leader != 0;
}

/* clientv3.WithRequireLeader() */
static bool requires_leader(const struct http_req *req)
{
    return str_is(http_header_get(req->headers, req->n_headers, "hasleader"), "true");
}

static const struct etcd_method *method_of(struct str path)
{
    for (unsigned i = 0; i < etcd_n_methods; i++)
        if (str_is(path, etcd_methods[i].path))
            return &etcd_methods[i];
    return NULL;
}

static void call_start(struct etcd *e, const struct etcd_method *m, struct http_req *req)
{
    struct etcd_call *c = call_new(e);
    struct str message;
    int rc;

    c->e = e;
    c->method = m;
    c->admin = etcd_is_admin(e, req);
    timer_init(&c->timer, e->loop, NULL);
    if (!grpc_unary(&c->grpc, req, &call_events, e->o.max_request_bytes + ETCD_REQUEST_SLACK, &message)) {
        call_free(e, c);
        return;
    }
    etcd_pin(e);
    qpush(&e->calls, &c->link);
    c->request = arena_alloc(&c->arena, m->request->size);
    rc = pb_decode(&c->arena, m->request, message, ETCD_MAX_ITEMS, c->request);
    if (rc == E_TOOBIG)
        etcd_fail(c, ETCD_TOO_MANY_OPS);
    else if (rc != 0)
        etcd_fail(c, ETCD_MALFORMED);
    else if (message.n > e->o.max_request_bytes)
        etcd_fail(c, ETCD_TOO_LARGE);
    else
        m->start(c);
}

static void etcd_on_request(void *arg, struct http_req *req)
{
    struct etcd *e = arg;
    const struct etcd_method *m;

    if (!grpc_is_call(req)) {
        etcd_http(e, req);
        return;
    }
    m = method_of(req->path);
    if (m == NULL) {
        char text[128];
        snprintf(text, sizeof text, "unknown method %.*s", (int)MIN_OF(req->path.n, 100), req->path.p);
        grpc_refuse(req, GRPC_UNIMPLEMENTED, text);
        return;
    }
    e->handled[m - etcd_methods]++;
    if (m->admin && !etcd_is_admin(e, req))
        grpc_refuse(req, GRPC_PERMISSION_DENIED, errors[ETCD_DENIED].text);
    else if (requires_leader(req) && !etcd_has_leader(e))
        grpc_refuse(req, GRPC_UNAVAILABLE, errors[ETCD_NO_LEADER].text);
    else if (m->stream != NULL)
        m->stream(e, req);
    else
        call_start(e, m, req);
}

/* A stream's body comes while it is answered, everything else's before. */
static int etcd_on_body(void *arg, struct http_req *req, const char **ret_reason)
{
    const struct etcd_method *m = grpc_is_call(req) ? method_of(req->path) : NULL;

    return m != NULL && m->stream != NULL ? HTTP_BODY_FOLLOWS : 0;
}

/* ---- streams -------------------------------------------------------------------------------------- */

static void etcd_on_leader_timer(struct timer *t)
{
    struct etcd *e = container_of(t, struct etcd, leader);
    bool there = etcd_has_leader(e), wanted = false;

    qeach(&e->streams, it, tmp) {
        struct etcd_stream *s = qentry(it, struct etcd_stream, link);
        if (s->needs_leader && !there)
            s->stop(s, ETCD_NO_LEADER);
        else
            wanted |= s->needs_leader;
    }
    if (wanted)
        timer_start(&e->leader, ETCD_LEADER_MS);
}

static void etcd_on_kept_timer(struct timer *t)
{
    etcd_views_drop(container_of(t, struct etcd, kept_until));
}

bool etcd_stream_open(struct etcd *e, struct etcd_stream *s, struct http_req *req,
                      const struct grpc_events *ev)
{
    if (e->closing) {
        grpc_refuse(req, GRPC_UNAVAILABLE, errors[ETCD_STOPPED].text);
        return false;
    }
    if (!grpc_stream(&s->grpc, req, ev, e->o.max_request_bytes + ETCD_REQUEST_SLACK))
        return false;
    s->e = e;
    s->needs_leader = requires_leader(req);
    qpush(&e->streams, &s->link);
    etcd_pin(e);
    if (s->needs_leader && !timer_active(&e->leader))
        timer_start(&e->leader, ETCD_LEADER_MS);
    return true;
}

void etcd_stream_close(struct etcd_stream *s)
{
    must(s->grpc.req == NULL);
    qdel(&s->link);
}

void etcd_stream_finish(struct etcd_stream *s, enum etcd_error err)
{
    grpc_finish(&s->grpc, errors[err].code, err != ETCD_OK ? errors[err].text : NULL);
    etcd_stream_close(s);
}

/* ---- life ----------------------------------------------------------------------------------------- */

static void etcd_on_freed(struct ready_item *it)
{
    struct etcd *e = container_of(it, struct etcd, freed);
    void (*closed)(void *) = e->closed;
    void  *arg = e->closed_arg;

    must(qempty(&e->calls) && qempty(&e->streams));
    timer_stop(&e->leader);
    buf_release(&e->out);
    mem_free(e->name);
    mem_free(e->client_urls);
    mem_free(e->handled);
    mem_free(e);
    if (closed != NULL)
        closed(arg);
}

void etcd_unpin(struct etcd *e)
{
    must(e->pins > 0);
    if (--e->pins == 0)
        ready_post(e->loop, &e->freed);
}

static void etcd_on_drained(void *arg)
{
    etcd_unpin(arg);
}

void etcd_close(struct etcd *e, void (*done)(void *arg), void *arg)
{
    must(!e->closing);
    e->closing = true;
    e->closed = done;
    e->closed_arg = arg;
    etcd_views_drop(e);
    etcd_drop_spare(e);
    qeach(&e->streams, it, tmp) {
        struct etcd_stream *s = qentry(it, struct etcd_stream, link);
        s->stop(s, ETCD_STOPPED);
    }
    for (unsigned i = 0; i < e->n_http; i++)
        http_server_drain(e->http[i], ETCD_DRAIN_MS, etcd_on_drained, e);
    etcd_unpin(e);
}

static struct etcd *etcd_new(const struct etcd_opts *o)
{
    struct etcd *e = mem_new(struct etcd);
    struct buf   text = BUF_INIT;

    e->o = *o;
    e->loop = o->loop;
    e->store = o->store;
    e->o.max_request_bytes = o->max_request_bytes > 0 ? o->max_request_bytes : ETCD_MAX_REQUEST;
    e->o.max_txn_ops = MIN_OF(o->max_txn_ops > 0 ? o->max_txn_ops : ETCD_MAX_TXN_OPS,
                              (unsigned)STORE_MAX_OPS);
    e->o.progress_ms = o->progress_ms > 0 ? o->progress_ms : ETCD_PROGRESS_MS;
    if (o->name == NULL)
        buf_fmt(&text, "head-%" PRIu64, o->member);
    e->name = o->name != NULL ? mem_strdup(o->name) : mem_strndup(buf_str(&text));
    buf_release(&text);
    e->handled = mem_zalloc(etcd_n_methods * sizeof *e->handled);
    qinit(&e->calls);
    qinit(&e->spare);
    qinit(&e->streams);
    timer_init(&e->leader, e->loop, etcd_on_leader_timer);
    timer_init(&e->kept_until, e->loop, etcd_on_kept_timer);
    ready_init(&e->freed, etcd_on_freed);
    e->pins = 1;                                 /* until etcd_close() */
    return e;
}

/* "http://HOST:PORT,..." of where we listen, unless clients are told otherwise. */
static void etcd_set_urls(struct etcd *e)
{
    struct buf b = BUF_INIT;

    for (unsigned i = 0; e->o.client_urls == NULL && i < e->n_http; i++)
        buf_fmt(&b, "%s%s://%s", i > 0 ? "," : "", e->o.tls != NULL ? "https" : "http",
                http_server_addr(e->http[i]));
    if (e->o.client_urls != NULL)
        buf_z(&b, e->o.client_urls);
    e->client_urls = mem_strndup(buf_str(&b));
    buf_release(&b);
}

int etcd_open(const struct etcd_opts *o, struct etcd **ret, struct errbuf *err)
{
    struct etcd *e = etcd_new(o);
    struct http_server_opts ho = {
        .tls = o->tls, .max_body = 4 * (e->o.max_request_bytes + ETCD_REQUEST_SLACK), .max_streams =
            ETCD_MAX_STREAMS,
        .on_request = etcd_on_request, .on_body = etcd_on_body, .arg = e,
    };
    int rc = 0;

    must(o->n_addrs > 0 && o->n_addrs <= ETCD_MAX_ADDRS);
    for (unsigned i = 0; rc == 0 && i < o->n_addrs; i++) {
        ho.addr = o->addrs[i];
        rc = http_server_open(e->loop, &ho, &e->http[i], err);
        if (rc == 0) {
            e->n_http++;
            etcd_pin(e);
        }
    }
    if (rc != 0) {
        etcd_close(e, NULL, NULL);
        return rc;
    }
    etcd_set_urls(e);
    *ret = e;
    return 0;
}

const char *etcd_addr(const struct etcd *e)
{
    return http_server_addr(e->http[0]);
}
