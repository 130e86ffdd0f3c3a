/* net/str.c: the longer functions on byte views, and the hash of all our tables. */
#include <stdlib.h>
#include <sys/random.h>
#include "net/str.h"

bool str_split(struct str *rest, char sep, struct str *ret_part)
{
    if (rest->p == NULL)
        return false;
    ptrdiff_t at = str_find(*rest, sep);
    if (at < 0) {
        *ret_part = *rest;
        *rest = STR_NONE;
    } else {
        *ret_part = str_upto(*rest, (size_t)at);
        *rest = str_from(*rest, (size_t)at + 1);
    }
    return true;
}

static unsigned char ascii_lower(char c)
{
    unsigned char u = (unsigned char)c;
    return u >= 'A' && u <= 'Z' ? (unsigned char)(u | 0x20) : u;
}

bool str_ieq(struct str a, struct str b)
{
    if (a.n != b.n)
        return false;
    for (size_t i = 0; i < a.n; i++)
        if (ascii_lower(a.p[i]) != ascii_lower(b.p[i]))
            return false;
    return true;
}

static bool ascii_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

struct str str_trim(struct str a)
{
    while (a.n > 0 && ascii_space(a.p[0]))
        a = str_from(a, 1);
    while (a.n > 0 && ascii_space(a.p[a.n - 1]))
        a.n--;
    return a;
}

bool str_u64(struct str a, uint64_t *ret)
{
    uint64_t v = 0;

    if (a.n == 0)
        return false;
    for (size_t i = 0; i < a.n; i++) {
        unsigned d = (unsigned char)a.p[i] - (unsigned)'0';
        if (d > 9 || __builtin_mul_overflow(v, 10u, &v) || __builtin_add_overflow(v, d, &v))
            return false;
    }
    *ret = v;
    return true;
}

bool str_i64(struct str a, int64_t *ret)
{
    bool     neg = a.n > 0 && a.p[0] == '-';
    uint64_t v;

    if (!str_u64(neg ? str_from(a, 1) : a, &v))
        return false;
    if (v > (uint64_t)INT64_MAX + neg)
        return false;
    *ret = neg ? (int64_t)(0 - v) : (int64_t)v;
    return true;
}

/* Two secret words per process: without them nobody can prepare keys that collide. */
static uint64_t hash_key[2];
static bool     hash_keyed;

void str_hash_seed(uint64_t seed)
{
    hash_key[0] = seed * 0x9e3779b97f4a7c15u + 1;
    hash_key[1] = ~seed * 0xd6e8feb86659fd93u + 1;
    hash_keyed = true;
}

static void hash_key_draw(void)
{
    if (getrandom(hash_key, sizeof hash_key, 0) != (ssize_t)sizeof hash_key)
        panic_at(__FILE__, __LINE__, "the kernel gives random bytes");
    hash_keyed = true;
}

/* Fold the 128-bit product: every input bit reaches every output bit. */
static uint64_t hash_mix(uint64_t a, uint64_t b)
{
    unsigned __int128 m = (unsigned __int128)a * b;
    return (uint64_t)m ^ (uint64_t)(m >> 64);
}

static uint64_t hash_load(const char *p, size_t n)
{
    uint64_t v = 0;
    memcpy(&v, p, n);
    return v;
}

uint64_t str_hash(struct str a)
{
    if (__builtin_expect(!hash_keyed, 0))
        hash_key_draw();
    uint64_t    h = hash_key[0] ^ (a.n * 0x9e3779b97f4a7c15u);
    const char *p = a.p;
    size_t      n = a.n;
    for (; n > 16; n -= 16, p += 16)
        h = hash_mix(hash_load(p, 8) ^ hash_key[1], hash_load(p + 8, 8) ^ h);
    uint64_t lo = 0, hi = 0;
    if (n > 8)
        hi = hash_load(p + 8, n - 8);
    if (n > 0)
        lo = hash_load(p, MIN_OF(n, 8));
    h = hash_mix(lo ^ hash_key[1], hi ^ h);
    return hash_mix(h ^ 0xd6e8feb86659fd93u, hash_key[0] ^ 0x9e3779b97f4a7c15u);
}
