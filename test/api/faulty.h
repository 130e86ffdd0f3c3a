/* test/api/faulty.h: a client over another one that loses calls: some of the lost were done, some were not, and some will
 * be done a second after nobody believes in them any more. */
#ifndef TEST_API_FAULTY_H
#define TEST_API_FAULTY_H

#include "api/client_impl.h"

struct faulty { struct client client; struct client *inner; struct qlink late; unsigned per_mille; const char *only_method; uint64_t lost; };

struct faulty_call { struct client_call call; struct client_call *real; struct timer lose; };

static void faulty_on_done(void *arg, const struct client_result *r)
{
    struct faulty_call *c = arg;

    c->real = NULL;
    if (timer_active(&c->lose))
        return;                                  /* done, but the answer is lost */
    client__deliver(&c->call, r->err, r->reason, r->status, r->body);
    mem_free(c);
}

static void faulty_on_lose(struct timer *t)
{
    struct faulty_call *c = container_of(t, struct faulty_call, lose);

    client_cancel(c->real);
    client__deliver(&c->call, E_IO, "lost by the test", 0, STR_NONE);
    mem_free(c);
}

/* A call that is done long after it was given up. */
struct faulty_late { struct qlink link; struct faulty *f; struct timer at; struct arena a; struct client_wire w; };

static void late_free(struct faulty_late *x)
{
    qdel(&x->link);
    timer_stop(&x->at);
    arena_release(&x->a);
    mem_free(x);
}

static void late_on_time(struct timer *t)
{
    struct faulty_late *x = container_of(t, struct faulty_late, at);
    struct client_call *call = x->f->inner->ops->send(x->f->inner, &x->w);

    call->client = x->f->inner;
    call->done = NULL;
    qpush(&x->f->inner->calls, &call->link);
    late_free(x);
}

static void late_new(struct faulty *f, const struct client_wire *w)
{
    struct faulty_late *x = mem_new(struct faulty_late);

    arena_init(&x->a);
    x->f = f;
    x->w = *w;
    x->w.target = arena_str(&x->a, w->target);
    x->w.body = arena_str(&x->a, w->body);
    qinit(&x->link);
    qpush(&f->late, &x->link);
    timer_init(&x->at, f->client.loop, late_on_time);
    timer_start(&x->at, 1000);
}

static struct client_call *faulty_send(struct client *cl, const struct client_wire *w)
{
    struct faulty *f = container_of(cl, struct faulty, client);
    struct faulty_call *c = mem_new(struct faulty_call);
    uint64_t dice = loop_random_u64(cl->loop);
    bool lose = dice % 1000 < f->per_mille && (f->only_method == NULL || strcmp(w->method, f->only_method) == 0);

    f->lost += lose;
    timer_init(&c->lose, cl->loop, faulty_on_lose);
    if (lose && (dice >> 32) % 3 == 0)
        late_new(f, w);
    if (!lose || (dice >> 32) % 3 == 1) {
        c->real = f->inner->ops->send(f->inner, w);
        c->real->client = f->inner;
        c->real->done = faulty_on_done;
        c->real->arg = c;
        qpush(&f->inner->calls, &c->real->link);
    }
    if (lose)
        timer_start(&c->lose, 1 + (dice >> 40) % 30);
    return &c->call;
}

static void faulty_cancel(struct client_call *call)
{
    struct faulty_call *c = container_of(call, struct faulty_call, call);

    client_cancel(c->real);
    timer_stop(&c->lose);
    mem_free(c);
}

static struct client_watch *faulty_watch(struct client *cl, struct str target)
{
    struct faulty *f = container_of(cl, struct faulty, client);
    return f->inner->ops->watch(f->inner, target);
}

static void faulty_watch_close(struct client_watch *watch)
{
    struct faulty *f = container_of(watch->client, struct faulty, client);
    f->inner->ops->watch_close(watch);
}

static void faulty_free(struct client *cl)
{
    struct faulty *f = container_of(cl, struct faulty, client);

    while (!qempty(&f->late))
        late_free(qentry(qfirst(&f->late), struct faulty_late, link));
    mem_free(f);
}

static const struct client_ops faulty_ops = { faulty_send, faulty_cancel, faulty_watch, faulty_watch_close, faulty_free };

static struct faulty *faulty_new(struct client *inner)
{
    struct faulty *f = mem_new(struct faulty);

    client__init(&f->client, &faulty_ops, inner->loop);
    f->inner = inner;
    qinit(&f->late);
    return f;
}

#endif
