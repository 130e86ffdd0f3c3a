/* api/mirror.h: what the API itself must know of the objects it keeps (roles, definitions, webhooks, limits,
 * flow schemas): each head follows its own store, so followers know as much as the leader, nobody is asked,
 * and what does not change costs nothing.
 *
 * A feed is one follower of one resource.  It tells the state, not the history: first every object that is
 * there (in slices), then each change, oldest first.  A listener keeps what it makes of that (a compiled
 * rule, a table's row), keyed by namespace and name; the objects themselves are in the store, where a look
 * by name costs nothing: kind_lookup() of api/kinds.h.  Who needs only lookups needs no feed.
 *
 *     PUT    this is the object now (new, changed, or the same again)
 *     GONE   there is none of that name any more
 *     RESET  of bulk feeds: forget all; every object comes again
 *
 * When history is lost (a snapshot was installed) everything is looked at again: what vanished meanwhile is
 * told as GONE.  For that a feed remembers names and revisions; a bulk feed (pods) remembers nothing and
 * says RESET instead.
 *
 * Requests wait until the vital feeds have seen all that there was when the head came up (mirror_ready):
 * no request is judged by rules that are only half known.  For that the heads are asked once, at the start.
 *
 * Thread: loop only.  Re-entry: on_event comes from the loop, never inside mirror_follow(); it may follow
 * and unfollow others, but not unfollow its own feed. */
#ifndef API_MIRROR_H
#define API_MIRROR_H

#include "api/json.h"
#include "api/schema.h"
#include "store/store.h"

enum mirror_change { MIRROR_PUT, MIRROR_GONE, MIRROR_RESET };

struct mirror_event {
    enum mirror_change what;
    struct str ns, name;                         /* valid during the call; ns is empty at cluster scope */
    struct blob *object;                         /* PUT: as stored, borrowed; else NULL */
    uint64_t rev;                                /* PUT: the object's resourceVersion */
    uint64_t tag;                                /* of its key (kind_hooks.tag_path), as it is or was last */
};
/* The object without managedFields; lives in a, views the object's bytes.  NULL: it is no object (somebody
 * wrote into the store past the API): to be treated as gone. */
struct json *mirror_json(const struct mirror_event *ev, struct arena *a);

struct mirror;
struct mirror_feed;
struct mirror_opts {
    const struct resource *res;                  /* any version; what is stored is followed */
    bool bulk, vital;
    void (*on_event)(void *arg, const struct mirror_event *ev);
    void (*on_synced)(void *arg);                /* all that was there has been told; maybe again */
    void *arg;
};

struct mirror *mirror_new(struct store *s);
void mirror_free(struct mirror *m);              /* NULL ok; with all its feeds, no more callbacks */
struct mirror_feed *mirror_follow(struct mirror *m, const struct mirror_opts *o);
void mirror_unfollow(struct mirror_feed *f);     /* NULL ok */
bool mirror_synced(const struct mirror_feed *f);
/* All that the store has here at this moment has been told. */
bool mirror_current(struct mirror_feed *f);
struct loop *mirror_loop(const struct mirror *m);

/* Nothing vital is missing: once all that was acknowledged before this head started has been told. */
bool mirror_ready(const struct mirror *m);
/* done comes once, from the loop: 0 when it is ready; E_NOLEADER, E_TIMEOUT: the others could not be asked
 * what there is.  mirror_wait_cancel: harmless at any time after init. */
struct mirror_wait { struct qlink link; void (*done)(struct mirror_wait *w, int err); };
static inline void mirror_wait_init(struct mirror_wait *w, void (*done)(struct mirror_wait *w, int err))
{
    qinit(&w->link);
    w->done = done;
}
void mirror_wait(struct mirror *m, struct mirror_wait *w);
static inline void mirror_wait_cancel(struct mirror_wait *w) { qdel(&w->link); }

#endif
