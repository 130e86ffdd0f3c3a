/* net/key.c: see net/key.h. */
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include "net/arena.h"
#include "net/key.h"
#include "net/tls.h"
#include "net/tls_impl.h"

#define RSA_BITS_MIN 2048
#define RSA_BITS_MAX 16384
#define NUMBER_MAX   2048                        /* bytes of a modulus or coordinate */

struct key {
    EVP_PKEY *pkey;
    const struct curve *curve;                   /* NULL: RSA */
    char      id[48];
};

static const struct curve { const char *name, *group, *alg; size_t half; } curves[] = {
    { "P-256", "prime256v1", "ES256", 32 },
    { "P-384", "secp384r1", "ES384", 48 },
    { "P-521", "secp521r1", "ES512", 66 },
};

/* ---- Reading ----------------------------------------------------------------------------------------- */

static const struct curve *curve_of(const EVP_PKEY *pkey)
{
    char   group[32];
    size_t n;

    if (EVP_PKEY_get_group_name(pkey, group, sizeof(group), &n) != 1)
        return NULL;
    for (size_t i = 0; i < ARRAY_LEN(curves); i++)
        if (strcmp(group, curves[i].group) == 0)
            return &curves[i];
    return NULL;
}

/* The digest of the public key in DER, in base64url. */
static bool make_id(struct key *k)
{
    unsigned char *der = NULL, digest[32];
    struct buf     text = BUF_INIT;
    int            n = i2d_PUBKEY(k->pkey, &der);

    if (n <= 0)
        return false;
    pki_sha256(str_make((char *)der, (size_t)n), digest);
    base64_encode(&text, str_make((char *)digest, sizeof(digest)), true);
    must(text.n < sizeof(k->id));
    memcpy(k->id, text.p, text.n);
    buf_release(&text);
    OPENSSL_free(der);
    return true;
}

/* Takes over pkey.  NULL: a kind of key that signs no tokens. */
static struct key *key_new(EVP_PKEY *pkey)
{
    struct key *k;
    bool        ok;

    if (pkey == NULL)
        return NULL;
    k = mem_new(struct key);
    k->pkey = pkey;
    if (EVP_PKEY_is_a(pkey, "EC") == 1)
        ok = (k->curve = curve_of(pkey)) != NULL;
    else
        ok = EVP_PKEY_is_a(pkey, "RSA") == 1 && EVP_PKEY_get_bits(pkey) >= RSA_BITS_MIN &&
            EVP_PKEY_get_bits(pkey) <= RSA_BITS_MAX;
    if (ok && make_id(k))
        return k;
    key_free(k);
    return NULL;
}

void key_free(struct key *k)
{
    if (k == NULL)
        return;
    EVP_PKEY_free(k->pkey);
    mem_free(k);
}

/* One PEM block, whatever it holds. */
static EVP_PKEY *pkey_of(const char *name, const unsigned char *der, long n)
{
    EVP_PKEY *pkey = NULL;
    X509     *cert;

    if (strcmp(name, PEM_STRING_PUBLIC) == 0)
        return d2i_PUBKEY(NULL, &der, n);
    if (strcmp(name, PEM_STRING_RSA_PUBLIC) == 0)
        return d2i_PublicKey(EVP_PKEY_RSA, NULL, &der, n);
    if (strcmp(name, PEM_STRING_X509) != 0)
        return d2i_AutoPrivateKey(NULL, &der, n);
    cert = d2i_X509(NULL, &der, n);
    if (cert != NULL)
        pkey = X509_get_pubkey(cert);
    X509_free(cert);
    return pkey;
}

int key_read_all(struct str pem, struct key **ret, size_t max, size_t *n, struct errbuf *err)
{
    BIO           *bio = BIO_new_mem_buf(pem.p, (int)pem.n);
    char          *name, *header;
    unsigned char *der;
    long           len;
    size_t         found = 0;
    int            rc = 0;

    must(bio != NULL && pem.n <= INT32_MAX);
    while (rc == 0 && PEM_read_bio(bio, &name, &header, &der, &len) == 1) {
        struct key *k = strstr(name, "PARAMETERS") != NULL ? NULL : key_new(pkey_of(name, der, len));
        bool        skip = strstr(name, "PARAMETERS") != NULL;

        if (*n == max && k != NULL)
            rc = err_set(err, E_TOOBIG, "more than %zu keys", max);
        else if (k == NULL && !skip)
            rc = err_set(err, E_INVALID, "a %s that is no RSA key of %d bits or more, nor one of the curves "
                                         "P-256, P-384, P-521", name, RSA_BITS_MIN);
        if (rc == 0 && k != NULL)
            ret[(*n)++] = k, found++;
        else
            key_free(k);
        OPENSSL_free(name);
        OPENSSL_free(header);
        OPENSSL_clear_free(der, (size_t)len);
    }
    BIO_free(bio);
    ERR_clear_error();
    return rc == 0 && found == 0 ? err_set(err, E_INVALID, "no key in PEM form") : rc;
}

