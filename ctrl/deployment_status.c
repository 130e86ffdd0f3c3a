/* ctrl/deployment_status.c: what a Deployment says of itself: counts, Available, Progressing. */
#include "api/time_fmt.h"
#include "ctrl/deployment.h"

#define NO_DEADLINE INT32_MAX

struct deploy_counts { int64_t replicas, updated, ready, available, unavailable; };

static struct deploy_counts count(const struct deploy_pass *x)
{
    struct deploy_counts n = { 0 };
    int64_t asked = 0;

    for (size_t i = 0; i < x->n; i++) {
        n.replicas += x->set[i].actual;
        n.ready += x->set[i].ready;
        n.available += x->set[i].available;
        asked += x->set[i].replicas;
    }
    n.updated = x->new_set != NULL ? x->new_set->actual : 0;
    n.unavailable = MAX_OF(asked - n.available, 0);
    return n;
}

static int64_t old_count(const struct deploy_pass *x, const char *key)
{
    return json_i64_or(json_getz(json_getz(x->json, "status"), key), 0);
}

static bool complete(const struct deploy_pass *x, const struct deploy_counts *n)
{
    return n->updated == x->replicas && n->replicas == x->replicas && n->available == x->replicas;
}

bool deploy_is_complete(const struct deploy_pass *x)
{
    struct deploy_counts n = count(x);
    return complete(x, &n);
}

static bool progressed(const struct deploy_pass *x, const struct deploy_counts *n)
{
    int64_t old_of_old = old_count(x, "replicas") - old_count(x, "updatedReplicas");

    return n->updated > old_count(x, "updatedReplicas") || n->replicas - n->updated < old_of_old ||
           n->ready > old_count(x, "readyReplicas") || n->available > old_count(x, "availableReplicas");
}

/* ---- Progressing -------------------------------------------------------------------------------- */

static struct json *find_condition(struct json *conditions, const char *type)
{
    json_each(c, conditions)
        if (str_is(json_str(json_getz(c, "type")), type))
            return c;
    return NULL;
}

/* Set it; what counts for the deadline is when progress was last made. */
static void set_progress(struct deploy_pass *x, struct json *conditions, const char *status,
                         const char *reason, struct str message, struct str now)
{
    if (!condition_set(x->a, conditions, "Progressing", status, reason, message, now))
        json_setz(x->a, find_condition(conditions, "Progressing"), "lastUpdateTime", json_string(x->a, now));
}

/* Seconds until the deadline passes (<= 0: it has). */
static int64_t deadline_left(const struct deploy_pass *x, const struct json *progressing, int64_t deadline)
{
    int64_t since;
    uint32_t ns;

    if (!time_parse(json_str(json_getz(progressing, "lastUpdateTime")), &since, &ns))
        return deadline;
    return since + deadline - env_now_s(x->c->env);
}

static struct str subject(struct deploy_pass *x, const char *what)
{
    return x->new_set != NULL ? arena_fmt(x->a, "ReplicaSet \"%.*s\" %s", STR_ARG(x->new_set->o->name), what)
                              : arena_fmt(x->a, "Deployment \"%.*s\" %s", STR_ARG(x->o->name), what);
}

/* The clock of the deadline starts with each rollout, not with the end of the last. */
static void write_beginning(struct deploy_pass *x, struct json *conditions, struct str now)
{
    struct str reason = json_str(json_getz(find_condition(conditions, "Progressing"), "reason"));
    bool made = x->begins != NULL && str_is(str_of(x->begins), "NewReplicaSetCreated");

    if (x->begins == NULL || (!made && str_is(reason, "NewReplicaSetCreated")))
        return;                                  /* found is what was made by the last pass: said already */
    set_progress(
        x, conditions, "True", x->begins,
        arena_fmt(x->a, "%s new replica set \"%.*s\"", made ? "Created" : "Found", STR_ARG(x->begins_name)),
        now);
}

static void write_progress(struct deploy_pass *x, struct json *conditions, const struct deploy_counts *n,
                           struct str now)
{
    int64_t deadline = json_path_i64(x->json, "spec.progressDeadlineSeconds", NO_DEADLINE), left;
    const struct json *c = find_condition(conditions, "Progressing");
    struct str reason = json_str(json_getz(c, "reason"));

