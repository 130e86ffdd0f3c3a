/* api/meta.h: metadata: what the server sets, what it keeps, what it checks. */
#ifndef API_META_H
#define API_META_H

#include "api/kinds.h"

/* metadata, made if need be. */
struct json *meta_of(struct arena *a, struct json *obj);
/* For an object about to be created: name (generated if need be), namespace, uid, times, generation; all
 * that only the server may say is reset.  Sets ctx->name. */
void meta_prepare_create(struct kind_ctx *c, struct json *obj);
/* For an update: what a client can't change is put back from old; generation goes up if asked. */
void meta_prepare_update(struct kind_ctx *c, const struct json *old, struct json *obj, bool spec_changed);
void meta_validate(struct kind_ctx *c, const struct kind_hooks *h, const struct json *obj,
                   struct causes *causes);
void meta_validate_update(struct kind_ctx *c, const struct json *old, const struct json *obj,
                          struct causes *causes);

bool meta_deleting(const struct json *obj);
bool meta_has_finalizer(const struct json *obj, const char *name);
void meta_add_finalizer(struct arena *a, struct json *obj, const char *name);
void meta_del_finalizer(struct json *obj, const char *name);
/* Nothing holds a deleted object any more: no finalizers, no grace left. */
bool meta_may_go(const struct json *obj);

#endif
