/* api/deadline.h: requests that are not meant to last (all but watch, log, exec and the like) end within a
 * minute, as the original's do: answered 504, or cut off where the answer has begun.  Free for those that
 * end earlier. */
#ifndef API_DEADLINE_H
#define API_DEADLINE_H

#include "api/call.h"

#define REQUEST_MS 60000                         /* at most; a client may ask for less (?timeout=5s) */

void deadline_init(struct api *a);
void deadline_stop(struct api *a);
/* From now on. */
void deadline_start(struct call *c);
void deadline_end(struct call *c);               /* it ended, or may last; also if it never had one */

#endif
