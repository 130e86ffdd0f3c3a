/* api/admit/owner_references.c: OwnerReferencesPermissionEnforcement: who lets the garbage collector
 * delete an object must be allowed to delete it himself, and who holds up an owner's deletion must have a
 * say in it. */
#include "api/admit/plugin.h"
#include "api/kinds/kinds_impl.h"

static bool blocks(const struct json *ref)
{
    return json_true(json_getz(ref, "blockOwnerDeletion"));
}

static const struct json *ref_of(const struct json *list, struct str uid)
{
    json_each(it, list)
        if (str_eq(json_str(json_getz(it, "uid")), uid))
            return it;
    return NULL;
}

static struct admit_question *question(struct admission *a, const char *verb, const char *refusal)
{
    struct admit_question *q = arena_new(a->k->arena, struct admit_question);

    q->any[0] = (struct authz_attr){ .user = a->k->user, .verb = verb, .is_resource = true };
    q->refusal = arena_fmt(a->k->arena, "%s: , <nil>", refusal);
    return q;
}

static struct admit_question *may_delete(struct admission *a)
{
    struct admit_question *q = question(a, "delete", "cannot set an ownerRef on a resource you can't delete");
    struct authz_attr     *t = &q->any[0];

    t->group = a->call->rq.group;
    t->version = a->call->rq.version;
    t->resource = a->call->rq.resource;
    t->subresource = a->call->rq.subresource;
    t->ns = a->k->ns;
    t->name = a->call->rq.name;
    return q;
}

/* NULL: nobody knows what kind the owner is. */
static struct admit_question *may_finalize(struct admission *a, const struct json *ref)
{
    struct str version = json_str(json_getz(ref, "apiVersion")), kind = json_str(json_getz(ref, "kind"));
    const struct resource *r = admit_resource_of(a, version, kind);
    struct admit_question *q;
    struct authz_attr     *t;

    if (r == NULL)
        return NULL;
    q = question(a, "update", "cannot set blockOwnerDeletion if an ownerReference refers to a resource you "
                              "can't set finalizers on");
    t = &q->any[0];
    t->group = str_of(r->kind->group);
    t->version = str_of(r->kind->version);
    t->resource = str_of(r->plural);
    t->subresource = STR("finalizers");
    t->ns = r->namespaced ? a->k->ns : STR_NONE;
    t->name = json_str(json_getz(ref, "name"));
    return q;
}

static bool check(struct admission *a)
{
    const struct json *now = json_path(a->obj, "metadata.ownerReferences");
    const struct json *was = json_path(a->old, "metadata.ownerReferences");
    struct admit_question *first, **last;

    if (json_same(was, now))
        return true;
    first = may_delete(a);
    last = &first->next;
    json_each(ref, now) {
        const struct json *before = ref_of(was, json_str(json_getz(ref, "uid")));

        if (!blocks(ref) || blocks(before))
            continue;
        *last = may_finalize(a, ref);
        if (*last == NULL) {
            admit_refuse(a, "cannot set blockOwnerDeletion in this case because cannot find RESTMapping for "
                            "APIVersion %.*s Kind %.*s",
                         STR_ARG(json_str(json_getz(ref, "apiVersion"))),
                         STR_ARG(json_str(json_getz(ref, "kind"))));
            return true;
        }
        last = &(*last)->next;
    }
    return admit_ask(a, first);
}

const struct admit_plugin admit_owner_references = {
    .name = "OwnerReferencesPermissionEnforcement",
    .match = { { "", NULL, "*", ADMIT_WRITES, .validate_later = check } },
};
