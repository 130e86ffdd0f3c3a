/* sched/pod.c: see sched/pod.h. */
#include "api/quantity.h"
#include "sched/pod.h"

#define SCORE_CPU_DEFAULT     100
#define SCORE_MEMORY_DEFAULT  (200ll << 20)
#define TEXTS_TYPICAL         384               /* bytes of texts that a usual pod keeps */

/* ---- Requests ---------------------------------------------------------------------------------------- */

static int64_t amount(const struct json *j, bool milli)
{
    struct quantity q;

    if (quantity_from_json(j, &q, NULL) != 0)
        return 0;                                /* the API lets nothing else in; an absent one is zero */
    int64_t v = milli ? quantity_milli(q) : quantity_value(q);
    return MAX_OF(MIN_OF(v, SCHED_MAX_AMOUNT), 0);
}

/* Both are within [0, SCHED_MAX_AMOUNT], and so is the sum. */
static int64_t plus(int64_t x, int64_t y) { return MIN_OF(x + y, SCHED_MAX_AMOUNT); }

static void extended_add(struct request *r, struct str name, int64_t n, bool max)
{
    for (unsigned i = 0; i < r->n_extended; i++) {
        if (!str_eq(r->extended[i].name, name))
            continue;
        r->extended[i].amount = max ? MAX_OF(r->extended[i].amount, n) : plus(r->extended[i].amount, n);
        return;
    }
    if (r->n_extended < SCHED_EXTENDED) {
        r->extended[r->n_extended].name = name;
        r->extended[r->n_extended++].amount = n;
    }
}

bool sched_is_core_resource(struct str name)
{
    return str_is(name, "cpu") || str_is(name, "memory") || str_is(name, "ephemeral-storage");
}

static struct request request_of_container(const struct json *c)
{
    const struct json *req = json_path(c, "resources.requests");
    struct request r = { 0 };

    r.cpu = amount(json_getz(req, "cpu"), true);
    r.memory = amount(json_getz(req, "memory"), false);
    r.storage = amount(json_getz(req, "ephemeral-storage"), false);
    r.score_cpu = json_getz(req, "cpu") != NULL ? r.cpu : SCORE_CPU_DEFAULT;
    r.score_memory = json_getz(req, "memory") != NULL ? r.memory : SCORE_MEMORY_DEFAULT;
    json_each(m, req)
        if (!sched_is_core_resource(m->key))
            extended_add(&r, m->key, amount(m, false), false);
    return r;
}

static void request_add(struct request *to, const struct request *r)
{
    to->cpu = plus(to->cpu, r->cpu);
    to->memory = plus(to->memory, r->memory);
    to->storage = plus(to->storage, r->storage);
    to->score_cpu = plus(to->score_cpu, r->score_cpu);
    to->score_memory = plus(to->score_memory, r->score_memory);
    for (unsigned i = 0; i < r->n_extended; i++)
        extended_add(to, r->extended[i].name, r->extended[i].amount, false);
}

static void request_max(struct request *to, const struct request *r)
{
    to->cpu = MAX_OF(to->cpu, r->cpu);
    to->memory = MAX_OF(to->memory, r->memory);
    to->storage = MAX_OF(to->storage, r->storage);
    to->score_cpu = MAX_OF(to->score_cpu, r->score_cpu);
    to->score_memory = MAX_OF(to->score_memory, r->score_memory);
    for (unsigned i = 0; i < r->n_extended; i++)
        extended_add(to, r->extended[i].name, r->extended[i].amount, true);
}

/* Init containers run one after the other, each beside the sidecars (restartPolicy Always) started before
 * it. */
static struct request request_of_pod(const struct json *spec)
{
    struct request sum = { 0 }, sidecars = { 0 }, peak = { 0 };

    json_each(c, json_getz(spec, "containers")) {
        struct request r = request_of_container(c);
        request_add(&sum, &r);
    }
    json_each(c, json_getz(spec, "initContainers")) {
        struct request r = request_of_container(c);
        if (str_is(json_path_str(c, "restartPolicy"), "Always")) {
            request_add(&sidecars, &r);
            request_max(&peak, &sidecars);
        } else {
            request_add(&r, &sidecars);
            request_max(&peak, &r);
        }
    }
    request_add(&sum, &sidecars);
    request_max(&sum, &peak);
    const struct json *overhead = json_getz(spec, "overhead");
    sum.cpu = plus(sum.cpu, amount(json_getz(overhead, "cpu"), true));
    sum.memory = plus(sum.memory, amount(json_getz(overhead, "memory"), false));
    return sum;
}

