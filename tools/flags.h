/* tools/flags.h: command-line flags as rows of a table: parsing, defaults and --help come from it.
 *
 * Forms: --name=value, --name value, --switch, --switch=false; -x for one-letter aliases.  What is not a
 * flag is left for the subcommand, in order.  Durations take Go's units (500ms, 40s, 5m), sizes and counts
 * are plain integers. */
#ifndef TOOLS_FLAGS_H
#define TOOLS_FLAGS_H

#include "net/err.h"
#include "net/str.h"

enum flag_type { FLAG_STRING, FLAG_BOOL, FLAG_INT, FLAG_DURATION_MS, FLAG_STRINGS /* may be repeated */ };

/* The largest file a subcommand reads whole: certificates, keys, tables of /proc. */
#define TOOLS_FILE_MAX (16u << 20)

#define FLAG_MAX_STRINGS 32
struct flag_strings { const char *v[FLAG_MAX_STRINGS + 1]; unsigned n; };    /* NULL-terminated */

struct flag {
    const char *name, *alias;                    /* alias: one letter or NULL */
    enum flag_type type;
    /* const char **, bool *, int64_t *, uint64_t *, struct flag_strings * */
    void *to;
    const char *value;                           /* what help calls the value: "DIR" */
    const char *help;
};
struct command {
    const char *name, *usage, *summary;          /* "up [flags]", one line for the list */
    const char *about;                           /* paragraph for --help */
    /* argv[0] is the subcommand's name; returns the exit status */
    int (*run)(int argc, char **argv);
};

/* 500ms, 40s, 1h30m; false: no duration. */
bool flag_duration_ms(const char *text, uint64_t *ret);

/* Defaults are what the variables hold before.  Returns the number of other arguments, moved to argv[1..];
 * on a bad flag or --help prints (stderr/stdout) and exits (2/0). */
int flags_parse(const struct command *cmd, const struct flag *flags, size_t n, int argc, char **argv);

extern const struct command cmd_up, cmd_down, cmd_head, cmd_node, cmd_bench, cmd_member, cmd_status,
    cmd_snapshot, cmd_check, cmd_version;

/* "coracle: head: cannot ...": for the top of a subcommand. Returns 1. */
int fail(const struct command *cmd, const char *fmt, ...) PRINTF_LIKE(2, 3);

#endif
