/* net/pki.c: P-256 keys, certificates and signatures on OpenSSL 3. */
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <arpa/inet.h>
#include "net/tls_impl.h"

enum { BACKDATE_S = 300 };        /* clocks of new machines are a little off */

static int no_pass(char *buf, int size, int rwflag, void *u)
{
    return -1;
}

static EVP_PKEY *key_read(struct str pem, bool is_private)
{
    BIO      *bio = pem.n <= INT32_MAX ? BIO_new_mem_buf(pem.p, (int)pem.n) : NULL;
    EVP_PKEY *key = NULL;

    if (bio != NULL)
        key = is_private ? PEM_read_bio_PrivateKey(bio, NULL, no_pass, NULL)
                         : PEM_read_bio_PUBKEY(bio, NULL, no_pass, NULL);
    BIO_free(bio);
    return key;
}

static bool bio_to_buf(BIO *bio, bool written, struct buf *ret)
{
    char *p;
    long  n = BIO_get_mem_data(bio, &p);

    if (!written || n <= 0)
        return false;
    buf_add(ret, p, (size_t)n);
    return true;
}

/* ---- certificates ---------------------------------------------------------------------------- */

static bool name_add(X509_NAME *name, const char *field, const char *text)
{
    const unsigned char *utf8 = (const unsigned char *)text;
    return X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8, utf8, -1, -1, 0) == 1;
}

static bool cert_subject(X509 *cert, const struct pki_req *r)
{
    X509_NAME *name = X509_get_subject_name(cert);
    bool ok = true;

    for (size_t i = 0; ok && i < r->n_organizations; i++)
        ok = name_add(name, "O", r->organizations[i]);
    return ok && name_add(name, "CN", r->common_name);
}

static bool ext_add(X509 *cert, X509V3_CTX *ctx, int nid, const char *value)
{
    X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, ctx, nid, value);
    bool ok = ext != NULL && X509_add_ext(cert, ext, -1) == 1;

    X509_EXTENSION_free(ext);
    return ok;
}

/* Built as objects, not as configuration text: a name cannot smuggle in another one. */
static bool san_add(GENERAL_NAMES *names, const char *text)
{
    unsigned char ip[16];
    GENERAL_NAME *gn = GENERAL_NAME_new();
    int n = inet_pton(AF_INET, text, ip) == 1 ? 4 : inet_pton(AF_INET6, text, ip) == 1 ? 16 : 0;
    ASN1_STRING *s = n > 0 ? ASN1_OCTET_STRING_new() : ASN1_IA5STRING_new();

    if (gn == NULL || s == NULL ||
        ASN1_STRING_set(s, n > 0 ? (const void *)ip : text, n > 0 ? n : -1) != 1) {
        GENERAL_NAME_free(gn);
        ASN1_STRING_free(s);
        return false;
    }
    GENERAL_NAME_set0_value(gn, n > 0 ? GEN_IPADD : GEN_DNS, s);
    if (sk_GENERAL_NAME_push(names, gn) > 0)
        return true;
    GENERAL_NAME_free(gn);
    return false;
}

static bool cert_sans(X509 *cert, const struct pki_req *r)
{
    GENERAL_NAMES *names = r->n_sans > 0 ? sk_GENERAL_NAME_new_null() : NULL;
    bool ok = r->n_sans == 0 || names != NULL;

    for (size_t i = 0; ok && i < r->n_sans; i++)
        ok = san_add(names, r->sans[i]);
    if (ok && names != NULL)
        ok = X509_add1_ext_i2d(cert, NID_subject_alt_name, names, 0, X509V3_ADD_DEFAULT) == 1;
    sk_GENERAL_NAME_pop_free(names, GENERAL_NAME_free);
    return ok;
}

