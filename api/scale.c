/* api/scale.c: .../scale: replicas and selector of workloads, as autoscaling/v1 Scale. */
#include "api/apply.h"
#include "api/crd/custom.h"
#include "api/decode.h"
#include "api/modify.h"
#include "api/patch.h"
#include "api/subresource.h"

static void put_label(struct buf *b, const struct json *label)
{
    if (b->n > 0)
        buf_char(b, ',');
    buf_str_add(b, label->key);
    buf_char(b, '=');
    buf_str_add(b, json_str(label));
}

static void put_expression(struct buf *b, const struct json *e)
{
    struct str key = json_str(json_getz(e, "key")), op = json_str(json_getz(e, "operator"));
    bool       in = str_is(op, "In"), first = true;

    if (b->n > 0)
        buf_char(b, ',');
    if (str_is(op, "DoesNotExist"))
        buf_char(b, '!');
    buf_str_add(b, key);
    if (!in && !str_is(op, "NotIn"))
        return;
    buf_z(b, in ? " in (" : " notin (");
    json_each(v, json_getz(e, "values")) {
        if (!first)
            buf_char(b, ',');
        buf_str_add(b, json_str(v));
        first = false;
    }
    buf_char(b, ')');
}

/* The selector as text, as autoscalers list pods by it. */
static struct str selector_text(struct arena *a, const struct json *selector)
{
    struct buf b = BUF_INIT;
    struct str s;

    json_each(label, json_getz(selector, "matchLabels"))
        put_label(&b, label);
    json_each(e, json_getz(selector, "matchExpressions"))
        put_expression(&b, e);
    s = arena_str(a, buf_str(&b));
    buf_release(&b);
    return s;
}

/* Where the numbers stand: custom kinds say it themselves. */
struct scale_paths { const char *spec, *status, *labels; };

static struct scale_paths paths_of(const struct call *c)
{
    const struct custom_version *v;

    if (c->custom == NULL)
        return (struct scale_paths){ "spec.replicas", "status.replicas", NULL };
    v = custom_of(c->res);
    return (struct scale_paths){ v->spec_replicas, v->status_replicas, v->labels };
}

static struct str selector_of(struct call *c, const struct scale_paths *at, const struct json *obj)
{
    if (c->custom == NULL)
        return selector_text(c->arena, json_path(obj, "spec.selector"));
    return at->labels != NULL ? json_path_str(obj, at->labels) : STR_NONE;
}

static struct json *scale_of(struct call *c, const struct json *obj)
{
    static const char *const kept[] = { "name", "namespace", "uid", "resourceVersion", "creationTimestamp" };
    struct arena *a = c->arena;
    struct json  *scale = json_object(a), *meta, *status;
    struct scale_paths at = paths_of(c);
    struct str    selector = selector_of(c, &at, obj);

    json_setf(a, scale, "kind", "Scale");
    json_setf(a, scale, "apiVersion", "autoscaling/v1");
    meta = json_setz(a, scale, "metadata", json_object(a));
    for (size_t i = 0; i < ARRAY_LEN(kept); i++) {
        const struct json *m = json_getz(json_getz(obj, "metadata"), kept[i]);

        if (m != NULL)
            json_setz(a, meta, kept[i], json_copy(a, m));
    }
    json_setz(a, json_setz(a, scale, "spec", json_object(a)), "replicas",
              json_int(a, json_path_i64(obj, at.spec, 0)));
    status = json_setz(a, scale, "status", json_object(a));
    json_setz(a, status, "replicas", json_int(a, json_path_i64(obj, at.status, 0)));
    if (selector.n > 0)
        json_setz(a, status, "selector", json_string_ref(a, selector));
    return scale;
}

static void answer_scale(struct call *c, struct modify *m, struct blob *stored)
{
    struct json_error why;
    struct json      *obj;

    (void)m;
    if (json_parse(c->arena, arena_str(c->arena, blob_str(stored)), &obj, &why) == 0)
        call_respond_tree(c, 200, scale_of(c, obj));
    else
        call_fail(c, 500, REASON_INTERNAL, "Internal error occurred: the stored object cannot be read");
}

