/* api/bootstrap.h: what a fresh cluster has: api_bootstrap() of api/server.h starts it. */
#ifndef API_BOOTSTRAP_H
#define API_BOOTSTRAP_H

struct api;
void bootstrap_stop(struct api *a);

#endif
