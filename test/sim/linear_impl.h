/* test/sim/linear_impl.h: between linear.c, which prepares a history, and linear_search.c, which orders it. */
#ifndef TEST_SIM_LINEAR_IMPL_H
#define TEST_SIM_LINEAR_IMPL_H

#include "net/blob.h"
#include "test/sim/linear.h"

/* What an operation needs of the state of its key, and makes of it. */
enum linear_needs { NEEDS_NOTHING, NEEDS_EQUAL, NEEDS_OTHER };
struct linear_step {
    const struct linear_op *op;
    enum linear_needs needs;
    bool     writes, optional;
    uint64_t than, value;                        /* needs: compared with; writes: is then */
    uint64_t from, until;                        /* of the answer, or sooner: when others saw it */
    uint64_t rev;                                /* of a write: 0: not known */
};

static inline bool linear_step_fits(const struct linear_step *s, uint64_t state)
{
    return s->needs == NEEDS_NOTHING || (s->needs == NEEDS_EQUAL) == (s->than == state);
}

/* Those of one key, by `from`.  *ret_stuck: the step that nothing explains. */
enum linear_verdict linear_search(const struct linear_step *step, size_t n, const struct linear_step **ret_stuck);

#endif
