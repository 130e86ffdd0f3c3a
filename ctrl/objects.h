/* ctrl/objects.h: what controllers ask of objects again and again: owners, conditions, readiness. */
#ifndef CTRL_OBJECTS_H
#define CTRL_OBJECTS_H

#include "api/client.h"
#include "api/pod_rules.h"

/* The owner reference with controller: true, or NULL; its uid, or empty. */
const struct json *controller_ref(const struct json *obj);
struct str controller_uid(const struct json *obj);
/* A new one naming owner, as controller, blocking its deletion. */
struct json *owner_ref_new(struct arena *a, const char *api_version, const char *kind,
                           const struct json *owner);

static inline struct str meta_str(const struct json *obj, const char *field)
{
    return json_str(json_getz(json_getz(obj, "metadata"), field));
}
static inline bool is_being_deleted(const struct json *obj)
{
    return meta_str(obj, "deletionTimestamp").n > 0;
}
bool has_finalizer(const struct json *obj, const char *name);

/* A condition of status.conditions, or NULL. */
const struct json *condition_get(const struct json *obj, const char *type);
bool condition_is(const struct json *obj, const char *type, const char *status);
/* Set one in an array of conditions; lastTransitionTime changes only with status.  Returns true if anything
 * changed. */
bool condition_set(struct arena *a, struct json *conditions, const char *type, const char *status,
                   const char *reason, struct str message, struct str now);
bool condition_drop(struct json *conditions, const char *type);

/* Pods. */
bool pod_is_active(const struct json *pod);      /* neither ended nor being deleted */
bool pod_is_ready(const struct json *pod);
/* Ready for min_ready_s; *ret_left_ms: when it will be, if it is ready but not long enough. */
bool pod_is_available(const struct json *pod, int64_t min_ready_s, int64_t now_s, uint64_t *ret_left_ms);

/* 25% or a number; percentages of total round up or down. */
int64_t count_or_percent(const struct json *v, int64_t total, bool round_up, int64_t otherwise);

#endif
