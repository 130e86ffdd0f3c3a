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

struct impersonation {
    struct exchange_user user;                   /* who one wants to be */
    struct authz_attr *ask; size_t n, at;        /* what that takes, in the order of asking */
    void (*then)(struct call *c);
};

static void want(struct impersonation *im, struct authz_attr what)
{
    what.is_resource = true;
    what.verb = "impersonate";
    im->ask[im->n++] = what;
}

static bool is_header(const struct http_header *h, const char *name)
{
    return str_ieq(h->name, str_of(name));
}

static void take_user(struct impersonation *im)
{
    struct authz_attr user = { .resource = STR("users"), .name = im->user.name };
    struct authz_attr account = { .resource = STR("serviceaccounts") };

    want(im, authn_account_of(im->user.name, &account.ns, &account.name) ? account : user);
}

static void take_uid(struct call *c, struct impersonation *im)
{
    im->user.uid = exchange_header(c->x, PREFIX "Uid");
    if (im->user.uid.n > 0)
        want(im, (struct authz_attr){ .group = STR(GROUP), .version = STR("v1"), .resource = STR("uids"),
                                      .name = im->user.uid });
}

/* The groups asked for, else those that come with the name. */
static void take_groups(struct call *c, struct impersonation *im)
{
    struct exchange_user *u = &im->user;
    struct str *groups = arena_alloc(c->arena, (c->x->n_headers + ACCOUNT_GROUPS + 1) * sizeof(*groups)), ns,
               name;

    u->groups = groups;
    for (size_t i = 0; i < c->x->n_headers; i++) {
        if (!is_header(&c->x->headers[i], PREFIX "Group"))
            continue;
        groups[u->n_groups++] = c->x->headers[i].value;
        want(im, (struct authz_attr){ .resource = STR("groups"), .name = c->x->headers[i].value });
    }
    if (u->n_groups == 0 && authn_account_of(u->name, &ns, &name)) {
        authn_account_groups(c->arena, ns, groups);
        u->n_groups = ACCOUNT_GROUPS;
    }
    if (authn_in_group(u, GROUP_UNAUTHENTICATED))
        return;
    if (str_is(u->name, USER_ANONYMOUS))
        groups[u->n_groups++] = STR(GROUP_UNAUTHENTICATED);
    else if (!authn_in_group(u, GROUP_AUTHENTICATED))
        groups[u->n_groups++] = STR(GROUP_AUTHENTICATED);
}

/* Impersonate-Extra-KEY: VALUE; keys are lower case, with escapes for what a header's name cannot hold. */
static void take_extra(struct call *c, struct impersonation *im)
{
    struct user_extra *extra = arena_alloc(c->arena, (c->x->n_headers + 1) * sizeof(*extra));
    const size_t       prefix = sizeof(EXTRA_PREFIX) - 1;

    im->user.extra = extra;
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
        extra[im->user.n_extra++] = (struct user_extra){ key, h->value };
        want(im, (struct authz_attr){ .group = STR(GROUP), .version = STR("v1"),
                                      .resource = STR("userextras"), .subresource = key, .name = h->value });
    }
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

static void ask_next(struct call *c);

static void on_answer(struct call *c)
{
    struct impersonation    *im = c->state;
    const struct authz_attr *t = &c->may.attr;
    struct str               why;

    if (c->may.decision == AUTHZ_ALLOW) {
        im->at++;
        ask_next(c);
        return;
    }
    why = authz_refusal(c->arena, &c->may);
    call_fail(c, 403, REASON_FORBIDDEN, "%.*s%s%.*s \"%.*s\" is forbidden: %.*s", STR_ARG(t->resource),
              t->group.n > 0 ? "." : "", STR_ARG(t->group), STR_ARG(t->name), STR_ARG(why));
}

static void ask_next(struct call *c)
{
    struct impersonation *im = c->state;

    if (im->at < im->n) {
        im->ask[im->at].user = c->user;
        call_may(c, &im->ask[im->at], on_answer);
        return;
    }
    c->state = NULL;
    c->user = &im->user;
    im->then(c);
}

void impersonate(struct call *c, void (*then)(struct call *c))
{
    struct str            name = exchange_header(c->x, PREFIX "User");
    struct impersonation *im;

    if (!any_header(c)) {
        then(c);
        return;
    }
    if (name.n == 0) {
        call_bad_request(c, "requested groups, a uid or extras without impersonating a user");
        return;
    }
    im = arena_new(c->arena, struct impersonation);
    im->ask = arena_zalloc(c->arena, (c->x->n_headers + 1) * sizeof(*im->ask));
    im->user.name = name;
    im->then = then;
    c->state = im;
    take_user(im);
    take_groups(c, im);
    take_uid(c, im);
    take_extra(c, im);
    ask_next(c);
}
