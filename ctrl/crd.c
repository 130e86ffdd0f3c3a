/* ctrl/crd.c: kinds that users define: which names each may have, when it is established, and, once its
 * definition is deleted, that all its objects go before it does.
 *
 * Names (plural, singular and short ones; kind and kind of lists) are given out once in a group, to
 * whom came first.  Who holds which is remembered here and changed together with the status that is
 * written, so that two definitions looked at one after the other cannot both get a name while the first
 * answer is on its way. */
#include "api/schema.h"
#include "api/time_fmt.h"
#include "ctrl/controller.h"
#include "net/map.h"

#define FINALIZER  "customresourcecleanup.apiextensions.k8s.io"
#define APPROVED   "api-approved.kubernetes.io"
#define APPROVAL   "see https://github.com/kubernetes/enhancements/pull/1111"
#define AGAIN_MS   1000                          /* while objects of a deleted kind are left */

struct definition {
    struct str group;
    struct str *held; unsigned n_held;           /* keys of c->names */
    bool waiting;                                /* for a name that another one holds */
    struct arena arena;
};

struct crd_controller {
    struct controller base;
    struct sweep sweep;
    struct ctrl_env *env;
    struct informer *crds;
    struct workqueue *queue;
    struct map definitions;                      /* struct definition by name */
    struct map names;                            /* who holds "group/r/NAME" or "group/k/KIND" */
    bool ready;
};

/* ---- Names -------------------------------------------------------------------------------------- */

static struct str name_key(struct arena *a, const struct definition *d, char space, struct str name)
{
    return arena_fmt(a, "%.*s/%c/%.*s", STR_ARG(d->group), space, STR_ARG(name));
}

static void give_names_back(struct crd_controller *c, struct definition *d)
{
    for (unsigned i = 0; i < d->n_held; i++)
        map_del(&c->names, d->held[i]);
    d->n_held = 0;
    d->held = NULL;
    arena_reset(&d->arena);
}

static void hold(struct crd_controller *c, struct definition *d, char space, struct str name)
{
    struct str key = name_key(&d->arena, d, space, name);

    if (name.n == 0 || map_get(&c->names, key) != NULL)
        return;
    map_put(&c->names, key, d);
    d->held[d->n_held++] = key;
}

/* The names of acceptedNames are this one's from now on. */
static void hold_names(struct crd_controller *c, struct definition *d, const struct json *accepted)
{
    const struct json *shorts = json_getz(accepted, "shortNames");

    give_names_back(c, d);
    d->held = arena_alloc(&d->arena, (4 + (shorts != NULL ? shorts->n : 0)) * sizeof(*d->held));
    hold(c, d, 'r', json_str(json_getz(accepted, "plural")));
    hold(c, d, 'r', json_str(json_getz(accepted, "singular")));
    json_each(s, shorts)
        hold(c, d, 'r', json_str(s));
    hold(c, d, 'k', json_str(json_getz(accepted, "kind")));
    hold(c, d, 'k', json_str(json_getz(accepted, "listKind")));
}

static bool is_built_in(const struct definition *d, char space, struct str name)
{
    for (unsigned i = 0; i < schema_n_resources; i++) {
        const struct resource *r = &schema_resources[i];

        if (str_is(d->group, r->kind->group) &&
            (space == 'k' ? str_is(name, r->kind->kind) : str_is(name, r->plural)))
            return true;
    }
    return false;
}

static bool is_free(struct crd_controller *c, struct arena *a, const struct definition *d, char space,
                    struct str name)
{
    const struct definition *holder = map_get(&c->names, name_key(a, d, space, name));

    return (holder == NULL || holder == d) && !is_built_in(d, space, name);
}

/* Others of the group may get now what they asked for. */
static void wake_group(struct crd_controller *c, struct str group)
{
    struct str name;
    void *val;

    for (size_t i = 0; map_next(&c->definitions, &i, &name, &val);) {
        const struct definition *d = val;

        if (d->waiting && str_eq(d->group, group))
            workqueue_add(c->queue, STR_NONE, name);
    }
}

/* ---- Conditions --------------------------------------------------------------------------------- */

