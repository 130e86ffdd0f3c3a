/* node/image_store.c: see image_store.h. */
#include <stdio.h>
#include <unistd.h>
#include "api/json.h"
#include "net/log.h"
#include "net/map.h"
#include "node/files.h"
#include "node/image_store.h"

enum { TABLE_MAX = 64 << 20, CONFIG_MAX = 4 << 20 };

struct image {
    struct rt_image_info info;
    struct arena arena;                          /* of what info points to, except refs */
    char **refs;
    const char **layer_dirs;
    struct digest *layers;
    size_t n_layers;
};

struct image_store {
    struct loop *loop;
    char *dir;
    struct map images;                           /* id -> struct image */
    struct map refs;                             /* normalized reference -> struct image */
    struct qlink imports;                        /* waiting for the one at work */
    struct qlink waits;                          /* struct image_wait: for all of them */
    bool working, closing;
    bool sweep_due;                              /* something became unused while an import was at work */
    struct import_job *job;
    struct trash_job *trash;
    unsigned pins;                               /* jobs on the thread pool */
    void (*closed)(void *arg);
    void *closed_arg;
    struct ready_item closed_item;
};

/* ---- records ---------------------------------------------------------------------------------- */

static const char *const *strings_of(struct arena *a, const struct json *list, size_t *ret_n)
{
    const char **out = arena_alloc(a, sizeof *out * ((list != NULL
                                                      && list->type == JSON_ARRAY ? list->n : 0) + 1));
    size_t n = 0;

    if (json_is(list, JSON_ARRAY))
        json_each(s, list)
            if (json_is(s, JSON_STRING))
                out[n++] = arena_cstr(a, s->s);
    out[n] = NULL;
    *ret_n = n;
    return out;
}

static void image_free(struct image *im)
{
    for (size_t i = 0; i < im->info.n_refs; i++)
        mem_free(im->refs[i]);
    mem_free(im->refs);
    arena_release(&im->arena);
    mem_free(im);
}

/* What a container needs from the image's config. */
static int image_config(struct image *im, struct str config, struct errbuf *err)
{
    struct arena *a = &im->arena;
    struct json_error je;
    struct json *doc;

    if (json_parse(a, arena_str(a, config), &doc, &je) < 0)
        return err_set(err, E_CORRUPT, "image config: %s", je.text);
    const struct json *c = json_getz(doc, "config");
    im->info.entrypoint = strings_of(a, json_getz(c, "Entrypoint"), &im->info.n_entrypoint);
    im->info.cmd = strings_of(a, json_getz(c, "Cmd"), &im->info.n_cmd);
    im->info.env = strings_of(a, json_getz(c, "Env"), &im->info.n_env);
    im->info.user = arena_cstr(a, json_str(json_getz(c, "User")));
    im->info.cwd = arena_cstr(a, json_str(json_getz(c, "WorkingDir")));
    im->info.stop_signal = arena_cstr(a, json_str(json_getz(c, "StopSignal")));
    return 0;
}

static struct image *image_new(struct image_store *s, const struct digest *id, const struct digest *layers,
                               size_t n)
{
    struct image *im = mem_new(struct image);

    arena_init(&im->arena);
    im->info.id = arena_cstr(&im->arena, str_of(id->s));
    im->layers = arena_alloc(&im->arena, sizeof *layers * (n + 1));
    im->layer_dirs = arena_alloc(&im->arena, sizeof *im->layer_dirs * (n + 1));
    im->n_layers = n;
    for (size_t i = 0; i < n; i++) {
        im->layers[i] = layers[i];
        im->layer_dirs[i] = arena_fmt(&im->arena, "%s/layers/%s", s->dir, digest_hex(&layers[i])).p;
    }
    return im;
}

static void ref_drop(struct image_store *s, struct image *im, const char *ref)
{
    map_del(&s->refs, str_of(ref));
    for (size_t i = 0; i < im->info.n_refs; i++)
        if (strcmp(im->refs[i], ref) == 0) {
            mem_free(im->refs[i]);
            im->refs[i] = im->refs[--im->info.n_refs];
            return;
        }
}

/* A reference means one image: the newest it was given to. */
static void ref_set(struct image_store *s, struct image *im, const char *ref)
{
    struct image *was = map_get(&s->refs, str_of(ref));

    if (was == im)
        return;
    if (was != NULL)
        ref_drop(s, was, ref);
    im->refs = mem_realloc(im->refs, sizeof *im->refs * (im->info.n_refs + 1));
    im->refs[im->info.n_refs++] = mem_strdup(ref);
    im->info.refs = (const char *const *)im->refs;
    map_put(&s->refs, str_of(ref), im);
}

