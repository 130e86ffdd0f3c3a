/* net/addr.c: parsing and printing of socket addresses. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/un.h>
#include "net/addr.h"

static int split_unix(struct str path, struct addr_text *ret, struct errbuf *err)
{
    if (path.n == 0 || path.n >= sizeof ((struct sockaddr_un *)0)->sun_path)
        return err_set(err, E_INVALID, "the path of a unix socket has 1 to 107 bytes");
    *ret = (struct addr_text){ .is_unix = true };
    memcpy(ret->host, path.p, path.n);
    return 0;
}

int addr_split(const char *text, struct addr_text *ret, struct errbuf *err)
{
    struct str s = str_of(text), host, port;
    uint64_t   n;
    size_t     colon = s.n;

    if (str_starts(s, STR("unix:")))
        return split_unix(str_from(s, 5), ret, err);
    while (colon > 0 && s.p[colon - 1] != ':')
        colon--;
    if (colon == 0)
        return err_set(err, E_INVALID, "address \"%.100s\" has no port", text != NULL ? text : "");
    host = str_upto(s, colon - 1);
    port = str_from(s, colon);
    if (host.n >= 2 && host.p[0] == '[' && host.p[host.n - 1] == ']')
        host = str_make(host.p + 1, host.n - 2);
    else if (str_find(host, ':') >= 0)
        return err_set(err, E_INVALID, "address \"%.100s\": IPv6 belongs in brackets", text);
    if (!str_u64(port, &n) || n > UINT16_MAX)
        return err_set(err, E_INVALID, "address \"%.100s\": bad port", text);
    if (host.n == 0 || host.n >= sizeof ret->host)
        return err_set(err, E_INVALID, "address \"%.100s\": bad host", text);
    *ret = (struct addr_text){ .port = (uint16_t)n };
    memcpy(ret->host, host.p, host.n);
    return 0;
}

bool addr_numeric(const struct addr_text *t, struct addr *ret)
{
    struct sockaddr_un  *un = (void *)&ret->ss;
    struct sockaddr_in  *v4 = (void *)&ret->ss;
    struct sockaddr_in6 *v6 = (void *)&ret->ss;

    memset(ret, 0, sizeof *ret);
    if (t->is_unix) {
        un->sun_family = AF_UNIX;
        memcpy(un->sun_path, t->host, strlen(t->host) + 1);
        ret->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(t->host) + 1);
        return true;
    }
    if (inet_pton(AF_INET, t->host, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        ret->len = sizeof *v4;
    } else if (inet_pton(AF_INET6, t->host, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        ret->len = sizeof *v6;
    } else {
        return false;
    }
    addr_set_port(ret, t->port);
    return true;
}

void addr_set_port(struct addr *a, uint16_t port)
{
    if (a->ss.ss_family == AF_INET)
        ((struct sockaddr_in *)(void *)&a->ss)->sin_port = htons(port);
    else if (a->ss.ss_family == AF_INET6)
        ((struct sockaddr_in6 *)(void *)&a->ss)->sin6_port = htons(port);
}

void addr_format(const struct addr *a, char ret[ADDR_TEXT_MAX])
{
    const struct sockaddr_in  *v4 = (const void *)&a->ss;
    const struct sockaddr_in6 *v6 = (const void *)&a->ss;
    char ip[INET6_ADDRSTRLEN] = "";

    if (a->ss.ss_family == AF_INET) {
        inet_ntop(AF_INET, &v4->sin_addr, ip, sizeof ip);
        snprintf(ret, ADDR_TEXT_MAX, "%s:%u", ip, ntohs(v4->sin_port));
    } else if (a->ss.ss_family == AF_INET6) {
        inet_ntop(AF_INET6, &v6->sin6_addr, ip, sizeof ip);
        snprintf(ret, ADDR_TEXT_MAX, "[%s]:%u", ip, ntohs(v6->sin6_port));
    } else {
        snprintf(ret, ADDR_TEXT_MAX, "unix");
    }
}
