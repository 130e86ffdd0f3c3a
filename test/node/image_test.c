/* test/node/image_test.c: layers and archives, honest and hostile.  As root also whiteouts and owners. */
#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>
#include "node/files.h"
#include "node/image_ref.h"
#include "node/image_sample.h"
#include "node/image_store.h"
#include "node/layer.h"
#include "test/test.h"

/* ---- making tars ------------------------------------------------------------------------------ */

struct item { const char *name; unsigned type; const char *data; unsigned mode; const char *hard; };

static la_ssize_t tar_out(struct archive *a, void *arg, const void *p, size_t n)
{
    buf_add(arg, p, n);
    return (la_ssize_t)n;
}

static void tar_item(struct archive *a, const struct item *it)
{
    struct archive_entry *e = archive_entry_new();
    size_t n = it->type == AE_IFREG && it->data != NULL ? strlen(it->data) : 0;

    archive_entry_set_pathname(e, it->name);
    archive_entry_set_filetype(e, it->type);
    archive_entry_set_perm(e, it->mode != 0 ? it->mode : 0755);
    archive_entry_set_size(e, (la_int64_t)n);
    if (it->type == AE_IFLNK)
        archive_entry_set_symlink(e, it->data);
    if (it->hard != NULL)
        archive_entry_set_hardlink(e, it->hard);
    if (it->type == AE_IFCHR)
        archive_entry_set_rdev(e, makedev(1, 5));
    archive_entry_xattr_add_entry(e, "trusted.overlay.redirect", "/etc", 4);
    archive_entry_xattr_add_entry(e, "user.kept", "yes", 3);
    must(archive_write_header(a, e) >= ARCHIVE_WARN);
    if (n > 0)
        archive_write_data(a, it->data, n);
    archive_entry_free(e);
}

static void tar_make(struct buf *out, const struct item *it, size_t n, bool gzip)
{
    struct archive *a = archive_write_new();

    archive_write_set_format_pax(a);
    archive_write_set_bytes_in_last_block(a, 1);
    if (gzip)
        archive_write_add_filter_gzip(a);
    must(archive_write_open(a, out, NULL, tar_out, NULL) == ARCHIVE_OK);
    for (size_t i = 0; i < n; i++)
        tar_item(a, &it[i]);
    archive_write_close(a);
    archive_write_free(a);
}

static struct errbuf last;

/* Unpack into a fresh directory whose name is returned. */
static int unpack_bytes(struct str bytes, const struct layer_limits *lim, struct layer_result *res,
                        const char **ret_dir)
{
    static char dir[128];
    char file[128];
    const char *base = test_dir();

    snprintf(file, sizeof file, "%s/blob", base);
    snprintf(dir, sizeof dir, "%s/layer", base);
    must(mkdir(dir, 0755) == 0);
    must_ok(file_replace(file, bytes, 0600, false, NULL));
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    must(fd >= 0);
    last.s[0] = '\0';
    int rc = layer_unpack(fd, dir, lim, res, &last);
    close(fd);
    *ret_dir = dir;
    return rc;
}

static int unpack(const struct item *it, size_t n, bool gzip, struct layer_result *res, const char **ret_dir)
{
    struct layer_limits lim = LAYER_LIMITS_DEFAULT;
    struct buf b = BUF_INIT;

    tar_make(&b, it, n, gzip);
    int rc = unpack_bytes(buf_str(&b), &lim, res, ret_dir);
    buf_release(&b);
    return rc;
}

static bool has(const char *dir, const char *name)
{
    char p[256];
    snprintf(p, sizeof p, "%s/%s", dir, name);
    return file_exists(p);
}

static struct stat stat_of(const char *dir, const char *name)
{
    struct stat st = { 0 };
    char p[256];

    snprintf(p, sizeof p, "%s/%s", dir, name);
    lstat(p, &st);
    return st;
}

/* ---- layers ----------------------------------------------------------------------------------- */

