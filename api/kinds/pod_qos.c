/* api/kinds/pod_qos.c: how firmly a pod's resources are promised, by what its containers ask for.
 *
 * Guaranteed: every container limits both processor time and memory, and asks in sum for exactly the limits.
 * BestEffort: nothing is asked for or limited.  Burstable: all between. */
#include "api/kinds/kinds_impl.h"
#include "api/quantity.h"

enum { CPU, MEMORY, N };
struct sums { struct quantity request[N], limit[N]; bool requested[N], limited[N], all_limited; };

static const char *const names[N] = { "cpu", "memory" };

/* Nothing and zero are the same. */
static bool add(struct quantity *sum, const struct json *list, const char *name)
{
    const struct json *v = json_getz(list, name);
    struct quantity    q;

    if (v == NULL || quantity_from_json(v, &q, NULL) < 0 || quantity_sign(q) <= 0)
        return false;
    *sum = quantity_add(*sum, q);
    return true;
}

static void add_container(struct sums *s, const struct json *container)
{
    const struct json *resources = json_getz(container, "resources"),
                      *requests = json_getz(resources, "requests"), *limits = json_getz(resources, "limits");

    for (unsigned i = 0; i < N; i++) {
        bool limited = limits != NULL && add(&s->limit[i], limits, names[i]);

        if (requests != NULL)
            s->requested[i] |= add(&s->request[i], requests, names[i]);
        s->limited[i] |= limited;
        s->all_limited &= limited;
    }
}

const char *pod_qos_class(const struct json *spec)
{
    struct sums s = { .all_limited = true };
    bool        equal = true;

    json_each(container, json_getz(spec, "containers"))
        add_container(&s, container);
    json_each(container, json_getz(spec, "initContainers"))
        add_container(&s, container);
    if (!s.requested[CPU] && !s.requested[MEMORY] && !s.limited[CPU] && !s.limited[MEMORY])
        return "BestEffort";
    for (unsigned i = 0; i < N; i++)
        equal &= s.requested[i] == s.limited[i] && quantity_cmp(s.request[i], s.limit[i]) == 0;
    return s.all_limited && equal ? "Guaranteed" : "Burstable";
}
