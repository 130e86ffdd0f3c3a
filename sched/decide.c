/* sched/decide.c: filter every node, score those that pass, take the best; see sched/decide.h.
 *
 * All nodes are looked at (no sampling): with the snapshot in flat arrays that costs a few nanoseconds a
 * node. Scores and weights are those people know: free resources 1, balance 1, image 1, preferred affinity
 * 2, spreading 2, PreferNoSchedule taints 3; each 0..100, the last three relative to the other feasible
 * nodes. */
#include <stdlib.h>
#include "sched/decide.h"

void decider_init(struct decider *d)
{
    *d = (struct decider){ .groups = { MAP_INIT } };
    nodes_init(&d->nodes);
}

void decider_release(struct decider *d)
{
    classes_release(&d->classes);
    groups_release(&d->groups);
    nodes_release(&d->nodes);
    mem_free(d->feasible);
    d->feasible = NULL;
}

/* ---- Groups -------------------------------------------------------------------------------------------- */

static void group_free(struct groups *g, struct group *x)
{
    map_del(&g->by_key, x->key);
    mem_free((void *)x->key.p);
    mem_free(x->count);
    mem_free(x);
}

void groups_release(struct groups *g)
{
    struct str key;
    void *val;

    for (size_t it = 0; map_next(&g->by_key, &it, &key, &val);) {
        struct group *x = val;
        mem_free((void *)x->key.p);
        mem_free(x->count);
        mem_free(x);
    }
    map_release(&g->by_key);
}

void groups_add_pod(struct groups *g, struct sched_pod *p, unsigned node)
{
    struct group *x;

    must(p->group == NULL);
    if (p->group_key.n == 0)
        return;
    x = map_get(&g->by_key, p->group_key);
    if (x == NULL) {
        x = mem_new(struct group);
        x->key = str_make(mem_strndup(p->group_key), p->group_key.n);
        map_put(&g->by_key, x->key, x);
    }
    if (node >= x->cap) {
        unsigned cap = MAX_OF(node + 1, x->cap * 2);
        x->count = mem_realloc(x->count, cap * sizeof *x->count);
        memset(x->count + x->cap, 0, (cap - x->cap) * sizeof *x->count);
        x->cap = cap;
    }
    x->count[node]++;
    x->pods++;
    p->group = x;
}

void groups_sub_pod(struct groups *g, struct sched_pod *p, unsigned node)
{
    struct group *x = p->group;

    if (x == NULL)
        return;
    must(node < x->cap && x->count[node] > 0 && x->pods > 0);
    x->count[node]--;
    p->group = NULL;
    if (--x->pods == 0)
        group_free(g, x);
}

/* ---- Filters ------------------------------------------------------------------------------------------- */

static bool ports_clash(const struct node_info *x, const struct sched_pod *p)
{
    for (unsigned i = 0; i < p->n_ports; i++)
        for (unsigned k = 0; k < x->n_ports; k++) {
            const struct host_port *a = &p->ports[i], *b = &x->ports[k].p;
            if (a->port == b->port && str_eq(a->protocol, b->protocol) &&
                (a->ip.n == 0 || b->ip.n == 0 || str_eq(a->ip, b->ip)))
                return true;
        }
    return false;
}

static bool lacks_extended(const struct node_info *x, const struct request *r, struct str *ret_name)
{
    for (unsigned i = 0; i < r->n_extended; i++) {
        int64_t left = 0;
        for (unsigned k = 0; k < x->n_extended; k++)
            if (str_is(r->extended[i].name, x->extended[k].name))
                left = x->extended[k].allocatable - x->extended[k].used;
        if (r->extended[i].amount > left) {
            *ret_name = r->extended[i].name;
            return true;
        }
    }
    return false;
}

/* The first reason among the resources; a request of zero always fits. */
static enum refusal refused_by_room(const struct nodes *t, const struct sched_pod *p, unsigned i)
{
    const struct request *r = &p->req;
    struct str name;

    if (t->used_pods[i] + 1 > t->pods[i])
        return REFUSED_PODS;
    if (r->cpu > 0 && r->cpu > t->cpu[i] - t->used_cpu[i])
        return REFUSED_CPU;
    if (r->memory > 0 && r->memory > t->memory[i] - t->used_memory[i])
        return REFUSED_MEMORY;
    if (r->storage > 0 && r->storage > t->storage[i] - t->used_storage[i])
        return REFUSED_STORAGE;
    if (r->n_extended > 0 && lacks_extended(&t->info[i], r, &name))
        return REFUSED_EXTENDED;
    return REFUSED_NOT;
}

