/* api/audit/event.c: see api/audit/event.h. */
#include "api/audit/event.h"
#include "api/admit.h"
#include "api/call.h"
#include "api/cbor.h"
#include "api/json_scan.h"
#include "api/time_fmt.h"
#include "api/yaml.h"

/* `,"key":"value"`, where there is a value. */
static void text(struct buf *out, const char *key, struct str value)
{
    if (value.n == 0)
        return;
    buf_fmt(out, ",\"%s\":", key);
    json_write_string(out, value);
}

static void member(struct buf *out, bool *first, struct str key)
{
    buf_z(out, *first ? "" : ",");
    json_write_string(out, key);
    buf_char(out, ':');
    *first = false;
}

static void strings(struct buf *out, const char *key, const struct str *at, size_t n)
{
    if (n == 0)
        return;
    buf_fmt(out, ",\"%s\":[", key);
    for (size_t i = 0; i < n; i++) {
        buf_z(out, i > 0 ? "," : "");
        json_write_string(out, at[i]);
    }
    buf_char(out, ']');
}

/* ---- Who ----------------------------------------------------------------------------------------- */

static void extra(struct buf *out, const struct exchange_user *u)
{
    bool first = true;

    if (u->n_extra == 0)
        return;
    buf_z(out, ",\"extra\":{");
    for (size_t i = 0; i < u->n_extra; i++) {
        bool came = false, first_value = true;

        for (size_t j = 0; j < i; j++)
            came = came || str_eq(u->extra[j].key, u->extra[i].key);
        if (came)
            continue;
        member(out, &first, u->extra[i].key);
        buf_char(out, '[');
        for (size_t j = i; j < u->n_extra; j++)
            if (str_eq(u->extra[j].key, u->extra[i].key)) {
                buf_z(out, first_value ? "" : ",");
                json_write_string(out, u->extra[j].value);
                first_value = false;
            }
        buf_char(out, ']');
    }
    buf_char(out, '}');
}

static void user(struct buf *out, const char *key, const struct exchange_user *u)
{
    buf_fmt(out, ",\"%s\":{", key);
    if (u != NULL) {
        buf_z(out, "\"username\":");
        json_write_string(out, u->name);
        text(out, "uid", u->uid);
        strings(out, "groups", u->groups, u->n_groups);
        extra(out, u);
    }
    buf_char(out, '}');
}

/* Proxies first, as they say; the peer, without its port, last. */
static void sources(struct buf *out, const struct call *c)
{
    struct str all[16], rest = exchange_header(c->x, "X-Forwarded-For"), part;
    struct str peer = str_of(c->x->peer_addr);
    size_t     n = 0;

    while (n + 2 < ARRAY_LEN(all) && str_split(&rest, ',', &part))
        if (str_trim(part).n > 0)
            all[n++] = str_trim(part);
    part = str_trim(exchange_header(c->x, "X-Real-Ip"));
    if (n == 0 && part.n > 0)
        all[n++] = part;
    for (size_t i = peer.n; i-- > 0;)
        if (peer.p[i] == ':') {
            peer = str_upto(peer, i);
            break;
        }
    if (str_starts(peer, STR("[")) && str_ends(peer, STR("]")))
        peer = str_make(peer.p + 1, peer.n - 2);
    if (peer.n > 0)
        all[n++] = peer;
    strings(out, "sourceIPs", all, n);
}

/* ---- What ---------------------------------------------------------------------------------------- */

/* The name that a new object got, from the start of the answer that is the object. */
static struct str new_name(const struct call *c, const struct audit_event *e)
{
    struct str value, name;

    if (c->rq.verb != API_CREATE || e->code != 201 || e->n_body != 1 || c->out.format != OUT_JSON)
        return STR_NONE;
    value = str_make(e->body->blob->data + e->body->off, e->body->len);
    if (!json_scan_path(value, "metadata.name", &value) || !json_scan_string(c->arena, value, &name))
        return STR_NONE;
    return name;
}

static void object_ref(struct buf *out, const struct call *c, const struct audit_event *e)
{
    const struct request *rq = &c->rq;

    if (!rq->is_resource)
        return;
    buf_z(out, ",\"objectRef\":{\"resource\":");
    json_write_string(out, rq->resource);
    text(out, "namespace", rq->ns);
    text(out, "name", rq->name.n > 0 ? rq->name : new_name(c, e));
    text(out, "apiGroup", rq->group);
    text(out, "apiVersion", rq->version);
    text(out, "subresource", rq->subresource);
    buf_char(out, '}');
}

static void response_status(struct buf *out, const struct call *c, const struct audit_event *e)
{
    const struct status *s = c->audit->status;

    if (e->code == 0)
        return;
    buf_z(out, ",\"responseStatus\":{\"metadata\":{}");
    if (s != NULL && s->code >= 400) {
        buf_z(out, ",\"status\":\"Failure\"");
        text(out, "message", s->message);
        text(out, "reason", str_of(s->reason));
    }
    buf_fmt(out, ",\"code\":%d}", e->code);
}

