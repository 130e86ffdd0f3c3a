/* api/kinds/service_ip.c: cluster addresses, each given out once in the cluster.
 *
 * An address is taken by an IPAddress object of its name, which is made and removed in the transactions that
 * store the service.  Where addresses come from: the ServiceCIDR objects; before there are any, from what the
 * heads were started with.  Ranges are used from their upper part first, at random, so that the lower part
 * stays free for those who choose for themselves.  What a client chose is taken if it is free; if not,
 * nothing is taken, and service_check_ips() finds it held by somebody else. */
#include "api/encode.h"
#include "api/kinds/kinds_impl.h"
#include "api/meta.h"

#define RANDOM_TRIES 64                          /* before looking at one after the other */
#define MANAGED_BY   "ipallocator.k8s.io"

/* ---- Ranges ----------------------------------------------------------------------------------------- */

struct ranges { struct ip_range *v; unsigned n; };

/* A range that nobody has judged yet counts as ready; of one that is going nothing new is taken. */
static bool is_usable(const struct json *obj)
{
    if (json_path_str(obj, "metadata.deletionTimestamp").n > 0)
        return false;
    json_each(condition, json_path(obj, "status.conditions"))
        if (str_is(json_str(json_getz(condition, "type")), "Ready"))
            return str_is(json_str(json_getz(condition, "status")), "True");
    return true;
}

static void add_ranges(struct ranges *to, const struct json *obj, bool v6)
{
    struct ip_range range;

    json_each(cidr, json_path(obj, "spec.cidrs"))
        if (ip_range_parse(json_str(cidr), &range) && range.base.v6 == v6)
            to->v[to->n++] = range;
}

static void add_configured(struct kind_ctx *c, struct ranges *to, bool v6)
{
    for (unsigned i = 0; i < c->net->n; i++)
        if (c->net->range[i].base.v6 == v6)
            to->v[to->n++] = c->net->range[i];
}

static struct ranges ranges_of(struct kind_ctx *c, bool v6)
{
    const struct resource *r = resource_find(STR("networking.k8s.io"), STR("v1"), STR("servicecidrs"));
    struct str             from = kind_object_key(c->arena, r, STR_NONE, STR_NONE), to;
    struct store_cursor    at;
    struct store_kv        kv;
    struct ranges          all = { NULL, 0 };
    uint64_t               n;

    to = store_prefix_end(c->arena, from);
    n = store_count(c->view, from, to);
    all.v = arena_alloc(c->arena, (2 * n + 2) * sizeof(*all.v));
    if (n == 0)
        add_configured(c, &all, v6);
    for (store_seek(&at, c->view, from, to); store_next(&at, &kv);) {
        struct json      *obj;
        struct json_error why;

        if (json_parse(c->arena, arena_str(c->arena, blob_str(kv.value)), &obj, &why) == 0 &&
            json_path(obj, "spec.cidrs") != NULL && json_path(obj, "spec.cidrs")->n <= 2 && is_usable(obj))
            add_ranges(&all, obj, v6);
    }
    return all;
}

/* ---- Addresses -------------------------------------------------------------------------------------- */

static const struct resource *addresses(void)
{
    const struct resource *r = resource_find(STR("networking.k8s.io"), STR("v1"), STR("ipaddresses"));

    must(r != NULL);
    return r;
}

static struct str key_of(struct kind_ctx *c, struct ip ip)
{
    return kind_object_key(c->arena, addresses(), STR_NONE, ip_text(c->arena, ip));
}

static struct json *address_new(struct kind_ctx *c, struct ip ip)
{
    struct arena   *a = c->arena;
    struct kind_ctx of = { .arena = a, .loop = c->loop, .res = addresses(), .wall_ns = c->wall_ns,
                           .name = ip_text(a, ip) };
    struct json    *obj = json_object(a), *labels, *parent;

    json_setz(a, meta_of(a, obj), "name", json_string_ref(a, of.name));
    labels = json_make_path(a, obj, "metadata.labels");
    json_setf(a, labels, "ipaddress.kubernetes.io/ip-family", "%s", ip.v6 ? "IPv6" : "IPv4");
    json_setf(a, labels, "ipaddress.kubernetes.io/managed-by", "%s", MANAGED_BY);
    meta_prepare_create(&of, obj);
    parent = json_make_path(a, obj, "spec.parentRef");
    json_setf(a, parent, "group", "%s", "");
    json_setf(a, parent, "resource", "%s", "services");
    json_setz(a, parent, "namespace", json_string_ref(a, c->ns));
    json_setz(a, parent, "name", json_string_ref(a, c->name));
    return obj;
}

