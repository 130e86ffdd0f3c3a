/* test/api/schemagen_test.c: the generator refuses schema files that make no sense, and says where.  Runs build/schemagen, which
 * is there whenever the tables are. */
#include <unistd.h>
#include "test/test.h"

#define PACKAGE "package p io.p group=p version=v1\n"
#define TYPE PACKAGE "type X\n    | An X.\n"

/* What build/schemagen prints about this text; "" when it accepts it. */
static struct str generate(char *out, size_t size, const char *text)
{
    const char *dir = test_dir();
    char path[512], command[5200], here[4096];
    size_t n = 0;
    FILE *f;

    must(getcwd(here, sizeof(here)) != NULL);
    snprintf(path, sizeof(path), "%s/x.schema", dir);
    f = fopen(path, "w");
    must(f != NULL);
    fputs(text, f);
    fclose(f);
    snprintf(command, sizeof(command), "cd '%s' && '%s/build/schemagen' . x.schema 2>&1", dir, here);
    f = popen(command, "r");
    must(f != NULL);
    n = fread(out, 1, size - 1, f);
    pclose(f);
    return str_trim(str_make(out, n));
}

TEST(mistakes_are_told_with_their_place)
{
    static const struct { const char *text, *error; } bad[] = {
        { "type X\n", "x.schema:1: package must come first" },
        { "packet p\n", "x.schema:1: package must come first" },
        { PACKAGE "type X\n    a int32 1 | d\n", "x.schema:2: X has no description" },
        { TYPE "    a nope 1 | d\n", "x.schema:4: nope: no such type" },
        { TYPE "    a int32 1\n", "x.schema:4: no description" },
        { TYPE "    a int32 one | d\n", "x.schema:4: one: a protobuf number expected" },
        { TYPE "    a int32 1 | d\n    a int32 2 | d\n", "x.schema:5: field a is there already" },
        { TYPE "    a int32 1 | d\n    b int32 1 | d\n", "x.schema:5: protobuf number 1 is that of a already" },
        { TYPE "    a int32 1 default=\"x\" | d\n", "x.schema:4: default=\"x\" is not an integer" },
        { TYPE "    a int32 1 colour=red | d\n", "x.schema:4: colour=red: no such attribute" },
        { TYPE "    a []X 1 merge=b | d\n", "x.schema:4: merge=b: X has no such field" },
        { TYPE "    a quantity 1 min=1 | d\n", "x.schema:4: the only bound of a quantity is min=0" },
        { TYPE "    @oneof a b none=m\n    a string 1 | d\n", "x.schema:2: @oneof: X has no field b" },
        { TYPE "    a string 1 maxitems=1 | d\n", "x.schema:4: minitems and maxitems are for lists" },
        { "package p io.p group=p version=v1 order=first\n", "x.schema:1: first: a place in the order expected" },
        { TYPE "    a string 1 min=1 | d\n", "x.schema:4: min and max are for integers" },
        { TYPE "    @inline X 1\n", "x.schema:2: X is inlined into itself" },
        { TYPE "    @column A string - x\n", "x.schema:4: @column must follow @resource" },
        { TYPE "    a E 1 default=\"c\" | d\nenum E a b\n", "x.schema:4: default=\"c\" is not one of E" },
        { TYPE "    a string 1 default=\"c | d\n", "x.schema:4: a quote is not closed" },
        { PACKAGE "kind X\n    | An X.\n    @resource xs singular=x verbs=fly\n", "x.schema:4: fly: no such verb" },
        { PACKAGE "type X\n    | An X. \\\n", "x.schema:3: the last line ends with a \\" },
    };
    char out[1024];

    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        CHECK_STR(generate(out, sizeof(out), bad[i].text), bad[i].error);
    CHECK_STR(generate(out, sizeof(out), "/nothing/like/this"), "x.schema:1: package must come first");
}

TEST(a_small_schema_is_accepted)
{
    char out[1024];

    CHECK_STR(generate(out, sizeof(out), TYPE "    a []X 1 merge=b keys=b | d\n    b string 2 | d\n"), "");
}
