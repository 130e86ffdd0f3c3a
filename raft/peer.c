/* raft/peer.c: dialing, accepting, hello, frames. */
#include "net/log.h"
#include "raft/peer.h"

/* A frame so long is queued in one piece: TLS takes its records out of it without gathering them. */
#define PEER_WHOLE (16u << 10)

struct link {                                    /* to one other head: we dial */
    struct peers *peers;                         /* borrowed; pinned while stream != NULL */
    struct qlink link;
    uint64_t id;
    char     addr[RAFT_ADDR_MAX];
    struct stream *stream;                       /* NULL: waiting for the timer */
    bool     open, unwanted, guest;              /* guest: not in the configuration, but connected to us */
    bool     nameless;                           /* our hello could not say where we are: we did not know */
    struct buf in;                               /* a farewell, in pieces */
    struct timer retry;                          /* back-off; while open: watches a stuck queue */
    unsigned backoff_ms, quiet;
    size_t   queued_seen;
    uint64_t sent;
};

struct incoming {                                /* from another head: it dialed */
    struct peers *peers;
    struct qlink link;
    struct stream *stream;
    uint64_t id;                                 /* 0 until its hello */
    bool leaving;                                /* farewell was said: nothing it sends counts */
    struct buf in;
    struct timer hello;
};

struct peers {
    struct peers_opts opts;
    struct listener *listener;
    struct qlink links, incoming;
    unsigned n_incoming, pins;
    struct buf scratch;
    struct raft_config config;
    bool closing;
    struct ready_item closed;
    void (*close_cb)(void *arg);
    void *close_arg;
};

static void peers_unpin(struct peers *p)
{
    must(p->pins > 0);
    if (--p->pins == 0)
        ready_post(p->opts.loop, &p->closed);
}

static void peers_on_closed(struct ready_item *it)
{
    struct peers *p = container_of(it, struct peers, closed);
    void (*cb)(void *) = p->close_cb;
    void *arg = p->close_arg;

    must(qempty(&p->links) && qempty(&p->incoming));
    buf_release(&p->scratch);
    mem_free(p);
    if (cb != NULL)
        cb(arg);
}

/* Is it a head?  Nodes and users may have certificates of the same CA. */
static bool peers_trusts(const struct peers *p, struct stream *s)
{
    const struct tls_peer *t = stream_tls_peer(s);

    if (p->opts.tls_server == NULL)
        return true;
    if (t == NULL)
        return false;
    for (size_t i = 0; i < t->n_organizations; i++)
        if (p->opts.organization != NULL && strcmp(t->organizations[i], p->opts.organization) == 0)
            return true;
    return p->opts.organization == NULL;
}

/* ---- To others ----------------------------------------------------------------------------------- */

static void link_free(struct link *k)
{
    must(k->stream == NULL);
    timer_stop(&k->retry);
    qdel(&k->link);
    buf_release(&k->in);
    peers_unpin(k->peers);
    mem_free(k);
}

static void link_on_open(void *arg, struct stream *s)
{
    struct link *k = arg;
    struct raft_hello h = { .cluster = k->peers->opts.cluster, .from = k->peers->opts.id, .to = k->id };
    int self = raft_config_find(&k->peers->config, h.from);

    if (self >= 0)
        memcpy(h.addr, k->peers->config.head[self].addr, sizeof(h.addr));
    k->nameless = h.addr[0] == '\0';
    buf_clear(&k->peers->scratch);
    raft_hello_encode(&h, &k->peers->scratch);
    stream_write(s, k->peers->scratch.p, k->peers->scratch.n);
    stream_keep_buffers(s);
    k->open = true;
    k->queued_seen = 0;
    k->quiet = 0;
    timer_start(&k->retry, RAFT_PEER_STUCK_MS / 4);
    k->peers->opts.on_up(k->peers->opts.arg, k->id);
}

/* Nobody speaks on this side, but to say farewell. */
static void link_on_data(void *arg, struct stream *s, const char *p, size_t n)
{
    struct link *k = arg;
    struct peers *peers = k->peers;
    struct raft_hello h;
    struct str rest, payload;
    size_t need;
    int rc = E_INVALID;

    if (k->in.n + n <= RAFT_MAX_HELLO) {
        buf_add(&k->in, p, n);
        rest = buf_str(&k->in);
        rc = raft_frame_cut(&rest, &payload, &need);
    }
    if (rc == 0 && need <= RAFT_MAX_HELLO)
        return;
    bool removed = rc == 1 && raft_farewell_decode(payload, &h) == 0 && h.cluster == peers->opts.cluster
                && h.from == k->id && h.to == peers->opts.id && peers_trusts(peers, s);
    stream_close(s);
    if (removed && !peers->closing)
        peers->opts.on_removed(peers->opts.arg, k->id);
}