TEST(unpacks_files_links_and_modes)
{
    struct item it[] = {
        { "etc/", AE_IFDIR, NULL, 0700, NULL }, { "etc/passwd", AE_IFREG, "root", 0640, NULL },
        { "bin/deep/tool", AE_IFREG, "#!", 04755, NULL }, { "lib", AE_IFLNK, "/usr/lib", 0, NULL },
        { "etc/passwd-", AE_IFREG, NULL, 0, "etc/passwd" }, { "./etc/passwd", AE_IFREG, "newer", 0600, NULL },
        { "dev/null", AE_IFCHR, NULL, 0666, NULL }, { "/absolute", AE_IFREG, "x", 0, NULL },
    };
    struct layer_result res, zipped;
    const char *dir;
    char path[256], value[8];

    CHECK_INT(unpack(it, ARRAY_LEN(it), false, &res, &dir), 0);
    CHECK_INT(stat_of(dir, "etc").st_mode & 07777, 0700);
    CHECK_INT(stat_of(dir, "etc/passwd").st_size, 5);
    CHECK_INT(stat_of(dir, "etc/passwd-").st_size, 4);   /* the old file under its other name */
    CHECK_INT(stat_of(dir, "bin/deep/tool").st_mode & 07777, 04755);
    CHECK(S_ISLNK(stat_of(dir, "lib").st_mode));
    CHECK(!has(dir, "dev/null"));
    CHECK(has(dir, "absolute"));
    snprintf(path, sizeof path, "%s/etc/passwd", dir);
    CHECK(getxattr(path, "trusted.overlay.redirect", value, sizeof value) < 0);
    CHECK_STR(str_of(strcmp(res.blob.s, res.diff.s) == 0 ? "same" : "different"), "same");
    CHECK_INT(unpack(it, ARRAY_LEN(it), true, &zipped, &dir), 0);
    CHECK(strcmp(zipped.diff.s, res.diff.s) == 0 && strcmp(zipped.blob.s, res.blob.s) != 0);
    CHECK_INT(zipped.entries, ARRAY_LEN(it));
}

TEST(whiteouts_become_overlayfs_ones)
{
    struct item it[] = {
        { "gone/.wh.file", AE_IFREG, "", 0, NULL }, { "opaque/.wh..wh..opq", AE_IFREG, "", 0, NULL },
        { "opaque/new", AE_IFREG, "n", 0, NULL }, { ".wh.top", AE_IFREG, "", 0, NULL },
        { ".wh..wh.plnk", AE_IFREG, "", 0, NULL },
    };
    struct layer_result res;
    const char *dir;
    char path[256], value[4] = "";

    if (geteuid() != 0)
        return;
    CHECK_INT(unpack(it, ARRAY_LEN(it), false, &res, &dir), 0);
    CHECK(S_ISCHR(stat_of(dir, "gone/file").st_mode) && stat_of(dir, "gone/file").st_rdev == 0);
    CHECK(S_ISCHR(stat_of(dir, "top").st_mode));
    snprintf(path, sizeof path, "%s/opaque", dir);
    CHECK_INT(getxattr(path, "trusted.overlay.opaque", value, sizeof value), 1);
    CHECK(!has(dir, ".wh..wh.plnk") && !has(dir, "opaque/.wh..wh..opq"));
}

