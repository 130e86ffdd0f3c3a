/* net/ip_range.c: see net/ip_range.h. */
#include <arpa/inet.h>
#include "net/ip_range.h"

static uint64_t big_endian(const unsigned char *p, size_t n)
{
    uint64_t x = 0;

    for (size_t i = 0; i < n; i++)
        x = x << 8 | p[i];
    return x;
}

bool ip_parse(struct str s, struct ip *ret)
{
    char          z[INET6_ADDRSTRLEN];
    unsigned char raw[16];

    if (s.n == 0 || s.n >= sizeof(z) || memchr(s.p, '\0', s.n) != NULL)
        return false;
    memcpy(z, s.p, s.n);
    z[s.n] = '\0';
    if (inet_pton(AF_INET, z, raw) == 1) {
        *ret = (struct ip){ .lo = big_endian(raw, 4) };
        return true;
    }
    if (inet_pton(AF_INET6, z, raw) != 1)
        return false;
    *ret = (struct ip){ true, big_endian(raw, 8), big_endian(raw + 8, 8) };
    return true;
}

struct str ip_text(struct arena *a, struct ip x)
{
    char          z[INET6_ADDRSTRLEN];
    unsigned char raw[16];

    for (unsigned i = 0; i < 8; i++) {
        raw[i] = (unsigned char)(x.hi >> (56 - 8 * i));
        raw[8 + i] = (unsigned char)(x.lo >> (56 - 8 * i));
    }
    inet_ntop(x.v6 ? AF_INET6 : AF_INET, x.v6 ? raw : raw + 12, z, sizeof(z));
    return arena_str(a, str_of(z));
}

/* The upper `bits` of 64; bits may be more or less than there are. */
static uint64_t mask_of(int bits)
{
    if (bits <= 0)
        return 0;
    return bits >= 64 ? UINT64_MAX : ~(UINT64_MAX >> bits);
}

static struct ip network_of(struct ip x, unsigned bits)
{
    int lo_bits = (int)bits - 64 + (x.v6 ? 0 : 96);

    return (struct ip){ x.v6, x.hi & mask_of((int)bits), x.lo & mask_of(lo_bits) };
}

bool ip_range_parse(struct str cidr, struct ip_range *ret)
{
    ptrdiff_t slash = str_find(cidr, '/');
    uint64_t  bits;
    unsigned  host;
    struct ip x;

    if (slash < 0 || !ip_parse(str_upto(cidr, (size_t)slash), &x) ||
        !str_u64(str_from(cidr, (size_t)slash + 1), &bits) || bits > (x.v6 ? 128 : 32))
        return false;
    host = (x.v6 ? 128 : 32) - (unsigned)bits;
    *ret = (struct ip_range){ network_of(x, (unsigned)bits), (unsigned)bits, 0 };
    if (host >= 64)
        ret->n = UINT64_MAX >> 1;
    else if (host > 0)
        ret->n = ((uint64_t)1 << host) - (x.v6 ? 1 : 2);
    return true;
}

bool ip_range_covers(const struct ip_range *r, struct ip x)
{
    return x.v6 == r->base.v6 && ip_eq(network_of(x, r->bits), r->base);
}

bool ip_range_has(const struct ip_range *r, struct ip x)
{
    /* Ranges beyond 2^63 share their upper half with no address that is given out. */
    return ip_range_covers(r, x) && x.hi == r->base.hi && x.lo - r->base.lo - 1 < r->n;
}

struct ip ip_range_at(const struct ip_range *r, uint64_t i)
{
    struct ip x = r->base;

    must(i < r->n);
    x.lo += i + 1;
    return x;
}

struct str ip_range_text(struct arena *a, const struct ip_range *r)
{
    return arena_fmt(a, "%.*s/%u", STR_ARG(ip_text(a, r->base)), r->bits);
}

bool ip_ranges_parse(struct str list, struct ip_range *ret, unsigned max, unsigned *ret_n)
{
    struct str one;

    *ret_n = 0;
    while (str_split(&list, ',', &one)) {
        if (*ret_n == max || !ip_range_parse(str_trim(one), &ret[*ret_n]))
            return false;
        ++*ret_n;
    }
    return *ret_n > 0;
}
