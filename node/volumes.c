/* node/volumes.c: emptyDir, hostPath, and the volumes made of API data: configMap, secret, downwardAPI,
 * projected. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>
#include "api/quantity.h"
#include "node/atomic_dir.h"
#include "node/files.h"
#include "node/volumes.h"

#define TOKEN_RETRY_MS 2000

/* A service account token of a projected volume: asked for, kept, renewed at four fifths of its life. */
struct token {
    struct token *next;
    struct volumes *v;
    struct str volume, path;                     /* which source of which volume; own memory */
    struct client_call *call;
    struct timer again;
    char *text;                                  /* stays until there is a newer one */
    char *why;                                   /* it could not be had; NULL */
    bool due;
};

struct volume { struct volume *next; char *name, *path; bool read_only; };

struct volumes {
    struct agent *agent;
    char *dir;
    struct source_set *sources;
    struct volume *list;
    struct token *tokens;
    uint32_t gid;                                /* the pod's fsGroup: owns all but hostPaths; 0: none */
    void (*changed)(void *arg);
    void *arg;
};

struct volumes *volumes_new(struct agent *agent, const char *dir, struct source_set *sources,
                            void (*changed)(void *arg), void *arg)
{
    struct volumes *v = mem_new(struct volumes);

    *v = (struct volumes){
        .agent = agent, .dir = mem_strdup(dir), .sources = sources, .changed = changed, .arg = arg
    };
    return v;
}

void volumes_free(struct volumes *v)
{
    while (v->list != NULL) {
        struct volume *x = v->list;
        v->list = x->next;
        mem_free(x->name);
        mem_free(x->path);
        mem_free(x);
    }
    while (v->tokens != NULL) {
        struct token *t = v->tokens;
        v->tokens = t->next;
        client_cancel(t->call);
        timer_stop(&t->again);
        mem_free((void *)t->volume.p);
        mem_free((void *)t->path.p);
        mem_free(t->text);
        mem_free(t->why);
        mem_free(t);
    }
    mem_free(v->dir);
    mem_free(v);
}

static struct volume *volume_find(const struct volumes *v, struct str name)
{
    for (struct volume *x = v->list; x != NULL; x = x->next)
        if (str_is(name, x->name))
            return x;
    return NULL;
}

const char *volumes_path(const struct volumes *v, struct str name, bool *ret_read_only)
{
    const struct volume *x = volume_find(v, name);

    if (x != NULL)
        *ret_read_only = x->read_only;
    return x != NULL ? x->path : NULL;
}

static struct volume *volume_add(struct volumes *v, struct str name, const char *path)
{
    struct volume *x = mem_new(struct volume);

    *x = (struct volume){ v->list, mem_strndup(name), mem_strdup(path), false };
    return v->list = x;
}

/* ---- Tokens --------------------------------------------------------------------------------- */

static void token_ask(struct token *t);

static void token_on_again(struct timer *timer) { token_ask(container_of(timer, struct token, again)); }

static void token_on_answer(void *arg, const struct client_result *r)
{
    struct token *t = arg;
    int64_t life = json_path_i64(r->obj, "spec.expirationSeconds", 3600);
    struct str text = json_path_str(r->obj, "status.token");

    t->call = NULL;
    mem_free(t->why);
    t->why = NULL;
    if (!r->ok || text.n == 0) {
        t->why = r->message.n > 0 ? mem_strndup(r->message)
                                  : mem_strdup(r->reason != NULL ? r->reason : "no token came");
        timer_start(&t->again, TOKEN_RETRY_MS);
        return;
    }
    t->due = false;
    mem_free(t->text);
    t->text = mem_strndup(text);
    timer_start(&t->again, (uint64_t)MAX_OF(life, 10) * 800);
    t->v->changed(t->v->arg);
}

static void token_send(struct token *t, const struct json *pod, const struct json *source)
{
    struct arena a = ARENA_INIT;
    struct json *body = json_object(&a), *spec = json_make_path(&a, body, "spec"),
                *ref = json_make_path(&a, body, "spec.boundObjectRef");
    struct str account = json_path_str(pod, "spec.serviceAccountName"),
               audience = json_path_str(source, "audience");
    struct client_req r = { .method = "POST",
                            .res = CLIENT_SERVICEACCOUNTS,
                            .ns = json_path_str(pod, "metadata.namespace"),
                            .name = account.n > 0 ? account : STR("default"),
                            .sub = "token",
                            .body = body,
                            .done = token_on_answer,
                            .arg = t };

    json_setz(&a, body, "apiVersion", json_string_ref(&a, STR("authentication.k8s.io/v1")));
    json_setz(&a, body, "kind", json_string_ref(&a, STR("TokenRequest")));
    json_setz(&a, spec, "expirationSeconds", json_int(&a, json_path_i64(source, "expirationSeconds", 3600)));
    struct json *audiences = json_setz(&a, spec, "audiences", json_array(&a));
    if (audience.n > 0)
        json_push(audiences, json_string(&a, audience));
    json_setz(&a, ref, "apiVersion", json_string_ref(&a, STR("v1")));
    json_setz(&a, ref, "kind", json_string_ref(&a, STR("Pod")));
    json_setz(&a, ref, "name", json_string(&a, json_path_str(pod, "metadata.name")));
    json_setz(&a, ref, "uid", json_string(&a, json_path_str(pod, "metadata.uid")));
    t->call = client_send(t->v->agent->client, &r);
    if (t->call == NULL)
        timer_start(&t->again, TOKEN_RETRY_MS);
    arena_release(&a);
}

