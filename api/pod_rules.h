/* api/pod_rules.h: what everyone must answer alike about pods, from their JSON: API, scheduler, controllers,
 * nodes. */
#ifndef API_POD_RULES_H
#define API_POD_RULES_H

#include "api/json.h"

/* Its phase is Succeeded or Failed: nothing of it runs any more, and never will again. */
bool pod_has_ended(const struct json *pod);

/* One of spec.tolerations against one of a node's spec.taints. */
bool toleration_covers(const struct json *toleration, const struct json *taint);
/* Does any toleration of this pod's spec cover it? */
bool pod_tolerates(const struct json *pod_spec, const struct json *taint);
/* Seconds for which the pod may stay where this taint is (of effect NoExecute): the shortest that one of the
 * tolerations that cover it says; -1: for ever; 0: not at all. */
int64_t pod_bears(const struct json *pod_spec, const struct json *taint);

#endif
