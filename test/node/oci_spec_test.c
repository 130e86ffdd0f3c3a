/* test/node/oci_spec_test.c: the documents we hand to the OCI runtime, and who a container runs as. */
#include <stdlib.h>
#include <sys/stat.h>
#include "api/json.h"
#include "node/files.h"
#include "node/oci_caps.h"
#include "node/oci_spec.h"
#include "test/test.h"

static const struct oci_user nobody = { .uid = 65534, .gid = 7, .groups = { 8, 9 }, .n_groups = 2 };
static const char *const image_env[] = { "A=image", "PATH=/image" };
static const char *const entry[] = { "/entry", "point" };
static const char *const cmd[] = { "cmd" };
static const struct rt_image_info image = {
    .entrypoint = entry, .n_entrypoint = 2, .cmd = cmd, .n_cmd = 1, .env = image_env, .n_env = 2,
    .user = "", .cwd = "/work",
};

static struct arena arena;

static struct json *spec_of(struct rt_container_create *r, struct oci_spec *s, int *ret_rc)
{
    struct buf b = BUF_INIT;
    struct json_error je;
    struct json *doc = NULL;
    struct errbuf err;

    s->req = r;
    s->image = s->image != NULL ? s->image : &image;
    s->user = &nobody;
    s->rootfs = "/r";
    s->cgroup_path = "/coracle/n/pod1/c";
    s->hostname = "host";
    s->holder_pid = 4321;
    *ret_rc = oci_spec_write(&b, s, &err);
    if (*ret_rc == 0)
        must_ok(json_parse(&arena, arena_str(&arena, buf_str(&b)), &doc, &je));
    buf_release(&b);
    return doc;
}

static struct str text_of(const struct json *j)
{
    struct buf b = BUF_INIT;

    json_write(&b, j);
    struct str s = arena_str(&arena, buf_str(&b));
    buf_release(&b);
    return s;
}

#define CHECK_PART(doc, path, text) CHECK_STR(text_of(json_path((doc), (path))), (text))

TEST(plain_container)
{
    struct rt_container_create r = { .resources = { .cpu_shares = 102, .cpu_quota_us = 50000,
                                                    .memory_bytes = 1 << 20, .pids = 64 } };
    struct oci_spec s = { .caps = 1u << 0 | 1u << 10, .limit_swap = true };
    int rc;

    struct json *d = spec_of(&r, &s, &rc);
    CHECK_INT(rc, 0);
    CHECK_PART(d, "process.args", "[\"/entry\",\"point\",\"cmd\"]");
    CHECK_PART(d, "process.env", "[\"PATH=/image\",\"HOSTNAME=host\",\"A=image\"]");
    CHECK_PART(d, "process.cwd", "\"/work\"");
    CHECK_PART(d, "process.user", "{\"uid\":65534,\"gid\":7,\"additionalGids\":[8,9]}");
    CHECK_PART(d, "process.capabilities.effective", "[\"CAP_CHOWN\",\"CAP_NET_BIND_SERVICE\"]");
    CHECK(json_path(d, "process.capabilities.inheritable") == NULL
          && json_path(d, "process.capabilities.ambient") == NULL);
    CHECK_PART(d, "root", "{\"path\":\"/r\",\"readonly\":false}");
    CHECK_PART(d, "linux.namespaces",
               "[{\"type\":\"mount\"},{\"type\":\"pid\"},{\"type\":\"network\",\"path\":\"/proc/4321/ns/net\"},"
               "{\"type\":\"uts\",\"path\":\"/proc/4321/ns/uts\"},{\"type\":\"ipc\",\"path\":\"/proc/4321/ns/ipc\"}]");
    CHECK_PART(d, "linux.resources",
               "{\"devices\":[{\"allow\":false,\"access\":\"rwm\"}],\"cpu\":{\"shares\":102,\"quota\":50000,"
               "\"period\":100000},\"memory\":{\"limit\":1048576,\"swap\":1048576},\"pids\":{\"limit\":64}}");
    CHECK_PART(d, "linux.cgroupsPath", "\"/coracle/n/pod1/c\"");
    CHECK(json_path(d, "linux.maskedPaths")->n > 5 && json_path(d, "linux.readonlyPaths")->n > 3);
    CHECK_PART(d, "mounts.4.options", "[\"nosuid\",\"noexec\",\"nodev\",\"ro\"]");
    CHECK(json_path(d, "linux.devices") == NULL && json_path(d, "linux.rootfsPropagation") == NULL);
    arena_reset(&arena);
}

