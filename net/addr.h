/* net/addr.h: socket addresses as text, for the real streams; for net/ only. */
#ifndef NET_ADDR_H
#define NET_ADDR_H

#include <sys/socket.h>
#include "net/err.h"
#include "net/str.h"

enum { ADDR_HOST_MAX = 256, ADDR_TEXT_MAX = 128 };

struct addr { struct sockaddr_storage ss; socklen_t len; };
/* The parts of "host:port", "[v6]:port" or "unix:path" (then host is the path and port 0). */
struct addr_text { bool is_unix; char host[ADDR_HOST_MAX]; uint16_t port; };

int  addr_split(const char *text, struct addr_text *ret, struct errbuf *err);       /* E_INVALID */
/* False: a host name that has to be looked up first. */
bool addr_numeric(const struct addr_text *t, struct addr *ret);
void addr_set_port(struct addr *a, uint16_t port);
void addr_format(const struct addr *a, char ret[ADDR_TEXT_MAX]);

#endif
