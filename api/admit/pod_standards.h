/* api/admit/pod_standards.h: the Pod Security Standards: what pods may not do at each level. */
#ifndef API_ADMIT_POD_STANDARDS_H
#define API_ADMIT_POD_STANDARDS_H

#include "api/json.h"
#include "net/arena.h"

enum pod_level { POD_PRIVILEGED, POD_BASELINE, POD_RESTRICTED };
#define POD_VERSION_LATEST UINT32_MAX            /* else the minor of "v1.24" */

/* What is wrong: "privileged, host namespaces", and with the details behind each in brackets. */
struct pod_verdict { unsigned n; struct str reasons, details; };

/* meta, spec: of a pod or of a template. */
struct pod_verdict pod_standards_check(struct arena *a, enum pod_level level, uint32_t version,
                                       const struct json *meta, const struct json *spec);

#endif
