/* tools/main.c: the program: finds the subcommand and runs it. */
#include <signal.h>
#include <stdio.h>
#include "tools/flags.h"

static const struct command *const commands[] = {
    &cmd_up, &cmd_down, &cmd_head, &cmd_node, &cmd_bench, &cmd_member, &cmd_status, &cmd_snapshot, &cmd_check,
    &cmd_version,
};

static void usage(FILE *to)
{
    fprintf(
        to,
        "Coracle is Kubernetes in one small program.\n\nUsage:\n  coracle COMMAND [flags]\n\nCommands:\n");
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        fprintf(to, "  %-10s %s\n", commands[i]->name, commands[i]->summary);
    fprintf(to, "\ncoracle COMMAND --help tells more.\n");
}

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN);
    if (argc < 2) {
        usage(stderr);
        return 2;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0) {
        usage(stdout);
        return 0;
    }
    if (strcmp(argv[1], "--version") == 0)
        return cmd_version.run(1, argv + 1);
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        if (strcmp(argv[1], commands[i]->name) == 0)
            return commands[i]->run(argc - 1, argv + 1);
    fprintf(stderr, "coracle: there is no command \"%s\"; coracle --help lists them\n", argv[1]);
    return 2;
}