/* ---- Bodies -------------------------------------------------------------------------------------- */

static struct json *tree_of(struct arena *a, enum body_format format, struct str body)
{
    const struct schema_kind *kind;
    struct json_error         bad;
    struct errbuf             err;
    struct json              *ret;
    int                       rc;

    switch (format) {
    case BODY_YAML:
    case BODY_APPLY_PATCH:
        rc = yaml_parse(a, body, &ret, &bad);
        break;
    case BODY_CBOR:
    case BODY_APPLY_PATCH_CBOR:
        rc = cbor_parse(a, body, &ret, &err);
        break;
    case BODY_PROTOBUF:
        rc = schema_pb_decode(body, a, &ret, &kind, &err);
        break;
    default:
        rc = json_parse(a, body, &ret, &bad);
    }
    return rc == 0 ? ret : NULL;
}

static void omit_managed_fields(struct json *obj)
{
    json_delz(json_getz(obj, "metadata"), "managedFields");
    json_each(it, json_getz(obj, "items"))
        json_delz(json_getz(it, "metadata"), "managedFields");
}

/* A body that cannot be read (it was refused) is not told of. */
static void object(struct buf *out, const struct call *c, const char *key, enum body_format format,
                   struct str body)
{
    struct json *obj;

    if (body.n == 0 || (obj = tree_of(c->arena, format, body)) == NULL)
        return;
    if (c->audit->verdict.omit_managed_fields && json_is(obj, JSON_OBJECT))
        omit_managed_fields(obj);
    buf_fmt(out, ",\"%s\":", key);
    json_write(out, obj);
}

static void response_object(struct buf *out, const struct call *c, const struct audit_event *e)
{
    static const enum body_format formats[] = { BODY_JSON, BODY_YAML, BODY_PROTOBUF, BODY_CBOR };
    struct buf all = BUF_INIT;

    for (size_t i = 0; i < e->n_body; i++)
        buf_add(&all, e->body[i].blob->data + e->body[i].off, e->body[i].len);
    object(out, c, "responseObject", formats[c->out.format], arena_str(c->arena, buf_str(&all)));
    buf_release(&all);
}

/* ---- The event ----------------------------------------------------------------------------------- */

static void annotations(struct buf *out, const struct call *c)
{
    const struct audit_call *t = c->audit;
    bool first = true;

    if (t->decision == NULL && c->notes == NULL)
        return;
    buf_z(out, ",\"annotations\":{");
    if (t->decision != NULL) {
        member(out, &first, STR("authorization.k8s.io/decision"));
        json_write_string(out, str_of(t->decision));
        member(out, &first, STR("authorization.k8s.io/reason"));
        json_write_string(out, t->reason);
    }
    for (const struct admit_note *n = c->notes; n != NULL; n = n->next) {
        member(out, &first, n->key);
        json_write_string(out, n->value);
    }
    buf_char(out, '}');
}

static void moment(struct buf *out, const char *key, int64_t wall_ns)
{
    char micro[TIME_MICRO_TEXT_MAX];
    size_t n = time_write_micro(wall_ns / 1000000000, (uint32_t)(wall_ns % 1000000000), micro);

    buf_fmt(out, ",\"%s\":\"%.*s\"", key, (int)n, micro);
}

static void uri(struct buf *out, const struct call *c)
{
    struct buf b = BUF_INIT;

    buf_str_add(&b, c->x->path);
    if (c->x->query.n > 0)
        buf_char(&b, '?');
    buf_str_add(&b, c->x->query);
    text(out, "requestURI", buf_str(&b));
    buf_release(&b);
}

void audit_event_write(struct buf *out, const struct call *c, const struct audit_event *e)
{
    const struct audit_call *t = c->audit;
    enum audit_level         level = t->verdict.level;

    buf_z(out, "{\"kind\":\"Event\",\"apiVersion\":\"audit.k8s.io/v1\"");
    text(out, "level", str_of(audit_level_name(level)));
    text(out, "auditID", t->id);
    text(out, "stage", str_of(audit_stage_name(e->stage)));
    uri(out, c);
    text(out, "verb", str_of(c->rq.verb_name));
    user(out, "user", t->user);
    if (c->user != t->user)
        user(out, "impersonatedUser", c->user);
    sources(out, c);
    text(out, "userAgent", exchange_header(c->x, "User-Agent"));
    object_ref(out, c, e);
    response_status(out, c, e);
    if (level >= AUDIT_REQUEST && e->stage != AUDIT_RECEIVED)
        object(out, c, "requestObject", body_format_of(exchange_header(c->x, "Content-Type")), c->x->body);
    if (level >= AUDIT_REQUEST_RESPONSE && e->stage == AUDIT_COMPLETE)
        response_object(out, c, e);
    moment(out, "requestReceivedTimestamp", t->received_ns);
    moment(out, "stageTimestamp", loop_wall_ns(c->api->loop));
    annotations(out, c);
    buf_char(out, '}');
}
