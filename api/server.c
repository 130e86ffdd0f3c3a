/* api/server.c: see api/server.h: opening and closing; requests begin in api/serve.c. */
#include "api/answer.h"
#include "api/bootstrap.h"
#include "api/connect.h"
#include "api/deadline.h"
#include "api/heads.h"
#include "api/parts.h"

#define DEFAULT_ISSUER "https://kubernetes.default.svc"
#define DEFAULT_CIDR   "10.96.0.0/16"
#define DEFAULT_PORTS  "30000-32767"

/* ---- Opening and closing ------------------------------------------------------------------------- */

static char *copy_or_null(const char *z)
{
    return z != NULL ? mem_strdup(z) : NULL;
}

static void info_fill(struct api *a, const struct resource *r)
{
    struct resource_info  *i = &a->info[r->index];
    const struct resource *base = r->stored_as != NULL ? r->stored_as : r;
    struct buf             b = BUF_INIT;

    i->hooks = kind_hooks_find(base);
    i->base = base;
    buf_fmt(&b, "/registry/%s/", base->storage != NULL ? base->storage : base->plural);
    i->prefix = str_make(mem_strndup(buf_str(&b)), b.n);
    buf_release(&b);
}

static void info_make(struct api *a)
{
    a->info = mem_zalloc((schema_n_resources + 1) * sizeof(*a->info));
    for (unsigned i = 0; i < schema_n_resources; i++) {
        must(schema_resources[i].index == i);
        info_fill(a, &schema_resources[i]);
    }
}

static void api_free(struct api *a)
{
    struct str key;
    void      *doc;

    for (unsigned i = 0; a->info != NULL && i < schema_n_resources; i++)
        mem_free((char *)a->info[i].prefix.p);
    mem_free(a->info);
    deadline_stop(a);
    for (unsigned i = 0; i < a->n_http; i++)
        http_server_close(a->http[i]);
    for (size_t i = 0; map_next(&a->documents, &i, &key, &doc);)
        blob_unref(doc);
    map_release(&a->documents);
    parts_close(a);
    tls_ctx_free(a->any_tls);
    buf_release(&a->scratch);
    mem_free(a->issuer);
    mem_free(a->version);
    mem_free(a->cluster);
    mem_free(a->advertise_host);
    mem_free(a->ca_pem);
    key_free(a->signing_key);
    mem_free(a->jwks_uri);
    metrics_release(&a->metrics);
    mem_free(a);
}

static int net_parse(const struct api_opts *o, struct service_net *net, struct errbuf *err)
{
    const char *cidr = o->service_cidr != NULL ? o->service_cidr : DEFAULT_CIDR;
    const char *ports = o->node_ports != NULL ? o->node_ports : DEFAULT_PORTS;
    struct str  rest = str_of(ports), part;
    uint64_t    min = 0, max = 0;

    if (!ip_ranges_parse(str_of(cidr), net->range, ARRAY_LEN(net->range), &net->n) ||
        (net->n == 2 && net->range[0].base.v6 == net->range[1].base.v6))
        return err_set(err, E_INVALID, "addresses of services: \"%s\" must be a range, or an IPv4 and an "
                                       "IPv6 range separated by a comma", cidr);
    for (unsigned i = 0; i < net->n; i++)
        if (net->range[i].n == 0)
            return err_set(err, E_INVALID, "addresses of services: \"%s\" has no addresses to give", cidr);
    if (!str_split(&rest, '-', &part) || !str_u64(str_trim(part), &min) || !str_u64(str_trim(rest), &max) ||
        min == 0 || max > UINT16_MAX || min > max)
        return err_set(err, E_INVALID, "ports of services: \"%s\" must be like %s", ports, DEFAULT_PORTS);
    net->port_min = (uint16_t)min;
    net->port_max = (uint16_t)max;
    return 0;
}

int api_open(const struct api_opts *o, struct api **ret, struct errbuf *err)
{
    struct api *a = mem_new(struct api);
    int         rc;

    a->loop = o->loop;
    a->store = o->store;
    a->node_tls = o->node_tls;
    a->issuer = mem_strdup(o->issuer != NULL ? o->issuer : DEFAULT_ISSUER);
    a->version = mem_strdup(o->version != NULL ? o->version : "v1.33.0+coracle");
    a->cluster = copy_or_null(o->cluster);
    a->advertise_host = copy_or_null(o->advertise_host);
    a->advertise_port = o->advertise_port;
    a->ca_pem = mem_strndup(o->ca_pem);
    a->jwks_uri = copy_or_null(o->jwks_uri);
    metrics_init(&a->metrics);
    qinit(&a->calls);
    deadline_init(a);
    qinit(&a->pipes);
    info_make(a);
    rc = net_parse(o, &a->net, err);
    if (rc == 0 && o->service_account_key_pem.n > 0)
        rc = key_read_private(o->service_account_key_pem, &a->signing_key, err);
    if (rc == 0)
        rc = parts_open(a, o, err);
    if (rc == 0 && o->listen_addr != NULL)
        rc = api_http_open(a, o, err);
    if (rc < 0) {
        api_free(a);
        return rc;
    }
    a->heads = heads_join(a);
    *ret = a;
    return 0;
}

const char *api_addr(struct api *a)
{
    return a->n_http > 0 ? http_server_addr(a->http[0]) : "";
}

void api_pin(struct api *a)
{
    a->pins++;
}

static void on_closed(struct ready_item *it)
{
    struct api *a = container_of(it, struct api, close_item);
    void (*done)(void *) = a->close_done;
    void *arg = a->close_arg;

    must(qempty(&a->calls) && qempty(&a->due));
    api_free(a);
    if (done != NULL)
        done(arg);
}

void api_unpin(struct api *a)
{
    must(a->pins > 0);
    if (--a->pins == 0 && a->closing) {
        ready_init(&a->close_item, on_closed);
        ready_post(a->loop, &a->close_item);
    }
}

/* Whoever still waits is told so; streams just end: their clients come back, to another head. */
static void end_calls(struct api *a)
{
    while (!qempty(&a->calls)) {
        struct call *c = container_of(qfirst(&a->calls), struct call, link);

        if (c->began)
            call_end(c);
        else
            call_fail(c, 503, REASON_UNAVAILABLE, "this head is shutting down");
    }
}

static void on_drained(void *arg)
{
    api_unpin(arg);
}

void api_close(struct api *a, void (*done)(void *arg), void *arg)
{
    must(!a->closing);
    a->closing = true;
    a->close_done = done;
    a->close_arg = arg;
    api_pin(a);
    bootstrap_stop(a);
    heads_leave(a->heads);
    end_calls(a);
    connect_close_all(a);
    parts_close(a);
    for (unsigned i = 0; i < a->n_http; i++) {
        api_pin(a);
        http_server_drain(a->http[i], 1000, on_drained, a);
    }
    api_unpin(a);
}
