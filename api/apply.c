/* api/apply.c: see api/apply.h. */
#include "api/apply.h"
#include "api/decode.h"
#include "api/managed_fields.h"

#define MANAGER_MAX  128
#define LAST_APPLIED "kubectl.kubernetes.io/last-applied-configuration"

bool apply_asked(const struct call *c)
{
    enum body_format format = body_format_of(exchange_header(c->x, "Content-Type"));

    return c->rq.verb == API_PATCH && (format == BODY_APPLY_PATCH || format == BODY_APPLY_PATCH_CBOR);
}

bool apply_options(struct call *c)
{
    const struct schema_kind *k = schema_kind_find(STR("meta.k8s.io"), STR("v1"), STR("PatchOptions"));
    struct at                 manager = AT_KEY(NULL, "fieldManager"), force = AT_KEY(NULL, "force");
    struct causes             causes;

    causes_init(&causes, c->arena);
    if (apply_asked(c) && c->rq.opt.field_manager.n == 0)
        cause_required(&causes, &manager, "is required for apply patch");
    if (!apply_asked(c) && c->rq.verb == API_PATCH && c->rq.opt.force)
        cause_forbidden(&causes, &force, "may not be specified for non-apply patch");
    if (c->rq.opt.field_manager.n > MANAGER_MAX)
        cause_too_long(&causes, &manager, MANAGER_MAX);
    for (size_t i = 0; i < c->rq.opt.field_manager.n; i++)
        if ((unsigned char)c->rq.opt.field_manager.p[i] < ' ') {
            cause_invalid(&causes, &manager, c->rq.opt.field_manager,
                          "should only contain printable characters");
            break;
        }
    if (causes.n == 0)
        return true;
    must(k != NULL);
    call_invalid(c, k, STR_NONE, &causes);
    return false;
}

/* ---- The writer ------------------------------------------------------------------------------------- */

/* Who gives no name goes by the program's, and callers in this process by their user's last part. */
static struct str manager_name(const struct call *c)
{
    struct str agent = exchange_header(c->x, "User-Agent"), user = c->user->name;
    ptrdiff_t  at;

    if (c->rq.opt.field_manager.n > 0)
        return c->rq.opt.field_manager;
    if (agent.n == 0) {
        while ((at = str_find(user, ':')) >= 0)
            user = str_from(user, (size_t)at + 1);
        return user.n > 0 ? user : STR("unknown");
    }
    if ((at = str_find(agent, '/')) >= 0)
        agent = str_upto(agent, (size_t)at);
    return agent.n == 0 ? STR("unknown") : str_upto(agent, MIN_OF(agent.n, (size_t)MANAGER_MAX));
}

static struct field_writer writer_of(struct call *c)
{
    const struct schema_kind *k = c->info->base->kind;
    struct kind_ctx           now = { .arena = c->arena, .wall_ns = loop_wall_ns(c->api->loop) };

    return (struct field_writer){
        .name = manager_name(c),
        .version = schema_api_version(c->arena, k),
        .subresource = c->sub != NULL ? str_of(c->sub->name) : STR_NONE,
        .now = kind_now(&now),
    };
}

void apply_note_update(struct call *c, const struct json *old, struct json *obj)
{
    struct field_writer w = writer_of(c);

    managed_update(c->arena, c->info->base->kind->type, &w, old, obj);
}

/* ---- Apply ------------------------------------------------------------------------------------------ */

static const struct json *annotation(const struct json *obj, const char *key)
{
    return json_getz(json_path(obj, "metadata.annotations"), key);
}

/* What kubectl noted when it last applied from its side, as far as it can be understood. */
static const struct json *last_applied(struct call *c, const struct json *live)
{
    struct str         text = json_str(annotation(live, LAST_APPLIED));
    struct errbuf      err;
    struct json_error  why;
    struct json       *obj;

    if (text.n == 0 || json_parse(c->arena, text, &obj, &why) < 0 || !json_is(obj, JSON_OBJECT) ||
        schema_conform_applied(c->info->base->kind, obj, c->arena, NULL, &err) < 0 ||
        typed_check(c->arena, c->info->base->kind->type, obj, &err) < 0)
        return NULL;
    return obj;
}

/* Client-side apply, should anybody go back to it, must know what was applied last. */
static void note_last_applied(struct call *c, const struct json *config, struct json *obj)
{
    struct json *note = json_copy(c->arena, config);
    struct buf   b = BUF_INIT;

    json_delz(json_path(note, "metadata.annotations"), LAST_APPLIED);
    json_write(&b, note);
    buf_char(&b, '\n');
    json_setz(c->arena, json_make_path(c->arena, obj, "metadata.annotations"), LAST_APPLIED,
              json_string(c->arena, buf_str(&b)));
    buf_release(&b);
}

