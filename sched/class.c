/* sched/class.c: the static filters and scores, each a function of one pod and one node; see
 * sched/class.h. */
#include "api/pod_rules.h"
#include "api/selector.h"
#include "sched/class.h"

void classes_release(struct classes *t)
{
    for (unsigned i = 0; i < t->n; i++) {
        arena_release(&t->v[i]->arena);
        mem_free(t->v[i]->node);
        mem_free(t->v[i]);
    }
    t->n = 0;
}

static struct class_ *class_new(const struct sched_pod *p)
{
    struct class_ *c = mem_new(struct class_);
    struct json_error err;
    struct json *pod;

    arena_init(&c->arena);
    c->key = arena_str(&c->arena, p->class_key);
    if (json_parse(&c->arena, arena_str(&c->arena, blob_str(p->object->raw)), &pod, &err) != 0)
        pod = json_object(&c->arena);
    c->pod_spec = json_getz(pod, "spec");
    c->has_affinity_score =
        json_path(c->pod_spec, "affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution") !=
        NULL;
    return c;
}

struct class_ *classes_of(struct classes *t, const struct sched_pod *p)
{
    unsigned oldest = 0;

    for (unsigned i = 0; i < t->n; i++) {
        if (str_eq(t->v[i]->key, p->class_key)) {
            t->v[i]->used = ++t->clock;
            return t->v[i];
        }
        if (t->v[i]->used < t->v[oldest]->used)
            oldest = i;
    }
    if (t->n == SCHED_CLASSES) {
        arena_release(&t->v[oldest]->arena);
        mem_free(t->v[oldest]->node);
        mem_free(t->v[oldest]);
        t->v[oldest] = t->v[--t->n];
    }
    struct class_ *c = class_new(p);
    c->used = ++t->clock;
    return t->v[t->n++] = c;
}

/* ---- Taints -------------------------------------------------------------------------------------------- */

static const struct json *refusing_taint(const struct json *spec, const struct json *node)
{
    json_each(taint, json_path(node, "spec.taints")) {
        struct str effect = json_path_str(taint, "effect");
        if ((str_is(effect, "NoSchedule") || str_is(effect, "NoExecute")) && !pod_tolerates(spec, taint))
            return taint;
    }
    return NULL;
}

static int count_prefer_not(const struct json *spec, const struct json *node)
{
    int n = 0;

    json_each(taint, json_path(node, "spec.taints"))
        n += str_is(json_path_str(taint, "effect"), "PreferNoSchedule") && !pod_tolerates(spec, taint);
    return n;
}

/* spec.unschedulable counts as a taint that can be tolerated. */
static bool tolerates_unschedulable(const struct json *spec, struct arena *a)
{
    struct json *taint = json_object(a);

    json_setz(a, taint, "key", json_string_ref(a, STR("node.kubernetes.io/unschedulable")));
    json_setz(a, taint, "effect", json_string_ref(a, STR("NoSchedule")));
    return pod_tolerates(spec, taint);
}

/* ---- Selectors ----------------------------------------------------------------------------------------- */

/* matchFields knows one field: metadata.name. */
static bool fields_match(const struct json *exprs, const char *node_name)
{
    json_each(e, exprs) {
        bool in = false, wanted = str_is(json_path_str(e, "operator"), "In");
        json_each(v, json_getz(e, "values"))
            in |= str_is(json_str(v), node_name);
        if (!str_is(json_path_str(e, "key"), "metadata.name") || in != wanted)
            return false;
    }
    return true;
}

static bool term_matches(const struct json *term, const struct node_info *x, struct arena *a)
{
    const struct json *exprs = json_getz(term, "matchExpressions"), *fields = json_getz(term, "matchFields");
    struct selector sel;

    if (json__first(exprs) == NULL && json__first(fields) == NULL)
        return false;                            /* an empty term selects nothing */
    if (!fields_match(fields, x->name))
        return false;
    if (json__first(exprs) == NULL)
        return true;
    return selector_from_node_term(a, exprs, &sel, NULL) == 0 && selector_matches_text(&sel, x->labels);
}

