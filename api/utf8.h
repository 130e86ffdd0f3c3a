/* api/utf8.h: one UTF-8 sequence at a time, strict (no overlong forms, surrogates, nothing over U+10FFFF). */
#ifndef API_UTF8_H
#define API_UTF8_H

#include "net/str.h"

/* Length of the sequence at p (p < end): 1 to 4, or 0 when it is not UTF-8. */
static inline unsigned utf8_len(const char *p, const char *end)
{
    const unsigned char *u = (const unsigned char *)p;
    size_t left = (size_t)(end - p);

    if (u[0] < 0x80)
        return 1;
    if (u[0] < 0xc2 || left < 2 || (u[1] & 0xc0) != 0x80)
        return 0;
    if (u[0] < 0xe0)
        return 2;
    if (left < 3 || (u[2] & 0xc0) != 0x80)
        return 0;
    if (u[0] < 0xf0)
        return (u[0] == 0xe0 && u[1] < 0xa0) || (u[0] == 0xed && u[1] >= 0xa0) ? 0 : 3;
    if (u[0] > 0xf4 || left < 4 || (u[3] & 0xc0) != 0x80)
        return 0;
    return (u[0] == 0xf0 && u[1] < 0x90) || (u[0] == 0xf4 && u[1] >= 0x90) ? 0 : 4;
}

/* Write code point c (a scalar value) at `to`; returns how many bytes (1 to 4). */
static inline unsigned utf8_put(char *to, uint32_t c)
{
    must(c <= 0x10ffff && (c < 0xd800 || c > 0xdfff));
    if (c < 0x80) {
        to[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        to[0] = (char)(0xc0 | c >> 6);
        to[1] = (char)(0x80 | (c & 0x3f));
        return 2;
    }
    if (c < 0x10000) {
        to[0] = (char)(0xe0 | c >> 12);
        to[1] = (char)(0x80 | (c >> 6 & 0x3f));
        to[2] = (char)(0x80 | (c & 0x3f));
        return 3;
    }
    to[0] = (char)(0xf0 | c >> 18);
    to[1] = (char)(0x80 | (c >> 12 & 0x3f));
    to[2] = (char)(0x80 | (c >> 6 & 0x3f));
    to[3] = (char)(0x80 | (c & 0x3f));
    return 4;
}

static inline bool utf8_valid(struct str s)
{
    for (size_t i = 0, n; i < s.n; i += n)
        if ((n = utf8_len(s.p + i, s.p + s.n)) == 0)
            return false;
    return true;
}

#endif
