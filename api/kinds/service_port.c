/* api/kinds/service_port.c: ports of the nodes, each given out once in the cluster.
 *
 * The claim on a port is a key of its own with the holder's name in it.  One whose holder does not use the
 * port (any more) holds nothing: it is taken over. */
#include <inttypes.h>
#include "api/kinds/kinds_impl.h"

#define RANDOM_TRIES 64                          /* before looking at one after the other */

static struct str type_of(const struct json *spec) { return json_str(json_getz(spec, "type")); }
static int64_t number(const struct json *obj, const char *key) { return json_i64_or(json_getz(obj, key), 0); }

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

bool service_uses_port(const struct json *spec, int64_t n)
{
    if (service_wants_health_port(spec) && number(spec, "healthCheckNodePort") == n)
        return true;
    json_each(port, json_getz(spec, "ports"))
        if (number(port, "nodePort") == n)
            return true;
    return false;
}

/* ---- One port --------------------------------------------------------------------------------------- */

static struct str key_of(struct kind_ctx *c, int64_t n)
{
    return kind_claim_key(c->arena, arena_fmt(c->arena, SERVICE_PORT_CLAIM "%" PRIi64, n));
}

static bool in_range(const struct kind_ctx *c, int64_t n)
{
    return n >= c->net->port_min && n <= c->net->port_max;
}

static struct str own_name(struct kind_ctx *c)
{
    return arena_fmt(c->arena, "%.*s/%.*s", STR_ARG(c->ns), STR_ARG(c->name));
}

/* By another service, which uses it. */
static bool is_taken(struct kind_ctx *c, int64_t n)
{
    struct str   key = key_of(c, n), holder, ns;
    struct json *other;

    if (!kind_claimed(c, key))
        return false;
    if (!kind_claim_text(c, key, &holder))
        return true;                             /* by this request */
    if (str_eq(holder, own_name(c)) || !str_split(&holder, '/', &ns))
        return false;
    other = kind_lookup(c, "", "v1", "services", ns, holder);
    return other != NULL && service_uses_port(json_getz(other, "spec"), n);
}

static bool try_take(struct kind_ctx *c, int64_t n)
{
    if (is_taken(c, n))
        return false;
    kind_take(c, key_of(c, n), own_name(c), STORE_NO_REV);
    return true;
}

/* Whether this request takes it, or the service holds it already. */
static bool is_ours(struct kind_ctx *c, int64_t n)
{
    struct str key = key_of(c, n), holder;

    for (const struct kind_claim *k = c->claims; k != NULL; k = k->next)
        if (str_eq(k->key, key))
            return k->take;
    return kind_claim_text(c, key, &holder) && str_eq(holder, own_name(c));
}

/* ---- Any port --------------------------------------------------------------------------------------- */

/* The lower ones are kept for those who choose for themselves. */
static int64_t reserved(int64_t n)
{
    if (n <= 16)
        return 0;
    return MIN_OF(MAX_OF(n / 32, (int64_t)16), (int64_t)128);
}

/* One of the free ones from..to-1. */
static int64_t take_between(struct kind_ctx *c, int64_t from, int64_t to)
{
    uint64_t n = (uint64_t)(to - from), start;

    if (n == 0)
        return 0;
    start = loop_random_u64(c->loop);
    for (uint64_t i = 0; i < n + RANDOM_TRIES; i++) {
        uint64_t pick = i < RANDOM_TRIES ? loop_random_u64(c->loop) : start + i;
        int64_t  port = from + (int64_t)(pick % n);

        if (try_take(c, port))
            return port;
    }
    return 0;
}

static int64_t take_any(struct kind_ctx *c)
{
    int64_t min = c->net->port_min, end = c->net->port_max + 1, fixed = min + reserved(end - min);
    int64_t n = take_between(c, fixed, end);

    return n != 0 ? n : take_between(c, min, fixed);
}

/* ---- Services --------------------------------------------------------------------------------------- */

/* A port that serves two protocols is the same port on the nodes too. */
static int64_t sibling(const struct json *spec, const struct json *port)
{
    json_each(it, json_getz(spec, "ports"))
        if (it != port && number(it, "port") == number(port, "port") && number(it, "nodePort") != 0)
            return number(it, "nodePort");
    return 0;
}

