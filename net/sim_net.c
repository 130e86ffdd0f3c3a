/* net/sim_net.c: connections of the simulated world.
 *
 * A connection has two ends; packets for an end wait in its queue and arrive one by one, in order, each
 * after its link's delay.  Over a cut link they wait (TCP sends again) until the link heals or the
 * connection gives up.
 * The sender may have WINDOW bytes on their way or unread, so a reader that pauses
 * holds its peer up.
 *
 *     connect:  OPEN ->  (accept)  <- OPENED      nobody listens: <- RESET
 *     close:    EOF ->             data for an end that is closed: <- RESET
 *
 * Who gives up, or loses power, says nothing: the other end lives on half open, and learns of it only when it
 * sends (RESET, or it gives up, too). */
#include <stdio.h>
#include "net/sim_impl.h"

enum {
    WINDOW = 256 << 10, PACKET = 64 << 10,
    LOCAL_MIN_NS = 5000, LOCAL_MAX_NS = 30000,   /* within one machine */
};
#define RETRY_NS   100000000ull                  /* over a cut link */
#define GIVE_UP_NS 15000000000ull

enum packet_kind {
    PACKET_OPEN, PACKET_OPENED, PACKET_DATA, PACKET_EOF, PACKET_RESET,
    /* no packet: this end's own timeout, which no link holds up */
    PACKET_GIVE_UP,
};
struct packet { struct qlink link; enum packet_kind kind; uint64_t at; size_t n; char data[]; };

struct sim_conn;
struct sim_end {
    struct sim_conn    *conn;
    struct sim_machine *machine;
    struct sim_stream  *s;                       /* NULL: not there yet, closed or crashed */
    struct qlink        packets;                 /* coming to this end */
    uint64_t            last_at, stalled_since;
    struct sim_event   *arrival, *credit;        /* of the first packet; that this end may send more */
    size_t              unread;                  /* bytes sent to this end and not taken yet */
    bool                mute;                    /* gave up, or lost power: its closing tells the other end nothing */
};
struct sim_conn {
    struct sim    *sim;
    struct qlink   link;
    struct sim_end end[2];                       /* 0: who connected */
    bool           busy;                         /* a packet of it is being delivered: it must stay */
    char          *addr, *client;                /* of the listener; of end 0 */
};

struct sim_stream {
    struct stream   base;
    struct sim_end *end;                         /* NULL once shut */
    char            local[80];
    struct tls_peer peer;
    char            peer_name[80], peer_group[24], *peer_groups[1];
};

struct sim_listener {
    struct listener base;
    struct qlink    link;
    char            addr[80];
    void          (*on_accept)(void *arg, struct stream *s);
    void           *arg;
};

/* ---- links --------------------------------------------------------------------------------------- */

static const struct sim_net_opts *link_of(const struct sim_machine *from, const struct sim_machine *to)
{
    static const struct sim_net_opts local = { .delay_min_ns = LOCAL_MIN_NS, .delay_max_ns = LOCAL_MAX_NS };

    if (from == to)
        return &local;
    if (to->index < from->n_links && from->links[to->index].set)
        return &from->links[to->index].o;
    return &from->sim->net;
}

void sim_net_default(struct sim *s, const struct sim_net_opts *o)
{
    s->net = *o;
}

void sim_net_link(struct sim *s, struct sim_machine *from, struct sim_machine *to,
                  const struct sim_net_opts *o)
{
    if (to->index >= from->n_links) {
        struct mem_domain *was = sim__outside();
        from->links = mem_realloc(from->links, s->n_machines * sizeof *from->links);
        memset(from->links + from->n_links, 0, (s->n_machines - from->n_links) * sizeof *from->links);
        from->n_links = s->n_machines;
        mem_domain_enter(was);
    }
    from->links[to->index] = (struct sim_link){ true, *o };
}

void sim_net_heal(struct sim *s)
{
    qeach(&s->machines, it, tmp) {
        struct sim_machine *m = qentry(it, struct sim_machine, link);
        for (unsigned i = 0; i < m->n_links; i++)
            m->links[i].set = false;
    }
}

/* ---- packets ------------------------------------------------------------------------------------- */

static struct sim_end *end_other(struct sim_end *e)
{
    return e == &e->conn->end[0] ? &e->conn->end[1] : &e->conn->end[0];
}

