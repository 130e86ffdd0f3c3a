/* api/continue.c: see api/continue.h.  Inside: "c1:REV:KEY". */
#include "api/continue.h"
#include "net/tls.h"

#define TOKEN_MAX 2048

void continue_write(struct buf *out, uint64_t rev, struct str after)
{
    struct buf b = BUF_INIT;

    buf_fmt(&b, "c1:%llu:", (unsigned long long)rev);
    buf_str_add(&b, after);
    base64_encode(out, buf_str(&b), true);
    buf_release(&b);
}

bool continue_parse(struct arena *a, struct str token, uint64_t *ret_rev, struct str *ret_after)
{
    struct buf b = BUF_INIT;
    struct str rest, part;
    bool       ok;

    if (token.n > TOKEN_MAX)
        return false;
    ok = base64_decode(&b, token, true) == 0;
    rest = arena_str(a, buf_str(&b));
    buf_release(&b);
    ok = ok && str_split(&rest, ':', &part) && str_is(part, "c1") && str_split(&rest, ':', &part) &&
        str_u64(part, ret_rev) &&
         rest.n > 0;
    if (ok)
        *ret_after = rest;
    return ok;
}
