/* node/probe.h: startup, readiness and liveness probes: exec, httpGet, tcpSocket (and grpc as a TCP connect). */
#ifndef NODE_PROBE_H
#define NODE_PROBE_H

#include "node/container.h"

struct probe;
/* spec: the Probe object; borrowed.  on_result: the verdict after counting thresholds changed or was reached again:
 * ok, or failed with the reason.  Never from inside probe_start(). */
struct probe *probe_start(struct container *c, const struct json *spec, const char *what,
                          void (*on_result)(struct container *c, struct probe *p, bool ok, const char *reason));
void probe_stop(struct probe *p);                /* NULL ok; frees, ends what is in flight */

/* One action (probe, or lifecycle hook: exec, httpGet, tcpSocket, sleep) done once: the piece that probes and hooks share. */
struct action;
struct action *action_start(struct container *c, const struct json *spec, uint64_t timeout_ms,
                            void (*done)(void *arg, bool ok, const char *reason), void *arg);
void action_cancel(struct action *x);            /* NULL ok; done is not called */

#endif
