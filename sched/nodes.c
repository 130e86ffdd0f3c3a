/* sched/nodes.c: see sched/nodes.h. */
#include "api/json_scan.h"
#include "api/quantity.h"
#include "sched/nodes.h"

void nodes_init(struct nodes *t) { *t = (struct nodes){ .by_name = MAP_INIT }; }

static int64_t **const_arrays(struct nodes *t, unsigned i)
{
    int64_t **all[] = { &t->cpu,         &t->memory,       &t->storage,   &t->pods,      &t->used_cpu,
                        &t->used_memory, &t->used_storage, &t->used_pods, &t->score_cpu, &t->score_memory,
                        &t->counted };
    return i < ARRAY_LEN(all) ? all[i] : NULL;
}

static void info_release(struct node_info *x)
{
    arena_release(&x->arena);
    for (unsigned i = 0; i < x->n_extended; i++)
        mem_free(x->extended[i].name);
    for (unsigned i = 0; i < x->n_ports; i++) {
        mem_free((void *)x->ports[i].p.ip.p);
        mem_free((void *)x->ports[i].p.protocol.p);
    }
    mem_free(x->name);
    mem_free(x->ports);
    mem_free(x->extended);
    *x = (struct node_info){ 0 };
}

void nodes_release(struct nodes *t)
{
    for (unsigned i = 0; i < t->n; i++)
        info_release(&t->info[i]);
    for (unsigned i = 0; const_arrays(t, i) != NULL; i++)
        mem_free(*const_arrays(t, i));
    mem_free(t->present);
    mem_free(t->info);
    map_release(&t->by_name);
    nodes_init(t);
}

static void grow(struct nodes *t)
{
    unsigned cap = t->cap == 0 ? 64 : t->cap * 2;

    for (unsigned i = 0; const_arrays(t, i) != NULL; i++)
        *const_arrays(t, i) = mem_realloc(*const_arrays(t, i), cap * sizeof(int64_t));
    t->present = mem_realloc(t->present, cap * sizeof *t->present);
    t->info = mem_realloc(t->info, cap * sizeof *t->info);
    t->cap = cap;
}

long nodes_find(const struct nodes *t, struct str name)
{
    return (long)(intptr_t)map_get(&t->by_name, name) - 1;
}

/* The index of a name; a free or new one if it has none. */
static unsigned nodes_index(struct nodes *t, struct str name)
{
    long at = nodes_find(t, name);
    unsigned i = t->n;

    if (at >= 0)
        return (unsigned)at;
    if (t->n_free > 0)
        for (i = 0; t->info[i].name != NULL; i++) { }
    if (i == t->cap)
        grow(t);
    if (i == t->n)
        t->n++;
    else
        t->n_free--;
    for (unsigned k = 0; const_arrays(t, k) != NULL; k++)
        (*const_arrays(t, k))[i] = 0;
    t->counted[i] = ++t->counts;
    t->present[i] = false;
    t->info[i] = (struct node_info){ .name = mem_strndup(name) };
    map_put(&t->by_name, name, (void *)(intptr_t)(i + 1));
    return i;
}

/* An index that means nothing any more goes back. */
static void nodes_drop_if_unused(struct nodes *t, unsigned i)
{
    if (t->present[i] || t->used_pods[i] > 0)
        return;
    map_del(&t->by_name, str_of(t->info[i].name));
    info_release(&t->info[i]);
    t->n_free++;
}

/* ---- A node's own facts -------------------------------------------------------------------------------- */

static int64_t allocatable(const struct json *node, const char *what, bool milli)
{
    struct quantity q;

    if (quantity_from_json(json_getz(json_path(node, "status.allocatable"), what), &q, NULL) != 0)
        return 0;
    return milli ? quantity_milli(q) : quantity_value(q);
}

static struct node_extended *extended_find(struct node_info *x, struct str name)
{
    for (unsigned i = 0; i < x->n_extended; i++)
        if (str_is(name, x->extended[i].name))
            return &x->extended[i];
    return NULL;
}

static struct node_extended *extended_get(struct node_info *x, struct str name)
{
    struct node_extended *e = extended_find(x, name);

    if (e != NULL)
        return e;
    x->extended = mem_realloc(x->extended, (x->n_extended + 1) * sizeof *x->extended);
    e = &x->extended[x->n_extended++];
    *e = (struct node_extended){ .name = mem_strndup(name) };
    return e;
}

/* Extended resources, and others that are neither cpu nor memory (hugepages-2Mi): what is used of them stays
 * counted when the node's report changes, and is counted before there is one. */
static void take_extended(struct node_info *x, const struct json *alloc)
{
    for (unsigned i = 0; i < x->n_extended; i++)
        x->extended[i].allocatable = 0;
    json_each(m, alloc) {
        struct quantity q;
        if (!sched_is_core_resource(m->key) && !str_is(m->key, "pods") &&
            quantity_from_json(m, &q, NULL) == 0)
            extended_get(x, m->key)->allocatable = quantity_value(q);
    }
    for (unsigned i = 0; i < x->n_extended; i++) {
        if (x->extended[i].allocatable != 0 || x->extended[i].used != 0)
            continue;
        mem_free(x->extended[i].name);
        x->extended[i--] = x->extended[--x->n_extended];
    }
}

/* What static filters and scores read: when it stays, the answers kept by class stay good. */
static bool same_facts(const struct json *a, const struct json *b)
{
    static const char *const paths[] = { "metadata.labels", "spec.taints", "spec.unschedulable",
                                         "status.images", "status.allocatable" };

    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        const struct json *x = json_path(a, paths[i]), *y = json_path(b, paths[i]);
        if ((x == NULL) != (y == NULL) || (x != NULL && !json_equal(x, y)))
            return false;
    }
    return true;
}

