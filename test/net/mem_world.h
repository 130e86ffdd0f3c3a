/* test/net/mem_world.h: a world of one loop whose streams are buffers in memory and whose time is
 * virtual: for tests and fuzz targets that want every read split, every delay and every stall in
 * their own hands.  Addresses are any text; port 0 and TLS mean nothing. */
#ifndef TEST_NET_MEM_WORLD_H
#define TEST_NET_MEM_WORLD_H

#include <stdio.h>
#include "net/stream_impl.h"

struct mem_world {
    struct loop l;
    struct qlink streams, listeners;
    uint64_t clock_ns, end_ns;                   /* end: no time passes beyond it; 0: no bound */
    size_t piece;                                /* bytes of one on_data at most */
    size_t capacity;                             /* bytes on the way in one direction */
    unsigned seed;
};

struct mem_stream {
    struct stream s;
    struct mem_world *w;
    struct qlink link;
    struct mem_stream *peer;
    bool opening, rx_eof, rx_broken;
    struct buf rx; size_t rx_at;                 /* what came, and how much of it was taken */
};

struct mem_listener { struct listener ln; struct mem_world *w; struct qlink link; struct listener_opts o; char addr[64]; };

static size_t mem_waiting(const struct mem_stream *m) { return m->rx.n - m->rx_at; }

static void mem_flush(struct stream *s)
{
    struct mem_stream *m = container_of(s, struct mem_stream, s);

    while (s->n_seg > 0 && m->peer != NULL && mem_waiting(m->peer) < m->w->capacity) {
        struct stream_seg *g = stream__seg(s, 0);
        size_t n = MIN_OF((size_t)g->len, m->w->capacity - mem_waiting(m->peer));
        buf_add(&m->peer->rx, stream__seg_data(g), n);
        stream__sent(s, n);
    }
    if (s->n_seg == 0 && s->shut_wanted && !s->shut_done) {
        s->shut_done = true;
        if (m->peer != NULL)
            m->peer->rx_eof = true;
    }
}

static void mem_reading(struct stream *s) { }

static void mem_shut(struct stream *s)
{
    struct mem_stream *m = container_of(s, struct mem_stream, s);

    if (m->peer != NULL) {
        *(mem_waiting(m) == 0 && s->err == 0 && s->queued == 0 ? &m->peer->rx_eof : &m->peer->rx_broken) = true;
        m->peer->peer = NULL;
    }
    m->peer = NULL;
    qdel(&m->link);
}

static void mem_stream_free(struct stream *s)
{
    struct mem_stream *m = container_of(s, struct mem_stream, s);

    buf_release(&m->rx);
    mem_free(m);
}

static const char *mem_local_addr(struct stream *s) { return "mem"; }
static const struct tls_peer *mem_tls_peer(struct stream *s) { return NULL; }
static const char *mem_alpn(struct stream *s) { return ""; }

static const struct stream_ops mem_stream_ops = {
    mem_flush, mem_reading, mem_shut, mem_stream_free, mem_local_addr, mem_tls_peer, mem_alpn,
};

static struct mem_stream *mem_stream_new(struct mem_world *w, const struct stream_events *ev, void *arg)
{
    struct mem_stream *m = mem_new(struct mem_stream);

    stream__init(&m->s, &w->l, &mem_stream_ops, ev, arg);
    m->w = w;
    qinit(&m->link);
    qpush(&w->streams, &m->link);
    return m;
}

static int mem_connect(struct loop *l, const struct stream_connect_opts *o, struct stream **ret, struct errbuf *err)
{
    struct mem_world *w = container_of(l, struct mem_world, l);

    if (o->addr[0] == '?')
        return err_set(err, E_INVALID, "not an address: %s", o->addr);
    struct mem_stream *m = mem_stream_new(w, o->ev, o->arg);
    m->s.peer = mem_strdup(o->addr);
    m->opening = true;
    *ret = &m->s;
    return 0;
}

static void mem_listener_close(struct listener *ln)
{
    struct mem_listener *m = container_of(ln, struct mem_listener, ln);

    m->w->l.n_open--;
    qdel(&m->link);
    mem_free(m);
}

static const char *mem_listener_addr(struct listener *ln) { return container_of(ln, struct mem_listener, ln)->addr; }

static int mem_listen(struct loop *l, const struct listener_opts *o, struct listener **ret, struct errbuf *err)
{
    static const struct listener_ops ops = { mem_listener_close, mem_listener_addr };
    struct mem_world *w = container_of(l, struct mem_world, l);
    struct mem_listener *m = mem_new(struct mem_listener);

    m->ln.ops = &ops;
    m->ln.loop = l;
    m->w = w;
    m->o = *o;
    snprintf(m->addr, sizeof m->addr, "%s", o->addr);
    qinit(&m->link);
    qpush(&w->listeners, &m->link);
    l->n_open++;
    *ret = &m->ln;
    return 0;
}

