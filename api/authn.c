/* api/authn.c: see api/authn.h. */
#include <stdarg.h>
#include "api/authn_impl.h"
#include "api/names.h"
#include "net/tls.h"

bool authn_in_group(const struct exchange_user *u, const char *group)
{
    for (size_t i = 0; i < u->n_groups; i++)
        if (str_is(u->groups[i], group))
            return true;
    return false;
}

bool authn_account_of(struct str user, struct str *ret_ns, struct str *ret_name)
{
    struct str rest, ns;

    if (!str_starts(user, STR(ACCOUNT_PREFIX)))
        return false;
    rest = str_from(user, sizeof(ACCOUNT_PREFIX) - 1);
    if (!str_split(&rest, ':', &ns) || name_check_label(ns) != NULL || name_check_subdomain(rest) != NULL)
        return false;
    *ret_ns = ns;
    *ret_name = rest;
    return true;
}

void authn_account_groups(struct arena *a, struct str ns, struct str to[ACCOUNT_GROUPS])
{
    to[0] = STR("system:serviceaccounts");
    to[1] = arena_fmt(a, "system:serviceaccounts:%.*s", STR_ARG(ns));
}

const struct str *authn_list(struct arena *a, const char *text, size_t *ret_n)
{
    struct str  rest = str_of(text), one, *v = arena_alloc(a, (rest.n + 1) * sizeof(*v));
    size_t      n = 0;

    while (str_split(&rest, ',', &one))
        if (str_trim(one).n > 0)
            v[n++] = arena_str(a, str_trim(one));
    *ret_n = n;
    return v;
}

struct exchange_user *authn_user_copy(struct arena *a, const struct exchange_user *from)
{
    struct exchange_user *u = arena_new(a, struct exchange_user);
    struct user_extra    *extra = arena_alloc(a, (from->n_extra + 1) * sizeof(*extra));
    struct str           *groups = arena_alloc(a, (from->n_groups + 1) * sizeof(*groups));

    for (size_t i = 0; i < from->n_groups; i++)
        groups[i] = arena_str(a, from->groups[i]);
    for (size_t i = 0; i < from->n_extra; i++)
        extra[i] = (struct user_extra){ arena_str(a, from->extra[i].key),
                                        arena_str(a, from->extra[i].value) };
    *u = (struct exchange_user){ arena_str(a, from->name), arena_str(a, from->uid), groups, from->n_groups,
                                 extra, from->n_extra };
    return u;
}

/* ---- Tokens ----------------------------------------------------------------------------------------- */

enum token_answer token_refuse(struct authn_query *q, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    q->why = arena_vfmt(q->arena, fmt, ap).p;
    va_end(ap);
    return TOKEN_REFUSED;
}

enum token_answer token_accept(struct authn_query *q, const struct exchange_user *u,
                               const struct str *audiences, size_t n)
{
    struct str *both = arena_alloc(q->arena, (q->n_audiences + 1) * sizeof(*both));

    q->n_valid = 0;
    for (size_t i = 0; i < q->n_audiences; i++)
        for (size_t k = 0; k < n; k++)
            if (str_eq(q->audiences[i], audiences[k])) {
                both[q->n_valid++] = q->audiences[i];
                break;
            }
    if (q->n_valid == 0)
        return token_refuse(q, "the token is for another audience");
    q->valid_for = both;
    q->user = u;
    return TOKEN_ACCEPTED;
}

enum token_answer token_accept_here(struct authn_query *q, const struct exchange_user *u)
{
    return token_accept(q, u, q->authn->audiences, q->authn->n_audiences);
}

static void conclude(struct authn_query *q, enum token_answer answer)
{
    q->err = answer == TOKEN_ACCEPTED ? 0 : E_DENIED;
    if (q->err != 0 && q->why == NULL)
        q->why = "nobody here knows the token";
}

/* From the method at q->at on.  True: answered. */
static bool ask_rest(struct authn_query *q)
{
    struct authn *n = q->authn;

    for (; q->at < n->n_methods; q->at++) {
        enum token_answer answer = n->method[q->at].ask(n->method[q->at].state, q);

        if (answer == TOKEN_WAITS) {
            q->waiting = true;
            return false;
        }
        if (answer == TOKEN_ACCEPTED) {
            conclude(q, answer);
            return true;
        }
    }
    conclude(q, TOKEN_REFUSED);
    return true;
}

void authn_told(struct authn_query *q, enum token_answer answer)
{
    must(q->waiting && answer != TOKEN_WAITS);
    q->waiting = false;
    q->at++;
    if (answer == TOKEN_ACCEPTED)
        conclude(q, answer);
    else if (!ask_rest(q))
        return;
    q->done(q);
}

bool authn_token(struct authn *n, struct authn_query *q)
{
    q->authn = n;
    q->at = 0;
    q->user = NULL;
    q->why = NULL;
    q->waiting = false;
    if (q->n_audiences == 0) {
        q->audiences = n->audiences;
        q->n_audiences = n->n_audiences;
    }
    return ask_rest(q);
}

