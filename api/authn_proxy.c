/* api/authn_proxy.c: a front proxy authenticates for us and says who it speaks for in headers.  It is
 * believed if its certificate was signed by the CA that was named for it, and its name is among those
 * allowed. */
#include "api/authn_impl.h"
#include "net/http.h"
#include "net/tls.h"

bool roots_have(const struct roots *r, const unsigned char root[32])
{
    for (size_t i = 0; i < r->n; i++)
        if (memcmp(r->v[i], root, 32) == 0)
            return true;
    return false;
}

static bool name_allowed(const struct proxy_names *p, const char *name)
{
    for (size_t i = 0; i < p->n_allowed; i++)
        if (str_is(p->allowed[i], name))
            return true;
    return p->n_allowed == 0;
}

static struct str first_of(const struct exchange *x, const struct str *names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < x->n_headers; k++)
            if (str_ieq(x->headers[k].name, names[i]) && x->headers[k].value.n > 0)
                return x->headers[k].value;
    return STR_NONE;
}

static void take_groups(const struct proxy_names *p, struct exchange *x, struct exchange_user *u)
{
    struct str *groups = arena_alloc(x->arena, (x->n_headers + 1) * sizeof(*groups));

    for (size_t i = 0; i < p->n_groups; i++)
        for (size_t k = 0; k < x->n_headers && u->n_groups < x->n_headers; k++)
            if (str_ieq(x->headers[k].name, p->groups[i]))
                groups[u->n_groups++] = x->headers[k].value;
    u->groups = groups;
    if (!authn_in_group(u, GROUP_AUTHENTICATED) && !authn_in_group(u, GROUP_UNAUTHENTICATED))
        groups[u->n_groups++] = STR(GROUP_AUTHENTICATED);
}

/* PREFIX-KEY: VALUE; keys in lower case, escaped. */
static void take_extra(const struct proxy_names *p, struct exchange *x, struct exchange_user *u)
{
    struct user_extra *extra = arena_alloc(x->arena, (x->n_headers + 1) * sizeof(*extra));

    u->extra = extra;
    for (size_t i = 0; i < p->n_extras; i++)
        for (size_t k = 0; k < x->n_headers && u->n_extra < x->n_headers; k++) {
            struct str name = x->headers[k].name, key;
            char      *lower;

            if (name.n <= p->extras[i].n || !str_ieq(str_upto(name, p->extras[i].n), p->extras[i]))
                continue;
            lower = arena_cstr(x->arena, str_from(name, p->extras[i].n));
            for (char *c = lower; *c != '\0'; c++)
                if (*c >= 'A' && *c <= 'Z')
                    *c = (char)(*c - 'A' + 'a');
            if (!http_unescape(x->arena, str_of(lower), false, &key))
                key = str_of(lower);
            extra[u->n_extra++] = (struct user_extra){ key, x->headers[k].value };
        }
}

void proxy_user(struct authn *n, struct exchange *x, const struct exchange_user **ret)
{
    const struct proxy_names *p = &n->proxy;
    struct exchange_user     *u;
    struct str                name;

    if (n->proxy_roots.n == 0 || x->tls_peer == NULL || !roots_have(&n->proxy_roots, x->tls_peer->root) ||
        !name_allowed(p, x->tls_peer->common_name))
        return;
    name = first_of(x, p->users, p->n_users);
    if (name.n == 0)
        return;
    u = arena_new(x->arena, struct exchange_user);
    u->name = name;
    u->uid = first_of(x, p->uids, p->n_uids);
    take_groups(p, x, u);
    take_extra(p, x, u);
    *ret = u;
}

static int roots_read(struct arena *a, struct str pem, struct roots *ret, struct errbuf *err)
{
    unsigned char (*v)[32] = arena_alloc(a, KEY_SET_MAX * sizeof(*v));
    int rc = tls_cert_digests(pem, v, KEY_SET_MAX, &ret->n, err);

    ret->v = (const unsigned char (*)[32])v;
    return rc;
}

int proxy_open(struct authn *n, const struct authn_opts *o, struct errbuf *err)
{
    const struct authn_proxy *from = &o->proxy;
    struct proxy_names       *p = &n->proxy;
    struct arena             *a = &n->arena;
    int                       rc;

    if (from->ca_pem.n == 0)
        return 0;
    p->allowed = authn_list(a, from->allowed_names, &p->n_allowed);
    p->users = authn_list(a, from->user_headers, &p->n_users);
    p->groups = authn_list(a, from->group_headers, &p->n_groups);
    p->extras = authn_list(a, from->extra_prefixes, &p->n_extras);
    p->uids = authn_list(a, from->uid_headers, &p->n_uids);
    rc = roots_read(a, from->ca_pem, &n->proxy_roots, err);
    return rc == 0 && o->client_ca_pem.n > 0 ? roots_read(a, o->client_ca_pem, &n->client_roots, err) : rc;
}