/* ---- the table on disk ------------------------------------------------------------------------ */

static struct json *image_json(struct arena *a, const struct image *im)
{
    struct json *o = json_object(a), *refs = json_array(a), *layers = json_array(a);

    json_setz(a, o, "id", json_string(a, str_of(im->info.id)));
    json_setz(a, o, "size", json_int(a, (int64_t)im->info.size));
    for (size_t i = 0; i < im->info.n_refs; i++)
        json_push(refs, json_string(a, str_of(im->refs[i])));
    for (size_t i = 0; i < im->n_layers; i++)
        json_push(layers, json_string(a, str_of(im->layers[i].s)));
    json_setz(a, o, "refs", refs);
    json_setz(a, o, "layers", layers);
    return o;
}

static int table_save(struct image_store *s, struct errbuf *err)
{
    struct arena a = ARENA_INIT;
    struct buf b = BUF_INIT;
    struct json *top = json_object(&a), *list = json_setz(&a, top, "images", json_array(&a));
    struct file_path p;
    struct str key;
    void *val;

    for (size_t i = 0; map_next(&s->images, &i, &key, &val); )
        json_push(list, image_json(&a, val));
    json_write(&b, top);
    int rc = file_path(&p, err, "%s/images.json", s->dir);
    if (rc == 0)
        rc = file_replace(p.s, buf_str(&b), 0600, false, err);
    buf_release(&b);
    arena_release(&a);
    return rc;
}

static int config_load(struct image_store *s, struct image *im, const struct digest *id, struct errbuf *err)
{
    struct file_path p;
    struct buf b = BUF_INIT;
    struct digest have;
    int rc = file_path(&p, err, "%s/configs/%s.json", s->dir, digest_hex(id));

    if (rc == 0)
        rc = file_read(p.s, CONFIG_MAX, &b, err);
    if (rc == 0) {
        digest_of(buf_str(&b), &have);
        rc = strcmp(have.s, id->s) != 0 ? err_set(err, E_CORRUPT, "config of %s is damaged", id->s)
                                        : image_config(im, buf_str(&b), err);
    }
    buf_release(&b);
    return rc;
}

/* An image that lost a layer or its config (power cut before it was flushed) is forgotten: it has to come again. */
static void image_load(struct image_store *s, const struct json *o)
{
    const struct json *list = json_getz(o, "layers");
    struct digest id, layers[IMAGE_LAYERS_MAX];
    struct errbuf err = { "" };
    uint64_t size;
    size_t n = 0;
    bool ok = digest_parse(json_str(json_getz(o, "id")), &id) && json_is(list, JSON_ARRAY)
        && list->n <= IMAGE_LAYERS_MAX;

    for (const struct json *l = json__first(list); ok && l != NULL; l = l->next, n++)
        ok = digest_parse(json_str(l), &layers[n]) && image_layer_ready(s->dir, &layers[n], &size);
    if (!ok || map_get(&s->images, str_of(id.s)) != NULL)
        return;
    struct image *im = image_new(s, &id, layers, n);
    if (config_load(s, im, &id, &err) < 0) {
        log_warn("images", "forgetting an image: %s", err.s);
        image_free(im);
        return;
    }
    im->info.size = (uint64_t)MAX_OF(json_path_i64(o, "size", 0), 0);
    map_put(&s->images, str_of(im->info.id), im);
    json_each(r, json_getz(o, "refs")) {
        struct image_ref ref;
        if (image_ref_normalize(json_str(r), &ref, NULL) == 0)
            ref_set(s, im, ref.s);
    }
}

static void table_load(struct image_store *s)
{
    struct arena a = ARENA_INIT;
    struct buf b = BUF_INIT;
    struct json_error je;
    struct json *doc;
    struct file_path p;

    if (file_path(&p, NULL, "%s/images.json", s->dir) == 0 && file_read(p.s, TABLE_MAX, &b, NULL) == 0) {
        if (json_parse(&a, buf_str(&b), &doc, &je) == 0)
            json_each(o, json_getz(doc, "images"))
                image_load(s, o);
        else
            log_warn("images", "%s: %s: starting without images", p.s, je.text);
    }
    buf_release(&b);
    arena_release(&a);
}

