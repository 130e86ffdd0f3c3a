/* api/kinds/pod_update.c: what of a pod's spec may still change once it exists.
 *
 * Allowed are: images, an earlier activeDeadlineSeconds, further tolerations, a negative grace made 1,
 * removed scheduling gates (and, while there are some, further node selectors).  All else must be equal:
 * the new spec with the changeable parts put back is compared with the old one. */
#include "api/json_index.h"
#include "api/kinds/kinds_impl.h"

#define MAY_CHANGE \
    "pod updates may not change fields other than `spec.containers[*].image`," \
    "`spec.initContainers[*].image`," \
    "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations)," \
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"

/* ---- Containers ------------------------------------------------------------------------------------- */

/* False: their number differs, so that comparing further makes no sense. */
static bool check_count(const struct json *old, const struct json *spec, const char *key, const struct at *up,
                        struct causes *causes)
{
    const struct json *was = json_getz(old, key), *now = json_getz(spec, key);
    struct at          at = AT_STR(up, str_of(key));

    if ((was != NULL ? was->n : 0) == (now != NULL ? now->n : 0))
        return true;
    cause_forbidden(causes, &at, "pod updates may not add or remove containers");
    return false;
}

static void put_back_images(struct arena *a, const struct json *old, struct json *spec, const char *key)
{
    const struct json *was = json__first(json_getz(old, key));

    json_each(now, json_getz(spec, key)) {
        if (was == NULL)
            return;
        if (json_is(now, JSON_OBJECT) && json_is(was, JSON_OBJECT))
            put_back(a, now, was, "image");
        was = was->next;
    }
}

/* ---- Single fields ---------------------------------------------------------------------------------- */

static void check_deadline(const struct json *old, const struct json *spec, const struct at *up,
                           struct causes *causes)
{
    const struct json *was = json_getz(old, "activeDeadlineSeconds"),
                      *now = json_getz(spec, "activeDeadlineSeconds");
    struct at          at = AT_KEY(up, "activeDeadlineSeconds");

    if (was == NULL)
        return;
    if (now == NULL)
        cause_invalid_raw(causes, &at, STR("null"), "must not update from a positive integer to nil value");
    else if (json_i64_or(now, 0) > json_i64_or(was, 0))
        cause_invalid_int(causes, &at, json_i64_or(now, 0), "must be less than or equal to previous value");
}

/* A toleration without its seconds, which may change. */
static struct str toleration_text(struct arena *a, const struct json *t)
{
    return arena_fmt(a, "%.*s %.*s %.*s %.*s", STR_ARG(json_str(json_getz(t, "key"))),
                     STR_ARG(json_str(json_getz(t, "operator"))), STR_ARG(json_str(json_getz(t, "effect"))),
                     STR_ARG(json_str(json_getz(t, "value"))));
}

static void check_kept_tolerations(const struct json *old, const struct json *spec, const struct at *up,
                                   struct causes *causes)
{
    const struct json *now = json_getz(spec, "tolerations"), *was = json_getz(old, "tolerations");
    struct at          at = AT_KEY(up, "tolerations");
    struct seen        kept;

    if (json_equal(was, now))
        return;
    kept = seen_new(causes->arena, now != NULL ? now->n : 0);
    json_each(t, now)
        seen_add(&kept, toleration_text(causes->arena, t));
    json_each(t, was)
        if (!seen_has(&kept, toleration_text(causes->arena, t))) {
        cause_forbidden(causes, &at, "existing toleration can not be modified except its tolerationSeconds");
        return;
        }
}

static void check_gates(const struct json *old, const struct json *spec, const struct at *up,
                        struct causes *causes)
{
    const struct json *was = json_getz(old, "schedulingGates");
    struct at          at = AT_KEY(up, "schedulingGates");
    struct seen        names = seen_new(causes->arena, was != NULL ? was->n : 0);

    json_each(gate, was)
        seen_add(&names, json_str(json_getz(gate, "name")));
    json_each(gate, json_getz(spec, "schedulingGates")) {
        struct str name = json_str(json_getz(gate, "name"));

        if (!seen_has(&names, name))
            cause_forbidden(causes, &at,
                            arena_fmt(causes->arena,
                                      "only deletion is allowed, but found new scheduling gate '%.*s'",
                                      STR_ARG(name))
                                .p);
    }
}

/* A gated pod isn't placed yet: where it may go can be narrowed. */
static void check_gated_selector(const struct json *old, const struct json *spec, const struct at *up,
                                 struct causes *causes)
{
    const struct json *was = json_getz(old, "nodeSelector"), *now = json_getz(spec, "nodeSelector"), *still;
    struct at          at = AT_KEY(up, "nodeSelector");
    struct json_index  ix;

    json_index_make(causes->arena, &ix, now != NULL ? now : json_object(causes->arena), 0);
    json_each(label, was) {
        still = json_index_get(&ix, label->key);
        if (still == NULL || !json_equal(still, label)) {
            cause_invalid_raw(causes, &at, json_text(causes->arena, now),
                              "only additions to spec.nodeSelector are allowed (no mutations or deletions)");
            return;
        }
    }
}

#define AFFINITY_TERMS "requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms"

