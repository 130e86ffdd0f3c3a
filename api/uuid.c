/* api/uuid.c: random identifiers as text. */
#include "api/uuid.h"

void uuid_write(const uint8_t random[16], char to[UUID_TEXT])
{
    static const char hex[] = "0123456789abcdef";
    size_t at = 0;

    for (size_t i = 0; i < 16; i++) {
        unsigned b = random[i];

        if (i == 6)
            b = 0x40 | (b & 0x0f);               /* version 4: random */
        if (i == 8)
            b = 0x80 | (b & 0x3f);               /* the variant of RFC 4122 */
        if (i == 4 || i == 6 || i == 8 || i == 10)
            to[at++] = '-';
        to[at++] = hex[b >> 4];
        to[at++] = hex[b & 15];
    }
    must(at == UUID_TEXT);
}

struct str uuid_text(struct arena *a, const uint8_t random[16])
{
    char *to = arena_alloc(a, UUID_TEXT + 1);

    uuid_write(random, to);
    to[UUID_TEXT] = '\0';
    return str_make(to, UUID_TEXT);
}

void name_suffix_write(uint64_t random, char to[NAME_SUFFIX])
{
    static const char letters[] = "bcdfghjklmnpqrstvwxz2456789";
    const unsigned n = sizeof letters - 1;

    for (size_t i = 0; i < NAME_SUFFIX; i++) {
        to[i] = letters[random % n];
        random /= n;
    }
}
