/* test/node/volumes_test.c: volumes made of API data, in a real directory, with the API in the simulated
 * world. */
#include <sys/mount.h>
#include <sys/stat.h>
#include "node/files.h"
#include "test/node/agent_rig.h"

/* What a file of a volume holds; "-": there is none. */
static struct str volume_file(struct node_rig *n, const char *pod, const char *path)
{
    static char text[4096];
    struct file_path p;
    struct buf b = BUF_INIT;
    struct answer a = pod_get(n, pod);

    must_ok(file_path(&p, NULL, "%s/pods/%.*s/volumes/%s", n->root,
                      STR_ARG(json_path_str(a.obj, "metadata.uid")), path));
    answer_free(&a);
    if (file_read(p.s, sizeof text, &b, NULL) != 0)
        return STR("-");
    must(b.n < sizeof text);
    if (b.n > 0)
        memcpy(text, b.p, b.n);
    struct str s = str_make(text, b.n);
    buf_release(&b);
    return s;
}

static unsigned volume_mode(struct node_rig *n, const char *pod, const char *path)
{
    struct file_path p;
    struct stat st;
    struct answer a = pod_get(n, pod);

    must_ok(file_path(&p, NULL, "%s/pods/%.*s/volumes/%s", n->root,
                      STR_ARG(json_path_str(a.obj, "metadata.uid")), path));
    answer_free(&a);
    return stat(p.s, &st) == 0 ? st.st_mode & 07777 : 0;
}

static unsigned volume_group(struct node_rig *n, const char *pod, const char *path)
{
    struct file_path p;
    struct stat st;
    struct answer a = pod_get(n, pod);

    must_ok(file_path(&p, NULL, "%s/pods/%.*s/volumes/%s", n->root,
                      STR_ARG(json_path_str(a.obj, "metadata.uid")), path));
    answer_free(&a);
    return stat(p.s, &st) == 0 ? st.st_gid : ~0u;
}

static bool root_only(void)
{
    if (geteuid() != 0)
        printf("skipped: not root\n");
    return geteuid() == 0;
}

#define MAPS "/api/v1/namespaces/default/configmaps"
#define SECRETS "/api/v1/namespaces/default/secrets"
#define C(mounts) "'containers':[{'name':'c','image':'i','volumeMounts':[" mounts "]}]"

TEST(config_maps_are_files_that_change_with_them)
{
    struct node_rig *n = node_rig_open();

    CALL(n->r, 201, "POST", MAPS,
         "{'metadata':{'name':'m'},'data':{'a':'1','b':'2'},'binaryData':{'bin':'AAEC'}}");
    pod_create(n, "p", C("{'name':'v','mountPath':'/v'},{'name':'w','mountPath':'w','subPath':'x/y'}")
               ",'volumes':[{'name':'v','configMap':{'name':'m','defaultMode':256}},"
               "{'name':'w','configMap':{'name':'m','items':[{'key':'a','path':'x/y','mode':288}]}}]");
    rig_run(n->r, 100);
    CHECK_POD(n, "p", "phase", "Running");
    CHECK_STR(volume_file(n, "p", "v/a"), "1");
    CHECK_STR(volume_file(n, "p", "v/b"), "2");
    CHECK_STR(volume_file(n, "p", "w/x/y"), "1");
    CHECK_STR(volume_file(n, "p", "w/a"), "-");
    CHECK_INT(volume_file(n, "p", "v/bin").n, 3);
    CHECK_INT(volume_mode(n, "p", "v/a"), 0400);
    CHECK_INT(volume_mode(n, "p", "w/x/y"), 0440);
    const char *m = fake_run(n->f, "c")->mounts;
    CHECK(strstr(m, "/volumes/v:/v::ro;") != NULL);
    CHECK(strstr(m, "/volumes/w:/w:x/y:ro;") != NULL);
    CALL(n->r, 200, "PUT", MAPS "/m", "{'metadata':{'name':'m'},'data':{'a':'3','c':'4'}}");
    rig_run(n->r, 50);
    CHECK_STR(volume_file(n, "p", "v/a"), "3");
    CHECK_STR(volume_file(n, "p", "v/b"), "-");
    CHECK_STR(volume_file(n, "p", "v/c"), "4");
    CHECK_STR(volume_file(n, "p", "w/x/y"), "3");
    CALL(n->r, 200, "DELETE", MAPS "/m", NULL);
    rig_run(n->r, 50);
    CHECK_STR(volume_file(n, "p", "v/a"), "3");  /* what runs keeps what it has */
    ct_end(n, "c", 1);
    CHECK_POD(n, "p", CT("restartCount"), "1");
    node_rig_close(n);
}

