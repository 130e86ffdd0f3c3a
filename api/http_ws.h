/* api/http_ws.h: exchanges of requests that ask for a WebSocket: watches and logs then go out as messages,
 * one for each event or piece of log, and what is handed through to a node leaves by the exchange's upgrade
 * as ever. */
#ifndef API_HTTP_WS_H
#define API_HTTP_WS_H

#include "api/exchange.h"

/* Does req ask for one? */
bool http_ws_asked(const struct http_req *req);
/* An exchange that frees itself after its answer. */
struct exchange *http_ws_exchange(struct http_req *req);

#endif
