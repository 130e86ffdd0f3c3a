/* api/consult.h: a question to another server (api/remote.h) whose answer holds for a while.
 *
 * A question is an object with `spec`, the answer the same object with `status`, as reviews are.  The same
 * question is asked once, however many wait for its answer, and the answer is kept as long as it holds; of
 * questions only digests are kept, as they may hold tokens. */
#ifndef API_CONSULT_H
#define API_CONSULT_H

#include "api/remote.h"
#include "net/list.h"

struct consult;
struct consult_opts {
    struct loop *loop;
    struct remote_opts remote;
    const char *what;                            /* for the log */
    uint64_t (*keep_ms)(void *arg, const struct json *status);      /* 0: not at all */
    void *arg;
};
int  consult_new(const struct consult_opts *o, struct consult **ret, struct errbuf *err);
void consult_free(struct consult *c);            /* NULL ok; nobody is told any more */

/* done: status NULL: it could not be had.  Valid during the call. */
struct consult_wait { struct qlink link; void (*done)(struct consult_wait *w, const struct json *status); };
/* The status that is kept, valid until control returns to the loop; NULL: w->done comes, once, from the
 * loop, unless w is canceled. */
const struct json *consult_ask(struct consult *c, const struct json *question, struct consult_wait *w);
static inline void consult_cancel(struct consult_wait *w) { qdel(&w->link); }

#endif