TEST(nothing_leaves_the_layer)
{
    static const struct { struct item it[3]; size_t n; int rc; } cases[] = {
        { { { "../evil", AE_IFREG, "x", 0, NULL } }, 1, E_INVALID },
        { { { "a/../../evil", AE_IFREG, "x", 0, NULL } }, 1, E_INVALID },
        { { { "up", AE_IFLNK, "..", 0, NULL }, { "up/evil", AE_IFREG, "x", 0, NULL } }, 2, 0 },
        { { { "abs", AE_IFLNK, "/", 0, NULL }, { "abs/evil", AE_IFREG, "x", 0, NULL } }, 2, 0 },
        { { { "w", AE_IFLNK, "../victim", 0, NULL }, { "w", AE_IFREG, "x", 0, NULL } }, 2, 0 },
        { { { "h", AE_IFREG, NULL, 0, "../victim" } }, 1, E_INVALID },
        { { { "s", AE_IFLNK, "../victim", 0, NULL }, { "h", AE_IFREG, NULL, 0, "s" },
            { "h", AE_IFREG, "x", 0, NULL } }, 3, 0 },
        { { { "d", AE_IFLNK, "..", 0, NULL }, { "h", AE_IFREG, NULL, 0, "d/victim" } }, 2, E_NOTFOUND },
        { { { ".wh...", AE_IFREG, "", 0, NULL } }, 1, E_INVALID },
        { { { "x/.wh.", AE_IFREG, "", 0, NULL } }, 1, E_INVALID },
        { { { "l", AE_IFLNK, "l", 0, NULL }, { "l/file", AE_IFREG, "x", 0, NULL } }, 2, E_DENIED },
    };
    struct layer_result res;
    const char *dir;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char up[300], victim[300];
        struct buf b = BUF_INIT;
        struct layer_limits lim = LAYER_LIMITS_DEFAULT;

        tar_make(&b, cases[i].it, cases[i].n, false);
        int rc = unpack_bytes(buf_str(&b), &lim, &res, &dir);
        buf_release(&b);
        if (rc != cases[i].rc)
            test_fail(__FILE__, __LINE__, "case %zu gives %d (%s), not %d", i, rc, last.s, cases[i].rc);
        snprintf(up, sizeof up, "%s/../evil", dir);
        snprintf(victim, sizeof victim, "%s/../victim", dir);
        CHECK(!file_exists(up) && !file_exists(victim) && !file_exists("/evil"));
    }
}

TEST(limits_bytes_and_entries)
{
    struct item it[] = { { "a", AE_IFREG, "0123456789", 0, NULL }, { "b", AE_IFREG, "0123456789", 0, NULL } };
    struct layer_limits bytes = { 15, 100 }, entries = { 1000, 1 };
    struct layer_result res;
    struct buf b = BUF_INIT;
    const char *dir;

    tar_make(&b, it, 2, true);
    CHECK_INT(unpack_bytes(buf_str(&b), &bytes, &res, &dir), E_TOOBIG);
    CHECK_INT(unpack_bytes(buf_str(&b), &entries, &res, &dir), E_TOOBIG);
    CHECK_INT(unpack_bytes(str_upto(buf_str(&b), b.n - 12), &(struct layer_limits){ 1000, 100 }, &res,
                           &dir), E_CORRUPT);
    struct layer_result whole, damaged;
    CHECK_INT(unpack_bytes(buf_str(&b), &(struct layer_limits){ 1000, 100 }, &whole, &dir), 0);
    b.p[b.n / 2] ^= 0x40;                        /* not every damage is noticed on the way, but the digests tell */
    if (unpack_bytes(buf_str(&b), &(struct layer_limits){ 1000, 100 }, &damaged, &dir) == 0)
        CHECK(strcmp(whole.diff.s, damaged.diff.s) != 0 && strcmp(whole.blob.s, damaged.blob.s) != 0);
    CHECK_INT(unpack_bytes(STR("not a tar at all, but long enough to be looked at"),
                           &(struct layer_limits){ 1000, 100 }, &res, &dir),
              E_CORRUPT);
    CHECK_INT(unpack_bytes(STR(""), &(struct layer_limits){ 1000, 100 }, &res, &dir), E_CORRUPT);
    buf_release(&b);
}

