/* test/sim/linear.h: is a history linearizable?  A checker of our own, after Wing and Gong, with Lowe's list of
 * pending operations and memory of what was tried.
 *
 * A history is what clients were told, each operation with the time it was asked and the time it was answered.  It is
 * linearizable when all can be put in one order that respects real time (what was answered before another was asked
 * comes before it) and in which every answer is that of a plain map.  That is so exactly when it is so for each key
 * alone, so keys are checked one by one.
 *
 * Where answers carry revisions, as ours do, they prune the search, and are judged themselves: the writes of a key
 * must go in the order of their revisions, a value has one revision, and, over all keys, what is written or read
 * after an answer has at least that answer's revision.
 *
 * Operations of unknown outcome may take effect at any time after they were asked, or never.  One whose value
 * somebody has seen did happen, before that answer; of the others only those are kept that could explain something.
 * Values are to be unique per write (0: no value), else only the search is slower, not less right.  Where exact
 * account of what may never have happened is too much work, some of it may be taken to have happened twice: a history
 * that is called broken is broken.
 *
 * Units: any clock, the same for all.  Memory: some 50 bytes for each state tried, up to LINEAR_STATES. */
#ifndef TEST_SIM_LINEAR_H
#define TEST_SIM_LINEAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LINEAR_NEVER  UINT64_MAX
#define LINEAR_STATES (1u << 18)

enum linear_kind {
    LINEAR_GET,                                  /* DONE: saw `seen` */
    LINEAR_PUT,                                  /* DONE: is `value` now */
    LINEAR_CAS,                                  /* DONE: was `seen`, is `value` now (0: deleted).  LOST: was not `seen` */
    LINEAR_DELETE,                               /* DONE: was there, is not any more.  LOST: was not there */
    LINEAR_KINDS
};
enum linear_outcome {
    LINEAR_DONE, LINEAR_LOST,
    LINEAR_UNKNOWN,                              /* as DONE, at any time or never */
    LINEAR_FAILED,                               /* certainly without effect: nobody may see its value */
    LINEAR_OUTCOMES
};

struct linear_op {
    uint64_t key, value, seen;
    uint64_t asked, answered;                    /* answered: of UNKNOWN not looked at */
    uint64_t rev;                                /* 0: not told.  Of a write that was done: its own; GET: that of the value */
    uint64_t at;                                 /* 0: not told.  The newest revision that the answer knows of */
    enum linear_kind kind;
    enum linear_outcome outcome;
    size_t id;                                   /* for people: how the answer names it */
};

enum linear_verdict { LINEAR_HOLDS, LINEAR_BROKEN, LINEAR_UNDECIDED };     /* the last: more states than that */

/* Sorts the operations.  why: set unless it holds. */
enum linear_verdict linear_check(struct linear_op *op, size_t n, char why[256]);

#endif
