/* api/node_gate.c: see api/node_gate.h. */
#include "api/node_gate.h"

bool node_gate_is(const struct exchange_user *u)
{
    return authn_in_group(u, "system:nodes") && !authn_in_group(u, GROUP_MASTERS) &&
           str_starts(u->name, STR(NODE_USER));
}

struct str node_gate_name(const struct exchange_user *u)
{
    return node_gate_is(u) ? str_from(u->name, sizeof(NODE_USER) - 1) : STR_NONE;
}