TEST(command_and_args_replace_as_kubernetes_says)
{
    static const char *const command[] = { "c1" }, *const args[] = { "a1", "a2" };
    struct rt_container_create r = { .args = args, .n_args = 2 };
    struct oci_spec s = { 0 };
    int rc;

    CHECK_PART(spec_of(&r, &s, &rc), "process.args", "[\"/entry\",\"point\",\"a1\",\"a2\"]");
    r.command = command;
    r.n_command = 1;
    CHECK_PART(spec_of(&r, &s, &rc), "process.args", "[\"c1\",\"a1\",\"a2\"]");
    r.n_args = 0;
    CHECK_PART(spec_of(&r, &s, &rc), "process.args", "[\"c1\"]");
    r.n_command = 0;
    s.image = &(struct rt_image_info){ .user = "", .cwd = "" };
    spec_of(&r, &s, &rc);
    CHECK_INT(rc, E_INVALID);
    r.n_args = 2;
    CHECK_PART(spec_of(&r, &s, &rc), "process.cwd", "\"/\"");
    r.cwd = "relative";
    spec_of(&r, &s, &rc);
    CHECK_INT(rc, E_INVALID);
    arena_reset(&arena);
}

TEST(mounts_are_ordered_and_replace)
{
    struct oci_mount m[] = {
        { "/s/hosts", "/etc/hosts", false, RT_PROP_NONE }, { "/s/shm", "/dev/shm", false, RT_PROP_NONE },
        { "/v/deep", "/data/a/b", false, RT_PROP_NONE },
        { "/v/top", "/data", true, RT_PROP_HOST_TO_CONTAINER },
        { "/v/hosts", "/etc/hosts/", true, RT_PROP_NONE }, { "/v/sys", "/sys", false, RT_PROP_NONE },
    };
    struct rt_container_create r = { 0 };
    struct oci_spec s = { .mounts = m, .n_mounts = ARRAY_LEN(m) };
    int rc, top = -1, deep = -1, i = 0, n_hosts = 0;

    struct json *d = spec_of(&r, &s, &rc);
    CHECK_INT(rc, 0);
    json_each(it, json_getz(d, "mounts")) {
        struct str dest = json_str(json_getz(it, "destination")), source = json_str(json_getz(it, "source"));
        if (str_is(dest, "/data"))
            top = i;
        if (str_is(dest, "/data/a/b"))
            deep = i;
        if (str_starts(dest, STR("/etc/hosts")))
            n_hosts += str_is(source, "/v/hosts") ? 1 : 100;
        CHECK(!str_is(dest, "/sys") || str_is(source, "/v/sys"));
        i++;
    }
    CHECK(top >= 0 && deep > top);
    CHECK_INT(n_hosts, 1);
    CHECK_PART(d, "linux.rootfsPropagation", "\"rslave\"");
    m[0].dest = "relative";
    spec_of(&r, &s, &rc);
    CHECK_INT(rc, E_INVALID);
    m[0].dest = "/";
    spec_of(&r, &s, &rc);
    CHECK_INT(rc, E_INVALID);
    arena_reset(&arena);
}

