/* node/routes.h: routes to other nodes' pods, in the namespace of the agent.  One netlink exchange: some microseconds. */
#ifndef NODE_ROUTES_H
#define NODE_ROUTES_H

#include <stdint.h>
#include "net/err.h"

struct ip4_net { uint32_t addr; unsigned bits; };       /* host byte order, no bits set past the prefix */
int ip4_net_parse(const char *text, struct ip4_net *ret, struct errbuf *err);   /* "10.244.1.0/24" */
/* dst "10.244.2.0/24" goes via gateway "192.168.50.12"; replaces what was there. */
int route_replace(const char *dst, const char *gateway, struct errbuf *err);
int route_delete(const char *dst, struct errbuf *err);  /* 0 when there is none */

#endif
