/* tools/snapshot.c: coracle snapshot save|status|restore: the command, and what a file holds. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>
#include "tools/snapshot.h"

static const struct { const char *name; int (*run)(int argc, char **argv); } actions[] = {
    { "save", snapshot_save_run }, { "status", snapshot_status_run }, { "restore", snapshot_restore_run },
};

static int load_from(int fd, struct store_load *l, struct errbuf *err)
{
    char piece[65536];

    for (;;) {
        ssize_t n = read(fd, piece, sizeof piece);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_sys(err, errno, "read");
        if (n == 0)
            return 0;
        int rc = store_load_data(l, str_make(piece, (size_t)n), err);
        if (rc != 0)
            return rc;
    }
}

int snapshot_file_load(const char *path, struct store_load **ret, struct store_saved *ret_saved,
                       struct errbuf *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct store_load *l;
    int rc;

    if (fd < 0)
        return err_sys(err, errno, "open %s", path);
    l = store_load_new();
    rc = load_from(fd, l, err);
    close(fd);
    if (rc == 0)
        rc = store_load_end(l, ret_saved, err);
    if (rc != 0) {
        store_load_free(l);
        return err_wrap(err, rc, "%s", path);
    }
    *ret = l;
    return 0;
}

static void size_text(uint64_t n, char out[32])
{
    static const char *const unit[] = { "B", "kB", "MB", "GB", "TB" };
    double x = (double)n;
    unsigned u = 0;

    for (; x >= 1000 && u + 1 < ARRAY_LEN(unit); u++)
        x /= 1000;
    snprintf(out, 32, u == 0 ? "%.0f %s" : "%.1f %s", x, unit[u]);
}

int snapshot_status_run(int argc, char **argv)
{
    const char *output = "table";
    const struct flag flags[] = {
        { "output", "o", FLAG_STRING, &output, "FORMAT", "table, simple or json" },
    };
    struct errbuf err = { "" };
    struct store_saved s;
    struct store_load *l;
    char size[32];

    if (flags_parse(&cmd_snapshot, flags, ARRAY_LEN(flags), argc, argv) != 1)
        return fail(&cmd_snapshot, "status takes one file");
    if (snapshot_file_load(argv[1], &l, &s, &err) != 0)
        return fail(&cmd_snapshot, "%s", err.s);
    store_load_free(l);
    size_text(s.meta.size, size);
    if (strcmp(output, "json") == 0)
        printf("{\"hash\":%u,\"revision\":%llu,\"totalKey\":%llu,\"totalSize\":%llu,\"leases\":%llu,"
               "\"index\":%llu,\"term\":%llu}\n", s.hash, (unsigned long long)s.rev,
               (unsigned long long)s.keys,
               (unsigned long long)s.meta.size, (unsigned long long)s.leases,
               (unsigned long long)s.meta.index,
               (unsigned long long)s.meta.term);
    else if (strcmp(output, "simple") == 0)
        printf("%x, %llu, %llu, %s\n", s.hash, (unsigned long long)s.rev, (unsigned long long)s.keys, size);
    else
        printf("HASH      REVISION    TOTAL KEYS  TOTAL SIZE  LEASES\n%-8x  %-10llu  %-10llu  %-10s  %llu\n",
               s.hash,
               (unsigned long long)s.rev, (unsigned long long)s.keys, size, (unsigned long long)s.leases);
    return 0;
}

static int snapshot_run(int argc, char **argv)
{
    for (size_t i = 0; argc > 1 && i < ARRAY_LEN(actions); i++)
        if (strcmp(argv[1], actions[i].name) == 0)
            return actions[i].run(argc - 1, argv + 1);
    if (argc > 1 && argv[1][0] == '-')
        flags_parse(&cmd_snapshot, NULL, 0, argc, argv);           /* --help */
    return fail(&cmd_snapshot, "needs one of save, status and restore (see coracle snapshot --help)");
}

const struct command cmd_snapshot = {
    "snapshot", "snapshot save|status|restore FILE [flags]",
    "Save the cluster's state into a file, look at one, begin a cluster from one",
    "coracle snapshot save FILE      the whole state, consistent, from a serving cluster (--kubeconfig)\n"
    "coracle snapshot status FILE    verifies a file and says what it holds (-o json)\n"
    "coracle snapshot restore FILE   makes the data directory of a new cluster's head (--data-dir)\n\n"
    "Each has its own --help.",
    snapshot_run,
};