/* ---- what nothing refers to any more ---------------------------------------------------------- */

/* Renamed into tmp/ on the loop, so that the names are free at once, and taken apart on the pool. */
struct trash_job { struct loop_work work; struct image_store *s; bool again; };

static void store_unpin(struct image_store *s);

static int trash_one(void *arg, const char *name)
{
    const char *dir = arg;
    struct file_path p;

    if (strncmp(name, "gone-", 5) == 0 && file_path(&p, NULL, "%s/tmp/%s", dir, name) == 0)
        file_remove_tree(p.s, NULL);
    return 0;
}

static void trash_fn(struct loop_work *w)
{
    struct trash_job *t = container_of(w, struct trash_job, work);
    struct file_path p;

    if (file_path(&p, NULL, "%s/tmp", t->s->dir) == 0)
        file_each(p.s, trash_one, t->s->dir, NULL);
}

static void trash_done(struct loop_work *w)
{
    struct trash_job *t = container_of(w, struct trash_job, work);
    struct image_store *s = t->s;

    if (t->again && !s->closing) {
        t->again = false;
        loop_work(s->loop, w);
        return;
    }
    s->trash = NULL;
    mem_free(t);
    store_unpin(s);
}

static void trash_start(struct image_store *s)
{
    if (s->trash != NULL) {
        s->trash->again = true;
        return;
    }
    s->trash = mem_new(struct trash_job);
    s->trash->s = s;
    s->trash->work = (struct loop_work){ .fn = trash_fn, .done = trash_done };
    s->pins++;
    loop_work(s->loop, &s->trash->work);
}

static bool layer_used(struct image_store *s, const char *hex)
{
    struct str key;
    void *val;

    for (size_t i = 0; map_next(&s->images, &i, &key, &val); ) {
        const struct image *im = val;
        for (size_t l = 0; l < im->n_layers; l++)
            if (strcmp(digest_hex(&im->layers[l]), hex) == 0)
                return true;
    }
    return false;
}

static void layer_drop(struct image_store *s, const char *hex)
{
    struct file_path p, to;

    if (file_path(&p, NULL, "%s/layers/%s.ok", s->dir, hex) == 0)
        unlink(p.s);
    if (file_path(&p, NULL, "%s/layers/%s", s->dir, hex) == 0
        && file_path(&to, NULL, "%s/tmp/gone-%s-%llx", s->dir, hex,
                     (unsigned long long)loop_random_u64(s->loop)) == 0)
        rename(p.s, to.s);
}

static int sweep_layer(void *arg, const char *name)
{
    struct image_store *s = arg;
    char hex[DIGEST_HEX + 1];

    snprintf(hex, sizeof hex, "%s", name);
    if (!layer_used(s, hex))
        layer_drop(s, hex);
    return 0;
}

static int sweep_config(void *arg, const char *name)
{
    struct image_store *s = arg;
    struct file_path p;
    char id[DIGEST_LEN + 1];

    snprintf(id, sizeof id, "sha256:%.*s", DIGEST_HEX, name);
    if (map_get(&s->images, str_of(id)) == NULL && file_path(&p, NULL, "%s/configs/%s", s->dir, name) == 0)
        unlink(p.s);
    return 0;
}

static int sweep_tmp(void *arg, const char *name)
{
    struct image_store *s = arg;
    struct file_path p, to;

    if (strncmp(name, "gone-", 5) != 0 && file_path(&p, NULL, "%s/tmp/%s", s->dir, name) == 0
        && file_path(&to, NULL, "%s/tmp/gone-%llx", s->dir,
                     (unsigned long long)loop_random_u64(s->loop)) == 0)
        rename(p.s, to.s);
    return 0;
}

static void sweep(struct image_store *s)
{
    struct file_path p;

    s->sweep_due = false;
    if (file_path(&p, NULL, "%s/layers", s->dir) == 0)
        file_each(p.s, sweep_layer, s, NULL);
    if (file_path(&p, NULL, "%s/configs", s->dir) == 0)
        file_each(p.s, sweep_config, s, NULL);
    if (file_path(&p, NULL, "%s/tmp", s->dir) == 0)
        file_each(p.s, sweep_tmp, s, NULL);
    trash_start(s);
}

/* ---- importing -------------------------------------------------------------------------------- */

struct import_job {
    struct loop_work work;
    struct image_store *s;
    struct rt_image_import *req;
    char *path;
    struct image_found *found;
    struct errbuf err;
    int rc;
};

