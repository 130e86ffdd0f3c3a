/* api/authn_account.c: service accounts' tokens: issued by this cluster for a time and bound to objects, or
 * (older) for good and kept in a secret.
 *
 * A signature never changes, so it is verified once, on the thread pool, and what the token says is kept.
 * What may change is looked at on every use: its expiry, and the objects it is bound to (account, pod,
 * secret, node): they must be there, be the same ones, and not long deleted.  While the store has not
 * moved since the last look there is nothing to look at. */
#include "api/authn_impl.h"
#include "api/kinds.h"
#include "api/time_fmt.h"
#include "net/tls.h"

#define KEPT_YOUNG  4096                         /* tokens; then the older half is forgotten */
#define LEEWAY_S    60                           /* clocks of heads may differ by that much */
#define BOUND_MAX   4
#define LEGACY_ISSUER "kubernetes/serviceaccount"
#define LEGACY(what)  "kubernetes.io/serviceaccount/" what

/* An object that must be there for the token to hold. */
struct bound {
    const char *plural;
    struct str ns, name, uid, key;
    uint64_t mod_rev;                            /* as it was when looked at; 0: not yet */
    int64_t deleted_s;                           /* its deletionTimestamp; INT64_MAX: none */
};

struct token {
    struct arena arena;                          /* holds all below */
    struct str text;
    struct jwt jwt;
    struct exchange_user user;
    const struct str *audiences; size_t n_audiences;
    struct bound bound[BOUND_MAX]; unsigned n_bound;
    int64_t expires_s, not_before_s;
    uint64_t seen_rev;                           /* of the store, when all was well */
    bool legacy;
};

struct account {
    struct authn *authn;
    struct key_set *keys;
    struct str issuer;
    struct map young, old;                       /* text -> struct token */
    struct map pending;                          /* text -> struct job */
    unsigned jobs;
    bool closing;
};

/* A signature being verified, and who waits for it. */
struct job {
    struct loop_work work;
    struct account *account;
    struct key_set *keys;
    struct token *token;
    struct qlink queries;
    bool genuine;
};

static void token_free(struct token *t)
{
    arena_release(&t->arena);
    mem_free(t);
}

/* ---- Reading ---------------------------------------------------------------------------------------- */

static const struct str *audiences_of(struct arena *a, const struct json *aud, size_t *ret_n)
{
    struct str *v = arena_zalloc(a, (json_is(aud, JSON_ARRAY) ? aud->n + 1 : 1) * sizeof(*v));

    *ret_n = 0;
    if (json_is(aud, JSON_STRING))
        v[(*ret_n)++] = aud->s;
    else if (json_is(aud, JSON_ARRAY))
        json_each(it, aud)
            if (it->type == JSON_STRING)
                v[(*ret_n)++] = it->s;
    return v;
}

/* name and uid empty: it is not bound to such a thing. */
static void bind(struct token *t, const char *plural, struct str ns, struct str name, struct str uid)
{
    const struct resource *r = resource_find(STR(""), STR("v1"), str_of(plural));

    if (name.n == 0)
        return;
    must(t->n_bound < BOUND_MAX && r != NULL);
    t->bound[t->n_bound++] = (struct bound){
        .plural = plural, .ns = ns, .name = name, .uid = uid,
        .key = kind_object_key(&t->arena, r, ns, name), .deleted_s = INT64_MAX,
    };
}

static void set_user(struct token *t, struct str ns, struct str name, struct str uid)
{
    struct str *groups = arena_zalloc(&t->arena, (ACCOUNT_GROUPS + 1) * sizeof(struct str));

    authn_account_groups(&t->arena, ns, groups);
    groups[ACCOUNT_GROUPS] = STR(GROUP_AUTHENTICATED);
    t->user.name = arena_fmt(&t->arena, ACCOUNT_PREFIX "%.*s:%.*s", STR_ARG(ns), STR_ARG(name));
    t->user.uid = uid;
    t->user.groups = groups;
    t->user.n_groups = ACCOUNT_GROUPS + 1;
}