TEST(privileged_sees_devices_and_no_masks)
{
    struct rt_container_create r = { .security = { .privileged = true, .no_new_privileges = true } };
    struct oci_spec s = { .host_network = true, .host_pid = true, .host_ipc = true, .cgroup_v2 = true };
    int rc;

    struct json *d = spec_of(&r, &s, &rc);
    CHECK_PART(d, "linux.namespaces", "[{\"type\":\"mount\"}]");
    CHECK_PART(d, "linux.resources.devices", "[{\"allow\":true,\"access\":\"rwm\"}]");
    CHECK(json_path(d, "linux.maskedPaths") == NULL && json_path(d, "linux.devices")->n > 3);
    CHECK_PART(d, "process.noNewPrivileges", "false");
    CHECK_PART(d, "mounts.4.options", "[\"nosuid\",\"noexec\",\"nodev\",\"rw\"]");
    arena_reset(&arena);
}

TEST(capabilities)
{
    static const char *const all[] = { "ALL" }, *const net[] = { "NET_ADMIN", "cap_sys_time" },
    *const bad[] = { "FLY" }, *const chown[] = { "CHOWN" };
    const uint64_t ours = ~0ull & ~(1ull << 24);
    uint64_t plain, c;
    struct errbuf err;

    CHECK_INT(oci_caps_resolve(&(struct rt_security){ 0 }, ours, &plain, &err), 0);
    CHECK_INT(__builtin_popcountll(plain), 14);
    CHECK_INT(oci_caps_resolve(&(struct rt_security){ .cap_add = net, .n_cap_add = 2, .cap_drop = chown,
                                                      .n_cap_drop = 1 }, ours, &c, &err), 0);
    CHECK(c == ((plain | 1ull << 12 | 1ull << 25) & ~1ull));
    CHECK_INT(oci_caps_resolve(&(struct rt_security){ .cap_add = net, .n_cap_add = 1, .cap_drop = all,
                                                      .n_cap_drop = 1 }, ours, &c, &err), 0);
    CHECK(c == 1ull << 12);
    CHECK_INT(oci_caps_resolve(&(struct rt_security){ .privileged = true }, ours, &c, &err), 0);
    CHECK(!(c & 1ull << 24) && (c & 1ull << 21));
    CHECK_INT(oci_caps_resolve(&(struct rt_security){ .cap_add = bad, .n_cap_add = 1 }, ours, &c, &err),
              E_INVALID);
}

TEST(users_come_from_the_request_then_the_image)
{
    char root[160], path[200];
    struct oci_user u;
    const uint32_t groups[] = { 77, 12 };
    const struct rt_security none = { 0 }, uid = { .has_uid = true, .uid = 5, .groups = groups,
                                                   .n_groups = 2 },
        non_root = { .run_as_non_root = true, .who = "(who)" },
        zero = { .run_as_non_root = true, .has_uid = true, .who = "(who)" };
    struct errbuf err = { "" };

    snprintf(root, sizeof root, "%s/r", test_dir());
    must_ok(file_mkdirs(root, 0755, NULL));
    snprintf(path, sizeof path, "%s/etc", root);
    CHECK_INT(oci_user_resolve(root, "", &none, &u, NULL), 0);
    CHECK(u.uid == 0 && u.gid == 0);
    CHECK_INT(oci_user_resolve(root, "web", &none, &u, NULL), E_INVALID);
    must_ok(file_mkdirs(path, 0755, NULL));
    snprintf(path, sizeof path, "%s/etc/passwd", root);
    must_ok(file_replace(path, STR("root:x:0:0::/:\nbad line\nweb:x:5:6:::\nhuge:x:99999999999:1\n"), 0644,
                         false, NULL));
    snprintf(path, sizeof path, "%s/etc/group", root);
    must_ok(file_replace(path, STR("root:x:0:\nstaff:x:12:web,other\nops:x:13:other\n"), 0644, false, NULL));
    CHECK_INT(oci_user_resolve(root, "web", &none, &u, NULL), 0);
    CHECK(u.uid == 5 && u.gid == 6 && u.n_groups == 1 && u.groups[0] == 12);
    CHECK_INT(oci_user_resolve(root, "web:ops", &none, &u, NULL), 0);
    CHECK(u.uid == 5 && u.gid == 13);
    CHECK_INT(oci_user_resolve(root, "1000:1001", &none, &u, NULL), 0);
    CHECK(u.uid == 1000 && u.gid == 1001 && u.n_groups == 0);
    CHECK_INT(oci_user_resolve(root, "root:ops", &uid, &u, NULL), 0);
    CHECK(u.uid == 5 && u.gid == 6 && u.n_groups == 2 && u.groups[0] == 12 && u.groups[1] == 77);
    CHECK_INT(oci_user_resolve(root, "root", &non_root, &u, NULL), E_INVALID);
    CHECK_INT(oci_user_resolve(root, "web", &non_root, &u, &err), E_INVALID);
    CHECK_STR(str_of(err.s), "container has runAsNonRoot and image has non-numeric user (web), "
                             "cannot verify user is non-root (who)");
    CHECK_INT(oci_user_resolve(root, "0:5", &non_root, &u, &err), E_INVALID);
    CHECK_STR(str_of(err.s), "container has runAsNonRoot and image will run as root (who)");
    CHECK_INT(oci_user_resolve(root, "5", &zero, &u, &err), E_INVALID);
    CHECK_STR(str_of(err.s), "container's runAsUser breaks non-root policy (who)");
    CHECK_INT(oci_user_resolve(root, "5:0", &non_root, &u, NULL), 0);
    CHECK_INT(oci_user_resolve(root, "huge", &none, &u, NULL), E_INVALID);
    CHECK_INT(oci_user_resolve(root, "web:nogroup", &none, &u, NULL), E_INVALID);
}

