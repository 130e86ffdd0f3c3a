/* store/member.c: see store/member.h. */
#include "store/member.h"

void store_member_list(struct store *s, struct raft_status *ret)
{
    raft_status(store_raft(s), ret);
}

/* Sockets in the file system and names of the simulated world have no URL. */
static bool member_is_network(struct str addr)
{
    return str_find(addr, ':') > 0 && !str_starts(addr, STR("unix:"));
}

struct str store_member_peer_url(struct arena *a, const struct raft_member *m)
{
    struct str addr = str_of(m->addr);

    return member_is_network(addr) ? arena_fmt(a, "https://%s", m->addr) : arena_str(a, addr);
}

/* HOST:PORT of what was given. */
static int member_address(const char *given, const char **ret, struct errbuf *err)
{
    static const char scheme[] = "https://";
    const char *addr = strncmp(given, scheme, sizeof scheme - 1) == 0 ? given + sizeof scheme - 1 : given;
    const char *colon = strrchr(addr, ':');
    uint64_t port;

    if (strncmp(given, "http://", 7) == 0)
        return err_set(err, E_INVALID, "peer URL %.100s: heads talk by TLS only, https://HOST:PORT", given);
    bool network = colon != NULL && colon > addr && strchr(addr, '/') == NULL
                && str_u64(str_of(colon + 1), &port) && port > 0 && port <= 65535;
    if (!network && strncmp(addr, "unix:", 5) != 0)
        return err_set(err, E_INVALID, "peer URL %.100s: must be https://HOST:PORT", given);
    *ret = addr;
    return 0;
}

int store_member_change(struct store *s, struct raft_change *c, const struct raft_change_spec *spec,
                        struct errbuf *err)
{
    struct raft_change_spec plain = *spec;
    int rc = spec->addr != NULL && spec->addr[0] != '\0' ? member_address(spec->addr, &plain.addr, err) : 0;

    if (rc == 0)
        raft_change(store_raft(s), c, &plain);
    return rc;
}