/* Renewal: the pod is not at hand; the next volumes_update() asks. */
static void token_ask(struct token *t)
{
    t->due = true;
    t->v->changed(t->v->arg);
}

static int token_get(struct volumes *v, const struct json *pod, struct str volume, const struct json *source,
                     struct str *ret, struct errbuf *err)
{
    struct str path = json_path_str(source, "path");
    struct token *t = v->tokens;

    while (t != NULL && !(str_eq(t->volume, volume) && str_eq(t->path, path)))
        t = t->next;
    if (t == NULL) {
        t = mem_new(struct token);
        *t = (struct token){ .next = v->tokens,
                             .v = v,
                             .due = true,
                             .volume = str_make(mem_strndup(volume), volume.n),
                             .path = str_make(mem_strndup(path), path.n) };
        timer_init(&t->again, v->agent->loop, token_on_again);
        v->tokens = t;
    }
    if (t->due && t->call == NULL && !timer_active(&t->again))
        token_send(t, pod, source);
    if (t->text == NULL)
        return err_set(err, E_AGAIN,
                       t->why != NULL ? "failed to fetch token: %s" : "waiting for a service account token%s",
                       t->why != NULL ? t->why : "");
    *ret = str_of(t->text);
    return 0;
}

/* ---- Files from the API --------------------------------------------------------------------- */

struct files { struct arena *a; struct atomic_file *v; size_t n, cap; unsigned mode; uint32_t gid; };

/* A group that owns files may read them. */
static unsigned file_mode(const struct files *f, int64_t mode)
{
    return (mode >= 0 ? (unsigned)mode & 0777 : f->mode) | (f->gid != 0 ? 0440 : 0);
}

static void files_add(struct files *f, struct str path, struct str data, int64_t mode)
{
    if (f->n == f->cap) {
        size_t cap = f->cap == 0 ? 16 : f->cap * 2;
        struct atomic_file *v = arena_alloc(f->a, cap * sizeof *v);
        if (f->n > 0)
            memcpy(v, f->v, f->n * sizeof *v);
        f->v = v;
        f->cap = cap;
    }
    for (size_t i = 0; i < f->n; i++)            /* a later source wins */
        if (str_eq(f->v[i].path, path)) {
            f->v[i].data = data;
            f->v[i].mode = file_mode(f, mode);
            return;
        }
    f->v[f->n++] = (struct atomic_file){ path, data, file_mode(f, mode), f->gid };
}

/* All keys, or those that `items` names. */
static int add_data(struct files *f, const struct json *ref, const struct json *obj, struct str name,
                    struct errbuf *err)
{
    const struct json *items = json_getz(ref, "items"), *data = json_getz(obj, "data"),
                      *binary = json_getz(obj, "binaryData");
    bool secret = str_is(json_path_str(obj, "kind"), "Secret");

    if (json__first(items) == NULL) {
        json_each(e, data)
            files_add(f, e->key, secret ? source_bytes(f->a, e) : json_str(e), -1);
        json_each(e, binary)
            files_add(f, e->key, source_bytes(f->a, e), -1);
        return 0;
    }
    json_each(item, items) {
        struct str key = json_path_str(item, "key");
        const struct json *e = json_get(data, key), *b = json_get(binary, key);
        if (e != NULL || b != NULL)
            files_add(f, json_path_str(item, "path"),
                      b != NULL || secret ? source_bytes(f->a, e != NULL ? e : b) : json_str(e),
                      json_path_i64(item, "mode", -1));
        else if (!json_path_true(ref, "optional"))
            return err_set(err, E_NOTFOUND, "references non-existent key %.*s of \"%.*s\"", STR_ARG(key),
                           STR_ARG(name));
    }
    return 0;
}

