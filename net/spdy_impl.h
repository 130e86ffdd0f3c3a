/* net/spdy_impl.h: what net/spdy.c and net/spdy_accept.c share. */
#ifndef NET_SPDY_IMPL_H
#define NET_SPDY_IMPL_H

#include "net/spdy.h"

/* A session without a connection; one of the two below follows, or spdy__discard().  Events of the
 * connection go to these tables with the session as arg. */
struct spdy *spdy__new(struct loop *l, const struct spdy_events *ev, void *arg);
void spdy__discard(struct spdy *sp);
void spdy__on_stream(struct spdy *sp, struct stream *s);
void spdy__on_ws(struct spdy *sp, struct ws *w);
extern const struct stream_events spdy__stream_events;
extern const struct ws_events spdy__ws_events;

#endif