struct sync_job { struct loop_work work; struct image_store *s; };

static void import_next(struct image_store *s);

static void sync_fn(struct loop_work *w)
{
    image_layers_sync(container_of(w, struct sync_job, work)->s->dir);
}

static void sync_done(struct loop_work *w)
{
    struct sync_job *j = container_of(w, struct sync_job, work);
    struct image_store *s = j->s;

    mem_free(j);
    store_unpin(s);
}

/* Durability comes after the answer: images are usable before a slow disk has them. */
static void sync_start(struct image_store *s)
{
    struct sync_job *j = mem_new(struct sync_job);

    j->s = s;
    j->work = (struct loop_work){ .fn = sync_fn, .done = sync_done };
    s->pins++;
    loop_work(s->loop, &j->work);
}

static int found_add(struct image_store *s, const struct image_found *f, struct errbuf *err)
{
    struct image *im = map_get(&s->images, str_of(f->id.s));
    struct file_path p;
    int rc = 0;

    if (im == NULL) {
        im = image_new(s, &f->id, f->layers, f->n_layers);
        im->info.size = f->size;
        rc = image_config(im, str_of(f->config), err);
        if (rc == 0)
            rc = file_path(&p, err, "%s/configs/%s.json", s->dir, digest_hex(&f->id));
        if (rc == 0)
            rc = file_replace(p.s, str_of(f->config), 0600, false, err);
        if (rc < 0) {
            image_free(im);
            return rc;
        }
        map_put(&s->images, str_of(im->info.id), im);
    }
    for (size_t i = 0; i < f->n_refs; i++)
        ref_set(s, im, f->refs[i].s);
    return 0;
}

static void import_fn(struct loop_work *w)
{
    struct import_job *j = container_of(w, struct import_job, work);
    struct layer_limits lim = LAYER_LIMITS_DEFAULT;

    if (j->rc == 0)
        j->rc = image_import_run(j->s->dir, j->path, &lim, &j->found, &j->err);
}

static void imports_over(struct image_store *s)
{
    struct qlink waits;

    if (s->working)
        return;
    qmove(&s->waits, &waits);
    while (!qempty(&waits)) {
        struct image_wait *next = qentry(qpop(&waits), struct image_wait, link);
        next->fn(next);
    }
}

bool image_store_wait(struct image_store *s, struct image_wait *w)
{
    if (s->working)
        qpush(&s->waits, &w->link);
    return s->working;
}

static void import_done(struct loop_work *w)
{
    struct import_job *j = container_of(w, struct import_job, work);
    struct image_store *s = j->s;
    struct rt_image_import *r = j->req;
    int rc = j->rc;

    for (const struct image_found *f = j->found; f != NULL && rc == 0; f = f->next)
        if ((rc = found_add(s, f, &j->err)) == 0)
            r->n_images++;
    if (j->found != NULL && rc == 0)
        rc = table_save(s, &j->err);
    if (rc == 0 && !s->closing)
        sync_start(s);
    r->req.err = j->err;
    image_found_free(j->found);
    mem_free(j->path);
    mem_free(j);
    s->working = false;
    if (rc < 0 || s->sweep_due)
        sweep(s);
    import_next(s);
    r->req.done(&r->req, rc);
    imports_over(s);
    store_unpin(s);
}

/* Requests wait in order: two imports may bring the same layer. */
struct waiting { struct qlink link; struct rt_image_import *req; };

static void import_next(struct image_store *s)
{
    if (s->working || qempty(&s->imports))
        return;
    struct waiting *next = qentry(qpop(&s->imports), struct waiting, link);
    struct import_job *j = mem_new(struct import_job);
    j->s = s;
    j->req = next->req;
    j->path = mem_strdup(next->req->path);
    j->work = (struct loop_work){ .fn = import_fn, .done = import_done };
    mem_free(next);
    if (s->closing)                              /* nothing new is begun; it still fails from the loop */
        j->rc = err_set(&j->err, E_CLOSED, "the image store is closing");
    s->working = true;
    s->pins++;
    loop_work(s->loop, &j->work);
}

void image_store_import(struct image_store *s, struct rt_image_import *r)
{
    struct waiting *w = mem_new(struct waiting);

    r->n_images = 0;
    w->req = r;
    qpush(&s->imports, &w->link);
    import_next(s);
}

/* ---- the interface ---------------------------------------------------------------------------- */

