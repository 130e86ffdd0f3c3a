/* node/env_services.c: see node/env_services.h.
 *
 *     WEB_SERVICE_HOST=10.96.0.7   WEB_SERVICE_PORT=80      WEB_SERVICE_PORT_HTTP=80 (ports that have names)
 *     WEB_PORT=tcp://10.96.0.7:80  WEB_PORT_80_TCP=tcp://10.96.0.7:80  WEB_PORT_80_TCP_PROTO=tcp  ..._PORT=80  ..._ADDR=10.96.0.7 */
#include <ctype.h>
#include "node/env_services.h"

#define API_NAMESPACE "default"
#define API_SERVICE   "kubernetes"

struct out { struct arena *a; void (*put)(void *arg, struct str name, struct str value); void *arg; };

/* As variables are named: WEB_1 for web-1. */
static struct str upper(struct arena *a, struct str s)
{
    char *z = arena_alloc(a, s.n + 1);

    for (size_t i = 0; i < s.n; i++)
        z[i] = s.p[i] == '-' ? '_' : (char)toupper((unsigned char)s.p[i]);
    z[s.n] = '\0';
    return str_make(z, s.n);
}

static void put_port(const struct out *o, struct str prefix, struct str ip, const struct json *port, bool first)
{
    struct arena *a = o->a;
    struct str name = json_path_str(port, "name"), proto = json_path_str(port, "protocol");
    struct str number = arena_fmt(a, "%lld", (long long)json_path_i64(port, "port", 0));
    const char *low = str_is(proto, "UDP") ? "udp" : str_is(proto, "SCTP") ? "sctp" : "tcp";
    struct str url = arena_fmt(a, "%s://%.*s:%.*s", low, STR_ARG(ip), STR_ARG(number));
    struct str of = arena_fmt(a, "%.*s_PORT_%.*s_%.*s", STR_ARG(prefix), STR_ARG(number),
                              STR_ARG(upper(a, str_of(low))));

    if (first) {
        o->put(o->arg, arena_fmt(a, "%.*s_SERVICE_PORT", STR_ARG(prefix)), number);
        o->put(o->arg, arena_fmt(a, "%.*s_PORT", STR_ARG(prefix)), url);
    }
    if (name.n > 0)
        o->put(o->arg, arena_fmt(a, "%.*s_SERVICE_PORT_%.*s", STR_ARG(prefix), STR_ARG(upper(a, name))), number);
    o->put(o->arg, of, url);
    o->put(o->arg, arena_fmt(a, "%.*s_PROTO", STR_ARG(of)), str_of(low));
    o->put(o->arg, arena_fmt(a, "%.*s_PORT", STR_ARG(of)), number);
    o->put(o->arg, arena_fmt(a, "%.*s_ADDR", STR_ARG(of)), ip);
}

static void put_service(void *arg, const struct json *service)
{
    const struct out *o = arg;
    struct str ip = json_path_str(service, "spec.clusterIP"), prefix;
    bool first = true;

    if (o->put == NULL || ip.n == 0 || str_is(ip, "None"))
        return;
    ip = arena_str(o->a, ip);                    /* the service's tree goes before the variables do */
    prefix = upper(o->a, json_path_str(service, "metadata.name"));
    o->put(o->arg, arena_fmt(o->a, "%.*s_SERVICE_HOST", STR_ARG(prefix)), ip);
    json_each(port, json_path(service, "spec.ports")) {
        put_port(o, prefix, ip, port, first);
        first = false;
    }
}

int env_services(const struct downward *d, struct source_set *sources, struct arena *a,
                 void (*put)(void *arg, struct str name, struct str value), void *arg, struct errbuf *err)
{
    struct str ns = json_path_str(d->pod, "metadata.namespace");
    const struct json *links = json_path(d->pod, "spec.enableServiceLinks");
    bool all = links == NULL || json_true(links);
    struct out o = { a, put, arg };
    int rc = source_services(sources, STR(API_NAMESPACE), STR(API_SERVICE), put_service, &o), of_ns = 0;

    if (all)
        of_ns = source_services(sources, ns, STR_NONE, put_service, &o);
    return rc != 0 || of_ns != 0 ? err_set(err, E_AGAIN, "waiting for the services of the namespace") : 0;
}
