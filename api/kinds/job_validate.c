/* api/kinds/job_validate.c: what a job is to do: counts that fit each other, pods that can end. */
#include "api/kinds/kinds_impl.h"

#define INDEXED_PARALLELISM_MAX 100000           /* also: completions that need no limit of failures */
#define MANY_PARALLELISM_MAX    10000

static int64_t number(const struct json *spec, const char *key)
{
    return json_i64_or(json_getz(spec, key), 0);
}
static bool    has(const struct json *spec, const char *key) { return json_getz(spec, key) != NULL; }

/* ---- Counts ----------------------------------------------------------------------------------------- */

static void check_failed_indexes(const struct json *spec, const struct at *at, struct causes *causes)
{
    if (!has(spec, "maxFailedIndexes"))
        return;
    field_need(spec, "backoffLimitPerIndex", at, "when maxFailedIndexes is specified", causes);
    if (has(spec, "completions") && number(spec, "maxFailedIndexes") > number(spec, "completions"))
        field_refuse(spec, "maxFailedIndexes", at, "must be less than or equal to completions", causes);
    if (number(spec, "maxFailedIndexes") > INDEXED_PARALLELISM_MAX)
        field_refuse(spec, "maxFailedIndexes", at, "must be less than or equal to 100000", causes);
}

/* Failures of each index are remembered one by one: a huge job says how many it bears. */
static void check_many(const struct json *spec, const struct at *at, struct causes *causes)
{
    if (!has(spec, "backoffLimitPerIndex") || number(spec, "completions") <= INDEXED_PARALLELISM_MAX)
        return;
    if (field_need(spec, "maxFailedIndexes", at, "must be specified when completions is above 100000",
                   causes) &&
        number(spec, "maxFailedIndexes") > MANY_PARALLELISM_MAX)
        field_refuse(spec, "maxFailedIndexes", at,
                     "must be less than or equal to 10000 when completions are above 100000 and used with "
                     "backoff limit per index", causes);
    if (number(spec, "parallelism") > MANY_PARALLELISM_MAX)
        field_refuse(spec, "parallelism", at,
                     "must be less than or equal to 10000 when completions are above 100000 and used with "
                     "backoff limit per index", causes);
}

static void check_indexes(const struct json *spec, const struct at *at, struct causes *causes)
{
    bool indexed = str_is(json_str(json_getz(spec, "completionMode")), "Indexed");

    if (indexed) {
        field_need(spec, "completions", at, "when completion mode is Indexed", causes);
        if (number(spec, "parallelism") > INDEXED_PARALLELISM_MAX)
            field_refuse(spec, "parallelism", at,
                         "must be less than or equal to 100000 when completion mode is Indexed", causes);
    } else if (has(spec, "backoffLimitPerIndex")) {
        field_refuse(spec, "backoffLimitPerIndex", at, "requires indexed completion mode", causes);
    }
    check_failed_indexes(spec, at, causes);
    check_many(spec, at, causes);
}

/* ---- The whole -------------------------------------------------------------------------------------- */

static void check_restart(const struct json *spec, const struct at *up, struct causes *causes)
{
    struct at tmpl = AT_KEY(up, "template"), at_spec = AT_KEY(&tmpl, "spec"),
              at = AT_KEY(&at_spec, "restartPolicy");
    const struct json *inside = json_path(spec, "template.spec");

    if (str_is(json_str(json_getz(inside, "restartPolicy")), "Always"))
        cause_required(causes, &at, "valid values: \"OnFailure\", \"Never\"");
    else if (json_getz(spec, "podFailurePolicy") != NULL &&
             str_is(json_str(json_getz(inside, "restartPolicy")), "OnFailure"))
        field_refuse(inside, "restartPolicy", &at_spec,
                     "only \"Never\" is supported when podFailurePolicy is specified", causes);
}

void job_spec_check(const struct json *spec, const struct at *at, struct causes *causes)
{
    static const char *const failed[] = { "Failed" };
    const struct json *tmpl = json_getz(spec, "template");
    struct at          at_tmpl = AT_KEY(at, "template");
    struct str         by = json_str(json_getz(spec, "managedBy"));

    if (!json_is(spec, JSON_OBJECT))
        return;
    check_indexes(spec, at, causes);
    job_policies_check(spec, at, causes);
    if (json_getz(spec, "podFailurePolicy") != NULL)
        field_one_of(spec, "podReplacementPolicy", at, failed, ARRAY_LEN(failed), causes);
    field_check(name_check_domain_path, spec, "managedBy", at, causes);
    if (by.n > 63)
        field_refuse(spec, "managedBy", at, "must be no more than 63 characters", causes);
    pod_template_check(tmpl, json_getz(spec, "selector"), &at_tmpl, causes);
    check_restart(spec, at, causes);
}

/* ---- Updates ---------------------------------------------------------------------------------------- */

/* While a job waits, where its pods may go can still be decided. */
static void put_back_placement(struct arena *a, const struct json *old, struct json *tmpl)
{
    static const char *const meta[] = { "labels", "annotations" };
    static const char *const spec[] = { "nodeSelector", "affinity", "tolerations", "schedulingGates" };
    struct json *to_meta = json_make_path(a, tmpl, "metadata"), *to_spec = json_make_path(a, tmpl, "spec");

    for (size_t i = 0; i < ARRAY_LEN(meta); i++)
        put_back(a, to_meta, json_getz(old, "metadata"), meta[i]);
    for (size_t i = 0; i < ARRAY_LEN(spec); i++)
        put_back(a, to_spec, json_getz(old, "spec"), spec[i]);
    if (to_meta->n == 0 && json_getz(old, "metadata") == NULL)
        json_delz(tmpl, "metadata");
}

static void check_template(const struct json *old, const struct json *spec, bool suspended,
                           const struct at *at, struct causes *causes)
{
    const struct json *was = json_getz(old, "template"), *now = json_getz(spec, "template");
    struct json       *copy;

    if (json_equal(was, now))
        return;
    copy = json_copy(causes->arena, now);
    if (suspended && json_is(copy, JSON_OBJECT))
        put_back_placement(causes->arena, was, copy);
    if (!json_same(was, copy))
        field_refuse(spec, "template", at, "field is immutable", causes);
}

/* An indexed job can grow and shrink, all its indexes at once. */
static void check_completions(const struct json *old, const struct json *spec, const struct at *at,
                              struct causes *causes)
{
    if (json_same(json_getz(old, "completions"), json_getz(spec, "completions")))
        return;
    if (!str_is(json_str(json_getz(spec, "completionMode")), "Indexed") || !has(spec, "completions"))
        field_refuse(spec, "completions", at, "field is immutable", causes);
    else if (number(spec, "completions") != number(spec, "parallelism"))
        field_refuse(spec, "completions", at, "can only be modified in tandem with spec.parallelism", causes);
}

void job_spec_check_update(const struct json *old, const struct json *spec, bool suspended,
                           const struct at *at, struct causes *causes)
{
    static const char *const kept[] = { "selector", "completionMode", "podFailurePolicy", "successPolicy",
                                        "backoffLimitPerIndex", "managedBy" };

    check_completions(old, spec, at, causes);
    check_template(old, spec, suspended, at, causes);
    for (size_t i = 0; i < ARRAY_LEN(kept); i++)
        field_keep(old, spec, kept[i], at, causes);
}
