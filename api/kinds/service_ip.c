/* api/kinds/service_ip.c: cluster addresses and node ports, each given out once in the cluster.
 *
 * Both pools are used from their upper part first, at random, so that the lower part stays free for
 * those who choose for themselves.  What a client chose is taken if it is free; if not, nothing is taken, and
 * service_check_claims() finds it held by somebody else. */
#include <arpa/inet.h>
#include <inttypes.h>
#include "api/kinds/kinds_impl.h"

#define NODE_PORT_MIN 30000
#define NODE_PORT_MAX 32767
#define RANDOM_TRIES  64                         /* before looking at one after the other */

/* ---- What a service wants --------------------------------------------------------------------------- */

static struct str type_of(const struct json *spec) { return json_str(json_getz(spec, "type")); }

bool service_is_headless(const struct json *spec)
{
    return str_is(json_str(json_getz(spec, "clusterIP")), "None");
}

bool service_wants_cluster_ip(const struct json *spec)
{
    return !str_is(type_of(spec), "ExternalName");
}

bool service_wants_node_ports(const struct json *spec)
{
    const struct json *wanted = json_getz(spec, "allocateLoadBalancerNodePorts");

    if (str_is(type_of(spec), "NodePort"))
        return true;
    return str_is(type_of(spec), "LoadBalancer") && (wanted == NULL || json_true(wanted));
}

bool service_wants_health_port(const struct json *spec)
{
    return str_is(type_of(spec), "LoadBalancer") &&
           str_is(json_str(json_getz(spec, "externalTrafficPolicy")), "Local");
}

/* ---- Pools ------------------------------------------------------------------------------------------ */

/* Numbers first .. first + n - 1, of which those before `fixed` are kept for choosers. */
struct pool { const char *claim; bool is_ip; uint32_t first, n, fixed; };

static uint32_t smaller(uint32_t x, uint32_t y) { return x < y ? x : y; }

static uint32_t reserve(uint32_t n, uint32_t divisor, uint32_t least, uint32_t most)
{
    uint32_t part = n / divisor;

    if (n <= least)
        return 0;
    return smaller(part > least ? part : least, most);
}

/* False: the range is not an IPv4 one. */
static bool ip_pool(const char *cidr, struct pool *ret)
{
    char           text[INET_ADDRSTRLEN];
    const char    *slash = cidr != NULL ? strchr(cidr, '/') : NULL;
    struct in_addr in;
    uint64_t       bits;
    uint32_t       base, size;

    if (slash == NULL || (size_t)(slash - cidr) >= sizeof(text) || !str_u64(str_of(slash + 1), &bits) ||
        bits < 8 || bits > 30)
        return false;
    memcpy(text, cidr, (size_t)(slash - cidr));
    text[slash - cidr] = '\0';
    if (inet_pton(AF_INET, text, &in) != 1)
        return false;
    size = (uint32_t)1 << (32 - bits);
    base = ntohl(in.s_addr) & ~(size - 1);
    /* Without the network's own and the broadcast address. */
    *ret = (struct pool){ "clusterip", true, base + 1, size - 2, 0 };
    ret->fixed = reserve(ret->n, 16, 16, 256);
    return true;
}

static struct pool port_pool(void)
{
    struct pool p = { "nodeport", false, NODE_PORT_MIN, NODE_PORT_MAX - NODE_PORT_MIN + 1, 0 };

    p.fixed = reserve(p.n, 32, 16, 128);
    return p;
}

static struct str ip_text(struct arena *a, uint32_t ip)
{
    return arena_fmt(a, "%u.%u.%u.%u", ip >> 24, ip >> 16 & 255, ip >> 8 & 255, ip & 255);
}

static struct str claim_text(struct arena *a, const struct pool *p, uint32_t n)
{
    if (p->is_ip)
        return arena_fmt(a, "%s/%.*s", p->claim, STR_ARG(ip_text(a, n)));
    return arena_fmt(a, "%s/%u", p->claim, n);
}

static bool try_take(struct kind_ctx *c, const struct pool *p, uint32_t n)
{
    struct str what = claim_text(c->arena, p, n);

    if (kind_claimed(c, what))
        return false;
    kind_take(c, what);
    return true;
}

/* One of the free numbers from..to-1 (offsets); false: there are none. */
static bool take_between(struct kind_ctx *c, const struct pool *p, uint32_t from, uint32_t to, uint32_t *ret)
{
    uint32_t n = to - from, start;

    if (n == 0)
        return false;
    for (unsigned i = 0; i < RANDOM_TRIES; i++) {
        *ret = p->first + from + (uint32_t)(loop_random_u64(c->loop) % n);
        if (try_take(c, p, *ret))
            return true;
    }
    start = (uint32_t)(loop_random_u64(c->loop) % n);
    for (uint32_t i = 0; i < n; i++) {
        *ret = p->first + from + (start + i) % n;
        if (try_take(c, p, *ret))
            return true;
    }
    return false;
}

