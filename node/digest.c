/* node/digest.c: see digest.h. */
#include <openssl/evp.h>
#include "node/digest.h"

void digest_begin(struct digest_run *d)
{
    d->impl = EVP_MD_CTX_new();
    must(d->impl != NULL);
    must(EVP_DigestInit_ex(d->impl, EVP_sha256(), NULL) == 1);
}

void digest_add(struct digest_run *d, const void *p, size_t n)
{
    must(EVP_DigestUpdate(d->impl, p, n) == 1);
}

void digest_end(struct digest_run *d, struct digest *ret)
{
    static const char hex[] = "0123456789abcdef";
    unsigned char md[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    char *out = ret->s;

    must(EVP_DigestFinal_ex(d->impl, md, &n) == 1 && n * 2 == DIGEST_HEX);
    memcpy(out, "sha256:", 7);
    out += 7;
    for (unsigned i = 0; i < n; i++) {
        *out++ = hex[md[i] >> 4];
        *out++ = hex[md[i] & 15];
    }
    *out = '\0';
    digest_drop(d);
}

void digest_drop(struct digest_run *d)
{
    EVP_MD_CTX_free(d->impl);
    d->impl = NULL;
}

void digest_of(struct str data, struct digest *ret)
{
    struct digest_run d;

    digest_begin(&d);
    digest_add(&d, data.p, data.n);
    digest_end(&d, ret);
}

bool digest_parse(struct str text, struct digest *ret)
{
    if (text.n != DIGEST_LEN || !str_starts(text, STR("sha256:")))
        return false;
    for (size_t i = 7; i < text.n; i++)
        if (!(text.p[i] >= '0' && text.p[i] <= '9') && !(text.p[i] >= 'a' && text.p[i] <= 'f'))
            return false;
    memcpy(ret->s, text.p, text.n);
    ret->s[text.n] = '\0';
    return true;
}