static void end_on_arrival(void *arg);

static void end_expect(struct sim_end *e, uint64_t at)
{
    struct sim *s = e->conn->sim;

    if (e->arrival == NULL && !qempty(&e->packets))
        e->arrival = sim__at(s, MAX_OF(at, s->now), NULL, end_on_arrival, e);
}

static struct packet *end_send(struct sim_end *to, enum packet_kind kind, size_t n)
{
    struct sim *s = to->conn->sim;
    const struct sim_net_opts *o = link_of(end_other(to)->machine, to->machine);
    struct mem_domain *was = sim__outside();
    struct packet     *p = mem_alloc(sizeof *p + n);

    to->last_at = MAX_OF(to->last_at, s->now + sim__between(s, o->delay_min_ns, o->delay_max_ns));
    *p = (struct packet){ .kind = kind, .at = to->last_at, .n = n };
    to->unread += n;
    qpush(&to->packets, &p->link);
    end_expect(to, qentry(qfirst(&to->packets), struct packet, link)->at);
    mem_domain_enter(was);
    return p;
}

static void end_drop_packets(struct sim_end *e)
{
    while (!qempty(&e->packets))
        mem_free(qentry(qpop(&e->packets), struct packet, link));
    sim__cancel(e->conn->sim, e->arrival);
    e->arrival = NULL;
    e->unread = 0;
}

/* Free the connection once nobody is at either end and nothing is under way to anybody. */
static void conn_reap(struct sim_conn *c)
{
    if (c->busy)
        return;
    for (int i = 0; i < 2; i++)
        if (c->end[i].s != NULL || !qempty(&c->end[i].packets))
            return;
    for (int i = 0; i < 2; i++) {
        sim__cancel(c->sim, c->end[i].arrival);
        sim__cancel(c->sim, c->end[i].credit);
    }
    qdel(&c->link);
    mem_free(c->addr);
    mem_free(c->client);
    mem_free(c);
}

/* ---- streams ------------------------------------------------------------------------------------- */

static struct sim_stream *sim_stream(struct stream *s)
{
    return container_of(s, struct sim_stream, base);
}

static void sim_stream_flush(struct stream *base)
{
    struct sim_stream *s = sim_stream(base);
    struct sim_end    *to = end_other(s->end);

    while (base->queued > 0 && to->unread < WINDOW) {
        size_t n = MIN_OF(base->queued, (size_t)PACKET), at = 0;
        struct packet *p;
        n = MIN_OF(n, (size_t)WINDOW - to->unread);
        p = end_send(to, PACKET_DATA, n);
        for (unsigned i = 0; at < n; i++) {
            const struct stream_seg *g = stream__seg(base, i);
            size_t part = MIN_OF((size_t)g->len, n - at);
            memcpy(p->data + at, stream__seg_data(g), part);
            at += part;
        }
        stream__sent(base, n);
    }
    if (base->queued == 0 && base->shut_wanted && !base->shut_done) {
        end_send(to, PACKET_EOF, 0);
        base->shut_done = true;
    }
}

static void sim_stream_reading(struct stream *base)
{
    struct sim_end *e = sim_stream(base)->end;

    if (stream__wants_data(base) && !qempty(&e->packets))
        end_expect(e, qentry(qfirst(&e->packets), struct packet, link)->at);
}

static void sim_stream_shut(struct stream *base)
{
    struct sim_stream *s = sim_stream(base);
    struct sim_end    *e = s->end, *to = end_other(e);
    bool lost = e->unread > 0;                   /* as TCP: closing over unread bytes resets */

    s->end = NULL;
    e->s = NULL;
    end_drop_packets(e);
    sim__cancel(e->conn->sim, e->credit);
    e->credit = NULL;
    if (!e->mute && (base->err != 0 || lost))
        end_send(to, PACKET_RESET, 0);
    else if (!e->mute && !base->shut_done)
        end_send(to, PACKET_EOF, 0);
    conn_reap(e->conn);
}

static void sim_stream_free(struct stream *base)
{
    mem_free(sim_stream(base));
}

static const char *sim_stream_local(struct stream *base)
{
    return sim_stream(base)->local;
}

