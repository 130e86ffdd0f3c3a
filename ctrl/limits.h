/* ctrl/limits.h: every bound of the controllers. */
#ifndef CTRL_LIMITS_H
#define CTRL_LIMITS_H

#define CTRL_BACKOFF_FIRST_MS   5        /* after a failed pass; doubles */
#define CTRL_BACKOFF_MAX_MS     60000
#define CTRL_PASSES             64       /* passes of one queue at a time */
#define CTRL_PASSES_PER_TURN    64       /* begun per turn and queue */
/* objects looked at per turn when a controller begins, or forgotten when it ends */
#define CTRL_SWEEP_SLICE        128
#define CTRL_BURST              500      /* pods created or deleted in one pass */
#define CTRL_EXPECT_MS          300000   /* how long a pass waits for its own writes to come back by watch */
#define CTRL_STALE_MS           5000     /* ... and for those of which nobody knows whether they were done */
#define CTRL_SLICE_ENDPOINTS    100      /* of a service's pods in one EndpointSlice */
#define CTRL_ENDPOINTS_MAX      1000     /* addresses of one Endpoints object, and mirrored of a subset */
#define CTRL_CIDR_GRACE_S       10       /* from a range's deletion until its last use must have shown */

#endif
