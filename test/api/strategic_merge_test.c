/* test/api/strategic_merge_test.c: strategic merge patches, as kubectl makes them and as attackers would. */
#include "test/api/api_fixture.h"

static void merge(int line, const char *group, const char *name, const char *cur, const char *patch, const char *want)
{
    struct arena a = ARENA_INIT;
    struct errbuf err = { "" };
    struct json *ret = NULL;
    int rc = schema_strategic_merge(kind(group, name)->type, parse(&a, cur), parse(&a, patch), &a, &ret, &err);

    if (rc < 0)
        test_fail(__FILE__, line, "%s", err.s);
    else if (!str_eq(text_of(&a, ret), unquote(&a, want)))
        test_fail(__FILE__, line, "is\n  %.*s\nnot\n  %s", STR_ARG(text_of(&a, ret)), want);
    arena_release(&a);
}

static void refuse(int line, const char *cur, const char *patch, const char *error)
{
    struct arena a = ARENA_INIT;
    struct errbuf err = { "" };
    struct json *ret;

    if (schema_strategic_merge(kind("", "Pod")->type, parse(&a, cur), parse(&a, patch), &a, &ret, &err) != E_INVALID
        || strcmp(err.s, error) != 0)
        test_fail(__FILE__, line, "\"%s\", not \"%s\"", err.s, error);
    arena_release(&a);
}

#define POD(cur, patch, want) merge(__LINE__, "", "Pod", cur, patch, want)
#define DEPLOY(cur, patch, want) merge(__LINE__, "apps", "Deployment", cur, patch, want)
#define SPEC(x) "{'spec':" x "}"

TEST(objects_merge_and_nulls_delete)
{
    POD("{'metadata':{'labels':{'a':'1','b':'2'}}}", "{'metadata':{'labels':{'b':null,'c':'3','d':null}}}",
        "{'metadata':{'labels':{'a':'1','c':'3'}}}");
    POD("{'spec':{'nodeName':'x'}}", "{'spec':null}", "{}");
    POD("{}", "{'spec':{'securityContext':{'runAsUser':null,'runAsGroup':1},'nodeName':null}}", "{'spec':{'securityContext':{'runAsGroup':1}}}");
    POD("{'spec':{'hostname':'a','priority':1}}", "{'spec':{'priority':2}}", "{'spec':{'hostname':'a','priority':2}}");
}

TEST(lists_merge_by_key)
{
    POD(SPEC("{'containers':[{'name':'a','image':'1','args':['x']},{'name':'b','image':'1'}]}"),
        SPEC("{'containers':[{'name':'b','image':'2'}]}"),
        SPEC("{'containers':[{'name':'a','image':'1','args':['x']},{'name':'b','image':'2'}]}"));
    /* a new one goes first, as everybody who ever patched a Deployment knows */
    POD(SPEC("{'containers':[{'name':'a'}]}"), SPEC("{'containers':[{'name':'b'}]}"), SPEC("{'containers':[{'name':'b'},{'name':'a'}]}"));
    /* atomic lists are replaced */
    POD(SPEC("{'tolerations':[{'key':'a'},{'key':'b'}]}"), SPEC("{'tolerations':[{'key':'c'}]}"), SPEC("{'tolerations':[{'key':'c'}]}"));
    POD(SPEC("{'containers':[{'name':'a','args':['x','y']}]}"), SPEC("{'containers':[{'name':'a','args':['z']}]}"),
        SPEC("{'containers':[{'name':'a','args':['z']}]}"));
    /* merge keys that are numbers */
    merge(__LINE__, "", "Service", SPEC("{'ports':[{'port':80,'name':'a'},{'port':90}]}"), SPEC("{'ports':[{'port':80,'name':'b'}]}"),
          SPEC("{'ports':[{'port':80,'name':'b'},{'port':90}]}"));
    /* of equal keys the first is meant */
    POD(SPEC("{'containers':[{'name':'a','env':[{'name':'E','value':'1'},{'name':'E','value':'2'}]}]}"),
        SPEC("{'containers':[{'name':'a','env':[{'name':'E','value':'3'}]}]}"),
        SPEC("{'containers':[{'name':'a','env':[{'name':'E','value':'3'},{'name':'E','value':'2'}]}]}"));
    POD("{'status':{'conditions':[{'type':'Ready','status':'False'}]}}",
        "{'status':{'conditions':[{'type':'Ready','status':'True'},{'type':'X','status':'True'}]}}",
        "{'status':{'conditions':[{'type':'Ready','status':'True'},{'type':'X','status':'True'}]}}");
}

TEST(plain_lists_merge_as_sets)
{
    POD("{'metadata':{'finalizers':['a','b']}}", "{'metadata':{'finalizers':['b','c']}}", "{'metadata':{'finalizers':['a','b','c']}}");
    POD("{'metadata':{'finalizers':['a','b','c','b']}}", "{'metadata':{'$deleteFromPrimitiveList/finalizers':['b','x']}}",
        "{'metadata':{'finalizers':['a','c']}}");
    POD("{'metadata':{'name':'x'}}", "{'metadata':{'$deleteFromPrimitiveList/finalizers':['b']}}", "{'metadata':{'name':'x'}}");
}