static void set_extra(struct token *t, const struct json *kube, struct str id)
{
    static const struct { const char *key, *path; } from[] = {
        { "authentication.kubernetes.io/pod-name", "pod.name" },
        { "authentication.kubernetes.io/pod-uid", "pod.uid" },
        { "authentication.kubernetes.io/node-name", "node.name" },
        { "authentication.kubernetes.io/node-uid", "node.uid" },
    };
    struct user_extra *extra = arena_zalloc(&t->arena, (ARRAY_LEN(from) + 1) * sizeof(*extra));

    t->user.extra = extra;
    if (id.n > 0)
        extra[t->user.n_extra++] = (struct user_extra){ STR("authentication.kubernetes.io/credential-id"),
                                                        arena_fmt(&t->arena, "JTI=%.*s", STR_ARG(id)) };
    for (size_t i = 0; i < ARRAY_LEN(from); i++) {
        struct str v = json_path_str(kube, from[i].path);

        if (v.n > 0)
            extra[t->user.n_extra++] = (struct user_extra){ str_of(from[i].key), v };
    }
}

static bool read_claims(struct token *t)
{
    const struct json *claims = t->jwt.claims, *kube = json_getz(claims, "kubernetes.io");
    struct str ns = json_path_str(kube, "namespace"), name = json_path_str(kube, "serviceaccount.name");
    struct str uid = json_path_str(kube, "serviceaccount.uid"), pod = json_path_str(kube, "pod.name");

    t->expires_s = json_i64_or(json_getz(claims, "exp"), 0);
    t->not_before_s = json_i64_or(json_getz(claims, "nbf"), 0);
    t->audiences = audiences_of(&t->arena, json_getz(claims, "aud"), &t->n_audiences);
    bind(t, "serviceaccounts", ns, name, uid);
    bind(t, "pods", ns, pod, json_path_str(kube, "pod.uid"));
    bind(t, "secrets", ns, json_path_str(kube, "secret.name"), json_path_str(kube, "secret.uid"));
    if (pod.n == 0)                              /* else the node is only told, for whoever wants to know */
        bind(t, "nodes", STR_NONE, json_path_str(kube, "node.name"), json_path_str(kube, "node.uid"));
    set_user(t, ns, name, uid);
    set_extra(t, kube, json_str(json_getz(claims, "jti")));
    return ns.n > 0 && name.n > 0 && uid.n > 0 &&
        str_eq(json_str(json_getz(claims, "sub")), t->user.name);
}

static bool read_legacy(struct token *t)
{
    const struct json *claims = t->jwt.claims;
    struct str ns = json_str(json_getz(claims, LEGACY("namespace")));
    struct str name = json_str(json_getz(claims, LEGACY("service-account.name")));
    struct str uid = json_str(json_getz(claims, LEGACY("service-account.uid")));
    struct str secret = json_str(json_getz(claims, LEGACY("secret.name")));

    t->legacy = true;
    t->expires_s = json_i64_or(json_getz(claims, "exp"), INT64_MAX);
    bind(t, "serviceaccounts", ns, name, uid);
    bind(t, "secrets", ns, secret, STR_NONE);
    set_user(t, ns, name, uid);
    return ns.n > 0 && name.n > 0 && uid.n > 0 && secret.n > 0 &&
        str_eq(json_str(json_getz(claims, "sub")), t->user.name);
}

static bool is_ours(const struct account *m, const struct jwt *t, bool *ret_legacy)
{
    struct str iss = json_str(json_getz(t->claims, "iss"));

    *ret_legacy = str_is(iss, LEGACY_ISSUER);
    return *ret_legacy || str_eq(iss, m->issuer);
}

