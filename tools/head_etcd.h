/* tools/head_etcd.h: etcd's face of a head: its flags, named as etcd's, and how it is opened with them. */
#ifndef TOOLS_HEAD_ETCD_H
#define TOOLS_HEAD_ETCD_H

#include "store/etcd/etcd.h"

struct head_etcd_flags {
    const char *listen_urls, *client_urls, *ca, *cert, *key;
    bool     cert_auth, only;
    int64_t  max_request_bytes, max_txn_ops;
    uint64_t progress_ms;
};

/* Its rows in the table of the head's flags. */
#define HEAD_ETCD_FLAGS(f) \
    { "listen-client-urls", NULL, FLAG_STRING, &(f).listen_urls, "URLS", \
      "serve etcd's API there: https://HOST:2379, several separated by commas" }, \
    { "advertise-client-urls", NULL, FLAG_STRING, &(f).client_urls, "URLS", \
      "what etcd's clients are told instead" }, \
    { "trusted-ca-file", NULL, FLAG_STRING, &(f).ca, "FILE", \
      "CA of etcd's clients (default --client-ca-file)" }, \
    { "cert-file", NULL, FLAG_STRING, &(f).cert, "FILE", \
      "certificate of etcd's API (default --tls-cert-file)" }, \
    { "key-file", NULL, FLAG_STRING, &(f).key, "FILE", "its key" }, \
    { "client-cert-auth", NULL, FLAG_BOOL, &(f).cert_auth, NULL, \
      "insist that clients of etcd's API are verified (they are, wherever there is a CA)" }, \
    { "max-request-bytes", NULL, FLAG_INT, &(f).max_request_bytes, "N", \
      "largest request of etcd's API (default 1.5 MiB)" }, \
    { "max-txn-ops", NULL, FLAG_INT, &(f).max_txn_ops, "N", \
      "operations in its transactions (default 128)" }, \
    { "experimental-watch-progress-notify-interval", NULL, FLAG_DURATION_MS, &(f).progress_ms, "TIME", \
      "between notes to idle watches (default 10m)" }, \
    { "etcd-only", NULL, FLAG_BOOL, &(f).only, NULL, \
      "nothing but etcd's API: no Kubernetes API, scheduler or controllers" },

/* o: store, loop, ids and peer_tls are the caller's.  *ret_tls must outlive *ret; both stay NULL without
 * --listen-client-urls.
 * fallback_*: the files of the Kubernetes API, where the flags name none. */
struct head_etcd_files { const char *ca, *cert, *key; };
int head_etcd_open(const struct head_etcd_flags *f, const struct head_etcd_files *fallback,
                   struct etcd_opts *o,
                   struct tls_ctx **ret_tls, struct etcd **ret, struct errbuf *err);

#endif
