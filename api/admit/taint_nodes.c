/* api/admit/taint_nodes.c: TaintNodesByCondition: nothing is placed on a new node before it said that it is
 * ready. */
#include "api/admit/plugin.h"

#define NOT_READY "node.kubernetes.io/not-ready"

static void mutate(struct admission *a)
{
    struct arena *arena = a->k->arena;
    struct json  *spec = json_make_path(arena, a->obj, "spec"), *taints = json_getz(spec, "taints"), *taint;

    json_each(t, taints)
        if (str_is(json_str(json_getz(t, "key")), NOT_READY) &&
            str_is(json_str(json_getz(t, "effect")), "NoSchedule"))
            return;
    if (!json_is(taints, JSON_ARRAY))
        taints = json_setz(arena, spec, "taints", json_array(arena));
    taint = json_push(taints, json_object(arena));
    json_setf(arena, taint, "key", NOT_READY);
    json_setf(arena, taint, "effect", "NoSchedule");
}

const struct admit_plugin admit_taint_nodes = {
    .name = "TaintNodesByCondition", .on = true,
    .match = { { "", "nodes", NULL, ADMIT_CREATE, .mutate = mutate } },
};
