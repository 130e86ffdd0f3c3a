/* ctrl/workqueue.h: work queues of keys, and passes over them.
 *
 * A controller names what to look at ("ns/name"); the queue calls sync for it: coalesced (any number of adds
 * is one pass), never two passes of one key at a time, once more if it was added meanwhile, later and later
 * while it fails. A pass is asynchronous: sync looks, decides and sends calls with pass_send(); the pass is
 * over when all were answered. What a pass wrote must have come back by watch before the next pass of that
 * key (pass_wrote), so that no decision is made twice on a stale cache. */
#ifndef CTRL_WORKQUEUE_H
#define CTRL_WORKQUEUE_H

#include "api/informer.h"
#include "ctrl/limits.h"
#include "net/map.h"

struct workqueue;
struct pass;

struct workqueue_opts {
    struct client *client;
    const char *name;                            /* for logs */
    void (*sync)(void *arg, struct pass *p);
    /* NULL ok: a call of the pass was answered by a refusal (which fails the pass). */
    void (*on_refused)(struct pass *p, const char *method, const struct client_result *r);
    void *arg;
};
struct workqueue *workqueue_new(const struct workqueue_opts *o);
/* cancels all calls in flight; many keys go in slices: the loop runs on */
void workqueue_free(struct workqueue *q);
void workqueue_add(struct workqueue *q, struct str ns, struct str name);
/* the earliest wins */
void workqueue_add_after(struct workqueue *q, struct str ns, struct str name, uint64_t ms);
size_t workqueue_length(const struct workqueue *q);

/* ---- Inside sync and its callbacks -------------------------------------------------------------- */

struct str pass_ns(const struct pass *p);
struct str pass_name(const struct pass *p);
/* Memory until the pass is over. */
struct arena *pass_arena(struct pass *p);
struct client *pass_client(struct pass *p);
void *pass_owner(struct pass *p);                /* the queue's opts.arg */
/* Send as part of the pass; req.done and req.arg are not used.  An answer that is not 2xx fails the pass,
 * except the status `fine` (404 for deletes, 409 for creates; 0: none). on_ok: NULL or called with a good
 * answer. */
void pass_send(struct pass *p, const struct client_req *r, int fine,
               void (*on_ok)(struct pass *p, const struct client_result *r));
/* The same, and on_fine is called for the status `fine`. */
void pass_send_else(struct pass *p, const struct client_req *r, int fine,
                    void (*on_ok)(struct pass *p, const struct client_result *r),
                    void (*on_fine)(struct pass *p, const struct client_result *r));
/* The next pass of this key waits until `by` has seen what this one writes to its resource with pass_send()
 * from now on (CTRL_EXPECT_MS at most); where an answer does not tell whether anything was written, until
 * CTRL_STALE_MS passed. */
void pass_expect(struct pass *p, struct informer *by);
/* Look again after this time, whatever happens. */
void pass_again_after(struct pass *p, uint64_t ms);
/* Something is wrong that a retry may mend. */
void pass_fail(struct pass *p, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* A number kept with the key from pass to pass (0 at first). */
uint64_t *pass_memo(struct pass *p);

#endif