static bool try_take(struct kind_ctx *c, struct ip ip)
{
    struct str  key = key_of(c, ip);
    struct buf  b = BUF_INIT;
    uint32_t    rev_at;

    if (kind_claimed(c, key))
        return false;
    encode_object(&b, addresses()->kind, address_new(c, ip), &rev_at);
    kind_take(c, key, arena_str(c->arena, buf_str(&b)), rev_at);
    buf_release(&b);
    return true;
}

/* Whether this request takes it, or the service holds it already. */
static bool is_ours(struct kind_ctx *c, struct ip ip)
{
    struct str        key = key_of(c, ip), text;
    struct json      *obj;
    const struct json *parent;
    struct json_error why;

    for (const struct kind_claim *k = c->claims; k != NULL; k = k->next)
        if (str_eq(k->key, key))
            return k->take;
    if (!kind_claim_text(c, key, &text) || json_parse(c->arena, text, &obj, &why) != 0)
        return false;
    parent = json_path(obj, "spec.parentRef");
    return str_is(json_str(json_getz(parent, "resource")), "services") &&
           json_is_blank(json_getz(parent, "group")) &&
           str_eq(json_str(json_getz(parent, "namespace")), c->ns) &&
           str_eq(json_str(json_getz(parent, "name")), c->name);
}

static uint64_t reserved(const struct ip_range *r)
{
    uint64_t part = r->n / 16;

    if (r->n <= 16)
        return 0;
    return MIN_OF(MAX_OF(part, (uint64_t)16), (uint64_t)256);
}

/* One of the free ones from..to-1.  Random ones first: only a range that is nearly full is walked. */
static bool take_between(struct kind_ctx *c, const struct ip_range *r, uint64_t from, uint64_t to,
                         struct ip *ret)
{
    uint64_t n = to - from, start;

    if (n == 0)
        return false;
    for (unsigned i = 0; i < RANDOM_TRIES; i++) {
        *ret = ip_range_at(r, from + loop_random_u64(c->loop) % n);
        if (try_take(c, *ret))
            return true;
    }
    start = loop_random_u64(c->loop) % n;
    for (uint64_t i = 0; i < n; i++) {
        *ret = ip_range_at(r, from + (start + i) % n);
        if (try_take(c, *ret))
            return true;
    }
    return false;
}

static bool take_any(struct kind_ctx *c, bool v6, struct ip *ret)
{
    struct ranges all = ranges_of(c, v6);

    for (unsigned i = 0; i < all.n; i++) {
        uint64_t fixed = reserved(&all.v[i]);

        if (take_between(c, &all.v[i], fixed, all.v[i].n, ret) || take_between(c, &all.v[i], 0, fixed, ret))
            return true;
    }
    return false;
}

static bool is_available(struct kind_ctx *c, struct ip ip)
{
    struct ranges all = ranges_of(c, ip.v6);

    for (unsigned i = 0; i < all.n; i++)
        if (ip_range_has(&all.v[i], ip))
            return true;
    return false;
}

/* ---- Services --------------------------------------------------------------------------------------- */

bool service_is_headless(const struct json *spec)
{
    return str_is(json_str(json_getz(spec, "clusterIP")), "None");
}

bool service_wants_cluster_ip(const struct json *spec)
{
    return !str_is(json_str(json_getz(spec, "type")), "ExternalName");
}

static bool has_ip(const struct json *spec, struct str ip)
{
    json_each(it, json_getz(spec, "clusterIPs"))
        if (str_eq(json_str(it), ip))
            return true;
    return false;
}

/* The object is there and says that the address is ours, the service did not: it must stay until it does. */
static void renew(struct kind_ctx *c, struct ip ip)
{
    struct str key = key_of(c, ip), text;
    struct buf b = BUF_INIT;
    uint32_t   rev_at;

    if (!kind_claim_text(c, key, &text))
        return;
    encode_reopen(&b, text, &rev_at);
    kind_take(c, key, arena_str(c->arena, buf_str(&b)), rev_at);
    buf_release(&b);
}