/* Every requirement that was there still is. */
static bool only_added(const struct json *was, const struct json *now, const char *key)
{
    const struct json *old = json_getz(was, key), *list = json_getz(now, key), *at = json__first(list);

    json_each(it, old) {
        if (at == NULL || !json_equal(it, at))
            return false;
        at = at->next;
    }
    return true;
}

/* Terms are alternatives, so none may come or go; each may only become stricter. */
static void check_gated_affinity(const struct json *old, const struct json *spec, const struct at *up,
                                 struct causes *causes)
{
    const struct json *was = json_path(old, "affinity.nodeAffinity"),
                      *now = json_path(spec, "affinity.nodeAffinity"),
                      *old_terms = json_path(was, AFFINITY_TERMS), *terms = json_path(now, AFFINITY_TERMS),
                      *term = json__first(terms);
    struct at affinity = AT_KEY(up, "affinity"), node = AT_KEY(&affinity, "nodeAffinity"),
              required = AT_KEY(&node, "requiredDuringSchedulingIgnoredDuringExecution"),
              at = AT_KEY(&required, "nodeSelectorTerms");
    unsigned  i = 0;

    if (old_terms == NULL)
        return;
    if (terms == NULL || old_terms->n != terms->n) {
        cause_invalid_raw(causes, &at, json_text(causes->arena, terms),
                          "no additions/deletions to non-empty NodeSelectorTerms list are allowed");
        return;
    }
    json_each(it, old_terms) {
        struct at here = AT_INDEX(&at, i);

        if (!only_added(it, term, "matchExpressions") || !only_added(it, term, "matchFields"))
            cause_invalid_raw(causes, &here, json_text(causes->arena, term),
                              "only additions are allowed (no mutations or deletions)");
        term = term->next;
        i++;
    }
}

static void put_back_node_affinity(struct arena *a, const struct json *old, struct json *spec)
{
    const struct json *was = json_getz(old, "affinity");
    struct json       *now = json_getz(spec, "affinity");

    if (json_is(now, JSON_OBJECT))
        put_back(a, now, was, "nodeAffinity");
    if (json_is_blank(now) && json_is_blank(was))
        put_back(a, spec, old, "affinity");
}

/* ---- The rest --------------------------------------------------------------------------------------- */

/* The names of the fields that differ, for the message. */
static struct str differences(struct arena *a, const struct json *old, const struct json *spec)
{
    struct buf b = BUF_INIT;
    struct str s;

    json_each(now, spec) {
        const struct json *was = json_get(old, now->key);

        if (was == NULL || !json_equal(was, now))
            buf_fmt(&b, "\n  spec.%.*s", STR_ARG(now->key));
    }
    json_each(was, old)
        if (json_get(spec, was->key) == NULL)
            buf_fmt(&b, "\n  spec.%.*s", STR_ARG(was->key));
    s = arena_str(a, buf_str(&b));
    buf_release(&b);
    return s;
}

static void check_rest(const struct json *old, struct json *spec, const struct at *at, bool gated,
                       struct causes *causes)
{
    struct arena *a = causes->arena;
    struct json  *grace = json_getz(spec, "terminationGracePeriodSeconds");

    put_back_images(a, old, spec, "containers");
    put_back_images(a, old, spec, "initContainers");
    put_back(a, spec, old, "activeDeadlineSeconds");
    put_back(a, spec, old, "tolerations");
    put_back(a, spec, old, "schedulingGates");
    if (gated) {
        put_back(a, spec, old, "nodeSelector");
        put_back_node_affinity(a, old, spec);
    }
    if (json_i64_or(grace, 0) == 1 && json_i64_or(json_getz(old, "terminationGracePeriodSeconds"), 0) < 0)
        put_back(a, spec, old, "terminationGracePeriodSeconds");
    if (!json_equal(old, spec))
        cause_add(causes, CAUSE_FORBIDDEN, at, "Forbidden: " MAY_CHANGE "%.*s",
                  STR_ARG(differences(a, old, spec)));
}

void pod_update_check(struct kind_ctx *c, const struct json *old, const struct json *pod,
                      struct causes *causes)
{
    const struct json *was = json_getz(old, "spec"), *now = json_getz(pod, "spec");
    struct at          at = AT_KEY(NULL, "spec");
    bool               gated = !json_is_blank(json_getz(was, "schedulingGates"));

    if (json_equal(was, now))
        return;                                  /* nearly always: labels and annotations */
    if (!json_is(was, JSON_OBJECT) || !json_is(now, JSON_OBJECT))
        return;
    if (pod_is_ephemeral(c)) {
        pod_ephemeral_check(was, now, causes);
        return;
    }
    if (pod_is_resize(c)) {
        pod_resize_check(old, pod, causes);
        return;
    }
    if (!check_count(was, now, "containers", &at, causes) ||
        !check_count(was, now, "initContainers", &at, causes))
        return;
    check_deadline(was, now, &at, causes);
    check_kept_tolerations(was, now, &at, causes);
    check_gates(was, now, &at, causes);
    if (gated) {
        check_gated_selector(was, now, &at, causes);
        check_gated_affinity(was, now, &at, causes);
    }
    check_rest(was, json_copy(c->arena, now), &at, gated, causes);
}