static bool cert_extensions(X509 *cert, X509 *issuer, const struct pki_req *r)
{
    X509V3_CTX ctx;
    const char *usage = !r->server ? "clientAuth" : r->client ? "serverAuth,clientAuth" : "serverAuth";

    X509V3_set_ctx_nodb(&ctx);
    X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
    return ext_add(cert, &ctx, NID_basic_constraints, r->ca ? "critical,CA:TRUE" : "critical,CA:FALSE") &&
           ext_add(cert, &ctx, NID_key_usage, r->ca ? "critical,keyCertSign,cRLSign,digitalSignature"
                                                    : "critical,digitalSignature") &&
           /* On a CA it would restrict all that it signs. */
           (r->ca || (!r->server && !r->client) || ext_add(cert, &ctx, NID_ext_key_usage, usage)) &&
           ext_add(cert, &ctx, NID_subject_key_identifier, "hash") &&
           ext_add(cert, &ctx, NID_authority_key_identifier, "keyid") &&
           cert_sans(cert, r);
}

static bool cert_serial(X509 *cert)
{
    unsigned char raw[16];
    BIGNUM *bn = NULL;

    if (RAND_bytes(raw, sizeof raw) != 1)
        return false;
    raw[0] = (unsigned char)((raw[0] & 0x7f) | 0x40);        /* positive, and never 0 */
    bn = BN_bin2bn(raw, sizeof raw, NULL);
    bool ok = bn != NULL && BN_to_ASN1_INTEGER(bn, X509_get_serialNumber(cert)) != NULL;
    BN_free(bn);
    return ok;
}

/* issuer NULL: self-signed. */
static X509 *cert_make(const struct pki_req *r, EVP_PKEY *key, X509 *issuer, EVP_PKEY *issuer_key)
{
    X509 *cert = X509_new();
    bool  ok = cert != NULL && X509_set_version(cert, X509_VERSION_3) == 1 && cert_serial(cert) &&
               X509_gmtime_adj(X509_getm_notBefore(cert), -BACKDATE_S) != NULL &&
               X509_time_adj_ex(X509_getm_notAfter(cert), (int)r->days, 0, NULL) != NULL &&
               X509_set_pubkey(cert, key) == 1 && cert_subject(cert, r) &&
               X509_set_issuer_name(cert, X509_get_subject_name(issuer != NULL ? issuer : cert)) == 1 &&
               cert_extensions(cert, issuer != NULL ? issuer : cert, r) &&
               X509_sign(cert, issuer_key != NULL ? issuer_key : key, EVP_sha256()) > 0;

    if (ok)
        return cert;
    X509_free(cert);
    return NULL;
}

static int ca_read(const struct pki_req *r, X509 **ret_cert, EVP_PKEY **ret_key, struct errbuf *err)
{
    BIO *bio;

    if (str_empty(r->ca_cert_pem))
        return 0;
    bio = r->ca_cert_pem.n <= INT32_MAX ? BIO_new_mem_buf(r->ca_cert_pem.p, (int)r->ca_cert_pem.n) : NULL;
    *ret_cert = bio != NULL ? PEM_read_bio_X509(bio, NULL, no_pass, NULL) : NULL;
    BIO_free(bio);
    if (*ret_cert == NULL)
        return tls__err(err, E_INVALID, "CA certificate");
    *ret_key = key_read(r->ca_key_pem, true);
    if (*ret_key == NULL || X509_check_private_key(*ret_cert, *ret_key) != 1)
        return tls__err(err, E_INVALID, "CA key");
    return 0;
}

static int write_pair(X509 *cert, EVP_PKEY *key, struct buf *ret_cert_pem, struct buf *ret_key_pem,
                      struct errbuf *err)
{
    BIO   *c = BIO_new(BIO_s_mem()), *k = BIO_new(BIO_s_mem());
    size_t was = ret_cert_pem->n;
    bool   ok = c != NULL && k != NULL && bio_to_buf(c, PEM_write_bio_X509(c, cert) == 1, ret_cert_pem) &&
                bio_to_buf(k, PEM_write_bio_PrivateKey(k, key, NULL, NULL, 0, NULL, NULL) == 1, ret_key_pem);

    if (!ok)
        ret_cert_pem->n = was;
    BIO_free(c);
    BIO_free(k);
    return ok ? 0 : tls__err(err, E_IO, "write certificate");
}

