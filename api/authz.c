/* api/authz.c: see api/authz.h. */
#include "api/authz.h"
#include "api/authn.h"
#include "api/request.h"

struct authz { struct authorizer chain[AUTHZ_CHAIN_MAX]; unsigned n; };

static bool ask_master(void *state, struct authz_query *q)
{
    (void)state;
    q->decision = authn_in_group(q->attr.user, GROUP_MASTERS) ? AUTHZ_ALLOW : AUTHZ_NONE;
    return true;
}

bool authz_always_allow(void *state, struct authz_query *q)
{
    (void)state;
    q->decision = AUTHZ_ALLOW;
    return true;
}

bool authz_always_deny(void *state, struct authz_query *q)
{
    (void)state;
    q->reason = STR("Everything is forbidden.");
    return true;
}

/* Why nobody allowed it: each that says something has a line. */
static void join_reasons(struct authz_query *q)
{
    if (q->decision != AUTHZ_NONE || q->before.n == 0)
        return;
    q->reason = q->reason.n == 0
        ? q->before : arena_join(q->arena, (const struct str[]){ q->before, STR("\n"), q->reason }, 3);
}

/* From the authorizer at q->at on.  True: answered. */
static bool ask_rest(struct authz_query *q)
{
    struct authz *z = q->authz;

    for (; q->decision == AUTHZ_NONE && q->at < z->n; q->at++) {
        q->before = q->reason;
        q->reason = STR_NONE;
        if (!z->chain[q->at].ask(z->chain[q->at].state, q)) {
            q->waiting = true;
            return false;
        }
        join_reasons(q);
    }
    return true;
}

bool authz_ask(struct authz *z, struct authz_query *q)
{
    must(!q->waiting && q->attr.user != NULL);
    q->authz = z;
    q->at = 0;
    q->decision = AUTHZ_NONE;
    q->reason = q->error = STR_NONE;
    return ask_rest(q);
}

bool authz_ask_now(struct authz *z, struct authz_query *q)
{
    if (!authz_ask(z, q))
        authz_cancel(q);
    return q->decision == AUTHZ_ALLOW;
}

void authz_answered(struct authz_query *q)
{
    must(q->waiting);
    q->waiting = false;
    join_reasons(q);
    q->at++;
    if (ask_rest(q))
        q->done(q);
}

void *authz_state(const struct authz_query *q)
{
    must(q->waiting);
    return q->authz->chain[q->at].state;
}

void authz_cancel(struct authz_query *q)
{
    struct authorizer *who;

    if (!q->waiting)
        return;
    who = &q->authz->chain[q->at];
    q->waiting = false;
    who->cancel(who->state, q);
}

bool authz_selects(const struct authz_attr *t, const char *path, struct str *ret)
{
    return request_selects(t->fields, path, ret);
}

struct authz *authz_new(void)
{
    struct authz *z = mem_new(struct authz);

    authz_add(z, &(struct authorizer){ .name = "master", .ask = ask_master });
    return z;
}

void authz_add(struct authz *z, const struct authorizer *what)
{
    must(z->n < AUTHZ_CHAIN_MAX);
    z->chain[z->n++] = *what;
}

bool authz_has(const struct authz *z, const char *name)
{
    for (unsigned i = 0; i < z->n; i++)
        if (strcmp(z->chain[i].name, name) == 0)
            return true;
    return false;
}

void authz_free(struct authz *z)
{
    mem_free(z);
}

/* ---- Refusals -------------------------------------------------------------------------------------- */

struct str authz_refusal(struct arena *a, const struct authz_query *q)
{
    const struct authz_attr *t = &q->attr;
    struct str text, scope = STR("at the cluster scope");

    if (!t->is_resource) {
        text = arena_fmt(a, "User \"%.*s\" cannot %s path \"%.*s\"", STR_ARG(t->user->name), t->verb,
                         STR_ARG(t->path));
    } else {
        if (t->ns.n > 0)
            scope = arena_fmt(a, "in the namespace \"%.*s\"", STR_ARG(t->ns));
        text = arena_fmt(a, "User \"%.*s\" cannot %s resource \"%.*s%s%.*s\" in API group \"%.*s\" %.*s",
                         STR_ARG(t->user->name), t->verb, STR_ARG(t->resource),
                         t->subresource.n > 0 ? "/" : "", STR_ARG(t->subresource), STR_ARG(t->group),
                         STR_ARG(scope));
    }
    if (q->reason.n > 0)
        text = arena_fmt(a, "%.*s: %.*s", STR_ARG(text), STR_ARG(q->reason));
    return text;
}