static void mem_open(struct mem_world *w, struct mem_stream *m)
{
    m->opening = false;
    qeach(&w->listeners, it, tmp) {
        struct mem_listener *ln = qentry(it, struct mem_listener, link);
        if (strcmp(ln->addr, m->s.peer) != 0)
            continue;
        struct mem_stream *other = mem_stream_new(w, NULL, NULL);
        other->s.peer = mem_strdup("peer");
        other->peer = m;
        m->peer = other;
        stream__opened(&other->s);
        ln->o.on_accept(ln->o.arg, &other->s);
        stream__opened(&m->s);
        return;
    }
    stream__fail(&m->s, E_IO, "connection refused");
}

/* One event of one stream; false when it has none. */
static bool mem_stream_step(struct mem_world *w, struct mem_stream *m)
{
    struct stream *s = &m->s;

    if (m->opening) {
        mem_open(w, m);
    } else if (mem_waiting(m) > 0 && stream__wants_data(s)) {
        size_t n = MIN_OF(mem_waiting(m), w->piece);
        char  *copy = mem_alloc(n);              /* exactly n: reads beyond are seen by the sanitizer */
        memcpy(copy, m->rx.p + m->rx_at, n);
        m->rx_at += n;
        if (m->rx_at > m->rx.n / 2) {
            buf_drop(&m->rx, m->rx_at);
            m->rx_at = 0;
        }
        stream__pin(s);
        stream__data(s, copy, n);
        stream__unpin(s);
        mem_free(copy);
    } else if (m->rx_broken && mem_waiting(m) == 0) {
        stream__fail(s, E_IO, "connection reset");
    } else if (m->rx_eof && mem_waiting(m) == 0 && stream__wants_data(s)) {
        stream__eof(s);
    } else if (s->state == STREAM_OPEN && s->queued > 0 && m->peer != NULL && mem_waiting(m->peer) < w->capacity) {
        stream__flush(s);
    } else {
        return false;
    }
    return true;
}

/* One event, one turn.  False when nothing can happen any more (within the time allowed). */
static bool mem_step(struct mem_world *w)
{
    bool any = false;

    loop__wake_up(&w->l);
    qeach(&w->streams, it, tmp)
        if ((any = mem_stream_step(w, qentry(it, struct mem_stream, link)))) {
            if (qlinked(it)) {                   /* round robin */
                qdel(it);
                qpush(&w->streams, it);
            }
            break;
        }
    uint64_t due = loop__due(&w->l);
    if (!any && due == LOOP_NEVER)
        return false;
    if (!any && due > w->clock_ns) {
        if (w->end_ns != 0 && due > w->end_ns)
            return false;
        w->clock_ns = due;
    }
    loop__wake_up(&w->l);
    loop__turn(&w->l);
    return true;
}

static void mem_run(struct loop *l)
{
    struct mem_world *w = container_of(l, struct mem_world, l);

    while (!l->stopping && mem_step(w)) { }
    l->stopping = false;
}

/* Until nothing happens for ms of virtual time. */
static inline void mem_run_for(struct mem_world *w, uint64_t ms)
{
    w->end_ns = w->clock_ns + ms * 1000000;
    mem_run(&w->l);
    w->clock_ns = MAX_OF(w->clock_ns, w->end_ns);
    w->end_ns = 0;
    loop__wake_up(&w->l);
}

static uint64_t mem_clock(struct loop *l) { return container_of(l, struct mem_world, l)->clock_ns; }
static int64_t  mem_wall(struct loop *l) { return 784111777000000000 + (int64_t)mem_clock(l); }

static void mem_random(struct loop *l, void *p, size_t n)
{
    struct mem_world *w = container_of(l, struct mem_world, l);

    for (size_t i = 0; i < n; i++)
        ((unsigned char *)p)[i] = (unsigned char)((w->seed = w->seed * 1103515245 + 12345) >> 16);
}

struct mem_work { struct ready_item item; struct loop_work *w; };
static void mem_on_work(struct ready_item *it)
{
    struct mem_work *mw = container_of(it, struct mem_work, item);
    struct loop_work *w = mw->w;

    mem_free(mw);
    w->fn(w);
    w->done(w);
}

static void mem_do_work(struct loop *l, struct loop_work *w)
{
    struct mem_work *mw = mem_new(struct mem_work);

    mw->w = w;
    ready_init(&mw->item, mem_on_work);
    ready_post(l, &mw->item);
}

static void mem_world_free(struct loop *l)
{
    loop__fini(l);
    mem_free(container_of(l, struct mem_world, l));
}

static inline struct mem_world *mem_world_new(void)
{
    static const struct loop_ops ops = {
        .free = mem_world_free, .run = mem_run, .clock = mem_clock, .wall = mem_wall, .random = mem_random,
        .work = mem_do_work, .connect = mem_connect, .listen = mem_listen,
    };
    struct mem_world *w = mem_new(struct mem_world);

    loop__init(&w->l, &ops);
    qinit(&w->streams);
    qinit(&w->listeners);
    w->clock_ns = 1000000000;
    w->piece = 64 << 10;
    w->capacity = 256 << 10;
    return w;
}

#endif
