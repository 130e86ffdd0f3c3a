/* test/bench/store_bench_heads.h: members of one store for the benchmark: the one that is measured in this
 * process, the others as its children, over loopback, each with its own directory and real syncs. */
#ifndef TEST_BENCH_STORE_BENCH_HEADS_H
#define TEST_BENCH_STORE_BENCH_HEADS_H

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "net/log.h"
#include "net/usage.h"
#include "raft/limits.h"
#include "store/limits.h"
#include "store/store.h"

#define HEADS 3

struct figures { uint64_t rss, cpu_ns, longest_ns; };

struct member {
    struct loop *loop;
    struct disk *disk;
    struct store *store;
    bool leading, closed;
};

struct heads {
    struct member me;                            /* number 1: its elections come first, so it leads */
    unsigned n;
    char dir[400], addr[HEADS][32];
    struct child { pid_t pid; int figures; } child[HEADS];
};

static void member_on_leading(void *arg, bool leader) { ((struct member *)arg)->leading = leader; }

static void member_open(struct heads *h, struct member *m, unsigned i)
{
    struct raft_peer_opts peer[HEADS];
    struct store_opts o = { .on_leading = member_on_leading, .arg = m,
                            .history_bytes = 64u << 20 };        /* as a head has it */
    struct errbuf err = { "" };
    char path[500];

    for (unsigned p = 0; p < h->n; p++)
        peer[p] = (struct raft_peer_opts){ p + 1, h->addr[p] };
    snprintf(path, sizeof path, "%s/%u", h->dir, i + 1);
    if (disk_open(m->loop, path, &m->disk, &err) != 0) {
        fprintf(stderr, "store_bench: %s\n", err.s);
        exit(1);
    }
    o.raft = (struct raft_opts){ .loop = m->loop, .disk = m->disk, .id = i + 1, .cluster = 1, .heads = peer,
                                 .n_heads = h->n, .listen_addr = h->addr[i],
                                 .election_min_ms = i == 0 ? 200 : 2000,
                                 .election_max_ms = i == 0 ? 300 : 3000 };
    if (store_open(&o, &m->store, &err) != 0) {
        fprintf(stderr, "store_bench: %s\n", err.s);
        exit(1);
    }
}

static void member_on_closed(void *arg)
{
    struct member *m = arg;

    disk_close(m->disk);
    m->store = NULL;
    m->leading = false;
    loop_stop(m->loop);
}

static void member_close(struct member *m)
{
    store_close(m->store, member_on_closed, m);
    while (m->store != NULL)
        loop_run(m->loop);
}

static struct figures figures_now(struct loop *l)
{
    struct usage u;

    usage_read(&u);
    return (struct figures){ .rss = u.rss_bytes, .cpu_ns = u.cpu_ns,
                             .longest_ns = loop_longest_turn_ns(l, true) };
}

static int figures_to;
static void child_on_signal(void *arg, int signum)
{
    struct figures f = figures_now(arg);

    must(write(figures_to, &f, sizeof f) == sizeof f);
}

_Noreturn static void child_main(struct heads *h, unsigned i, int fd)
{
    struct member m = { .loop = loop_new_real() };

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    figures_to = fd;
    loop_on_signal(m.loop, SIGUSR1, child_on_signal, m.loop);
    member_open(h, &m, i);
    loop_run(m.loop);
    _exit(0);
}

static void heads_open(struct heads *h, unsigned n, const char *dir, const char *part)
{
    *h = (struct heads){ .n = n };
    snprintf(h->dir, sizeof h->dir, "%s/%s", dir, part);
    must(mkdir(h->dir, 0700) == 0);
    for (unsigned i = 0; i < n; i++)             /* a net of its own: no other program's port is in the way */
        snprintf(h->addr[i], sizeof h->addr[i], "127.%d.%d.%u:2380", 1 + getpid() % 200,
                 getpid() / 200 % 250, i + 1);
    for (unsigned i = 1; i < n; i++) {
        int fd[2];
        must_ok(pipe(fd));
        h->child[i] = (struct child){ .pid = fork(), .figures = fd[0] };
        if (h->child[i].pid == 0)
            child_main(h, i, fd[1]);
        close(fd[1]);
    }
    h->me.loop = loop_new_real();
    member_open(h, &h->me, 0);
}

/* What each has used so far; longest_ns since it was last asked. */
static struct figures heads_figures(const struct heads *h, unsigned i)
{
    struct figures f = { .rss = 0 };

    if (i == 0)
        return figures_now(h->me.loop);
    kill(h->child[i].pid, SIGUSR1);
    must(read(h->child[i].figures, &f, sizeof f) == sizeof f);
    return f;
}

static void heads_close(struct heads *h)
{
    member_close(&h->me);
    for (unsigned i = 1; i < h->n; i++) {
        kill(h->child[i].pid, SIGKILL);
        waitpid(h->child[i].pid, NULL, 0);
        close(h->child[i].figures);
    }
    loop_free(h->me.loop);
}

#endif
