/* ctrl/deployment_rolling.c: how far which ReplicaSet may be scaled now.
 *
 * Functions here only set deploy_set.replicas; deploy_send_scales() sends what came out different. */
#include <stdlib.h>
#include "ctrl/deployment.h"

void deploy_scale(struct deploy_pass *x, struct deploy_set *s, int64_t to)
{
    must(to >= 0);
    s->replicas = to;
}

static int64_t asked(const struct deploy_pass *x, bool old_only)
{
    int64_t sum = 0;

    for (size_t i = 0; i < x->n; i++)
        if (!old_only || !x->set[i].is_new)
            sum += x->set[i].replicas;
    return sum;
}

/* A set's status runs behind its spec: what it was told to give up is not counted any more. */
static int64_t available(const struct deploy_pass *x)
{
    int64_t sum = 0;

    for (size_t i = 0; i < x->n; i++)
        sum += MIN_OF(x->set[i].available, x->set[i].replicas);
    return sum;
}

/* Pods that there are or may come: what was told to go but has not gone still takes room. */
static int64_t taking_room(const struct deploy_pass *x)
{
    int64_t sum = 0;

    for (size_t i = 0; i < x->n; i++)
        sum += MAX_OF(x->set[i].actual, x->set[i].replicas);
    return sum;
}

int64_t deploy_new_size(const struct deploy_pass *x)
{
    int64_t have = x->new_set != NULL ? x->new_set->replicas : 0;
    int64_t room = x->replicas + x->max_surge - taking_room(x);

    if (x->recreate || have >= x->replicas)
        return x->replicas;
    return room <= 0 ? have : have + MIN_OF(room, x->replicas - have);
}

/* ---- Rolling: new ones as far as the surge allows, old ones as far as enough stay available ----- */

/* Old pods that are not available anyway go first. Returns how many that is. */
static int64_t drop_unhealthy(struct deploy_pass *x, int64_t most)
{
    int64_t dropped = 0;

    for (size_t i = 0; i < x->n && dropped < most; i++) {
        struct deploy_set *s = &x->set[i];
        if (s->is_new || s->replicas == 0 || s->available >= s->replicas)
            continue;
        int64_t n = MIN_OF(most - dropped, s->replicas - s->available);
        deploy_scale(x, s, s->replicas - n);
        dropped += n;
    }
    return dropped;
}

static void drop_available(struct deploy_pass *x)
{
    int64_t most = available(x) - (x->replicas - x->max_unavailable);

    for (size_t i = 0; i < x->n && most > 0; i++) {
        struct deploy_set *s = &x->set[i];
        if (s->is_new || s->replicas == 0)
            continue;
        int64_t n = MIN_OF(most, s->replicas);
        deploy_scale(x, s, s->replicas - n);
        most -= n;
    }
}

void deploy_roll(struct deploy_pass *x)
{
    int64_t size = deploy_new_size(x), spare;

    if (x->new_set->replicas != size) {
        deploy_scale(x, x->new_set, size);
        return;                                  /* old ones when this was seen */
    }
    if (asked(x, true) == 0)
        return;
    spare = asked(x, false) - (x->replicas - x->max_unavailable) -
            MAX_OF(x->new_set->replicas - x->new_set->available, 0);
    if (spare <= 0)
        return;
    drop_unhealthy(x, spare);
    drop_available(x);
}

/* ---- Recreate: nothing new until nothing old is left -------------------------------------------- */

/* May the set still be making pods?  Not once its controller has seen that it is to have none. */
static bool is_settled(const struct deploy_set *s)
{
    return s->actual == 0 && json_path_i64(s->json, "status.observedGeneration", 0) >=
                                 json_path_i64(s->json, "metadata.generation", 0);
}

static bool old_pods_left(struct deploy_pass *x)
{
    struct object *o;

    for (size_t i = 0; i < x->n; i++) {
        if (x->set[i].is_new)
            continue;
        if (!is_settled(&x->set[i]))
            return true;
        for (size_t it = 0; (o = informer_by(x->c->pods, BY_OWNER, x->set[i].o->uid, &it)) != NULL;)
            if (!pod_has_ended(object_json(o, x->a)))
                return true;
    }
    return false;
}

void deploy_recreate(struct deploy_pass *x)
{
    bool scaled = false;

    for (size_t i = 0; i < x->n; i++) {
        if (x->set[i].is_new || x->set[i].replicas == 0)
            continue;
        deploy_scale(x, &x->set[i], 0);
        scaled = true;
    }
    if (scaled || old_pods_left(x))
        return;
    if (x->new_set == NULL)
        deploy_make_new(x, x->replicas);
    else
        deploy_scale(x, x->new_set, x->replicas);
}

/* ---- A change of size in the midst of a rollout ------------------------------------------------- */

