/* net/trim.h: an idle process gives back the memory that only its start or its last busy hour needed.
 *
 * Most of a small process's memory is program text: of the TLS library above all, whose tables, parsers and
 * certificate checks run once.  Those pages are the file's, the same for all processes, and come back from
 * the page cache by themselves where they are needed again (some microseconds each); until then they need not
 * be ours.  Looks after 4 s, then after twice as long each time up to 5 minutes; from the second look on it
 * does nothing unless the process has been idle since the one before. */
#ifndef NET_TRIM_H
#define NET_TRIM_H

#include "net/loop.h"

struct trim { struct timer timer; uint64_t pause_ms; int64_t cpu_ns; };
void trim_start(struct trim *t, struct loop *l);
void trim_stop(struct trim *t);
/* At once: every whole page of program and libraries that is only ever read.  Any thread. */
void trim_text(void);

#endif
