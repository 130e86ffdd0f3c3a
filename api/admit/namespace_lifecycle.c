/* api/admit/namespace_lifecycle.c: NamespaceLifecycle: nothing is made in a namespace that is not there or is
 * on its way out, and some namespaces stay. */
#include "api/admit/plugin.h"
#include "api/json_scan.h"

static bool is_terminating(struct str ns_object)
{
    struct str raw;

    return json_scan_path(ns_object, "metadata.deletionTimestamp", &raw) && raw.n > 2;
}

/* One answer with details of its own. */
static struct status *status_new(struct admission *a, int code, const char *reason)
{
    struct status *s = arena_new(a->k->arena, struct status);

    s->code = code;
    s->reason = reason;
    return s;
}

static void refuse_absent(struct admission *a)
{
    struct status *s = status_new(a, 404, REASON_NOT_FOUND);

    s->details.name = a->k->ns;
    s->details.kind = STR("namespaces");
    s->message = arena_fmt(a->k->arena, "namespaces \"%.*s\" not found", STR_ARG(a->k->ns));
    kind_refuse_status(a->k, s);
    a->k->lacking = true;                        /* this head may just not know of it yet */
}

static void refuse_terminating(struct admission *a)
{
    struct status *s = status_new(a, 403, REASON_FORBIDDEN);
    struct causes *causes = arena_new(a->k->arena, struct causes);
    struct at      at = AT_KEY(NULL, "metadata"), at_ns = AT_KEY(&at, "namespace");
    struct str     ns = a->k->ns, name = a->k->name;

    causes_init(causes, a->k->arena);
    cause_add(causes, "NamespaceTerminating", &at_ns, "namespace %.*s is being terminated", STR_ARG(ns));
    s->causes = causes;
    s->details.name = name;
    s->details.group = str_of(a->k->res->kind->group);
    s->details.kind = str_of(a->k->res->plural);
    s->message = arena_fmt(a->k->arena, "%.*s \"%.*s\" is forbidden: unable to create new content in "
                                        "namespace %.*s because it is being terminated",
                           STR_ARG(call_resource_name(a->call)), STR_ARG(name), STR_ARG(ns));
    kind_refuse_status(a->k, s);
}

/* Nothing slips into a namespace that ends meanwhile: the write depends on it as it is now. */
static void check_namespace(struct admission *a)
{
    const struct resource *r = resource_find(STR(""), STR("v1"), STR("namespaces"));
    struct str             key = kind_object_key(a->k->arena, r, STR_NONE, a->k->ns);
    struct store_kv        kv;

    if (!store_get(a->k->view, key, &kv))
        refuse_absent(a);
    else if (is_terminating(blob_str(kv.value)))
        refuse_terminating(a);
    else
        kind_depend(a->k, key);
}

static void create(struct admission *a)
{
    if (a->k->res->namespaced && !a->k->res->virtual_)
        check_namespace(a);
}

static void keep(struct admission *a)
{
    static const char *const lasting[] = { "default", "kube-system", "kube-public" };

    for (size_t i = 0; i < ARRAY_LEN(lasting); i++)
        if (str_is(a->k->name, lasting[i]))
            admit_refuse(a, "this namespace may not be deleted");
}

const struct admit_plugin admit_namespace_lifecycle = {
    .name = "NamespaceLifecycle", .on = true,
    .match = { { "", NULL, "*", ADMIT_CREATE, .mutate = create },
               { "", "namespaces", NULL, ADMIT_DELETE, .mutate = keep } },
};
