/* api/status.c: see api/status.h. */
#include "api/status.h"
#include "api/json.h"

const char *status_reason_of(int code)
{
    switch (code) {
    case 400: return REASON_BAD_REQUEST;
    case 401: return REASON_UNAUTHORIZED;
    case 403: return REASON_FORBIDDEN;
    case 404: return REASON_NOT_FOUND;
    case 405: return REASON_METHOD;
    case 406: return REASON_NOT_ACCEPTABLE;
    case 408: case 504: return REASON_TIMEOUT;
    case 409: return REASON_CONFLICT;
    case 410: return REASON_GONE;
    case 413: return REASON_TOO_LARGE;
    case 415: return REASON_MEDIA_TYPE;
    case 422: return REASON_INVALID;
    case 429: return REASON_TOO_MANY;
    case 503: return REASON_UNAVAILABLE;
    default:  return code >= 500 ? REASON_INTERNAL : REASON_BAD_REQUEST;
    }
}

static void add_member(struct buf *out, const char *key, struct str value, bool *first)
{
    if (value.n == 0)
        return;
    buf_z(out, *first ? "\"" : ",\"");
    buf_z(out, key);
    buf_z(out, "\":");
    json_write_string(out, value);
    *first = false;
}

static void add_causes(struct buf *out, const struct causes *causes, bool *first)
{
    bool first_cause = true;

    if (causes == NULL || causes->n == 0)
        return;
    buf_z(out, *first ? "\"causes\":[" : ",\"causes\":[");
    for (const struct cause *c = causes->first; c != NULL; c = c->next) {
        bool first_member = true;

        buf_z(out, first_cause ? "{" : ",{");
        add_member(out, "reason", str_of(c->reason), &first_member);
        add_member(out, "message", c->message, &first_member);
        add_member(out, "field", c->field, &first_member);
        buf_char(out, '}');
        first_cause = false;
    }
    if (causes_more(causes) > 0)
        buf_fmt(out, ",{\"reason\":\"" CAUSE_TOO_MANY "\",\"message\":\"... and %u more\"}",
                causes_more(causes));
    buf_char(out, ']');
    *first = false;
}

static void add_details(struct buf *out, const struct status *s)
{
    bool first = true;

    if (s->details.name.n == 0 && s->details.kind.n == 0 && s->retry_after_s == 0 &&
        (s->causes == NULL || s->causes->n == 0)) {
        if (s->code == 404)
            buf_z(out, ",\"details\":{}");
        return;
    }
    buf_z(out, ",\"details\":{");
    add_member(out, "name", s->details.name, &first);
    add_member(out, "group", s->details.group, &first);
    add_member(out, "kind", s->details.kind, &first);
    add_member(out, "uid", s->details.uid, &first);
    add_causes(out, s->causes, &first);
    if (s->retry_after_s > 0)
        buf_fmt(out, "%s\"retryAfterSeconds\":%u", first ? "" : ",", s->retry_after_s);
    buf_char(out, '}');
}

void status_write(struct buf *out, const struct status *s)
{
    bool first = true;

    buf_z(out, "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{");
    add_member(out, "continue", s->continue_, &first);
    buf_z(out, s->code < 400 ? "},\"status\":\"Success\"" : "},\"status\":\"Failure\"");
    first = false;
    add_member(out, "message", s->message, &first);
    add_member(out, "reason", str_of(s->reason), &first);
    add_details(out, s);
    if (s->code >= 400)
        buf_fmt(out, ",\"code\":%d", s->code);
    buf_z(out, "}\n");
}

struct blob *status_blob(const struct status *s)
{
    struct buf   b = BUF_INIT;
    struct blob *blob;

    status_write(&b, s);
    blob = buf_to_blob(&b);
    buf_release(&b);
    return blob;
}

struct str status_causes_text(struct arena *a, const struct causes *causes)
{
    struct buf b = BUF_INIT;
    struct str text;

    if (causes->n > 1)
        buf_char(&b, '[');
    for (const struct cause *c = causes->first; c != NULL; c = c->next) {
        if (c != causes->first)
            buf_z(&b, ", ");
        buf_str_add(&b, c->field);
        if (c->field.n > 0)
            buf_z(&b, ": ");
        buf_str_add(&b, c->message);
    }
    if (causes_more(causes) > 0)
        buf_fmt(&b, ", ... and %u more", causes_more(causes));
    if (causes->n > 1)
        buf_char(&b, ']');
    text = arena_str(a, buf_str(&b));
    buf_release(&b);
    return text;
}
