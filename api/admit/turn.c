/* api/admit/turn.c: writes that change the quotas of one namespace, one at a time on each head.
 *
 * They all swap the same keys: of many at once one would win and the rest would do everything again.  So they
 * queue: who has the turn keeps it until its call ends (by then its commit is decided, or will lose to nobody
 * but another head's).  Heads compete with each other; the leader, which hears of a commit first, would win
 * every time: after some writes in a row a head lets others be first. */
#include "api/admit/plugin.h"

#define IN_A_ROW 8
#define PAUSE_MS 3

struct admit_turns { struct loop *loop; struct map gates; };

/* There while somebody has or waits for the turn. */
struct gate {
    struct admit_turns *of;
    struct str ns;                               /* owned */
    struct admit_turn *holder;                   /* NULL: between two */
    struct qlink waiting;
    unsigned row;
    struct ready_item next;
    struct timer pause;
};

struct admit_turn {                              /* in the call's arena */
    struct qlink link;                           /* of the gate, while waiting */
    struct gate *gate;
    struct admission *a;
    void (*granted)(struct admission *a);
};

struct admit_turns *admit_turns_new(struct loop *loop)
{
    struct admit_turns *t = mem_new(struct admit_turns);

    t->loop = loop;
    return t;
}

void admit_turns_free(struct admit_turns *t)
{
    if (t == NULL)
        return;
    must(t->gates.n == 0);                       /* all calls have ended */
    map_release(&t->gates);
    mem_free(t);
}

static void gate_free(struct gate *g)
{
    map_del(&g->of->gates, g->ns);
    timer_stop(&g->pause);
    ready_cancel(&g->next);
    mem_free((char *)g->ns.p);
    mem_free(g);
}

static void gate_pass(struct gate *g)
{
    struct admit_turn *t = container_of(qpop(&g->waiting), struct admit_turn, link);

    must(g->holder == NULL);
    g->holder = t;
    t->granted(t->a);                            /* may end the call, and with it the turn */
}

static void gate_on_next(struct ready_item *it)
{
    gate_pass(container_of(it, struct gate, next));
}

static void gate_on_pause(struct timer *t)
{
    gate_pass(container_of(t, struct gate, pause));
}

static struct gate *gate_of(struct admit_turns *t, struct str ns)
{
    struct gate *g = map_get(&t->gates, ns);

    if (g != NULL)
        return g;
    g = mem_new(struct gate);
    g->of = t;
    g->ns = str_make(mem_strndup(ns), ns.n);
    qinit(&g->waiting);
    ready_init(&g->next, gate_on_next);
    timer_init(&g->pause, t->loop, gate_on_pause);
    map_put(&t->gates, ns, g);
    return g;
}

/* The call that waits ends; its turn goes with the call: admit_turn_end(). */
static void on_cancel(struct admission *a)
{
    (void)a;
}

bool admit_turn_take(struct admission *a, struct admit_turns *turns, void (*granted)(struct admission *a))
{
    struct call       *c = a->call;
    struct admit_turn *t = c->turn;
    struct gate       *g;

    if (t != NULL) {                             /* kept from an earlier try */
        must(t->gate->holder == t);
        return true;
    }
    g = gate_of(turns, a->k->ns);
    t = c->turn = arena_new(c->arena, struct admit_turn);
    *t = (struct admit_turn){ .gate = g, .a = a, .granted = granted };
    qinit(&t->link);
    if (g->holder == NULL && qempty(&g->waiting)) {
        g->holder = t;
        return true;
    }
    qpush(&g->waiting, &t->link);
    admit_suspend(a, on_cancel);
    return false;
}

void admit_turn_end(struct call *c)
{
    struct admit_turn *t = c->turn;
    struct gate       *g;

    if (t == NULL)
        return;
    g = t->gate;
    c->turn = NULL;
    qdel(&t->link);
    if (g->holder == t) {
        g->holder = NULL;
        if (!qempty(&g->waiting) && ++g->row % IN_A_ROW == 0)
            timer_start(&g->pause, PAUSE_MS);
        else if (!qempty(&g->waiting))
            ready_post(g->of->loop, &g->next);
    }
    if (g->holder == NULL && qempty(&g->waiting))
        gate_free(g);
}
