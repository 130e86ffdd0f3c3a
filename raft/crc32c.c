/* raft/crc32c.c: CRC32C by the processor's instruction where it has one, by table elsewhere. */
#include <stdbool.h>
#include <string.h>
#include "raft/crc32c.h"

#define POLY 0x82f63b78u                         /* reflected */

/* One nibble at a time: 16 entries, small enough to be constant and never cold. */
static const uint32_t nibble[16] = {
    0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3, 0x61c69362, 0x7198540d,
    0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9, 0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75,
};

uint32_t crc32c_portable(uint32_t crc, const void *p, size_t n)
{
    const unsigned char *b = p;

    crc = ~crc;
    for (size_t i = 0; i < n; i++) {
        crc ^= b[i];
        crc = (crc >> 4) ^ nibble[crc & 15];
        crc = (crc >> 4) ^ nibble[crc & 15];
    }
    return ~crc;
}

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>

/* The instruction takes a word each cycle but its result only after three: so three lanes of LANE bytes go side by
 * side.  A lane's sum moves past the n bytes behind it by a product with x^(8n); in this bit order the product and the
 * reduction by the instruction bring x^33 with them. */
#define LANE         256u
#define PAST_ONE     0xb9e02b86u              /* x^(8 * LANE - 33) */
#define PAST_TWO     0xdd7e3b0cu              /* x^(16 * LANE - 33) */

__attribute__((target("sse4.2,pclmul")))
static uint64_t crc32c_past(uint64_t crc, uint32_t by)
{
    __m128i product = _mm_clmulepi64_si128(_mm_cvtsi64_si128((long long)crc), _mm_cvtsi32_si128((int)by), 0);

    return _mm_crc32_u64(0, (uint64_t)_mm_cvtsi128_si64(product));
}

__attribute__((target("sse4.2,pclmul")))
static uint32_t crc32c_sse42(uint32_t crc, const void *p, size_t n)
{
    const unsigned char *b = p;
    uint64_t c = ~crc, c1, c2, w[3];

    for (; n >= 3 * LANE; n -= 3 * LANE, b += 3 * LANE) {
        c1 = c2 = 0;
        for (size_t i = 0; i < LANE; i += 8) {
            memcpy(&w[0], b + i, 8);
            memcpy(&w[1], b + LANE + i, 8);
            memcpy(&w[2], b + 2 * LANE + i, 8);
            c = _mm_crc32_u64(c, w[0]);
            c1 = _mm_crc32_u64(c1, w[1]);
            c2 = _mm_crc32_u64(c2, w[2]);
        }
        c = crc32c_past(c, PAST_TWO) ^ crc32c_past(c1, PAST_ONE) ^ c2;
    }
    for (; n >= 8; n -= 8, b += 8) {
        memcpy(&w[0], b, 8);
        c = _mm_crc32_u64(c, w[0]);
    }
    for (; n > 0; n--, b++)
        c = _mm_crc32_u8((uint32_t)c, *b);
    return ~(uint32_t)c;
}

uint32_t crc32c(uint32_t crc, const void *p, size_t n)
{
    bool fast = __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("pclmul");

    return fast ? crc32c_sse42(crc, p, n) : crc32c_portable(crc, p, n);
}
#else
uint32_t crc32c(uint32_t crc, const void *p, size_t n) { return crc32c_portable(crc, p, n); }
#endif
