/* ctrl/indexes.h: by what the controllers look objects up in the informers they share. */
#ifndef CTRL_INDEXES_H
#define CTRL_INDEXES_H

#include "api/shared.h"

/* For shared_new(): the indexes below. */
void ctrl_indexes(struct informer_opts *o);

/* Indexes of pods and replicasets: */
#define BY_OWNER     0                           /* controller's uid; without one: see orphans_key() */
#define BY_NAMESPACE 1
#define BY_NODE      2                           /* pods: spec.nodeName */
#define BY_CLAIM     3                           /* pods: claim_key() of the claims that they mount */
#define ONLY_BY_NAMESPACE 0                      /* the index of budgets, quotas and deployments */
#define BY_SELECTOR  0                           /* services: pair_key() of their selector's first pair */
#define BY_SERVICE   0                           /* endpointslices: pair_key() of their service's label */

/* What is found by one label, or what looks for it. */
struct str pair_key(struct arena *a, struct str ns, struct str label, struct str value);

struct str claim_key(struct arena *a, struct str ns, struct str claim);
/* The claim that a pod's volume stands for: named, or made for this pod.  Empty: none. */
struct str claim_of_volume(struct arena *a, const struct json *pod, const struct json *volume);

/* Where to look for objects without a controller that this selector may select: all of a namespace, or,
 * better, those that carry one of the labels asked for. */
struct str orphans_key(struct arena *a, struct str ns, const struct json *label_selector);

#endif