static void link_on_close(void *arg, struct stream *s, int err, const char *reason)
{
    struct link *k = arg;
    bool was_open = k->open;

    k->stream = NULL;
    k->open = false;
    buf_clear(&k->in);
    if (k->unwanted) {
        link_free(k);
        return;
    }
    log_debug("raft", "to head %llu: %s", (unsigned long long)k->id, reason != NULL ? reason : "closed");
    k->backoff_ms = was_open ? RAFT_PEER_BACKOFF_MIN_MS : MIN_OF(2 * k->backoff_ms, RAFT_PEER_BACKOFF_MAX_MS);
    timer_start(&k->retry, k->backoff_ms / 2 + loop_random_u64(k->peers->opts.loop) % (k->backoff_ms / 2 + 1));
    if (was_open)
        k->peers->opts.on_lost(k->peers->opts.arg, k->id);
}

static const struct stream_events link_events = {
    .on_open = link_on_open, .on_data = link_on_data, .on_close = link_on_close,
};

static void link_dial(struct link *k)
{
    struct stream_connect_opts o = { .addr = k->addr, .tls = k->peers->opts.tls_client, .timeout_ms = 2000,
                                     .unacked_ms = RAFT_PEER_STUCK_MS, .ev = &link_events, .arg = k };
    struct errbuf err = { { 0 } };

    must(k->stream == NULL);
    if (stream_connect(k->peers->opts.loop, &o, &k->stream, &err) == 0)
        return;
    k->stream = NULL;
    log_error("raft", "address of head %llu: %s", (unsigned long long)k->id, err.s);
    timer_start(&k->retry, RAFT_PEER_BACKOFF_MAX_MS);
}

/* Not open: dial. Open: a queue that has not shrunk for RAFT_PEER_STUCK_MS is a dead connection that
 * nobody reset. */
static void link_on_timer(struct timer *t)
{
    struct link *k = container_of(t, struct link, retry);

    if (k->stream == NULL) {
        link_dial(k);
        return;
    }
    size_t queued = stream_queued(k->stream);
    k->quiet = queued > 0 && queued >= k->queued_seen && k->queued_seen > 0 ? k->quiet + 1 : 0;
    k->queued_seen = queued;
    if (k->quiet >= 4)
        stream_close(k->stream);
    else
        timer_start(&k->retry, RAFT_PEER_STUCK_MS / 4);
}

static void link_drop(struct link *k)
{
    k->unwanted = true;
    timer_stop(&k->retry);
    if (k->stream != NULL)
        stream_close(k->stream);                 /* freed in its on_close */
    else
        link_free(k);
}

static void incoming_farewell(struct incoming *in, uint64_t to);

static struct link *peers_find(const struct peers *p, uint64_t id)
{
    for (struct qlink *l = p->links.next; l != &p->links; l = l->next) {
        struct link *k = qentry(l, struct link, link);
        if (k->id == id && !k->unwanted)
            return k;
    }
    return NULL;
}

static struct link *link_new(struct peers *p, uint64_t id, const char addr[RAFT_ADDR_MAX])
{
    struct link *k = mem_new(struct link);

    k->peers = p;
    k->id = id;
    memcpy(k->addr, addr, sizeof(k->addr));
    k->backoff_ms = RAFT_PEER_BACKOFF_MIN_MS;
    timer_init(&k->retry, p->opts.loop, link_on_timer);
    qpush(&p->links, &k->link);
    p->pins++;
    timer_start(&k->retry, 0);
    return k;
}

/* One that is not in the configuration stays while it visits, or while its removal is not settled. */
static bool link_stays(const struct link *k, const struct raft_config *c)
{
    int slot = raft_config_find(c, k->id);

    if (slot >= 0)
        return strcmp(c->head[slot].addr, k->addr) == 0;
    return (k->guest || raft_config_left(c, k->id)) && !k->peers->opts.has_left(k->peers->opts.arg, k->id);
}

static void peers_say_farewell(struct peers *p)
{
    qeach(&p->incoming, it, tmp) {
        struct incoming *in = qentry(it, struct incoming, link);
        if (in->id != 0 && !in->leaving && p->opts.has_left(p->opts.arg, in->id))
            incoming_farewell(in, in->id);
    }
}

/* Whoever does not have us in its configuration, because it is behind, answers only where a hello said that
 * we are: it is said again now that we know. */