int pki_issue(const struct pki_req *r, struct buf *ret_cert_pem, struct buf *ret_key_pem, struct errbuf *err)
{
    X509     *ca = NULL, *cert = NULL;
    EVP_PKEY *ca_key = NULL, *key = NULL;
    int       rc = ca_read(r, &ca, &ca_key, err);

    if (rc == 0 && (key = EVP_EC_gen("P-256")) == NULL)
        rc = tls__err(err, E_IO, "new key");
    if (rc == 0 && (cert = cert_make(r, key, ca, ca_key)) == NULL)
        rc = tls__err(err, E_INVALID, "new certificate");
    if (rc == 0)
        rc = write_pair(cert, key, ret_cert_pem, ret_key_pem, err);
    X509_free(cert);
    X509_free(ca);
    EVP_PKEY_free(key);
    EVP_PKEY_free(ca_key);
    return rc;
}

/* ---- token keys ------------------------------------------------------------------------------ */

int pki_new_key(struct buf *ret_key_pem, struct buf *ret_pub_pem, struct errbuf *err)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    BIO      *k = BIO_new(BIO_s_mem()), *p = BIO_new(BIO_s_mem());
    size_t    was = ret_key_pem->n;
    bool ok = key != NULL && k != NULL && p != NULL &&
              bio_to_buf(k, PEM_write_bio_PrivateKey(k, key, NULL, NULL, 0, NULL, NULL) == 1, ret_key_pem) &&
              bio_to_buf(p, PEM_write_bio_PUBKEY(p, key) == 1, ret_pub_pem);

    if (!ok)
        ret_key_pem->n = was;
    BIO_free(k);
    BIO_free(p);
    EVP_PKEY_free(key);
    return ok ? 0 : tls__err(err, E_IO, "new key");
}

void pki_sha256(struct str data, unsigned char ret[32])
{
    must(EVP_Digest(data.p, data.n, ret, NULL, EVP_sha256(), NULL) == 1);
}

struct pki_digest { EVP_MD_CTX *ctx; };

struct pki_digest *pki_digest_new(void)
{
    struct pki_digest *d = mem_new(struct pki_digest);

    d->ctx = EVP_MD_CTX_new();
    must(d->ctx != NULL && EVP_DigestInit_ex(d->ctx, EVP_sha256(), NULL) == 1);
    return d;
}

void pki_digest_add(struct pki_digest *d, struct str data)
{
    must(EVP_DigestUpdate(d->ctx, data.p, data.n) == 1);
}

void pki_digest_end(struct pki_digest *d, unsigned char ret[32])
{
    if (d == NULL)
        return;
    if (ret != NULL)
        must(EVP_DigestFinal_ex(d->ctx, ret, NULL) == 1);
    EVP_MD_CTX_free(d->ctx);
    mem_free(d);
}

bool pki_equal(struct str a, struct str b)
{
    return a.n == b.n && CRYPTO_memcmp(a.p, b.p, a.n) == 0;
}

/* ---- Requests ---- */

static bool name_has(const X509_NAME *name, int nid, const char *text)
{
    for (int i = -1; (i = X509_NAME_get_index_by_NID((X509_NAME *)name, nid, i)) >= 0;) {
        unsigned char *utf8;
        int            n = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, i)));
        bool           same = n >= 0 && (size_t)n == strlen(text) && memcmp(utf8, text, (size_t)n) == 0;

        if (n >= 0)
            OPENSSL_free(utf8);
        if (same)
            return true;
    }
    return false;
}

static X509_REQ *request_read(struct str pem)
{
    BIO      *bio = pem.n <= INT32_MAX ? BIO_new_mem_buf(pem.p, (int)pem.n) : NULL;
    X509_REQ *req = bio != NULL ? PEM_read_bio_X509_REQ(bio, NULL, no_pass, NULL) : NULL;

    BIO_free(bio);
    ERR_clear_error();
    return req;
}

bool pki_is_request(struct str pem)
{
    X509_REQ *req = request_read(pem);
    bool      is = req != NULL;

    X509_REQ_free(req);
    return is;
}

bool pki_request_organization(struct str pem, const char *organization)
{
    X509_REQ *req = request_read(pem);
    bool      has;

    has = req != NULL && name_has(X509_REQ_get_subject_name(req), NID_organizationName, organization);
    X509_REQ_free(req);
    return has;
}
