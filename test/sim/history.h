/* test/sim/history.h: recorded histories as lines of JSON, for tests with real processes; read by lincheck.
 *
 * One flat object per line and answer, in any order:
 *     {"op":"put","key":"a","value":"v1","result":"ok","start":17,"end":23,"rev":5}
 *
 *     op      get, put, cas, create, delete
 *     key     any text
 *     value   what is written (put, cas, create; "" deletes in a cas), or what a get saw ("": nothing there)
 *     expect  cas: the value it is to replace ("": none)
 *     result  ok; lost (a compare failed: cas, create, delete); unknown (no answer, or one that leaves it open);
 *             failed (certainly not done)
 *     start, end   when it was asked and answered, in any unit of one clock; end may be missing when unknown
 *     rev     optional: of a write its revision, of a get that of the value
 *     at      optional: the newest revision that the answer knows of (a list's, say)
 *     client  optional, for people
 *
 * Each value is written once (a counter and the client's name do).  And of watches, in the order things came:
 *     {"watch":"w1","from":4,"key":"a"}     it begins, again perhaps, on another head: of this key (none: of all) it
 *                                           tells what came after that revision
 *     {"watch":"w1","event":"put","key":"a","value":"v1","rev":5}         put or delete
 *     {"watch":"w1","seen":9}               all up to there has been told */
#ifndef TEST_SIM_HISTORY_H
#define TEST_SIM_HISTORY_H

#include "net/err.h"
#include "net/blob.h"
#include "test/sim/linear.h"

enum history_line { HISTORY_FROM, HISTORY_EVENT, HISTORY_SEEN };
struct history_watch { enum history_line line; uint64_t watch, key, value, rev; bool deleted; size_t id; };
struct history {
    struct linear_op *op; size_t n_op, cap_op;   /* ids are numbers of lines */
    struct history_watch *watch; size_t n_watch, cap_watch;
};

/* E_INVALID with the number of the line.  To be released either way. */
int  history_parse(struct history *h, struct str text, struct errbuf *err);
void history_release(struct history *h);
/* Every acknowledged write that a watch covers, once, in order; nothing that was not written.  Call before
 * linear_check(), which sorts.  why: set when false. */
bool history_watches_hold(const struct history *h, char why[256]);

#endif
