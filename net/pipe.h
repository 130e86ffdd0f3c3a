/* net/pipe.h: two streams joined: what comes on one goes out on the other, as fast as that one takes it.
 *
 * The end of one side's bytes is passed on as such (half-close); the pipe ends when both have ended or one
 * broke. */
#ifndef NET_PIPE_H
#define NET_PIPE_H

#include "net/list.h"
#include "net/stream.h"

#define PIPE_QUEUE_MAX (256u << 10)              /* towards one side, before the other is paused */

struct pipe;
/* Takes both streams over.  The pipe frees itself; on_end (NULL ok), once, just before.  list: where it is
 * linked while it lives, for pipe_close_all(). */
void pipe_start(struct stream *a, struct stream *b, struct qlink *list, void (*on_end)(void *arg), void *arg);
/* Their ends follow from the loop; the list is empty and may go. */
void pipe_close_all(struct qlink *list);

#endif
