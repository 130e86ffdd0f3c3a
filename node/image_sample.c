/* node/image_sample.c: an OCI archive of busybox, byte for byte the same each time; see image_sample.h.
 *
 * Two layers: busybox with its applets (shared by both tags), and one that differs.  The default command serves
 * /www over HTTP on port 8080 and answers SIGTERM at once, because a shell as PID 1 would not. */
#include <archive.h>
#include <archive_entry.h>
#include <stdio.h>
#include <sys/utsname.h>
#include "node/digest.h"
#include "node/files.h"
#include "node/image_ref.h"
#include "node/image_sample.h"

enum { BUSYBOX_MAX = 32 << 20, TAGS = 2, TAR_BLOCK = 10240 };

/* The applets that the sample and people trying it may call; Debian's static busybox has them all. */
static const char applets[] =
    "[ ash awk base64 basename cat chgrp chmod chown clear cmp cp cut date dd df dirname dmesg du echo egrep "
    "env expr false fgrep find fold free grep gunzip gzip head hexdump hostname httpd id ifconfig ip kill "
    "killall less ln ls md5sum mkdir mkfifo mktemp more mount mv nc netstat nproc nslookup od pidof ping "
    "printf ps pwd readlink realpath renice rm rmdir route sed seq sh sha256sum sleep sort stat sync tail tar "
    "tee telnet test timeout top touch tr traceroute true tty umount uname uniq unlink uptime usleep vi watch "
    "wc wget which who whoami xargs yes zcat";

struct sample {
    struct buf out;                              /* the archive */
    struct digest layer[1 + TAGS];
    struct digest config[TAGS], manifest[TAGS];
    size_t config_n[TAGS], manifest_n[TAGS], layer_n[1 + TAGS];
};

/* ---- tar -------------------------------------------------------------------------------------- */

static la_ssize_t tar_out(struct archive *a, void *arg, const void *p, size_t n)
{
    buf_add(arg, p, n);
    return (la_ssize_t)n;
}

static struct archive *tar_open(struct buf *out)
{
    struct archive *a = archive_write_new();

    must(a != NULL);
    must(archive_write_set_format_ustar(a) == ARCHIVE_OK);
    archive_write_set_bytes_per_block(a, TAR_BLOCK);
    must(archive_write_open(a, out, NULL, tar_out, NULL) == ARCHIVE_OK);
    return a;
}

static void tar_add(struct archive *a, const char *name, unsigned type, unsigned mode, struct str data)
{
    struct archive_entry *e = archive_entry_new();

    must(e != NULL);
    archive_entry_set_pathname(e, name);
    archive_entry_set_filetype(e, type);
    archive_entry_set_perm(e, (mode_t)mode);
    archive_entry_set_mtime(e, 0, 0);
    if (type == AE_IFLNK)
        archive_entry_set_symlink(e, data.p);
    archive_entry_set_size(e, type == AE_IFREG ? (la_int64_t)data.n : 0);
    must(archive_write_header(a, e) == ARCHIVE_OK);
    if (type == AE_IFREG && data.n > 0)
        must(archive_write_data(a, data.p, data.n) == (la_ssize_t)data.n);
    archive_entry_free(e);
}

static void tar_close(struct archive *a)
{
    must(archive_write_close(a) == ARCHIVE_OK);
    archive_write_free(a);
}

/* ---- layers ----------------------------------------------------------------------------------- */

static void base_layer(struct buf *out, struct str busybox)
{
    static const char *const dirs[] = { "bin", "dev", "etc", "proc", "root", "run", "sys", "usr", "usr/bin",
                                        "var", "www" };
    struct str rest = str_of(applets), name;
    struct archive *a = tar_open(out);
    char path[64];

    for (unsigned i = 0; i < ARRAY_LEN(dirs); i++)
        tar_add(a, dirs[i], AE_IFDIR, 0755, STR_NONE);
    tar_add(a, "tmp", AE_IFDIR, 01777, STR_NONE);
    tar_add(a, "bin/busybox", AE_IFREG, 0755, busybox);
    while (str_split(&rest, ' ', &name)) {
        snprintf(path, sizeof path, "bin/%.*s", STR_ARG(name));
        tar_add(a, path, AE_IFLNK, 0777, STR("busybox"));
    }
    tar_add(a, "usr/bin/env", AE_IFLNK, 0777, STR("../../bin/busybox"));
    tar_add(a, "etc/passwd", AE_IFREG, 0644,
            STR("root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n"));
    tar_add(a, "etc/group", AE_IFREG, 0644, STR("root:x:0:\nnogroup:x:65534:\n"));
    tar_close(a);
}

static void tag_layer(struct buf *out, unsigned tag)
{
    struct archive *a = tar_open(out);
    char text[96];

    snprintf(text, sizeof text, "coracle sample, version %u\n", tag + 1);
    tar_add(a, "www/index.html", AE_IFREG, 0644, str_of(text));
    snprintf(text, sizeof text, "%u\n", tag + 1);
    tar_add(a, "etc/sample-version", AE_IFREG, 0644, str_of(text));
    tar_close(a);
}

