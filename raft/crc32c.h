/* raft/crc32c.h: the Castagnoli CRC that guards log records, snapshot chunks and frames.
 * Chained: crc32c(crc32c(0, a), b) is that of a followed by b. */
#ifndef RAFT_CRC32C_H
#define RAFT_CRC32C_H

#include <stddef.h>
#include <stdint.h>

uint32_t crc32c(uint32_t crc, const void *p, size_t n);
/* The portable one, which the fast one must agree with. */
uint32_t crc32c_portable(uint32_t crc, const void *p, size_t n);

#endif
