/* node/image_import.c: OCI indexes and manifests, docker's manifest.json; see image_import.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>
#include "api/json.h"
#include "node/files.h"
#include "node/image_import.h"
#include "node/image_source.h"

enum { INDEX_DEPTH_MAX = 4, MANIFESTS_MAX = 512 };

struct import {
    const char *store, *path;
    const struct layer_limits *lim;
    struct image_source src;
    struct arena arena;
    struct image_found *found, **found_end;
    unsigned n_tmp;
    struct errbuf *err;
};

/* ---- layers ----------------------------------------------------------------------------------- */

static void boot_id(char ret[64])
{
    struct buf b = BUF_INIT;

    snprintf(ret, 64, "unknown");
    if (file_read("/proc/sys/kernel/random/boot_id", 256, &b, NULL) == 0) {
        struct str s = str_trim(buf_str(&b));
        snprintf(ret, 64, "%.*s", STR_ARG(s));
    }
    buf_release(&b);
}

bool image_layer_ready(const char *store_dir, const struct digest *diff, uint64_t *ret_size)
{
    struct file_path p, dir;
    struct buf b = BUF_INIT;
    struct str rest, size;
    char boot[64];
    bool ok = false;

    boot_id(boot);
    if (file_path(&p, NULL, "%s/layers/%s.ok", store_dir, digest_hex(diff)) == 0
        && file_path(&dir, NULL, "%s/layers/%s", store_dir, digest_hex(diff)) == 0
        && file_exists(dir.s) && file_read(p.s, 256, &b, NULL) == 0) {
        rest = str_trim(buf_str(&b));
        /* Not flushed before the machine went down: its files may be there and empty. */
        ok = str_split(&rest, ' ', &size) && str_u64(size, ret_size)
            && (str_is(rest, "synced") || str_is(rest, boot));
    }
    buf_release(&b);
    return ok;
}

static int mark_layer(const char *store, const char *hex, uint64_t size, const char *how, bool sync,
                      struct errbuf *err)
{
    struct file_path p;
    char text[128];
    int rc = file_path(&p, err, "%s/layers/%s.ok", store, hex);

    snprintf(text, sizeof text, "%llu %s\n", (unsigned long long)size, how);
    return rc < 0 ? rc : file_replace(p.s, str_of(text), 0600, sync, err);
}

struct sync_list { const char *store; struct buf hexes; };

static int sync_collect(void *arg, const char *name)
{
    struct sync_list *l = arg;
    char id[DIGEST_LEN + 1];
    struct digest d;
    uint64_t size;

    if (strlen(name) != DIGEST_HEX + 3 || strcmp(name + DIGEST_HEX, ".ok") != 0)
        return 0;
    snprintf(id, sizeof id, "sha256:%.*s", DIGEST_HEX, name);
    if (digest_parse(str_of(id), &d) && image_layer_ready(l->store, &d, &size))
        buf_add(&l->hexes, name, DIGEST_HEX);
    return 0;
}

