/* api/bootstrap.c: what every cluster has: the system's namespaces, the kubernetes service and the range it
 * comes from, and the objects of api/default_objects.yaml.
 *
 * One step after the other through the API itself, as its own user; each is tried until it has worked or
 * the object is there.  Every leader runs it: whoever comes second finds it done.  It stays, and watches:
 * when one of the kinds loses an object the leader goes through the steps once more. */
#include "api/bootstrap.h"
#include "api/call.h"
#include "api/client.h"
#include "api/rbac/rbac.h"
#include "api/rbac/reconcile.h"
#include "api/yaml.h"
#include "net/log.h"
#include <stdio.h>

#define RETRY_MS   100
#define RESTORE_MS 500                           /* from a deletion until it is made good */

static const char *const namespaces[] = { "default", "kube-system", "kube-public", "kube-node-lease" };

/* Where deletions are looked for; a key, or all below. */
static const char *const watched[] = {
    "/registry/services/default/kubernetes",
    "/registry/configmaps/kube-system/extension-apiserver-authentication",
    "/registry/servicecidrs/", "/registry/priorityclasses/", "/registry/flowschemas/",
    "/registry/prioritylevelconfigurations/",
};

struct bootstrap;
struct bootstrap_watch { struct bootstrap *of; const char *key; struct store_watch *sw; };

struct bootstrap {
    struct api *api;
    struct client *client;
    struct client_call *call;
    struct timer timer;
    unsigned step;
    const struct json *next;                     /* of the default objects */
    struct arena arena, keep;                    /* of a step; of all of them */
    struct bootstrap_watch watch[ARRAY_LEN(watched)];
};

static void run_step(struct bootstrap *b);

enum { STEP_AUTH = ARRAY_LEN(namespaces), STEP_CIDR, STEP_SERVICE, STEP_OBJECTS, STEP_DONE };

/* The file's bytes, taken in by the assembler; the build runs at the top of the tree. */
__asm__(".section .rodata\n"
        "default_objects_begin: .incbin \"api/default_objects.yaml\"\n"
        "default_objects_end: .byte 0\n"
        ".previous\n");
extern const char default_objects_begin[], default_objects_end[];

static const struct json *default_objects(struct arena *a)
{
    size_t            n = (size_t)(default_objects_end - default_objects_begin);
    struct str        text = str_make(default_objects_begin, n);
    struct json      *all = NULL;
    struct json_error why;

    must(yaml_parse(a, text, &all, &why) == 0);
    return json__first(all);
}

/* ---- Bodies ---------------------------------------------------------------------------------------- */

struct json *bootstrap_object(struct arena *a, const char *version, const char *kind, const char *ns,
                              const char *name)
{
    struct json *obj = json_object(a), *meta;

    json_setf(a, obj, "apiVersion", "%s", version);
    json_setf(a, obj, "kind", "%s", kind);
    meta = json_setz(a, obj, "metadata", json_object(a));
    json_setf(a, meta, "name", "%s", name);
    if (ns != NULL)
        json_setf(a, meta, "namespace", "%s", ns);
    return obj;
}

void bootstrap_label(struct arena *a, struct json *obj, const char *key, const char *value)
{
    json_setz(a, json_make_path(a, obj, "metadata.labels"), key, json_string(a, str_of(value)));
}

static struct json *auth_config(struct bootstrap *b)
{
    struct json *obj = bootstrap_object(&b->arena, "v1", "ConfigMap", "kube-system",
                                 "extension-apiserver-authentication");

    json_setf(&b->arena, json_make_path(&b->arena, obj, "data"), "client-ca-file", "%s", b->api->ca_pem);
    return obj;
}

static struct json *service_range(struct bootstrap *b)
{
    struct arena *a = &b->arena;
    struct json  *obj = bootstrap_object(a, "networking.k8s.io/v1", "ServiceCIDR", NULL, "kubernetes"),
        *cidrs = json_setz(a, json_make_path(a, obj, "spec"), "cidrs", json_array(a));

    for (unsigned i = 0; i < b->api->net.n; i++)
        json_push(cidrs, json_string(a, ip_range_text(a, &b->api->net.range[i])));
    return obj;
}

struct json *bootstrap_https_port(struct arena *a, unsigned port)
{
    struct json *p = json_object(a);

    json_setf(a, p, "name", "https");
    json_setz(a, p, "port", json_int(a, port));
    json_setf(a, p, "protocol", "TCP");
    return p;
}

static struct json *service(struct bootstrap *b)
{
    struct arena *a = &b->arena;
    struct json  *obj = bootstrap_object(a, "v1", "Service", "default", "kubernetes"),
        *spec = json_make_path(a, obj, "spec"), *port;
    struct str    ip = ip_text(a, ip_range_at(&b->api->net.range[0], 0));

    bootstrap_label(a, obj, "component", "apiserver");
    bootstrap_label(a, obj, "provider", "kubernetes");
    json_setz(a, spec, "clusterIP", json_string(a, ip));
    port = bootstrap_https_port(a, 443);
    json_setz(a, port, "targetPort", json_int(a, b->api->advertise_port));
    json_push(json_setz(a, spec, "ports", json_array(a)), port);
    json_setf(a, spec, "type", "ClusterIP");
    json_setf(a, spec, "sessionAffinity", "None");
    return obj;
}

/* ---- Steps ----------------------------------------------------------------------------------------- */

static void start_over(struct bootstrap *b, unsigned after_ms)
{
    arena_reset(&b->keep);
    b->next = default_objects(&b->keep);
    b->step = 0;
    timer_start(&b->timer, after_ms);
}

