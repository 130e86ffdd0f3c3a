/* api/list_options.h: which combinations of resourceVersion, its match, continue and sendInitialEvents
 * make sense. */
#ifndef API_LIST_OPTIONS_H
#define API_LIST_OPTIONS_H

#include "api/call.h"

/* False: answered 422 or 400, as the original does. */
bool list_options_check(struct call *c, bool watch);

#endif
