/* api/node_gate.c: see api/node_gate.h. */
#include "api/authz.h"
#include "api/node_gate.h"

#define NODE_USER "system:node:"

struct str node_gate_name(const struct exchange_user *u)
{
    if (!authn_in_group(u, "system:nodes") || authn_in_group(u, GROUP_MASTERS) ||
        !str_starts(u->name, STR(NODE_USER)))
        return STR_NONE;
    return str_from(u->name, sizeof(NODE_USER) - 1);
}

static bool is_bound_to(const struct json *pod, struct str node)
{
    return str_eq(json_path_str(pod, "spec.nodeName"), node);
}

bool node_gate_token(const struct exchange_user *u, const struct json *pod)
{
    struct str node = node_gate_name(u);

    return node.n == 0 || (pod != NULL && is_bound_to(pod, node));
}

static bool writes(enum api_verb v)
{
    return v != API_GET && v != API_LIST && v != API_WATCH;
}

/* A pod never moves to another node, so what is seen here holds when the write is made.  One that is not
 * here will not be found by the write either. */
bool node_gate(struct call *c)
{
    struct str      node = node_gate_name(c->user);
    struct kind_ctx k;
    struct json    *pod;

    if (node.n == 0 || c->rq.name.n == 0 || c->res->kind->group[0] != '\0' ||
        strcmp(c->res->plural, "pods") != 0 || !writes(c->rq.verb))
        return true;
    call_kind_ctx(c, &k, c->rq.ns, c->rq.name);
    pod = kind_lookup(&k, "", "v1", "pods", c->rq.ns, c->rq.name);
    if (pod == NULL || is_bound_to(pod, node))
        return true;
    call_forbidden(c, "node \"%.*s\" can only write pods with spec.nodeName set to itself", STR_ARG(node));
    return false;
}
