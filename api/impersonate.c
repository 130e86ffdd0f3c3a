/* api/impersonate.c: the Impersonate- headers: act as somebody else, if that is allowed (kubectl --as).
 *
 * Each part of who one wants to be is a permission of its own: the user or service account, every group, the
 * uid, every value of every extra key.  A service account without groups asked for has those of its
 * namespace; whoever is not anonymous is authenticated, unless the groups asked for say otherwise. */
#include "api/authz.h"
#include "api/impersonate.h"
#include "net/http.h"

#define PREFIX       "Impersonate-"
#define EXTRA_PREFIX PREFIX "Extra-"
#define GROUP        "authentication.k8s.io"     /* of uids and userextras */

/* May the caller be this?  False: answered. */
static bool allowed(struct call *c, const struct authz_attr *what)
{
    struct authz_attr attr = *what;
    const char       *reason;
    struct str        at = STR("at the cluster scope");

    attr.user = c->user;
    attr.verb = "impersonate";
    attr.is_resource = true;
    if (authz_allowed(&attr, &reason))
        return true;
    if (attr.ns.n > 0)
        at = arena_fmt(c->arena, "in the namespace \"%.*s\"", STR_ARG(attr.ns));
    call_fail(c, 403, REASON_FORBIDDEN,
              "%.*s%s%.*s \"%.*s\" is forbidden: User \"%.*s\" cannot impersonate resource \"%.*s%s%.*s\" in "
              "API group "
              "\"%.*s\" %.*s",
              STR_ARG(attr.resource), attr.group.n > 0 ? "." : "", STR_ARG(attr.group), STR_ARG(attr.name),
              STR_ARG(c->user->name), STR_ARG(attr.resource), attr.subresource.n > 0 ? "/" : "",
              STR_ARG(attr.subresource), STR_ARG(attr.group), STR_ARG(at));
    return false;
}

static bool is_header(const struct http_header *h, const char *name)
{
    return str_ieq(h->name, str_of(name));
}

static bool take_user(struct call *c, struct str name)
{
    struct authz_attr user = { .resource = STR("users"), .name = name };
    struct authz_attr account = { .resource = STR("serviceaccounts") };

    return allowed(c, authn_account_of(name, &account.ns, &account.name) ? &account : &user);
}

static bool take_uid(struct call *c, struct exchange_user *u)
{
    u->uid = exchange_header(c->x, PREFIX "Uid");
    return u->uid.n == 0 ||
        allowed(c, &(struct authz_attr){ .group = STR(GROUP), .resource = STR("uids"), .name = u->uid });
}

/* The groups asked for, else those that come with the name. */
static bool take_groups(struct call *c, struct exchange_user *u)
{
    struct str *groups = arena_alloc(c->arena, (c->x->n_headers + ACCOUNT_GROUPS + 1) * sizeof(*groups)), ns,
               name;
    bool        anonymous = str_is(u->name, USER_ANONYMOUS);

    u->groups = groups;
    for (size_t i = 0; i < c->x->n_headers; i++) {
        struct str group = c->x->headers[i].value;

        if (!is_header(&c->x->headers[i], PREFIX "Group"))
            continue;
        if (!allowed(c, &(struct authz_attr){ .resource = STR("groups"), .name = group }))
            return false;
        groups[u->n_groups++] = group;
    }
    if (u->n_groups == 0 && authn_account_of(u->name, &ns, &name)) {
        authn_account_groups(c->arena, ns, groups);
        u->n_groups = ACCOUNT_GROUPS;
    }
    if (authn_in_group(u, GROUP_UNAUTHENTICATED))
        return true;
    if (anonymous)
        groups[u->n_groups++] = STR(GROUP_UNAUTHENTICATED);
    else if (!authn_in_group(u, GROUP_AUTHENTICATED))
        groups[u->n_groups++] = STR(GROUP_AUTHENTICATED);
    return true;
}

/* Impersonate-Extra-KEY: VALUE; keys are lower case, with escapes for what a header's name cannot hold. */
static bool take_extra(struct call *c, struct exchange_user *u)
{
    struct user_extra *extra = arena_alloc(c->arena, (c->x->n_headers + 1) * sizeof(*extra));
    const size_t       prefix = sizeof(EXTRA_PREFIX) - 1;

    u->extra = extra;
    for (size_t i = 0; i < c->x->n_headers; i++) {
        const struct http_header *h = &c->x->headers[i];
        struct str                key;
        char                     *lower;

        if (h->name.n <= prefix || !str_ieq(str_upto(h->name, prefix), STR(EXTRA_PREFIX)))
            continue;
        lower = arena_cstr(c->arena, str_from(h->name, prefix));
        for (char *p = lower; *p != '\0'; p++)
            if (*p >= 'A' && *p <= 'Z')
                *p = (char)(*p - 'A' + 'a');
        if (!http_unescape(c->arena, str_of(lower), false, &key))
            key = str_of(lower);                 /* taken as it is, as the original does */
        if (!allowed(c, &(struct authz_attr){ .group = STR(GROUP),
                                              .resource = STR("userextras"),
                                              .subresource = key,
                                              .name = h->value }))
            return false;
        extra[u->n_extra++] = (struct user_extra){ key, h->value };
    }
    return true;
}

static bool any_header(const struct call *c)
{
    for (size_t i = 0; i < c->x->n_headers; i++) {
        const struct str name = c->x->headers[i].name;

        if (name.n > sizeof(PREFIX) - 1 && str_ieq(str_upto(name, sizeof(PREFIX) - 1), STR(PREFIX)))
            return true;
    }
    return false;
}

bool impersonate(struct call *c)
{
    struct str            name;
    struct exchange_user *u;

    if (!any_header(c))
        return true;
    name = exchange_header(c->x, PREFIX "User");
    if (name.n == 0) {
        call_bad_request(c, "requested groups, a uid or extras without impersonating a user");
        return false;
    }
    u = arena_new(c->arena, struct exchange_user);
    u->name = name;
    if (!take_user(c, name) || !take_groups(c, u) || !take_uid(c, u) || !take_extra(c, u))
        return false;
    c->user = u;
    return true;
}
