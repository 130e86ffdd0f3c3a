/* api/cel/lib_net.c: IP addresses and networks. */
#include "api/cel/opaque.h"

#define IP(i)   (*(const struct ip *)a[i].u.opaque)
#define CIDR(i) (*(const struct cel_cidr *)a[i].u.opaque)

bool cel_ip_read(struct str s, struct ip *ret)
{
    return str_find(s, '%') < 0 && ip_parse(s, ret) && !(ret->v6 && ret->hi == 0 && ret->lo >> 32 == 0xffff);
}

static bool cidr_read(struct str s, struct cel_cidr *ret)
{
    ptrdiff_t slash = str_find(s, '/');
    uint64_t  bits;
    struct str tail;

    if (slash < 0 || !cel_ip_read(str_upto(s, (size_t)slash), &ret->ip))
        return false;
    tail = str_from(s, (size_t)slash + 1);
    if (!str_u64(tail, &bits) || bits > (ret->ip.v6 ? 128u : 32u) || (tail.n > 1 && tail.p[0] == '0'))
        return false;
    ret->bits = (unsigned)bits;
    return true;
}

/* The network's part of an address. */
static struct ip mask(struct ip x, unsigned bits)
{
    unsigned low = (x.v6 ? 128 : 32) - bits;

    x.lo = low >= 64 ? 0 : x.lo >> low << low;
    if (low >= 64)
        x.hi = low >= 128 ? 0 : x.hi >> (low - 64) << (low - 64);
    return x;
}

struct ip cel_masked(struct cel_cidr c) { return mask(c.ip, c.bits); }

struct str cel_cidr_text(struct arena *a, struct cel_cidr c)
{
    struct str ip = ip_text(a, c.ip);
    return arena_fmt(a, "%.*s/%u", STR_ARG(ip), c.bits);
}

static struct cel_value make_ip(struct cel_run *r, struct ip x)
{
    struct ip *p = cel_alloc(r, sizeof *p);

    if (p == NULL)
        return cel_over(r);
    *p = x;
    return cel_opaque(CEL_IP, p);
}

static struct cel_value make_cidr(struct cel_run *r, struct cel_cidr c)
{
    struct cel_cidr *p = cel_alloc(r, sizeof *p);

    if (p == NULL)
        return cel_over(r);
    *p = c;
    return cel_opaque(CEL_CIDR, p);
}

static struct cel_value bad_ip(struct cel_run *r, struct str s)
{
    return cel_error(r, "IP Address \"%.*s\" parse error during conversion from string",
                     (int)MIN_OF(s.n, (size_t)100), s.p);
}
static struct cel_value bad_cidr(struct cel_run *r, struct str s)
{
    return cel_error(r, "network address parse error during conversion from string: \"%.*s\"",
                     (int)MIN_OF(s.n, (size_t)100), s.p);
}

/* ---- Addresses -------------------------------------------------------------------------------------- */

CEL_FN(ip_of_text)
{
    struct ip x;
    return cel_ip_read(a[0].u.s, &x) ? make_ip(r, x) : bad_ip(r, a[0].u.s);
}
CEL_FN(is_ip)
{
    struct ip x;
    return cel_bool(cel_ip_read(a[0].u.s, &x));
}
CEL_FN(is_canonical)
{
    struct ip x;
    return cel_ip_read(a[0].u.s, &x) ? cel_bool(str_eq(ip_text(r->arena, x), a[0].u.s)) : bad_ip(r, a[0].u.s);
}
CEL_FN(family) { return cel_int(IP(0).v6 ? 6 : 4); }

static bool in_net(struct ip x, bool v6, uint64_t hi, uint64_t lo, unsigned bits)
{
    struct ip net = { v6, hi, lo };
    return x.v6 == v6 && ip_eq(mask(x, bits), net);
}
static bool unspecified(struct ip x) { return x.hi == 0 && x.lo == 0; }
static bool loopback(struct ip x)
{
    return in_net(x, false, 0, 0x7f000000, 8) || (x.v6 && x.hi == 0 && x.lo == 1);
}
static bool link_multicast(struct ip x)
{
    return in_net(x, false, 0, 0xe0000000, 24) || (x.v6 && (x.hi >> 48 & 0xff0f) == 0xff02);
}
static bool link_unicast(struct ip x)
{
    return in_net(x, false, 0, 0xa9fe0000, 16) || in_net(x, true, 0xfe80000000000000, 0, 10);
}
static bool multicast(struct ip x)
{
    return in_net(x, false, 0, 0xe0000000, 4) || (x.v6 && x.hi >> 56 == 0xff);
}