static void peers_say_where(struct peers *p)
{
    int self = raft_config_find(&p->config, p->opts.id);

    if (self < 0 || p->config.head[self].addr[0] == '\0')
        return;
    qeach(&p->links, it, tmp) {
        struct link *k = qentry(it, struct link, link);
        if (k->open && k->nameless && !k->unwanted)
            stream_close(k->stream);
    }
}

void peers_use(struct peers *p, const struct raft_config *c)
{
    must(!p->closing);
    p->config = *c;
    peers_say_where(p);
    qeach(&p->links, it, tmp) {
        struct link *k = qentry(it, struct link, link);
        if (!k->unwanted && !link_stays(k, c))
            link_drop(k);
        else if (raft_config_find(c, k->id) >= 0)
            k->guest = false;
    }
    for (unsigned i = 0; i < c->n; i++)
        if (c->head[i].id != p->opts.id && c->head[i].addr[0] != '\0' && peers_find(p, c->head[i].id) == NULL)
            link_new(p, c->head[i].id, c->head[i].addr);
    peers_say_farewell(p);
}

bool peers_connected(const struct peers *p, uint64_t id)
{
    struct link *k = peers_find(p, id);

    return k != NULL && k->open;
}

bool peers_send(struct peers *p, const struct raft_message *m, const struct raft_log *log)
{
    struct link *k = peers_find(p, m->to);

    if (k == NULL || !k->open || stream_queued(k->stream) > RAFT_PEER_QUEUE)
        return false;
    buf_clear(&p->scratch);
    raft_message_encode(m, log, &p->scratch);
    if (p->scratch.n >= PEER_WHOLE) {
        struct blob *frame = buf_to_blob(&p->scratch);
        stream_write_blob(k->stream, frame, 0, frame->len);
    } else {
        stream_write(k->stream, p->scratch.p, p->scratch.n);
    }
    if (p->scratch.cap > (4u << 20))
        buf_release(&p->scratch);
    return true;
}

/* ---- From others --------------------------------------------------------------------------------- */

/* A guest that no longer visits. */
static void incoming_drop_guest(struct peers *p, const struct incoming *gone)
{
    struct link *k = peers_find(p, gone->id);

    for (struct qlink *l = p->incoming.next; l != &p->incoming; l = l->next) {
        const struct incoming *other = qentry(l, struct incoming, link);
        if (other != gone && other->id == gone->id)
            return;
    }
    if (k != NULL && k->guest && !p->closing)
        link_drop(k);
}

static void incoming_on_close(void *arg, struct stream *s, int err, const char *reason)
{
    struct incoming *in = arg;
    struct peers *p = in->peers;

    if (in->id != 0 && !p->closing)
        p->opts.on_lost(p->opts.arg, in->id);
    if (in->id != 0)
        incoming_drop_guest(p, in);
    timer_stop(&in->hello);
    qdel(&in->link);
    buf_release(&in->in);
    mem_free(in);
    p->n_incoming--;
    peers_unpin(p);
}

static void incoming_refuse(struct incoming *in, const char *why)
{
    log_warn("raft", "connection from %s dropped: %s", stream_peer_addr(in->stream), why);
    stream_close(in->stream);
}

/* What was written is sent before the connection closes. */
static void incoming_farewell(struct incoming *in, uint64_t to)
{
    struct peers *p = in->peers;
    struct raft_hello h = { .cluster = p->opts.cluster, .from = p->opts.id, .to = to };

    buf_clear(&p->scratch);
    raft_farewell_encode(&h, &p->scratch);
    stream_write(in->stream, p->scratch.p, p->scratch.n);
    log_info("raft", "head %llu was removed from the cluster: told so", (unsigned long long)to);
    in->leaving = true;
    stream_close_after_flush(in->stream);
}

static void incoming_admit(struct incoming *in, const struct raft_hello *h)
{
    struct peers *p = in->peers;

    in->id = h->from;
    timer_stop(&in->hello);
    stream_keep_buffers(in->stream);
    if (raft_config_find(&p->config, h->from) < 0 && h->addr[0] != '\0' && peers_find(p, h->from) == NULL)
        link_new(p, h->from, h->addr)->guest = true;
}

