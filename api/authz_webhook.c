/* api/authz_webhook.c: see api/authz_webhook.h. */
#include "api/authz_webhook.h"

#define ALLOWED_MS 300000
#define REFUSED_MS 30000

struct authz_webhook { struct authz_webhook_opts o; struct consult *consult; };

/* ---- The question ------------------------------------------------------------------------------------ */

static void text(struct arena *a, struct json *in, const char *key, struct str v)
{
    if (v.n > 0)
        json_setz(a, in, key, json_string(a, v));
}

static void set_what(struct arena *a, struct json *spec, const struct authz_attr *t)
{
    struct json *in = json_make_path(a, spec, t->is_resource ? "resourceAttributes"
                                                             : "nonResourceAttributes");

    text(a, in, "verb", str_of(t->verb));
    if (!t->is_resource) {
        text(a, in, "path", t->path);
        return;
    }
    text(a, in, "namespace", t->ns);
    text(a, in, "group", t->group);
    text(a, in, "version", t->version);
    text(a, in, "resource", t->resource);
    text(a, in, "subresource", t->subresource);
    text(a, in, "name", t->name);
    if (t->fields.n > 0)
        text(a, json_make_path(a, in, "fieldSelector"), "rawSelector", t->fields);
    if (t->labels.n > 0)
        text(a, json_make_path(a, in, "labelSelector"), "rawSelector", t->labels);
}

static void set_who(struct arena *a, struct json *spec, const struct exchange_user *u)
{
    struct json *groups = json_setz(a, spec, "groups", json_array(a)), *extra, *values;

    text(a, spec, "user", u->name);
    text(a, spec, "uid", u->uid);
    for (size_t i = 0; i < u->n_groups; i++)
        json_push(groups, json_string(a, u->groups[i]));
    for (size_t i = 0; i < u->n_extra; i++) {
        extra = json_make_path(a, spec, "extra");
        values = json_get(extra, u->extra[i].key);
        if (values == NULL)
            values = json_set(a, extra, u->extra[i].key, json_array(a));
        json_push(values, json_string(a, u->extra[i].value));
    }
}

static struct json *review_of(struct arena *a, const struct authz_attr *t)
{
    struct json *o = json_object(a), *spec;

    json_setf(a, o, "apiVersion", "authorization.k8s.io/v1");
    json_setf(a, o, "kind", "SubjectAccessReview");
    spec = json_setz(a, o, "spec", json_object(a));
    set_what(a, spec, t);
    set_who(a, spec, t->user);
    return o;
}

/* ---- The answer -------------------------------------------------------------------------------------- */

static void answer_by(struct authz_query *q, const struct json *status)
{
    q->reason = arena_str(q->arena, json_str(json_getz(status, "reason")));
    q->error = arena_str(q->arena, json_str(json_getz(status, "evaluationError")));
    if (json_true(json_getz(status, "denied")))
        q->decision = AUTHZ_DENY;                /* also if it says "allowed" in the same breath */
    else if (json_true(json_getz(status, "allowed")))
        q->decision = AUTHZ_ALLOW;
}

static void on_status(struct consult_wait *cw, const struct json *status)
{
    struct authz_query         *q = container_of(cw, struct authz_query, consult);
    const struct authz_webhook *w = authz_state(q);

    if (status != NULL) {
        answer_by(q, status);
    } else {
        q->error = STR("the authorization webhook did not answer");
        if (w->o.deny_on_failure)
            q->decision = AUTHZ_DENY;
    }
    authz_answered(q);
}

bool authz_webhook_ask(void *state, struct authz_query *q)
{
    struct authz_webhook *w = state;
    const struct json    *status;

    q->consult.done = on_status;
    status = consult_ask(w->consult, review_of(q->arena, &q->attr), &q->consult);
    if (status != NULL)
        answer_by(q, status);
    return status != NULL;
}

void authz_webhook_cancel(void *state, struct authz_query *q)
{
    (void)state;
    consult_cancel(&q->consult);
}

static uint64_t keep_ms(void *arg, const struct json *status)
{
    const struct authz_webhook *w = arg;

    return json_true(json_getz(status, "allowed")) ? w->o.allowed_ttl_ms : w->o.refused_ttl_ms;
}

int authz_webhook_new(struct loop *l, const struct authz_webhook_opts *o, struct authz_webhook **ret,
                      struct errbuf *err)
{
    struct authz_webhook *w = mem_new(struct authz_webhook);
    struct consult_opts   co = { .loop = l, .remote = o->remote, .what = "authorization webhook",
                                 .keep_ms = keep_ms, .arg = w };
    int                   rc = consult_new(&co, &w->consult, err);

    if (rc < 0) {
        mem_free(w);
        return rc;
    }
    w->o = *o;
    w->o.allowed_ttl_ms = o->allowed_ttl_ms > 0 ? o->allowed_ttl_ms : ALLOWED_MS;
    w->o.refused_ttl_ms = o->refused_ttl_ms > 0 ? o->refused_ttl_ms : REFUSED_MS;
    *ret = w;
    return 0;
}

void authz_webhook_free(struct authz_webhook *w)
{
    if (w == NULL)
        return;
    consult_free(w->consult);
    mem_free(w);
}