TEST(what_is_missing_is_waited_for_unless_it_is_optional)
{
    struct node_rig *n = node_rig_open();

    pod_create(
        n, "opt",
        "'containers':[{'name':'o','image':'i'}],'volumes':[{'name':'v','configMap':{'name':'none','optional':true}},"
        "{'name':'s','secret':{'secretName':'none','optional':true}}]");
    pod_create(
        n, "p",
        C("{'name':'v','mountPath':'/v'}") ",'volumes':[{'name':'v','configMap':{'name':'m','items':[{'key':'k','path':'f'}]}}]");
    rig_run(n->r, 100);
    if (geteuid() == 0)
        CHECK_POD(n, "opt", "phase", "Running");
    CHECK_POD(n, "p", CT("state.waiting.reason"), "ContainerCreating");
    CHECK_INT(n_events(n, "FailedMount", "configmap"), 0);
    rig_run(n->r, 10100);
    CHECK_INT(n_events(n, "FailedMount", "configmap \"m\" not found"), 1);
    CALL(n->r, 201, "POST", MAPS, "{'metadata':{'name':'m'},'data':{'x':'1'}}");
    rig_run(n->r, 10100);
    CHECK_INT(n_events(n, "FailedMount", "references non-existent key k"), 1);
    CALL(n->r, 200, "PUT", MAPS "/m", "{'metadata':{'name':'m'},'data':{'k':'now'}}");
    rig_run(n->r, 100);
    CHECK_POD(n, "p", "phase", "Running");
    CHECK_STR(volume_file(n, "p", "v/f"), "now");
    node_rig_close(n);
}

TEST(hostile_paths_stay_inside)
{
    static const char *const paths[] = { "../x", "/x", "a/../../x", "..data", "a//b", "..", "a/..1/b" };
    struct node_rig *n = node_rig_open();
    char spec[400], name[8];

    CALL(n->r, 201, "POST", MAPS, "{'metadata':{'name':'m'},'data':{'k':'1'}}");
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        snprintf(
            spec, sizeof spec,
            "{'metadata':{'name':'p%zu'},'spec':{'nodeName':'n1'," C(
                "") ",'volumes':[{'name':'v','configMap':{'name':'m','items':[{'key':'k','path':'%s'}]}}]}}",
            i, paths[i]);
        struct answer a = call(n->r, "POST", PODS, spec);
        snprintf(name, sizeof name, "p%zu", i);
        rig_run(n->r, 100);
        if (a.status == 201)                     /* what the API lets through, the node does not */
            CHECK_POD(n, name, "phase", "Pending");
        else
            CHECK_INT(a.status, 422);
        answer_free(&a);
    }
    node_rig_close(n);
}

TEST(secrets_and_projections_live_in_memory_and_leave_no_mount)
{
    struct node_rig *n;
    struct file_path dir;

    if (!root_only())
        return;
    n = node_rig_open();
    CALL(n->r, 201, "POST", SECRETS, "{'metadata':{'name':'s'},'data':{'k':'c2VjcmV0'}}");
    pod_create(
        n, "p",
        "'volumes':[{'name':'s','secret':{'secretName':'s'}},{'name':'all','projected':{'defaultMode':256,'sources':["
        "{'serviceAccountToken':{'path':'token','expirationSeconds':600}},{'secret':{'name':'s','items':[{'key':'k','path':'d/k'}]}},"
        "{'downwardAPI':{'items':[{'path':'labels','fieldRef':{'fieldPath':'metadata.labels'}},"
        "{'path':'cpu','resourceFieldRef':{'containerName':'c','resource':'limits.cpu'}}]}}]}},"
        "{'name':'m','emptyDir':{'medium':'Memory'}},{'name':'e','emptyDir':{}}]," C(
            "{'name':'e','mountPath':'/e'}"));
    rig_run(n->r, 200);
    CHECK_POD(n, "p", "phase", "Running");
    CHECK_STR(volume_file(n, "p", "s/k"), "secret");
    CHECK_STR(volume_file(n, "p", "all/d/k"), "secret");
    CHECK_STR(volume_file(n, "p", "all/labels"), "app=\"x\"");
    CHECK_STR(volume_file(n, "p", "all/cpu"), "2");
    CHECK_INT(volume_mode(n, "p", "all/token"), 0400);
    CHECK_INT(volume_mode(n, "p", "e"), 0777);
    CHECK(strstr(fake_run(n->f, "c")->mounts, "/volumes/e:/e:;") != NULL);
    char first[2048];
    struct str token = volume_file(n, "p", "all/token");
    CHECK(token.n > 100);
    snprintf(first, sizeof first, "%.*s", STR_ARG(token));
    rig_run(n->r, 470 * 1000);
    CHECK_STR(volume_file(n, "p", "all/token"), first);
    rig_run(n->r, 15 * 1000);                    /* four fifths of its life */
    token = volume_file(n, "p", "all/token");
    CHECK(token.n > 100 && !str_is(token, first));
    n->r->type = "application/merge-patch+json";
    CALL(n->r, 200, "PATCH", PODS "/p", "{'metadata':{'labels':{'app':'y'}}}");
    n->r->type = NULL;
    rig_run(n->r, 50);
    CHECK_STR(volume_file(n, "p", "all/labels"), "app=\"y\"");
    CHECK_STR(volume_file(n, "p", "all/d/k"), "secret");
    struct answer a = pod_get(n, "p");
    must_ok(file_path(&dir, NULL, "%s/pods/%.*s", n->root, STR_ARG(json_path_str(a.obj, "metadata.uid"))));
    answer_free(&a);
    CHECK(file_exists(dir.s));
    node_down(n);                                /* an agent that does not know what was mounted */
    node_up(n);
    rig_run(n->r, 100);
    pod_delete(n, "p", -1);
    rig_run(n->r, 200);
    CHECK(pod_gone(n, "p"));
    CHECK(!file_exists(dir.s));
    node_rig_close(n);
}

