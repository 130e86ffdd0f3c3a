/* tools/flags.c: see tools/flags.h. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include "tools/flags.h"

int fail(const struct command *cmd, const char *fmt, ...)
{
    va_list ap;

    fprintf(stderr, "coracle %s: ", cmd->name);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
    return 1;
}

_Noreturn static void bad_flag(const struct command *cmd, const char *arg, const char *why)
{
    fprintf(stderr, "coracle %s: %s: %s (see coracle %s --help)\n", cmd->name, arg, why, cmd->name);
    exit(2);
}

static void print_default(const struct flag *f)
{
    switch (f->type) {
    case FLAG_STRING:
        if (*(const char **)f->to != NULL)
            printf(" (default %s)", *(const char **)f->to);
        break;
    case FLAG_BOOL:
        if (*(bool *)f->to)
            printf(" (default true)");
        break;
    case FLAG_INT:
        if (*(int64_t *)f->to != 0)
            printf(" (default %lld)", (long long)*(int64_t *)f->to);
        break;
    case FLAG_DURATION_MS:
        if (*(uint64_t *)f->to != 0)
            printf(" (default %gs)", (double)*(uint64_t *)f->to / 1000);
        break;
    case FLAG_STRINGS:
        printf(" (may be repeated)");
        break;
    }
}

_Noreturn static void help(const struct command *cmd, const struct flag *flags, size_t n)
{
    printf("%s\n\nUsage:\n  coracle %s\n\nFlags:\n", cmd->about, cmd->usage);
    for (size_t i = 0; i < n; i++) {
        char left[64];
        snprintf(left, sizeof left, "%s%s%s--%s%s%s", flags[i].alias != NULL ? "-" : "    ",
                 flags[i].alias != NULL ? flags[i].alias : "", flags[i].alias != NULL ? ", " : "",
                 flags[i].name, flags[i].value != NULL ? " " : "",
                 flags[i].value != NULL ? flags[i].value : "");
        printf("  %-36s %s", left, flags[i].help);
        print_default(&flags[i]);
        putchar('\n');
    }
    exit(0);
}

bool flag_duration_ms(const char *v, uint64_t *ret)
{
    static const struct { const char *unit; double ms; } units[] = {
        { "ms", 1 }, { "s", 1000 }, { "m", 60e3 }, { "h", 3600e3 },
    };
    double sum = 0;

    if (*v == '\0')
        return false;
    while (*v != '\0') {
        char *end;
        double x = strtod(v, &end);
        size_t unit = ARRAY_LEN(units);
        if (end == v || x < 0)
            return false;
        for (size_t i = 0; i < ARRAY_LEN(units) && unit == ARRAY_LEN(units); i++)
            if (strncmp(end, units[i].unit, strlen(units[i].unit)) == 0)
                unit = i;
        if (unit == ARRAY_LEN(units))
            return false;
        sum += x * units[unit].ms;
        v = end + strlen(units[unit].unit);
    }
    *ret = (uint64_t)sum;
    return sum < 1e15;
}

static const char *set_flag(const struct flag *f, const char *v)
{
    char *end;

    switch (f->type) {
    case FLAG_STRING:
        *(const char **)f->to = v;
        return NULL;
    case FLAG_BOOL:
        if (strcmp(v, "true") != 0 && strcmp(v, "false") != 0)
            return "must be true or false";
        *(bool *)f->to = v[0] == 't';
        return NULL;
    case FLAG_INT:
        errno = 0;
        *(int64_t *)f->to = strtoll(v, &end, 10);
        return *v == '\0' || *end != '\0' || errno != 0 ? "must be a whole number" : NULL;
    case FLAG_DURATION_MS:
        return flag_duration_ms(v, f->to) ? NULL : "must be a duration such as 500ms, 40s or 5m";
    case FLAG_STRINGS: {
        struct flag_strings *l = f->to;
        if (l->n == FLAG_MAX_STRINGS)
            return "is given too often";
        l->v[l->n++] = v;
        return NULL;
    }
    }
    return "is of no known type";
}

static const struct flag *find_flag(const struct flag *flags, size_t n, const char *arg,
                                    const char **ret_value)
{
    const char *name = arg + (arg[1] == '-' ? 2 : 1);
    size_t len = strcspn(name, "=");

    *ret_value = name[len] == '=' ? name + len + 1 : NULL;
    for (size_t i = 0; i < n; i++) {
        const char *want = arg[1] == '-' ? flags[i].name : flags[i].alias;
        if (want != NULL && strlen(want) == len && strncmp(want, name, len) == 0)
            return &flags[i];
    }
    return NULL;
}

int flags_parse(const struct command *cmd, const struct flag *flags, size_t n, int argc, char **argv)
{
    int others = 0;

    for (int i = 1; i < argc; i++) {
        const char *value, *why;
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            help(cmd, flags, n);
        if (strcmp(argv[i], "--") == 0) {
            while (++i < argc)
                argv[++others] = argv[i];
            break;
        }
        if (argv[i][0] != '-' || argv[i][1] == '\0') {
            argv[++others] = argv[i];
            continue;
        }
        const struct flag *f = find_flag(flags, n, argv[i], &value);
        if (f == NULL)
            bad_flag(cmd, argv[i], "there is no such flag");
        if (value == NULL && f->type == FLAG_BOOL)
            value = "true";
        else if (value == NULL && i + 1 < argc)
            value = argv[++i];
        else if (value == NULL)
            bad_flag(cmd, argv[i], "needs a value");
        why = set_flag(f, value);
        if (why != NULL)
            bad_flag(cmd, f->name, why);
    }
    return others;
}
