/* tools/snapshot_save.c: coracle snapshot save: the state of a serving cluster, verified while it comes, into
 * a file that has its name only once all of it is on disk. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "net/http_client.h"
#include "tools/kubeconfig.h"
#include "tools/progress.h"
#include "tools/snapshot.h"

#define SAVE_PATH "/coracle/v1/snapshot"
#define REFUSAL_MAX 1024

struct save {
    const char *kubeconfig, *context, *path;
    struct arena arena;
    struct loop *loop;
    struct tls_ctx *tls;
    struct http_client *client;
    struct progress progress;
    struct store_load *load;
    struct store_saved saved;
    struct buf tmp, refusal;
    uint64_t bytes;
    int  fd, status, rc;
    struct errbuf err;
};

static void save_stop(struct save *s, int rc)
{
    if (s->rc == 0)
        s->rc = rc;
    loop_stop(s->loop);
}

static void save_on_head(void *arg, struct http_call *c, int status, const struct http_header *h, size_t n)
{
    (void)c, (void)h, (void)n;
    ((struct save *)arg)->status = status;
}

static int write_all(int fd, const char *p, size_t n)
{
    while (n > 0) {
        ssize_t k = write(fd, p, n);
        if (k < 0 && errno == EINTR)
            continue;
        if (k <= 0)
            return k < 0 ? errno : EIO;
        p += k;
        n -= (size_t)k;
    }
    return 0;
}

static void save_on_data(void *arg, struct http_call *c, const char *p, size_t n)
{
    struct save *s = arg;
    int errnum;

    if (s->status != 200) {
        if (s->refusal.n < REFUSAL_MAX)
            buf_add(&s->refusal, p, MIN_OF(n, REFUSAL_MAX - s->refusal.n));
        return;
    }
    if (s->rc != 0)
        return;
    if ((errnum = write_all(s->fd, p, n)) != 0)
        save_stop(s, err_sys(&s->err, errnum, "write %s", s->tmp.p));
    else if (store_load_data(s->load, str_make(p, n), &s->err) != 0)
        save_stop(s, err_wrap(&s->err, E_CORRUPT, "what the head sent"));
    s->bytes += n;
    progress_update(&s->progress, "saving: %.1f MB", (double)s->bytes / 1e6);
}

static void save_on_done(void *arg, struct http_call *c, int err, const char *reason, int status,
                         struct str body)
{
    struct save *s = arg;

    (void)c, (void)body;
    if (err != 0)
        save_stop(s, err_set(&s->err, err, "%s", reason));
    else if (status != 200)
        save_stop(s, err_set(&s->err, E_DENIED, "the head answered %d: %.*s", status,
                             STR_ARG(buf_str(&s->refusal))));
    else
        save_stop(s, 0);
}

static int save_connect(struct save *s, struct errbuf *err)
{
    struct kubeconfig k;
    struct tls_opts to = { 0 };
    struct http_client_opts ho = { .n_addrs = 1 };
    const char *addr;
    int rc = kubeconfig_load(&s->arena, s->kubeconfig, s->context, &k, err);

    if (rc != 0)
        return rc;
    if (!str_starts(k.server, STR("https://")))
        return err_set(err, E_INVALID, "%s: server \"%.*s\" does not begin with https://", s->kubeconfig,
                       STR_ARG(k.server));
    addr = arena_cstr(&s->arena, str_from(k.server, strlen("https://")));
    to.ca_pem = k.insecure ? STR_NONE : k.ca_pem;
    to.cert_pem = k.cert_pem;
    to.key_pem = k.key_pem;
    if ((rc = tls_ctx_new(&to, &s->tls, err)) != 0)
        return err_wrap(err, rc, "%s", s->kubeconfig);
    ho.addrs = &addr;
    ho.tls = s->tls;
    ho.tls_name = k.tls_name.n > 0 ? arena_cstr(&s->arena, k.tls_name) : NULL;
    if ((rc = http_client_new(s->loop, &ho, &s->client, err)) != 0)
        return rc;
    struct http_header auth = { STR("Authorization"), arena_fmt(&s->arena, "Bearer %.*s", STR_ARG(k.token)) };
    struct http_call_opts o = { .method = "GET", .target = STR(SAVE_PATH), .streamed = true, .headers = &auth,
                                .n_headers = k.token.n > 0, .on_head = save_on_head, .on_data = save_on_data,
                                .on_done = save_on_done, .arg = s };
    return http_call(s->client, &o, NULL, err);
}

/* Durable, then named, and the name durable. */
static int save_finish(struct save *s)
{
    const char *slash = strrchr(s->path, '/');
    const char *dir = slash == NULL ? "." : slash == s->path ? "/"
                    : arena_cstr(&s->arena, str_make(s->path, (size_t)(slash - s->path)));

    if (fsync(s->fd) < 0 || rename(s->tmp.p, s->path) < 0)
        return err_sys(&s->err, errno, "%s", s->path);
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int errnum = fd < 0 || fsync(fd) < 0 ? errno : 0;
    if (fd >= 0)
        close(fd);
    return errnum != 0 ? err_sys(&s->err, errnum, "sync %s", dir) : 0;
}

static int save_all(struct save *s)
{
    buf_fmt(&s->tmp, "%s.part", s->path);
    buf_char(&s->tmp, '\0');
    s->fd = open(s->tmp.p, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (s->fd < 0)
        return err_sys(&s->err, errno, "open %s", s->tmp.p);
    if ((s->rc = save_connect(s, &s->err)) == 0)
        loop_run(s->loop);
    if (s->rc == 0)
        s->rc = store_load_end(s->load, &s->saved, &s->err);
    if (s->rc == 0)
        s->rc = save_finish(s);
    if (s->rc != 0)
        unlink(s->tmp.p);
    close(s->fd);
    return s->rc;
}

static const char *default_kubeconfig(struct arena *a)
{
    const char *env = getenv("KUBECONFIG"), *home = getenv("HOME");

    if (env != NULL && env[0] != '\0')
        return env;
    return home != NULL ? arena_fmt(a, "%s/.kube/config", home).p : NULL;
}

int snapshot_save_run(int argc, char **argv)
{
    struct save s = { .fd = -1 };
    const struct flag flags[] = {
        { "kubeconfig", NULL, FLAG_STRING, &s.kubeconfig, "FILE",
          "where the cluster is and who we are (default $KUBECONFIG)" },
        { "context", NULL, FLAG_STRING, &s.context, "NAME", "of the kubeconfig, if not its current one" },
    };

    arena_init(&s.arena);
    if (flags_parse(&cmd_snapshot, flags, ARRAY_LEN(flags), argc, argv) != 1)
        return fail(&cmd_snapshot, "save takes one file");
    s.path = argv[1];
    if (s.kubeconfig == NULL)
        s.kubeconfig = default_kubeconfig(&s.arena);
    if (s.kubeconfig == NULL)
        return fail(&cmd_snapshot, "needs --kubeconfig");
    s.loop = loop_new_real();
    s.load = store_load_new();
    progress_init(&s.progress, s.loop);
    progress_start(&s.progress, "saving");
    int rc = save_all(&s);
    if (rc == 0) {
        progress_update(&s.progress, "saved %s: revision %llu, %llu keys, %.1f MB", s.path,
                        (unsigned long long)s.saved.rev,
                        (unsigned long long)s.saved.keys, (double)s.bytes / 1e6);
        progress_done(&s.progress);
    } else {
        progress_fail(&s.progress);
    }
    store_load_free(s.load);
    return rc == 0 ? 0 : fail(&cmd_snapshot, "%s", s.err.s);
}
