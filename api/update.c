/* api/update.c: PUT and PATCH of an object or of its status. */
#include "api/apply.h"
#include "api/decode.h"
#include "api/modify.h"
#include "api/patch.h"

static struct json *make_from_body(struct call *c, struct modify *m, struct json *old)
{
    struct json *obj = decode_body(c, c->res->kind);

    (void)m;
    (void)old;
    if (obj == NULL || !decode_check_name(c, obj) || !decode_check_namespace(c, obj))
        return NULL;
    return obj;
}

static struct json *make_from_patch(struct call *c, struct modify *m, struct json *old)
{
    struct json *obj = patch_apply(c, c->res->kind, old);

    (void)m;
    return obj;
}

static struct json *make_from_applied(struct call *c, struct modify *m, struct json *old)
{
    struct json *obj = apply_make(c, NULL, old);

    (void)m;
    return obj;
}

void call_update(struct call *c)
{
    struct modify *m = arena_new(c->arena, struct modify);

    if (c->rq.name.n == 0) {
        call_method_not_allowed(c);
        return;
    }
    if (!apply_options(c))
        return;
    m->tracked = apply_asked(c);
    m->part = c->sub != NULL && c->sub->of_status ? MODIFY_STATUS : MODIFY_SPEC;
    m->make = m->tracked ? make_from_applied : c->rq.verb == API_PATCH ? make_from_patch : make_from_body;
    m->need_rv = c->rq.verb == API_UPDATE && !c->info->hooks->unconditional_update;
    m->create = c->sub == NULL &&
                (m->tracked || (c->rq.verb == API_UPDATE && c->info->hooks->create_on_update));
    modify_run(c, m);
}
