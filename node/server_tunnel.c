/* node/server_tunnel.c: bytes between a head and a port of a pod: what the proxy subresource runs on.
 *
 * GET /tunnel/NAMESPACE/POD/PORT[?tls=1] with "Upgrade: tcp".  Only the pod's own address is dialled, never
 * one that a client names, and 101 is answered when the pod has accepted. */
#include <stdio.h>
#include "net/pipe.h"
#include "node/server_impl.h"

#define CONNECT_MS 10000

struct tunnel {
    struct qlink link;                           /* server->dials */
    struct node_server *server;                  /* while req is there */
    struct http_req *req;                        /* NULL: the head is gone */
    struct stream *pod;
    char host[64];
    unsigned port;
};

static void on_open(void *arg, struct stream *s)
{
    static const struct http_header upgrade = { { "Upgrade", 7 }, { "tcp", 3 } };
    struct tunnel *t = arg;

    if (t->req == NULL)
        return;                                  /* s is closing */
    qdel(&t->link);
    t->req->on_abort = NULL;
    struct stream *head = http_upgrade(t->req, &upgrade, 1, NULL, NULL);
    t->req = NULL;
    if (head == NULL) {
        stream_close(s);
        return;
    }
    pipe_start(head, s, &t->server->tunnels, NULL, NULL);
    mem_free(t);
}

static void on_close(void *arg, struct stream *s, int err, const char *reason)
{
    struct tunnel *t = arg;

    if (t->req != NULL)
        server_text(t->req, 503, "%.*s",
                    STR_ARG(server_dial_words(&t->req->arena, "tcp", t->host, t->port, reason)));
    qdel(&t->link);
    mem_free(t);
}

static void on_data(void *arg, struct stream *s, const char *p, size_t n) { }

static void on_abort(struct http_req *req)
{
    struct tunnel *t = req->arg;

    t->req = NULL;
    stream_close(t->pod);
}

static const struct stream_events events = { .on_open = on_open, .on_data = on_data, .on_close = on_close };

static struct tls_ctx *pod_tls(struct node_server *s)
{
    struct tls_opts o = { .server = false };
    struct errbuf err;

    if (s->pod_tls == NULL && tls_ctx_new(&o, &s->pod_tls, &err) < 0)
        s->pod_tls = NULL;
    return s->pod_tls;
}

void server_tunnel(struct node_server *s, struct http_req *req, struct pod *pod, struct str port)
{
    const char *ip = pod->ip[0] != '\0' ? pod->ip : pod_is_host_network(pod) ? s->agent->node_ip : NULL;
    struct stream_connect_opts o = { .timeout_ms = CONNECT_MS, .ev = &events };
    struct tunnel *t;
    struct errbuf err;
    uint64_t n;
    char addr[80];

    if (!req->upgrade || !str_u64(port, &n) || n < 1 || n > UINT16_MAX) {
        server_text(req, 400, "/tunnel/NAMESPACE/POD/PORT with Upgrade: tcp");
        return;
    }
    if (ip == NULL || s->agent->hollow) {
        server_text(req, 503, "pod \"%s\" has no address", pod->name);
        return;
    }
    t = mem_new(struct tunnel);
    t->port = (unsigned)n;
    snprintf(t->host, sizeof t->host, strchr(ip, ':') != NULL ? "[%.50s]" : "%.50s", ip);
    snprintf(addr, sizeof addr, "%s:%u", t->host, t->port);
    t->server = s;
    o.addr = addr;
    o.arg = t;
    o.tls = server_flag(req, "tls") ? pod_tls(s) : NULL;
    if (stream_connect(s->agent->loop, &o, &t->pod, &err) < 0) {
        mem_free(t);
        server_text(req, 503, "%s", err.s);
        return;
    }
    t->req = req;
    req->arg = t;
    req->on_abort = on_abort;
    qpush(&s->dials, &t->link);
}

void server_tunnels_close(struct node_server *s)
{
    while (!qempty(&s->dials)) {
        struct tunnel *t = qentry(qpop(&s->dials), struct tunnel, link);
        stream_close(t->pod);                    /* its end answers the request, if that is still there */
    }
    pipe_close_all(&s->tunnels);
}
