/* api/authn_tokens.c: bearer tokens: verify a service account's token once, then remember what it says.
 *
 * The signature of a token never changes, so a verified one is kept (bounded); its expiry and the objects
 * it is bound to (service account, pod) are looked at on every use: a deleted account's token ends at
 * once. */
#include "api/authn_impl.h"
#include "api/json_scan.h"
#include "api/jwt.h"
#include "net/tls.h"

#define TOKENS_KEPT 4096                         /* more than that: start over */

static void token_free(struct token *t)
{
    arena_release(&t->arena);
    mem_free(t);
}

void tokens_release(struct authn *n)
{
    struct str key;
    void      *val;

    for (size_t i = 0; map_next(&n->tokens, &i, &key, &val);)
        token_free(val);
    map_release(&n->tokens);
}

static void token_audiences(struct token *t, const struct json *aud)
{
    if (json_is(aud, JSON_STRING)) {
        t->audiences = arena_new(&t->arena, struct str);
        t->audiences[t->n_audiences++] = aud->s;
        return;
    }
    if (!json_is(aud, JSON_ARRAY))
        return;
    t->audiences = arena_zalloc(&t->arena, (aud->n + 1) * sizeof(struct str));
    json_each(it, aud)
        if (it->type == JSON_STRING)
            t->audiences[t->n_audiences++] = it->s;
}

static void token_user(struct token *t)
{
    struct str        *groups = arena_zalloc(&t->arena, (ACCOUNT_GROUPS + 1) * sizeof(struct str));
    struct user_extra *extra = arena_zalloc(&t->arena, 2 * sizeof(*extra));

    authn_account_groups(&t->arena, t->ns, groups);
    groups[ACCOUNT_GROUPS] = STR(GROUP_AUTHENTICATED);
    t->user.name = arena_fmt(&t->arena, ACCOUNT_PREFIX "%.*s:%.*s", STR_ARG(t->ns), STR_ARG(t->account));
    t->user.uid = t->account_uid;
    t->user.groups = groups;
    t->user.n_groups = ACCOUNT_GROUPS + 1;
    if (t->pod.n == 0)
        return;
    extra[0] = (struct user_extra){ STR("authentication.kubernetes.io/pod-name"), t->pod };
    extra[1] = (struct user_extra){ STR("authentication.kubernetes.io/pod-uid"), t->pod_uid };
    t->user.extra = extra;
    t->user.n_extra = 2;
}

/* Signature and claims, without what may change later. */
static int token_read(struct authn *n, struct str text, struct token *t, struct errbuf *err)
{
    struct json *claims, *kube;
    int          rc = jwt_verify(buf_str(&n->pub_pem), arena_str(&t->arena, text), &t->arena, &claims, err);

    if (rc < 0)
        return rc;
    if (!str_is(json_str(json_getz(claims, "iss")), n->issuer))
        return err_set(err, E_DENIED, "the token is of another issuer");
    kube = json_getz(claims, "kubernetes.io");
    t->expires_s = json_i64_or(json_getz(claims, "exp"), 0);
    t->not_before_s = json_i64_or(json_getz(claims, "nbf"), INT64_MAX);
    t->ns = json_path_str(kube, "namespace");
    t->account = json_path_str(kube, "serviceaccount.name");
    t->account_uid = json_path_str(kube, "serviceaccount.uid");
    t->pod = json_path_str(kube, "pod.name");
    t->pod_uid = json_path_str(kube, "pod.uid");
    t->secret = json_path_str(kube, "secret.name");
    t->secret_uid = json_path_str(kube, "secret.uid");
    token_audiences(t, json_getz(claims, "aud"));
    if (t->ns.n == 0 || t->account.n == 0 || t->account_uid.n == 0)
        return err_set(err, E_DENIED, "the token names no service account");
    token_user(t);
    return 0;
}

/* An object that the token is bound to: there, of that uid, and not long deleted. */
static bool bound_alive(struct authn *n, const char *storage, struct str ns, struct str name, struct str uid)
{
    char            key[600];
    int             len = snprintf(key, sizeof(key), "/registry/%s/%.*s/%.*s", storage, STR_ARG(ns),
                                   STR_ARG(name));
    struct store_kv kv;
    struct str      raw;

    if (len < 0 || (size_t)len >= sizeof(key) ||
        !store_get(store_live(n->store), str_make(key, (size_t)len), &kv))
        return false;
    return json_scan_path(blob_str(kv.value), "metadata.uid", &raw) && raw.n == uid.n + 2 &&
        memcmp(raw.p + 1, uid.p, uid.n) == 0;
}

static int token_check(struct authn *n, const struct token *t, struct errbuf *err)
{
    int64_t now_s = loop_wall_ns(n->loop) / 1000000000;

    if (now_s >= t->expires_s)
        return err_set(err, E_DENIED, "the token has expired");
    if (now_s + TOKEN_LEEWAY_S < t->not_before_s)
        return err_set(err, E_DENIED, "the token is not valid yet");
    if (!bound_alive(n, "serviceaccounts", t->ns, t->account, t->account_uid))
        return err_set(err, E_DENIED, "the token's service account is gone");
    if (t->pod.n > 0 && !bound_alive(n, "pods", t->ns, t->pod, t->pod_uid))
        return err_set(err, E_DENIED, "the token's pod is gone");
    if (t->secret.n > 0 && !bound_alive(n, "secrets", t->ns, t->secret, t->secret_uid))
        return err_set(err, E_DENIED, "the token's secret is gone");
    return 0;
}

static struct token *token_get(struct authn *n, struct str text, struct errbuf *err)
{
    struct token *t = map_get(&n->tokens, text);

    if (t != NULL)
        return t;
    if (n->pub_pem.n == 0) {
        err_set(err, E_DENIED, "no service account tokens are known here");
        return NULL;
    }
    t = mem_new(struct token);
    if (token_read(n, text, t, err) < 0) {
        token_free(t);
        return NULL;
    }
    if (n->tokens.n >= TOKENS_KEPT)
        tokens_release(n);
    map_put(&n->tokens, text, t);
    return t;
}

const struct token *token_verify(struct authn *n, struct str text, struct errbuf *err)
{
    struct token *t = token_get(n, text, err);

    return t != NULL && token_check(n, t, err) == 0 ? t : NULL;
}

bool token_for(const struct token *t, struct str audience)
{
    for (size_t i = 0; i < t->n_audiences; i++)
        if (str_eq(t->audiences[i], audience))
            return true;
    return false;
}