static int add_source(struct volumes *v, const struct downward *d, struct files *f, bool secret,
                      const struct json *ref, struct errbuf *err)
{
    struct str name =
        json_path_str(ref, secret && json_getz(ref, "secretName") != NULL ? "secretName" : "name");
    struct source_ref r = { secret, json_path_true(ref, "optional"), json_path_str(d->pod, "metadata.namespace"), name };
    struct json *obj;
    int rc = source_get(v->sources, &r, f->a, &obj, err);

    if (rc != 0 || obj == NULL)
        return rc;
    if (secret)
        json_setz(f->a, obj, "kind", json_string_ref(f->a, STR("Secret")));
    return add_data(f, ref, obj, name, err);
}

static int add_downward(const struct downward *d, struct files *f, const struct json *items,
                        struct errbuf *err)
{
    json_each(item, items) {
        const struct json *field = json_getz(item, "fieldRef"), *res = json_getz(item, "resourceFieldRef");
        struct str value = STR_NONE;
        int rc = field != NULL ? downward_field(d, field, f->a, &value, err)
                               : downward_resource(d, res, NULL, f->a, &value, err);
        if (rc != 0)
            return rc;
        files_add(f, json_path_str(item, "path"), value, json_path_i64(item, "mode", -1));
    }
    return 0;
}

static int add_projected(struct volumes *v, const struct downward *d, struct files *f, struct str volume,
                         const struct json *projected, struct errbuf *err)
{
    json_each(s, json_getz(projected, "sources")) {
        const struct json *ref;
        struct str token;
        int rc = 0;
        if ((ref = json_getz(s, "configMap")) != NULL)
            rc = add_source(v, d, f, false, ref, err);
        else if ((ref = json_getz(s, "secret")) != NULL)
            rc = add_source(v, d, f, true, ref, err);
        else if ((ref = json_getz(s, "downwardAPI")) != NULL)
            rc = add_downward(d, f, json_getz(ref, "items"), err);
        else if ((ref = json_getz(s, "serviceAccountToken")) != NULL) {
            rc = token_get(v, d->pod, volume, ref, &token, err);
            if (rc == 0)
                files_add(f, json_path_str(ref, "path"), token, -1);
        } else {
            rc = err_set(err, E_INVALID, "volume \"%.*s\" projects a source this node does not support",
                         STR_ARG(volume));
        }
        if (rc != 0)
            return rc;
    }
    return 0;
}

/* ---- Directories ---------------------------------------------------------------------------- */

/* A directory of the pod's group hands it on to what is made in it. */
static mode_t dir_mode(const struct volumes *v, mode_t mode)
{
    return v->gid != 0 ? mode | S_ISGID | 0110 : mode;
}

static int make_dir(const struct volumes *v, struct str name, struct file_path *p, mode_t mode,
                    struct errbuf *err)
{
    int rc = file_path(p, err, "%s/%.*s", v->dir, STR_ARG(name));

    if (rc == 0)
        rc = file_mkdirs(p->s, 0755, err);
    if (rc == 0 && v->gid != 0 && chown(p->s, (uid_t)-1, v->gid) != 0)
        rc = err_sys(err, errno, "chown %s", p->s);
    if (rc == 0 && chmod(p->s, dir_mode(v, mode)) != 0)
        rc = err_sys(err, errno, "chmod %s", p->s);
    return rc;
}

static int mount_tmpfs(const struct volumes *v, const char *path, int64_t size, mode_t mode,
                       struct errbuf *err)
{
    char opts[96];
    int n;

    if (file_is_mount(path))
        return 0;
    n = snprintf(opts, sizeof opts, "mode=%o,gid=%u", (unsigned)dir_mode(v, mode), (unsigned)v->gid);
    if (size > 0)
        snprintf(opts + n, sizeof opts - (size_t)n, ",size=%lld", (long long)size);
    return mount("tmpfs", path, "tmpfs", MS_NOSUID | MS_NODEV, opts) == 0
               ? 0
               : err_sys(err, errno, "mount tmpfs on %s", path);
}

static int empty_dir(struct volumes *v, struct str name, const struct json *spec, struct errbuf *err)
{
    struct file_path p;
    struct quantity limit = QUANTITY_ZERO;
    int rc = make_dir(v, name, &p, 0777, err);

    quantity_from_json(json_getz(spec, "sizeLimit"), &limit, NULL);
    if (rc == 0 && str_is(json_path_str(spec, "medium"), "Memory"))
        rc = mount_tmpfs(v, p.s, quantity_value(limit), 0777, err);
    if (rc == 0 && volume_find(v, name) == NULL)
        volume_add(v, name, p.s);
    return rc;
}

