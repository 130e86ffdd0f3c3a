/* api/request.c: see api/request.h. */
#include "api/request.h"
#include "api/time_fmt.h"
#include "net/http.h"

#define MAX_SEGMENTS 64

static const char *const verb_names[API_VERBS] = {
    "get", "list", "watch", "create", "update", "patch", "delete", "deletecollection", "other",
};

const char *request_verb_name(enum api_verb v)
{
    must((unsigned)v < API_VERBS);
    return verb_names[v];
}

/* ---- Path --------------------------------------------------------------------------------------- */

struct segments { struct str seg[MAX_SEGMENTS]; const char *raw[MAX_SEGMENTS]; unsigned n; };

static bool segment_ok(struct str s)
{
    if (s.n == 0 || str_is(s, ".") || str_is(s, ".."))
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] == '/' || s.p[i] == '%' || (unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
            return false;
    return true;
}

static bool needs_unescape(struct str s)
{
    return str_find(s, '%') >= 0;
}

/* Split at '/', unescape each part once. */
static int split_path(struct arena *a, struct str path, struct segments *out, struct errbuf *err)
{
    struct str rest, part;

    out->n = 0;
    if (path.n == 0 || path.p[0] != '/')
        return err_set(err, E_INVALID, "the request path must start with a slash");
    rest = str_from(path, 1);
    if (rest.n > 1 && rest.p[rest.n - 1] == '/')
        rest.n--;                                /* one trailing slash is the same path */
    if (rest.n == 0)
        return 0;
    while (str_split(&rest, '/', &part)) {
        struct str plain = part;

        if (out->n == MAX_SEGMENTS)
            return err_set(err, E_INVALID, "the request path has too many segments");
        if (needs_unescape(part) && !http_unescape(a, part, false, &plain))
            return err_set(err, E_INVALID, "invalid URL escape in the request path");
        if (!segment_ok(plain))
            return err_set(err, E_INVALID, "Name parameter invalid: %s",
                           plain.n == 0 ? "empty path segments are not allowed"
                                        : "a path segment may not be \".\" or \"..\" or contain '/', '%' or "
                                          "control characters");
        out->seg[out->n] = plain;
        out->raw[out->n++] = part.p;
    }
    return 0;
}

/* The path of non-resource rules: what was sent, or the unescaped form when that differs. */
static struct str plain_path(struct arena *a, struct str path, const struct segments *s)
{
    size_t n = 1;
    char  *p, *q;

    if (!needs_unescape(path))
        return path;
    for (unsigned i = 0; i < s->n; i++)
        n += s->seg[i].n + 1;
    p = q = arena_alloc(a, n);
    for (unsigned i = 0; i < s->n; i++) {
        *q++ = '/';
        memcpy(q, s->seg[i].p, s->seg[i].n);
        q += s->seg[i].n;
    }
    return str_make(p, (size_t)(q - p));
}

static enum api_verb verb_of(struct str method, bool collection)
{
    if (str_is(method, "GET") || str_is(method, "HEAD"))
        return collection ? API_LIST : API_GET;
    if (str_is(method, "POST"))
        return API_CREATE;
    if (str_is(method, "PUT"))
        return API_UPDATE;
    if (str_is(method, "PATCH"))
        return API_PATCH;
    if (str_is(method, "DELETE"))
        return collection ? API_DELETECOLLECTION : API_DELETE;
    return API_OTHER;
}

/* resource[/name[/subresource[/rest]]] from segment i on. */
static void parse_resource(struct request *r, const struct segments *s, unsigned i, struct str path)
{
    r->resource = s->seg[i++];
    if (i < s->n)
        r->name = s->seg[i++];
    if (i < s->n)
        r->subresource = s->seg[i++];
    if (i < s->n)
        r->rest = str_make(s->raw[i], (size_t)(path.p + path.n - s->raw[i]));
}

static bool is_namespace_sub(struct str s)
{
    return str_is(s, "status") || str_is(s, "finalize");
}

/* /api/V/..., /apis/G/V/...; anything shorter is discovery. */
static void parse_tuple(struct request *r, const struct segments *s, struct str path)
{
    unsigned i = 0;
    bool     watch_prefix = false;

    if (s->n >= 3 && str_is(s->seg[0], "api")) {
        r->version = s->seg[1];
        i = 2;
    } else if (s->n >= 4 && str_is(s->seg[0], "apis")) {
        r->group = s->seg[1];
        r->version = s->seg[2];
        i = 3;
    } else {
        return;
    }
    r->is_resource = true;
    if (str_is(s->seg[i], "watch") && i + 1 < s->n) {
        watch_prefix = true;                     /* the old form: /api/v1/watch/pods */
        i++;
    }
    if (str_is(s->seg[i], "namespaces") && i + 2 < s->n &&
        !(is_namespace_sub(s->seg[i + 2]) && i + 3 == s->n)) {
        r->ns = s->seg[i + 1];
        parse_resource(r, s, i + 2, path);
    } else {
        parse_resource(r, s, i, path);
        if (r->group.n == 0 && str_is(r->resource, "namespaces"))
            r->ns = r->name;
    }
    r->opt.watch |= watch_prefix;
}

