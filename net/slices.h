/* net/slices.h: work of unknown size, a slice a turn.
 *
 * For what nobody waits for and nobody owns any more, the freeing of a large structure above all: step does a bounded
 * part and says whether that was the last.  It can't be canceled; state is step's own, which frees it at the end. */
#ifndef NET_SLICES_H
#define NET_SLICES_H

#include "net/loop.h"

void slices_run(struct loop *l, bool (*step)(void *state), void *state);

#endif
