/* node/pod_ephemeral.c: containers that users add to a pod that runs already, to look into it (kubectl
 * debug).  They run once, whatever becomes of the others, and nothing waits for them. */
#include "node/pod.h"

static struct container *ephemeral_new(struct pod *p, const struct json *spec)
{
    struct container *c = mem_new(struct container);

    container_init(c, p, spec, false);
    c->ephemeral = true;
    return c;
}

bool pod_take_ephemeral(struct pod *p)
{
    const struct json *list = json_path(pod_json(p), "spec.ephemeralContainers");
    bool added = false;

    json_each(spec, list) {
        if (pod_container(p, json_path_str(spec, "name")) != NULL)
            continue;
        p->ephemeral = mem_realloc(p->ephemeral, (p->n_ephemeral + 1) * sizeof *p->ephemeral);
        p->ephemeral[p->n_ephemeral++] = ephemeral_new(p, pod_own_tree(p, spec));
        added = true;
    }
    return added;
}

void pod_run_ephemeral(struct pod *p)
{
    bool may = p->volumes_ok || p->agent->hollow;

    for (unsigned i = 0; i < p->n_ephemeral; i++)
        container_tick(p->ephemeral[i], may);
}

void pod_free_ephemeral(struct pod *p)
{
    for (unsigned i = 0; i < p->n_ephemeral; i++) {
        container_release(p->ephemeral[i]);
        mem_free(p->ephemeral[i]);
    }
    mem_free(p->ephemeral);
}