/* Every byte of a small layer damaged in turn: an error or a tree inside the directory, never a crash. */
TEST(any_flipped_byte_is_survived)
{
    struct item it[] = { { "d/", AE_IFDIR, NULL, 0, NULL }, { "d/f", AE_IFREG, "data", 0, NULL },
                         { "d/l", AE_IFLNK, "f", 0, NULL } };
    struct layer_limits lim = { 1 << 20, 1000 };
    struct layer_result res;
    struct buf b = BUF_INIT;
    char dir[256], file[256];
    unsigned accepted = 0;

    snprintf(dir, sizeof dir, "%s/l", test_dir());
    snprintf(file, sizeof file, "%s/f", test_dir());
    tar_make(&b, it, ARRAY_LEN(it), true);
    for (size_t i = 0; i < b.n; i++) {
        b.p[i] ^= (char)(1 << (i % 8));
        must(mkdir(dir, 0755) == 0);
        must_ok(file_replace(file, buf_str(&b), 0600, false, NULL));
        int fd = open(file, O_RDONLY | O_CLOEXEC);
        accepted += layer_unpack(fd, dir, &lim, &res, NULL) == 0;
        close(fd);
        CHECK_INT(file_remove_tree(dir, NULL), 0);
        b.p[i] ^= (char)(1 << (i % 8));
    }
    CHECK(accepted < b.n);
    buf_release(&b);
}

/* ---- references ------------------------------------------------------------------------------- */

TEST(references_are_made_whole)
{
    static const char *const good[][2] = {
        { "busybox", "docker.io/library/busybox:latest" }, { "user/app:1", "docker.io/user/app:1" },
        { "coracle.local/sample:1", "coracle.local/sample:1" },
        { "localhost:5000/a/b", "localhost:5000/a/b:latest" },
        { "r.io/x:v1@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
          "r.io/x@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef" },
    };
    static const char *const bad[] = { "", "Upper", "a b", "a:", ":1", "a@sha256:12", "a//b", "a/../b",
                                       "x:\ntag", "/a", "a/", "é" };
    struct image_ref ref;

    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        CHECK_INT(image_ref_normalize(str_of(good[i][0]), &ref, NULL), 0);
        CHECK_STR(str_of(ref.s), good[i][1]);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (image_ref_normalize(str_of(bad[i]), &ref, NULL) == 0)
            test_fail(__FILE__, __LINE__, "\"%s\" is taken for %s", bad[i], ref.s);
}

/* ---- the store -------------------------------------------------------------------------------- */

static struct loop *loop;
static int status;

static void on_done(struct rt_req *r, int rc)
{
    status = rc;
    last = r->err;
    loop_stop(loop);
}

static void on_closed(void *arg) { loop_stop(loop); }

static int import(struct image_store *s, const char *path, unsigned *ret_n)
{
    struct rt_image_import r = { .req.done = on_done, .path = path };

    image_store_import(s, &r);
    loop_run(loop);
    *ret_n = r.n_images;
    return status;
}

static void close_store(struct image_store *s)
{
    image_store_close(s, on_closed, NULL);
    loop_run(loop);
}

/* The mark of a layer may just be being rewritten on the pool. */
static int count_one(void *arg, const char *name)
{
    *(unsigned *)arg += !str_ends(str_of(name), STR(".tmp"));
    return 0;
}

static unsigned entries(const char *base, const char *sub)
{
    char p[320];
    unsigned n = 0;

    snprintf(p, sizeof p, "%s/%s", base, sub);
    file_each(p, count_one, &n, NULL);
    return n;
}

TEST(store_imports_lists_reopens_and_removes)
{
    char archive[256], dir[256];
    struct image_store *s;
    unsigned n;

    if (!file_exists("/bin/busybox")) {
        printf("skipped: no /bin/busybox\n");
        return;
    }
    loop = loop_new_real();
    snprintf(archive, sizeof archive, "%s/sample.tar", test_dir());
    snprintf(dir, sizeof dir, "%s/images", test_dir());
    CHECK_INT(image_sample_write(archive, NULL, NULL), 0);
    CHECK_INT(image_store_open(loop, dir, &s, NULL), 0);
    CHECK_INT(import(s, archive, &n), 0);
    CHECK_INT(n, 2);
    CHECK_INT(import(s, archive, &n), 0);        /* again: the same */
    CHECK_INT(entries(dir, "layers"), 6);        /* three layers, three marks */
    const struct rt_image_info *one = image_store_get(s, "coracle.local/sample:1"), *two =
        image_store_get(s, "coracle.local/sample:2");
    CHECK(one != NULL && two != NULL && one != two && one->size > 1 << 20);
    CHECK(one != NULL && one->n_cmd == 6 && strcmp(one->cmd[0], "httpd") == 0 && one->n_entrypoint == 0);
    CHECK(image_store_get(s, one->id) == one);
    CHECK(image_store_get(s, "coracle.local/sample:3") == NULL);
    close_store(s);

    CHECK_INT(image_store_open(loop, dir, &s, NULL), 0);
    one = image_store_get(s, "coracle.local/sample:1");
    CHECK(one != NULL && one->n_refs == 1 && strcmp(one->refs[0], "coracle.local/sample:1") == 0);
    CHECK_INT(image_store_remove(s, "coracle.local/sample:1", NULL), 0);
    CHECK(image_store_get(s, "coracle.local/sample:1") == NULL
          && image_store_get(s, "coracle.local/sample:2") != NULL);
    CHECK_INT(image_store_remove(s, "coracle.local/sample:1", NULL), E_NOTFOUND);
    CHECK_INT(entries(dir, "layers"), 4);
    close_store(s);
    loop_free(loop);
}

