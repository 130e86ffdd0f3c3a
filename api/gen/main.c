/* api/gen/main.c: build/schemagen DIR FILE...: schema files become DIR/schema_tables.c. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include "api/gen/gen.h"

void fail(struct where at, const char *fmt, ...)
{
    va_list ap;

    fprintf(stderr, "%s:%d: ", at.file, at.line);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
    exit(1);
}

void *more(void *p, size_t n, size_t size)
{
    if ((n & (n - 1)) == 0)                      /* grow whenever n is 0 or a power of two */
        p = realloc(p, (n == 0 ? 1 : 2 * n) * size);
    if (p == NULL)
        abort();
    memset((char *)p + n * size, 0, size);
    return p;
}

char *text_copy(const char *z)
{
    char *p = strdup(z);

    if (p == NULL)
        abort();
    return p;
}

int main(int argc, char **argv)
{
    struct schema s = { 0 };
    char path[4096], tmp[4096 + 8];
    FILE *out;

    if (argc < 3) {
        fprintf(stderr, "usage: schemagen DIR FILE...\n");
        return 2;
    }
    for (int i = 2; i < argc; i++)
        parse_file(&s, argv[i]);
    check_schema(&s);

    snprintf(path, sizeof(path), "%s/schema_tables.c", argv[1]);
    snprintf(tmp, sizeof(tmp), "%s.tmp", path);
    out = fopen(tmp, "w");
    if (out == NULL) {
        perror(tmp);
        return 1;
    }
    emit_schema(&s, out);
    if (fclose(out) != 0 || rename(tmp, path) != 0) {
        perror(path);
        return 1;
    }
    return 0;
}
