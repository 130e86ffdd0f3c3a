/* api/uuid.h: identifiers made from random bytes that the caller brings (net/'s loop has them). */
#ifndef API_UUID_H
#define API_UUID_H

#include "net/arena.h"

#define UUID_TEXT 36
#define NAME_SUFFIX 5

/* RFC 4122 version 4, lower case; not terminated. */
void uuid_write(const uint8_t random[16], char to[UUID_TEXT]);
struct str uuid_text(struct arena *a, const uint8_t random[16]);
/* What follows metadata.generateName: five of 27 letters and digits that spell no words. */
void name_suffix_write(uint64_t random, char to[NAME_SUFFIX]);

#endif
