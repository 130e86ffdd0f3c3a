/* node/node_peers.c: the other nodes of the cluster: a route to the pods of each, as long as there is one.
 *
 * A Node is an object that others write: a range that holds our own pods or our own address, or that is as
 * wide as the internet, gets no route, however it came to stand there. */
#include <arpa/inet.h>
#include "api/informer.h"
#include "net/log.h"
#include "node/files.h"
#include "node/node_report_impl.h"
#include "node/routes.h"

#define RETRY_MS       1000
#define BITS_MIN       8                         /* wider ranges are nobody's pods */

struct peer { char *cidr, *ip; bool routed; };   /* routed: the kernel has it as it stands here */

struct node_peers {
    struct node_report *report;
    struct informer *informer;
    struct map peers;                            /* node name -> struct peer */
    struct timer retry;
};

static bool net_holds(struct ip4_net net, uint32_t addr)
{
    uint32_t mask = net.bits == 0 ? 0 : UINT32_MAX << (32 - net.bits);
    return (addr & mask) == net.addr;
}

static bool range_ok(const struct agent *agent, const char *cidr)
{
    struct ip4_net net, own;
    struct in_addr self;

    if (ip4_net_parse(cidr, &net, NULL) < 0 || net.bits < BITS_MIN)
        return false;
    if (agent->node_ip != NULL && inet_pton(AF_INET, agent->node_ip, &self) == 1 &&
        net_holds(net, ntohl(self.s_addr)))
        return false;
    return agent->pod_cidr == NULL || ip4_net_parse(agent->pod_cidr, &own, NULL) < 0 ||
           (!net_holds(net, own.addr) && !net_holds(own, net.addr));
}

static void peer_route(struct node_peers *p, struct str name, struct peer *peer)
{
    struct errbuf err;

    if (peer->routed || peer->cidr == NULL || peer->ip == NULL || !range_ok(p->report->agent, peer->cidr))
        return;
    if (route_replace(peer->cidr, peer->ip, &err) == 0) {
        peer->routed = true;
        log_debug("node", "route pods=%s node=%.*s via=%s", peer->cidr, STR_ARG(name), peer->ip);
        return;
    }
    if (!timer_active(&p->retry)) {
        log_warn("node", "no route to the pods of node %.*s: %s", STR_ARG(name), err.s);
        timer_start(&p->retry, RETRY_MS);
    }
}

/* Two nodes may claim one range for a moment (one replaces the other): the route goes with the last claimant. */
static bool cidr_claimed(const struct node_peers *p, const char *cidr)
{
    struct str key;
    void *val;

    for (size_t i = 0; map_next(&p->peers, &i, &key, &val);) {
        struct peer *other = val;
        if (other->cidr != NULL && strcmp(other->cidr, cidr) == 0) {
            other->routed = false;
            return true;
        }
    }
    return false;
}

static void retry_all(struct node_peers *p)
{
    struct str key;
    void *val;

    for (size_t i = 0; map_next(&p->peers, &i, &key, &val);)
        peer_route(p, key, val);
}

static void peer_unroute(struct node_peers *p, char *cidr, bool routed)
{
    struct errbuf err;

    if (cidr != NULL && routed) {
        if (cidr_claimed(p, cidr))
            retry_all(p);
        else if (route_delete(cidr, &err) < 0)
            log_warn("node", "%s", err.s);
    }
    mem_free(cidr);
}

static char *text_of(struct str s) { return s.n > 0 ? mem_strndup(s) : NULL; }
static bool same_text(const char *z, struct str s) { return z != NULL ? str_is(s, z) : s.n == 0; }

static struct str internal_ip(const struct json *node)
{
    json_each(it, json_path(node, "status.addresses"))
        if (str_is(json_path_str(it, "type"), "InternalIP"))
            return json_path_str(it, "address");
    return STR_NONE;
}

static void peer_update(struct node_peers *p, struct str name, const struct json *node)
{
    struct peer *peer = map_get(&p->peers, name);
    struct str cidr = json_path_str(node, "spec.podCIDR"), ip = internal_ip(node);

    if (peer == NULL) {
        peer = mem_new(struct peer);
        map_put(&p->peers, name, peer);
    }
    if (!same_text(peer->ip, ip)) {
        mem_free(peer->ip);
        peer->ip = text_of(ip);
        peer->routed = false;
    }
    if (!same_text(peer->cidr, cidr)) {
        char *before = peer->cidr;
        bool routed = peer->routed;
        peer->cidr = text_of(cidr);
        peer->routed = false;
        peer_unroute(p, before, routed);
    }
    peer_route(p, name, peer);
}

static void peer_drop(struct node_peers *p, struct str name)
{
    struct peer *peer = map_del(&p->peers, name);

    if (peer == NULL)
        return;
    peer_unroute(p, peer->cidr, peer->routed);
    mem_free(peer->ip);
    mem_free(peer);
}

static void peers_on_change(void *arg, enum informer_change what, struct object *old, struct object *new_,
                            struct json *json)
{
    struct node_peers *p = arg;
    struct node_report *r = p->report;
    struct str name = new_ != NULL ? new_->name : old->name;

    if (!str_is(name, r->agent->name)) {
        if (what == INFORMER_DELETE)
            peer_drop(p, name);
        else
            peer_update(p, name, json);
    } else if (what == INFORMER_DELETE) {
        if (r->uid != NULL && str_is(old->uid, r->uid))
            report_gone(r);
    } else {
        report_seen(r, json_path_str(json, "metadata.resourceVersion"), json);
    }
}

static void peers_on_retry(struct timer *t) { retry_all(container_of(t, struct node_peers, retry)); }

struct node_peers *node_peers_start(struct node_report *r)
{
    struct node_peers *p = mem_new(struct node_peers);
    struct informer_opts o = {
        .client = r->agent->client, .res = CLIENT_NODES, .on_change = peers_on_change, .arg = p
    };
    struct errbuf err;

    p->report = r;
    timer_init(&p->retry, r->agent->loop, peers_on_retry);
    if (file_poke("/proc/sys/net/ipv4/ip_forward", STR("1"), &err) < 0)
        log_warn("node", "pods cannot be reached from other nodes: %s", err.s);
    p->informer = informer_start(&o);
    return p;
}

void node_peers_stop(struct node_peers *p)
{
    struct str key;
    void *val;

    if (p == NULL)
        return;
    informer_stop(p->informer);
    timer_stop(&p->retry);
    for (size_t i = 0; map_next(&p->peers, &i, &key, &val);) {
        struct peer *peer = val;
        mem_free(peer->cidr);
        mem_free(peer->ip);
        mem_free(peer);
    }
    map_release(&p->peers);
    mem_free(p);
}
