/* api/kinds/container_probe.c: probes and lifecycle handlers: one way to do each, and sensible numbers. */
#include <inttypes.h>
#include "api/kinds/kinds_impl.h"

static bool is_header_name(struct str s)
{
    if (s.n == 0)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];

        if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') && c != '-')
            return false;
    }
    return true;
}

static void check_headers(const struct json *get, const struct at *at, struct causes *causes)
{
    struct at list = AT_KEY(at, "httpHeaders");
    unsigned  i = 0;

    json_each(it, json_getz(get, "httpHeaders")) {
        struct at  here = AT_INDEX(&list, i), name = AT_KEY(&here, "name");
        struct str s = json_str(json_getz(it, "name"));

        i++;
        if (s.n > 0 && !is_header_name(s))
            cause_invalid(causes, &name, s,
                          "a valid HTTP header must consist of alphanumeric characters or '-' "
                          "(e.g. 'X-Header-Name', regex used for validation is '[-A-Za-z0-9]+')");
    }
}

/* One of the listed handlers. */
static void check_handler(const struct json *handler, const char *const *kinds, size_t n, const struct at *at,
                          struct causes *causes)
{
    struct at at_get = AT_KEY(at, "httpGet");
    unsigned  found = 0;

    for (size_t i = 0; i < n; i++) {
        struct at here = AT_STR(at, str_of(kinds[i]));

        if (json_getz(handler, kinds[i]) == NULL)
            continue;
        if (found++ > 0)
            cause_forbidden(causes, &here, "may not specify more than 1 handler type");
    }
    if (found == 0)
        cause_required(causes, at, "must specify a handler type");
    check_headers(json_getz(handler, "httpGet"), &at_get, causes);
}

static void check_probe(const struct json *probe, const struct at *at, struct causes *causes)
{
    static const char *const kinds[] = { "exec", "httpGet", "tcpSocket", "grpc" };

    if (probe != NULL)
        check_handler(probe, kinds, ARRAY_LEN(kinds), at, causes);
}

/* Failing once after succeeding is what restarts: more than one success makes no sense. */
static void check_one_success(const struct json *probe, const struct at *at, struct causes *causes)
{
    struct at here = AT_KEY(at, "successThreshold");
    int64_t   n = json_i64_or(json_getz(probe, "successThreshold"), 1);

    if (probe != NULL && n != 1)
        cause_invalid_int(causes, &here, n, "must be 1");
}

/* Who sleeps before the end must wake up before it. */
static void check_lifecycle(const struct json *handler, int64_t grace_s, const struct at *at,
                            struct causes *causes)
{
    static const char *const kinds[] = { "exec", "httpGet", "tcpSocket", "sleep" };
    const struct json *sleep = json_getz(handler, "sleep");
    struct at          at_sleep = AT_KEY(at, "sleep");
    int64_t            seconds = json_i64_or(json_getz(sleep, "seconds"), 0);

    if (handler == NULL)
        return;
    check_handler(handler, kinds, ARRAY_LEN(kinds), at, causes);
    if (sleep != NULL && (seconds < 0 || seconds > grace_s))
        field_refuse(sleep, "seconds", &at_sleep,
                     arena_fmt(causes->arena,
                               "must be non-negative and less than terminationGracePeriodSeconds (%" PRIi64
                               ")",
                               grace_s)
                         .p,
                     causes);
}

static void forbid(const struct json *v, const struct at *at, struct causes *causes)
{
    if (v != NULL)
        cause_forbidden(causes, at, "may not be set for init containers without restartPolicy=Always");
}

void container_probes_check(const struct json *container, const struct at *at, bool is_init,
                            int64_t grace_s, struct causes *causes)
{
    const struct json *live = json_getz(container, "livenessProbe"),
                      *ready = json_getz(container, "readinessProbe"),
                      *start = json_getz(container, "startupProbe"),
                      *cycle = json_getz(container, "lifecycle");
    struct at at_live = AT_KEY(at, "livenessProbe"), at_ready = AT_KEY(at, "readinessProbe"),
              at_start = AT_KEY(at, "startupProbe"), at_cycle = AT_KEY(at, "lifecycle"),
              at_post = AT_KEY(&at_cycle, "postStart"), at_pre = AT_KEY(&at_cycle, "preStop"),
              at_grace = AT_KEY(&at_ready, "terminationGracePeriodSeconds");

    if (live == NULL && ready == NULL && start == NULL && cycle == NULL)
        return;
    if (is_init && !str_is(json_str(json_getz(container, "restartPolicy")), "Always")) {
        forbid(cycle, &at_cycle, causes);
        forbid(live, &at_live, causes);
        forbid(ready, &at_ready, causes);
        forbid(start, &at_start, causes);
        return;
    }
    check_lifecycle(json_getz(cycle, "postStart"), grace_s, &at_post, causes);
    check_lifecycle(json_getz(cycle, "preStop"), grace_s, &at_pre, causes);
    check_probe(live, &at_live, causes);
    check_one_success(live, &at_live, causes);
    check_probe(ready, &at_ready, causes);
    if (json_getz(ready, "terminationGracePeriodSeconds") != NULL)
        cause_invalid_raw(causes, &at_grace, json_getz(ready, "terminationGracePeriodSeconds")->s,
                          "must not be set for readinessProbes");
    check_probe(start, &at_start, causes);
    check_one_success(start, &at_start, causes);
}
