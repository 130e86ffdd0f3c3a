/* ctrl/slices.h: a service's EndpointSlices brought from what they are to what they should be, with few
 * writes: endpoints stay in the slice that has them, new ones fill slices that change anyway.
 *
 * The two controllers that make slices (of pods, of hand-made Endpoints) differ in what they want, not in
 * how they get there; each leaves alone what carries another manager's name. */
#ifndef CTRL_SLICES_H
#define CTRL_SLICES_H

#include "ctrl/controller.h"

#define SERVICE_NAME_LABEL "kubernetes.io/service-name"
#define MANAGED_BY_LABEL   "endpointslice.kubernetes.io/managed-by"
#define SKIP_MIRROR_LABEL  "endpointslice.kubernetes.io/skip-mirror"
#define HEADLESS_LABEL     "service.kubernetes.io/headless"
#define TRIGGER_ANNOTATION "endpoints.kubernetes.io/last-change-trigger-time"

/* Endpoints of one address family that serve the same ports. */
struct slice_group {
    const char *address_type;                    /* "IPv4", "IPv6" */
    struct json *ports, *endpoints;              /* arrays */
    struct slice_group *next;
};

/* Lives within one pass; trees in the pass's arena. */
struct slice_plan {
    struct pass *pass;
    struct informer *slices;                     /* indexed BY_SERVICE */
    struct str ns, service;
    const char *managed_by;
    const struct json *labels, *annotations;     /* all that slices should carry; annotations: NULL ok */
    struct str trigger;                          /* for TRIGGER_ANNOTATION where anything changes; or empty */
    const struct json *owner;                    /* an owner reference */
    unsigned max_endpoints;                      /* of one slice */
    struct slice_group *groups;
};
/* The group of this family and these ports, made if need be. */
struct slice_group *slice_group_for(struct slice_plan *plan, const char *address_type, struct json *ports);
/* Sends what is needed as part of the pass. */
void slices_reconcile(struct slice_plan *plan);
/* All slices of this manager go. */
void slices_remove(struct slice_plan *plan);

/* Labels of the object that a service's slices copy: all but those that have a meaning on slices. */
struct json *slice_labels_from(struct arena *a, const struct json *obj, struct str service,
                               const char *managed_by);

#endif