    if (deadline == NO_DEADLINE) {
        condition_drop(conditions, "Progressing");
        return;
    }
    if (x->paused) {
        condition_set(x->a, conditions, "Progressing", "Unknown", "DeploymentPaused",
                      STR("Deployment is paused"), now);
        return;
    }
    if (str_is(reason, "DeploymentPaused"))
        set_progress(x, conditions, "Unknown", "DeploymentResumed", STR("Deployment is resumed"), now);
    write_beginning(x, conditions, now);
    c = find_condition(conditions, "Progressing");
    reason = json_str(json_getz(c, "reason"));
    if (complete(x, n)) {
        condition_set(x->a, conditions, "Progressing", "True", "NewReplicaSetAvailable",
                      subject(x, "has successfully progressed."), now);
    } else if (str_is(reason, "NewReplicaSetAvailable") && n->replicas == n->updated) {
        return;                                  /* rolled out; pods that fail later are no rollout */
    } else if (progressed(x, n) || c == NULL) {
        set_progress(x, conditions, "True", "ReplicaSetUpdated", subject(x, "is progressing."), now);
    } else if ((left = deadline_left(x, c, deadline)) <= 0) {
        condition_set(x->a, conditions, "Progressing", "False", "ProgressDeadlineExceeded",
                      subject(x, "has timed out progressing."), now);
    } else {
        pass_again_after(x->pass, (uint64_t)left * 1000 + 1000);
    }
}

/* What keeps a set from making its pods; of the new one first. */
static void write_failure(struct deploy_pass *x, struct json *conditions, struct str now)
{
    const struct json *why = x->new_set != NULL ? condition_get(x->new_set->json, "ReplicaFailure") : NULL;

    for (size_t i = 0; i < x->n && why == NULL; i++)
        why = condition_get(x->set[i].json, "ReplicaFailure");
    if (why == NULL)
        condition_drop(conditions, "ReplicaFailure");
    else
        condition_set(x->a, conditions, "ReplicaFailure", arena_cstr(x->a, json_path_str(why, "status")),
                      arena_cstr(x->a, json_path_str(why, "reason")), json_path_str(why, "message"), now);
}

/* ---- All of it ---------------------------------------------------------------------------------- */

/* The pass's memo is the revision that waits for the status to be written. */
static void on_status_written(struct pass *p, const struct client_result *r)
{
    if (*pass_memo(p) > 0)
        deploy_send_own_revision(p, *pass_memo(p));
    *pass_memo(p) = 0;
}

void deploy_write_status(struct deploy_pass *x)
{
    struct deploy_counts n = count(x);
    const struct json *old = json_getz(x->json, "status");
    struct json *whole = json_copy(x->a, x->json),
                *status = json_copy(x->a, old != NULL ? old : json_object(x->a)), *conditions;
    struct str now = time_text(x->a, env_now_s(x->c->env));
    const struct { const char *key; int64_t v;
    } numbers[] = {
        { "replicas", n.replicas },
        { "updatedReplicas", n.updated },
        { "readyReplicas", n.ready },
        { "availableReplicas", n.available },
        { "unavailableReplicas", n.unavailable },
        { "observedGeneration", json_path_i64(x->json, "metadata.generation", 0) },
    };
    bool enough = n.available >= x->replicas - x->max_unavailable;

    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        if (numbers[i].v != 0)
            json_setz(x->a, status, numbers[i].key, json_int(x->a, numbers[i].v));
        else
            json_delz(status, numbers[i].key);
    }
    conditions = json_getz(status, "conditions");
    if (conditions == NULL)
        conditions = json_setz(x->a, status, "conditions", json_array(x->a));
    condition_set(x->a, conditions, "Available", enough ? "True" : "False",
                  enough ? "MinimumReplicasAvailable" : "MinimumReplicasUnavailable",
                  enough ? STR("Deployment has minimum availability.")
                         : STR("Deployment does not have minimum availability."),
                  now);
    write_progress(x, conditions, &n, now);
    write_failure(x, conditions, now);
    if (old != NULL && json_equal(old, status)) {
        if (x->own_revision > 0)
            deploy_send_own_revision(x->pass, x->own_revision);
        return;
    }
    *pass_memo(x->pass) = x->own_revision;
    json_setz(x->a, whole, "status", status);
    struct client_req r = { .method = "PUT",
                            .res = CLIENT_DEPLOYMENTS,
                            .ns = x->o->ns,
                            .name = x->o->name,
                            .sub = "status",
                            .body = whole };
    pass_send(x->pass, &r, 404, on_status_written);
}