static const struct tls_peer *sim_stream_peer(struct stream *base)
{
    return &sim_stream(base)->peer;
}

static const char *sim_stream_alpn(struct stream *base)
{
    return "";
}

static const struct stream_ops sim_stream_ops = {
    .flush = sim_stream_flush, .reading = sim_stream_reading, .shut = sim_stream_shut,
    .free = sim_stream_free,
    .local_addr = sim_stream_local, .tls_peer = sim_stream_peer, .alpn = sim_stream_alpn,
};

/* In the machine's own memory: it is called while that runs. */
static struct sim_stream *sim_stream_new(struct sim_end *e, const struct stream_events *ev, void *arg)
{
    struct sim_stream *s = mem_new(struct sim_stream);
    struct sim_conn   *c = e->conn;
    bool client = e == &c->end[0];

    stream__init(&s->base, e->machine->loop, &sim_stream_ops, ev, arg);
    s->end = e;
    e->s = s;
    snprintf(s->local, sizeof s->local, "%s", client ? c->client : c->addr);
    s->base.peer = mem_strdup(client ? c->addr : c->client);
    snprintf(s->peer_name, sizeof s->peer_name, "system:sim:%s", end_other(e)->machine->name);
    snprintf(s->peer_group, sizeof s->peer_group, "system:masters");
    s->peer_groups[0] = s->peer_group;
    s->peer = (struct tls_peer){ .common_name = s->peer_name, .organizations = s->peer_groups, .n_organizations = 1 };
    return s;
}

/* ---- arrival ------------------------------------------------------------------------------------- */

static void end_on_open(void *arg)
{
    struct sim_end *e = arg;
    struct sim_listener *ln = NULL;

    qeach(&e->machine->listeners, it, tmp) {
        struct sim_listener *other = qentry(it, struct sim_listener, link);
        if (strcmp(other->addr, e->conn->addr) == 0)
            ln = other;
    }
    if (ln == NULL) {
        end_send(end_other(e), PACKET_RESET, 0);
        return;
    }
    struct sim_stream *s = sim_stream_new(e, NULL, NULL);
    end_send(end_other(e), PACKET_OPENED, 0);
    stream__opened(&s->base);
    ln->on_accept(ln->arg, &s->base);
}

static const char *end_reason(const struct stream *s, enum packet_kind kind)
{
    if (kind == PACKET_GIVE_UP)
        return "connection timed out";
    return s->state == STREAM_OPENING ? "connection refused" : "connection reset";
}

struct arrival { struct sim_end *e; struct packet *p; };

/* In the machine: what a packet does to a stream. */
static void end_on_packet(void *arg)
{
    struct sim_end *e = ((struct arrival *)arg)->e;
    struct packet  *p = ((struct arrival *)arg)->p;
    struct stream  *s = e->s != NULL ? &e->s->base : NULL;

    if (p->kind == PACKET_OPEN) {
        end_on_open(e);
        return;
    }
    must(s != NULL);
    stream__pin(s);
    switch (p->kind) {
    case PACKET_OPENED: stream__opened(s); break;
    case PACKET_DATA:   stream__data(s, p->data, p->n); break;
    case PACKET_EOF:    stream__eof(s); break;
    default:
        stream__fail(s, p->kind == PACKET_GIVE_UP ? E_TIMEOUT : E_IO, end_reason(s, p->kind));
        break;
    }
    stream__unpin(s);
}

static void end_flush_more(void *arg)
{
    struct sim_end *e = arg;
    stream__flush(&e->s->base);
}

/* The other side took bytes: this end may send more. */
static void end_on_credit(void *arg)
{
    struct sim_end *e = arg;

    e->credit = NULL;
    if (e->s != NULL && e->s->base.state == STREAM_OPEN)
        sim__call(e->machine, end_flush_more, e);
}

static void end_took(struct sim_end *e, size_t n)
{
    struct sim_end *from = end_other(e);
    struct sim     *s = e->conn->sim;
    const struct sim_net_opts *o = link_of(e->machine, from->machine);

    must(e->unread >= n);
    e->unread -= n;
    if (n > 0 && from->s != NULL && from->credit == NULL)
        from->credit = sim__at(s, s->now + o->delay_min_ns, NULL, end_on_credit, from);
}