static bool incoming_hello(struct incoming *in, struct str payload)
{
    struct peers *p = in->peers;
    struct raft_hello h;

    if (raft_hello_decode(payload, &h) != 0) {
        incoming_refuse(in, "no hello of a head");
    } else if (h.cluster != p->opts.cluster) {
        incoming_refuse(in, "it belongs to another cluster: --cluster must be the same on all heads");
    } else if (h.to != p->opts.id) {
        incoming_refuse(in, "it looks for another head");
    } else if (h.from == p->opts.id || h.from == 0) {
        incoming_refuse(in, "it has this head's number");
    } else if (p->opts.has_left(p->opts.arg, h.from)) {
        incoming_farewell(in, h.from);
    } else {
        incoming_admit(in, &h);
        return true;
    }
    return false;
}

static bool incoming_message(struct incoming *in, struct str payload)
{
    struct peers *p = in->peers;
    struct blob *owner = blob_copy(payload);
    struct raft_message m;

    if (raft_message_decode(blob_str(owner), owner, &m) != 0) {
        blob_unref(owner);
        incoming_refuse(in, "a message that makes no sense");
        return false;
    }
    if (m.from != in->id || m.to != p->opts.id) {
        raft_message_release(&m);
        blob_unref(owner);
        incoming_refuse(in, "a message in another head's name");
        return false;
    }
    p->opts.on_message(p->opts.arg, &m, owner);
    blob_unref(owner);
    return true;
}

/* Whole frames are taken from where they lie; a partial one waits in `in`. */
static void incoming_on_data(void *arg, struct stream *s, const char *bytes, size_t n)
{
    struct incoming *in = arg;
    struct str rest = str_make(bytes, n), payload;
    size_t need;
    int rc;

    if (in->peers->closing || in->leaving)
        return;
    if (in->in.n > 0) {
        buf_add(&in->in, bytes, n);
        rest = buf_str(&in->in);
    }
    while ((rc = raft_frame_cut(&rest, &payload, &need)) == 1)
        if (in->id == 0 ? !incoming_hello(in, payload) : !incoming_message(in, payload))
            return;
    if (rc < 0) {
        incoming_refuse(in, "a frame that does not verify");
        return;
    }
    if (in->id == 0 && need > RAFT_MAX_HELLO) {
        incoming_refuse(in, "no hello of a head");
        return;
    }
    if (in->in.n > 0) {
        buf_drop(&in->in, in->in.n - rest.n);
        if (rest.n == 0 && in->in.cap > (1u << 20))
            buf_release(&in->in);
    } else if (rest.n > 0) {
        buf_reserve(&in->in, need);
        buf_str_add(&in->in, rest);
    }
}

static const struct stream_events incoming_events = {
    .on_data = incoming_on_data, .on_close = incoming_on_close,
};

static void incoming_on_late(struct timer *t)
{
    struct incoming *in = container_of(t, struct incoming, hello);

    incoming_refuse(in, "no hello in time");
}

static void peers_on_accept(void *arg, struct stream *s)
{
    struct peers *p = arg;
    struct incoming *in = mem_new(struct incoming);

    in->peers = p;
    in->stream = s;
    timer_init(&in->hello, p->opts.loop, incoming_on_late);
    qpush(&p->incoming, &in->link);
    p->pins++;
    p->n_incoming++;
    stream_set_events(s, &incoming_events, in);
    if (p->closing || p->n_incoming > RAFT_MAX_INCOMING)
        stream_close(s);
    else if (!peers_trusts(p, s))
        incoming_refuse(in, "its certificate is not a head's");
    else
        timer_start(&in->hello, RAFT_HELLO_MS);
}

/* ---- Life ---------------------------------------------------------------------------------------- */

int peers_open(const struct peers_opts *o, struct peers **ret, struct errbuf *err)
{
    struct peers *p = mem_new(struct peers);
    struct listener_opts lo = { .addr = o->listen_addr, .tls = o->tls_server, .on_accept = peers_on_accept, .arg = p };
    int rc;

    p->opts = *o;
    qinit(&p->links);
    qinit(&p->incoming);
    ready_init(&p->closed, peers_on_closed);
    p->pins = 1;
    rc = listener_open(o->loop, &lo, &p->listener, err);
    if (rc != 0) {
        mem_free(p);
        return err_wrap(err, rc, "listening for heads on %s", o->listen_addr);
    }
    *ret = p;
    return 0;
}

void peers_close(struct peers *p, void (*done)(void *arg), void *arg)
{
    must(!p->closing);
    p->closing = true;
    p->close_cb = done;
    p->close_arg = arg;
    listener_close(p->listener);
    qeach(&p->links, it, tmp)
        link_drop(qentry(it, struct link, link));
    qeach(&p->incoming, it2, tmp2)
        stream_close(qentry(it2, struct incoming, link)->stream);
    peers_unpin(p);
}

const char *peers_addr(const struct peers *p) { return listener_addr(p->listener); }
