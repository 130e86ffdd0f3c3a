/* net/pipe.c: see net/pipe.h. */
#include "net/pipe.h"

struct pipe_end { struct pipe *pipe; struct stream *s; bool paused, eof; };
struct pipe {
    struct qlink link;
    struct pipe_end a, b;
    void (*on_end)(void *arg); void *arg;
};

static struct pipe_end *other_end(struct pipe_end *e)
{
    return e == &e->pipe->a ? &e->pipe->b : &e->pipe->a;
}

static void end_on_data(void *arg, struct stream *s, const char *p, size_t n)
{
    struct pipe_end *e = arg, *to = other_end(e);

    if (to->s == NULL)
        return;
    stream_write(to->s, p, n);
    if (!e->paused && stream_queued(to->s) > PIPE_QUEUE_MAX) {
        e->paused = true;
        stream_pause(s);
    }
}

static void end_on_drain(void *arg, struct stream *s)
{
    struct pipe_end *from = other_end(arg);

    if (from->paused && from->s != NULL)
        stream_resume(from->s);
    from->paused = false;
}

static void end_on_eof(void *arg, struct stream *s)
{
    struct pipe_end *e = arg, *to = other_end(e);

    e->eof = true;
    if (to->s == NULL || to->eof)
        stream_close_after_flush(s);
    if (to->s != NULL)
        (to->eof ? stream_close_after_flush : stream_shutdown)(to->s);
}

static void end_on_close(void *arg, struct stream *s, int err, const char *reason)
{
    struct pipe_end *e = arg, *to = other_end(e);
    struct pipe     *p = e->pipe;

    e->s = NULL;
    if (to->s != NULL) {
        stream_close_after_flush(to->s);
        return;
    }
    qdel(&p->link);
    if (p->on_end != NULL)
        p->on_end(p->arg);
    mem_free(p);
}

static const struct stream_events end_events = {
    .on_data = end_on_data, .on_eof = end_on_eof, .on_drain = end_on_drain, .on_close = end_on_close,
};

void pipe_start(struct stream *a, struct stream *b, struct qlink *list, void (*on_end)(void *arg), void *arg)
{
    struct pipe *p = mem_new(struct pipe);

    p->a = (struct pipe_end){ .pipe = p, .s = a };
    p->b = (struct pipe_end){ .pipe = p, .s = b };
    p->on_end = on_end;
    p->arg = arg;
    qpush(list, &p->link);
    stream_set_events(a, &end_events, &p->a);
    stream_set_events(b, &end_events, &p->b);
}

void pipe_close_all(struct qlink *list)
{
    qeach(list, it, next) {
        struct pipe *p = qentry(it, struct pipe, link);

        qdel(&p->link);
        if (p->a.s != NULL)
            stream_close(p->a.s);
        if (p->b.s != NULL)
            stream_close(p->b.s);
    }
}