struct verdict { const char *status, *reason; struct str message; };

/* What of spec.names can be had; the reason why not all. */
static struct verdict judge_names(struct crd_controller *c, struct arena *a, struct definition *d,
                                  const struct json *wanted, struct json *accepted)
{
    static const struct { const char *field, *reason; char space; } single[] = {
        { "plural", "PluralConflict", 'r' }, { "singular", "SingularConflict", 'r' },
        { "kind", "KindConflict", 'k' },     { "listKind", "ListKindConflict", 'k' },
    };
    struct verdict v = { "True", "NoConflicts", STR("no conflicts found") };
    bool shorts = true;

    for (size_t i = 0; i < ARRAY_LEN(single); i++) {
        struct str name = json_str(json_getz(wanted, single[i].field));

        if (is_free(c, a, d, single[i].space, name))
            json_setz(a, accepted, single[i].field, json_string(a, name));
        else
            v = (struct verdict){ "False", single[i].reason,
                                  arena_fmt(a, "\"%.*s\" is already in use", STR_ARG(name)) };
    }
    json_each(s, json_getz(wanted, "shortNames"))
        if (!is_free(c, a, d, 'r', json_str(s))) {
            v = (struct verdict){ "False", "ShortNamesConflict",
                                  arena_fmt(a, "\"%.*s\" is already in use", STR_ARG(json_str(s))) };
            shorts = false;
        }
    for (size_t i = 0; i < 2; i++) {
        const char *field = i == 0 ? "shortNames" : "categories";
        const struct json *list = json_getz(wanted, field);

        if (list != NULL && (shorts || i == 1))
            json_setz(a, accepted, field, json_copy(a, list));
    }
    return v;
}

static bool is_protected(struct str group)
{
    return str_is(group, "k8s.io") || str_is(group, "kubernetes.io") || str_ends(group, STR(".k8s.io")) ||
           str_ends(group, STR(".kubernetes.io"));
}

static struct verdict judge_approval(struct arena *a, const struct json *crd)
{
    struct str said = json_str(json_getz(json_path(crd, "metadata.annotations"), APPROVED));

    if (said.n == 0)
        return (struct verdict){ "False", "MissingAnnotation",
                                 STR("protected groups must have approval annotation \"" APPROVED
                                     "\", " APPROVAL) };
    if (str_starts(said, STR("unapproved")))
        return (struct verdict){ "False", "UnapprovedAnnotation",
                                 arena_fmt(a, "not approved: \"%.*s\"", STR_ARG(said)) };
    if (memmem(said.p, said.n, "://", 3) != NULL)
        return (struct verdict){ "True", "ApprovedAnnotation",
                                 arena_fmt(a, "approved in %.*s", STR_ARG(said)) };
    return (struct verdict){ "False", "InvalidAnnotation",
                             STR("protected groups must have approval annotation \"" APPROVED
                                 "\" with either a "
                                 "URL or a reason starting with \"unapproved\", " APPROVAL) };
}

static bool set(struct crd_controller *c, struct pass *p, struct json *conditions, const char *type,
                struct verdict v)
{
    struct arena *a = pass_arena(p);

    return condition_set(a, conditions, type, v.status, v.reason, v.message, time_text(a, env_now_s(c->env)));
}

/* The conditions as they are, to be changed. */
static struct json *conditions_of(struct arena *a, const struct json *crd)
{
    const struct json *now = json_path(crd, "status.conditions");

    return now != NULL ? json_copy(a, now) : json_array(a);
}

static void send_status(struct pass *p, const struct json *crd, struct json *status)
{
    struct arena *a = pass_arena(p);
    struct json *patch = json_object(a), *meta = json_setz(a, patch, "metadata", json_object(a));
    struct client_req r = { .method = "PATCH", .res = CLIENT_CRDS, .name = pass_name(p), .sub = "status",
                            .body = patch, .content_type = CLIENT_MERGE_PATCH };

    json_setz(a, meta, "resourceVersion", json_string(a, meta_str(crd, "resourceVersion")));
    json_each(cond, json_getz(status, "conditions"))
        json_delz(cond, "lastUpdateTime");       /* not a field of these */
    json_setz(a, patch, "status", status);
    pass_send(p, &r, 404, NULL);
}