/* Only what was complete before the flush began is durable after it. */
void image_layers_sync(const char *store_dir)
{
    struct sync_list l = { store_dir, BUF_INIT };
    struct file_path p;
    struct digest d;
    uint64_t size;

    if (file_path(&p, NULL, "%s/layers", store_dir) < 0)
        return;
    int fd = open(p.s, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return;
    file_each(p.s, sync_collect, &l, NULL);
    for (size_t at = syncfs(fd) == 0 ? 0 : l.hexes.n; at < l.hexes.n; at += DIGEST_HEX) {
        snprintf(d.s, sizeof d.s, "sha256:%.*s", DIGEST_HEX, l.hexes.p + at);
        if (image_layer_ready(store_dir, &d, &size))
            mark_layer(store_dir, digest_hex(&d), size, "synced", true, NULL);
    }
    close(fd);
    buf_release(&l.hexes);
}

/* Unpack into tmp, compare, then move into place. */
static int layer_into(struct import *im, int fd, const char *tmp, const struct digest *blob,
                      const struct digest *diff,
                      uint64_t *ret_size)
{
    struct layer_result res;
    struct file_path to;
    char boot[64];
    int rc = layer_unpack(fd, tmp, im->lim, &res, im->err);

    if (rc < 0)
        return rc;
    if (blob != NULL && strcmp(blob->s, res.blob.s) != 0)
        return err_set(im->err, E_CORRUPT, "layer %s has digest %s", blob->s, res.blob.s);
    if (strcmp(diff->s, res.diff.s) != 0)
        return err_set(im->err, E_CORRUPT, "layer with diff id %s unpacks to %s", diff->s, res.diff.s);
    if ((rc = file_path(&to, im->err, "%s/layers/%s", im->store, digest_hex(diff))) < 0
        || (rc = file_remove_tree(to.s, im->err)) < 0)
        return rc;
    if (rename(tmp, to.s) < 0)
        return err_sys(im->err, errno, "rename to %s", to.s);
    boot_id(boot);
    *ret_size = res.bytes;
    return mark_layer(im->store, digest_hex(diff), res.bytes, boot, false, im->err);
}

static int layer_import(struct import *im, const char *name, const struct digest *blob,
                        const struct digest *diff,
                        uint64_t *ret_size)
{
    struct file_path tmp;

    if (image_layer_ready(im->store, diff, ret_size))
        return 0;
    int rc = file_path(&tmp, im->err, "%s/tmp/layer-%d-%u", im->store, (int)getpid(), im->n_tmp++);
    if (rc == 0)
        rc = file_mkdirs(tmp.s, 0755, im->err);
    if (rc < 0)
        return rc;
    int fd = image_source_fd(&im->src, name, im->err);
    if (fd < 0)
        return fd;
    rc = layer_into(im, fd, tmp.s, blob, diff, ret_size);
    close(fd);
    if (rc < 0)
        file_remove_tree(tmp.s, NULL);
    return rc < 0 ? err_wrap(im->err, rc, "%.100s", name) : 0;
}

/* ---- images ----------------------------------------------------------------------------------- */

static int document(struct import *im, const char *name, const struct digest *want, struct json **ret,
                    struct str *ret_text)
{
    struct buf b = BUF_INIT;
    struct json_error je;
    int rc = image_source_read(&im->src, name, want, &b, im->err);

    if (rc == 0) {
        struct str text = arena_str(&im->arena, buf_str(&b));
        rc = json_parse(&im->arena, text, ret, &je);
        if (rc < 0)
            err_set(im->err, rc = E_CORRUPT, "%.100s: %s", name, je.text);
        if (ret_text != NULL)
            *ret_text = text;
    }
    buf_release(&b);
    return rc;
}

/* A name as annotated; a bare tag ("1.0", as skopeo writes) belongs to a name that only the file's own can tell. */
static void add_ref(struct import *im, struct image_found *f, struct str name)
{
    struct file_path p;

    if (name.n == 0 || f->n_refs == IMAGE_REFS_MAX)
        return;
    if (str_find(name, '/') < 0 && str_find(name, ':') < 0) {
        const char *slash = strrchr(im->path, '/'), *base = slash != NULL ? slash + 1 : im->path;
        if (file_path(&p, NULL, "%.*s:%.*s", (int)strcspn(base, "."), base, STR_ARG(name)) < 0)
            return;
        name = str_of(p.s);
    }
    if (image_ref_normalize(name, &f->refs[f->n_refs], NULL) == 0)
        f->n_refs++;
}

static int config_check(struct import *im, const struct json *config, size_t n_layers)
{
    const struct json *diffs = json_path(config, "rootfs.diff_ids");

    if (!json_is(diffs, JSON_ARRAY) || diffs->n != n_layers)
        return err_set(im->err, E_INVALID, "image has %zu layers but its config lists %u", n_layers,
                       diffs != NULL ? diffs->n : 0);
    if (n_layers > IMAGE_LAYERS_MAX)
        return err_set(im->err, E_TOOBIG, "image has %zu layers; the most is %d", n_layers, IMAGE_LAYERS_MAX);
    return 0;
}

static struct image_found *found_new(struct import *im, struct str config, size_t n_layers)
{
    struct image_found *f = mem_new(struct image_found);

    digest_of(config, &f->id);
    f->config = mem_strndup(config);
    f->refs = mem_zalloc(IMAGE_REFS_MAX * sizeof *f->refs);
    f->layers = mem_zalloc((n_layers + 1) * sizeof *f->layers);
    *im->found_end = f;
    im->found_end = &f->next;
    return f;
}

/* One layer of image f: the next diff id of its config. */
static int found_layer(struct import *im, struct image_found *f, const struct json *diff_id, const char *name,
                       const struct digest *blob)
{
    struct digest *diff = &f->layers[f->n_layers];
    uint64_t size;

    if (!digest_parse(json_str(diff_id), diff))
        return err_set(im->err, E_INVALID, "image config with a bad diff id");
    int rc = layer_import(im, name, blob, diff, &size);
    if (rc == 0) {
        f->n_layers++;
        f->size += size;
    }
    return rc;
}

static int blob_name(struct import *im, const struct json *descriptor, struct digest *ret,
                     struct file_path *ret_name)
{
    if (!digest_parse(json_str(json_getz(descriptor, "digest")), ret))
        return err_set(im->err, E_INVALID, "descriptor without a sha256 digest");
    return file_path(ret_name, im->err, "blobs/sha256/%s", digest_hex(ret));
}

static int oci_manifest(struct import *im, const struct json *manifest, struct str ref)
{
    const struct json *layers = json_getz(manifest, "layers"), *diff;
    struct file_path name;
    struct digest d;
    struct json *config;
    struct str text;
    int rc;

    if ((rc = blob_name(im, json_getz(manifest, "config"), &d, &name)) < 0
        || (rc = document(im, name.s, &d, &config, &text)) < 0
        || (rc = config_check(im, config, layers != NULL ? layers->n : 0)) < 0)
        return rc;
    struct image_found *f = found_new(im, text, layers != NULL ? layers->n : 0);
    add_ref(im, f, ref);
    diff = json__first(json_path(config, "rootfs.diff_ids"));
    json_each(l, layers) {
        if ((rc = blob_name(im, l, &d, &name)) < 0 || (rc = found_layer(im, f, diff, name.s, &d)) < 0)
            return rc;
        diff = diff->next;
    }
    return 0;
}

/* What this machine calls itself in images. */
static bool platform_fits(const struct json *platform)
{
    struct str arch = json_str(json_getz(platform, "architecture")), os = json_str(json_getz(platform, "os"));
    struct utsname u;

    if (platform == NULL || arch.n == 0)
        return true;
    if (uname(&u) < 0)
        return false;
    return str_is(arch, image_architecture(u.machine)) && (os.n == 0 || str_is(os, "linux"));
}

static struct str ref_name(const struct json *descriptor)
{
    const struct json *notes = json_getz(descriptor, "annotations");
    struct str full = json_str(json_getz(notes, "io.containerd.image.name"));

    return full.n > 0 ? full : json_str(json_getz(notes, "org.opencontainers.image.ref.name"));
}

/* A bounded walk: indexes may point at indexes. */
static int oci_index(struct import *im, const struct json *index, struct str ref, unsigned depth)
{
    const struct json *list = json_getz(index, "manifests");
    struct file_path name;
    struct digest d;
    struct json *doc;
    int rc = 0;

    if (depth > INDEX_DEPTH_MAX || (list != NULL && list->n > MANIFESTS_MAX))
        return err_set(im->err, E_TOOBIG, "image index is too deep or too long");
    for (const struct json *m = json__first(list); m != NULL && rc == 0; m = m->next) {
        struct str own = ref_name(m);
        if (!platform_fits(json_getz(m, "platform")))
            continue;
        if ((rc = blob_name(im, m, &d, &name)) < 0 || (rc = document(im, name.s, &d, &doc, NULL)) < 0)
            break;
        own = own.n > 0 ? own : ref;
        if (json_getz(doc, "manifests") != NULL)
            rc = oci_index(im, doc, own, depth + 1);
        else
            rc = oci_manifest(im, doc, own);
    }
    return rc;
}

static int docker_image(struct import *im, const struct json *m)
{
    const struct json *layers = json_getz(m, "Layers"), *diff;
    struct json *config;
    struct str text;
    int rc;

    const char *name = arena_cstr(&im->arena, json_str(json_getz(m, "Config")));
    if ((rc = document(im, name, NULL, &config, &text)) < 0
        || (rc = config_check(im, config, layers != NULL ? layers->n : 0)) < 0)
        return rc;
    struct image_found *f = found_new(im, text, layers != NULL ? layers->n : 0);
    json_each(tag, json_getz(m, "RepoTags"))
        add_ref(im, f, json_str(tag));
    diff = json__first(json_path(config, "rootfs.diff_ids"));
    json_each(l, layers) {
        if ((rc = found_layer(im, f, diff, arena_cstr(&im->arena, json_str(l)), NULL)) < 0)
            return rc;
        diff = diff->next;
    }
    return 0;
}

static int import_all(struct import *im)
{
    struct json *doc;
    int rc;

    if (image_source_has(&im->src, "index.json")) {
        rc = document(im, "index.json", NULL, &doc, NULL);
        return rc < 0 ? rc : oci_index(im, doc, STR_NONE, 0);
    }
    if (!image_source_has(&im->src, "manifest.json"))
        return err_set(im->err, E_INVALID,
                       "neither an OCI layout (index.json) nor a docker archive (manifest.json)");
    if ((rc = document(im, "manifest.json", NULL, &doc, NULL)) < 0)
        return rc;
    if (doc->n > MANIFESTS_MAX)
        return err_set(im->err, E_TOOBIG, "archive lists %u images", doc->n);
    for (const struct json *m = json__first(doc); m != NULL && rc == 0; m = m->next)
        rc = docker_image(im, m);
    return rc;
}

void image_found_free(struct image_found *list)
{
    while (list != NULL) {
        struct image_found *next = list->next;
        mem_free(list->config);
        mem_free(list->refs);
        mem_free(list->layers);
        mem_free(list);
        list = next;
    }
}

int image_import_run(const char *store_dir, const char *path, const struct layer_limits *lim,
                     struct image_found **ret, struct errbuf *err)
{
    struct import im = { .store = store_dir, .path = path, .lim = lim, .err = err };
    struct file_path scratch;
    int rc = file_path(&scratch, err, "%s/tmp/archive-%d", store_dir, (int)getpid());

    im.found_end = &im.found;
    arena_init(&im.arena);
    if (rc == 0)
        rc = image_source_open(&im.src, path, scratch.s, err);
    if (rc == 0) {
        rc = import_all(&im);
        image_source_release(&im.src);
    }
    if (rc == 0 && im.found == NULL)
        rc = err_set(err, E_NOTFOUND, "no image for this machine's architecture");
    if (rc < 0) {
        image_found_free(im.found);
        err_wrap(err, rc, "import %s", path);
    } else {
        *ret = im.found;
    }
    arena_release(&im.arena);
    return rc;
}