TEST(exec_document_keeps_the_identity)
{
    static const char *const argv[] = { "ls", "-l" };
    struct rt_container_create r = { 0 };
    struct oci_spec s = { .caps = 1 };
    struct buf b = BUF_INIT, out = BUF_INIT;
    int rc;

    json_write(&b, spec_of(&r, &s, &rc));
    CHECK_INT(oci_exec_write(&out, buf_str(&b), argv, 2, true, 80, 24, NULL), 0);
    struct json_error je;
    struct json *p;
    must_ok(json_parse(&arena, buf_str(&out), &p, &je));
    CHECK_PART(p, "args", "[\"ls\",\"-l\"]");
    CHECK_PART(p, "user.uid", "65534");
    CHECK_PART(p, "consoleSize", "{\"width\":80,\"height\":24}");
    CHECK_PART(p, "env", "[\"PATH=/image\",\"HOSTNAME=host\",\"A=image\",\"TERM=xterm\"]");
    CHECK_INT(oci_exec_write(&out, STR("{}"), argv, 2, true, 80, 24, NULL), E_CORRUPT);
    CHECK_INT(oci_exec_write(&out, STR("nonsense"), argv, 2, true, 80, 24, NULL), E_CORRUPT);
    buf_release(&b);
    buf_release(&out);
    arena_release(&arena);
}

static bool refused(const struct json *doc, const char *call)
{
    json_each(row, json_path(doc, "linux.seccomp.syscalls"))
        json_each(name, json_getz(row, "names"))
            if (str_is(json_str(name), call))
                return true;
    return false;
}

TEST(the_default_seccomp_profile_gives_back_what_capabilities_are_for)
{
    struct rt_container_create r = { .security = { .seccomp_default = true } };
    struct oci_spec plain = { .caps = 1 }, admin = { .caps = 1ull << 21 };       /* CAP_SYS_ADMIN */
    int rc;

    struct json *d = spec_of(&r, &plain, &rc);
    CHECK(refused(d, "mount") && refused(d, "keyctl") && refused(d, "clone3") && refused(d, "clone"));
    CHECK(!refused(d, "read") && !refused(d, "execve"));
    d = spec_of(&r, &admin, &rc);
    CHECK(!refused(d, "mount") && refused(d, "keyctl") && !refused(d, "clone3"));
    r.security.privileged = true;
    CHECK(json_path(spec_of(&r, &plain, &rc), "linux.seccomp") == NULL);
    r.security = (struct rt_security){ 0 };
    CHECK(json_path(spec_of(&r, &plain, &rc), "linux.seccomp") == NULL);
    arena_reset(&arena);
}
