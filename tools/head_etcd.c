/* tools/head_etcd.c: see head_etcd.h. */
#include "net/log.h"
#include "node/files.h"
#include "tools/head_etcd.h"
#include "tools/flags.h"
#include "tools/limits.h"

/* Certificates and key into a server's context that wants a certificate of every client, if there is a CA. */
static int open_tls(const struct head_etcd_files *files, struct tls_ctx **ret, struct errbuf *err)
{
    const char *const name[3] = { files->ca, files->cert, files->key };
    struct buf pem[3] = { BUF_INIT, BUF_INIT, BUF_INIT };
    struct tls_opts o = { .server = true, .alpn = "h2,http/1.1" };
    int rc = 0;

    for (int i = 0; i < 3 && rc == 0; i++)
        if (name[i] != NULL)
            rc = file_read(name[i], TOOLS_FILE_MAX, &pem[i], err);
    if (rc == 0) {
        o.ca_pem = buf_str(&pem[0]);
        o.cert_pem = buf_str(&pem[1]);
        o.key_pem = buf_str(&pem[2]);
        rc = tls_ctx_new(&o, ret, err);
    }
    for (int i = 0; i < 3; i++)
        buf_release(&pem[i]);
    return rc;
}

static const char *or_else(const char *a, const char *b) { return a != NULL ? a : b; }

/* "https://host:2379,..." -> addresses, in memory that lives as long as the program; all of one scheme. */
static int parse_urls(const char *urls, struct etcd_opts *o, bool *ret_tls, struct errbuf *err)
{
    struct str rest = str_of(urls), url;

    while (str_split(&rest, ',', &url)) {
        bool https = str_starts(url, STR("https://")), http = str_starts(url, STR("http://"));
        if (!https && !http)
            return err_set(err, E_INVALID, "--listen-client-urls %s: must begin with http:// or https://",
                           urls);
        if (o->n_addrs == ETCD_MAX_ADDRS || (o->n_addrs > 0 && https != *ret_tls))
            return err_set(err, E_INVALID, "--listen-client-urls %s: at most %d, all http or all https", urls,
                           ETCD_MAX_ADDRS);
        *ret_tls = https;
        url = str_from(url, https ? 8 : 7);
        if (str_ends(url, STR("/")))
            url.n--;
        o->addrs[o->n_addrs++] = mem_strndup(url);
    }
    return 0;
}

int head_etcd_open(const struct head_etcd_flags *f, const struct head_etcd_files *fallback,
                   struct etcd_opts *o,
                   struct tls_ctx **ret_tls, struct etcd **ret, struct errbuf *err)
{
    struct head_etcd_files files = { or_else(f->ca, fallback->ca), or_else(f->cert, fallback->cert),
                                     or_else(f->key, fallback->key) };
    bool tls = false;
    int  rc;

    if (f->listen_urls == NULL)
        return 0;
    if ((rc = parse_urls(f->listen_urls, o, &tls, err)) != 0)
        return rc;
    if (tls && (files.cert == NULL || files.key == NULL))
        return err_set(err, E_INVALID, "--listen-client-urls %s needs --cert-file and --key-file",
                       f->listen_urls);
    if (f->cert_auth && (!tls || files.ca == NULL))
        return err_set(err, E_INVALID, "--client-cert-auth needs https and --trusted-ca-file");
    if (tls && (rc = open_tls(&files, ret_tls, err)) != 0)
        return err_wrap(err, rc, "TLS of etcd's API");
    o->tls = *ret_tls;
    o->client_urls = f->client_urls;
    o->store_only = f->only;
    o->max_request_bytes = (size_t)f->max_request_bytes;
    o->max_txn_ops = (unsigned)f->max_txn_ops;
    o->progress_ms = f->progress_ms;
    if ((rc = etcd_open(o, ret, err)) != 0)
        return err_wrap(err, rc, "--listen-client-urls %s", f->listen_urls);
    log_info("etcd", "etcd's API is at %s://%s", tls ? "https" : "http", etcd_addr(*ret));
    if (!tls)
        log_warn("etcd", "whoever reaches %s may read and write: no TLS", etcd_addr(*ret));
    return 0;
}