/* A claim that the service holds without using the port is renewed, lest it be taken over meanwhile. */
static void allocate(struct kind_ctx *c, const struct json *was, struct json *obj, const char *key)
{
    int64_t n = number(obj, key);

    if (n != 0) {
        if (in_range(c, n) && !(is_ours(c, n) && service_uses_port(was, n)))
            try_take(c, n);
        return;
    }
    n = take_any(c);
    if (n != 0)
        json_setz(c->arena, obj, key, json_int(c->arena, n));
    else
        kind_refuse(c, 500, "InternalError",
                    "Internal error occurred: failed to allocate a nodePort: range is full");
}

static void allocate_all(struct kind_ctx *c, const struct json *was, struct json *spec)
{
    struct json *ports = json_getz(spec, "ports");

    json_each(port, ports)
        if (number(port, "nodePort") != 0)
            allocate(c, was, port, "nodePort");
    json_each(port, ports) {
        int64_t n = number(port, "nodePort") == 0 ? sibling(spec, port) : 0;

        if (n != 0)
            json_setz(c->arena, port, "nodePort", json_int(c->arena, n));
        else if (number(port, "nodePort") == 0)
            allocate(c, was, port, "nodePort");
        if (c->refused != 0)
            return;
    }
}

static void give_back(struct kind_ctx *c, const struct json *keep, int64_t n)
{
    if (n > 0 && n <= UINT16_MAX && !service_uses_port(keep, n) && is_ours(c, n))
        kind_give_back(c, key_of(c, n));
}

/* keep: the new spec, whose ports stay; NULL: none stay. */
static void give_back_all(struct kind_ctx *c, const struct json *spec, const struct json *keep)
{
    json_each(port, json_getz(spec, "ports"))
        give_back(c, keep, number(port, "nodePort"));
    give_back(c, keep, number(spec, "healthCheckNodePort"));
}

void service_take_ports(struct kind_ctx *c, const struct json *was, struct json *spec)
{
    const struct json *ports = json_getz(spec, "ports");

    if (ports != NULL && ports->n > SERVICE_PORTS_MAX)
        return;                                  /* will be refused */
    if (service_wants_node_ports(spec))
        allocate_all(c, was, spec);
    if (service_wants_health_port(spec) && c->refused == 0)
        allocate(c, was, spec, "healthCheckNodePort");
    give_back_all(c, was, spec);
}

void service_give_back_ports(struct kind_ctx *c, const struct json *spec)
{
    give_back_all(c, spec, NULL);
}

/* ---- Checks ----------------------------------------------------------------------------------------- */

static void check_port(struct kind_ctx *c, int64_t n, const struct at *at, struct causes *causes)
{
    if (n <= 0 || n > UINT16_MAX || is_ours(c, n) || service_uses_port(service_stored_spec(c), n))
        return;                                  /* what is no port at all, the schema has said */
    c->lacking |= in_range(c, n);
    if (in_range(c, n))
        cause_invalid_int(causes, at, n, "provided port is already allocated");
    else
        cause_invalid_int(causes, at, n,
                          arena_fmt(causes->arena, "provided port is not in the valid range. The range of "
                                                   "valid ports is %u-%u",
                                    c->net->port_min, c->net->port_max)
                              .p);
}

void service_check_ports(struct kind_ctx *c, const struct json *spec, struct causes *causes)
{
    struct at at = AT_KEY(NULL, "spec"), ports = AT_KEY(&at, "ports"),
              health = AT_KEY(&at, "healthCheckNodePort");
    unsigned i = 0;

    if (service_wants_node_ports(spec))
        json_each(port, json_getz(spec, "ports")) {
            struct at here = AT_INDEX(&ports, i), node_port = AT_KEY(&here, "nodePort");

            i++;
            check_port(c, number(port, "nodePort"), &node_port, causes);
        }
    if (service_wants_health_port(spec))
        check_port(c, number(spec, "healthCheckNodePort"), &health, causes);
}
