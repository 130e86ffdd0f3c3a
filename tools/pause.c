/* tools/pause.c: coracle pause: the first process of a pod whose containers share one process namespace.  It reaps what
 * is orphaned there and otherwise sleeps. Not for people. */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
#include "tools/flags.h"

static void on_term(int signum) { _exit(0); }
static void on_child(int signum) { while (waitpid(-1, NULL, WNOHANG) > 0) { } }

static int pause_run(int argc, char **argv)
{
    signal(SIGTERM, on_term);
    signal(SIGINT, on_term);
    signal(SIGCHLD, on_child);
    for (;;)
        pause();
    return 0;                                    /* never */
}

const struct command cmd_pause = { "pause", "pause", NULL, "Sleeps; the first process of a pod.", pause_run };
