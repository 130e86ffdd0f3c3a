/* api/heads_objects.h: Endpoints and EndpointSlices of default/kubernetes as they should be, compared with
 * what is there.
 *
 * Heads on one port are one subset and one slice, as in most clusters; several ports (heads on one machine)
 * are several. */
#ifndef API_HEADS_OBJECTS_H
#define API_HEADS_OBJECTS_H

#include "api/client.h"

#define HEADS_MAX 32

struct head_addr { struct str host; unsigned port; };
/* In order of port and host, each once. */
struct head_list { struct head_addr v[HEADS_MAX]; unsigned n; };

/* "HOST:PORT", kept as a view; anything else is ignored, and so are more than HEADS_MAX. */
void head_list_add(struct head_list *l, struct str addr);

/* One write that is needed: POST (name empty), PUT or DELETE (body NULL). */
typedef void (*head_write)(void *arg, const char *method, struct client_resource res, struct str name,
                           struct json *body);
/* there: NULL if there is none. */
void head_endpoints_correct(struct arena *a, const struct head_list *l, const struct json *there,
                            head_write write, void *arg);
/* items: all slices of the service; those that other people made are left alone. */
void head_slices_correct(struct arena *a, const struct head_list *l, const struct json *items,
                         head_write write, void *arg);

#endif
