/* tools/kubeconfig.c: see tools/kubeconfig.h. */
#include "api/yaml.h"
#include "net/tls.h"
#include "node/files.h"
#include "tools/flags.h"
#include "tools/kubeconfig.h"

struct kubeconfig_file { struct arena *a; struct str dir; };

/* The entry of a list of {name: NAME, FIELD: {...}}; NULL when there is none. */
static const struct json *named(const struct json *doc, const char *list, struct str name, const char *field)
{
    json_each(it, json_getz(doc, list))
        if (str_eq(json_str(json_getz(it, "name")), name))
            return json_getz(it, field);
    return NULL;
}

static int read_file(struct kubeconfig_file *f, struct str name, struct str *ret, struct errbuf *err)
{
    bool absolute = str_starts(name, STR("/"));
    struct str path = arena_fmt(f->a, "%.*s%.*s", absolute ? 0 : (int)f->dir.n, f->dir.p, STR_ARG(name));
    struct buf text = BUF_INIT;
    int rc = file_read(path.p, TOOLS_FILE_MAX, &text, err);

    if (rc == 0)
        *ret = arena_str(f->a, buf_str(&text));
    buf_release(&text);
    return rc;
}

/* "KEY-data" holds base64, "KEY" names a file; neither leaves *ret empty. */
static int read_pem(struct kubeconfig_file *f, const struct json *of, const char *key, struct str *ret,
                    struct errbuf *err)
{
    struct str data = json_str(json_getz(of, arena_fmt(f->a, "%s-data", key).p));
    struct str file = json_str(json_getz(of, key));
    struct buf text = BUF_INIT;
    int rc = 0;

    *ret = STR_NONE;
    if (data.n > 0) {
        rc = base64_decode(&text, data, false);
        if (rc != 0)
            rc = err_set(err, rc, "%s-data is not base64", key);
        else
            *ret = arena_str(f->a, buf_str(&text));
        buf_release(&text);
    } else if (file.n > 0) {
        rc = read_file(f, file, ret, err);
    }
    return rc;
}

static int read_user(struct kubeconfig_file *f, const struct json *user, struct kubeconfig *k,
                     struct errbuf *err)
{
    struct str token_file = json_str(json_getz(user, "tokenFile"));
    int rc;

    if ((rc = read_pem(f, user, "client-certificate", &k->cert_pem, err)) != 0 ||
        (rc = read_pem(f, user, "client-key", &k->key_pem, err)) != 0)
        return rc;
    k->token = json_str(json_getz(user, "token"));
    if (k->token.n == 0 && token_file.n > 0) {
        if ((rc = read_file(f, token_file, &k->token, err)) != 0)
            return rc;
        k->token = str_trim(k->token);
    }
    if (json_getz(user, "exec") != NULL || json_getz(user, "auth-provider") != NULL)
        return err_set(err, E_INVALID,
                       "users with exec or auth-provider are not understood: use a token or a certificate");
    return 0;
}

static int read_context(struct kubeconfig_file *f, const struct json *doc, const char *context,
                        struct kubeconfig *k, struct errbuf *err)
{
    struct str name = context != NULL ? str_of(context) : json_str(json_getz(doc, "current-context"));
    const struct json *ctx = named(doc, "contexts", name, "context");
    const struct json *cluster, *user;
    int rc;

    if (ctx == NULL)
        return err_set(err, E_NOTFOUND, "there is no context \"%.*s\"", STR_ARG(name));
    cluster = named(doc, "clusters", json_str(json_getz(ctx, "cluster")), "cluster");
    user = named(doc, "users", json_str(json_getz(ctx, "user")), "user");
    if (cluster == NULL)
        return err_set(err, E_NOTFOUND, "context \"%.*s\" names no cluster of the file", STR_ARG(name));
    k->ns = json_str(json_getz(ctx, "namespace"));
    k->server = json_str(json_getz(cluster, "server"));
    k->tls_name = json_str(json_getz(cluster, "tls-server-name"));
    k->insecure = json_true(json_getz(cluster, "insecure-skip-tls-verify"));
    if ((rc = read_pem(f, cluster, "certificate-authority", &k->ca_pem, err)) != 0)
        return rc;
    return read_user(f, user, k, err);
}

int kubeconfig_load(struct arena *a, const char *path, const char *context, struct kubeconfig *ret,
                    struct errbuf *err)
{
    const char *slash = strrchr(path, '/');
    struct kubeconfig_file f = { .a = a,
                                 .dir = str_make(path, slash != NULL ? (size_t)(slash - path) + 1 : 0) };
    struct buf text = BUF_INIT;
    struct kubeconfig k = { 0 };
    struct json_error bad;
    struct json *doc;
    int rc = file_read(path, TOOLS_FILE_MAX, &text, err);

    if (rc != 0)
        return rc;
    rc = yaml_parse(a, arena_str(a, buf_str(&text)), &doc, &bad);
    buf_release(&text);
    if (rc != 0)
        return err_set(err, rc, "%s: line %u: %s", path, bad.line, bad.text);
    rc = read_context(&f, doc, context, &k, err);
    if (rc != 0)
        return err_wrap(err, rc, "%s", path);
    *ret = k;
    return 0;
}

int kubeconfig_address(struct arena *a, struct str url, bool *ret_plain, const char **ret_addr,
                       struct errbuf *err)
{
    bool plain = str_starts(url, STR("http://"));
    struct str rest;
    ptrdiff_t slash;

    if (!plain && !str_starts(url, STR("https://")))
        return err_set(err, E_INVALID, "server \"%.*s\": must begin with https:// or http://", STR_ARG(url));
    rest = str_from(url, plain ? 7 : 8);
    slash = str_find(rest, '/');
    if (slash >= 0 && (size_t)slash + 1 < rest.n)
        return err_set(err, E_INVALID, "server \"%.*s\": a path behind the address is not understood",
                       STR_ARG(url));
    if (slash >= 0)
        rest = str_upto(rest, (size_t)slash);
    bool port = rest.n > 0 && strrchr(arena_cstr(a, rest), ':') != NULL && rest.p[rest.n - 1] != ']';
    *ret_plain = plain;
    *ret_addr = arena_fmt(a, "%.*s%s", STR_ARG(rest), port ? "" : plain ? ":80" : ":443").p;
    return 0;
}
