/* net/tls.h: TLS contexts and the little public-key work Coracle needs: its own CA and leaf
 * certificates, signing keys for tokens, digests.  OpenSSL stays behind this header. */
#ifndef NET_TLS_H
#define NET_TLS_H

#include "net/err.h"
#include "net/blob.h"

struct tls_ctx;

struct tls_opts {
    bool server;
    struct str ca_pem;                           /* who may sign the peer; empty: the peer is not verified */
    struct str cert_pem, key_pem;                /* our own; a client may have none */
    bool client_cert_optional;                   /* server: peers without certificate are let in (tokens) */
    bool no_tickets;                             /* server: sessions are not resumed: tls_peer.root is always known */
    const char *alpn;                            /* comma separated, "h2,http/1.1"; NULL: none */
};
int  tls_ctx_new(const struct tls_opts *o, struct tls_ctx **ret, struct errbuf *err);
void tls_ctx_free(struct tls_ctx *c);            /* NULL ok; streams made from it keep what they need */

/* Subject of a verified peer: what Kubernetes authenticates by. */
struct tls_peer {
    char *common_name;                           /* user */
    unsigned char root[32];                      /* digest of the CA's certificate that its chain ended in */
    char **organizations; size_t n_organizations;/* groups */
};

/* A new P-256 key and its certificate.  ca_* empty: self-signed CA. */
struct pki_req {
    const char *common_name;
    const char *const *organizations; size_t n_organizations;
    const char *const *sans; size_t n_sans;      /* DNS names and IP addresses, told apart by form */
    bool ca, server, client;                     /* key usages */
    struct str ca_cert_pem, ca_key_pem;
    unsigned days;
};
/* Both PEM, appended to the buffers. */
int pki_issue(const struct pki_req *r, struct buf *ret_cert_pem, struct buf *ret_key_pem, struct errbuf *err);
/* A P-256 key pair for signing tokens. */
int pki_new_key(struct buf *ret_key_pem, struct buf *ret_pub_pem, struct errbuf *err);
/* Is this a certificate request, in PEM? */
bool pki_is_request(struct str pem);
/* Does the subject of a certificate request name this organization?  False as well for what is no request. */
bool pki_request_organization(struct str pem, const char *organization);
/* Digests of all certificates of the text: what tls_peer.root is compared with.  At most max; E_INVALID. */
int  tls_cert_digests(struct str pem, unsigned char (*ret)[32], size_t max, size_t *ret_n, struct errbuf *err);
void pki_sha256(struct str data, unsigned char ret[32]);
/* The same piece by piece; pki_digest_end() frees it (ret NULL: nobody asks any more; d NULL ok then). */
struct pki_digest;
struct pki_digest *pki_digest_new(void);
void pki_digest_add(struct pki_digest *d, struct str data);
void pki_digest_end(struct pki_digest *d, unsigned char ret[32]);
bool pki_equal(struct str a, struct str b);      /* constant time for equal lengths */
void base64_encode(struct buf *out, struct str in, bool url);      /* url: unpadded, -_ */
int  base64_decode(struct buf *out, struct str in, bool url);      /* E_INVALID */

#endif
