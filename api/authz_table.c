/* api/authz_table.c: the policy, until roles are read from the store: one ordered table of who may do what.
 *
 * First match allows; no match refuses.  system:masters may do everything.  The control plane's own
 * identities get what their programs need; nodes write only what bears their own name, and of pods only
 * their own (api/node_gate.h).  Any authenticated user may read what discovery needs and
 * review its own rights; service accounts may read, but no secrets and no tokens, which is what
 * unprivileged in-cluster clients commonly need. */
#include "api/authz.h"
#include "api/authn.h"
#include "api/node_gate.h"

struct rule {
    const char *user;                            /* exact, or a prefix ending in '*'; NULL: any */
    const char *in_group;                        /* NULL: any */
    const char *verbs;                           /* space separated; "*": all; "read": get list watch */
    /* space separated: resource or resource/sub, "*": all but `except`; or paths that begin with / */
    const char *what;
    const char *except;                          /* space separated; NULL: none */
    bool own;                                    /* only the object that is named like the node that asks */
};

#define SECRET_THINGS "secrets serviceaccounts/token pods/exec pods/attach pods/portforward pods/proxy " \
                      "nodes/proxy services/proxy"

static const struct rule rules[] = {
    { NULL, "system:nodes", "read", "*",
      "serviceaccounts/token pods/exec pods/attach pods/portforward pods/proxy nodes/proxy services/proxy" },
    { NULL, "system:nodes", "create",
      "nodes events leases pods/eviction serviceaccounts/token tokenreviews subjectaccessreviews "
                                      "localsubjectaccessreviews certificatesigningrequests csinodes", NULL },
    { NULL, "system:nodes", "update patch delete", "pods pods/status events", NULL },
    { NULL, "system:nodes", "update patch delete", "nodes nodes/status leases csinodes", NULL, .own = true },
};

static bool word_in(const char *list, struct str word)
{
    struct str rest = str_of(list), one;

    while (str_split(&rest, ' ', &one)) {
        if (one.n > 0 && one.p[one.n - 1] == '*' && str_starts(word, str_upto(one, one.n - 1)))
            return true;
        if (str_eq(one, word))
            return true;
    }
    return false;
}

static bool verb_matches(const char *verbs, const char *verb)
{
    if (strcmp(verbs, "read") == 0)
        return strcmp(verb, "get") == 0 || strcmp(verb, "list") == 0 || strcmp(verb, "watch") == 0;
    return word_in(verbs, str_of(verb));
}

/* "pods" or "pods/log" in buf. */
static struct str thing_of(const struct authz_attr *a, char buf[160])
{
    size_t n = MIN_OF(a->resource.n, (size_t)79), m = MIN_OF(a->subresource.n, (size_t)79);

    memcpy(buf, a->resource.p, n);               /* (of extras only the key's start: no rule names one) */
    if (m > 0) {
        buf[n++] = '/';
        memcpy(buf + n, a->subresource.p, m);
    }
    return str_make(buf, n + m);
}

static bool rule_allows(const struct rule *r, const struct authz_attr *a, struct str thing)
{
    if (r->in_group != NULL && !authn_in_group(a->user, r->in_group))
        return false;
    if (r->user != NULL && !word_in(r->user, a->user->name))
        return false;
    if ((r->what[0] == '/') == a->is_resource || !verb_matches(r->verbs, a->verb))
        return false;
    if (r->own && (a->name.n == 0 || !str_eq(a->name, node_gate_name(a->user))))
        return false;
    return word_in(r->what, thing) && (r->except == NULL || !word_in(r->except, thing));
}

bool authz_table_ask(void *state, struct authz_query *q);
bool authz_table_ask(void *state, struct authz_query *q)
{
    char       buf[160];
    struct str thing = q->attr.is_resource ? thing_of(&q->attr, buf) : q->attr.path;

    (void)state;
    q->decision = AUTHZ_NONE;
    for (size_t i = 0; i < ARRAY_LEN(rules); i++)
        if (rule_allows(&rules[i], &q->attr, thing))
            q->decision = AUTHZ_ALLOW;
    return true;
}
