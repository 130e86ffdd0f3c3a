/* api/authn_oidc.c: tokens of an OpenID Connect issuer (--oidc-*).
 *
 *     no keys --a token is shown--> FETCHING configuration --> FETCHING keys --> keys, for an hour
 *
 * Keys are fetched when a token needs them: the first, one signed by a key that is not known (at most every
 * few seconds), or when they are old.  While they are fetched such tokens wait; who fails to fetch keeps the
 * keys it has.  Signatures are verified on the thread pool. */
#include "api/authn_impl.h"
#include "net/log.h"

#define KEYS_MS    3600000                       /* believed for this long */
#define RETRY_MS   10000                         /* between two attempts to fetch */
#define LEEWAY_S   10
#define GROUPS_MAX 2000

struct oidc {
    struct authn *authn;
    const char *issuer, *client_id, *user_claim, *user_prefix, *groups_claim, *groups_prefix, *keys_path;
    const struct str *algs, *required; size_t n_algs, n_required;
    struct str ca_pem;
    struct remote *remote, *keys_remote;         /* keys_remote: where the keys are, if elsewhere */
    struct remote_call *call;                    /* fetching */
    struct key_set *keys;                        /* NULL: none yet */
    uint64_t fetched_ns, tried_ns;
    struct qlink waiting;                        /* queries, for keys */
    unsigned jobs;
    bool closing;
};

struct job {
    struct loop_work work;
    struct oidc *oidc;
    struct key_set *keys;
    struct arena arena;
    struct jwt jwt;
    struct qlink query;                          /* one, or none any more */
    bool genuine;
};

/* ---- Claims ------------------------------------------------------------------------------------------ */

static bool is_for(const struct json *aud, const char *client_id)
{
    if (json_is(aud, JSON_STRING))
        return str_is(aud->s, client_id);
    json_each(it, json_is(aud, JSON_ARRAY) ? aud : NULL)
        if (str_is(json_str(it), client_id))
            return true;
    return false;
}

static bool has_required(const struct oidc *o, const struct json *claims)
{
    for (size_t i = 0; i < o->n_required; i++) {
        struct str rest = o->required[i], key;

        if (!str_split(&rest, '=', &key) || !json_is(json_get(claims, key), JSON_STRING) ||
            !str_eq(json_str(json_get(claims, key)), rest))
            return false;
    }
    return true;
}

static bool set_groups(const struct oidc *o, struct arena *a, const struct json *in, struct exchange_user *u)
{
    struct str *groups = arena_alloc(a, ((json_is(in, JSON_ARRAY) ? in->n : 1) + 1) * sizeof(*groups));

    if (json_is(in, JSON_ARRAY) && in->n > GROUPS_MAX)
        return false;
    u->groups = groups;
    if (json_is(in, JSON_STRING))
        groups[u->n_groups++] = arena_fmt(a, "%s%.*s", o->groups_prefix, STR_ARG(in->s));
    json_each(it, json_is(in, JSON_ARRAY) ? in : NULL) {
        if (it->type != JSON_STRING)
            return false;
        groups[u->n_groups++] = arena_fmt(a, "%s%.*s", o->groups_prefix, STR_ARG(it->s));
    }
    groups[u->n_groups++] = STR(GROUP_AUTHENTICATED);
    return true;
}

/* The signature is genuine: what does it say? */
static enum token_answer judge(struct oidc *o, struct authn_query *q, const struct json *claims)
{
    int64_t               now_s = loop_wall_ns(o->authn->loop) / 1000000000, exp, nbf;
    struct exchange_user *u = arena_new(q->arena, struct exchange_user);
    struct str            name = json_str(json_getz(claims, o->user_claim));

    exp = json_i64_or(json_getz(claims, "exp"), 0);
    nbf = json_i64_or(json_getz(claims, "nbf"), 0);
    if (now_s >= exp || now_s + LEEWAY_S < nbf)
        return token_refuse(q, "oidc: the token is not valid now");
    if (!is_for(json_getz(claims, "aud"), o->client_id))
        return token_refuse(q, "oidc: the token is for another client");
    if (!has_required(o, claims))
        return token_refuse(q, "oidc: the token lacks a claim that is required");
    if (strcmp(o->user_claim, "email") == 0 && json_getz(claims, "email_verified") != NULL &&
        !json_true(json_getz(claims, "email_verified")))
        return token_refuse(q, "oidc: email not verified");
    if (name.n == 0)
        return token_refuse(q, "oidc: the token names no user");
    u->name = arena_fmt(q->arena, "%s%.*s", o->user_prefix, STR_ARG(name));
    if (!set_groups(o, q->arena, o->groups_claim != NULL ? json_getz(claims, o->groups_claim) : NULL, u))
        return token_refuse(q, "oidc: the token's groups are no list of texts");
    return token_accept_here(q, u);
}

