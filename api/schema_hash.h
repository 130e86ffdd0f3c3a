/* api/schema_hash.h: the hash behind every table of names that build/schemagen makes; it and the program
 * must agree.
 *
 * A name is known by its length and five of its bytes: field names of one type differ there, and when they
 * don't the table's probing sorts it out.  Not for names that a client chose to be many: tables are fixed. */
#ifndef API_SCHEMA_HASH_H
#define API_SCHEMA_HASH_H

#include <stddef.h>
#include <stdint.h>

static inline uint32_t schema_hash(const char *p, size_t n)
{
    uint32_t h = (uint32_t)n;

    if (n > 0) {
        const unsigned char *u = (const unsigned char *)p;

        h = h * 31 + u[0];
        h = h * 31 + u[n / 4];
        h = h * 31 + u[n / 2];
        h = h * 31 + u[n - n / 4 - 1];
        h = h * 31 + u[n - 1];
    }
    h *= 0x9e3779b1u;
    return h ^ h >> 15;
}

#endif
