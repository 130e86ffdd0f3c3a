/* test/sim/lincheck.c: judges a recorded history: build/test/sim/lincheck FILE...
 *
 * The form is that of test/sim/history.h.  Exit 0: it holds; 1: it is broken, and says where; 2: it cannot be read
 * or was not decided. */
#include <stdio.h>
#include <stdlib.h>
#include "test/sim/history.h"

static bool file_read(const char *name, struct buf *ret)
{
    FILE *f = fopen(name, "r");
    char part[65536];
    size_t n;

    if (f == NULL)
        return false;
    while ((n = fread(part, 1, sizeof part, f)) > 0)
        buf_add(ret, part, n);
    bool ok = ferror(f) == 0;
    fclose(f);
    return ok;
}

static int judge(const char *name)
{
    struct buf text = BUF_INIT;
    struct history h = { .n_op = 0 };
    struct errbuf err = { "" };
    char why[256] = "";
    int rc = 0;

    if (!file_read(name, &text)) {
        fprintf(stderr, "%s cannot be read\n", name);
        rc = 2;
    } else if (history_parse(&h, buf_str(&text), &err) != 0) {
        fprintf(stderr, "%s: %s\n", name, err.s);
        rc = 2;
    } else if (!history_watches_hold(&h, why)) {
        printf("%s: BROKEN: watch: %s\n", name, why);
        rc = 1;
    } else {
        enum linear_verdict v = linear_check(h.op, h.n_op, why);
        printf("%s: %zu operations, %zu lines of watches: %s%s\n", name, h.n_op, h.n_watch,
               (const char *[]){ "holds", "BROKEN: line of ", "not decided: line of " }[v], why);
        rc = v == LINEAR_HOLDS ? 0 : v == LINEAR_BROKEN ? 1 : 2;
    }
    history_release(&h);
    buf_release(&text);
    return rc;
}

int main(int argc, char **argv)
{
    int worst = 0;

    for (int i = 1; i < argc; i++)
        worst = MAX_OF(worst, judge(argv[i]));
    if (argc < 2)
        fprintf(stderr, "usage: lincheck FILE...   (lines of JSON: see test/sim/history.h)\n");
    return argc < 2 ? 2 : worst;
}
