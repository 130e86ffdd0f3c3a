/* api/audit/event.h: one audit event as JSON text.  For api/audit/ only. */
#ifndef API_AUDIT_EVENT_H
#define API_AUDIT_EVENT_H

#include "api/audit/audit.h"

struct audit_event {
    enum audit_stage stage;
    int code;                                    /* of the answer; 0: there is none (yet) */
    const struct http_piece *body; size_t n_body;    /* of the answer, if it is at hand as a whole */
};
/* Appended, without a newline. */
void audit_event_write(struct buf *out, const struct call *c, const struct audit_event *e);

#endif
