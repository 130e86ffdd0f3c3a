/* node/clean_text.c: see node/clean_text.h. */
#include "api/utf8.h"
#include "net/arena.h"
#include "node/clean_text.h"

char *clean_text(struct str s, size_t max, bool from_end)
{
    char *out, *to;

    must(max >= 4);
    if (s.n > max)
        s = from_end ? str_from(s, s.n - max) : str_upto(s, max);
    while (from_end && s.n > 0 && ((unsigned char)s.p[0] & 0xc0) == 0x80)
        s = str_from(s, 1);                      /* the rest of a sequence that was cut */
    out = to = mem_alloc(s.n + 1);
    for (size_t i = 0, n; i < s.n; i += n) {
        unsigned len = utf8_len(s.p + i, s.p + s.n);
        n = len > 0 ? len : 1;
        if (len == 0 && i + 4 > s.n && ((unsigned char)s.p[i] & 0xc0) == 0xc0)
            break;                               /* a sequence cut at the end */
        if (len == 0 || s.p[i] == '\0')
            *to++ = '?';
        else
            to = (char *)memcpy(to, s.p + i, n) + n;
    }
    *to = '\0';
    return out;
}
