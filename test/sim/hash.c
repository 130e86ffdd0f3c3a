/* test/sim/hash.c: see test/sim/hash.h.  Eight bytes at a time: it is computed after every step. */
#include <string.h>
#include "test/sim/hash.h"

uint64_t hash_bytes(uint64_t h, const char *p, size_t n)
{
    uint64_t word = 0;

    for (; n >= sizeof word; p += sizeof word, n -= sizeof word) {
        memcpy(&word, p, sizeof word);
        h = (h ^ word) * 0x9e3779b97f4a7c15ull;
        h ^= h >> 29;
    }
    word = 0;
    if (n > 0)
        memcpy(&word, p, n);
    return ((h ^ word) + n) * 0x9e3779b97f4a7c15ull;
}

uint64_t view_hash(struct store_view *v)
{
    struct store_cursor c;
    struct store_kv kv;
    uint64_t h = 0xcbf29ce484222325ull;

    for (store_seek(&c, v, STR_NONE, STR_NONE); store_next(&c, &kv); ) {
        uint64_t n[5] = { kv.create_rev, kv.mod_rev, kv.version, kv.lease, kv.tag };
        h = hash_bytes(h, kv.key.p, kv.key.n);
        h = hash_bytes(h, kv.value->data, kv.value->len);
        h = hash_bytes(h, (const char *)n, sizeof n);
    }
    return h | 1;
}
