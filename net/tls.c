/* net/tls.c: TLS contexts, sessions and peers, on OpenSSL 3.
 *
 * TLS 1.2 and up, AES-128-GCM first (all our machines have it in hardware).  A client keeps the last
 * session of its context and offers it to the same name, so reconnecting costs no signature. */
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <arpa/inet.h>
#include "net/tls_impl.h"
#include "net/tls_memory.h"

__attribute__((constructor)) static void tls_on_start(void) { tls__memory_init(); }

struct tls_ctx {
    SSL_CTX     *ssl;
    bool         server, verify, no_tickets;
    SSL_SESSION *session;                        /* client: the last one, and whose it is */
    char        *session_name;
    unsigned char alpn[128]; unsigned n_alpn;    /* wire form: length-prefixed names */
};

int tls__err(struct errbuf *err, int code, const char *context)
{
    unsigned long e = ERR_peek_last_error();
    const char   *why = e != 0 ? ERR_reason_error_string(e) : NULL;

    ERR_clear_error();
    return err_set(err, code, "%s: %s", context, why != NULL ? why : "refused by the TLS library");
}

/* ---- certificates and keys from PEM ---------------------------------------------------------- */

static BIO *pem_bio(struct str pem)
{
    return pem.n <= INT32_MAX ? BIO_new_mem_buf(pem.p, (int)pem.n) : NULL;
}

/* No key of ours has a pass phrase: never ask on the terminal. */
static int no_pass(char *buf, int size, int rwflag, void *u)
{
    return -1;
}

static int ctx_use_ca(SSL_CTX *ctx, bool server, struct str pem, struct errbuf *err)
{
    X509_STORE *store = SSL_CTX_get_cert_store(ctx);
    BIO        *bio = pem_bio(pem);
    X509       *cert;
    size_t      n = 0;

    while (bio != NULL && (cert = PEM_read_bio_X509(bio, NULL, no_pass, NULL)) != NULL) {
        X509_STORE_add_cert(store, cert);
        if (server)
            SSL_CTX_add_client_CA(ctx, cert);
        X509_free(cert);
        n++;
    }
    BIO_free(bio);
    if (n == 0)
        return tls__err(err, E_INVALID, "no CA certificate in the PEM text");
    ERR_clear_error();                           /* the end of the text counts as an error there */
    return 0;
}

static int ctx_use_cert(SSL_CTX *ctx, struct str pem, struct errbuf *err)
{
    BIO  *bio = pem_bio(pem);
    X509 *cert = bio != NULL ? PEM_read_bio_X509(bio, NULL, no_pass, NULL) : NULL;
    bool  ok = cert != NULL && SSL_CTX_use_certificate(ctx, cert) == 1;

    X509_free(cert);
    while (ok && (cert = PEM_read_bio_X509(bio, NULL, no_pass, NULL)) != NULL)
        if (SSL_CTX_add0_chain_cert(ctx, cert) != 1) {
            X509_free(cert);
            ok = false;
        }
    BIO_free(bio);
    if (!ok)
        return tls__err(err, E_INVALID, "certificate");
    ERR_clear_error();
    return 0;
}

static int ctx_use_key(SSL_CTX *ctx, struct str pem, struct errbuf *err)
{
    BIO      *bio = pem_bio(pem);
    EVP_PKEY *key = bio != NULL ? PEM_read_bio_PrivateKey(bio, NULL, no_pass, NULL) : NULL;
    bool      ok = key != NULL && SSL_CTX_use_PrivateKey(ctx, key) == 1 &&
                   SSL_CTX_check_private_key(ctx) == 1;

    EVP_PKEY_free(key);
    BIO_free(bio);
    return ok ? 0 : tls__err(err, E_INVALID, "private key");
}

/* ---- contexts -------------------------------------------------------------------------------- */

static int ctx_alpn_parse(struct tls_ctx *c, const char *list, struct errbuf *err)
{
    struct str rest = str_of(list), name;

    while (str_split(&rest, ',', &name)) {
        if (name.n == 0 || name.n > 255 || c->n_alpn + 1 + name.n > sizeof c->alpn)
            return err_set(err, E_INVALID, "bad protocol list \"%.60s\"", list);
        c->alpn[c->n_alpn++] = (unsigned char)name.n;
        memcpy(c->alpn + c->n_alpn, name.p, name.n);
        c->n_alpn += (unsigned)name.n;
    }
    return 0;
}