static bool take_any(struct kind_ctx *c, const struct pool *p, uint32_t *ret)
{
    return take_between(c, p, p->fixed, p->n, ret) || take_between(c, p, 0, p->fixed, ret);
}

/* ---- Cluster addresses ------------------------------------------------------------------------------ */

/* Whether this request takes it, or the service holds it already. */
static bool is_ours(struct kind_ctx *c, struct str what)
{
    struct str holder;

    for (const struct kind_claim *k = c->claims; k != NULL; k = k->next)
        if (str_eq(k->key, what))
            return k->take;
    holder = kind_claim_holder(c, what);
    return str_eq(holder, arena_fmt(c->arena, "%.*s/%.*s", STR_ARG(c->ns), STR_ARG(c->name)));
}

static bool parse_ip(struct str s, uint32_t *ret)
{
    char           z[INET_ADDRSTRLEN];
    struct in_addr in;

    if (s.n == 0 || s.n >= sizeof(z))
        return false;
    memcpy(z, s.p, s.n);
    z[s.n] = '\0';
    if (inet_pton(AF_INET, z, &in) != 1)
        return false;
    *ret = ntohl(in.s_addr);
    return true;
}

static bool in_pool(const struct pool *p, uint32_t n) { return n >= p->first && n - p->first < p->n; }

static void set_ip(struct kind_ctx *c, struct json *spec, struct str ip)
{
    json_setz(c->arena, spec, "clusterIP", json_string_ref(c->arena, ip));
    json_push(json_setz(c->arena, spec, "clusterIPs", json_array(c->arena)), json_string_ref(c->arena, ip));
}

static void allocate_ip(struct kind_ctx *c, struct json *spec)
{
    struct pool pool;
    struct str  ip = json_str(json_getz(spec, "clusterIP"));
    uint32_t    n;

    if (!service_wants_cluster_ip(spec) || service_is_headless(spec) || !ip_pool(c->service_cidr, &pool))
        return;
    if (ip.n > 0) {
        if (parse_ip(ip, &n) && in_pool(&pool, n) && !is_ours(c, claim_text(c->arena, &pool, n)))
            try_take(c, &pool, n);
        return;
    }
    if (take_any(c, &pool, &n))
        set_ip(c, spec, ip_text(c->arena, n));
    else
        kind_refuse(c, 500, "InternalError",
                    "Internal error occurred: failed to allocate a serviceIP: range is full");
}

static void give_back_ip(struct kind_ctx *c, const struct json *spec)
{
    struct pool pool;
    uint32_t    n;

    if (!ip_pool(c->service_cidr, &pool) || !parse_ip(json_str(json_getz(spec, "clusterIP")), &n))
        return;
    if (is_ours(c, claim_text(c->arena, &pool, n)))
        kind_give_back(c, claim_text(c->arena, &pool, n));
}

/* ---- Node ports ------------------------------------------------------------------------------------- */

static int64_t number(const struct json *obj, const char *key) { return json_i64_or(json_getz(obj, key), 0); }

static bool uses_port(const struct json *spec, int64_t n)
{
    if (service_wants_health_port(spec) && number(spec, "healthCheckNodePort") == n)
        return true;
    json_each(port, json_getz(spec, "ports"))
        if (number(port, "nodePort") == n)
            return true;
    return false;
}

/* A port that serves two protocols is the same port on the nodes too. */
static int64_t sibling(const struct json *spec, const struct json *port)
{
    json_each(it, json_getz(spec, "ports"))
        if (it != port && number(it, "port") == number(port, "port") && number(it, "nodePort") != 0)
            return number(it, "nodePort");
    return 0;
}

static void allocate_port(struct kind_ctx *c, const struct pool *pool, struct json *obj, const char *key)
{
    int64_t  n = number(obj, key);
    uint32_t got;

    if (n != 0) {
        if (n > 0 && n <= UINT16_MAX && in_pool(pool, (uint32_t)n) &&
            !is_ours(c, claim_text(c->arena, pool, (uint32_t)n)))
            try_take(c, pool, (uint32_t)n);
    } else if (take_any(c, pool, &got)) {
        json_setz(c->arena, obj, key, json_int(c->arena, got));
    } else {
        kind_refuse(c, 500, "InternalError",
                    "Internal error occurred: failed to allocate a nodePort: range is full");
    }
}