static void get_now(struct call *c)
{
    struct store_kv kv;

    if (store_get(store_live(c->api->store), call_key(c, c->info->base, c->rq.ns, c->rq.name), &kv))
        answer_scale(c, NULL, kv.value);
    else
        call_not_found(c);
}

/* The Scale that the request makes of the present one.  NULL: answered. */
static struct json *wanted_scale(struct call *c, const struct json *old)
{
    if (apply_asked(c))
        return decode_applied(c, c->sub->kind);
    return c->rq.verb == API_PATCH ? patch_apply(c, c->sub->kind, scale_of(c, old))
                                   : decode_body(c, c->sub->kind);
}

/* Sets the number where it stands; objects on the way are made. */
static void put_replicas(struct call *c, struct json *obj, struct json *replicas)
{
    const char *path = paths_of(c).spec, *dot = strrchr(path, '.');

    if (dot != NULL)
        obj = json_make_path(c->arena, obj, arena_str(c->arena, str_make(path, (size_t)(dot - path))).p);
    json_setz(c->arena, obj, dot != NULL ? dot + 1 : path, replicas);
}

/* Replicas that are applied, as a piece of the object itself; none said: nothing is owned through the
 * Scale. */
static struct json *applied_piece(struct call *c, const struct json *old, const struct json *scale)
{
    const struct json *replicas = json_path(scale, "spec.replicas");
    struct json       *piece = json_object(c->arena);

    json_setz(c->arena, piece, "apiVersion", json_copy(c->arena, json_getz(old, "apiVersion")));
    json_setz(c->arena, piece, "kind", json_copy(c->arena, json_getz(old, "kind")));
    if (replicas != NULL)
        put_replicas(c, piece, json_copy(c->arena, replicas));
    return piece;
}

/* The Scale that is asked for, checked. */
static struct json *scale_make(struct call *c, struct modify *m, struct json *old)
{
    struct json  *scale = wanted_scale(c, old);
    struct causes causes;
    int64_t       replicas;

    (void)m;
    if (scale == NULL)
        return NULL;
    replicas = json_path_i64(scale, "spec.replicas", 0);
    if (replicas < 0) {
        struct at spec = AT_KEY(NULL, "spec"), at = AT_KEY(&spec, "replicas");

        causes_init(&causes, c->arena);
        cause_invalid_raw(&causes, &at, arena_fmt(c->arena, "%lld", (long long)replicas),
                          "must be greater than or equal to 0");
        call_invalid(c, c->sub->kind, c->rq.name, &causes);
        return NULL;
    }
    return scale;
}

/* The object with the wanted number of replicas. */
static struct json *scale_merge(struct call *c, struct modify *m, struct json *old, struct json *scale)
{
    struct json *obj, *rv;
    int64_t      replicas = json_path_i64(scale, "spec.replicas", 0);

    obj = m->tracked ? apply_make(c, applied_piece(c, old, scale), old) : json_copy(c->arena, old);
    if (obj == NULL)
        return NULL;
    if (!m->tracked)
        put_replicas(c, obj, json_int(c->arena, replicas));
    rv = json_path(scale, "metadata.resourceVersion");
    if (json_str(rv).n > 0)
        json_setz(c->arena, json_getz(obj, "metadata"), "resourceVersion", json_copy(c->arena, rv));
    return obj;
}

void scale_serve(struct call *c)
{
    struct modify *m;

    if (c->rq.verb == API_GET) {
        call_when_fresh(c, get_now);
        return;
    }
    if (!apply_options(c))
        return;
    m = arena_new(c->arena, struct modify);
    m->part = MODIFY_SPEC;
    m->tracked = apply_asked(c);
    m->make = scale_make;
    m->merge = scale_merge;
    m->face = scale_of;
    m->answer = answer_scale;
    modify_run(c, m);
}
