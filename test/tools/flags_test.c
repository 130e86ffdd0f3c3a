/* test/tools/flags_test.c: every form that a flag may take, and what is refused. */
#include <sys/wait.h>
#include <unistd.h>
#include "test/test.h"
#include "tools/flags.h"

#define MAX_ARGS 80

struct values { const char *text; bool on; int64_t n; uint64_t ms; struct flag_strings many; };

/* In argv form: at most MAX_ARGS words. The words left over stay in argv[1..]. */
static int parse(struct values *v, char **argv)
{
    static const struct command cmd = { "try", "try [flags]", "tries", "Tries.", NULL };
    const struct flag flags[] = {
        { "text", "t", FLAG_STRING, &v->text, "TEXT", "a text" }, { "on", NULL, FLAG_BOOL, &v->on, NULL, "a switch" },
        { "n", NULL, FLAG_INT, &v->n, "N", "a number" }, { "time", NULL, FLAG_DURATION_MS, &v->ms, "TIME", "a time" },
        { "many", "m", FLAG_STRINGS, &v->many, "TEXT", "several" },
    };
    int argc = 0;

    while (argv[argc] != NULL)
        argc++;
    return flags_parse(&cmd, flags, ARRAY_LEN(flags), argc, argv);
}

#define ARGS(...) ((char *[]){ "try", __VA_ARGS__, NULL })

/* The status with which the program ends over these arguments; -1: it goes on. */
static int ends_with(char **argv)
{
    int status = 0;
    pid_t pid = fork();

    if (pid == 0) {
        struct values v = { 0 };
        if (freopen("/dev/null", "w", stdout) == NULL || freopen("/dev/null", "w", stderr) == NULL)
            _exit(99);
        parse(&v, argv);
        _exit(77);
    }
    CHECK(pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status));
    return WEXITSTATUS(status) == 77 ? -1 : WEXITSTATUS(status);
}

TEST(forms)
{
    struct values v = { .text = "before", .n = 5 };
    char **none = ARGS("a");
    char **args = ARGS("x", "--text=1=2", "--n", "-7", "y", "--on", "--time=1m1.5s", "-m", "a", "--many=b", "--", "--z");

    CHECK_INT(parse(&v, none), 1);
    CHECK_STR(str_of(v.text), "before");
    CHECK_INT(v.n, 5);
    CHECK_INT(parse(&v, args), 3);
    CHECK_STR(str_of(args[1]), "x");
    CHECK_STR(str_of(args[2]), "y");
    CHECK_STR(str_of(args[3]), "--z");
    CHECK_STR(str_of(v.text), "1=2");
    CHECK_INT(v.n, -7);
    CHECK(v.on);
    CHECK_INT(v.ms, 61500);
    CHECK_INT(v.many.n, 2);
    CHECK_STR(str_of(v.many.v[1]), "b");
    CHECK_INT(parse(&v, ARGS("--on=false", "--text", "--on", "-")), 1);      /* a value may look like a flag */
    CHECK(!v.on);
    CHECK_STR(str_of(v.text), "--on");
}

TEST(durations)
{
    static const struct { char *text; uint64_t ms; } good[] = {
        { "--time=0s", 0 }, { "--time=500ms", 500 }, { "--time=40s", 40000 }, { "--time=5m", 300000 }, { "--time=1h30m", 5400000 },
    };
    static char *const bad[] = { "--time=", "--time=5", "--time=s", "--time=-1s", "--time=1d", "--time=1s2", "--time=9999999999h",
                                 "--time=nans" };

    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        struct values v = { 0 };
        CHECK_INT(parse(&v, ARGS(good[i].text)), 0);
        CHECK_INT(v.ms, good[i].ms);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        CHECK_INT(ends_with(ARGS(bad[i])), 2);
}

TEST(what_is_refused)
{
    char *often[2 * FLAG_MAX_STRINGS + 4] = { "try" };

    CHECK_INT(ends_with(ARGS("--nothing")), 2);
    CHECK_INT(ends_with(ARGS("--tex=1")), 2);
    CHECK_INT(ends_with(ARGS("--texts=1")), 2);
    CHECK_INT(ends_with(ARGS("--t=1")), 2);
    CHECK_INT(ends_with(ARGS("-text=1")), 2);
    CHECK_INT(ends_with(ARGS("--text")), 2);
    CHECK_INT(ends_with(ARGS("--n=1x")), 2);
    CHECK_INT(ends_with(ARGS("--n=")), 2);
    CHECK_INT(ends_with(ARGS("--n=99999999999999999999")), 2);
    CHECK_INT(ends_with(ARGS("--on=yes")), 2);
    CHECK_INT(ends_with(ARGS("x", "--help")), 0);
    CHECK_INT(ends_with(ARGS("-h")), 0);
    CHECK_INT(ends_with(ARGS("--", "--nothing")), -1);
    for (int i = 0; i < FLAG_MAX_STRINGS; i++)
        often[i + 1] = "-m=x";
    CHECK_INT(ends_with(often), -1);
    often[FLAG_MAX_STRINGS + 1] = "-m=x";
    CHECK_INT(ends_with(often), 2);
}
