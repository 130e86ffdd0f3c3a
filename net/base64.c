/* net/base64.c: RFC 4648, both alphabets; decoding is strict. */
#include "net/tls.h"

static const char alphabet[2][65] = {
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
};

void base64_encode(struct buf *out, struct str in, bool url)
{
    const char *abc = alphabet[url];

    buf_reserve(out, in.n / 3 * 4 + 4);
    for (size_t i = 0; i < in.n; i += 3) {
        size_t   n = MIN_OF(in.n - i, (size_t)3);
        uint32_t v = 0;
        for (size_t j = 0; j < 3; j++)
            v = v << 8 | (j < n ? (unsigned char)in.p[i + j] : 0);
        for (size_t j = 0; j <= n; j++)
            buf_char(out, abc[v >> (18 - 6 * j) & 63]);
        for (size_t j = n; j < 3 && !url; j++)
            buf_char(out, '=');
    }
}

static int value_of(char c, bool url)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == (url ? '-' : '+'))
        return 62;
    return c == (url ? '_' : '/') ? 63 : -1;
}

/* Padding: required in the standard alphabet, refused in the other.  Bits that decode to nothing must be 0,
 * so that each text has one encoding. */
int base64_decode(struct buf *out, struct str in, bool url)
{
    size_t   was = out->n;
    uint32_t v = 0;
    unsigned bits = 0;

    if (!url) {
        if (in.n % 4 != 0)
            return E_INVALID;
        for (int i = 0; i < 2 && in.n > 0 && in.p[in.n - 1] == '='; i++)
            in.n--;
    }
    if (in.n % 4 == 1)
        return E_INVALID;
    buf_reserve(out, in.n / 4 * 3 + 3);
    for (size_t i = 0; i < in.n; i++) {
        int d = value_of(in.p[i], url);
        if (d < 0)
            goto bad;
        v = v << 6 | (uint32_t)d;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            buf_char(out, (char)(v >> bits & 0xff));
        }
    }
    if ((v & ((1u << bits) - 1)) == 0)
        return 0;
bad:
    out->n = was;
    return E_INVALID;
}