static enum refusal refused(struct class_ *c, const struct nodes *t, const struct sched_pod *p, unsigned i)
{
    enum refusal why = class_node(c, t, i)->refusal;

    if (why != REFUSED_NOT)
        return why;
    if (p->n_ports > 0 && ports_clash(&t->info[i], p))
        return REFUSED_PORTS;
    return refused_by_room(t, p, i);
}

enum refusal decide_refusal(struct decider *d, struct sched_pod *p, unsigned i)
{
    return refused(classes_of(&d->classes, p), &d->nodes, p, i);
}

/* ---- Scores -------------------------------------------------------------------------------------------- */

static int least_allocated(int64_t used, int64_t all)
{
    return all <= 0 || used > all ? 0 : (int)((all - used) * SCHED_MAX_SCORE / all);
}

static int score_room(const struct nodes *t, const struct sched_pod *p, unsigned i)
{
    int64_t cpu = t->score_cpu[i] + p->req.score_cpu, memory = t->score_memory[i] + p->req.score_memory;

    return (least_allocated(cpu, t->cpu[i]) + least_allocated(memory, t->memory[i])) / 2;
}

/* The closer the used shares of CPU and memory, the better. */
static int score_balance(const struct nodes *t, const struct sched_pod *p, unsigned i)
{
    if (p->best_effort || t->cpu[i] <= 0 || t->memory[i] <= 0)
        return SCHED_MAX_SCORE;
    double cpu = MIN_OF((double)(t->used_cpu[i] + p->req.cpu) / (double)t->cpu[i], 1.0);
    double memory = MIN_OF((double)(t->used_memory[i] + p->req.memory) / (double)t->memory[i], 1.0);
    double apart = cpu > memory ? cpu - memory : memory - cpu;
    return (int)((1.0 - apart / 2) * SCHED_MAX_SCORE);
}

/* Divisions are dear, and from one pod to the next only few nodes change. */
static int score_kept(struct class_ *c, const struct nodes *t, const struct sched_pod *p, unsigned i)
{
    struct class_node *s = &c->node[i];

    if (s->scored < t->counted[i] || s->scored < c->asked_at) {
        s->room = (uint8_t)(score_room(t, p, i) + score_balance(t, p, i));
        s->scored = t->counts;
    }
    return s->room;
}

struct maxima { int affinity, prefer_not; uint32_t group; };

static int score(struct class_ *c, const struct group *g, const struct nodes *t, const struct sched_pod *p,
                 unsigned i, const struct maxima *m)
{
    const struct class_node *s = &c->node[i];
    int sum = score_kept(c, t, p, i) + s->image;

    if (m->affinity > 0)
        sum += 2 * SCHED_MAX_SCORE * s->affinity / m->affinity;
    if (m->prefer_not > 0)
        sum += 3 * SCHED_MAX_SCORE * (m->prefer_not - s->prefer_not) / m->prefer_not;
    if (m->group > 0)
        sum += (int)(2 * SCHED_MAX_SCORE * (uint64_t)(m->group - (i < g->cap ? g->count[i] : 0)) / m->group);
    return sum;
}

/* ---- The decision -------------------------------------------------------------------------------------- */

static unsigned filter(struct decider *d, struct class_ *c, const struct group *g, struct sched_pod *p,
                       struct maxima *m)
{
    const struct nodes *t = &d->nodes;
    unsigned n = 0;

    if (d->cap < t->n) {
        d->cap = t->cap;
        d->feasible = mem_realloc(d->feasible, d->cap * sizeof *d->feasible);
    }
    for (unsigned i = 0; i < t->n; i++) {
        if (!t->present[i] || refused(c, t, p, i) != REFUSED_NOT)
            continue;
        d->feasible[n++] = i;
        m->affinity = MAX_OF(m->affinity, c->node[i].affinity);
        m->prefer_not = MAX_OF(m->prefer_not, c->node[i].prefer_not);
        if (g != NULL && i < g->cap)
            m->group = MAX_OF(m->group, g->count[i]);
    }
    return n;
}

long decide(struct decider *d, struct sched_pod *p)
{
    struct class_ *c = classes_of(&d->classes, p);
    const struct group *g = p->group_key.n > 0 ? map_get(&d->groups.by_key, p->group_key) : NULL;
    const struct request *r = &p->req;
    struct class_asked asked = { r->cpu, r->memory, r->score_cpu, r->score_memory, p->best_effort };
    struct maxima m = { 0 };
    unsigned n = filter(d, c, g, p, &m), equals = 0;
    int  best = -1;

    class_ask(c, &d->nodes, &asked);
    for (unsigned k = 0; k < n; k++) {
        int s = score(c, g, &d->nodes, p, d->feasible[k], &m);
        if (s > best) {
            best = s;
            equals = 0;
        }
        if (s == best)
            d->feasible[equals++] = d->feasible[k];     /* equals <= k: what is overwritten was looked at */
    }
    return n == 0 ? -1 : (long)d->feasible[d->turn++ % equals];
}