/* ---- documents -------------------------------------------------------------------------------- */

static void blob_add(struct archive *a, struct str data, struct digest *ret, size_t *ret_n)
{
    char path[128];

    digest_of(data, ret);
    *ret_n = data.n;
    snprintf(path, sizeof path, "blobs/sha256/%s", digest_hex(ret));
    tar_add(a, path, AE_IFREG, 0644, data);
}

static void config_add(struct sample *s, struct archive *a, unsigned tag)
{
    struct buf b = BUF_INIT;
    struct utsname u = { .machine = "x86_64" };

    must_ok(uname(&u));
    buf_fmt(&b, "{\"architecture\":\"%s\",\"os\":\"linux\",\"created\":\"1970-01-01T00:00:00Z\",\"config\":{"
            "\"Env\":[\"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\"],"
            "\"Cmd\":[\"httpd\",\"-f\",\"-p\",\"8080\",\"-h\",\"/www\"],\"ExposedPorts\":{\"8080/tcp\":{}},"
            "\"WorkingDir\":\"/\"},\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"%s\",\"%s\"]}}",
            image_architecture(u.machine), s->layer[0].s, s->layer[1 + tag].s);
    blob_add(a, buf_str(&b), &s->config[tag], &s->config_n[tag]);
    buf_release(&b);
}

static void descriptor(struct buf *b, const char *type, const struct digest *d, size_t n)
{
    buf_fmt(b, "{\"mediaType\":\"application/vnd.oci.image.%s\",\"digest\":\"%s\",\"size\":%zu", type, d->s,
            n);
}

static void manifest_add(struct sample *s, struct archive *a, unsigned tag)
{
    struct buf b = BUF_INIT;

    buf_z(&b, "{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"config\":");
    descriptor(&b, "config.v1+json", &s->config[tag], s->config_n[tag]);
    buf_z(&b, "},\"layers\":[");
    descriptor(&b, "layer.v1.tar", &s->layer[0], s->layer_n[0]);
    buf_z(&b, "},");
    descriptor(&b, "layer.v1.tar", &s->layer[1 + tag], s->layer_n[1 + tag]);
    buf_z(&b, "}]}");
    blob_add(a, buf_str(&b), &s->manifest[tag], &s->manifest_n[tag]);
    buf_release(&b);
}

static void index_add(struct sample *s, struct archive *a)
{
    struct buf b = BUF_INIT;

    buf_z(&b, "{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.index.v1+json\",\"manifests\":[");
    for (unsigned t = 0; t < TAGS; t++) {
        buf_z(&b, t > 0 ? "," : "");
        descriptor(&b, "manifest.v1+json", &s->manifest[t], s->manifest_n[t]);
        buf_fmt(&b, ",\"annotations\":{\"io.containerd.image.name\":\"coracle.local/sample:%u\","
                "\"org.opencontainers.image.ref.name\":\"%u\"}}", t + 1, t + 1);
    }
    buf_z(&b, "]}");
    tar_add(a, "index.json", AE_IFREG, 0644, buf_str(&b));
    buf_release(&b);
}

static void sample_make(struct sample *s, struct str busybox)
{
    struct archive *a = tar_open(&s->out);
    struct buf b = BUF_INIT;

    tar_add(a, "oci-layout", AE_IFREG, 0644, STR("{\"imageLayoutVersion\":\"1.0.0\"}"));
    base_layer(&b, busybox);
    blob_add(a, buf_str(&b), &s->layer[0], &s->layer_n[0]);
    for (unsigned t = 0; t < TAGS; t++) {
        buf_clear(&b);
        tag_layer(&b, t);
        blob_add(a, buf_str(&b), &s->layer[1 + t], &s->layer_n[1 + t]);
        config_add(s, a, t);
        manifest_add(s, a, t);
    }
    index_add(s, a);
    tar_close(a);
    buf_release(&b);
}

int image_sample_write(const char *path, const char *busybox, struct errbuf *err)
{
    struct sample s = { .out = BUF_INIT };
    struct buf b = BUF_INIT;
    int rc = file_read(busybox != NULL ? busybox : "/bin/busybox", BUSYBOX_MAX, &b, err);

    if (rc < 0)
        return err_wrap(err, rc, "sample image needs a static busybox (package busybox-static)");
    struct archive *there = archive_write_new();
    if (there == NULL) {
        buf_release(&b);
        return err_set(err, E_IO, "sample image needs libarchive (package libarchive13)");
    }
    archive_write_free(there);
    sample_make(&s, buf_str(&b));
    rc = file_replace(path, buf_str(&s.out), 0644, false, err);
    buf_release(&b);
    buf_release(&s.out);
    return rc;
}