/* Whatever is under way is lost; both ends learn. */
static void conn_break(struct sim_conn *c)
{
    for (int i = 0; i < 2; i++) {
        end_drop_packets(&c->end[i]);
        if (c->end[i].s != NULL)
            end_send(&c->end[i], PACKET_RESET, 0);
    }
    conn_reap(c);
}

/* What was sent to this end was never acknowledged: its sender learns, nobody else. */
static void end_unreached(struct sim_end *e)
{
    struct sim_end *from = end_other(e);

    end_drop_packets(e);
    end_drop_packets(from);
    from->mute = true;
    if (from->s != NULL)
        end_send(from, PACKET_GIVE_UP, 0);
    conn_reap(e->conn);
}

/* True: the first packet cannot pass now; it, or the end of the connection, is arranged for. */
static bool end_held_up(struct sim_end *e, const struct packet *p)
{
    struct sim *s = e->conn->sim;
    const struct sim_net_opts *o = link_of(end_other(e)->machine, e->machine);

    bool dark = e->mute && e->s == NULL && e->machine->loop == NULL;

    if ((o->cut || dark) && p->kind != PACKET_GIVE_UP) {
        if (e->stalled_since == 0)
            e->stalled_since = s->now;
        if (s->now - e->stalled_since > GIVE_UP_NS)
            end_unreached(e);
        else
            e->arrival = sim__at(s, s->now + RETRY_NS + sim_below(s, RETRY_NS), NULL, end_on_arrival, e);
        return true;
    }
    e->stalled_since = 0;
    if (p->kind == PACKET_DATA && sim__chance(s, o->drop_per_million)) {
        conn_break(e->conn);
        return true;
    }
    /* Waits for stream_resume(): sim_stream_reading() goes on. */
    return e->s != NULL && (p->kind == PACKET_DATA || p->kind == PACKET_EOF)
        && !stream__wants_data(&e->s->base);
}

static void end_on_arrival(void *arg)
{
    struct sim_end *e = arg;
    struct sim     *s = e->conn->sim;
    struct sim_conn *c = e->conn;
    struct packet  *p = qentry(qfirst(&e->packets), struct packet, link);
    size_t n;

    e->arrival = NULL;
    must(!qempty(&e->packets));
    if (p->at > s->now) {
        end_expect(e, p->at);
        return;
    }
    if (end_held_up(e, p))
        return;
    qdel(&p->link);
    n = p->n;
    sim__mix(s, n << 8 | (uint64_t)p->kind << 4 | e->machine->index);
    c->busy = true;
    if (e->s != NULL || (p->kind == PACKET_OPEN && e->machine->loop != NULL)) {
        struct arrival a = { e, p };
        end_took(e, n);                          /* before the owner sees it, who may close */
        sim__call(e->machine, end_on_packet, &a);
    } else {
        e->unread -= n;
        if ((p->kind == PACKET_OPEN || p->kind == PACKET_DATA) && end_other(e)->s != NULL)
            end_send(end_other(e), PACKET_RESET, 0);
    }
    c->busy = false;
    mem_free(p);
    if (!qempty(&e->packets))
        end_expect(e, qentry(qfirst(&e->packets), struct packet, link)->at);
    conn_reap(c);
}

/* ---- connecting and listening -------------------------------------------------------------------- */

/* "name:port" of a machine that there is. */
static struct sim_machine *machine_by_addr(struct sim *s, const char *addr)
{
    const char *colon = strrchr(addr, ':');
    size_t n = colon != NULL ? (size_t)(colon - addr) : 0;

    qeach(&s->machines, it, tmp) {
        struct sim_machine *m = qentry(it, struct sim_machine, link);
        if (n > 0 && strlen(m->name) == n && memcmp(m->name, addr, n) == 0)
            return m;
    }
    return NULL;
}

static struct sim_conn *conn_new(struct sim *s, struct sim_machine *from, struct sim_machine *to,
                                 const char *addr)
{
    struct mem_domain *was = sim__outside();
    struct sim_conn   *c = mem_new(struct sim_conn);
    char client[80];

    c->sim = s;
    for (int i = 0; i < 2; i++) {
        c->end[i].conn = c;
        c->end[i].machine = i == 0 ? from : to;
        qinit(&c->end[i].packets);
    }
    snprintf(client, sizeof client, "%s:%u", from->name, (unsigned)(s->next_port++ % 25000 + 40000));
    c->client = mem_strdup(client);
    c->addr = mem_strdup(addr);
    qpush(&s->conns, &c->link);
    mem_domain_enter(was);
    return c;
}

