/* tools/cluster_net.c: the network of a cluster on this machine: one bridge, and a namespace per node joined
 * to it.
 *
 *     host: cor-NAME 10.N.0.1/16 ----+---- eth0 10.N.1.1 in coracle-NAME-node-1
 *           (heads listen here)      +---- eth0 10.N.1.2 in coracle-NAME-node-2
 *
 * One batch for ip(8) makes links and namespaces, one more per node sets addresses: a few milliseconds
 * each. */
#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "tools/cluster.h"
#include "tools/flags.h"

extern char **environ;

/* Feed the batch to `ip [-n NETNS] -batch -`; its complaint becomes the error. */
static int ip_batch(const char *netns, struct str batch, struct errbuf *err)
{
    const char *here[] = { "ip", "-batch", "-", NULL }, *there[] = { "ip", "-n", netns, "-batch", "-", NULL };
    const char **argv = netns != NULL ? there : here;
    posix_spawn_file_actions_t fa;
    char  said[200] = "";
    int   in[2], out[2], status = 0;
    pid_t pid;

    if (pipe(in) != 0 || pipe(out) != 0)
        return err_sys(err, errno, "pipe");
    posix_spawn_file_actions_init(&fa);
    posix_spawn_file_actions_adddup2(&fa, in[0], 0);
    posix_spawn_file_actions_adddup2(&fa, out[1], 2);
    posix_spawn_file_actions_addclose(&fa, in[1]);
    posix_spawn_file_actions_addclose(&fa, out[0]);
    int rc = posix_spawnp(&pid, argv[0], &fa, NULL, (char *const *)argv, environ);
    posix_spawn_file_actions_destroy(&fa);
    close(in[0]);
    close(out[1]);
    while (rc == 0 && batch.n > 0) {
        ssize_t n = write(in[1], batch.p, batch.n);
        if (n <= 0)
            break;
        batch = str_from(batch, (size_t)n);
    }
    close(in[1]);
    if (rc == 0) {
        ssize_t n = read(out[0], said, sizeof said - 1);
        said[n > 0 ? n : 0] = '\0';
        said[strcspn(said, "\n")] = '\0';
        waitpid(pid, &status, 0);
    }
    close(out[0]);
    if (rc != 0)
        return err_sys(err, rc, "run ip (Debian: iproute2)");
    return status != 0 ? err_set(err, E_CHILD, "ip: %s", said) : 0;
}

int cluster_make_network(const struct cluster *c, struct errbuf *err)
{
    struct cluster_text br, ns, ip, gw;
    struct buf b = BUF_INIT;

    cluster_bridge(c, &br);
    cluster_gateway(c, &gw);
    buf_fmt(&b, "link add %s type bridge forward_delay 0\naddr add %s/16 dev %s\nlink set %s up\n", br.s,
            gw.s, br.s, br.s);
    for (unsigned i = 1; i <= c->n_nodes; i++) {
        cluster_netns(c, &ns, i);
        cluster_node_ip(c, &ip, i);
        buf_fmt(&b, "netns add %s\n", ns.s);
        buf_fmt(&b, "link add cv%u-%s type veth peer name eth0 netns %s\n", i, c->name, ns.s);
        buf_fmt(&b, "link set cv%u-%s master %s up\n", i, c->name, br.s);
    }
    int rc = ip_batch(NULL, buf_str(&b), err);
    for (unsigned i = 1; i <= c->n_nodes && rc == 0; i++) {
        buf_clear(&b);
        buf_fmt(&b, "addr add %s/16 dev eth0\nlink set lo up\nlink set eth0 up\nroute add default via %s\n",
                cluster_node_ip(c, &ip, i), gw.s);
        rc = ip_batch(cluster_netns(c, &ns, i), buf_str(&b), err);
    }
    buf_release(&b);
    return rc != 0 ? err_wrap(err, rc, "network of the nodes") : 0;
}
