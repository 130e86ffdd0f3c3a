/* node/masquerade.c: see node/masquerade.h. */
#include "net/log.h"
#include "net/proc.h"
#include "node/masquerade.h"

#define NFT_TIMEOUT_MS 10000

static void on_done(void *arg, const struct proc_run_result *r)
{
    struct str why = str_trim(r->err);

    if (r->status != 0)
        log_warn("node", "pods reach no address outside of the cluster: nft: %.*s",
                 (int)MIN_OF(why.n, (size_t)200), why.n > 0 ? why.p : "");
}

void masquerade_set(struct loop *l, const char *pod_cidr, const char *cluster_cidr)
{
    static const char *const argv[] = { "nft", "-f", "-", NULL };
    struct errbuf err;
    struct buf b = BUF_INIT;

    /* Made, so that it can be deleted, so that it is made anew: in one transaction. */
    buf_fmt(&b, "table ip coracle {}\ndelete table ip coracle\ntable ip coracle {\n"
            "  chain leaving {\n    type nat hook postrouting priority srcnat; policy accept;\n"
            "    ip saddr %s ip daddr != { %s, 224.0.0.0/4 } masquerade\n  }\n}\n", pod_cidr, cluster_cidr);
    struct proc_run_opts o = { .argv = argv, .in = buf_str(&b), .timeout_ms = NFT_TIMEOUT_MS,
                               .done = on_done };
    if (proc_run(l, &o, NULL, &err) != 0)
        log_warn("node", "pods reach no address outside of the cluster: %s", err.s);
    buf_release(&b);
}