/* ---- Why not ------------------------------------------------------------------------------------------- */

static struct str refusal_text(struct decider *d, struct class_ *c, struct sched_pod *p, unsigned i,
                               enum refusal why, struct arena *a)
{
    struct str key, value;

    switch (why) {
    case REFUSED_UNSCHEDULABLE: return STR("node(s) were unschedulable");
    case REFUSED_AFFINITY:      return STR("node(s) didn't match Pod's node affinity/selector");
    case REFUSED_PORTS:         return STR("node(s) didn't have free ports for the requested pod ports");
    case REFUSED_PODS:          return STR("Too many pods");
    case REFUSED_CPU:           return STR("Insufficient cpu");
    case REFUSED_MEMORY:        return STR("Insufficient memory");
    case REFUSED_STORAGE:       return STR("Insufficient ephemeral-storage");
    case REFUSED_TAINT:
        class_taint(c, &d->nodes, i, &key, &value);
        return arena_fmt(a, "node(s) had untolerated taint {%.*s: %.*s}", STR_ARG(key), STR_ARG(value));
    case REFUSED_EXTENDED:
        return lacks_extended(&d->nodes.info[i], &p->req, &key)
                   ? arena_fmt(a, "Insufficient %.*s", STR_ARG(key))
                   : STR_NONE;
    case REFUSED_NOT:
        break;
    }
    return STR_NONE;
}

struct tally { struct map by_text; struct str *text; unsigned *count, n; struct arena *a; };

static void tally_add(struct tally *t, struct str text)
{
    size_t at = (size_t)(intptr_t)map_get(&t->by_text, text);

    if (at == 0) {
        at = ++t->n;
        map_put(&t->by_text, text, (void *)(intptr_t)at);
        t->text[at - 1] = text;
    }
    t->count[at - 1]++;
}

/* A node may lack several things: each is counted, as users know it. */
static void tally_node(struct decider *d, struct class_ *c, struct sched_pod *p, unsigned i, struct tally *t)
{
    const struct nodes *nodes = &d->nodes;
    enum refusal why = refused(c, nodes, p, i);
    const struct request *r = &p->req;

    if (why != REFUSED_NOT)
        tally_add(t, refusal_text(d, c, p, i, why, t->a));
    if (why < REFUSED_PODS)
        return;
    if (why < REFUSED_CPU && r->cpu > 0 && r->cpu > nodes->cpu[i] - nodes->used_cpu[i])
        tally_add(t, refusal_text(d, c, p, i, REFUSED_CPU, t->a));
    if (why < REFUSED_MEMORY && r->memory > 0 && r->memory > nodes->memory[i] - nodes->used_memory[i])
        tally_add(t, refusal_text(d, c, p, i, REFUSED_MEMORY, t->a));
}

static int by_text(const void *x, const void *y)
{
    return str_cmp(*(const struct str *)x, *(const struct str *)y);
}

struct str decide_why_not(struct decider *d, struct sched_pod *p, struct arena *a)
{
    struct class_ *c = classes_of(&d->classes, p);
    const struct nodes *nodes = &d->nodes;
    size_t most = (size_t)nodes->n * 3 + 1;
    struct tally t = { .by_text = MAP_INIT, .text = arena_alloc(a, most * sizeof(struct str)),
                       .count = arena_zalloc(a, most * sizeof(unsigned)), .a = a };
    struct buf b = BUF_INIT;

    if (nodes->n_present == 0)
        return STR("no nodes available to schedule pods");
    for (unsigned i = 0; i < nodes->n; i++)
        if (nodes->present[i])
            tally_node(d, c, p, i, &t);
    struct str *lines = arena_alloc(a, (t.n + 1) * sizeof *lines);
    for (unsigned i = 0; i < t.n; i++)
        lines[i] = arena_fmt(a, "%u %.*s", t.count[i], STR_ARG(t.text[i]));
    qsort(lines, t.n, sizeof *lines, by_text);
    buf_fmt(&b, "0/%u nodes are available", nodes->n_present);
    for (unsigned i = 0; i < t.n; i++) {
        buf_z(&b, i == 0 ? ": " : ", ");
        buf_str_add(&b, lines[i]);
    }
    buf_char(&b, '.');
    struct str text = arena_str(a, buf_str(&b));
    buf_release(&b);
    map_release(&t.by_text);
    return text;
}
