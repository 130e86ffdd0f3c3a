/* ctrl/slices.c: see ctrl/slices.h. */
#include "ctrl/slices.h"

/* A slice on its way: what it will hold. */
struct slice {
    const struct object *o;                      /* as it is; NULL: a new one */
    const struct json *json;
    struct slice_group *group;                   /* NULL: nothing wants it */
    struct json *endpoints;
    bool changed;
    struct slice *next;
};

struct slice_group *slice_group_for(struct slice_plan *plan, const char *address_type, struct json *ports)
{
    struct arena       *a = pass_arena(plan->pass);
    struct slice_group *g = plan->groups;

    while (g != NULL && !(strcmp(g->address_type, address_type) == 0 && json_equal(g->ports, ports)))
        g = g->next;
    if (g != NULL)
        return g;
    g = arena_new(a, struct slice_group);
    *g = (struct slice_group){ address_type, ports, json_array(a), plan->groups };
    plan->groups = g;
    return g;
}

struct json *slice_labels_from(struct arena *a, const struct json *obj, struct str service,
                               const char *managed_by)
{
    static const char *const own[] = { SERVICE_NAME_LABEL, MANAGED_BY_LABEL, SKIP_MIRROR_LABEL,
                                       HEADLESS_LABEL };
    struct json *labels = json_object(a);

    json_each(it, json_path(obj, "metadata.labels")) {
        bool reserved = false;

        for (size_t i = 0; i < ARRAY_LEN(own); i++)
            reserved |= str_is(it->key, own[i]);
        if (!reserved)
            json_set(a, labels, it->key, json_copy(a, it));
    }
    json_setz(a, labels, SERVICE_NAME_LABEL, json_string(a, service));
    json_setz(a, labels, MANAGED_BY_LABEL, json_string_ref(a, str_of(managed_by)));
    return labels;
}

/* ---- What is there ------------------------------------------------------------------------------ */

static struct slice_group *group_of(const struct slice_plan *plan, const struct json *slice)
{
    struct str          type = json_str(json_getz(slice, "addressType"));
    const struct json  *ports = json_getz(slice, "ports");
    struct slice_group *g = plan->groups;

    for (; g != NULL; g = g->next)
        if (str_is(type, g->address_type) &&
            (ports == NULL || ports->n == 0 ? g->ports->n == 0 : json_equal(g->ports, ports)))
            return g;
    return NULL;
}

static struct slice *slices_there(struct slice_plan *plan)
{
    struct arena  *a = pass_arena(plan->pass);
    struct str     key = pair_key(a, plan->ns, STR(SERVICE_NAME_LABEL), plan->service);
    struct slice  *list = NULL;
    struct object *o;

    for (size_t it = 0; (o = informer_by(plan->slices, BY_SERVICE, key, &it)) != NULL;) {
        const struct json *json = object_json(o, a);
        struct str by = json_str(json_getz(json_path(json, "metadata.labels"), MANAGED_BY_LABEL));
        struct slice      *s;

        if (!str_is(by, plan->managed_by) || is_being_deleted(json))
            continue;
        s = arena_new(a, struct slice);
        *s = (struct slice){ o, json, group_of(plan, json), json_array(a), false, list };
        list = s;
    }
    return list;
}

/* ---- Endpoints ---------------------------------------------------------------------------------- */

/* What makes an endpoint the same one, be it ready or not. */
static struct str identity(struct arena *a, const struct json *endpoint)
{
    const struct json *ref = json_getz(endpoint, "targetRef");
    struct str         uid = json_str(json_getz(ref, "uid"));

    return arena_fmt(a, "%.*s %.*s", STR_ARG(json_str(json_at(json_getz(endpoint, "addresses"), 0))),
                     STR_ARG(uid.n > 0 ? uid : json_str(json_getz(ref, "name"))));
}

/* Those of the group that the slice has stay in it; the others go. */
static void keep_wanted(struct slice *s, struct map *wanted, struct arena *a)
{
    json_each(e, json_getz(s->json, "endpoints")) {
        struct json *now = map_del(wanted, identity(a, e));

        if (now == NULL) {
            s->changed = true;
            continue;
        }
        s->changed |= !json_equal(now, e);
        json_push(s->endpoints, json_copy(a, now));
    }
}

static struct slice *slice_new(struct slice_plan *plan, struct slice **list, struct slice_group *g)
{
    struct slice *s = arena_new(pass_arena(plan->pass), struct slice);

    *s = (struct slice){ .group = g, .endpoints = json_array(pass_arena(plan->pass)), .changed = true,
                         .next = *list };
    *list = s;
    return s;
}

static bool has_room(const struct slice_plan *plan, const struct slice *s, const struct slice_group *g,
                     bool any)
{
    return s->group == g && (s->changed || any) && s->endpoints->n < plan->max_endpoints;
}

/* Into slices that change anyway, then into any with room, then into new ones. */
static void place_rest(struct slice_plan *plan, struct slice **list, struct slice_group *g,
                       struct map *wanted)
{
    struct arena *a = pass_arena(plan->pass);
    struct slice *s = *list;
    bool          any = false;

    json_each(e, g->endpoints) {
        if (map_get(wanted, identity(a, e)) != e)
            continue;                            /* has its place; or the same once more */
        while (s != NULL && !has_room(plan, s, g, any)) {
            s = s->next;
            if (s == NULL && !any) {
                any = true;
                s = *list;
            }
        }
        if (s == NULL)
            s = slice_new(plan, list, g);
        s->changed = true;
        json_push(s->endpoints, json_copy(a, e));
    }
}