/* ---- Query -------------------------------------------------------------------------------------- */

static bool query_next(struct arena *a, struct str *rest, struct str *key, struct str *value)
{
    struct str part;

    while (str_split(rest, '&', &part)) {
        ptrdiff_t eq = str_find(part, '=');

        if (part.n == 0)
            continue;
        *key = eq < 0 ? part : str_upto(part, (size_t)eq);
        *value = eq < 0 ? STR("") : str_from(part, (size_t)eq + 1);
        if ((str_find(*key, '%') < 0 || http_unescape(a, *key, true, key)) &&
            ((str_find(*value, '%') < 0 && str_find(*value, '+') < 0) ||
             http_unescape(a, *value, true, value)))
            /* a parameter with a broken escape is dropped, as Go drops it */
            return true;
    }
    return false;
}

bool request_param(struct arena *a, struct str *rest, const char *name, struct str *ret_value)
{
    struct str key, value;

    while (query_next(a, rest, &key, &value))
        if (str_is(key, name)) {
            *ret_value = value;                  /* untouched unless found: callers have defaults */
            return true;
        }
    return false;
}

/* Any value but "0" and "false" is true, as the original reads it. */
static bool truth(struct str v)
{
    return !str_is(v, "0") && !str_ieq(v, STR("false"));
}

static int number(struct str v, int64_t *ret, struct errbuf *err)
{
    if (str_i64(v, ret))
        return 0;
    return err_set(err, E_INVALID, "strconv.ParseInt: parsing \"%.*s\": invalid syntax",
                   (int)MIN_OF(v.n, (size_t)40), v.p);
}

static int option_number(struct request_options *o, const char *name, struct str v, struct errbuf *err)
{
    int64_t n;
    int     rc = number(v, &n, err);

    if (rc < 0)
        return rc;
    if (strcmp(name, "limit") == 0) {
        if (n < 0)
            return err_set(err, E_INVALID, "limit: Invalid value: %lld: must be greater than or equal to 0",
                           (long long)n);
        o->limit = (uint64_t)n;
    } else if (strcmp(name, "timeoutSeconds") == 0) {
        o->has_timeout = n > 0;
        o->timeout_s = n > 0 ? (uint64_t)n : 0;
    } else {
        if (n < 0)
            n = 1;                               /* the original: negative grace means one second */
        o->has_grace = true;
        o->grace_s = n;
    }
    return 0;
}

static int option_validation(struct request_options *o, struct str v, struct errbuf *err)
{
    if (str_is(v, "Ignore"))
        o->validation = FIELDS_IGNORE;
    else if (str_is(v, "Strict"))
        o->validation = FIELDS_STRICT;
    else if (str_is(v, "Warn") || v.n == 0)
        o->validation = FIELDS_WARN;
    else
        return err_set(err, E_INVALID,
                       "fieldValidation: Unsupported value: \"%.*s\": supported values: \"Ignore\", "
                       "\"Strict\", \"Warn\"",
                       (int)MIN_OF(v.n, (size_t)40), v.p);
    return 0;
}

static int option_dry_run(struct request_options *o, struct str v, struct errbuf *err)
{
    if (!str_is(v, "All") && v.n > 0)
        return err_set(err, E_INVALID, "dryRun: Unsupported value: \"%.*s\": supported values: \"All\"",
                       (int)MIN_OF(v.n, (size_t)40), v.p);
    o->dry_run = v.n > 0;
    return 0;
}

static int option_rv(struct request_options *o, struct str v, struct errbuf *err)
{
    o->has_rv = v.n > 0;
    o->resource_version = v;
    o->rv = 0;
    if (v.n > 0 && !str_u64(v, &o->rv))
        return err_set(err, E_INVALID,
                       "resourceVersion: Invalid value: \"%.*s\": strconv.ParseUint: parsing \"%.*s\": "
                       "invalid syntax",
                       (int)MIN_OF(v.n, (size_t)40), v.p, (int)MIN_OF(v.n, (size_t)40), v.p);
    return 0;
}

