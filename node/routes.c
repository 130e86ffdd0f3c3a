/* node/routes.c: rtnetlink, one route per message; see routes.h. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>
#include "net/str.h"
#include "node/routes.h"

int ip4_net_parse(const char *text, struct ip4_net *ret, struct errbuf *err)
{
    const char *slash = strchr(text, '/');
    char addr[INET_ADDRSTRLEN];
    struct in_addr a;
    uint64_t bits;

    if (slash == NULL || (size_t)(slash - text) >= sizeof addr || !str_u64(str_of(slash + 1), &bits)
        || bits > 32)
        return err_set(err, E_INVALID, "\"%.60s\" is not an IPv4 network", text);
    snprintf(addr, sizeof addr, "%.*s", (int)(slash - text), text);
    if (inet_pton(AF_INET, addr, &a) != 1)
        return err_set(err, E_INVALID, "\"%.60s\" is not an IPv4 network", text);
    uint32_t mask = bits == 0 ? 0 : UINT32_MAX << (32 - bits);
    *ret = (struct ip4_net){ ntohl(a.s_addr) & mask, (unsigned)bits };
    return 0;
}

struct message { struct nlmsghdr h; struct rtmsg r; char attrs[64]; };

static void attr_add(struct message *m, unsigned short type, uint32_t addr)
{
    struct rtattr *a = (struct rtattr *)(void *)((char *)m + NLMSG_ALIGN(m->h.nlmsg_len));
    uint32_t net = htonl(addr);

    a->rta_type = type;
    a->rta_len = RTA_LENGTH(sizeof net);
    memcpy(RTA_DATA(a), &net, sizeof net);
    m->h.nlmsg_len = NLMSG_ALIGN(m->h.nlmsg_len) + RTA_ALIGN(a->rta_len);
    must(m->h.nlmsg_len <= sizeof *m);
}

/* -> 0 or an errno value. */
static int exchange(struct message *m)
{
    struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
    struct timeval limit = { 1, 0 };
    struct { struct nlmsghdr h; struct nlmsgerr e; char more[512]; } reply;
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE), rc = 0;

    if (fd < 0)
        return errno;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    if (sendto(fd, m, m->h.nlmsg_len, 0, (struct sockaddr *)&kernel, sizeof kernel) < 0) {
        rc = errno;
    } else {
        ssize_t n = recv(fd, &reply, sizeof reply, 0);
        if (n < (ssize_t)sizeof reply.h + (ssize_t)sizeof reply.e || reply.h.nlmsg_type != NLMSG_ERROR)
            rc = n < 0 ? errno : EPROTO;
        else
            rc = -reply.e.error;
    }
    close(fd);
    return rc;
}

static struct message message_for(const struct ip4_net *dst, unsigned short type, unsigned short flags)
{
    struct message m = { .h = { .nlmsg_len = NLMSG_LENGTH(sizeof(struct rtmsg)), .nlmsg_type = type,
                                .nlmsg_flags = (unsigned short)(NLM_F_REQUEST | NLM_F_ACK | flags),
                                .nlmsg_seq = 1 } };

    m.r = (struct rtmsg){ .rtm_family = AF_INET, .rtm_dst_len = (unsigned char)dst->bits,
                          .rtm_table = RT_TABLE_MAIN,
                          .rtm_protocol = RTPROT_STATIC, .rtm_scope = RT_SCOPE_UNIVERSE,
                          .rtm_type = RTN_UNICAST };
    attr_add(&m, RTA_DST, dst->addr);
    return m;
}

int route_replace(const char *dst, const char *gateway, struct errbuf *err)
{
    struct ip4_net net;
    struct in_addr gw;
    int rc = ip4_net_parse(dst, &net, err);

    if (rc < 0)
        return rc;
    if (inet_pton(AF_INET, gateway, &gw) != 1)
        return err_set(err, E_INVALID, "\"%.60s\" is not an IPv4 address", gateway);
    struct message m = message_for(&net, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE);
    attr_add(&m, RTA_GATEWAY, ntohl(gw.s_addr));
    rc = exchange(&m);
    return rc == 0 ? 0 : err_sys(err, rc, "route %s via %s", dst, gateway);
}

int route_delete(const char *dst, struct errbuf *err)
{
    struct ip4_net net;
    int rc = ip4_net_parse(dst, &net, err);

    if (rc < 0)
        return rc;
    struct message m = message_for(&net, RTM_DELROUTE, 0);
    m.r.rtm_scope = RT_SCOPE_NOWHERE;
    m.r.rtm_protocol = RTPROT_UNSPEC;
    m.r.rtm_type = RTN_UNSPEC;
    rc = exchange(&m);
    return rc == 0 || rc == ESRCH ? 0 : err_sys(err, rc, "delete route %s", dst);
}
