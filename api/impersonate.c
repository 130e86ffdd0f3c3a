/* api/impersonate.c: Impersonate-User and Impersonate-Group: act as somebody else, if that is allowed
 * (kubectl --as). */
#include "api/authz.h"
#include "api/impersonate.h"

static bool may(const struct exchange_user *u, const char *resource, struct str name)
{
    struct authz_attr attr = { .user = u, .verb = "impersonate", .resource = str_of(resource), .name = name,
                               .is_resource = true };
    const char       *reason;

    return authz_allowed(&attr, &reason);
}

static void refuse(struct call *c, const char *resource, struct str name)
{
    call_fail(c, 403, REASON_FORBIDDEN,
              "%s \"%.*s\" is forbidden: User \"%.*s\" cannot impersonate resource \"%s\" in API group \"\" "
              "at "
              "the cluster scope", resource, STR_ARG(name), STR_ARG(c->user->name), resource);
}

static bool is_header(const struct http_header *h, const char *name)
{
    return str_ieq(h->name, str_of(name));
}

/* Every group asked for, each of which must be allowed.  False: answered. */
static bool take_groups(struct call *c, struct str *groups, size_t *n)
{
    for (size_t i = 0; i < c->x->n_headers; i++) {
        const struct http_header *h = &c->x->headers[i];

        if (!is_header(h, "Impersonate-Group"))
            continue;
        if (!may(c->user, "groups", h->value)) {
            refuse(c, "groups", h->value);
            return false;
        }
        groups[(*n)++] = h->value;
    }
    return true;
}

bool impersonate(struct call *c)
{
    struct str            name = exchange_header(c->x, "Impersonate-User");
    struct exchange_user *u;
    struct str           *groups;

    if (name.n == 0) {
        if (exchange_header(c->x, "Impersonate-Group").n == 0)
            return true;
        call_bad_request(c, "requested groups without impersonating a user");
        return false;
    }
    if (!may(c->user, "users", name)) {
        refuse(c, "users", name);
        return false;
    }
    u = arena_new(c->arena, struct exchange_user);
    groups = arena_alloc(c->arena, (c->x->n_headers + 1) * sizeof(*groups));
    if (!take_groups(c, groups, &u->n_groups))
        return false;
    groups[u->n_groups++] = str_is(name,
                                   USER_ANONYMOUS) ? STR(GROUP_UNAUTHENTICATED) : STR(GROUP_AUTHENTICATED);
    u->name = name;
    u->groups = groups;
    c->user = u;
    return true;
}
