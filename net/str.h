/* net/str.h: a view of bytes that somebody else owns; not NUL-terminated.  Passed by value. */
#ifndef NET_STR_H
#define NET_STR_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include "net/must.h"

struct str { const char *p; size_t n; };

#define STR(lit) ((struct str){ (lit), sizeof(lit) - 1 })
#define STR_NONE ((struct str){ NULL, 0 })
/* For printf: "%.*s", STR_ARG(s). */
#define STR_ARG(s) (int)(s).n, (s).p

static inline struct str str_of(const char *z) { return (struct str){ z, z != NULL ? strlen(z) : 0 }; }
static inline struct str str_make(const char *p, size_t n) { return (struct str){ p, n }; }
static inline bool str_eq(struct str a, struct str b) { return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0); }
static inline bool str_is(struct str a, const char *z) { return a.n == strlen(z) && (a.n == 0 || memcmp(a.p, z, a.n) == 0); }
static inline bool str_empty(struct str a) { return a.n == 0; }

static inline int str_cmp(struct str a, struct str b)
{
    size_t n = MIN_OF(a.n, b.n);
    int    c = n > 0 ? memcmp(a.p, b.p, n) : 0;
    return c != 0 ? c : (a.n > b.n) - (a.n < b.n);
}

static inline bool str_starts(struct str a, struct str b) { return a.n >= b.n && (b.n == 0 || memcmp(a.p, b.p, b.n) == 0); }
static inline bool str_ends(struct str a, struct str b) { return a.n >= b.n && (b.n == 0 || memcmp(a.p + a.n - b.n, b.p, b.n) == 0); }
static inline struct str str_from(struct str a, size_t at) { must(at <= a.n); return (struct str){ at > 0 ? a.p + at : a.p, a.n - at }; }
static inline struct str str_upto(struct str a, size_t n) { must(n <= a.n); return (struct str){ a.p, n }; }

/* Index of the first c, or -1. */
static inline ptrdiff_t str_find(struct str a, char c)
{
    const char *q = a.n > 0 ? memchr(a.p, c, a.n) : NULL;
    return q != NULL ? q - a.p : -1;
}

/* Cut the part before the first `sep` off *rest (and the sep); the last part is what has no sep.
 * False when *rest was STR_NONE, i.e. after the last part. */
bool str_split(struct str *rest, char sep, struct str *ret_part);
/* ASCII only, locale-free. */
bool str_ieq(struct str a, struct str b);
struct str str_trim(struct str a);
/* Whole string as a decimal number; false on anything else or overflow. */
bool str_u64(struct str a, uint64_t *ret);
bool str_i64(struct str a, int64_t *ret);
/* A fast non-cryptographic 64-bit hash, seeded per process against chosen-key floods. */
uint64_t str_hash(struct str a);
/* Fix the seed (the simulator, before it makes its first map: walks of maps must replay). */
void str_hash_seed(uint64_t seed);

#endif
