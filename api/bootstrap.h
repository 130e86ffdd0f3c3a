/* api/bootstrap.h: what a fresh cluster has: api_bootstrap() of api/server.h starts it.  And how it makes
 * its objects, for those who look after some of them later (api/heads.h). */
#ifndef API_BOOTSTRAP_H
#define API_BOOTSTRAP_H

#include "api/json.h"

struct api;
void bootstrap_stop(struct api *a);

/* apiVersion, kind, name and, unless NULL, namespace. */
struct json *bootstrap_object(struct arena *a, const char *version, const char *kind, const char *ns,
                              const char *name);
void         bootstrap_label(struct arena *a, struct json *obj, const char *key, const char *value);
struct json *bootstrap_https_port(struct arena *a, unsigned port);

#endif
