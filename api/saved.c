/* api/saved.c: the state streamed from a pinned root: one slice per turn, as fast as the client takes it. */
#include "api/saved.h"
#include "store/saved.h"

#define SAVED_QUEUE_MAX (1u << 20)               /* towards the client, before reading stops */

struct saved {
    struct call *call;
    struct store_save *save;
    struct ready_item next;
    struct buf piece;
};

static void saved_cancel(struct call *c)
{
    struct saved *s = c->state;

    ready_cancel(&s->next);
    store_save_close(s->save);
    buf_release(&s->piece);
}

static void saved_on_next(struct ready_item *it)
{
    struct saved *s = container_of(it, struct saved, next);
    struct call  *c = s->call;

    if (c->x->ops->queued(c->x) > SAVED_QUEUE_MAX)
        return;                                  /* saved_drain() goes on */
    buf_clear(&s->piece);
    bool more = store_save_read(s->save, &s->piece);
    call_send(c, buf_str(&s->piece));
    if (more)
        ready_post(c->api->loop, &s->next);
    else
        call_end(c);
}

static void saved_drain(struct call *c)
{
    struct saved *s = c->state;

    if (!qlinked(&s->next.link))
        ready_post(c->api->loop, &s->next);
}

static void saved_begin(struct call *c)
{
    struct saved *s = arena_new(c->arena, struct saved);
    struct errbuf err = { "" };

    s->call = c;
    ready_init(&s->next, saved_on_next);
    if (store_save_open(c->api->store, &s->save, &err) != 0) {
        call_fail(c, 503, REASON_UNAVAILABLE, "%s", err.s);
        return;
    }
    c->state = s;
    c->cancel = saved_cancel;
    c->drain = saved_drain;
    call_begin(c, 200, "application/octet-stream", false);
    ready_post(c->api->loop, &s->next);
}

void saved_serve(struct call *c)
{
    call_when_fresh(c, saved_begin);
}
