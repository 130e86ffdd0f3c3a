/* api/authn.c: see api/authn.h. */
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

/* ---- Static tokens ------------------------------------------------------------------------------ */

/* One field of a CSV line; quotes allow commas. */
static bool csv_field(struct str *rest, struct str *ret)
{
    if (rest->p == NULL)
        return false;
    if (rest->n > 0 && rest->p[0] == '"') {
        struct str body = str_from(*rest, 1);
        ptrdiff_t  end = str_find(body, '"');

        *ret = end < 0 ? body : str_upto(body, (size_t)end);
        *rest = end < 0 ? STR_NONE : str_from(body, (size_t)end + 1);
        if (rest->n > 0 && rest->p[0] == ',')
            *rest = str_from(*rest, 1);
        else
            *rest = STR_NONE;
        return true;
    }
    return str_split(rest, ',', ret);
}

static void static_groups(struct authn *n, struct static_token *t, struct str list)
{
    size_t      max = 2;
    struct str  part, *groups;

    for (size_t i = 0; i < list.n; i++)
        max += list.p[i] == ',';
    groups = arena_zalloc(&n->arena, max * sizeof(*groups));
    while (str_split(&list, ',', &part))
        if (str_trim(part).n > 0)
            groups[t->user.n_groups++] = str_trim(part);
    groups[t->user.n_groups++] = STR(GROUP_AUTHENTICATED);
    t->user.groups = groups;
}

static int static_load(struct authn *n, struct str text, struct errbuf *err)
{
    struct str rest = arena_str(&n->arena, text), line;

    for (unsigned number = 1; str_split(&rest, '\n', &line); number++) {
        struct static_token *t;
        struct str groups = STR_NONE;

        line = str_trim(line);
        if (line.n == 0 || line.p[0] == '#')
            continue;
        t = arena_new(&n->arena, struct static_token);
        if (!csv_field(&line, &t->token) || !csv_field(&line, &t->user.name) ||
            !csv_field(&line, &t->user.uid) ||
            t->token.n == 0 || t->user.name.n == 0)
            return err_set(err, E_INVALID, "token file, line %u: must be token,user,uid[,\"group,group\"]",
                           number);
        csv_field(&line, &groups);
        static_groups(n, t, groups);
        t->next = n->statics;
        n->statics = t;
    }
    return 0;
}

static const struct exchange_user *static_find(const struct authn *n, struct str token)
{
    const struct exchange_user *found = NULL;

    for (const struct static_token *t = n->statics; t != NULL; t = t->next)
        if (pki_equal(t->token, token))
            found = &t->user;
    return found;
}

/* ---- The exchange -------------------------------------------------------------------------------- */

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

static struct exchange_user *user_copy(struct arena *a, const struct exchange_user *from)
{
    struct exchange_user *u = arena_new(a, struct exchange_user);
    struct user_extra    *extra;
    struct str           *groups = arena_alloc(a, (from->n_groups + 1) * sizeof(*groups));

    for (size_t i = 0; i < from->n_groups; i++)
        groups[i] = arena_str(a, from->groups[i]);
    u->name = arena_str(a, from->name);
    u->uid = arena_str(a, from->uid);
    u->groups = groups;
    u->n_groups = from->n_groups;
    extra = arena_alloc(a, (from->n_extra + 1) * sizeof(*extra));
    for (size_t i = 0; i < from->n_extra; i++)
        extra[i] = (struct user_extra){ arena_str(a, from->extra[i].key),
                                        arena_str(a, from->extra[i].value) };
    u->extra = extra;
    u->n_extra = from->n_extra;
    return u;
}

int authn_token(struct authn *n, struct arena *a, struct str token, const struct str *audiences,
                size_t n_audiences,
                struct exchange_user *ret, struct str *ret_audience, struct errbuf *err)
{
    const struct exchange_user *u = static_find(n, token);
    const struct str            own = str_of(n->issuer);
    const struct token         *t;

    if (n_audiences == 0) {
        audiences = &own;
        n_audiences = 1;
    }
    if (u != NULL) {
        *ret = *user_copy(a, u);
        *ret_audience = own;
        return 0;
    }
    t = token_verify(n, token, err);
    if (t == NULL)
        return E_DENIED;
    for (size_t i = 0; i < n_audiences; i++)
        if (token_for(t, audiences[i])) {
            *ret = *user_copy(a, &t->user);
            *ret_audience = arena_str(a, audiences[i]);
            return 0;
        }
    return err_set(err, E_DENIED, "the token is for another audience");
}

static bool bearer_of(const struct exchange *x, struct str *ret)
{
    struct str h = exchange_header(x, "Authorization");

    if (h.n < 7 || !str_ieq(str_upto(h, 7), STR("Bearer ")))
        return false;
    *ret = str_trim(str_from(h, 7));
    return true;
}

static int exchange_user(struct authn *n, struct exchange *x, const struct exchange_user **ret)
{
    struct str            token, audience;
    struct exchange_user *u;

    if (x->user != NULL) {
        *ret = x->user;
        return 0;
    }
    if (x->tls_peer != NULL && x->tls_peer->common_name != NULL && x->tls_peer->common_name[0] != '\0') {
        *ret = user_of_peer(x->arena, x->tls_peer);
        return 0;
    }
    if (exchange_header(x, "Authorization").n == 0) {
        *ret = &anonymous;
        return 0;
    }
    u = arena_new(x->arena, struct exchange_user);
    if (!bearer_of(x, &token) || authn_token(n, x->arena, token, NULL, 0, u, &audience, NULL) < 0)
        return E_DENIED;
    *ret = u;
    return 0;
}

bool authn_exchange(struct authn *n, struct exchange *x, struct authn_query *q)
{
    q->err = exchange_user(n, x, &q->user);
    return true;
}

void authn_cancel(struct authn_query *q)
{
    must(!q->waiting);
}

int authn_new(const struct authn_opts *o, struct authn **ret, struct errbuf *err)
{
    struct authn *n = mem_new(struct authn);
    int           rc = 0;

    n->store = o->store;
    n->loop = o->loop;
    n->issuer = mem_strdup(o->issuer);
    buf_str_add(&n->pub_pem, o->pub_pem);
    if (o->token_lines.n > 0)
        rc = static_load(n, o->token_lines, err);
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
    tokens_release(n);
    arena_release(&n->arena);
    buf_release(&n->pub_pem);
    mem_free(n->issuer);
    mem_free(n);
}