/* All but the signature.  FOREIGN, REFUSED, or ACCEPTED: *ret is the caller's. */
static enum token_answer token_read(struct account *m, struct authn_query *q, struct token **ret)
{
    struct token *t = mem_new(struct token);
    enum token_answer answer = TOKEN_ACCEPTED;
    bool legacy;

    t->text = arena_str(&t->arena, q->token);
    if (jwt_parse(&t->arena, t->text, &t->jwt, NULL) < 0 || !is_ours(m, &t->jwt, &legacy))
        answer = TOKEN_FOREIGN;
    else if (!(legacy ? read_legacy(t) : read_claims(t)))
        answer = token_refuse(q, "the token names no service account");
    if (answer == TOKEN_ACCEPTED)
        *ret = t;
    else
        token_free(t);
    return answer;
}

/* ---- What may change -------------------------------------------------------------------------------- */

static bool holds_token(const struct json *secret, struct str text)
{
    struct buf b = BUF_INIT;
    bool       same = base64_decode(&b, json_path_str(secret, "data.token"), false) == 0 &&
        pki_equal(buf_str(&b), text);

    buf_release(&b);
    return same;
}

/* Look at the object as it is now. */
static bool bound_read(struct authn *n, struct token *t, struct bound *b)
{
    struct arena    a = ARENA_INIT;
    struct kind_ctx k = { .arena = &a, .view = store_live(n->store) };
    struct json    *obj = kind_lookup(&k, "", "v1", b->plural, b->ns, b->name);
    struct str      deleted = json_path_str(obj, "metadata.deletionTimestamp");
    uint32_t        ns;
    bool            ok = obj != NULL;

    if (b->uid.n > 0)
        ok = ok && str_eq(json_path_str(obj, "metadata.uid"), b->uid);
    else
        ok = ok && holds_token(obj, t->text);
    b->deleted_s = INT64_MAX;
    if (deleted.n > 0)
        ok = ok && time_parse(deleted, &b->deleted_s, &ns);
    arena_release(&a);
    return ok;
}

static bool bound_holds(struct authn *n, struct token *t, struct bound *b, int64_t now_s)
{
    struct store_kv kv;

    if (!store_get(store_live(n->store), b->key, &kv))
        return false;
    if (kv.mod_rev != b->mod_rev) {
        if (!bound_read(n, t, b))
            return false;
        b->mod_rev = kv.mod_rev;
    }
    return b->deleted_s == INT64_MAX || b->deleted_s + LEEWAY_S > now_s;
}

static enum token_answer judge(struct account *m, struct authn_query *q, struct token *t)
{
    struct authn *n = m->authn;
    int64_t       now_s = loop_wall_ns(n->loop) / 1000000000;
    uint64_t      rev = store_revision(n->store);

    if (now_s >= t->expires_s)
        return token_refuse(q, "the token has expired");
    if (now_s + LEEWAY_S < t->not_before_s)
        return token_refuse(q, "the token is not valid yet");
    for (unsigned i = 0; t->seen_rev != rev && i < t->n_bound; i++)
        if (!bound_holds(n, t, &t->bound[i], now_s))
            return token_refuse(q, "the token is bound to one of the %s that is gone", t->bound[i].plural);
    t->seen_rev = rev;
    for (unsigned i = 0; i < t->n_bound; i++)
        if (t->bound[i].deleted_s != INT64_MAX)
            t->seen_rev = 0;                     /* time alone ends it: look again */
    if (t->legacy)
        return token_accept_here(q, authn_user_copy(q->arena, &t->user));
    return token_accept(q, authn_user_copy(q->arena, &t->user), t->audiences, t->n_audiences);
}

/* ---- What was verified ------------------------------------------------------------------------------ */

static void forget(struct map *m)
{
    struct str key;
    void      *t;

    for (size_t i = 0; map_next(m, &i, &key, &t);)
        token_free(t);
    map_release(m);
    *m = MAP_INIT;
}