/* The main resource can't write status, .../status nothing else of weight. */
static struct field_set out_of_reach(struct call *c)
{
    struct field_node *n = arena_new(c->arena, struct field_node);
    bool               status = c->sub != NULL && strcmp(c->sub->name, "status") == 0;

    if (!c->info->base->has_status)
        return FIELD_SET_NONE;
    *n = (struct field_node){ 'f', true, status ? STR("spec") : STR("status"), FIELD_SET_NONE };
    return (struct field_set){ n, 1 };
}

static struct str conflict_message(struct arena *a, const struct field_conflict *first, unsigned n)
{
    struct buf b = BUF_INIT;
    struct str s, last = STR_NONE;

    if (n == 1)
        return arena_fmt(a, "Apply failed with 1 conflict: conflict with %.*s: %.*s", STR_ARG(first->manager),
                         STR_ARG(first->path));
    buf_fmt(&b, "Apply failed with %u conflicts: ", n);
    for (const struct field_conflict *f = first; f != NULL; f = f->next) {
        if (!str_eq(f->manager, last))
            buf_fmt(&b, "%sconflicts with %.*s:", f == first ? "" : "\n", STR_ARG(f->manager));
        buf_fmt(&b, "\n- %.*s", STR_ARG(f->path));
        last = f->manager;
    }
    s = arena_str(a, buf_str(&b));
    buf_release(&b);
    return s;
}

static void answer_conflicts(struct call *c, const struct field_conflict *first)
{
    struct causes causes;
    struct status s = { .code = 409, .reason = REASON_CONFLICT, .causes = &causes };
    unsigned      n = 0;

    causes_init(&causes, c->arena);
    for (const struct field_conflict *f = first; f != NULL; f = f->next, n++) {
        struct at at = AT_STR(NULL, f->path);

        cause_add(&causes, "FieldManagerConflict", &at, "conflict with %.*s", STR_ARG(f->manager));
    }
    s.message = conflict_message(c->arena, first, n);
    call_respond_status(c, &s);
}

/* An apply that names the object it means never makes another one. */
static bool identity_fits(struct call *c, const struct json *config, const struct json *old)
{
    struct str uid = json_path_str(config, "metadata.uid");

    if (old != NULL || uid.n == 0)
        return true;
    call_conflict(c, c->rq.name,
                  arena_fmt(c->arena,
                            "uid mismatch: the provided object specified uid %.*s, and no "
                            "existing object was found",
                            STR_ARG(uid))
                      .p);
    return false;
}

static struct json *config_of_body(struct call *c)
{
    struct json *obj = decode_applied(c, c->res->kind);

    if (obj != NULL)
        kind_to_stored(c->info->hooks, c->res, obj, c->arena);
    return obj;
}

struct json *apply_make(struct call *c, const struct json *config, const struct json *old)
{
    const struct schema_type *type = c->info->base->kind->type;
    struct field_apply f = { .type = type,
                             .writer = writer_of(c),
                             .live = old,
                             .ignored = out_of_reach(c),
                             .force = c->rq.opt.force };
    bool                      kubectl = str_is(f.writer.name, "kubectl"), foreign = c->info->base != c->res;
    struct field_conflict    *conflicts;
    struct errbuf             err;
    struct json              *obj;

    if (config == NULL && (config = config_of_body(c)) == NULL)
        return NULL;
    if (!identity_fits(c, config, old))
        return NULL;
    if (foreign && old != NULL) {                /* fields are owned in the version that is stored */
        obj = json_copy(c->arena, old);
        kind_to_stored(c->info->hooks, c->res, obj, c->arena);
        f.live = obj;
    }
    if (typed_check(c->arena, type, config, &err) < 0) {
        call_bad_request(c, "failed to create typed patch object: %s", err.s);
        return NULL;
    }
    f.config = config;
    f.last_applied = kubectl && old != NULL ? last_applied(c, old) : NULL;
    if (managed_apply(c->arena, &f, &obj, &conflicts) < 0) {
        answer_conflicts(c, conflicts);
        return NULL;
    }
    if (kubectl && c->sub == NULL && annotation(old, LAST_APPLIED) != NULL)
        note_last_applied(c, config, obj);
    if (foreign)
        kind_from_stored(c->info->hooks, c->res, obj, c->arena);
    return obj;
}