static void next_step(struct bootstrap *b)
{
    if (b->step == STEP_OBJECTS && b->next != NULL)
        b->next = b->next->next;
    if (b->step != STEP_OBJECTS || b->next == NULL)
        b->step++;
    if (b->step == ARRAY_LEN(namespaces))
        rbac_reconcile_start(b->api);
    /* not from inside the client's callback: the end frees the client */
    timer_start_ns(&b->timer, 0);
}

static void on_timer(struct timer *t)
{
    struct bootstrap *b = container_of(t, struct bootstrap, timer);

    arena_reset(&b->arena);
    run_step(b);
}

static void retry(struct bootstrap *b, const struct client_result *r)
{
    log_debug("api", "bootstrap step %u: %d %.*s", b->step, r->status, STR_ARG(r->message));
    timer_start(&b->timer, RETRY_MS);
}

static void on_created(void *arg, const struct client_result *r)
{
    struct bootstrap *b = arg;

    b->call = NULL;
    if (r->ok || r->status == 409)
        next_step(b);
    else
        retry(b, r);
}

static bool step_applies(const struct bootstrap *b)
{
    if (b->step == STEP_AUTH)
        return b->api->ca_pem[0] != '\0';
    return b->step != STEP_SERVICE || b->api->advertise_host != NULL;
}

static struct json *step_body(struct bootstrap *b)
{
    switch (b->step) {
    case STEP_AUTH:      return auth_config(b);
    case STEP_CIDR:      return service_range(b);
    case STEP_SERVICE:   return service(b);
    case STEP_OBJECTS:   return json_copy(&b->arena, b->next);
    default:             return bootstrap_object(&b->arena, "v1", "Namespace", NULL, namespaces[b->step]);
    }
}

/* Where objects of this kind are made. */
static struct client_resource resource_of(const struct json *obj)
{
    struct str version = json_path_str(obj, "apiVersion"), kind = json_path_str(obj, "kind");

    for (unsigned i = 0; i < schema_n_resources; i++) {
        const struct schema_kind *k = schema_resources[i].kind;
        char                      at[128];

        snprintf(at, sizeof(at), "%s%s%s", k->group, k->group[0] != '\0' ? "/" : "", k->version);
        if (str_is(version, at) && str_is(kind, k->kind))
            return (struct client_resource){ k->group, k->version, schema_resources[i].plural };
    }
    must(!"a kind that there is");
    return CLIENT_NAMESPACES;
}

static void run_step(struct bootstrap *b)
{
    struct client_req q = { .method = "POST", .done = on_created, .arg = b };
    struct json      *body;

    while (b->step < STEP_DONE && !step_applies(b))
        b->step++;
    if (b->step == STEP_DONE) {
        log_info("api", "what every cluster has is there");
        return;
    }
    q.body = body = step_body(b);
    q.res = resource_of(body);
    q.ns = json_path_str(body, "metadata.namespace");
    b->call = client_send(b->client, &q);
    if (b->call == NULL)
        timer_start(&b->timer, RETRY_MS);
}

/* ---- What goes comes back -------------------------------------------------------------------------- */

static bool leads(const struct bootstrap *b)
{
    struct raft_status st;

    raft_status(store_raft(b->api->store), &st);
    return st.is_leader;
}

static void restore(struct bootstrap *b)
{
    if (b->step != STEP_DONE || !leads(b))
        return;                                  /* under way; or a leader's business */
    start_over(b, RESTORE_MS);
}

static void watch_open(struct bootstrap_watch *w);

static void on_watched(void *arg, struct store_watch *sw)
{
    struct bootstrap_watch *w = arg;
    struct store_event     *ev;
    int                     rc;

    while ((rc = store_watch_next(sw, &ev)) == 0)
        if (ev->type == STORE_DELETE)
            restore(w->of);
    if (rc == E_AGAIN)
        return;
    store_watch_close(w->sw);                    /* fallen behind: anything may have gone */
    watch_open(w);
    restore(w->of);
}

static void watch_open(struct bootstrap_watch *w)
{
    struct store          *s = w->of->api->store;
    struct str             key = str_of(w->key);
    struct store_watch_opts o = { .from = key, .after_rev = store_revision(s), .on_ready = on_watched,
                                  .arg = w };
    struct arena           a = ARENA_INIT;

    if (key.p[key.n - 1] == '/')
        o.to = store_prefix_end(&a, key);
    must(store_watch_open(s, &o, &w->sw) == 0);  /* the present is never too old */
    arena_release(&a);
}

void api_bootstrap(struct api *a)
{
    static const char *const groups[] = { GROUP_MASTERS, GROUP_AUTHENTICATED, NULL };
    struct bootstrap *b = a->bootstrap;

    if (a->closing)
        return;
    if (b == NULL) {
        a->bootstrap = b = mem_new(struct bootstrap);
        b->api = a;
        b->step = STEP_DONE;
        b->client = client_new_local(a, a->loop, USER_API, groups);
        timer_init(&b->timer, a->loop, on_timer);
        for (size_t i = 0; i < ARRAY_LEN(watched); i++) {
            b->watch[i] = (struct bootstrap_watch){ b, watched[i], NULL };
            watch_open(&b->watch[i]);
        }
    }
    rbac_hold(a->rbac);
    if (b->step == STEP_DONE)
        start_over(b, 0);
}

void bootstrap_stop(struct api *a)
{
    struct bootstrap *b = a->bootstrap;

    if (b == NULL)
        return;
    a->bootstrap = NULL;
    for (size_t i = 0; i < ARRAY_LEN(watched); i++)
        store_watch_close(b->watch[i].sw);
    timer_stop(&b->timer);
    client_free(b->client);
    arena_release(&b->arena);
    arena_release(&b->keep);
    mem_free(b);
}