static void keep(struct account *m, struct token *t)
{
    struct token *was;

    if (m->young.n >= KEPT_YOUNG) {
        forget(&m->old);
        m->old = m->young;
        m->young = MAP_INIT;
    }
    was = map_put(&m->young, t->text, t);
    if (was != NULL)
        token_free(was);
}

static struct token *kept(struct account *m, struct str text)
{
    struct token *t = map_get(&m->young, text);

    if (t == NULL && (t = map_del(&m->old, text)) != NULL)
        keep(m, t);
    return t;
}

/* ---- Verifying -------------------------------------------------------------------------------------- */

static void account_free_now(struct account *m)
{
    forget(&m->young);
    forget(&m->old);
    map_release(&m->pending);
    key_set_unref(m->keys);
    mem_free(m);
}

/* On the thread pool: touches the token and the keys only. */
static void job_run(struct loop_work *w)
{
    struct job *j = container_of(w, struct job, work);

    j->genuine = key_set_verify(j->keys, &j->token->jwt);
}

static void job_done(struct loop_work *w)
{
    struct job     *j = container_of(w, struct job, work);
    struct account *m = j->account;
    struct qlink    queries;

    map_del(&m->pending, j->token->text);
    qmove(&j->queries, &queries);
    while (!qempty(&queries)) {
        struct authn_query *q = qentry(qpop(&queries), struct authn_query, link);

        authn_told(q, j->genuine ? judge(m, q, j->token)
                                 : token_refuse(q, "the token's signature does not verify"));
    }
    if (j->genuine && !m->closing)
        keep(m, j->token);
    else
        token_free(j->token);
    key_set_unref(j->keys);
    mem_free(j);
    if (--m->jobs == 0 && m->closing)
        account_free_now(m);
}

static struct job *job_start(struct account *m, struct token *t)
{
    struct job *j = mem_new(struct job);

    j->work = (struct loop_work){ .fn = job_run, .done = job_done };
    j->account = m;
    j->keys = key_set_ref(m->keys);
    j->token = t;
    qinit(&j->queries);
    m->jobs++;
    map_put(&m->pending, t->text, j);
    loop_work(m->authn->loop, &j->work);
    return j;
}

static enum token_answer account_ask(void *state, struct authn_query *q)
{
    struct account *m = state;
    struct token   *t = kept(m, q->token);
    struct job     *j;

    if (t != NULL)
        return judge(m, q, t);
    j = map_get(&m->pending, q->token);
    if (j == NULL) {
        enum token_answer answer = token_read(m, q, &t);

        if (answer != TOKEN_ACCEPTED)
            return answer;
        j = job_start(m, t);
    }
    qinit(&q->link);
    qpush(&j->queries, &q->link);
    return TOKEN_WAITS;
}

static void account_cancel(void *state, struct authn_query *q)
{
    (void)state;
    qdel(&q->link);
}

static bool account_likely(void *state, struct arena *a, struct str token)
{
    struct account *m = state;
    struct jwt      t;
    bool            legacy;

    if (kept(m, token) != NULL)
        return true;
    return jwt_parse(a, token, &t, NULL) == 0 && is_ours(m, &t, &legacy);
}

static void account_free(void *state)
{
    struct account *m = state;

    m->closing = true;
    if (m->jobs == 0)
        account_free_now(m);
}

int token_account_open(struct authn *n, const struct authn_opts *o, struct token_method *ret,
                       struct errbuf *err)
{
    struct account *m = mem_new(struct account);

    *ret = (struct token_method){ "service account", account_ask, account_likely, account_cancel,
                                  account_free, m };
    m->authn = n;
    m->issuer = arena_str(&n->arena, str_of(o->issuer));
    if (key_set_from_pem(o->pub_pem, &m->keys, err) < 0)
        return err_wrap(err, E_INVALID, "keys of service account tokens");
    n->keys = m->keys;
    return 0;
}