static int64_t number(struct str s, int64_t otherwise)
{
    int64_t v;
    return str_i64(s, &v) ? v : otherwise;
}

static bool size_changed(const struct deploy_pass *x)
{
    for (size_t i = 0; i < x->n; i++)
        if (x->set[i].replicas > 0 &&
            number(annotation(x->set[i].json, DESIRED_ANNOTATION), x->replicas) != x->replicas)
            return true;
    return false;
}

/* The only set with pods; if none has any, the new or the youngest; NULL: several have. */
static struct deploy_set *only_set(struct deploy_pass *x)
{
    struct deploy_set *active = NULL;

    for (size_t i = 0; i < x->n; i++) {
        if (x->set[i].replicas == 0)
            continue;
        if (active != NULL)
            return NULL;
        active = &x->set[i];
    }
    if (active == NULL)
        active = x->new_set != NULL ? x->new_set : x->n > 0 ? &x->set[x->n - 1] : NULL;
    return active;
}

static int larger_first(const void *a, const void *b)
{
    const struct deploy_set *x = *(struct deploy_set *const *)a, *y = *(struct deploy_set *const *)b;
    return (x->replicas < y->replicas) - (x->replicas > y->replicas);
}

/* Each gets its share of the difference, rounded; what is left over goes to the largest. */
static void share_out(struct deploy_pass *x)
{
    int64_t allowed = x->replicas > 0 ? x->replicas + x->max_surge : 0, total = asked(x, false),
            left = allowed - total;
    struct deploy_set **order = arena_alloc(x->a, (x->n + 1) * sizeof(struct deploy_set *));
    size_t n = 0;

    for (size_t i = 0; i < x->n; i++)
        if (x->set[i].replicas > 0)
            order[n++] = &x->set[i];
    qsort(order, n, sizeof *order, larger_first);
    int64_t all = left;
    for (size_t i = 0; i < n && left != 0; i++) {
        int64_t part = all * order[i]->replicas * 2 / total,
                share = part >= 0 ? (part + 1) / 2 : (part - 1) / 2;
        if ((all > 0 && share > left) || (all < 0 && share < left))
            share = left;
        share = MAX_OF(share, -order[i]->replicas);
        deploy_scale(x, order[i], order[i]->replicas + share);
        left -= share;
    }
    if (n > 0 && left != 0)
        deploy_scale(x, order[0], MAX_OF(order[0]->replicas + left, 0));
}

bool deploy_scale_in_proportion(struct deploy_pass *x)
{
    struct deploy_set *only = only_set(x);

    if (!x->paused && !size_changed(x))
        return false;
    if (only != NULL)
        deploy_scale(x, only, x->replicas);
    else if (x->new_set != NULL && x->new_set->replicas == x->replicas &&
             x->new_set->available == x->replicas)
        for (size_t i = 0; i < x->n; i++)
            deploy_scale(x, &x->set[i], x->set[i].is_new ? x->replicas : 0);
    else if (!x->recreate)
        share_out(x);
    return true;
}

/* ---- Sending ------------------------------------------------------------------------------------ */

static void send_scale(struct deploy_pass *x, struct deploy_set *s, int64_t from)
{
    struct json *patch = json_object(x->a), *notes = json_make_path(x->a, patch, "metadata.annotations");
    struct client_req r = { .method = "PATCH",
                            .res = CLIENT_REPLICASETS,
                            .ns = x->o->ns,
                            .name = s->o->name,
                            .body = patch,
                            .content_type = CLIENT_MERGE_PATCH };
    struct event_about about = deploy_about(x->o);

    json_setf(x->a, notes, DESIRED_ANNOTATION, "%lld", (long long)x->replicas);
    json_setf(x->a, notes, MAX_ANNOTATION, "%lld", (long long)(x->replicas + x->max_surge));
    json_setz(x->a, json_make_path(x->a, patch, "spec"), "replicas", json_int(x->a, s->replicas));
    pass_expect(x->pass, x->c->sets);
    pass_send(x->pass, &r, 404, NULL);
    if (s->replicas != from)
        event_record(x->c->env->events, &about, "Normal", "ScalingReplicaSet",
                     "Scaled %s replica set %.*s from %lld to %lld", s->replicas > from ? "up" : "down",
                     STR_ARG(s->o->name), (long long)from, (long long)s->replicas);
}

void deploy_send_scales(struct deploy_pass *x)
{
    for (size_t i = 0; i < x->n; i++) {
        struct deploy_set *s = &x->set[i];
        int64_t from = json_path_i64(s->json, "spec.replicas", 1);
        bool noted = s->replicas == 0 || number(annotation(s->json, DESIRED_ANNOTATION), -1) == x->replicas;
        if (s->replicas != from || !noted)
            send_scale(x, s, from);
    }
}
