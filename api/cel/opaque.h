/* api/cel/opaque.h: what the values of the libraries' own kinds point to. */
#ifndef API_CEL_OPAQUE_H
#define API_CEL_OPAQUE_H

#include "api/cel/impl.h"
#include "api/quantity.h"
#include "net/ip_range.h"

struct cel_cidr { struct ip ip; unsigned bits; };        /* the address as written */
struct cel_url { struct str text, scheme, host, path, query; };
struct cel_semver { uint64_t part[3]; struct str pre, build; };
struct cel_format { const char *name; };

bool cel_url_read(struct str s, struct cel_url *ret);
bool cel_ip_read(struct str s, struct ip *ret);          /* no zone, no IPv4 within IPv6 */
struct ip  cel_masked(struct cel_cidr c);
struct str cel_cidr_text(struct arena *a, struct cel_cidr c);
struct str cel_semver_text(struct arena *a, const struct cel_semver *v);
int cel_semver_order(const struct cel_semver *x, const struct cel_semver *y);

#endif
