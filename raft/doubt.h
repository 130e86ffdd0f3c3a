/* raft/doubt.h: what a head that lost part of its log may still do.
 *
 * A head whose disk lost entries that it had acknowledged is not the head it was: counted as if it still
 * had them, an acknowledged entry could be voted away.  It keeps, instead of the entries, the identity of
 * the last one it may have acknowledged, and two rules:
 *     1. it votes only for candidates whose log is at least as up to date (last term, then last index) as the
 *        log that was lost.  Raft's proof (thesis 3.6.3) needs of a voter just that;
 *     2. it does not stand for election before its own log is as up to date as that.
 * Acknowledging goes on as ever: it says what is durable now.
 *
 * When not even that identity, or term and vote, can be told, it is `lost`: it says nothing at all (no
 * vote, no acknowledgement), but asks all others, with a fresh number, for their term and the end of their
 * log.  When every other voter has answered it takes the highest term named, its vote in it given to
 * nobody, and the most up to date log named as the identity above.  That is enough: whoever still counts on
 * something that it said (a candidate on its vote, a leader on its acknowledgement) has answered since, and
 * so named a term and a log that are no less than those this was said of.
 *
 * Another lost head, known by its own question, need not answer, as it counts on nothing any more.  What it
 * did with our word before it was lost, it did with a majority; as long as those who are lost are none, one
 * of that majority answers, and must do so after the loss: with each that turns out to be lost, all are
 * asked anew.
 *
 * A head whose directory is empty is `newborn`: it cannot tell whether its cluster is to begin, or has long
 * begun and this directory was lost.  It asks in the same way, and answers that it is newborn.  When all
 * others have answered and nobody has an entry, the cluster begins; once somebody has one, it is a lost head
 * like any other.
 *
 * A head that joins a cluster is `blank` until a leader calls it: it votes for nobody.  From then on what
 * that leader had committed counts as lost: should this be the new disk of a head that voted once, it votes
 * only for logs that go on in that leader's term.
 *
 * Whom it asks it knows from what it has: a snapshot, or the command line.  If an answer says that others
 * vote by now, the ones that count on it may be others, too: it is `outdated`, and silent for good; it can only be
 * removed and come back under a new number.
 */
#ifndef RAFT_DOUBT_H
#define RAFT_DOUBT_H

#include <stdbool.h>
#include <stdint.h>

#define RAFT_VOTE_UNKNOWN UINT64_MAX             /* a vote that may have been given: to nobody again in this term */

struct raft_doubt {
    uint64_t index, term;                        /* of the last entry that may have been acknowledged; 0, 0: none */
    bool     lost;                               /* it is not known; nor, perhaps, is the vote */
};

/* Is a log that ends with (term, index) at least as up to date as one that ends with (than_term, than_index)? */
static inline bool raft_up_to_date(uint64_t term, uint64_t index, uint64_t than_term, uint64_t than_index)
{
    return term > than_term || (term == than_term && index >= than_index);
}

static inline void raft_doubt_widen(struct raft_doubt *d, uint64_t index, uint64_t term)
{
    if (!raft_up_to_date(d->term, d->index, term, index)) {
        d->index = index;
        d->term = term;
    }
}

#endif
