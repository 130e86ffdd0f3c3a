/* test/sim/hash.h: one number for all that a store holds, to compare heads by. */
#ifndef TEST_SIM_HASH_H
#define TEST_SIM_HASH_H

#include "store/store.h"

uint64_t view_hash(struct store_view *v);        /* never 0 */
uint64_t hash_bytes(uint64_t h, const char *p, size_t n);

#endif