void authn_cancel(struct authn_query *q)
{
    struct token_method *m;

    if (!q->waiting)
        return;
    m = &q->authn->method[q->at];
    q->waiting = false;
    m->cancel(m->state, q);
}

/* ---- The exchange ----------------------------------------------------------------------------------- */

static const struct str anonymous_groups[] = { { GROUP_UNAUTHENTICATED, sizeof(GROUP_UNAUTHENTICATED) - 1 } };
static const struct exchange_user anonymous =
    { { USER_ANONYMOUS, sizeof(USER_ANONYMOUS) - 1 }, { NULL, 0 }, anonymous_groups, 1, NULL, 0 };

static const struct exchange_user *user_of_peer(struct arena *a, const struct tls_peer *peer)
{
    struct exchange_user *u = arena_new(a, struct exchange_user);
    struct str           *groups = arena_alloc(a, (peer->n_organizations + 1) * sizeof(*groups));

    for (size_t i = 0; i < peer->n_organizations; i++)
        groups[i] = str_of(peer->organizations[i]);
    groups[peer->n_organizations] = STR(GROUP_AUTHENTICATED);
    u->name = str_of(peer->common_name);
    u->groups = groups;
    u->n_groups = peer->n_organizations + 1;
    return u;
}

static bool bearer_of(const struct exchange *x, struct str *ret)
{
    struct str h = exchange_header(x, "Authorization");

    if (h.n < 7 || !str_ieq(str_upto(h, 7), STR("Bearer ")))
        return false;
    *ret = str_trim(str_from(h, 7));
    return ret->n > 0;
}

/* Signed by the CA of clients, not by the front proxy's, where that is another one. */
static bool is_client(const struct authn *n, const struct tls_peer *peer)
{
    if (peer == NULL || peer->common_name == NULL || peer->common_name[0] == '\0')
        return false;
    return n->proxy_roots.n == 0 || roots_have(&n->client_roots, peer->root);
}

/* Who needs no token; NULL: a token decides, or nobody asks. */
static const struct exchange_user *user_without_token(struct authn *n, struct exchange *x)
{
    const struct exchange_user *u = x->user;

    if (u == NULL)
        proxy_user(n, x, &u);
    if (u == NULL && is_client(n, x->tls_peer))
        u = user_of_peer(x->arena, x->tls_peer);
    return u;
}

bool authn_exchange(struct authn *n, struct exchange *x, struct authn_query *q)
{
    q->arena = x->arena;
    q->waiting = false;
    q->n_audiences = 0;
    q->err = 0;
    q->user = user_without_token(n, x);
    if (q->user != NULL)
        return true;
    if (bearer_of(x, &q->token))
        return authn_token(n, q);
    q->user = &anonymous;
    if (n->no_anonymous || exchange_header(x, "Authorization").n > 0)
        q->err = E_DENIED;                       /* some other scheme, which nobody understands here */
    return true;
}

bool authn_may_send(struct authn *n, struct exchange *x)
{
    struct str token;

    if (user_without_token(n, x) != NULL)
        return true;
    for (unsigned i = 0; bearer_of(x, &token) && i < n->n_methods; i++)
        if (n->method[i].likely(n->method[i].state, x->arena, token))
            return true;
    return false;
}

/* ---- Life ------------------------------------------------------------------------------------------- */

const struct key_set *authn_keys(const struct authn *n) { return n->keys; }

static int open_methods(struct authn *n, const struct authn_opts *o, struct errbuf *err)
{
    int rc = 0;

    if (o->token_lines.n > 0)
        rc = token_static_open(n, o->token_lines, &n->method[n->n_methods++], err);
    if (rc == 0 && o->pub_pem.n > 0)
        rc = token_account_open(n, o, &n->method[n->n_methods++], err);
    if (rc == 0 && !o->no_bootstrap)
        rc = token_bootstrap_open(n, &n->method[n->n_methods++]);
    if (rc == 0 && o->oidc.issuer_url != NULL)
        rc = token_oidc_open(n, &o->oidc, &n->method[n->n_methods++], err);
    if (rc == 0 && o->webhook.url != NULL)
        rc = token_webhook_open(n, o, &n->method[n->n_methods++], err);
    return rc;
}

int authn_new(const struct authn_opts *o, struct authn **ret, struct errbuf *err)
{
    struct authn *n = mem_new(struct authn);
    int           rc;

    n->store = o->store;
    n->loop = o->loop;
    n->no_anonymous = o->no_anonymous;
    n->audiences = authn_list(&n->arena, o->audiences != NULL ? o->audiences : o->issuer, &n->n_audiences);
    rc = proxy_open(n, o, err);
    if (rc == 0)
        rc = open_methods(n, o, err);
    if (rc < 0) {
        authn_free(n);
        return rc;
    }
    *ret = n;
    return 0;
}

void authn_free(struct authn *n)
{
    if (n == NULL)
        return;
    for (unsigned i = 0; i < n->n_methods; i++)
        if (n->method[i].free != NULL)
            n->method[i].free(n->method[i].state);
    arena_release(&n->arena);
    mem_free(n);
}