int key_read_private(struct str pem, struct key **ret, struct errbuf *err)
{
    BIO        *bio = BIO_new_mem_buf(pem.p, (int)pem.n);
    struct key *k;

    must(bio != NULL && pem.n <= INT32_MAX);
    k = key_new(PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL));
    BIO_free(bio);
    ERR_clear_error();
    if (k == NULL)
        return err_set(err, E_INVALID, "no private key that signs tokens");
    *ret = k;
    return 0;
}

/* ---- From numbers ------------------------------------------------------------------------------------ */

static EVP_PKEY *pkey_from(const char *type, OSSL_PARAM_BLD *bld)
{
    OSSL_PARAM   *params = OSSL_PARAM_BLD_to_param(bld);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    EVP_PKEY     *pkey = NULL;

    if (params == NULL || ctx == NULL || EVP_PKEY_fromdata_init(ctx) != 1 ||
        EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params) != 1)
        pkey = NULL;
    EVP_PKEY_CTX_free(ctx);
    OSSL_PARAM_free(params);
    ERR_clear_error();
    return pkey;
}

int key_from_rsa(struct str modulus, struct str exponent, struct key **ret)
{
    OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
    BIGNUM         *n, *e;
    struct key     *k = NULL;

    must(bld != NULL);
    if (modulus.n > NUMBER_MAX || exponent.n > 8 || exponent.n == 0) {
        OSSL_PARAM_BLD_free(bld);
        return E_INVALID;
    }
    n = BN_bin2bn((const unsigned char *)modulus.p, (int)modulus.n, NULL);
    e = BN_bin2bn((const unsigned char *)exponent.p, (int)exponent.n, NULL);
    if (n != NULL && e != NULL && OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_N, n) == 1 &&
        OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_E, e) == 1)
        k = key_new(pkey_from("RSA", bld));
    BN_free(n);
    BN_free(e);
    OSSL_PARAM_BLD_free(bld);
    if (k == NULL)
        return E_INVALID;
    *ret = k;
    return 0;
}

int key_from_ec(struct str curve, struct str x, struct str y, struct key **ret)
{
    const struct curve *c = NULL;
    OSSL_PARAM_BLD     *bld;
    unsigned char       point[1 + 2 * 66];
    struct key         *k = NULL;

    for (size_t i = 0; i < ARRAY_LEN(curves); i++)
        if (str_is(curve, curves[i].name))
            c = &curves[i];
    if (c == NULL || x.n != c->half || y.n != c->half)
        return E_INVALID;
    point[0] = 4;                                /* both coordinates, not compressed */
    memcpy(point + 1, x.p, x.n);
    memcpy(point + 1 + x.n, y.p, y.n);
    bld = OSSL_PARAM_BLD_new();
    must(bld != NULL);
    if (OSSL_PARAM_BLD_push_utf8_string(bld, OSSL_PKEY_PARAM_GROUP_NAME, c->group, 0) == 1 &&
        OSSL_PARAM_BLD_push_octet_string(bld, OSSL_PKEY_PARAM_PUB_KEY, point, 1 + 2 * c->half) == 1)
        k = key_new(pkey_from("EC", bld));
    OSSL_PARAM_BLD_free(bld);
    if (k == NULL)
        return E_INVALID;
    *ret = k;
    return 0;
}

/* ---- Signatures -------------------------------------------------------------------------------------- */

static const struct alg { const char *name; bool rsa, pss; const EVP_MD *(*digest)(void); } algs[] = {
    { "RS256", true, false, EVP_sha256 }, { "RS384", true, false, EVP_sha384 },
    { "RS512", true, false, EVP_sha512 }, { "PS256", true, true, EVP_sha256 },
    { "PS384", true, true, EVP_sha384 },  { "PS512", true, true, EVP_sha512 },
    { "ES256", false, false, EVP_sha256 }, { "ES384", false, false, EVP_sha384 },
    { "ES512", false, false, EVP_sha512 },
};

/* NULL: not one of this key. */
static const struct alg *alg_of(const struct key *k, struct str name)
{
    for (size_t i = 0; i < ARRAY_LEN(algs); i++)
        if (str_is(name, algs[i].name) && algs[i].rsa == (k->curve == NULL) &&
            (k->curve == NULL || strcmp(algs[i].name, k->curve->alg) == 0))
            return &algs[i];
    return NULL;
}

