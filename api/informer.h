/* api/informer.h: a live local copy of one resource: list, watch, relist when history is lost, forever.
 *
 * Handlers run from the loop, one change at a time; the cache already holds the new state.  Objects are kept
 * as the bytes that came (shared with the store inside a head), with the little metadata that everyone asks
 * for. */
#ifndef API_INFORMER_H
#define API_INFORMER_H

#include "api/client.h"

struct object {                                  /* immutable, refcounted */
    uint32_t refs;
    struct str ns, name, uid;                    /* views into own memory */
    uint64_t rv;
    struct blob *raw;                            /* JSON */
    void *user;                                  /* the handler's; carried over from old to new */
    void *scheduler;                             /* the same for a scheduler that shares the informer */
};
struct object *object_ref(struct object *o);
struct object *object_unref(struct object *o);   /* returns NULL */
/* Parse, but for metadata.managedFields; the tree lives in a and views the object's bytes. Never NULL. */
struct json   *object_json(const struct object *o, struct arena *a);

enum informer_change { INFORMER_ADD, INFORMER_UPDATE, INFORMER_DELETE };

struct informer;
struct informer_opts {
    struct client *client;
    struct client_resource res;
    struct str ns, query;                        /* query: selectors, escaped */
    /* old is NULL on add, new on delete; an object deleted and made again unseen is a
     * delete, then an add.  json is the new (on delete: the last) state as object_json() gives it, for this
     * call only. */
    void (*on_change)(void *arg, enum informer_change what, struct object *old, struct object *new_,
                      struct json *json);
    /* once: the first list is complete (after its on_change calls). NULL ok */
    void (*on_synced)(void *arg);
    /* Up to 4 indexes: writes the first `max` index keys of an object to out (views ok), and to ret_n how
     * many it has (called again with more room when that is more); see informer_by(). */
    struct informer_index {
        void (*keys)(const struct json *obj, struct arena *a, struct str *out, unsigned max, unsigned *ret_n);
    } index[4];
    unsigned n_index;
    void *arg;
};
struct informer *informer_start(const struct informer_opts *o);
struct client_resource informer_resource(const struct informer *i);
/* NULL ok; no more callbacks; frees, what is large in slices: its loop runs on. */
void informer_stop(struct informer *i);
bool informer_synced(const struct informer *i);
size_t informer_count(const struct informer *i);
/* All changes up to this revision have been seen (as far as they concern this resource). */
uint64_t informer_revision(const struct informer *i);
struct object *informer_get(const struct informer *i, struct str ns, struct str name);   /* borrowed; NULL */
/* Walk all, or those with an index key: for (it = 0; (o = informer_next(i, &it)); ) / informer_by(i, 0, key,
 * &it). */
struct object *informer_next(const struct informer *i, size_t *it);
struct object *informer_by(const struct informer *i, unsigned index, struct str key, size_t *it);

/* A walk over all that may take many turns: it steps over what goes meanwhile, and finds what comes (at the
 * end). To be stopped before the informer is. */
struct informer_walk { struct qlink link; struct informer *of; struct qlink *at; };
void informer_walk_start(struct informer_walk *w, struct informer *i);
struct object *informer_walk_next(struct informer_walk *w);              /* borrowed; NULL: the end */
void informer_walk_stop(struct informer_walk *w);

/* Events for people ("Normal Scheduled Successfully assigned ..."): counted up when repeated, rate-limited
 * per object. */
struct event_recorder;
struct event_recorder *event_recorder_new(struct client *c, const char *component,
                                          const char *host /* NULL */);
void event_recorder_free(struct event_recorder *r);
struct event_about { const char *api_version, *kind; struct str ns, name, uid, rv, field_path; };
void event_record(struct event_recorder *r, const struct event_about *about,
                  const char *type /* Normal, Warning */, const char *reason, const char *fmt, ...)
    PRINTF_LIKE(5, 6);

#endif
