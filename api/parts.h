/* api/parts.h: the parts of one head's API that keep something of their own between requests: what is
 * compiled from configuration objects, above all.  A part is a row of the table in parts.c. */
#ifndef API_PARTS_H
#define API_PARTS_H

#include "api/server.h"

/* open: called by api_open() in the table's order, before anything is served; a->mirror is there, and
 * mirror_follow() is what it is for.  It puts what it makes into its own field of struct api.
 * close: in reverse order, once no call is left (nor will one come); also after an open that failed, so a
 * field may be NULL.  What ends later holds a pin (api_pin). */
struct api_part {
    const char *name;
    int  (*open)(struct api *a, const struct api_opts *o, struct errbuf *err);
    void (*close)(struct api *a);
};

int  parts_open(struct api *a, const struct api_opts *o, struct errbuf *err);
void parts_close(struct api *a);                 /* twice is fine */

#endif