int sim__connect(struct loop *l, const struct stream_connect_opts *o, struct stream **ret, struct errbuf *err)
{
    struct sim_machine *from = sim__machine_of(l), *to = machine_by_addr(from->sim, o->addr);
    struct sim_stream  *s;
    struct sim_conn    *c;

    must(from->sim->running == from);            /* else its memory would be nobody's: see sim_do() */
    if (to == NULL)
        return err_set(err, E_INVALID, "no such address: \"%.100s\"", o->addr);
    c = conn_new(from->sim, from, to, o->addr);
    s = sim_stream_new(&c->end[0], o->ev, o->arg);
    stream__deadline(&s->base, o->timeout_ms > 0 ? o->timeout_ms : 10000);
    end_send(&c->end[1], PACKET_OPEN, 0);
    *ret = &s->base;
    return 0;
}

static void sim_listener_close(struct listener *base)
{
    struct sim_listener *ln = container_of(base, struct sim_listener, base);

    qdel(&ln->link);
    must(base->loop->n_open > 0);
    base->loop->n_open--;
    mem_free(ln);
}

static const char *sim_listener_addr(struct listener *base)
{
    return container_of(base, struct sim_listener, base)->addr;
}

static const struct listener_ops sim_listener_ops = { sim_listener_close, sim_listener_addr };

int sim__listen(struct loop *l, const struct listener_opts *o, struct listener **ret, struct errbuf *err)
{
    struct sim_machine  *m = sim__machine_of(l);
    const char          *colon = strrchr(o->addr, ':');
    struct sim_listener *ln;

    must(m->sim->running == m);
    if (machine_by_addr(m->sim, o->addr) != m || strlen(o->addr) >= sizeof ln->addr)
        return err_set(err, E_INVALID, "not an address of %s: \"%.100s\"", m->name, o->addr);
    qeach(&m->listeners, it, tmp)
        if (strcmp(qentry(it, struct sim_listener, link)->addr, o->addr) == 0)
            return err_set(err, E_EXISTS, "in use: %s", o->addr);
    ln = mem_new(struct sim_listener);
    ln->base = (struct listener){ &sim_listener_ops, l };
    if (strcmp(colon, ":0") == 0)
        snprintf(ln->addr, sizeof ln->addr, "%s:%u", m->name,
                 (unsigned)(m->sim->next_port++ % 25000 + 40000));
    else
        snprintf(ln->addr, sizeof ln->addr, "%s", o->addr);
    ln->on_accept = o->on_accept;
    ln->arg = o->arg;
    qpush(&m->listeners, &ln->link);
    l->n_open++;
    *ret = &ln->base;
    return 0;
}

/* ---- the end ------------------------------------------------------------------------------------- */

void sim__net_crash(struct sim_machine *m, bool silent)
{
    qinit(&m->listeners);
    qeach(&m->sim->conns, it, tmp) {
        struct sim_conn *c = qentry(it, struct sim_conn, link);
        bool gone = false;
        for (int i = 0; i < 2; i++) {
            if (c->end[i].machine != m)
                continue;
            gone |= c->end[i].s != NULL;
            c->end[i].mute |= silent;
            c->end[i].s = NULL;
            end_drop_packets(&c->end[i]);
            sim__cancel(m->sim, c->end[i].credit);
            c->end[i].credit = NULL;
        }
        for (int i = 0; i < 2; i++)
            if (gone && !silent && c->end[i].s != NULL)
                end_send(&c->end[i], PACKET_RESET, 0);
        conn_reap(c);
    }
}

void sim__net_free(struct sim *s)
{
    must(qempty(&s->machines));
    qeach(&s->conns, it, tmp) {
        struct sim_conn *c = qentry(it, struct sim_conn, link);
        for (int i = 0; i < 2; i++) {
            c->end[i].s = NULL;
            end_drop_packets(&c->end[i]);
        }
        conn_reap(c);
    }
}