bool nodes_put(struct nodes *t, const struct object *o, const struct json *now)
{
    unsigned i = nodes_index(t, o->name);
    struct node_info *x = &t->info[i];
    struct arena a = ARENA_INIT, before = x->arena;
    struct json *j;

    if (t->present[i] && same_facts(x->json, now))
        return false;
    /* The tree views its text: keep both in the node's own arena. */
    if (json_parse(&a, arena_str(&a, blob_str(o->raw)), &j, NULL) != 0)
        j = json_object(&a);
    x->arena = a;
    x->json = j;
    take_extended(x, json_path(j, "status.allocatable"));
    arena_release(&before);
    struct buf labels = BUF_INIT;
    if (json_path(j, "metadata.labels") != NULL)
        json_write(&labels, json_path(j, "metadata.labels"));
    x->labels = arena_str(&x->arena, buf_str(&labels));
    buf_release(&labels);
    x->unschedulable = json_path_true(j, "spec.unschedulable");
    t->cpu[i] = allocatable(j, "cpu", true);
    t->memory[i] = allocatable(j, "memory", false);
    t->storage[i] = allocatable(j, "ephemeral-storage", false);
    t->pods[i] = allocatable(j, "pods", false);
    t->counted[i] = ++t->counts;
    t->n_present += !t->present[i];
    t->present[i] = true;
    x->changed = ++t->changes;
    return true;
}

void nodes_remove(struct nodes *t, struct str name)
{
    long at = nodes_find(t, name);

    if (at < 0 || !t->present[at])
        return;
    t->present[at] = false;
    t->n_present--;
    t->changes++;
    nodes_drop_if_unused(t, (unsigned)at);
}

/* ---- Pods on nodes ------------------------------------------------------------------------------------- */

static void count_pod(struct nodes *t, unsigned i, const struct sched_pod *p, int sign)
{
    const struct request *r = &p->req;

    t->used_cpu[i] += sign * r->cpu;
    t->used_memory[i] += sign * r->memory;
    t->used_storage[i] += sign * r->storage;
    t->score_cpu[i] += sign * r->score_cpu;
    t->score_memory[i] += sign * r->score_memory;
    t->used_pods[i] += sign;
    t->counted[i] = ++t->counts;
    must(t->used_pods[i] >= 0 && t->used_cpu[i] >= 0 && t->used_memory[i] >= 0);
    for (unsigned k = 0; k < r->n_extended; k++) {
        struct node_extended *e = extended_get(&t->info[i], r->extended[k].name);
        e->used += sign * r->extended[k].amount;
        must(e->used >= 0);
    }
}

static bool same_port(const struct host_port *a, const struct host_port *b)
{
    return a->port == b->port && str_eq(a->protocol, b->protocol) && str_eq(a->ip, b->ip);
}

static void add_port(struct node_info *x, const struct host_port *p)
{
    for (unsigned i = 0; i < x->n_ports; i++)
        if (same_port(&x->ports[i].p, p)) {
            x->ports[i].count++;
            return;
        }
    if (x->n_ports == x->cap_ports) {
        x->cap_ports = x->cap_ports == 0 ? 4 : x->cap_ports * 2;
        x->ports = mem_realloc(x->ports, x->cap_ports * sizeof *x->ports);
    }
    struct host_port own = { str_make(mem_strndup(p->ip), p->ip.n),
                             str_make(mem_strndup(p->protocol), p->protocol.n), p->port };
    x->ports[x->n_ports++] = (struct node_port){ own, 1 };
}

static void sub_port(struct node_info *x, const struct host_port *p)
{
    for (unsigned i = 0; i < x->n_ports; i++) {
        if (!same_port(&x->ports[i].p, p))
            continue;
        if (--x->ports[i].count > 0)
            return;
        mem_free((void *)x->ports[i].p.ip.p);
        mem_free((void *)x->ports[i].p.protocol.p);
        x->ports[i] = x->ports[--x->n_ports];
        return;
    }
}

void nodes_add_pod(struct nodes *t, struct str name, struct sched_pod *p)
{
    unsigned i = nodes_index(t, name);

    must(p->node < 0);
    p->node = (long)i;
    count_pod(t, i, p, 1);
    for (unsigned k = 0; k < p->n_ports; k++)
        add_port(&t->info[i], &p->ports[k]);
}

void nodes_sub_pod(struct nodes *t, struct sched_pod *p)
{
    unsigned i;

    if (p->node < 0)
        return;
    i = (unsigned)p->node;
    p->node = -1;
    count_pod(t, i, p, -1);
    for (unsigned k = 0; k < p->n_ports; k++)
        sub_port(&t->info[i], &p->ports[k]);
    nodes_drop_if_unused(t, i);
}

void nodes_check(const struct nodes *t)
{
    unsigned present = 0, nameless = 0;

    must(t->n <= t->cap);
    for (unsigned i = 0; i < t->n; i++) {
        nameless += t->info[i].name == NULL;
        present += t->info[i].name != NULL && t->present[i];
        must(t->info[i].name == NULL || nodes_find(t, str_of(t->info[i].name)) == (long)i);
        must(t->counted[i] > 0 && t->counted[i] <= t->counts);
        must(t->info[i].name != NULL || (t->used_pods[i] == 0 && !t->present[i]));
    }
    must(present == t->n_present);
    must(nameless == t->n_free);
}