static const char *const store_dirs[] = { "layers", "configs", "tmp" };

int image_store_open(struct loop *l, const char *dir, struct image_store **ret, struct errbuf *err)
{
    struct file_path p;
    int rc = 0;

    for (unsigned i = 0; i < ARRAY_LEN(store_dirs) && rc == 0; i++)
        if ((rc = file_path(&p, err, "%s/%s", dir, store_dirs[i])) == 0)
            rc = file_mkdirs(p.s, 0700, err);
    if (rc < 0)
        return rc;
    struct image_store *s = mem_new(struct image_store);
    s->loop = l;
    s->dir = mem_strdup(dir);
    s->pins = 1;                                 /* the owner's */
    qinit(&s->imports);
    qinit(&s->waits);
    table_load(s);
    sweep(s);
    *ret = s;
    return 0;
}

static void store_on_closed(struct ready_item *it)
{
    struct image_store *s = container_of(it, struct image_store, closed_item);
    void (*closed)(void *arg) = s->closed;
    void *arg = s->closed_arg, *val;
    struct str key;

    for (size_t i = 0; map_next(&s->images, &i, &key, &val); )
        image_free(val);
    map_release(&s->images);
    map_release(&s->refs);
    mem_free(s->dir);
    mem_free(s);
    if (closed != NULL)
        closed(arg);
}

static void store_unpin(struct image_store *s)
{
    must(s->pins > 0);
    if (--s->pins > 0)
        return;
    must(s->closing && !s->working && qempty(&s->imports));
    ready_init(&s->closed_item, store_on_closed);
    ready_post(s->loop, &s->closed_item);
}

void image_store_close(struct image_store *s, void (*done)(void *arg), void *arg)
{
    must(!s->closing);
    s->closing = true;
    s->closed = done;
    s->closed_arg = arg;
    store_unpin(s);
}

static struct image *image_by_prefix(struct image_store *s, struct str hex)
{
    struct image *found = NULL;
    struct str key;
    void *val;

    if (str_starts(hex, STR("sha256:")))
        hex = str_from(hex, 7);
    if (hex.n < 12 || hex.n > DIGEST_HEX)
        return NULL;
    for (size_t i = 0; map_next(&s->images, &i, &key, &val); )
        if (str_starts(str_from(key, 7), hex)) {
            if (found != NULL)
                return NULL;
            found = val;
        }
    return found;
}

static struct image *image_lookup(struct image_store *s, const char *name)
{
    struct image_ref ref;
    struct image *im = map_get(&s->images, str_of(name));

    if (im == NULL && image_ref_normalize(str_of(name), &ref, NULL) == 0)
        im = map_get(&s->refs, str_of(ref.s));
    return im != NULL ? im : image_by_prefix(s, str_of(name));
}

const struct rt_image_info *image_store_get(struct image_store *s, const char *ref_or_id)
{
    struct image *im = image_lookup(s, ref_or_id);
    return im != NULL ? &im->info : NULL;
}

void image_store_each(struct image_store *s, void (*fn)(void *arg, const struct rt_image_info *i), void *arg)
{
    struct str key;
    void *val;

    for (size_t i = 0; map_next(&s->images, &i, &key, &val); )
        fn(arg, &((struct image *)val)->info);
}

const char *const *image_store_layers(struct image_store *s, const char *id, size_t *ret_n)
{
    struct image *im = map_get(&s->images, str_of(id));

    *ret_n = im != NULL ? im->n_layers : 0;
    return im != NULL ? (const char *const *)im->layer_dirs : NULL;
}

int image_store_remove(struct image_store *s, const char *ref_or_id, struct errbuf *err)
{
    struct image *im = image_lookup(s, ref_or_id);
    struct image_ref ref;

    if (im == NULL)
        return err_set(err, E_NOTFOUND, "no image %s", ref_or_id);
    if (image_ref_normalize(str_of(ref_or_id), &ref, NULL) == 0 && map_get(&s->refs, str_of(ref.s)) == im)
        ref_drop(s, im, ref.s);
    else
        while (im->info.n_refs > 0)
            ref_drop(s, im, im->refs[0]);
    if (im->info.n_refs == 0) {
        map_del(&s->images, str_of(im->info.id));
        image_free(im);
        s->sweep_due = true;                     /* not under an import that may count on a layer it has found */
        if (!s->working)
            sweep(s);
    }
    return table_save(s, err);
}