CEL_FN(is_unspecified) { return cel_bool(unspecified(IP(0))); }
CEL_FN(is_loopback) { return cel_bool(loopback(IP(0))); }
CEL_FN(is_link_multicast) { return cel_bool(link_multicast(IP(0))); }
CEL_FN(is_link_unicast) { return cel_bool(link_unicast(IP(0))); }
CEL_FN(is_global_unicast)
{
    struct ip x = IP(0);
    return cel_bool(!unspecified(x) && !loopback(x) && !multicast(x) && !link_unicast(x) &&
                    !(!x.v6 && x.lo == 0xffffffff));
}

/* ---- Networks --------------------------------------------------------------------------------------- */

CEL_FN(cidr_of_text)
{
    struct cel_cidr c;
    return cidr_read(a[0].u.s, &c) ? make_cidr(r, c) : bad_cidr(r, a[0].u.s);
}
CEL_FN(is_cidr)
{
    struct cel_cidr c;
    return cel_bool(cidr_read(a[0].u.s, &c));
}

static bool covers(struct cel_cidr c, struct ip x)
{
    return x.v6 == c.ip.v6 && ip_eq(mask(x, c.bits), cel_masked(c));
}

CEL_FN(contains_ip) { return cel_bool(covers(CIDR(0), IP(1))); }
CEL_FN(contains_ip_text)
{
    struct ip x;
    return cel_ip_read(a[1].u.s, &x) ? cel_bool(covers(CIDR(0), x)) : bad_ip(r, a[1].u.s);
}
CEL_FN(contains_cidr)
{
    return cel_bool(CIDR(0).bits <= CIDR(1).bits && covers(CIDR(0), CIDR(1).ip));
}
CEL_FN(contains_cidr_text)
{
    struct cel_cidr c;

    if (!cidr_read(a[1].u.s, &c))
        return bad_cidr(r, a[1].u.s);
    return cel_bool(CIDR(0).bits <= c.bits && covers(CIDR(0), c.ip));
}
CEL_FN(address) { return make_ip(r, CIDR(0).ip); }
CEL_FN(masked)
{
    struct cel_cidr c = { cel_masked(CIDR(0)), CIDR(0).bits };
    return make_cidr(r, c);
}
CEL_FN(prefix_length) { return cel_int(CIDR(0).bits); }

#define ROW(name, sig, fn)  { name, sig, fn, COST_ONE, SIZE_NONE }
#define SCAN(name, sig, fn) { name, sig, fn, COST_SCAN, SIZE_NONE }
static const struct cel_function addresses[] = {
    SCAN("ip", "s:p", ip_of_text),
    SCAN("isIP", "s:b", is_ip),
    SCAN("ip.isCanonical", "s:b", is_canonical),
    ROW("family", "p.:i", family),
    ROW("isUnspecified", "p.:b", is_unspecified),
    ROW("isLoopback", "p.:b", is_loopback),
    ROW("isLinkLocalMulticast", "p.:b", is_link_multicast),
    ROW("isLinkLocalUnicast", "p.:b", is_link_unicast),
    ROW("isGlobalUnicast", "p.:b", is_global_unicast),
    SCAN("cidr", "s:c", cidr_of_text),
    SCAN("isCIDR", "s:b", is_cidr),
    ROW("containsIP", "c.p:b", contains_ip),
    ROW("containsIP", "c.s:b", contains_ip_text),
    ROW("containsCIDR", "c.c:b", contains_cidr),
    ROW("containsCIDR", "c.s:b", contains_cidr_text),
    ROW("ip", "c.:p", address),
    ROW("masked", "c.:c", masked),
    ROW("prefixLength", "c.:i", prefix_length),
};
const struct cel_library cel_lib_net = { addresses, ARRAY_LEN(addresses) };