/* Established stays so: a later conflict of further names takes nothing away. */
static void judge(struct crd_controller *c, struct pass *p, struct definition *d, const struct json *crd)
{
    struct arena *a = pass_arena(p);
    const struct json *was = json_path(crd, "status.acceptedNames");
    struct json *accepted = was != NULL ? json_copy(a, was) : json_object(a);
    struct json *conditions = conditions_of(a, crd), *status = json_object(a);
    struct verdict names = judge_names(c, a, d, json_path(crd, "spec.names"), accepted);
    bool ok = strcmp(names.status, "True") == 0, changed;

    d->waiting = !ok;
    changed = was == NULL || !json_equal(was, accepted);
    changed |= set(c, p, conditions, "NamesAccepted", names);
    if (!condition_is(crd, "Established", "True"))
        changed |= set(c, p, conditions, "Established",
                       ok ? (struct verdict){ "True", "InitialNamesAccepted",
                                              STR("the initial names have been accepted") }
                          : (struct verdict){ "False", "NotAccepted", STR("not all names are accepted") });
    if (is_protected(d->group))
        changed |= set(c, p, conditions, "KubernetesAPIApprovalPolicyConformant", judge_approval(a, crd));
    if (!changed)
        return;
    hold_names(c, d, accepted);
    json_setz(a, status, "acceptedNames", accepted);
    json_setz(a, status, "conditions", conditions);
    send_status(p, crd, status);
}

/* ---- Deletion ----------------------------------------------------------------------------------- */

/* The version that objects are stored in: served to the last. */
static struct client_resource storage_of(struct arena *a, const struct json *crd)
{
    struct client_resource r = { arena_cstr(a, json_path_str(crd, "spec.group")), "",
                                 arena_cstr(a, json_path_str(crd, "spec.names.plural")) };

    json_each(v, json_path(crd, "spec.versions"))
        if (json_true(json_getz(v, "storage")))
            r.version = arena_cstr(a, json_str(json_getz(v, "name")));
    return r;
}

/* The memo of a definition: what is known of its objects. */
enum { LEFT_UNKNOWN, LEFT_DELETED, LEFT_SOME, LEFT_NONE };

static void on_deleted(struct pass *p, const struct client_result *r)
{
    (void)r;
    *pass_memo(p) = LEFT_DELETED;
}

static void on_not_served(struct pass *p, const struct client_result *r)
{
    (void)r;
    *pass_memo(p) = LEFT_NONE;
}

static void on_counted(struct pass *p, const struct client_result *r)
{
    *pass_memo(p) = json__first(json_getz(r->obj, "items")) == NULL ? LEFT_NONE : LEFT_SOME;
}

static void say_deleting(struct crd_controller *c, struct pass *p, const struct json *crd)
{
    struct arena *a = pass_arena(p);
    struct json *conditions = conditions_of(a, crd), *status = json_object(a);

    if (!set(c, p, conditions, "Terminating",
             (struct verdict){ "True", "InstanceDeletionInProgress",
                               STR("CustomResource deletion is in progress") }))
        return;
    json_setz(a, status, "conditions", conditions);
    send_status(p, crd, status);
}

static void let_go(struct pass *p, const struct json *crd)
{
    struct arena *a = pass_arena(p);
    struct json *patch = json_object(a), *meta = json_setz(a, patch, "metadata", json_object(a)),
                *left = json_array(a);
    struct client_req r = { .method = "PATCH", .res = CLIENT_CRDS, .name = pass_name(p), .body = patch,
                            .content_type = CLIENT_MERGE_PATCH };

    json_each(f, json_path(crd, "metadata.finalizers"))
        if (!str_is(json_str(f), FINALIZER))
            json_push(left, json_copy(a, f));
    json_setz(a, meta, "resourceVersion", json_string(a, meta_str(crd, "resourceVersion")));
    json_setz(a, meta, "finalizers", left);
    pass_send(p, &r, 404, NULL);
}

