/* api/list_options.c: see api/list_options.h. */
#include "api/list_options.h"

#define MATCH "resourceVersionMatch"
#define SEND  "sendInitialEvents"

static void forbid(struct causes *causes, const char *field, const char *why)
{
    struct at at = AT_STR(NULL, str_of(field));

    cause_forbidden(causes, &at, why);
}

static void unsupported(struct causes *causes, struct str match, const char *const *allowed, size_t n)
{
    struct at at = AT_KEY(NULL, MATCH);

    cause_unsupported(causes, &at, match, allowed, n);
}

static void check_watch(const struct request_options *o, struct causes *causes)
{
    static const char *const allowed[] = { "NotOlderThan" };
    struct str match = o->resource_version_match;
    bool       fits = str_is(match, allowed[0]);

    if (o->has_send_initial_events && !fits)
        forbid(causes, MATCH, "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan");
    if (match.n == 0)
        return;
    if (!o->has_send_initial_events)
        forbid(causes, MATCH,
               "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided");
    if (!fits)
        unsupported(causes, match, allowed, ARRAY_LEN(allowed));
    if (o->continue_.n > 0)
        forbid(causes, MATCH, "resourceVersionMatch is forbidden when continue is provided");
}

static void check_list(const struct request_options *o, struct causes *causes)
{
    static const char *const allowed[] = { "Exact", "NotOlderThan", "" };
    struct str match = o->resource_version_match;
    bool       exact = str_is(match, allowed[0]);

    if (match.n > 0 && !o->has_rv)
        forbid(causes, MATCH, "resourceVersionMatch is forbidden unless resourceVersion is provided");
    if (match.n > 0 && o->continue_.n > 0)
        forbid(causes, MATCH, "resourceVersionMatch is forbidden when continue is provided");
    if (match.n > 0 && !exact && !str_is(match, allowed[1]))
        unsupported(causes, match, allowed, ARRAY_LEN(allowed));
    if (exact && o->has_rv && o->rv == 0)
        forbid(causes, MATCH, "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"");
    if (o->has_send_initial_events)
        forbid(causes, SEND, "sendInitialEvents is forbidden for list");
}

bool list_options_check(struct call *c, bool watch)
{
    static const struct schema_kind kind = { .group = "meta.k8s.io", .version = "v1", .kind = "ListOptions" };
    const struct request_options *o = &c->rq.opt;
    struct causes causes;

    causes_init(&causes, c->arena);
    if (watch)
        check_watch(o, &causes);
    else
        check_list(o, &causes);
    if (causes.n > 0) {
        call_invalid(c, &kind, STR_NONE, &causes);
        return false;
    }
    if (!watch && o->continue_.n > 0 && o->rv > 0) {
        call_bad_request(c, "specifying resource version is not allowed when using continue");
        return false;
    }
    return true;
}
