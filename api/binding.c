/* api/binding.c: pods/binding: the scheduler's word: this pod runs on that node. */
#include "api/decode.h"
#include "api/modify.h"
#include "api/subresource.h"
#include "api/time_fmt.h"

static bool check_target(struct call *c, const struct json *body)
{
    struct causes causes;
    struct at     target = AT_KEY(NULL, "target"), kind = AT_KEY(&target, "kind"),
        name = AT_KEY(&target, "name");
    static const char *const kinds[] = { "Node", "<empty>" };
    struct str    target_kind = json_path_str(body, "target.kind");

    causes_init(&causes, c->arena);
    if (target_kind.n > 0 && !str_is(target_kind, "Node"))
        cause_unsupported(&causes, &kind, target_kind, kinds, ARRAY_LEN(kinds));
    if (json_path_str(body, "target.name").n == 0)
        cause_required(&causes, &name, "");
    if (causes.n == 0)
        return true;
    call_invalid(c, c->sub->kind, c->rq.name, &causes);
    return false;
}

/* PodScheduled=True, in place of whatever the scheduler said before. */
static void set_scheduled(struct call *c, struct json *pod)
{
    struct arena *a = c->arena;
    struct json  *status = json_make_path(a, pod, "status"), *list = json_getz(status, "conditions"),
        *cond = NULL;

    if (!json_is(list, JSON_ARRAY))
        list = json_setz(a, status, "conditions", json_array(a));
    json_each(it, list)
        if (str_is(json_str(json_getz(it, "type")), "PodScheduled"))
            cond = it;
    if (cond == NULL)
        cond = json_push(list, json_object(a));
    json_setf(a, cond, "type", "PodScheduled");
    json_setf(a, cond, "status", "True");
    json_setz(a, cond, "lastProbeTime", json_null(a));
    json_setz(a, cond, "lastTransitionTime", json_string_ref(a, time_text_ns(a, loop_wall_ns(c->api->loop))));
    json_delz(cond, "reason");
    json_delz(cond, "message");
}

static void copy_annotations(struct call *c, const struct json *body, struct json *pod)
{
    json_each(it, json_path(body, "metadata.annotations"))
        json_set(c->arena, json_make_path(c->arena, pod, "metadata.annotations"), it->key,
                 json_copy(c->arena, it));
}

static bool may_bind(struct call *c, const struct json *body, const struct json *pod)
{
    struct str bound = json_path_str(pod, "spec.nodeName"), node = json_path_str(body, "target.name");
    struct str uid = json_path_str(body, "metadata.uid");
    const struct json *gates = json_path(pod, "spec.schedulingGates");

    if (uid.n > 0 && !str_eq(uid, json_path_str(pod, "metadata.uid")))
        call_conflict(c, c->rq.name, arena_fmt(c->arena,
                                               "Precondition failed: UID in precondition: %.*s, UID in "
                                               "object meta: %.*s",
                                               STR_ARG(uid), STR_ARG(json_path_str(pod, "metadata.uid"))).p);
    else if (json_path_str(pod, "metadata.deletionTimestamp").n > 0)
        call_conflict(c, c->rq.name, arena_fmt(c->arena,
                                               "pod %.*s is being deleted, cannot be assigned to a host",
                                                   STR_ARG(c->rq.name)).p);
    else if (bound.n > 0)
        call_conflict(c, c->rq.name, arena_fmt(c->arena, "pod %.*s is already assigned to node \"%.*s\"",
                                               STR_ARG(c->rq.name),
                                               STR_ARG(bound)).p);
    else if (gates != NULL && gates->n > 0)
        call_conflict(c, c->rq.name, arena_fmt(c->arena, "pod %.*s has non-empty .spec.schedulingGates",
                                               STR_ARG(c->rq.name)).p);
    else
        return node.n > 0;
    return false;
}

/* A copy: plugins may change it, and more than one try may be made. */
static struct json *binding_make(struct call *c, struct modify *m, struct json *old)
{
    (void)old;
    return json_copy(c->arena, m->state);
}

static struct json *binding_merge(struct call *c, struct modify *m, struct json *old, struct json *body)
{
    struct json *pod;

    (void)m;
    if (!may_bind(c, body, old))
        return NULL;
    pod = json_copy(c->arena, old);
    json_setz(c->arena, json_make_path(c->arena, pod, "spec"), "nodeName",
              json_string(c->arena, json_path_str(body, "target.name")));
    copy_annotations(c, body, pod);
    set_scheduled(c, pod);
    return pod;
}

static void answer(struct call *c, struct modify *m, struct blob *stored)
{
    struct status s = { .code = 201 };

    (void)m;
    (void)stored;
    call_respond_status(c, &s);
}

static void bind(struct call *c, struct json *body)
{
    struct modify *m;

    if (!check_target(c, body))
        return;
    m = arena_new(c->arena, struct modify);
    m->part = MODIFY_ALL;
    m->op = ADMIT_CREATE;
    m->make = binding_make;
    m->merge = binding_merge;
    m->answer = answer;
    m->state = body;
    modify_run(c, m);
}

void binding_serve(struct call *c)
{
    struct json *body = decode_body(c, c->sub->kind);

    if (body != NULL)
        bind(c, body);
}

void binding_serve_collection(struct call *c)
{
    struct json *body = decode_body(c, c->res->kind);
    struct str   name;

    if (body == NULL)
        return;
    name = json_path_str(body, "metadata.name");
    if (name.n == 0 || str_find(name, '/') >= 0 || c->rq.ns.n == 0) {
        call_bad_request(c, "name must be provided");
        return;
    }
    c->rq.name = name;
    c->res = resource_find(STR(""), STR("v1"), STR("pods"));
    must(c->res != NULL);
    c->info = &c->api->info[c->res->index];
    c->sub = resource_sub_find(c->res, STR("binding"));
    must(c->sub != NULL);
    bind(c, body);
}