static void allocate_one(struct kind_ctx *c, const struct json *was, struct json *ips, unsigned i,
                         bool v6)
{
    struct str chosen = json_str(json_at(ips, i));
    struct ip  ip;

    if (chosen.n > 0) {
        if (!ip_parse(chosen, &ip))
            return;
        if (!is_ours(c, ip) && is_available(c, ip))
            try_take(c, ip);
        else if (!has_ip(was, chosen) && is_ours(c, ip))
            renew(c, ip);
    } else if (take_any(c, v6, &ip)) {
        if (i < ips->n)
            json_remove_at(ips, i);
        json_insert(ips, i, json_string_ref(c->arena, ip_text(c->arena, ip)));
    } else {
        kind_refuse(c, 500, "InternalError",
                    "Internal error occurred: failed to allocate a serviceIP: range is full");
    }
}

/* keep: the new spec, whose addresses stay; NULL: none stay. */
static void give_back(struct kind_ctx *c, const struct json *spec, const struct json *keep)
{
    struct ip ip;

    json_each(it, json_getz(spec, "clusterIPs"))
        if (!has_ip(keep, json_str(it)) && ip_parse(json_str(it), &ip) && is_ours(c, ip))
            kind_give_back(c, key_of(c, ip));
}

void service_take_ips(struct kind_ctx *c, const struct json *was, struct json *spec)
{
    const struct json *families = json_getz(spec, "ipFamilies");
    struct json       *ips = json_getz(spec, "clusterIPs");
    unsigned           i = 0;

    if (service_wants_cluster_ip(spec) && !service_is_headless(spec) && families != NULL &&
        families->n <= 2) {
        if (!json_is(ips, JSON_ARRAY))
            ips = json_setz(c->arena, spec, "clusterIPs", json_array(c->arena));
        json_each(family, families)
            allocate_one(c, was, ips, i++, str_is(json_str(family), "IPv6"));
        if (c->refused == 0 && json_str(json_getz(spec, "clusterIP")).n == 0)
            json_setz(c->arena, spec, "clusterIP", json_copy(c->arena, json_at(ips, 0)));
    }
    give_back(c, was, spec);
}

void service_give_back_ips(struct kind_ctx *c, const struct json *spec)
{
    give_back(c, spec, NULL);
}

/* ---- Checks ----------------------------------------------------------------------------------------- */

/* Why this address can't be had; NULL: it can. */
static const char *why_not(struct kind_ctx *c, struct ip ip)
{
    struct ranges    all = ranges_of(c, ip.v6);
    struct ip_range *near = NULL;

    for (unsigned i = 0; i < all.n; i++) {
        if (ip_range_has(&all.v[i], ip)) {
            c->lacking = true;
            return "provided IP is already allocated";
        }
        if (ip_range_covers(&all.v[i], ip))
            near = &all.v[i];
    }
    if (near == NULL)
        return "the provided network does not match the current range";
    return arena_fmt(c->arena,
                     "the provided IP (%.*s) is not in the valid range. The range of valid IPs is %.*s",
                     STR_ARG(ip_text(c->arena, ip)), STR_ARG(ip_range_text(c->arena, near)))
        .p;
}

void service_check_ips(struct kind_ctx *c, const struct json *spec, struct causes *causes)
{
    struct at          up = AT_KEY(NULL, "spec"), at = AT_KEY(&up, "clusterIPs");
    const struct json *ips = json_getz(spec, "clusterIPs");
    struct ip          ip;

    if (!service_wants_cluster_ip(spec) || service_is_headless(spec) || ips == NULL || ips->n > 2)
        return;
    json_each(it, ips) {
        struct str text = json_str(it);

        /* What the service has had stays its own, whatever became of the range. */
        if (!ip_parse(text, &ip) || is_ours(c, ip) || has_ip(service_stored_spec(c), text))
            continue;
        cause_invalid_raw(causes, &at, json_text(causes->arena, ips),
                          arena_fmt(causes->arena, "failed to allocate IP %.*s: %s", STR_ARG(text),
                                    why_not(c, ip))
                              .p);
    }
}
