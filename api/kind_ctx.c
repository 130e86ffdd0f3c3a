/* api/kind_ctx.c: what hooks may do: look around, refuse, warn, claim. */
#include <stdarg.h>
#include "api/call.h"
#include "api/encode.h"
#include "api/time_fmt.h"
#include "api/write.h"

void call_kind_ctx(struct call *c, struct kind_ctx *ret, struct str ns, struct str name)
{
    *ret = (struct kind_ctx){
        .arena = c->arena, .loop = c->api->loop, .view = store_live(c->api->store), .res = c->info->base,
            .asked = c->res, .sub = c->sub,
        .user = c->user, .ns = ns, .name = name, .wall_ns = loop_wall_ns(c->api->loop),
            .dry_run = c->rq.opt.dry_run,
        .authz = c->api->authz, .rbac = c->api->rbac, .net = &c->api->net, .warnings = &c->warnings,
    };
}

struct str kind_object_key(struct arena *a, const struct resource *r, struct str ns, struct str name)
{
    const struct resource *base = r->stored_as != NULL ? r->stored_as : r;

    if (base->namespaced)
        return arena_fmt(a, "/registry/%s/%.*s/%.*s", base->storage, STR_ARG(ns), STR_ARG(name));
    return arena_fmt(a, "/registry/%s/%.*s", base->storage, STR_ARG(name));
}

struct json *kind_lookup(struct kind_ctx *c, const char *group, const char *version, const char *plural,
                         struct str ns, struct str name)
{
    const struct resource *r = resource_find(str_of(group), str_of(version), str_of(plural));
    struct store_kv        kv;
    struct json           *obj;
    struct json_error      why;

    if (r == NULL || name.n == 0 || str_find(name, '/') >= 0 || str_find(ns, '/') >= 0)
        return NULL;
    if (!store_get(c->view, kind_object_key(c->arena, r, ns, name), &kv))
        return NULL;
    return json_parse(c->arena, arena_str(c->arena, blob_str(kv.value)), &obj, &why) == 0 ? obj : NULL;
}

void kind_refuse(struct kind_ctx *c, int status, const char *reason, const char *fmt, ...)
{
    va_list ap;

    must(status >= 400 && status < 600);
    if (c->refused != 0)
        return;
    va_start(ap, fmt);
    c->refused_message = arena_vfmt(c->arena, fmt, ap);
    va_end(ap);
    c->refused = status;
    c->refused_reason = reason;
}

void kind_refuse_status(struct kind_ctx *c, const struct status *s)
{
    must(s->code >= 400 && s->code < 600);
    if (c->refused != 0)
        return;
    c->refused = s->code;
    c->refused_reason = s->reason;
    c->refused_message = s->message;
    c->refused_status = s;
}

void kind_warn(struct kind_ctx *c, const char *fmt, ...)
{
    struct str text;
    va_list    ap;

    if (c->warnings == NULL)
        return;
    va_start(ap, fmt);
    text = arena_vfmt(c->arena, fmt, ap);
    va_end(ap);
    for (const struct cause *w = c->warnings->first; w != NULL; w = w->next)
        if (str_eq(w->message, text))
            return;                              /* said in an earlier try */
    cause_add(c->warnings, "", NULL, "%.*s", STR_ARG(text));
}

struct str kind_claim_key(struct arena *a, struct str what)
{
    return arena_fmt(a, "/claims/%.*s", STR_ARG(what));
}

bool kind_claimed(struct kind_ctx *c, struct str key)
{
    struct store_kv kv;

    for (const struct kind_claim *k = c->claims; k != NULL; k = k->next)
        if (str_eq(k->key, key))
            return k->take;
    return store_get(c->view, key, &kv);
}

bool kind_claim_text(struct kind_ctx *c, struct str key, struct str *ret)
{
    struct store_kv kv;

    if (!store_get(c->view, key, &kv))
        return false;
    *ret = arena_str(c->arena, blob_str(kv.value));
    return true;
}

static struct kind_claim *claim(struct kind_ctx *c, struct str key)
{
    struct kind_claim *k = arena_new(c->arena, struct kind_claim);
    struct store_kv    kv;

    k->key = arena_str(c->arena, key);
    k->seen = store_get(c->view, key, &kv) ? kv.mod_rev : 0;
    k->rev_at = STORE_NO_REV;
    k->next = c->claims;
    c->claims = k;
    return k;
}

void kind_take(struct kind_ctx *c, struct str key, struct str text, uint32_t rev_at)
{
    struct kind_claim *k = claim(c, key);

    k->take = true;
    k->text = text;
    k->rev_at = rev_at;
}

/* The DELETED event shows an object's last state, with the revision of its end. */
void kind_give_back(struct kind_ctx *c, struct str key)
{
    struct kind_claim *k = claim(c, key);
    struct str         last;
    struct buf         b = BUF_INIT;

    if (!str_starts(key, STR("/registry/")) || !kind_claim_text(c, key, &last))
        return;
    encode_reopen(&b, last, &k->rev_at);
    k->text = arena_str(c->arena, buf_str(&b));
    buf_release(&b);
}

static struct kind_guard *guard(struct kind_ctx *c, struct str from)
{
    struct kind_guard *g = arena_new(c->arena, struct kind_guard);

    g->from = arena_str(c->arena, from);
    g->next = c->guards;
    c->guards = g;
    return g;
}

void kind_depend(struct kind_ctx *c, struct str key)
{
    struct kind_guard *g = guard(c, key);
    struct store_kv    kv;

    g->seen = store_get(c->view, key, &kv) ? kv.mod_rev : 0;
}

void kind_depend_below(struct kind_ctx *c, struct str prefix, bool only_new)
{
    struct kind_guard *g = guard(c, prefix);

    g->to = store_prefix_end(c->arena, g->from);
    g->only_new = only_new;
    g->seen = store_view_revision(c->view);
}

struct str kind_now(struct kind_ctx *c)
{
    return time_text_ns(c->arena, c->wall_ns);
}
