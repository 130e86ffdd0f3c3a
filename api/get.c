/* api/get.c: GET of one object: the shortest way through the API. */
#include "api/crd/pipeline.h"

static void get_now(struct call *c)
{
    struct store_kv kv;

    if (!store_get(store_live(c->api->store), call_key(c, c->info->base, c->rq.ns, c->rq.name), &kv)) {
        if (c->rq.opt.has_rv && !c->fresh)       /* an absence is only told when it is sure */
            call_when_fresh(c, get_now);
        else
            call_not_found(c);
        return;
    }
    if (custom_convertible(c, blob_str(kv.value)))
        call_respond_object(c, 200, kv.value);
}

void call_get(struct call *c)
{
    if (!c->rq.opt.has_rv)
        call_when_fresh(c, get_now);
    else if (c->rq.opt.rv == 0)
        get_now(c);
    else
        call_when_revision(c, c->rq.opt.rv, get_now);
}
