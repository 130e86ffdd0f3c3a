/* api/authn_webhook.c: another server knows the token (--authentication-token-webhook-config-file): it is
 * sent a TokenReview. */
#include "api/authn_impl.h"

#define TTL_MS     120000
#define REFUSED_MS 10000                         /* "no" is believed for this long */

struct webhook { struct consult *consult; uint64_t ttl_ms; };

static const struct str *texts_of(struct arena *a, const struct json *list, size_t *ret_n)
{
    struct str *v = arena_zalloc(a, ((json_is(list, JSON_ARRAY) ? list->n : 0) + 1) * sizeof(*v));

    *ret_n = 0;
    json_each(it, json_is(list, JSON_ARRAY) ? list : NULL)
        if (it->type == JSON_STRING)
            v[(*ret_n)++] = arena_str(a, it->s);
    return v;
}

static struct exchange_user *user_of(struct arena *a, const struct json *in)
{
    struct exchange_user *u = arena_new(a, struct exchange_user);
    const struct str     *told = texts_of(a, json_getz(in, "groups"), &u->n_groups);
    struct str           *groups = arena_alloc(a, (u->n_groups + 1) * sizeof(*groups));
    struct user_extra    *extra;
    size_t                n = 0;

    u->name = arena_str(a, json_str(json_getz(in, "username")));
    u->uid = arena_str(a, json_str(json_getz(in, "uid")));
    for (size_t i = 0; i < u->n_groups; i++)
        groups[i] = told[i];
    u->groups = groups;
    if (!authn_in_group(u, GROUP_AUTHENTICATED))
        groups[u->n_groups++] = STR(GROUP_AUTHENTICATED);
    json_each(key, json_getz(in, "extra"))
        n += key->type == JSON_ARRAY ? key->n : 0;
    extra = arena_alloc(a, (n + 1) * sizeof(*extra));
    json_each(key, json_getz(in, "extra"))
        json_each(it, key->type == JSON_ARRAY ? key : NULL)
            extra[u->n_extra++] = (struct user_extra){ arena_str(a, key->key), arena_str(a, json_str(it)) };
    u->extra = extra;
    return u;
}

static enum token_answer answer_by(struct authn_query *q, const struct json *status)
{
    struct str            said = json_str(json_getz(status, "error"));
    struct exchange_user *u = user_of(q->arena, json_getz(status, "user"));
    const struct str     *audiences;
    size_t                n;

    if (!json_true(json_getz(status, "authenticated")) || u->name.n == 0)
        return said.n > 0 ? token_refuse(q, "%.*s", STR_ARG(said))
            : token_refuse(q, "the token webhook does not know the token");
    audiences = texts_of(q->arena, json_getz(status, "audiences"), &n);
    return n == 0 ? token_accept_here(q, u) : token_accept(q, u, audiences, n);
}

static void on_status(struct consult_wait *w, const struct json *status)
{
    struct authn_query *q = container_of(w, struct authn_query, consult);

    authn_told(q, status != NULL ? answer_by(q, status)
                                 : token_refuse(q, "the token webhook did not answer"));
}

static struct json *review_of(struct arena *a, const struct authn_query *q)
{
    struct json *o = json_object(a), *spec, *list;

    json_setf(a, o, "apiVersion", "authentication.k8s.io/v1");
    json_setf(a, o, "kind", "TokenReview");
    spec = json_setz(a, o, "spec", json_object(a));
    json_setz(a, spec, "token", json_string(a, q->token));
    list = json_setz(a, spec, "audiences", json_array(a));
    for (size_t i = 0; i < q->n_audiences; i++)
        json_push(list, json_string(a, q->audiences[i]));
    return o;
}

static enum token_answer webhook_ask(void *state, struct authn_query *q)
{
    struct webhook    *h = state;
    const struct json *status;

    q->consult.done = on_status;
    status = consult_ask(h->consult, review_of(q->arena, q), &q->consult);
    return status != NULL ? answer_by(q, status) : TOKEN_WAITS;
}

static void webhook_cancel(void *state, struct authn_query *q)
{
    (void)state;
    consult_cancel(&q->consult);
}

static bool webhook_likely(void *state, struct arena *a, struct str token)
{
    (void)state;
    (void)a;
    return token.n > 0;                          /* only the other server can tell */
}

static uint64_t keep_ms(void *arg, const struct json *status)
{
    struct webhook *h = arg;

    return json_true(json_getz(status, "authenticated")) ? h->ttl_ms : REFUSED_MS;
}

static void webhook_free(void *state)
{
    struct webhook *h = state;

    consult_free(h->consult);
    mem_free(h);
}

int token_webhook_open(struct authn *n, const struct authn_opts *o, struct token_method *ret,
                       struct errbuf *err)
{
    struct webhook     *h = mem_new(struct webhook);
    struct consult_opts co = { .loop = n->loop, .remote = o->webhook, .what = "token webhook",
                               .keep_ms = keep_ms, .arg = h };

    *ret = (struct token_method){ "webhook", webhook_ask, webhook_likely, webhook_cancel, webhook_free, h };
    h->ttl_ms = o->webhook_ttl_ms > 0 ? o->webhook_ttl_ms : TTL_MS;
    return consult_new(&co, &h->consult, err);
}