/* ---- The rest ------------------------------------------------------------------------------------------ */

static void take_ports(struct sched_pod *p, const struct json *spec)
{
    unsigned n = 0;

    json_each(c, json_getz(spec, "containers"))
        json_each(port, json_getz(c, "ports"))
            n += json_path_i64(port, "hostPort", 0) > 0;
    p->ports = arena_alloc(&p->arena, (n + 1) * sizeof *p->ports);
    json_each(c, json_getz(spec, "containers"))
        json_each(port, json_getz(c, "ports")) {
            int64_t number = json_path_i64(port, "hostPort", 0);
            if (number <= 0)
                continue;
            struct str ip = json_path_str(port, "hostIP"), protocol = json_path_str(port, "protocol");
            p->ports[p->n_ports++] = (struct host_port){
                str_is(ip, "0.0.0.0") ? STR_NONE : arena_str(&p->arena, ip),
                protocol.n > 0 ? arena_str(&p->arena, protocol) : STR("TCP"), number };
        }
}

/* Pods with equal text here get equal answers from every static filter and score. */
static struct str class_text(struct sched_pod *p, const struct json *spec)
{
    static const char *const parts[] = { "nodeSelector", "tolerations" };
    struct buf b = BUF_INIT;

    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        const struct json *j = json_getz(spec, parts[i]);
        if (j != NULL)
            json_write(&b, j);
        buf_char(&b, '\n');
    }
    const struct json *affinity = json_path(spec, "affinity.nodeAffinity");
    if (affinity != NULL)
        json_write(&b, affinity);
    buf_char(&b, '\n');
    json_each(c, json_getz(spec, "containers")) {
        buf_str_add(&b, json_path_str(c, "image"));
        buf_char(&b, '\n');
    }
    struct str text = arena_str(&p->arena, buf_str(&b));
    buf_release(&b);
    return text;
}

static struct str group_text(struct sched_pod *p, const struct json *meta)
{
    json_each(o, json_getz(meta, "ownerReferences"))
        if (json_path_true(o, "controller"))
            return arena_fmt(&p->arena, "%.*s/%.*s", STR_ARG(json_path_str(meta, "namespace")),
                             STR_ARG(json_path_str(o, "uid")));
    return STR_NONE;
}

static bool asks_for_nothing(const struct json *spec)
{
    json_each(c, json_getz(spec, "containers"))
        if (json_path(c, "resources.requests") != NULL || json_path(c, "resources.limits") != NULL)
            return false;
    return true;
}

struct sched_pod *sched_pod_new(struct object *o, const struct json *json, uint64_t seq)
{
    struct sched_pod *p = mem_new(struct sched_pod);
    const struct json *spec = json_getz(json, "spec");

    qinit(&p->link);
    arena_init_sized(&p->arena, TEXTS_TYPICAL);
    p->object = object_ref(o);
    p->seq = seq;
    p->node = -1;
    p->priority = json_path_i64(spec, "priority", 0);
    p->req = request_of_pod(spec);
    for (unsigned i = 0; i < p->req.n_extended; i++)
        p->req.extended[i].name = arena_str(&p->arena, p->req.extended[i].name);
    take_ports(p, spec);
    p->class_key = class_text(p, spec);
    p->group_key = group_text(p, json_getz(json, "metadata"));
    p->node_name = arena_str(&p->arena, json_path_str(spec, "nodeName"));
    p->best_effort = asks_for_nothing(spec);
    p->state = json__first(json_getz(spec, "schedulingGates")) != NULL ? POD_GATED : POD_WAITING;
    return p;
}

void sched_pod_free(struct sched_pod *p)
{
    must(!qlinked(&p->link) && p->heap_at == 0 && p->node < 0 && p->group == NULL);
    object_unref(p->object);
    arena_release(&p->arena);
    mem_free(p);
}

bool sched_pod_is_ours(const struct json *json, const char *scheduler)
{
    return json_path_str(json, "spec.nodeName").n == 0 &&
           str_is(json_path_str(json, "spec.schedulerName"), scheduler) &&
           json_path(json, "metadata.deletionTimestamp") == NULL;
}
