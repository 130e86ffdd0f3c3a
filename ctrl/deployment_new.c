/* ctrl/deployment_new.c: the ReplicaSet that carries a Deployment's current template. */
#include "ctrl/deployment.h"

/* ---- Is it the same template? ------------------------------------------------------------------- */

/* labels without the hash that we added */
static bool labels_equal(const struct json *want, const struct json *have)
{
    size_t n = 0;

    json_each(l, have) {
        if (str_is(l->key, TEMPLATE_HASH))
            continue;
        n++;
        if (!str_eq(json_str(json_get(want, l->key)), json_str(l)))
            return false;
    }
    return n == (want != NULL ? want->n : 0) - (json_getz(want, TEMPLATE_HASH) != NULL);
}

static bool same(const struct json *x, const struct json *y)
{
    return (x == NULL) == (y == NULL) && (x == NULL || json_equal(x, y));
}

bool deploy_template_equal(const struct json *template, const struct json *set_template)
{
    const struct json *m1 = json_getz(template, "metadata"), *m2 = json_getz(set_template, "metadata");

    return labels_equal(json_getz(m1, "labels"), json_getz(m2, "labels")) &&
           same(json_getz(m1, "annotations"), json_getz(m2, "annotations")) &&
           same(json_getz(template, "spec"), json_getz(set_template, "spec"));
}

void deploy_find_new(struct deploy_pass *x)
{
    const struct json *template = json_path(x->json, "spec.template");

    x->new_set = NULL;
    for (size_t i = 0; i < x->n && x->new_set == NULL; i++)      /* the oldest, should two have it */
        if (deploy_template_equal(template, json_path(x->set[i].json, "spec.template")))
            x->new_set = &x->set[i];
    if (x->new_set != NULL)
        x->new_set->is_new = true;
}

/* ---- Revisions ---------------------------------------------------------------------------------- */

uint64_t deploy_revision_of(const struct json *obj)
{
    uint64_t v;
    return str_u64(annotation(obj, REVISION_ANNOTATION), &v) ? v : 0;
}

static uint64_t next_revision(const struct deploy_pass *x)
{
    uint64_t max = 0;

    for (size_t i = 0; i < x->n; i++)
        if (!x->set[i].is_new)
            max = MAX_OF(max, deploy_revision_of(x->set[i].json));
    return max + 1;
}

/* What a Deployment's annotations say about itself only is not carried over to its sets. */
static bool is_own_annotation(struct str key)
{
    return str_is(key, "kubectl.kubernetes.io/last-applied-configuration") ||
           str_is(key, REVISION_ANNOTATION) || str_is(key, "deployment.kubernetes.io/revision-history") ||
           str_is(key, DESIRED_ANNOTATION) || str_is(key, MAX_ANNOTATION) ||
           str_is(key, "deprecated.deployment.rollback.to");
}

static struct json *set_annotations(struct deploy_pass *x, uint64_t revision)
{
    struct json *to = json_object(x->a);

    json_each(m, json_path(x->json, "metadata.annotations"))
        if (!is_own_annotation(m->key))
            json_set(x->a, to, m->key, json_copy(x->a, m));
    json_setf(x->a, to, REVISION_ANNOTATION, "%llu", (unsigned long long)revision);
    json_setf(x->a, to, DESIRED_ANNOTATION, "%lld", (long long)x->replicas);
    json_setf(x->a, to, MAX_ANNOTATION, "%lld", (long long)(x->replicas + x->max_surge));
    return to;
}

/* Merge-patch metadata.annotations of an object; on the new set and on the deployment. */
static void patch_annotations(struct pass *p, struct client_resource res, struct str name,
                              struct json *annotations)
{
    struct arena *a = pass_arena(p);
    struct json *patch = json_object(a);
    struct client_req r = { .method = "PATCH",
                            .res = res,
                            .ns = pass_ns(p),
                            .name = name,
                            .body = patch,
                            .content_type = CLIENT_MERGE_PATCH };

    json_setz(a, json_make_path(a, patch, "metadata"), "annotations", annotations);
    pass_send(p, &r, 404, NULL);
}

void deploy_send_own_revision(struct pass *p, uint64_t revision)
{
    struct json *own = json_object(pass_arena(p));

    json_setf(pass_arena(p), own, REVISION_ANNOTATION, "%llu", (unsigned long long)revision);
    patch_annotations(p, CLIENT_DEPLOYMENTS, pass_name(p), own);
}

void deploy_write_revision(struct deploy_pass *x)
{
    uint64_t have, want;
    struct json *wanted;
    bool changed = false;

    if (x->new_set == NULL)
        return;
    have = deploy_revision_of(x->new_set->json);
    want = MAX_OF(next_revision(x), have);
    wanted = set_annotations(x, want);
    json_each(m, wanted)
        changed |= !str_eq(json_str(json_get(json_path(x->new_set->json, "metadata.annotations"), m->key)),
                           json_str(m));
    if (changed)
        patch_annotations(x->pass, CLIENT_REPLICASETS, x->new_set->o->name, wanted);
    if (deploy_revision_of(x->json) == want)
        return;
    x->own_revision = want;
    x->begins = "FoundNewReplicaSet";
    x->begins_name = x->new_set->o->name;
}

/* ---- Making it ---------------------------------------------------------------------------------- */

