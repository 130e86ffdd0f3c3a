/* ctrl/backends.h: the pods behind a service, as EndpointSlices and as Endpoints want them. */
#ifndef CTRL_BACKENDS_H
#define CTRL_BACKENDS_H

#include "ctrl/controller.h"

struct backend {
    const struct json *pod;
    struct json *ports;                          /* EndpointPorts of the service in this pod */
    bool ready, serving, terminating;
};

/* Of one service in one pass. */
struct backends {
    struct backend *v;
    size_t n;
    struct str trigger;                          /* when the last of them became what it is; or empty */
};

/* All pods that the selector matches, that have an address and have not ended. */
struct backends backends_of(struct pass *p, struct informer *pods, const struct json *service);

bool service_publishes_not_ready(const struct json *service);
bool service_has_no_ip(const struct json *service);      /* headless */
/* The pod's address of this family; empty: none. */
struct str backend_ip(const struct backend *b, bool v6);
/* Its own host name in the service's domain; empty: none. */
struct str backend_hostname(const struct backend *b, const struct json *service);
/* {kind: Pod, namespace, name, uid} */
struct json *backend_target(struct arena *a, const struct backend *b);

#endif