static int option_timeout(struct request_options *o, struct str v, struct errbuf *err)
{
    int64_t ns;

    if (v.n == 0)
        return 0;
    if (!duration_parse(v, &ns))
        return err_set(err, E_INVALID, "invalid timeout specified in the request URL");
    o->timeout_ms = ns > 0 ? (uint64_t)ns / 1000000 + 1 : 0;
    return 0;
}

static void option_text(struct request_options *o, struct str key, struct str v)
{
    if (str_is(key, "resourceVersionMatch"))
        o->resource_version_match = v;
    else if (str_is(key, "continue"))
        o->continue_ = v;
    else if (str_is(key, "labelSelector"))
        o->label_selector = v;
    else if (str_is(key, "fieldSelector"))
        o->field_selector = v;
    else if (str_is(key, "fieldManager"))
        o->field_manager = v;
    else if (str_is(key, "propagationPolicy"))
        o->propagation = v;
    else if (str_is(key, "includeObject"))
        o->include_object = v;
}

static bool option_flag(struct request_options *o, struct str key, struct str v)
{
    if (str_is(key, "watch"))
        o->watch |= truth(v);
    else if (str_is(key, "allowWatchBookmarks"))
        o->bookmarks = truth(v);
    else if (str_is(key, "sendInitialEvents"))
        o->has_send_initial_events = true, o->send_initial_events = truth(v);
    else if (str_is(key, "force"))
        o->force = truth(v);
    else if (str_is(key, "pretty"))
        o->pretty = truth(v);
    else if (str_is(key, "orphanDependents"))
        o->has_orphan = true, o->orphan = truth(v);
    else
        return false;
    return true;
}

static int parse_query(struct arena *a, struct str query, struct request_options *o, struct errbuf *err)
{
    struct str key, v;
    int        rc = 0;

    while (rc == 0 && query_next(a, &query, &key, &v)) {
        if (option_flag(o, key, v))
            continue;
        if (str_is(key, "limit"))
            rc = option_number(o, "limit", v, err);
        else if (str_is(key, "timeoutSeconds"))
            rc = option_number(o, "timeoutSeconds", v, err);
        else if (str_is(key, "gracePeriodSeconds"))
            rc = option_number(o, "gracePeriodSeconds", v, err);
        else if (str_is(key, "fieldValidation"))
            rc = option_validation(o, v, err);
        else if (str_is(key, "dryRun"))
            rc = option_dry_run(o, v, err);
        else if (str_is(key, "timeout"))
            rc = option_timeout(o, v, err);
        else if (str_is(key, "resourceVersion"))
            rc = option_rv(o, v, err);
        else
            option_text(o, key, v);
    }
    return rc;
}

bool request_selects(struct str selector, const char *path, struct str *ret)
{
    struct str term, at = str_of(path), value;

    while (str_split(&selector, ',', &term)) {
        if (!str_starts(term, at) || term.n <= at.n || term.p[at.n] != '=')
            continue;
        value = str_from(term, at.n + 1);
        if (value.n > 0 && value.p[0] == '=')
            value = str_from(value, 1);
        if (value.n == 0 || str_find(value, '\\') >= 0)
            return false;
        *ret = value;
        return true;
    }
    return false;
}

static const char *lower_method(struct arena *a, struct str method)
{
    char *z = arena_cstr(a, method);

    for (char *p = z; *p != '\0'; p++)
        if (*p >= 'A' && *p <= 'Z')
            *p = (char)(*p - 'A' + 'a');
    return z;
}

int request_parse(struct arena *a, struct str method, struct str path, struct str query,
                  struct request *ret, struct errbuf *err)
{
    struct segments s;
    struct request  r;
    int             rc;

    memset(&r, 0, sizeof(r));
    r.query = query;
    rc = split_path(a, path, &s, err);
    if (rc < 0)
        return rc;
    r.path = plain_path(a, path, &s);
    parse_tuple(&r, &s, path);
    /* a proxied request's query is the backend's */
    rc = r.is_resource && !str_is(r.subresource, "proxy") ? parse_query(a, query, &r.opt, err) : 0;
    if (rc < 0)
        return rc;
    r.verb = r.is_resource ? verb_of(method, r.name.n == 0) : API_OTHER;
    if (r.opt.watch && (r.verb == API_LIST || (r.verb == API_GET && r.subresource.n == 0)))
        r.verb = API_WATCH;
    r.only = r.name;
    if (r.name.n == 0 && (r.verb == API_LIST || r.verb == API_WATCH || r.verb == API_DELETECOLLECTION) &&
        (!request_selects(r.opt.field_selector, "metadata.name", &r.only) || !segment_ok(r.only)))
        r.only = STR_NONE;
    r.verb_name = r.verb == API_OTHER ? lower_method(a, method) : verb_names[r.verb];
    *ret = r;
    return 0;
}