/* Layer made durable or not: what was not marked so on another boot is not trusted. */
TEST(store_distrusts_layers_of_another_boot)
{
    char archive[256], dir[256], mark[512];
    struct image_store *s;
    unsigned n;
    size_t n_layers;

    if (!file_exists("/bin/busybox"))
        return;
    loop = loop_new_real();
    snprintf(archive, sizeof archive, "%s/sample.tar", test_dir());
    snprintf(dir, sizeof dir, "%s/images", test_dir());
    CHECK_INT(image_sample_write(archive, NULL, NULL), 0);
    CHECK_INT(image_store_open(loop, dir, &s, NULL), 0);
    CHECK_INT(import(s, archive, &n), 0);
    const struct rt_image_info *one = image_store_get(s, "coracle.local/sample:1");
    const char *const *layers = image_store_layers(s, one->id, &n_layers);
    CHECK_INT(n_layers, 2);
    snprintf(mark, sizeof mark, "%s.ok", layers[0]);
    close_store(s);
    CHECK_INT(file_replace(mark, STR("123 some-other-boot\n"), 0600, false, NULL), 0);
    CHECK_INT(image_store_open(loop, dir, &s, NULL), 0);
    CHECK(image_store_get(s, "coracle.local/sample:1") == NULL);
    CHECK_INT(import(s, archive, &n), 0);
    CHECK(image_store_get(s, "coracle.local/sample:1") != NULL);
    close_store(s);
    loop_free(loop);
}

/* ---- archives --------------------------------------------------------------------------------- */

static int import_items(const struct item *it, size_t n, unsigned *ret_n)
{
    char archive[256], dir[256];
    struct image_store *s;
    struct buf b = BUF_INIT;

    loop = loop_new_real();
    snprintf(archive, sizeof archive, "%s/x.tar", test_dir());
    snprintf(dir, sizeof dir, "%s/images", test_dir());
    tar_make(&b, it, n, false);
    must_ok(file_replace(archive, buf_str(&b), 0600, false, NULL));
    buf_release(&b);
    CHECK_INT(image_store_open(loop, dir, &s, NULL), 0);
    int rc = import(s, archive, ret_n);
    CHECK_INT(entries(dir, "tmp"), 0);
    close_store(s);
    loop_free(loop);
    return rc;
}

