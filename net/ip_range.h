/* net/ip_range.h: IP addresses as numbers, and the ranges that services take theirs from.
 *
 * Both families alike: an IPv4 address is a number of 32 bits in lo.  Of a range, the address of the network
 * itself is never given out, nor the broadcast address of an IPv4 one. */
#ifndef NET_IP_RANGE_H
#define NET_IP_RANGE_H

#include "net/arena.h"

struct ip { bool v6; uint64_t hi, lo; };

bool       ip_parse(struct str s, struct ip *ret);       /* false: not an address */
struct str ip_text(struct arena *a, struct ip x);        /* canonical */
static inline bool ip_eq(struct ip x, struct ip y) { return x.v6 == y.v6 && x.hi == y.hi && x.lo == y.lo; }

struct ip_range {
    struct ip base;                              /* the network's own address */
    unsigned bits;                               /* of the prefix */
    uint64_t n;                                  /* addresses that may be given out: base + 1 ... base + n */
};
/* "10.96.0.0/16", "fd00::/108".  False: not a range. */
bool ip_range_parse(struct str cidr, struct ip_range *ret);
/* In the network, be it usable or not. */
bool ip_range_covers(const struct ip_range *r, struct ip x);
/* One that may be given out. */
bool ip_range_has(const struct ip_range *r, struct ip x);
/* The i-th that may be given out, i < n. */
struct ip ip_range_at(const struct ip_range *r, uint64_t i);
/* As it is written: network and prefix. */
struct str ip_range_text(struct arena *a, const struct ip_range *r);
/* Lists in one text, separated by commas; more than max: false. */
bool ip_ranges_parse(struct str list, struct ip_range *ret, unsigned max, unsigned *ret_n);

#endif