/* ---- Signatures -------------------------------------------------------------------------------------- */

static void oidc_free_now(struct oidc *o)
{
    key_set_unref(o->keys);
    mem_free(o);
}

static void job_run(struct loop_work *w)
{
    struct job *j = container_of(w, struct job, work);

    j->genuine = key_set_verify(j->keys, &j->jwt);
}

static void job_done(struct loop_work *w)
{
    struct job         *j = container_of(w, struct job, work);
    struct oidc        *o = j->oidc;
    struct authn_query *q;

    if (!qempty(&j->query)) {
        q = qentry(qpop(&j->query), struct authn_query, link);
        authn_told(q, j->genuine ? judge(o, q, j->jwt.claims)
                                 : token_refuse(q, "oidc: the token's signature does not verify"));
    }
    arena_release(&j->arena);
    key_set_unref(j->keys);
    mem_free(j);
    if (--o->jobs == 0 && o->closing)
        oidc_free_now(o);
}

static void verify(struct oidc *o, struct authn_query *q)
{
    struct job *j = mem_new(struct job);

    j->work = (struct loop_work){ .fn = job_run, .done = job_done };
    j->oidc = o;
    j->keys = key_set_ref(o->keys);
    qinit(&j->query);
    qpush(&j->query, &q->link);
    must(jwt_parse(&j->arena, arena_str(&j->arena, q->token), &j->jwt, NULL) == 0);
    o->jobs++;
    loop_work(o->authn->loop, &j->work);
}

/* ---- Keys -------------------------------------------------------------------------------------------- */

static void fetched(struct oidc *o, const char *why)
{
    struct qlink waiting;

    o->call = NULL;
    if (why != NULL)
        log_warn("authn", "oidc: keys of %s: %s", o->issuer, why);
    qmove(&o->waiting, &waiting);
    while (!qempty(&waiting)) {
        struct authn_query *q = qentry(qpop(&waiting), struct authn_query, link);

        if (o->keys != NULL)
            verify(o, q);
        else
            authn_told(q, token_refuse(q, "oidc: the issuer's keys are not known"));
    }
}

static void on_keys(void *arg, const struct json *obj, const char *why)
{
    struct oidc    *o = arg;
    struct key_set *keys;
    struct errbuf   err = { "" };

    if (obj != NULL && key_set_from_json(obj, &keys, &err) == 0) {
        key_set_unref(o->keys);
        o->keys = keys;
        o->fetched_ns = loop_now_ns(o->authn->loop);
    } else if (obj != NULL) {
        why = err.s;
    }
    fetched(o, why);
}

static void on_configuration(void *arg, const struct json *obj, const char *why)
{
    struct oidc       *o = arg;
    struct arena       a = ARENA_INIT;
    struct str         uri = json_str(json_getz(obj, "jwks_uri"));
    const char        *addr, *name, *path, *text = arena_cstr(&a, uri);
    struct errbuf      err = { "" };
    struct remote_opts ro = { .url = text, .ca_pem = o->ca_pem };

    if (obj != NULL && !str_is(json_str(json_getz(obj, "issuer")), o->issuer))
        why = "its configuration is that of another issuer";
    else if (obj != NULL && remote_url(&a, uri, &addr, &name, &path, &err) < 0)
        why = err.s;
    remote_free(o->keys_remote);
    o->keys_remote = NULL;
    if (why == NULL && remote_new(o->authn->loop, &ro, &o->keys_remote, &err) < 0)
        why = err.s;
    if (why != NULL)
        fetched(o, why);
    else
        o->call = remote_send(o->keys_remote, NULL, NULL, on_keys, o);
    arena_release(&a);
}

/* Are there keys to try this token with?  False: they are being fetched.  Old keys serve until there are new
 * ones. */