static int import_docker(const char *diff, const char *layer_name, unsigned *ret_n)
{
    struct item inner[] = { { "hello", AE_IFREG, "world", 0, NULL } };
    struct buf layer = BUF_INIT, config = BUF_INIT, z = BUF_INIT;
    struct digest d;

    tar_make(&layer, inner, 1, false);
    digest_of(buf_str(&layer), &d);
    buf_fmt(&config,
            "{\"config\":{\"Cmd\":[\"/hello\"],\"User\":\"7\"},\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"%s\"]}}",
            diff != NULL ? diff : d.s);
    buf_add(&config, "", 1);
    buf_fmt(&z, "[{\"Config\":\"c.json\",\"RepoTags\":[\"made/up:1\",\"BAD TAG\"],\"Layers\":[\"%s\"]}]",
            layer_name);
    buf_add(&z, "", 1);

    /* Binary contents do not fit struct item: the layer is written by hand. */
    char archive[256], dir[256];
    struct image_store *s;
    struct buf b = BUF_INIT;
    struct archive *a = archive_write_new();
    struct item text[] = { { "manifest.json", AE_IFREG, z.p, 0, NULL },
                           { "c.json", AE_IFREG, config.p, 0, NULL },
                           { "link/layer.tar", AE_IFLNK, "../real/layer.tar", 0, NULL } };
    loop = loop_new_real();
    snprintf(archive, sizeof archive, "%s/d.tar", test_dir());
    snprintf(dir, sizeof dir, "%s/images", test_dir());
    archive_write_set_format_pax(a);
    must(archive_write_open(a, &b, NULL, tar_out, NULL) == ARCHIVE_OK);
    for (unsigned i = 0; i < ARRAY_LEN(text); i++)
        tar_item(a, &text[i]);
    struct archive_entry *e = archive_entry_new();
    archive_entry_set_pathname(e, "real/layer.tar");
    archive_entry_set_filetype(e, AE_IFREG);
    archive_entry_set_size(e, (la_int64_t)layer.n);
    must(archive_write_header(a, e) == ARCHIVE_OK);
    archive_write_data(a, layer.p, layer.n);
    archive_entry_free(e);
    archive_write_close(a);
    archive_write_free(a);
    must_ok(file_replace(archive, buf_str(&b), 0600, false, NULL));
    CHECK_INT(image_store_open(loop, dir, &s, NULL), 0);
    int rc = import(s, archive, ret_n);
    if (rc == 0) {
        const struct rt_image_info *im = image_store_get(s, "made/up:1");
        CHECK(im != NULL && im->n_refs == 1 && strcmp(im->user, "7") == 0);
    }
    close_store(s);
    loop_free(loop);
    buf_release(&b);
    buf_release(&layer);
    buf_release(&config);
    buf_release(&z);
    return rc;
}

TEST(docker_archives_are_read_and_verified)
{
    unsigned n;

    CHECK_INT(import_docker(NULL, "real/layer.tar", &n), 0);
    CHECK_INT(n, 1);
    CHECK_INT(import_docker(NULL, "link/layer.tar", &n), 0);
    CHECK_INT(import_docker("sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
                            "real/layer.tar", &n), E_CORRUPT);
    CHECK_INT(import_docker("sha256:../../../../etc/passwd", "real/layer.tar", &n), E_INVALID);
    CHECK_INT(import_docker(NULL, "../../../../../etc/passwd", &n), E_NOTFOUND);
}

TEST(hostile_archives_are_refused)
{
    struct item loops[] = { { "index.json", AE_IFLNK, "b", 0, NULL },
                            { "b", AE_IFLNK, "index.json", 0, NULL } };
    struct item nothing[] = { { "README", AE_IFREG, "hello", 0, NULL } };
    struct item bad_json[] = { { "index.json", AE_IFREG, "{\"manifests\":[", 0, NULL } };
    struct item odd[] = { { "index.json", AE_IFREG, "{\"manifests\":[7,{\"digest\":\"sha256:zz\"}]}", 0,
                            NULL } };
    struct item outside[] = { { "index.json", AE_IFLNK, "/etc/passwd", 0, NULL } };
    struct item absent[] = { { "index.json", AE_IFREG, "{\"manifests\":[{\"digest\":"
        "\"sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\"}]}", 0, NULL } };
    unsigned n;

    CHECK_INT(import_items(loops, 2, &n), E_INVALID);
    CHECK_INT(import_items(nothing, 1, &n), E_INVALID);
    CHECK_INT(import_items(bad_json, 1, &n), E_CORRUPT);
    CHECK_INT(import_items(odd, 1, &n), E_INVALID);
    CHECK_INT(import_items(outside, 1, &n), E_INVALID);
    CHECK_INT(import_items(absent, 1, &n), E_NOTFOUND);
}
