/* api/answer.h: what api/answer.c shares with the pipeline's core only. */
#ifndef API_ANSWER_H
#define API_ANSWER_H

#include "api/call.h"

/* Cancel all that could still call back, give up what the call holds, leave the list of calls. */
void call_release(struct call *c);
/* What call_release() may be asked to cancel. */
void call_wait_init(struct call *c);
/* Commits under way go on without the call. */
void call_forget_commits(struct call *c);
/* Rows of custom kinds that were in use. */
void call_forget_customs(struct call *c);

/* What keeps api_close() from finishing; the last one out finishes it. */
void api_pin(struct api *a);
void api_unpin(struct api *a);
/* An HTTP server whose requests come to api_serve(); api/http.c. */
int  api_http_open(struct api *a, const struct api_opts *o, struct errbuf *err);

#endif
