/* ctrl/service_account.c: what every namespace has: the service account "default" and the config map
 * kube-root-ca.crt. */
#include "ctrl/controller.h"

#define ROOT_CA "kube-root-ca.crt"

struct sa_controller {
    struct controller base;
    struct sweep sweep;
    struct ctrl_env *env;
    struct informer *namespaces, *accounts, *maps;
    struct workqueue *queue;
    bool ready;
};

static void create(struct pass *p, struct client_resource res, const char *kind, const char *name,
                   struct str key, struct str value)
{
    struct arena *a = pass_arena(p);
    struct json *o = json_object(a), *meta = json_object(a);
    struct client_req r = { .method = "POST", .res = res, .ns = pass_name(p), .body = o };

    json_setz(a, o, "apiVersion", json_string_ref(a, STR("v1")));
    json_setz(a, o, "kind", json_string_ref(a, str_of(kind)));
    json_setz(a, o, "metadata", meta);
    json_setz(a, meta, "name", json_string_ref(a, str_of(name)));
    json_setz(a, meta, "namespace", json_string_ref(a, pass_name(p)));
    if (key.n > 0)
        json_set(a, json_make_path(a, o, "data"), key, json_string(a, value));
    pass_send(p, &r, 409, NULL);
}

static void sa_sync(void *arg, struct pass *p)
{
    struct sa_controller *c = arg;
    struct object *ns = informer_get(c->namespaces, STR_NONE, pass_name(p));
    struct object *map = informer_get(c->maps, pass_name(p), STR(ROOT_CA));
    struct str ca = c->env->o->ca_pem;

    if (ns == NULL || !c->ready || is_being_deleted(object_json(ns, pass_arena(p))))
        return;
    if (informer_get(c->accounts, pass_name(p), STR("default")) == NULL)
        create(p, CLIENT_SERVICEACCOUNTS, "ServiceAccount", "default", STR_NONE, STR_NONE);
    if (ca.n == 0)
        return;
    if (map == NULL) {
        create(p, CLIENT_CONFIGMAPS, "ConfigMap", ROOT_CA, STR("ca.crt"), ca);
    } else if (!str_eq(json_str(json_get(json_getz(object_json(map, pass_arena(p)), "data"), STR("ca.crt"))),
                       ca)) {
        struct arena *a = pass_arena(p);
        struct json *patch = json_object(a);
        struct client_req r = { .method = "PATCH",
                                .res = CLIENT_CONFIGMAPS,
                                .ns = pass_name(p),
                                .name = STR(ROOT_CA),
                                .body = patch,
                                .content_type = CLIENT_MERGE_PATCH };
        json_setz(a, json_make_path(a, patch, "data"), "ca.crt", json_string(a, ca));
        pass_send(p, &r, 404, NULL);
    }
}

static void on_namespace(void *arg, enum informer_change what, struct object *old, struct object *new_,
                         struct json *json)
{
    struct sa_controller *c = arg;

    if (new_ != NULL)
        workqueue_add(c->queue, STR_NONE, new_->name);
}

/* One of ours was changed or removed: put it right. */
static void on_thing(void *arg, enum informer_change what, struct object *old, struct object *new_,
                     struct json *json)
{
    struct sa_controller *c = arg;
    const struct object *o = new_ != NULL ? new_ : old;

    if (str_is(o->name, ROOT_CA) || (what == INFORMER_DELETE && str_is(o->name, "default")))
        workqueue_add(c->queue, STR_NONE, o->ns);
}

static void sa_ready(struct controller *base)
{
    struct sa_controller *c = container_of(base, struct sa_controller, base);

    c->ready = true;
    sweep_into(&c->sweep, c->env->loop, c->namespaces, c->queue);
}

static void sa_stop(struct controller *base)
{
    struct sa_controller *c = container_of(base, struct sa_controller, base);

    sweep_stop(&c->sweep);
    workqueue_free(c->queue);
    mem_free(c);
}

struct controller *service_account_controller(struct ctrl_env *env)
{
    struct sa_controller *c = mem_new(struct sa_controller);
    struct workqueue_opts qo = {
        .client = env->client, .name = "service-account", .sync = sa_sync, .arg = c
    };

    c->base = (struct controller){ sa_ready, sa_stop };
    c->env = env;
    c->queue = workqueue_new(&qo);
    c->namespaces = shared_listen(env->shared, CLIENT_NAMESPACES, on_namespace, c);
    c->accounts = shared_listen(env->shared, CLIENT_SERVICEACCOUNTS, on_thing, c);
    c->maps = shared_listen(env->shared, CLIENT_CONFIGMAPS, on_thing, c);
    return &c->base;
}
