/* test/api/pod_rules_test.c: what everyone must answer alike about pods. */
#include <stdlib.h>
#include "api/pod_rules.h"
#include "test/test.h"

static struct json *parse(struct arena *a, const char *text)
{
    char             *z = arena_cstr(a, str_of(text));
    struct json      *j = NULL;
    struct json_error err;

    for (char *p = z; *p != '\0'; p++)
        if (*p == '\'')
            *p = '"';
    CHECK_INT(json_parse(a, str_of(z), &j, &err), 0);
    return j;
}

TEST(ended)
{
    static const struct { const char *pod; bool ended; } of[] = {
        { "{}", false }, { "{'status':{'phase':'Pending'}}", false }, { "{'status':{'phase':'Running'}}", false },
        { "{'status':{'phase':'Unknown'}}", false }, { "{'status':{'phase':7}}", false },
        { "{'status':{'phase':'Succeeded'}}", true }, { "{'status':{'phase':'Failed'}}", true },
    };
    struct arena a = ARENA_INIT;

    for (size_t i = 0; i < ARRAY_LEN(of); i++)
        CHECK_INT(pod_has_ended(parse(&a, of[i].pod)), of[i].ended);
    arena_release(&a);
}

TEST(tolerations_and_how_long)
{
    static const struct { const char *toleration; bool covers; int64_t bears; } of[] = {
        { "{'operator':'Exists'}", true, -1 },
        { "{'operator':'Exists','effect':'NoSchedule'}", false, 0 },
        { "{'key':'k','value':'v'}", true, -1 },
        { "{'key':'k','operator':'Equal','value':'v','tolerationSeconds':7}", true, 7 },
        { "{'key':'k','operator':'Exists','tolerationSeconds':-3}", true, 0 },
        { "{'key':'k','value':'w'}", false, 0 },
        { "{'key':'other','operator':'Exists'}", false, 0 },
        { "{'value':'v'}", false, 0 },           /* no key needs Exists */
        { "{}", false, 0 },
        { "{'operator':'Exists','tolerationSeconds':9},{'key':'k','operator':'Exists','tolerationSeconds':4},"
          "{'key':'k','operator':'Exists'}", true, 4 },
    };
    struct arena a = ARENA_INIT;
    struct json *taint = parse(&a, "{'key':'k','value':'v','effect':'NoExecute'}");

    for (size_t i = 0; i < ARRAY_LEN(of); i++) {
        char text[400];
        snprintf(text, sizeof text, "{'tolerations':[%s]}", of[i].toleration);
        CHECK_INT(pod_tolerates(parse(&a, text), taint), of[i].covers);
        CHECK_INT(pod_bears(parse(&a, text), taint), of[i].bears);
    }
    CHECK(!pod_tolerates(parse(&a, "{}"), taint));
    arena_release(&a);
}