/* DER (what OpenSSL speaks) to r and s side by side, and back. */
static bool sig_from_der(const unsigned char *der, size_t n, size_t half, struct buf *out)
{
    ECDSA_SIG    *sig = d2i_ECDSA_SIG(NULL, &der, (long)n);
    unsigned char raw[2 * 66];
    bool ok = sig != NULL && BN_bn2binpad(ECDSA_SIG_get0_r(sig), raw, (int)half) == (int)half &&
        BN_bn2binpad(ECDSA_SIG_get0_s(sig), raw + half, (int)half) == (int)half;

    if (ok)
        buf_add(out, raw, 2 * half);
    ECDSA_SIG_free(sig);
    return ok;
}

static int sig_to_der(struct str raw, unsigned char **ret_der)
{
    const unsigned char *p = (const unsigned char *)raw.p;
    int        half = (int)raw.n / 2, n = -1;
    ECDSA_SIG *sig = ECDSA_SIG_new();
    BIGNUM    *r = BN_bin2bn(p, half, NULL), *s = BN_bin2bn(p + half, half, NULL);

    if (sig != NULL && r != NULL && s != NULL && ECDSA_SIG_set0(sig, r, s) == 1) {
        n = i2d_ECDSA_SIG(sig, ret_der);
    } else {
        BN_free(r);
        BN_free(s);
    }
    ECDSA_SIG_free(sig);
    return n;
}

static bool set_padding(EVP_PKEY_CTX *ctx, const struct alg *a)
{
    if (!a->pss)
        return true;
    return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) == 1 &&
        EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST) == 1;
}

bool key_verify(const struct key *k, struct str alg, struct str data, struct str sig)
{
    const struct alg *a = alg_of(k, alg);
    EVP_MD_CTX       *ctx;
    EVP_PKEY_CTX     *pctx;
    unsigned char    *der = NULL;
    bool              ok;

    if (a == NULL || (k->curve != NULL && sig.n != 2 * k->curve->half))
        return false;
    if (k->curve != NULL) {
        int n = sig_to_der(sig, &der);

        if (n <= 0)
            return false;
        sig = str_make((char *)der, (size_t)n);
    }
    ctx = EVP_MD_CTX_new();
    ok = ctx != NULL && EVP_DigestVerifyInit(ctx, &pctx, a->digest(), NULL, k->pkey) == 1 &&
        set_padding(pctx, a) &&
        EVP_DigestVerify(ctx, (const unsigned char *)sig.p, sig.n, (const unsigned char *)data.p,
                         data.n) == 1;
    EVP_MD_CTX_free(ctx);
    OPENSSL_free(der);
    ERR_clear_error();
    return ok;
}

int key_sign(const struct key *k, struct str data, struct buf *out, struct errbuf *err)
{
    const struct alg *a = alg_of(k, str_of(key_alg(k)));
    EVP_MD_CTX       *ctx = EVP_MD_CTX_new();
    unsigned char     raw[RSA_BITS_MAX / 8];
    size_t            n = sizeof(raw);
    bool ok = ctx != NULL && EVP_DigestSignInit(ctx, NULL, a->digest(), NULL, k->pkey) == 1 &&
        EVP_DigestSign(ctx, raw, &n, (const unsigned char *)data.p, data.n) == 1;

    if (ok && k->curve != NULL)
        ok = sig_from_der(raw, n, k->curve->half, out);
    else if (ok)
        buf_add(out, raw, n);
    EVP_MD_CTX_free(ctx);
    return ok ? 0 : tls__err(err, E_INVALID, "sign");
}

/* ---- Telling ----------------------------------------------------------------------------------------- */

const char *key_alg(const struct key *k) { return k->curve != NULL ? k->curve->alg : "RS256"; }
const char *key_id(const struct key *k) { return k->id; }
const char *key_type(const struct key *k) { return k->curve != NULL ? "EC" : "RSA"; }
const char *key_curve(const struct key *k) { return k->curve != NULL ? k->curve->name : NULL; }

int key_number(const struct key *k, char which, struct buf *out)
{
    const char   *name = which == 'n' ? OSSL_PKEY_PARAM_RSA_N : which == 'e' ? OSSL_PKEY_PARAM_RSA_E
        : which == 'x' ? OSSL_PKEY_PARAM_EC_PUB_X : OSSL_PKEY_PARAM_EC_PUB_Y;
    unsigned char raw[NUMBER_MAX];
    BIGNUM       *v = NULL;
    int           n;

    if (EVP_PKEY_get_bn_param(k->pkey, name, &v) != 1)
        return E_INVALID;
    n = k->curve != NULL ? (int)k->curve->half : BN_num_bytes(v);
    n = BN_bn2binpad(v, raw, n);
    BN_free(v);
    if (n < 0)
        return E_INVALID;
    base64_encode(out, str_make((char *)raw, (size_t)n), true);
    return 0;
}