TEST(patch_directives)
{
    POD(SPEC("{'containers':[{'name':'a'},{'name':'b'}]}"), SPEC("{'containers':[{'name':'a','$patch':'delete'}]}"),
        SPEC("{'containers':[{'name':'b'}]}"));
    POD(SPEC("{'containers':[{'name':'a'},{'name':'b'}]}"), SPEC("{'containers':[{'name':'c'},{'$patch':'replace'}]}"),
        SPEC("{'containers':[{'name':'c'}]}"));
    POD(SPEC("{'containers':[{'name':'a','resources':{'limits':{'cpu':'1'},'requests':{'cpu':'1'}}}]}"),
        SPEC("{'containers':[{'name':'a','resources':{'$patch':'replace','limits':{'cpu':'2'}}}]}"),
        SPEC("{'containers':[{'name':'a','resources':{'limits':{'cpu':'2'}}}]}"));
    DEPLOY(SPEC("{'strategy':{'type':'RollingUpdate'},'replicas':1}"), SPEC("{'strategy':{'$patch':'delete'}}"), SPEC("{'strategy':{},'replicas':1}"));
    /* in what is new, directives and what they delete vanish */
    POD("{}", SPEC("{'containers':[{'name':'a'},{'name':'b','$patch':'delete'}],'$setElementOrder/containers':[{'name':'a'}],"
                   "'$retainKeys':['containers']}"), SPEC("{'containers':[{'name':'a'}]}"));
}

TEST(retain_keys)
{
    DEPLOY(SPEC("{'strategy':{'type':'RollingUpdate','rollingUpdate':{'maxSurge':1}},'replicas':2}"),
           SPEC("{'strategy':{'$retainKeys':['type'],'type':'Recreate'}}"), SPEC("{'strategy':{'type':'Recreate'},'replicas':2}"));
    POD(SPEC("{'volumes':[{'name':'v','emptyDir':{}},{'name':'w','emptyDir':{}}]}"),
        SPEC("{'volumes':[{'$retainKeys':['name','hostPath'],'name':'v','hostPath':{'path':'/'}}]}"),
        SPEC("{'volumes':[{'name':'v','hostPath':{'path':'/'}},{'name':'w','emptyDir':{}}]}"));
    /* taken away and given anew at once */
    DEPLOY(SPEC("{'strategy':{'type':'a'}}"), SPEC("{'strategy':{'$retainKeys':['rollingUpdate'],'rollingUpdate':{'maxSurge':1}}}"),
           SPEC("{'strategy':{'rollingUpdate':{'maxSurge':1}}}"));
}

TEST(element_order)
{
    static const char abc[] = SPEC("{'containers':[{'name':'a'},{'name':'b'},{'name':'c'}]}");

    POD(abc, SPEC("{'$setElementOrder/containers':[{'name':'c'},{'name':'a'},{'name':'b'}]}"),
        SPEC("{'containers':[{'name':'c'},{'name':'a'},{'name':'b'}]}"));
    POD(abc, SPEC("{'$setElementOrder/containers':[{'name':'a'},{'name':'d'},{'name':'c'}],'containers':[{'name':'d'}]}"),
        SPEC("{'containers':[{'name':'a'},{'name':'d'},{'name':'b'},{'name':'c'}]}"));
    POD(abc, SPEC("{'$setElementOrder/containers':[{'name':'c'}],'containers':[{'name':'a','$patch':'delete'}]}"),
        SPEC("{'containers':[{'name':'b'},{'name':'c'}]}"));
    POD("{'metadata':{'finalizers':['x','y','z']}}", "{'metadata':{'$setElementOrder/finalizers':['z','w','x'],'finalizers':['w'],"
        "'$deleteFromPrimitiveList/finalizers':['y']}}", "{'metadata':{'finalizers':['z','w','x']}}");
    /* kubectl apply sends the order even where nothing else changes */
    POD("{'spec':{}}", SPEC("{'$setElementOrder/containers':[{'name':'c'}]}"), SPEC("{}"));
    POD("{'spec':{}}", SPEC("{'$setElementOrder/containers':[{'name':'c'}],'containers':[{'name':'c','x':null}]}"),
        SPEC("{'containers':[{'name':'c'}]}"));
}