static bool keys_ready(struct oidc *o, struct str kid)
{
    uint64_t now = loop_now_ns(o->authn->loop);
    bool     known = o->keys != NULL && (kid.n == 0 || key_set_has(o->keys, kid));
    bool     wanted = !known || now - o->fetched_ns >= KEYS_MS * 1000000ull;

    if (wanted && o->call == NULL && (o->tried_ns == 0 || now - o->tried_ns >= RETRY_MS * 1000000ull)) {
        o->tried_ns = now;
        o->call = remote_send(o->remote, o->keys_path, NULL, on_configuration, o);
    }
    return known || o->call == NULL;
}

/* ---- The method -------------------------------------------------------------------------------------- */

static bool is_ours(const struct oidc *o, const struct jwt *t)
{
    return str_is(json_str(json_getz(t->claims, "iss")), o->issuer);
}

static enum token_answer oidc_ask(void *state, struct authn_query *q)
{
    struct oidc *o = state;
    struct jwt   t;
    bool         known = false;

    if (jwt_parse(q->arena, q->token, &t, NULL) < 0 || !is_ours(o, &t))
        return TOKEN_FOREIGN;
    for (size_t i = 0; i < o->n_algs; i++)
        known |= str_eq(t.alg, o->algs[i]);
    if (!known)
        return token_refuse(q, "oidc: the token is signed with an algorithm that is not accepted");
    qinit(&q->link);
    if (!keys_ready(o, t.kid))
        qpush(&o->waiting, &q->link);
    else if (o->keys == NULL)
        return token_refuse(q, "oidc: the issuer's keys are not known");
    else
        verify(o, q);
    return TOKEN_WAITS;
}

static bool oidc_likely(void *state, struct arena *a, struct str token)
{
    struct jwt t;

    return jwt_parse(a, token, &t, NULL) == 0 && is_ours(state, &t);
}

static void oidc_cancel(void *state, struct authn_query *q)
{
    (void)state;
    qdel(&q->link);
}

static void oidc_free(void *state)
{
    struct oidc *o = state;

    remote_free(o->remote);
    remote_free(o->keys_remote);
    o->closing = true;
    if (o->jobs == 0)
        oidc_free_now(o);
}

static const char *prefix_of(struct arena *a, const char *given, const char *otherwise)
{
    if (given != NULL && strcmp(given, "-") == 0)
        return "";
    return arena_cstr(a, str_of(given != NULL && given[0] != '\0' ? given : otherwise));
}

int token_oidc_open(struct authn *n, const struct authn_oidc *from, struct token_method *ret,
                    struct errbuf *err)
{
    struct oidc       *o = mem_new(struct oidc);
    struct arena      *a = &n->arena;
    struct remote_opts ro = { .url = from->issuer_url, .ca_pem = from->ca_pem };
    const char        *user = from->username_claim != NULL ? from->username_claim : "sub";
    const char        *addr, *name, *path;
    size_t             len;
    int                rc;

    *ret = (struct token_method){ "oidc", oidc_ask, oidc_likely, oidc_cancel, oidc_free, o };
    o->authn = n;
    qinit(&o->waiting);
    if (from->client_id == NULL)
        return err_set(err, E_INVALID, "an OIDC issuer needs a client id");
    rc = remote_url(a, str_of(from->issuer_url), &addr, &name, &path, err);
    if (rc == 0)
        rc = remote_new(n->loop, &ro, &o->remote, err);
    if (rc < 0)
        return rc;
    len = strlen(path);
    o->keys_path = arena_fmt(a, "%.*s/.well-known/openid-configuration",
                             (int)(path[len - 1] == '/' ? len - 1 : len), path).p;
    o->issuer = arena_cstr(a, str_of(from->issuer_url));
    o->client_id = arena_cstr(a, str_of(from->client_id));
    o->user_claim = arena_cstr(a, str_of(user));
    o->user_prefix = prefix_of(a, from->username_prefix,
                               strcmp(user, "email") == 0 ? "" : arena_fmt(a, "%s#", from->issuer_url).p);
    o->groups_claim = from->groups_claim != NULL ? arena_cstr(a, str_of(from->groups_claim)) : NULL;
    o->groups_prefix = prefix_of(a, from->groups_prefix, "");
    o->required = authn_list(a, from->required_claims, &o->n_required);
    o->algs = authn_list(a, from->signing_algs != NULL ? from->signing_algs : "RS256", &o->n_algs);
    o->ca_pem = arena_str(a, from->ca_pem);
    return 0;
}
