/* tools/down.c: coracle down: ends a cluster that `coracle up` left running. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>
#include "tools/cluster.h"
#include "tools/flags.h"

#define DOWN_WAIT_MS 20000

/* Ask the supervisor, which holds the lock, to stop; true once the lock is ours. */
static bool down_stop(int fd)
{
    char text[32] = "";

    if (flock(fd, LOCK_EX | LOCK_NB) == 0)
        return true;                             /* none runs */
    if (pread(fd, text, sizeof text - 1, 0) <= 0 || atoi(text) <= 1)
        return false;
    kill(atoi(text), SIGTERM);
    for (int ms = 0; ms < DOWN_WAIT_MS; ms += 10) {
        if (flock(fd, LOCK_EX | LOCK_NB) == 0)
            return true;
        nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
    }
    /* it hangs; its children die with it, the rest is cleared below */
    kill(atoi(text), SIGKILL);
    return flock(fd, LOCK_EX) == 0;
}

static int down_run(int argc, char **argv)
{
    const char *name = "up", *data = NULL;
    const struct flag flags[] = {
        { "name", NULL, FLAG_STRING, &name, "NAME", "which cluster" },
        { "data", NULL, FLAG_STRING, &data, "DIR",
          "the cluster was given this directory: its state is kept" },
    };
    struct cluster c = { 0 };
    struct cluster_found found;
    struct errbuf err = { "" };
    char path[300];

    if (flags_parse(&cmd_down, flags, ARRAY_LEN(flags), argc, argv) > 0)
        return fail(&cmd_down, "takes no arguments, got \"%s\"", argv[1]);
    if (cluster_init(&c, name, data, &err) != 0)
        return fail(&cmd_down, "%s", err.s);
    snprintf(path, sizeof path, "/run/coracle/%s.lock", c.name);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) {
        printf("no cluster named %s runs here\n", name);
        return 0;
    }
    if (fd < 0)
        return fail(&cmd_down, "open %s: %s", path, strerror(errno));
    if (!down_stop(fd))
        return fail(&cmd_down, "the cluster's supervisor does not stop");
    if (cluster_clean(&c, &found, &err) != 0)
        return fail(&cmd_down, "%s", err.s);
    unlink(path);
    printf("cluster %s is down\n", name);
    return 0;
}

const struct command cmd_down = {
    "down",
    "down [--name NAME]",
    "End a cluster that was started with up --detach",
    "Ends a cluster started by coracle up and removes its processes, mounts, namespaces, bridge and cgroups.",
    down_run,
};
