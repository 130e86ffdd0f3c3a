/* test/sim/bugs.h: errors planted in every head, one at a time, to see that a simulated world would find them. */
#ifndef TEST_SIM_BUGS_H
#define TEST_SIM_BUGS_H

#include <stdbool.h>
#include <stdint.h>

struct bugs_opts {
    uint64_t seeds;                              /* from 1 on; each error must be found in one of them */
    unsigned which;                              /* of enum raft_bug */
    const char *only;                            /* those with it in their description; NULL: all of these */
    void (*life)(uint64_t seed, unsigned bugs);  /* ends the program when it finds something */
};
/* Prints a table; false: one was not found.  Only in a build with -DRAFT_BUGS (make sim-bugs). */
bool bugs_found(const struct bugs_opts *o);

#endif
