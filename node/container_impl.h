/* node/container_impl.h: what the files of the container's machine share: container.c (the way up), container_end.c
 * (the way down) and container_spec.c (the request to the runtime). */
#ifndef NODE_CONTAINER_IMPL_H
#define NODE_CONTAINER_IMPL_H

#include "node/pod.h"
#include "node/probe.h"

struct ct_hook { struct container *c; struct action *action; };

void container__move(struct container *c, enum container_state to);
/* status.state.waiting; reason NULL: the usual one of a container that has not come up yet. */
void container__set_wait(struct container *c, const char *reason, const char *message);

/* Nobody waits for the request in flight any more (an image's; others have to be seen to their end). */
void container__drop_op(struct container *c);

/* container_spec.c.  Strings live in a.  E_AGAIN: something is not there yet, the pod will tell; E_INVALID: the spec cannot
 * be had as it is. */
int container__fill(struct container *c, struct rt_container_create *r, struct arena *a, struct errbuf *err);

/* container_end.c */
void container__end_clear(struct ct_end *e);
void container__hook_start(struct container *c, const struct json *spec, void (*done)(void *arg, bool ok, const char *reason));
void container__hook_end(struct container *c);   /* fine when there is none */
void container__stop_probes(struct container *c);
struct ct_end container__end_from(const struct container *c, const struct rt_container_info *i);
/* A run is over, in this way (takes over end.message). */
void container__ended(struct container *c, struct ct_end end);
void container__on_stop_timer(struct container *c);      /* in PRE_STOP, TERM and KILL: patience is over */

#endif
