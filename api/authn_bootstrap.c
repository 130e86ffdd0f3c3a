/* api/authn_bootstrap.c: bootstrap tokens ("abcdef.0123456789abcdef"): what a new node shows before it has a
 * certificate.  Each is a secret of kube-system, looked up when it is shown. */
#include "api/authn_impl.h"
#include "api/kinds.h"
#include "api/names.h"
#include "api/time_fmt.h"
#include "net/tls.h"

#define ID_LEN     6
#define SECRET_LEN 16
#define GROUPS_MAX 64
#define GROUP_PREFIX "system:bootstrappers:"

static bool is_token(struct str t)
{
    if (t.n != ID_LEN + 1 + SECRET_LEN || t.p[ID_LEN] != '.')
        return false;
    for (size_t i = 0; i < t.n; i++)
        if (i != ID_LEN && !(t.p[i] >= 'a' && t.p[i] <= 'z') && !(t.p[i] >= '0' && t.p[i] <= '9'))
            return false;
    return true;
}

/* A value of the secret's data, decoded; empty: there is none. */
static struct str datum(struct arena *a, const struct json *secret, const char *key)
{
    struct buf b = BUF_INIT;
    struct str v = STR_NONE;

    if (base64_decode(&b, json_str(json_getz(json_getz(secret, "data"), key)), false) == 0)
        v = arena_str(a, buf_str(&b));
    buf_release(&b);
    return v;
}

static bool has_expired(struct authn *n, struct str when)
{
    int64_t  s;
    uint32_t ns;

    return when.n > 0 && (!time_parse(when, &s, &ns) || s <= loop_wall_ns(n->loop) / 1000000000);
}

/* system:bootstrappers:NAME */
static bool group_ok(struct str g)
{
    if (!str_starts(g, STR(GROUP_PREFIX)) || g.n == sizeof(GROUP_PREFIX) - 1 || g.n > 255 + 22)
        return false;
    for (size_t i = sizeof(GROUP_PREFIX) - 1; i < g.n; i++) {
        char c = g.p[i];
        bool alnum = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');

        if (!alnum && (i + 1 == g.n || (c != ':' && c != '-')))
            return false;
    }
    return true;
}

static bool set_groups(struct arena *a, struct exchange_user *u, struct str list)
{
    struct str *groups = arena_alloc(a, (GROUPS_MAX + 2) * sizeof(*groups)), one;

    u->groups = groups;
    groups[u->n_groups++] = STR("system:bootstrappers");
    while (str_split(&list, ',', &one)) {
        if (one.n == 0)
            continue;
        if (u->n_groups > GROUPS_MAX || !group_ok(one))
            return false;
        groups[u->n_groups++] = one;
    }
    groups[u->n_groups++] = STR(GROUP_AUTHENTICATED);
    return true;
}

static enum token_answer ask(void *state, struct authn_query *q)
{
    struct authn         *n = state;
    struct kind_ctx       k = { .arena = q->arena, .view = store_live(n->store) };
    struct exchange_user *u;
    struct json          *secret;
    struct str            id;

    if (!is_token(q->token))
        return TOKEN_FOREIGN;
    id = str_upto(q->token, ID_LEN);
    secret = kind_lookup(&k, "", "v1", "secrets", STR("kube-system"),
                         arena_fmt(q->arena, "bootstrap-token-%.*s", STR_ARG(id)));
    if (secret == NULL || json_path(secret, "metadata.deletionTimestamp") != NULL ||
        !str_is(json_str(json_getz(secret, "type")), "bootstrap.kubernetes.io/token") ||
        !pki_equal(datum(q->arena, secret, "token-secret"), str_from(q->token, ID_LEN + 1)) ||
        !str_eq(datum(q->arena, secret, "token-id"), id))
        return token_refuse(q, "no bootstrap token is known by that id and secret");
    if (has_expired(n, datum(q->arena, secret, "expiration")))
        return token_refuse(q, "the bootstrap token has expired");
    if (!str_is(datum(q->arena, secret, "usage-bootstrap-authentication"), "true"))
        return token_refuse(q, "the bootstrap token is not for authentication");
    u = arena_new(q->arena, struct exchange_user);
    u->name = arena_fmt(q->arena, "system:bootstrap:%.*s", STR_ARG(id));
    if (!set_groups(q->arena, u, datum(q->arena, secret, "auth-extra-groups")))
        return token_refuse(q, "the bootstrap token names a group that it may not give");
    return token_accept_here(q, u);
}

static bool likely(void *state, struct arena *a, struct str token)
{
    (void)state;
    (void)a;
    return is_token(token);
}

int token_bootstrap_open(struct authn *n, struct token_method *ret)
{
    *ret = (struct token_method){ .name = "bootstrap", .ask = ask, .likely = likely, .state = n };
    return 0;
}