static void allocate_ports(struct kind_ctx *c, struct json *spec)
{
    struct pool pool = port_pool();

    if (service_wants_node_ports(spec)) {
        json_each(port, json_getz(spec, "ports"))
            if (number(port, "nodePort") != 0)
                allocate_port(c, &pool, port, "nodePort");
        json_each(port, json_getz(spec, "ports")) {
            int64_t n = number(port, "nodePort") == 0 ? sibling(spec, port) : 0;

            if (n != 0)
                json_setz(c->arena, port, "nodePort", json_int(c->arena, n));
            else if (number(port, "nodePort") == 0)
                allocate_port(c, &pool, port, "nodePort");
            if (c->refused != 0)
                return;
        }
    }
    if (service_wants_health_port(spec))
        allocate_port(c, &pool, spec, "healthCheckNodePort");
}

static void give_back_port(struct kind_ctx *c, const struct json *keep, int64_t n)
{
    struct pool pool = port_pool();
    struct str  what;

    if (n <= 0 || n > UINT16_MAX || (keep != NULL && uses_port(keep, n)))
        return;
    what = claim_text(c->arena, &pool, (uint32_t)n);
    if (is_ours(c, what))
        kind_give_back(c, what);
}

/* keep: the new spec, whose ports stay; NULL: none stay. */
static void give_back_ports(struct kind_ctx *c, const struct json *spec, const struct json *keep)
{
    json_each(port, json_getz(spec, "ports"))
        give_back_port(c, keep, number(port, "nodePort"));
    give_back_port(c, keep, number(spec, "healthCheckNodePort"));
}

/* ---- The whole -------------------------------------------------------------------------------------- */

void service_allocate(struct kind_ctx *c, const struct json *old, struct json *service)
{
    const struct json *was = json_getz(old, "spec");
    struct json       *spec = json_getz(service, "spec"), *ports = json_getz(spec, "ports");

    if (ports != NULL && ports->n > SERVICE_PORTS_MAX)
        return;                                  /* will be refused */
    allocate_ip(c, spec);
    allocate_ports(c, spec);
    if (was == NULL)
        return;
    if (service_wants_cluster_ip(was) &&
        !str_eq(json_str(json_getz(was, "clusterIP")), json_str(json_getz(spec, "clusterIP"))))
        give_back_ip(c, was);
    give_back_ports(c, was, spec);
}

void service_release(struct kind_ctx *c, const struct json *service)
{
    give_back_ip(c, json_getz(service, "spec"));
    give_back_ports(c, json_getz(service, "spec"), NULL);
}

/* ---- Checks ----------------------------------------------------------------------------------------- */

static void check_ip_claim(struct kind_ctx *c, const struct json *spec, const struct at *up,
                           struct causes *causes)
{
    struct at   at = AT_KEY(up, "clusterIPs");
    struct pool pool;
    struct str ip = json_str(json_getz(spec, "clusterIP")),
               shown = json_text(causes->arena, json_getz(spec, "clusterIPs"));
    uint32_t    n;

    if (!service_wants_cluster_ip(spec) || service_is_headless(spec) || !ip_pool(c->service_cidr, &pool) ||
        !parse_ip(ip, &n))
        return;
    if (!in_pool(&pool, n))
        cause_invalid_raw(causes, &at, shown,
                          arena_fmt(causes->arena,
                                    "failed to allocate IP %.*s: the provided IP (%.*s) is not in the "
                                    "valid range. The range of valid IPs is %s",
                                    STR_ARG(ip), STR_ARG(ip), c->service_cidr)
                              .p);
    else if (!is_ours(c, claim_text(c->arena, &pool, n)))
        cause_invalid_raw(causes, &at, shown,
                          arena_fmt(causes->arena,
                                    "failed to allocate IP %.*s: provided IP is already allocated",
                                    STR_ARG(ip))
                              .p);
}

static void check_port_claim(struct kind_ctx *c, int64_t n, const struct at *at, struct causes *causes)
{
    struct pool pool = port_pool();

    if (n <= 0 || n > UINT16_MAX)
        return;                                  /* the schema has said so */
    if (!in_pool(&pool, (uint32_t)n))
        cause_invalid_int(causes, at, n,
                          "provided port is not in the valid range. The range of valid ports is 30000-32767");
    else if (!is_ours(c, claim_text(c->arena, &pool, (uint32_t)n)))
        cause_invalid_int(causes, at, n, "provided port is already allocated");
}

void service_check_claims(struct kind_ctx *c, const struct json *service, struct causes *causes)
{
    const struct json *spec = json_getz(service, "spec");
    struct at at = AT_KEY(NULL, "spec"), ports = AT_KEY(&at, "ports"),
              health = AT_KEY(&at, "healthCheckNodePort");
    unsigned           i = 0;

    check_ip_claim(c, spec, &at, causes);
    if (service_wants_node_ports(spec))
        json_each(port, json_getz(spec, "ports")) {
            struct at here = AT_INDEX(&ports, i), node_port = AT_KEY(&here, "nodePort");

            i++;
            check_port_claim(c, number(port, "nodePort"), &node_port, causes);
        }
    if (service_wants_health_port(spec))
        check_port_claim(c, number(spec, "healthCheckNodePort"), &health, causes);
}
