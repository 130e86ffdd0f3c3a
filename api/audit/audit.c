/* api/audit/audit.c: see api/audit/audit.h. */
#include "api/audit/audit.h"
#include "api/answer.h"
#include "api/audit/event.h"
#include "api/call.h"
#include "api/uuid.h"
#include "net/line_file.h"

struct audit {
    struct api *api;
    struct audit_policy *policy;
    struct line_file *log;                       /* NULL: none */
    struct buf line;                             /* of the event at hand */
};

/* ---- Opening and closing ------------------------------------------------------------------------- */

int audit_open(struct api *a, const struct audit_opts *o, struct audit **ret, struct errbuf *err)
{
    struct line_file_opts lo = {
        .path = o->log_path, .max_bytes = o->log_max_mb << 20, .max_backups = (unsigned)o->log_max_backups,
        .max_age_s = o->log_max_age_days * 24 * 60 * 60,
    };
    struct audit *t;
    int           rc;

    *ret = NULL;
    if (o->policy.n == 0 && o->log_path != NULL)
        return err_set(err, E_INVALID, "a log of audit events needs a policy: --audit-policy-file");
    if (o->policy.n == 0 || o->log_path == NULL)
        return 0;
    t = mem_new(struct audit);
    t->api = a;
    rc = audit_policy_parse(o->policy, &t->policy, err);
    if (rc == 0)
        rc = line_file_open(a->loop, &lo, &t->log, err);
    if (rc == 0)
        *ret = t;
    else
        audit_close(t);
    return rc;
}

static void on_log_closed(void *arg)
{
    api_unpin(arg);
}

void audit_close(struct audit *t)
{
    if (t == NULL)
        return;
    if (t->log != NULL) {
        api_pin(t->api);
        line_file_close(t->log, on_log_closed, t->api);
    }
    audit_policy_free(t->policy);
    buf_release(&t->line);
    mem_free(t);
}

/* ---- Stages -------------------------------------------------------------------------------------- */

static void tell(struct call *c, const struct audit_event *e)
{
    struct audit *t = c->api->audit;

    if ((c->audit->verdict.omit_stages & 1u << e->stage) != 0)
        return;
    buf_clear(&t->line);
    audit_event_write(&t->line, c, e);
    line_file_write(t->log, buf_str(&t->line));
}

/* Bodies that hold what lets somebody in. */
static bool is_secret(const struct request *rq)
{
    if (str_is(rq->group, "authentication.k8s.io"))
        return str_is(rq->resource, "tokenreviews");
    if (rq->group.n > 0)
        return false;
    return str_is(rq->resource, "secrets") ||
           (str_is(rq->resource, "serviceaccounts") && str_is(rq->subresource, "token"));
}

/* The client's own, where it is one that may stand in a log; else one of ours. */
static struct str id_of(struct call *c)
{
    struct str given = exchange_header(c->x, "Audit-Id");
    uint8_t    random[16];
    bool       plain = given.n > 0 && given.n <= 64;

    for (size_t i = 0; plain && i < given.n; i++)
        plain = given.p[i] > ' ' && given.p[i] < 0x7f && given.p[i] != '"' && given.p[i] != '\\';
    if (plain)
        return given;
    loop_random(c->api->loop, random, sizeof random);
    return uuid_text(c->arena, random);
}

void audit_received(struct call *c)
{
    struct audit_verdict v;

    if (c->api->audit == NULL)
        return;
    v = audit_policy_ask(c->api->audit->policy, &c->rq, c->user);
    if (v.level == AUDIT_NONE)
        return;
    if (is_secret(&c->rq))
        v.level = AUDIT_METADATA;
    c->audit = arena_new(c->arena, struct audit_call);
    c->audit->verdict = v;
    c->audit->id = id_of(c);
    c->audit->received_ns = loop_wall_ns(c->api->loop);
    c->audit->user = c->user;
    tell(c, &(struct audit_event){ .stage = AUDIT_RECEIVED });
}

void audit_decided(struct call *c)
{
    if (c->audit == NULL)
        return;
    c->audit->decision = c->may.decision == AUTHZ_ALLOW ? "allow" : "forbid";
    c->audit->reason = c->may.reason;
}

void audit_started(struct call *c, int code)
{
    if (c->audit != NULL)
        tell(c, &(struct audit_event){ .stage = AUDIT_STARTED, .code = code });
}

void audit_ended(struct call *c, int code, const struct http_piece *body, size_t n)
{
    if (c->audit != NULL)
        tell(c, &(struct audit_event){ .stage = AUDIT_COMPLETE, .code = code, .body = body, .n_body = n });
    c->audit = NULL;
}