TEST(what_makes_no_sense_is_refused)
{
    refuse(__LINE__, SPEC("{'containers':[{'name':'a'}]}"), SPEC("{'containers':[{'image':'x'}]}"),
           "map does not contain declared merge key: \"name\"");
    refuse(__LINE__, SPEC("{'containers':[{'name':'a'}]}"), SPEC("{'containers':['x']}"), "an object is expected in the list: \"containers\"");
    refuse(__LINE__, SPEC("{'containers':[{'name':'a'}]}"), SPEC("{'containers':[{'name':{}}]}"), "a merge key must be a plain value: \"name\"");
    refuse(__LINE__, SPEC("{'containers':[{'name':'a'}]}"), SPEC("{'containers':[{'name':'a','$patch':'burn'}]}"),
           "unknown patch type found: \"burn\"");
    refuse(__LINE__, SPEC("{'containers':[{'name':'a'}]}"), SPEC("{'containers':[{'$patch':'delete'}]}"),
           "map does not contain declared merge key: \"name\"");
    refuse(__LINE__, "{}", "{'$patch':'burn'}", "unknown patch type found: \"burn\"");
    refuse(__LINE__, "{'spec':{}}", SPEC("{'$retainKeys':['a'],'b':1}"), "not in the $retainKeys of its object: \"b\"");
    refuse(__LINE__, "{'spec':{}}", SPEC("{'$retainKeys':'a'}"), "a list is expected: \"$retainKeys\"");
    refuse(__LINE__, "{'spec':{}}", SPEC("{'$setElementOrder/hostname':['a']}"), "not a list that is merged: \"hostname\"");
    refuse(__LINE__, SPEC("{'containers':[{'name':'a'}]}"),
           SPEC("{'$setElementOrder/containers':[{'name':'b'},{'name':'a'}],'containers':[{'name':'a'},{'name':'b'}]}"),
           "the order in the patch list doesn't match $setElementOrder: \"containers\"");
    refuse(__LINE__, SPEC("{'containers':[]}"), SPEC("{'$deleteFromPrimitiveList/containers':['a']}"),
           "not a list of plain values that is merged: \"containers\"");
}

TEST(free_form_json_is_merged_as_such)
{
    merge(__LINE__, "apps", "ControllerRevision", "{'data':{'a':{'b':1,'c':[1]}}}", "{'data':{'a':{'b':null,'c':[2]},'$patch':'x'}}",
          "{'data':{'a':{'c':[2]},'$patch':'x'}}");
}

/* What a client can choose to be large must not cost more than its size. */
TEST(large_lists_are_not_quadratic)
{
    struct arena a = ARENA_INIT;
    struct buf cur = BUF_INIT, patch = BUF_INIT, burn = BUF_INIT;
    struct json *ret, *c, *p;
    double t;

    buf_z(&cur, "{'spec':{'containers':[{'name':'same'}");
    buf_z(&patch, "{'spec':{'$setElementOrder/containers':[{'name':'n0'}");
    buf_z(&burn, "{'spec':{'containers':[{'name':'x','$patch':'delete'}");
    for (int i = 0; i < 30000; i++) {
        buf_fmt(&cur, ",{'name':'%s%d'}", i % 2 ? "same" : "n", i % 2 ? 0 : i);
        buf_fmt(&patch, ",{'name':'n%d'}", i + 1);
        buf_z(&burn, ",{'name':'same0','$patch':'delete'}");
    }
    buf_z(&patch, "],'containers':[{'name':'n0'}");
    for (int i = 0; i < 30000; i++)
        buf_fmt(&patch, ",{'name':'n%d','image':'x'}", i + 1);
    buf_z(&cur, "]}}");
    buf_z(&patch, "]}}");
    buf_z(&burn, "]}}");
    buf_char(&cur, '\0'); buf_char(&patch, '\0'); buf_char(&burn, '\0');
    c = parse(&a, cur.p);
    p = parse(&a, patch.p);
    t = seconds();
    CHECK_INT(schema_strategic_merge(kind("", "Pod")->type, c, p, &a, &ret, NULL), 0);
    CHECK_INT(json_path(ret, "spec.containers")->n, 30001 + 15001);
    p = parse(&a, burn.p);
    CHECK_INT(schema_strategic_merge(kind("", "Pod")->type, c, p, &a, &ret, NULL), 0);
    CHECK_INT(json_path(ret, "spec.containers")->n, 30001 + 1);
    CHECK(seconds() - t < 3);
    buf_release(&cur); buf_release(&patch); buf_release(&burn);
    arena_release(&a);
}

TEST(speed_on_a_2k_pod)
{
    struct arena a = ARENA_INIT, b = ARENA_INIT;
    struct json *cur = parse(&a, pod_2k), *ret;
    struct json *patch = parse(&a, "{'spec':{'$setElementOrder/containers':[{'name':'web'}],'containers':[{'name':'web','image':'new'}]},"
                                   "'status':{'conditions':[{'type':'Ready','status':'True'}],'phase':'Running'}}");
    int n = 20000;
    double t = seconds();

    for (int i = 0; i < n; i++) {
        arena_reset(&b);
        CHECK_INT(schema_strategic_merge(kind("", "Pod")->type, json_copy(&b, cur), patch, &b, &ret, NULL), 0);
    }
    t = (seconds() - t) / n * 1e6;
    printf("copy of a pod of %zu bytes and strategic merge: %.2f us\n", sizeof(pod_2k), t);
    CHECK(t < 100);
    arena_release(&a);
    arena_release(&b);
}
