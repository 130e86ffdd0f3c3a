/* net/http_gzip.c: compression of one answer.
 *
 * Input pieces wait by reference.  Little of it (an event) is compressed on the loop; more goes to the
 * thread pool, one bounded slice at a time and few slices at once, because the same pool syncs the
 * log.  A slice that leaves nothing waiting ends with a sync flush, so a watcher sees its event; the
 * next slice is not begun while the client leaves the last ones unread. */
#include <zlib.h>
#include "net/http_conn.h"

#define GZIP_BATCH   32                          /* pieces of one slice */
#define GZIP_OUT     (128u << 10)                /* output of one slice; more output, more slices */
#define GZIP_LEVEL   1
#define GZIP_WINDOW  (13 + 16)                   /* 8 kB window, gzip header: 64 kB of state instead of 256 */
#define GZIP_MEMORY  6

struct gzip {
    const struct gzip_sink *sink; void *to;      /* NULL: dropped, freed when the pool returns it */
    struct http_server *srv;
    struct loop_work work;
    struct qlink link;                           /* waits for its visit */
    z_stream z;
    struct http_piece *in; size_t n_in, cap_in, first;
    size_t pending;
    bool busy, ending, finished;
    /* The slice at work: the pool's while busy. */
    struct http_piece batch[GZIP_BATCH]; unsigned n_batch, at;
    size_t batch_bytes;
    int flush;
    bool whole;                                  /* all its input is through and flushed */
    unsigned char *out; size_t n_out, cap_out;
};

struct gzip *gzip_new(struct http_server *srv, const struct gzip_sink *sink, void *to)
{
    struct gzip *g = mem_new(struct gzip);

    g->sink = sink;
    g->to = to;
    g->srv = srv;
    qinit(&g->link);
    must(deflateInit2(&g->z, GZIP_LEVEL, Z_DEFLATED, GZIP_WINDOW, GZIP_MEMORY, Z_DEFAULT_STRATEGY) == Z_OK);
    g->whole = true;
    return g;
}

static void gzip_free(struct gzip *g)
{
    must(!g->busy);
    for (unsigned i = 0; i < g->n_batch; i++)
        blob_unref(g->batch[i].blob);
    for (size_t i = g->first; i < g->n_in; i++)
        blob_unref(g->in[i].blob);
    qdel(&g->link);
    deflateEnd(&g->z);
    mem_free(g->in);
    mem_free(g->out);
    mem_free(g);
}

void gzip_drop(struct gzip *g)
{
    g->to = NULL;
    if (!g->busy)
        gzip_free(g);
}

void gzip_add(struct gzip *g, struct blob *b, size_t off, size_t len)
{
    must(!g->ending);
    if (g->first > 0 && g->first == g->n_in)
        g->first = g->n_in = 0;
    if (g->n_in == g->cap_in) {
        g->cap_in = MAX_OF((size_t)8, g->cap_in * 2);
        g->in = mem_realloc(g->in, g->cap_in * sizeof *g->in);
    }
    g->in[g->n_in++] = (struct http_piece){ b, (uint32_t)off, (uint32_t)len };
    g->pending += len;
}

size_t gzip_pending(const struct gzip *g)
{
    return g->pending;
}

/* Take the next slice of input out of the queue. */
static void gzip_load(struct gzip *g, size_t max)
{
    must(g->whole && g->n_batch == 0);
    g->at = 0;
    g->batch_bytes = 0;
    while (g->first < g->n_in && g->n_batch < GZIP_BATCH && g->batch_bytes < max) {
        struct http_piece *p = &g->in[g->first];
        uint32_t take = (uint32_t)MIN_OF((size_t)p->len, max - g->batch_bytes);
        bool     all = take == p->len;
        g->batch[g->n_batch++] = (struct http_piece){ all ? p->blob : blob_ref(p->blob), p->off, take };
        g->batch_bytes += take;
        p->off += take;
        p->len -= take;
        g->first += all;
    }
    bool last = g->first == g->n_in;
    g->flush = !last ? Z_NO_FLUSH : g->ending ? Z_FINISH : Z_SYNC_FLUSH;
    g->whole = false;
}

