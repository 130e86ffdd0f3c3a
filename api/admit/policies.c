/* api/admit/policies.c: ValidatingAdmissionPolicy: expressions that writes must satisfy (api/policy/). */
#include "api/admit/plugin.h"
#include "api/policy/policy.h"

/* Policies have no say about policies, so that nobody locks himself out; nor about questions. */
static bool is_exempt(const struct admission *a)
{
    const struct schema_kind *k = a->k->res->kind;

    return (strcmp(k->group, "admissionregistration.k8s.io") == 0 &&
            (strncmp(a->k->res->plural, "validatingadmissionpolic", 24) == 0)) ||
           strcmp(k->group, "authentication.k8s.io") == 0 || strcmp(k->group, "authorization.k8s.io") == 0;
}

static void validate(struct admission *a)
{
    if (!is_exempt(a))
        policies_ask(a->call->api->policies, a);
}

const struct admit_plugin admit_policies = {
    .name = "ValidatingAdmissionPolicy", .on = true,
    .match = {
        { .sub = "*", .ops = ADMIT_WRITES | ADMIT_DELETE | ADMIT_CONNECT, .validate = validate },
    },
};