/* Deletes and the count are separate passes: the count must see what the deletes did. */
static void end(struct crd_controller *c, struct pass *p, const struct json *crd)
{
    struct client_req r = { .res = storage_of(pass_arena(p), crd) };

    switch (*pass_memo(p)) {
    case LEFT_NONE:
        let_go(p, crd);
        return;
    case LEFT_DELETED:
        r.method = "GET";
        r.query = STR("limit=1");
        pass_send_else(p, &r, 404, on_counted, on_not_served);
        pass_again_after(p, 1);
        return;
    case LEFT_SOME:                              /* finalizers of their own: they are waited for */
        *pass_memo(p) = LEFT_UNKNOWN;
        pass_again_after(p, AGAIN_MS);
        return;
    default:
        say_deleting(c, p, crd);
        r.method = "DELETE";
        pass_send_else(p, &r, 404, on_deleted, on_not_served);
        pass_again_after(p, 1);
    }
}

/* ---- Passes ------------------------------------------------------------------------------------- */

static void crd_sync(void *arg, struct pass *p)
{
    struct crd_controller *c = arg;
    struct object *o = informer_get(c->crds, STR_NONE, pass_name(p));
    struct definition *d = map_get(&c->definitions, pass_name(p));
    struct json *crd;

    if (o == NULL || d == NULL || !c->ready)
        return;
    crd = object_json(o, pass_arena(p));
    pass_expect(p, c->crds);
    if (!is_being_deleted(crd))
        judge(c, p, d, crd);
    else if (has_finalizer(crd, FINALIZER))
        end(c, p, crd);
}

static void definition_free(struct definition *d)
{
    mem_free((char *)d->group.p);
    arena_release(&d->arena);
    mem_free(d);
}

static void forget(struct crd_controller *c, struct str name)
{
    struct definition *d = map_del(&c->definitions, name);

    if (d == NULL)
        return;
    give_names_back(c, d);
    wake_group(c, d->group);
    definition_free(d);
}

static struct definition *remember(struct crd_controller *c, struct str name, struct str group)
{
    struct definition *d = map_get(&c->definitions, name);

    if (d != NULL)
        return d;
    d = mem_new(struct definition);
    d->group = str_make(mem_strndup(group), group.n);
    arena_init_sized(&d->arena, 256);
    map_put(&c->definitions, name, d);
    return d;
}

static void on_crd(void *arg, enum informer_change what, struct object *old, struct object *new_,
                   struct json *json)
{
    struct crd_controller *c = arg;
    struct definition *d;

    if (what == INFORMER_DELETE) {
        forget(c, old->name);
        return;
    }
    d = remember(c, new_->name, json_path_str(json, "spec.group"));
    hold_names(c, d, json_path(json, "status.acceptedNames"));
    wake_group(c, d->group);
    if (c->ready)
        workqueue_add(c->queue, STR_NONE, new_->name);
}

/* ---- Start and end ------------------------------------------------------------------------------ */

static void crd_ready(struct controller *base)
{
    struct crd_controller *c = container_of(base, struct crd_controller, base);

    c->ready = true;
    sweep_into(&c->sweep, c->env->loop, c->crds, c->queue);
}

static void crd_stop(struct controller *base)
{
    struct crd_controller *c = container_of(base, struct crd_controller, base);
    struct str name;
    void *d;

    sweep_stop(&c->sweep);
    workqueue_free(c->queue);
    for (size_t i = 0; map_next(&c->definitions, &i, &name, &d);)
        definition_free(d);
    map_release(&c->definitions);
    map_release(&c->names);
    mem_free(c);
}

struct controller *crd_controller(struct ctrl_env *env)
{
    struct crd_controller *c = mem_new(struct crd_controller);
    struct workqueue_opts qo = { .client = env->client, .name = "definitions", .sync = crd_sync, .arg = c };

    c->base = (struct controller){ crd_ready, crd_stop };
    c->env = env;
    c->queue = workqueue_new(&qo);
    c->crds = shared_listen(env->shared, CLIENT_CRDS, on_crd, c);
    return &c->base;
}