/* A short name for a template: 64-bit FNV-1a of its canonical text and of how often names collided, in
 * letters that spell no words.  It only has to be stable and rarely collide. */
static struct str template_hash(struct deploy_pass *x)
{
    static const char letters[] = "bcdfghjklmnpqrstvwxz2456789";
    struct buf b = BUF_INIT;
    uint64_t h = 14695981039346656037ull;
    char out[10];

    json_write(&b, json_path(x->json, "spec.template"));
    buf_fmt(&b, "%lld", (long long)json_path_i64(x->json, "status.collisionCount", 0));
    for (size_t i = 0; i < b.n; i++)
        h = (h ^ (unsigned char)b.p[i]) * 1099511628211ull;
    buf_release(&b);
    for (size_t i = 0; i < sizeof out; i++) {
        out[i] = letters[h % (sizeof letters - 1)];
        h /= sizeof letters - 1;
    }
    return arena_str(x->a, str_make(out, sizeof out));
}

/* The set that has the name: the very one we wanted (our cache is behind), or another: then count the
 * collision, so that the next pass takes another name. */
static void on_other(struct pass *p, const struct client_result *r)
{
    struct deploy_controller *c = pass_owner(p);
    struct object *o = informer_get(c->deployments, pass_ns(p), pass_name(p));
    struct arena *a = pass_arena(p);
    struct json *whole;

    if (o == NULL)
        return;
    whole = object_json(o, a);
    if (str_eq(controller_uid(r->obj), o->uid) &&
        deploy_template_equal(json_path(whole, "spec.template"), json_path(r->obj, "spec.template")))
        return;
    json_setz(a, json_make_path(a, whole, "status"), "collisionCount",
              json_int(a, json_path_i64(whole, "status.collisionCount", 0) + 1));
    struct client_req put = { .method = "PUT",
                              .res = CLIENT_DEPLOYMENTS,
                              .ns = o->ns,
                              .name = o->name,
                              .sub = "status",
                              .body = whole };
    pass_send(p, &put, 404, NULL);
}

static void on_exists(struct pass *p, const struct client_result *r)
{
    struct client_req get = { .method = "GET",
                              .res = CLIENT_REPLICASETS,
                              .ns = pass_ns(p),
                              .name = json_path_str(r->obj, "details.name") };

    if (get.name.n > 0)
        pass_send(p, &get, 404, on_other);
}

static void on_made(struct pass *p, const struct client_result *r)
{
    struct deploy_controller *c = pass_owner(p);
    struct object *o = informer_get(c->deployments, pass_ns(p), pass_name(p));
    int64_t n = json_path_i64(r->obj, "spec.replicas", 0);

    if (o == NULL || n == 0)
        return;
    struct event_about about = deploy_about(o);
    event_record(c->env->events, &about, "Normal", "ScalingReplicaSet",
                 "Scaled up replica set %.*s from 0 to %lld", STR_ARG(meta_str(r->obj, "name")),
                 (long long)n);
}

static struct json *new_template(struct deploy_pass *x, struct str hash)
{
    struct json *t = json_copy(x->a, json_path(x->json, "spec.template"));

    json_setz(x->a, json_make_path(x->a, t, "metadata.labels"), TEMPLATE_HASH, json_string(x->a, hash));
    return t;
}

void deploy_make_new(struct deploy_pass *x, int64_t replicas)
{
    struct json *rs = json_object(x->a), *meta = json_object(x->a), *spec = json_object(x->a),
                *refs = json_array(x->a);
    struct str hash = template_hash(x),
               name = arena_fmt(x->a, "%.*s-%.*s", STR_ARG(x->o->name), STR_ARG(hash));
    struct json *template = new_template(x, hash),
                *selector = json_copy(x->a, json_path(x->json, "spec.selector"));
    struct client_req r = { .method = "POST", .res = CLIENT_REPLICASETS, .ns = x->o->ns, .body = rs };

    json_setz(x->a, rs, "apiVersion", json_string_ref(x->a, STR("apps/v1")));
    json_setz(x->a, rs, "kind", json_string_ref(x->a, STR("ReplicaSet")));
    json_setz(x->a, rs, "metadata", meta);
    json_setz(x->a, rs, "spec", spec);
    json_setz(x->a, meta, "name", json_string(x->a, name));
    json_setz(x->a, meta, "namespace", json_string(x->a, x->o->ns));
    json_setz(x->a, meta, "labels", json_copy(x->a, json_path(template, "metadata.labels")));
    json_setz(x->a, meta, "annotations", set_annotations(x, next_revision(x)));
    json_setz(x->a, meta, "ownerReferences", refs);
    json_push(refs, owner_ref_new(x->a, "apps/v1", "Deployment", x->json));
    json_setz(x->a, spec, "replicas", json_int(x->a, replicas));
    json_setz(x->a, spec, "minReadySeconds",
              json_int(x->a, json_path_i64(x->json, "spec.minReadySeconds", 0)));
    json_setz(x->a, json_make_path(x->a, selector, "matchLabels"), TEMPLATE_HASH, json_string(x->a, hash));
    json_setz(x->a, spec, "selector", selector);
    json_setz(x->a, spec, "template", template);
    x->begins = "NewReplicaSetCreated";
    x->begins_name = name;
    pass_expect(x->pass, x->c->sets);
    pass_send_else(x->pass, &r, 409, on_made, on_exists);
}
