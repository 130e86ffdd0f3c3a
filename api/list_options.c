/* api/list_options.c: see api/list_options.h. */
#include "api/list_options.h"

static void invalid_option(struct call *c, const char *field, const char *reason, const char *text)
{
    static const struct schema_kind kind = { .group = "meta.k8s.io", .version = "v1", .kind = "ListOptions" };
    struct causes causes;
    struct at     at = AT_STR(NULL, str_of(field));

    causes_init(&causes, c->arena);
    cause_add(&causes, reason, &at, "%s", text);
    call_invalid(c, &kind, STR_NONE, &causes);
}

/* What only makes sense together. */
static bool check_watch(struct call *c)
{
    const struct request_options *o = &c->rq.opt;
    struct str match = o->resource_version_match;

    if (match.n > 0 && !o->has_send_initial_events)
        invalid_option(c, "resourceVersionMatch", CAUSE_FORBIDDEN,
                       "Forbidden: resourceVersionMatch is forbidden for watch unless sendInitialEvents is "
                       "provided");
    else if (o->has_send_initial_events && !str_is(match, "NotOlderThan"))
        invalid_option(c, "resourceVersionMatch", CAUSE_FORBIDDEN,
                       "Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan");
    else if (o->continue_.n > 0)
        invalid_option(c, "continue", CAUSE_FORBIDDEN, "Forbidden: continue is forbidden for watch");
    else
        return true;
    return false;
}

static bool check_list(struct call *c)
{
    const struct request_options *o = &c->rq.opt;
    struct str match = o->resource_version_match;

    if (o->has_send_initial_events)
        invalid_option(c, "sendInitialEvents", CAUSE_FORBIDDEN,
                       "Forbidden: sendInitialEvents is forbidden for list");
    else if (match.n > 0 && o->continue_.n > 0)
        invalid_option(c, "resourceVersionMatch", CAUSE_FORBIDDEN,
                       "Forbidden: resourceVersionMatch is forbidden when continue is provided");
    else if (match.n > 0 && !o->has_rv)
        invalid_option(c, "resourceVersionMatch", CAUSE_FORBIDDEN,
                       "Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided");
    else if (match.n > 0 && !str_is(match, "Exact") && !str_is(match, "NotOlderThan"))
        invalid_option(c, "resourceVersionMatch", CAUSE_NOT_SUPPORTED,
                       "Unsupported value: supported values: \"Exact\", \"NotOlderThan\", \"\"");
    else if (str_is(match, "Exact") && o->rv == 0)
        invalid_option(c, "resourceVersionMatch", CAUSE_FORBIDDEN,
                       "Forbidden: resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"");
    else if (o->continue_.n > 0 && o->has_rv && o->rv > 0)
        call_bad_request(c, "specifying resource version is not allowed when using continue");
    else
        return true;
    return false;
}

bool list_options_check(struct call *c, bool watch)
{
    return watch ? check_watch(c) : check_list(c);
}