static int host_path(struct volumes *v, struct str name, const struct json *spec, struct errbuf *err)
{
    static const struct { const char *type; mode_t is; bool make; const char *what;
    } types[] = {
        { "Directory", S_IFDIR, false, "directory" },
        { "DirectoryOrCreate", S_IFDIR, true, "directory" },
        { "File", S_IFREG, false, "file" },
        { "FileOrCreate", S_IFREG, true, "file" },
        { "Socket", S_IFSOCK, false, "socket file" },
        { "CharDevice", S_IFCHR, false, "character device" },
        { "BlockDevice", S_IFBLK, false, "block device" },
    };
    struct str type = json_path_str(spec, "type"), path = json_path_str(spec, "path");
    struct file_path p;
    struct stat st;
    int rc = file_path(&p, err, "%.*s", STR_ARG(path));

    if (rc != 0)
        return rc;
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        if (!str_is(type, types[i].type))
            continue;
        bool there = stat(p.s, &st) == 0;
        if (!there && types[i].make && types[i].is == S_IFDIR && (rc = file_mkdirs(p.s, 0755, err)) != 0)
            return rc;
        if (!there && types[i].make && types[i].is == S_IFREG
            && (rc = file_replace(p.s, STR_NONE, 0644, false, err)) != 0)
            return rc;
        if (stat(p.s, &st) != 0 || (st.st_mode & S_IFMT) != types[i].is)
            return err_set(err, E_INVALID, "hostPath type check failed: %s is not a %s", p.s, types[i].what);
    }
    if (type.n == 0 && !file_exists(p.s) && (rc = file_mkdirs(p.s, 0755, err)) != 0)
        return rc;
    if (volume_find(v, name) == NULL)
        volume_add(v, name, p.s);
    return 0;
}

static int write_files(struct volumes *v, struct str name, struct files *f, bool in_memory,
                       struct errbuf *err)
{
    struct file_path p;
    struct volume *x;
    int rc = make_dir(v, name, &p, 0755, err);

    if (rc == 0 && in_memory)
        rc = mount_tmpfs(v, p.s, 0, 0755, err);
    if (rc == 0)
        rc = atomic_dir_write(p.s, f->v, f->n, err);
    if (rc == 0 && volume_find(v, name) == NULL) {
        x = volume_add(v, name, p.s);
        x->read_only = true;
    }
    return rc;
}

static int volume_update(struct volumes *v, const struct downward *d, const struct json *spec,
                         struct arena *a, struct errbuf *err)
{
    struct str name = json_path_str(spec, "name");
    struct files f = { .a = a, .mode = 0644, .gid = v->gid };
    const struct json *s;
    bool in_memory = false;
    int rc;

    if ((s = json_getz(spec, "emptyDir")) != NULL)
        return empty_dir(v, name, s, err);
    if ((s = json_getz(spec, "hostPath")) != NULL)
        return host_path(v, name, s, err);
    static const char *const kinds[] = { "configMap", "secret", "downwardAPI", "projected" };
    for (size_t i = 0; i < ARRAY_LEN(kinds) && s == NULL; i++)
        s = json_getz(spec, kinds[i]);
    if (s == NULL)
        return err_set(err, E_INVALID, "volume \"%.*s\" is of a kind this node does not support",
                       STR_ARG(name));
    f.mode = (unsigned)json_path_i64(s, "defaultMode", 0644) & 0777;
    if (json_getz(spec, "configMap") != NULL) {
        rc = add_source(v, d, &f, false, s, err);
    } else if (json_getz(spec, "secret") != NULL) {
        rc = add_source(v, d, &f, true, s, err);
        in_memory = true;
    } else if (json_getz(spec, "downwardAPI") != NULL) {
        rc = add_downward(d, &f, json_getz(s, "items"), err);
    } else {
        rc = add_projected(v, d, &f, name, s, err);
        in_memory = true;
    }
    return rc == 0 ? write_files(v, name, &f, in_memory, err) : rc;
}

int volumes_update(struct volumes *v, const struct downward *d, struct errbuf *err)
{
    struct arena a = ARENA_INIT;
    int rc = file_mkdirs(v->dir, 0755, err);

    v->gid = (uint32_t)json_path_i64(d->pod, "spec.securityContext.fsGroup", 0);
    json_each(spec, json_path(d->pod, "spec.volumes")) {
        int one;
        if (rc != 0 && rc != E_AGAIN && rc != E_NOTFOUND)
            break;
        one = volume_update(v, d, spec, &a, err);
        if (one != 0)
            err_wrap(err, one, "MountVolume.SetUp failed for volume \"%.*s\" ",
                     STR_ARG(json_path_str(spec, "name")));
        rc = one != 0 ? one : rc;                /* all that is waited for is asked for in the first go */
    }
    arena_release(&a);
    return rc;
}
