/* api/bootstrap.c: what a fresh cluster has: the system's namespaces and the kubernetes service.
 *
 * One step after the other through the API itself, as its own user; each is tried until it has worked or
 * the object is there. Every leader runs it: whoever comes second finds it done. */
#include "api/bootstrap.h"
#include "api/call.h"
#include "api/client.h"
#include "net/log.h"

#define RETRY_MS 100

static const char *const namespaces[] = { "default", "kube-system", "kube-public", "kube-node-lease" };

struct bootstrap {
    struct api *api;
    struct client *client;
    struct client_call *call;
    struct timer timer;
    unsigned step;
    struct arena arena;
};

static void run_step(struct bootstrap *b);

enum { STEP_AUTH = ARRAY_LEN(namespaces), STEP_SERVICE, STEP_DONE };

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

static void finish(struct bootstrap *b)
{
    log_info("api", "the system's namespaces and the kubernetes service are there");
    bootstrap_stop(b->api);
}

static void next_step(struct bootstrap *b)
{
    b->step++;
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

static struct client_req request(struct bootstrap *b, const char *method)
{
    struct client_req q = { .method = method, .arg = b };

    switch (b->step) {
    case STEP_AUTH:      q.res = CLIENT_CONFIGMAPS; q.ns = STR("kube-system"); break;
    case STEP_SERVICE:   q.res = CLIENT_SERVICES; q.ns = STR("default"); break;
    default:             q.res = CLIENT_NAMESPACES; break;
    }
    return q;
}

static void send(struct bootstrap *b, struct client_req *q)
{
    b->call = client_send(b->client, q);
    if (b->call == NULL)
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
    return b->step < STEP_SERVICE || b->api->advertise_host != NULL;
}

static struct json *step_body(struct bootstrap *b)
{
    switch (b->step) {
    case STEP_AUTH:      return auth_config(b);
    case STEP_SERVICE:   return service(b);
    default:             return bootstrap_object(&b->arena, "v1", "Namespace", NULL, namespaces[b->step]);
    }
}

static void run_step(struct bootstrap *b)
{
    struct client_req q;

    while (b->step < STEP_DONE && !step_applies(b))
        b->step++;
    if (b->step == STEP_DONE) {
        finish(b);
        return;
    }
    q = request(b, "POST");
    q.body = step_body(b);
    q.done = on_created;
    send(b, &q);
}

void api_bootstrap(struct api *a)
{
    static const char *const groups[] = { GROUP_MASTERS, GROUP_AUTHENTICATED, NULL };
    struct bootstrap *b;

    if (a->bootstrap != NULL || a->closing)
        return;
    b = mem_new(struct bootstrap);
    b->api = a;
    b->client = client_new_local(a, a->loop, "system:apiserver", groups);
    timer_init(&b->timer, a->loop, on_timer);
    a->bootstrap = b;
    run_step(b);
}

void bootstrap_stop(struct api *a)
{
    struct bootstrap *b = a->bootstrap;

    if (b == NULL)
        return;
    a->bootstrap = NULL;
    timer_stop(&b->timer);
    client_free(b->client);
    arena_release(&b->arena);
    mem_free(b);
}