TEST(directories_of_pods_that_are_gone_are_swept)
{
    struct node_rig *n = node_rig_open();
    struct file_path p;

    node_down(n);
    must_ok(file_path(&p, NULL, "%s/pods/some-uid/volumes/v", n->root));
    must_ok(file_mkdirs(p.s, 0755, NULL));
    if (geteuid() == 0)
        must_ok(mount("tmpfs", p.s, "tmpfs", 0, NULL));
    node_up(n);
    rig_run(n->r, 100);
    must_ok(file_path(&p, NULL, "%s/pods/some-uid", n->root));
    CHECK(!file_exists(p.s));
    node_rig_close(n);
}

TEST(host_paths_of_the_type_that_is_asked_for)
{
    struct node_rig *n = node_rig_open();
    char spec[1024];

    snprintf(spec, sizeof spec,
             "'volumes':[{'name':'h','hostPath':{'path':'%s/made/dir','type':'DirectoryOrCreate'}},"
             "{'name':'f','hostPath':{'path':'%s/made/file','type':'FileOrCreate'}}]," C(
                 "{'name':'h','mountPath':'/h','readOnly':true}"),
             n->root, n->root);
    pod_create(n, "p", spec);
    rig_run(n->r, 100);
    CHECK_POD(n, "p", "phase", "Running");
    CHECK(strstr(fake_run(n->f, "c")->mounts, "/made/dir:/h::ro;") != NULL);
    snprintf(spec, sizeof spec,
             "'volumes':[{'name':'h','hostPath':{'path':'%s/made/dir','type':'File'}}]," C(""), n->root);
    pod_create(n, "q", spec);
    rig_run(n->r, 100);
    CHECK_POD(n, "q", CT("state.waiting.reason"), "ContainerCreating");
    CHECK(n_events(n, "FailedMount", "is not a file") > 0);
    node_rig_close(n);
}

TEST(sub_path_expressions)
{
    struct node_rig *n = node_rig_open();

    pod_create(
        n, "p",
        "'volumes':[{'name':'e','emptyDir':{}}],'containers':[{'name':'c','image':'i','env':[{'name':'N','valueFrom':"
        "{'fieldRef':{'fieldPath':'metadata.name'}}}],'volumeMounts':[{'name':'e','mountPath':'/e','subPathExpr':'logs/$(N)'}]}]");
    pod_create(n, "q", "'volumes':[{'name':'e','emptyDir':{}}],'containers':[{'name':'d','image':'i',"
               "'volumeMounts':[{'name':'e','mountPath':'/e','subPathExpr':'$(NO)'}]}]");
    rig_run(n->r, 100);
    CHECK(strstr(fake_run(n->f, "c")->mounts, ":/e:logs/p;") != NULL);
    CHECK_POD(n, "q", CT("state.waiting.reason"), "CreateContainerConfigError");
    node_rig_close(n);
}

TEST(the_pods_group_owns_its_volumes_but_no_directory_of_the_host)
{
    struct node_rig *n = node_rig_open();
    char spec[2048];
    struct stat st;

    if (!root_only()) {
        node_rig_close(n);
        return;
    }
    CALL(n->r, 201, "POST", MAPS, "{'metadata':{'name':'m'},'data':{'a':'1'}}");
    snprintf(spec, sizeof spec, C("{'name':'v','mountPath':'/v'},{'name':'e','mountPath':'/e'},{'name':'h','mountPath':'/h'}")
             ",'securityContext':{'fsGroup':4321},'volumes':[{'name':'v','configMap':{'name':'m','defaultMode':256}},"
             "{'name':'e','emptyDir':{}},{'name':'h','hostPath':{'path':'%s/theirs'}}]", n->root);
    pod_create(n, "p", spec);
    rig_run(n->r, 100);
    CHECK_INT(volume_group(n, "p", "v/a"), 4321);
    CHECK_INT(volume_mode(n, "p", "v/a"), 0440);
    CHECK_INT(volume_group(n, "p", "e"), 4321);
    CHECK_INT(volume_mode(n, "p", "e"), 02777);
    snprintf(spec, sizeof spec, "%s/theirs", n->root);
    CHECK_INT(stat(spec, &st), 0);
    CHECK_INT(st.st_gid, 0);
    node_rig_close(n);
}
