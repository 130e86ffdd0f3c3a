/* api/heads.h: which heads serve: the endpoints of the service default/kubernetes are kept equal to it.
 *
 * Every head keeps a key under a lease of the store, beside the objects and out of clients' reach: its
 * address.  A head that dies loses it within HEADS_LIVE_MS, one that stops in order takes it back at once.
 * Each head watches these keys and corrects Endpoints and EndpointSlices when they say otherwise, by
 * resourceVersion: whoever is first does it. */
#ifndef API_HEADS_H
#define API_HEADS_H

#define HEADS_LIVE_MS  15000
#define HEADS_RENEW_MS 5000

struct api;
struct heads;

/* This head serves at api->advertise_host and _port.  NULL where no address was given. */
struct heads *heads_join(struct api *a);
/* Take it back; holds a pin of the api (api/call.h) until the store has answered.  NULL ok. */
void heads_leave(struct heads *h);

#endif