static bool selectors_match(const struct json *spec, const struct node_info *x, struct arena *a)
{
    const struct json *labels = json_path(x->json, "metadata.labels");
    const struct json *terms = json_path(
        spec, "affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms");

    json_each(m, json_getz(spec, "nodeSelector")) {
        const struct json *v = json_get(labels, m->key);
        if (v == NULL || !str_eq(json_str(v), json_str(m)))
            return false;
    }
    if (terms == NULL)
        return true;
    json_each(term, terms)
        if (term_matches(term, x, a))
            return true;
    return false;
}

static int preferred_weight(const struct json *spec, const struct node_info *x, struct arena *a)
{
    int64_t sum = 0;

    json_each(p, json_path(spec, "affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution"))
        if (term_matches(json_getz(p, "preference"), x, a))
            sum += json_path_i64(p, "weight", 0);
    return (int)MAX_OF(MIN_OF(sum, 30000), 0);
}

/* ---- Images -------------------------------------------------------------------------------------------- */

static int64_t image_bytes(const struct json *node, struct str image)
{
    json_each(i, json_path(node, "status.images"))
        json_each(name, json_getz(i, "names"))
            if (str_eq(json_str(name), image))
                return json_path_i64(i, "sizeBytes", 0);
    return 0;
}

/* 0 below 23 MiB of the pod's images present, 100 from 1000 MiB a container on. */
static int image_score(const struct json *spec, const struct json *node)
{
    const int64_t low = 23ll << 20, high = 1000ll << 20;
    int64_t sum = 0, containers = 0;

    json_each(c, json_getz(spec, "containers")) {
        sum += MIN_OF(image_bytes(node, json_path_str(c, "image")), high);
        containers++;
    }
    int64_t most = high * MAX_OF(containers, 1);
    sum = MAX_OF(MIN_OF(sum, most), low);
    return most > low ? (int)(SCHED_MAX_SCORE * (sum - low) / (most - low)) : 0;
}

/* ---- All together -------------------------------------------------------------------------------------- */

static void evaluate(struct class_ *c, const struct node_info *x, struct class_node *to)
{
    struct arena a = ARENA_INIT;

    *to = (struct class_node){ .seen = x->changed };
    if (x->unschedulable && !tolerates_unschedulable(c->pod_spec, &a))
        to->refusal = REFUSED_UNSCHEDULABLE;
    else if (refusing_taint(c->pod_spec, x->json) != NULL)
        to->refusal = REFUSED_TAINT;
    else if (!selectors_match(c->pod_spec, x, &a))
        to->refusal = REFUSED_AFFINITY;
    to->affinity = (int16_t)preferred_weight(c->pod_spec, x, &a);
    to->prefer_not = (int16_t)count_prefer_not(c->pod_spec, x->json);
    to->image = (uint8_t)image_score(c->pod_spec, x->json);
    c->has_image_score |= to->image > 0;
    arena_release(&a);
}

const struct class_node *class_node(struct class_ *c, const struct nodes *t, unsigned i)
{
    must(i < t->n);
    if (c->cap < t->cap) {
        c->node = mem_realloc(c->node, t->cap * sizeof *c->node);
        memset(c->node + c->cap, 0, (t->cap - c->cap) * sizeof *c->node);
        c->cap = t->cap;
    }
    if (c->node[i].seen != t->info[i].changed)
        evaluate(c, &t->info[i], &c->node[i]);
    return &c->node[i];
}

void class_ask(struct class_ *c, struct nodes *t, const struct class_asked *asked)
{
    const struct class_asked *was = &c->asked;

    if (c->asked_at > 0 && was->cpu == asked->cpu && was->memory == asked->memory &&
        was->score_cpu == asked->score_cpu && was->score_memory == asked->score_memory &&
        was->best_effort == asked->best_effort)
        return;
    c->asked = *asked;
    c->asked_at = ++t->counts;
}

void class_taint(const struct class_ *c, const struct nodes *t, unsigned i, struct str *ret_key,
                 struct str *ret_value)
{
    const struct json *taint = refusing_taint(c->pod_spec, t->info[i].json);

    *ret_key = json_path_str(taint, "key");
    *ret_value = json_path_str(taint, "value");
}