/* Runs on the pool (or the loop, for little): touches only the slice, the state and the output. */
static void gzip_deflate(struct gzip *g)
{
    z_stream *z = &g->z;
    int rc = Z_OK;

    z->next_out = g->out;
    z->avail_out = (uInt)g->cap_out;
    for (; g->at < g->n_batch && z->avail_out > 0; g->at += z->avail_in == 0) {
        struct http_piece *p = &g->batch[g->at];
        z->next_in = (unsigned char *)p->blob->data + p->off;
        z->avail_in = p->len;
        rc = deflate(z, Z_NO_FLUSH);
        must(rc == Z_OK || rc == Z_BUF_ERROR);
        p->off += p->len - z->avail_in;
        p->len = z->avail_in;
    }
    if (g->at == g->n_batch && z->avail_out > 0) {
        z->avail_in = 0;
        if (g->flush != Z_NO_FLUSH)
            rc = deflate(z, g->flush);
        must(rc == Z_OK || rc == Z_BUF_ERROR || rc == Z_STREAM_END);
        g->whole = g->flush == Z_FINISH ? rc == Z_STREAM_END : z->avail_out > 0;
        g->finished = rc == Z_STREAM_END;
    }
    g->n_out = g->cap_out - z->avail_out;
}

static void gzip_work_fn(struct loop_work *w)
{
    gzip_deflate(container_of(w, struct gzip, work));
}

/* What a slice made goes out; its input is let go. */
static void gzip_emit(struct gzip *g)
{
    if (g->whole) {
        for (unsigned i = 0; i < g->n_batch; i++)
            blob_unref(g->batch[i].blob);
        g->n_batch = 0;
        g->pending -= g->batch_bytes;
        g->batch_bytes = 0;
    }
    if (g->n_out > 0)
        g->sink->out(g->to, (char *)g->out, g->n_out);
    g->n_out = 0;
}

static void gzip_work_done(struct loop_work *w);

static void gzip_next_visits(struct http_server *srv)
{
    while (srv->gzip_running < GZIP_AT_ONCE && !qempty(&srv->gzip_waiting)) {
        struct gzip *g = qentry(qpop(&srv->gzip_waiting), struct gzip, link);
        g->busy = true;
        srv->gzip_running++;
        srv->n_conns++;                          /* a pin: the server outlives the visit */
        g->work.fn = gzip_work_fn;
        g->work.done = gzip_work_done;
        loop_work(srv->loop, &g->work);
    }
}

static void gzip_finish(struct gzip *g)
{
    const struct gzip_sink *sink = g->sink;
    void *to = g->to;

    gzip_free(g);
    sink->end(to);
}

static void gzip_work_done(struct loop_work *w)
{
    struct gzip *g = container_of(w, struct gzip, work);
    struct http_server *srv = g->srv;

    g->busy = false;
    srv->gzip_running--;
    if (g->to == NULL) {
        gzip_free(g);
    } else {
        gzip_emit(g);
        if (g->finished)
            gzip_finish(g);
        else
            g->sink->drain(g->to);               /* also goes on with the next slice */
    }
    gzip_next_visits(srv);
    server__conn_gone(srv);
}

void gzip_pump(struct gzip *g)
{
    if (g->busy || qlinked(&g->link) || g->finished || g->sink->full(g->to))
        return;
    if (g->whole && g->first == g->n_in && !g->ending)
        return;
    if (g->cap_out == 0) {
        g->cap_out = GZIP_OUT;
        g->out = mem_alloc(g->cap_out);
    }
    bool little = g->whole && g->pending <= GZIP_INLINE && g->n_in - g->first <= GZIP_BATCH;
    if (g->whole)
        gzip_load(g, GZIP_SLICE);
    if (!little) {
        qpush(&g->srv->gzip_waiting, &g->link);
        gzip_next_visits(g->srv);
        return;
    }
    gzip_deflate(g);
    must(g->whole);                              /* so little cannot overflow the output */
    gzip_emit(g);
    if (g->finished)
        gzip_finish(g);
}

void gzip_end(struct gzip *g)
{
    g->ending = true;
    gzip_pump(g);
}
