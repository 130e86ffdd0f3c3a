/* api/kinds/job_failure.c: what a job does about pods that fail, and when enough indexes succeeded. */
#include <inttypes.h>
#include "api/kinds/kinds_impl.h"

#define RULES_MAX 20

/* ---- Failure ---------------------------------------------------------------------------------------- */

static bool has_container(const struct json *tmpl, struct str name)
{
    static const char *const lists[] = { "containers", "initContainers" };

    for (size_t i = 0; i < ARRAY_LEN(lists); i++)
        json_each(it, json_getz(json_getz(tmpl, "spec"), lists[i]))
            if (str_eq(json_str(json_getz(it, "name")), name))
                return true;
    return false;
}

static void check_codes(const struct json *codes, const struct json *tmpl, const struct at *at,
                        struct causes *causes)
{
    const struct json *name = json_getz(codes, "containerName");
    bool               in = str_is(json_str(json_getz(codes, "operator")), "In"), ordered = true;
    int64_t            before = INT64_MIN;

    if (name != NULL && !has_container(tmpl, json_str(name)))
        field_refuse(codes, "containerName", at,
                     "must be one of the container or initContainer names in the pod template", causes);
    each_in(e, codes, "values", at) {
        int64_t code = json_i64_or(e.it, 0);

        if (in && code == 0)
            cause_invalid_int(causes, &e.at, code, "must not be 0 for the In operator");
        else if (code == before)
            cause_add(causes, CAUSE_DUPLICATE, &e.at, "Duplicate value: %" PRIi64, code);
        ordered &= code >= before;
        before = code;
    }
    if (!ordered)
        field_refuse(codes, "values", at, "must be ordered", causes);
}

static void check_failure_rule(const struct json *spec, const struct json *rule, const struct at *at,
                               struct causes *causes)
{
    const struct json *codes = json_getz(rule, "onExitCodes");
    bool               conditions = json_is_set(json_getz(rule, "onPodConditions"));
    struct at          at_codes = AT_KEY(at, "onExitCodes");

    if (str_is(json_str(json_getz(rule, "action")), "FailIndex") &&
        json_getz(spec, "backoffLimitPerIndex") == NULL)
        field_refuse(rule, "action", at, "requires the backoffLimitPerIndex to be set", causes);
    if (codes != NULL && conditions)
        cause_add(causes, CAUSE_INVALID, at,
                  "Invalid value: specifying both OnExitCodes and OnPodConditions is not supported");
    else if (codes == NULL && !conditions)
        cause_add(causes, CAUSE_INVALID, at,
                  "Invalid value: specifying one of OnExitCodes and OnPodConditions is required");
    if (codes != NULL)
        check_codes(codes, json_getz(spec, "template"), &at_codes, causes);
}

/* ---- Success ---------------------------------------------------------------------------------------- */

static bool take_number(struct str *s, int64_t *ret)
{
    size_t n = 0;

    while (n < s->n && s->p[n] >= '0' && s->p[n] <= '9')
        n++;
    if (n == 0 || !str_i64(str_upto(*s, n), ret))
        return false;
    *s = str_from(*s, n);
    return true;
}

/* "0,2-4": ascending, below `completions`.  NULL: fine. */
static const char *indexes_wrong(struct arena *a, struct str s, int64_t completions, int64_t *ret_count)
{
    struct str part;
    int64_t    before = -1, from, to;

    *ret_count = 0;
    while (str_split(&s, ',', &part)) {
        struct str rest = part;

        if (!take_number(&rest, &from))
            return arena_fmt(a, "cannot convert string to integer for index: \"%.*s\"", STR_ARG(part)).p;
        to = from;
        if (rest.n > 0 &&
            (rest.p[0] != '-' || (rest = str_from(rest, 1), !take_number(&rest, &to)) || rest.n > 0))
            return arena_fmt(a, "invalid range syntax: \"%.*s\"", STR_ARG(part)).p;
        if (from <= before || to < from)
            return arena_fmt(a, "non-increasing order, previous: %" PRIi64 ", current: %" PRIi64, before,
                             from)
                .p;
        if (to >= completions)
            return "too large index";
        *ret_count += to - from + 1;
        before = to;
    }
    return NULL;
}

static void check_success_rule(const struct json *spec, const struct json *rule, const struct at *at,
                               struct causes *causes)
{
    const struct json *indexes = json_getz(rule, "succeededIndexes"),
                      *count = json_getz(rule, "succeededCount");
    int64_t     completions = json_i64_or(json_getz(spec, "completions"), 0), n = completions;
    const char *wrong;

    if (indexes == NULL && count == NULL)
        cause_required(causes, at, "at least one of succeededCount or succeededIndexes must be specified");
    if (indexes != NULL &&
        (wrong = indexes_wrong(causes->arena, json_str(indexes), completions, &n)) != NULL) {
        field_refuse(rule, "succeededIndexes", at,
                     arena_fmt(causes->arena, "error parsing succeededIndexes: %s", wrong).p, causes);
        n = completions;
    }
    if (json_i64_or(count, 0) > n)
        field_refuse(rule, "succeededCount", at,
                     arena_fmt(causes->arena, "must be less than or equal to %" PRIi64 " (the number of %s)",
                               n,
                               n == completions ? "specified completions"
                                                : "indexes in the specified succeededIndexes field")
                         .p,
                     causes);
}

void job_policies_check(const struct json *spec, const struct at *at, struct causes *causes)
{
    const struct json *success = json_getz(spec, "successPolicy");
    struct at at_failure = AT_KEY(at, "podFailurePolicy"), at_success = AT_KEY(at, "successPolicy");

    each_in(e, json_getz(spec, "podFailurePolicy"), "rules", &at_failure) {
        if (e.i >= RULES_MAX)
            break;                               /* too many: the schema says so */
        check_failure_rule(spec, e.it, &e.at, causes);
    }
    if (success == NULL)
        return;
    if (!str_is(json_str(json_getz(spec, "completionMode")), "Indexed")) {
        cause_add(causes, CAUSE_INVALID, &at_success, "Invalid value: requires indexed completion mode");
        return;
    }
    each_in(e, success, "rules", &at_success)
        check_success_rule(spec, e.it, &e.at, causes);
}