static int alpn_on_select(SSL *ssl, const unsigned char **out, unsigned char *n_out, const unsigned char *in,
                          unsigned n_in, void *arg)
{
    /* ALPN: our order counts; a client that offers nothing we know goes on without. */
    const struct tls_ctx *c = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    unsigned char        *pick;

    if (c == NULL ||
        SSL_select_next_proto(&pick, n_out, c->alpn, c->n_alpn, in, n_in) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_NOACK;
    *out = pick;
    return SSL_TLSEXT_ERR_OK;
}

static int session_on_new(SSL *ssl, SSL_SESSION *session)
{
    struct tls_ctx *c = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    const char     *name = SSL_get_app_data(ssl);

    if (c == NULL || name == NULL)
        return 0;
    SSL_SESSION_free(c->session);
    c->session = session;                        /* returning 1: the reference is ours */
    if (c->session_name == NULL || strcmp(c->session_name, name) != 0) {
        mem_free(c->session_name);
        c->session_name = mem_strdup(name);
    }
    return 1;
}

static void ctx_defaults(struct tls_ctx *c, const struct tls_opts *o)
{
    static const char id[] = "coracle";

    SSL_CTX_set_app_data(c->ssl, c);
    SSL_CTX_set_min_proto_version(c->ssl, TLS1_2_VERSION);
    SSL_CTX_set_ciphersuites(c->ssl,
                             "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256");
    SSL_CTX_set_cipher_list(c->ssl, "ECDHE+AESGCM:ECDHE+CHACHA20");
    SSL_CTX_set_options(c->ssl,
                        SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_mode(c->ssl, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                             SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_read_ahead(c->ssl, 1);           /* header and body of a record by one read */
    SSL_CTX_set_session_id_context(c->ssl, (const unsigned char *)id, sizeof id - 1);
    if (c->server) {
        SSL_CTX_set_num_tickets(c->ssl, c->no_tickets ? 0 : 1);
        if (c->no_tickets)
            SSL_CTX_set_options(c->ssl, SSL_OP_NO_TICKET);
        SSL_CTX_set_session_cache_mode(c->ssl, SSL_SESS_CACHE_OFF);   /* tickets carry the state */
        if (c->n_alpn > 0)
            SSL_CTX_set_alpn_select_cb(c->ssl, alpn_on_select, NULL);
    } else {
        SSL_CTX_set_session_cache_mode(c->ssl, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
        SSL_CTX_sess_set_new_cb(c->ssl, session_on_new);
        if (c->n_alpn > 0)
            SSL_CTX_set_alpn_protos(c->ssl, c->alpn, c->n_alpn);
    }
    int verify = !c->verify ? SSL_VERIFY_NONE : SSL_VERIFY_PEER;
    if (c->verify && c->server && !o->client_cert_optional)
        verify |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
    SSL_CTX_set_verify(c->ssl, verify, NULL);
}

int tls_ctx_new(const struct tls_opts *o, struct tls_ctx **ret, struct errbuf *err)
{
    struct tls_ctx *c = mem_new(struct tls_ctx);
    int             rc = 0;

    c->server = o->server;
    c->no_tickets = o->no_tickets;
    c->verify = !str_empty(o->ca_pem);
    if (o->alpn != NULL)
        rc = ctx_alpn_parse(c, o->alpn, err);
    c->ssl = SSL_CTX_new(o->server ? TLS_server_method() : TLS_client_method());
    if (rc == 0 && c->ssl == NULL)
        rc = tls__err(err, E_NOMEM, "TLS context");
    if (rc == 0)
        ctx_defaults(c, o);
    if (rc == 0 && c->verify)
        rc = ctx_use_ca(c->ssl, c->server, o->ca_pem, err);
    if (rc == 0 && o->server && str_empty(o->cert_pem))
        rc = err_set(err, E_INVALID, "a TLS server needs a certificate");
    if (rc == 0 && !str_empty(o->cert_pem))
        rc = ctx_use_cert(c->ssl, o->cert_pem, err);
    if (rc == 0 && !str_empty(o->cert_pem))
        rc = ctx_use_key(c->ssl, o->key_pem, err);
    if (rc < 0) {
        tls_ctx_free(c);
        return rc;
    }
    *ret = c;
    return 0;
}

void tls_ctx_free(struct tls_ctx *c)
{
    if (c == NULL)
        return;
    if (c->ssl != NULL)
        SSL_CTX_set_app_data(c->ssl, NULL);      /* sessions of streams may still call back */
    SSL_SESSION_free(c->session);
    SSL_CTX_free(c->ssl);
    mem_free(c->session_name);
    mem_free(c);
}

/* ---- sessions -------------------------------------------------------------------------------- */

static bool is_ip(const char *name)
{
    unsigned char ip[16];
    return inet_pton(AF_INET, name, ip) == 1 || inet_pton(AF_INET6, name, ip) == 1;
}

/* Demand that the peer's certificate is for `name`; name the server we want, too. */
static bool session_expect(const struct tls_ctx *c, SSL *ssl, const char *name)
{
    X509_VERIFY_PARAM *param = SSL_get0_param(ssl);

    if (is_ip(name))
        return !c->verify || X509_VERIFY_PARAM_set1_ip_asc(param, name) == 1;
    if (SSL_set_tlsext_host_name(ssl, name) != 1)
        return false;
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return !c->verify || X509_VERIFY_PARAM_set1_host(param, name, 0) == 1;
}

SSL *tls__session(struct tls_ctx *c, int fd, const char *name, struct errbuf *err)
{
    SSL *ssl = SSL_new(c->ssl);

    if (ssl == NULL || SSL_set_fd(ssl, fd) != 1)
        goto fail;
    if (c->server) {
        SSL_set_accept_state(ssl);
        return ssl;
    }
    SSL_set_connect_state(ssl);
    if (name == NULL && c->verify)               /* a check without a name is none */
        goto fail;
    if (name == NULL)
        return ssl;
    if (!session_expect(c, ssl, name))
        goto fail;
    SSL_set_app_data(ssl, (void *)(uintptr_t)name);   /* the stream keeps it as long as the session */
    if (c->session != NULL && strcmp(c->session_name, name) == 0)
        SSL_set_session(ssl, c->session);
    return ssl;
fail:
    tls__err(err, E_INVALID, "TLS session");
    SSL_free(ssl);
    return NULL;
}

static bool is_refusal(unsigned long e)
{
    switch (ERR_GET_REASON(e)) {
    case SSL_R_TLSV1_ALERT_UNKNOWN_CA: case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
    case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE: case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED: case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
    case SSL_R_TLSV1_ALERT_ACCESS_DENIED:
        return ERR_GET_LIB(e) == ERR_LIB_SSL;
    }
    return false;
}

int tls__reason(SSL *ssl, struct errbuf *err)
{
    long          verify = SSL_get_verify_result(ssl);
    unsigned long e = ERR_peek_last_error();

    if (verify == X509_V_OK || SSL_is_init_finished(ssl))
        return tls__err(err, is_refusal(e) ? E_DENIED : E_IO, "TLS");
    ERR_clear_error();
    return err_set(err, E_DENIED, "TLS: certificate of the peer: %s", X509_verify_cert_error_string(verify));
}

/* ---- peers ----------------------------------------------------------------------------------- */

/* A subject entry as text; NULL when it could be mistaken for another one (a NUL inside). */
static char *entry_text(X509_NAME *name, int at)
{
    unsigned char *utf8 = NULL;
    int n = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)));
    char *text = NULL;

    if (n >= 0 && memchr(utf8, '\0', (size_t)n) == NULL)
        text = mem_strndup(str_make((char *)utf8, (size_t)n));
    OPENSSL_free(utf8);
    return text;
}

static void peer_add_organizations(struct tls_peer *p, X509_NAME *name)
{
    size_t cap = (size_t)X509_NAME_entry_count(name);

    p->organizations = mem_zalloc((cap + 1) * sizeof *p->organizations);
    for (int at = -1; (at = X509_NAME_get_index_by_NID(name, NID_organizationName, at)) >= 0; ) {
        char *text = entry_text(name, at);
        must(p->n_organizations < cap);
        if (text != NULL)
            p->organizations[p->n_organizations++] = text;
    }
}

/* NULL when the session was resumed: then nothing is known. */
static void peer_set_root(struct tls_peer *p, STACK_OF(X509) *chain)
{
    int n = chain != NULL ? sk_X509_num(chain) : 0;

    if (n > 0)
        must(X509_digest(sk_X509_value(chain, n - 1), EVP_sha256(), p->root, NULL) == 1);
}

struct tls_peer *tls__peer(SSL *ssl)
{
    X509 *cert = SSL_get0_peer_certificate(ssl);

    if (cert == NULL || SSL_get_verify_mode(ssl) == SSL_VERIFY_NONE ||
        SSL_get_verify_result(ssl) != X509_V_OK)
        return NULL;
    struct tls_peer *p = mem_new(struct tls_peer);
    X509_NAME       *name = X509_get_subject_name(cert);
    int at = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
    p->common_name = at >= 0 ? entry_text(name, at) : NULL;
    if (p->common_name == NULL)
        p->common_name = mem_strdup("");
    peer_add_organizations(p, name);
    peer_set_root(p, SSL_get0_verified_chain(ssl));
    return p;
}

int tls_cert_digests(struct str pem, unsigned char (*ret)[32], size_t max, size_t *ret_n, struct errbuf *err)
{
    BIO   *bio = BIO_new_mem_buf(pem.p, (int)pem.n);
    X509  *cert;
    size_t n = 0;

    must(bio != NULL && pem.n <= INT32_MAX);
    while (n < max && (cert = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
        must(X509_digest(cert, EVP_sha256(), ret[n++], NULL) == 1);
        X509_free(cert);
    }
    BIO_free(bio);
    ERR_clear_error();
    *ret_n = n;
    return n > 0 ? 0 : err_set(err, E_INVALID, "no certificate in PEM form");
}

void tls__peer_free(struct tls_peer *p)
{
    if (p == NULL)
        return;
    for (size_t i = 0; i < p->n_organizations; i++)
        mem_free(p->organizations[i]);
    mem_free(p->organizations);
    mem_free(p->common_name);
    mem_free(p);
}