static void fill_group(struct slice_plan *plan, struct slice **list, struct slice_group *g)
{
    struct arena *a = pass_arena(plan->pass);
    struct map    wanted = MAP_INIT;

    json_each(e, g->endpoints)
        map_put(&wanted, identity(a, e), e);
    for (struct slice *s = *list; s != NULL; s = s->next)
        if (s->group == g)
            keep_wanted(s, &wanted, a);
    place_rest(plan, list, g, &wanted);
    map_release(&wanted);
}

/* A group without endpoints keeps one empty slice: that there is a service is worth knowing. */
static void keep_one(struct slice_plan *plan, struct slice **list, struct slice_group *g)
{
    struct slice *spare = NULL;

    if (g->endpoints->n > 0)
        return;
    for (struct slice *s = *list; s != NULL; s = s->next)
        if (s->group == g && spare == NULL)
            spare = s;
        else if (s->group == g)
            s->group = NULL;
    if (spare == NULL)
        slice_new(plan, list, g);
}

/* ---- Writes ------------------------------------------------------------------------------------- */

static void set_meta(struct slice_plan *plan, struct json *obj)
{
    struct arena *a = pass_arena(plan->pass);
    struct json  *meta = json_make_path(a, obj, "metadata"), *refs = json_array(a), *notes = json_object(a);

    json_setz(a, meta, "labels", json_copy(a, plan->labels));
    json_push(refs, json_copy(a, plan->owner));
    json_setz(a, meta, "ownerReferences", refs);
    if (plan->annotations != NULL)
        notes = json_copy(a, plan->annotations);
    if (plan->trigger.n > 0)
        json_setz(a, notes, TRIGGER_ANNOTATION, json_string_ref(a, plan->trigger));
    if (notes->n > 0)
        json_setz(a, meta, "annotations", notes);
    else
        json_delz(meta, "annotations");
}

static void write_slice(struct slice_plan *plan, const struct slice *s)
{
    struct arena     *a = pass_arena(plan->pass);
    struct json      *obj = s->json != NULL ? json_copy(a, s->json) : json_object(a);
    struct client_req r = { .method = "PUT", .res = CLIENT_ENDPOINTSLICES, .ns = plan->ns, .body = obj };

    if (s->o == NULL) {
        r.method = "POST";
        json_setf(a, obj, "apiVersion", "%s", "discovery.k8s.io/v1");
        json_setf(a, obj, "kind", "%s", "EndpointSlice");
        json_setf(a, json_make_path(a, obj, "metadata"), "generateName", "%.*s-", STR_ARG(plan->service));
        json_setf(a, obj, "addressType", "%s", s->group->address_type);
    } else {
        r.name = s->o->name;
    }
    set_meta(plan, obj);
    json_setz(a, obj, "endpoints", s->endpoints);
    json_setz(a, obj, "ports", json_copy(a, s->group->ports));
    pass_send(plan->pass, &r, 0, NULL);
}

static void remove_slice(struct slice_plan *plan, const struct slice *s)
{
    struct client_req r = { .method = "DELETE", .res = CLIENT_ENDPOINTSLICES, .ns = plan->ns,
                            .name = s->o->name };

    pass_send(plan->pass, &r, 404, NULL);
}

/* Annotations but for the time, which alone is no reason to write. */
static bool annotations_fit(const struct slice_plan *plan, const struct json *slice)
{
    const struct json *notes = json_path(slice, "metadata.annotations");
    unsigned           n = 0;

    json_each(it, notes) {
        if (str_is(it->key, TRIGGER_ANNOTATION))
            continue;
        if (plan->annotations == NULL || !json_equal(it, json_get(plan->annotations, it->key)))
            return false;
        n++;
    }
    return n == (plan->annotations != NULL ? plan->annotations->n : 0);
}

static bool meta_fits(const struct slice_plan *plan, const struct json *slice)
{
    const struct json *refs = json_path(slice, "metadata.ownerReferences");

    return json_equal(json_path(slice, "metadata.labels"), plan->labels) && annotations_fit(plan, slice) &&
           refs != NULL && refs->n == 1 &&
           str_eq(json_str(json_getz(json_at(refs, 0), "uid")), json_str(json_getz(plan->owner, "uid")));
}

static bool must_go(const struct slice *s)
{
    return s->o != NULL && (s->group == NULL || (s->endpoints->n == 0 && s->group->endpoints->n > 0));
}

void slices_reconcile(struct slice_plan *plan)
{
    struct slice *list = slices_there(plan);

    pass_expect(plan->pass, plan->slices);
    for (struct slice_group *g = plan->groups; g != NULL; g = g->next) {
        fill_group(plan, &list, g);
        keep_one(plan, &list, g);
    }
    /* What is new comes before what is old goes: nobody should see too few. */
    for (struct slice *s = list; s != NULL; s = s->next)
        if (s->o == NULL || (!must_go(s) && (s->changed || !meta_fits(plan, s->json))))
            write_slice(plan, s);
    for (struct slice *s = list; s != NULL; s = s->next)
        if (must_go(s))
            remove_slice(plan, s);
}

void slices_remove(struct slice_plan *plan)
{
    pass_expect(plan->pass, plan->slices);
    for (struct slice *s = slices_there(plan); s != NULL; s = s->next)
        remove_slice(plan, s);
}
