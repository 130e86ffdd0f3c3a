/* api/merge_patch.h: RFC 7386 (7396), JSON merge patch: objects merge, null removes, else replace. */
#ifndef API_MERGE_PATCH_H
#define API_MERGE_PATCH_H

#include "api/json.h"

/* Returns the new root: target changed in place, or a copy of the patch.  target may be NULL.  What is taken
 * over is copied; strings are shared with the patch. */
struct json *merge_patch_apply(struct arena *a, struct json *target, const struct json *patch);

#endif
