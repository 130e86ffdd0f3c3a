/* api/managed_fields.c: see api/managed_fields.h. */
#include "api/managed_fields.h"
#include <stdlib.h>

#define UPDATERS_MAX 10                          /* entries; the oldest of more become one */
#define ENTRIES_TYPICAL 2048                     /* bytes of all entries as text */
#define BEFORE_FIRST_APPLY STR("before-first-apply")
#define ANCIENT            STR("ancient-changes")

struct manager {
    struct str name, version, subresource, time;
    bool applies;
    struct field_set fields, before;             /* now; as it was decoded */
    struct str version_before;
    struct manager *next;
};
struct managers { struct arena *arena; struct manager *first; };

/* What nobody owns: it says which object this is, or is the server's.  Sorted, as sets are. */
static struct field_set owned(struct arena *a, struct field_set s)
{
    struct field_node meta[] = {
        { 'f', true, STR("creationTimestamp"), FIELD_SET_NONE },
        { 'f', true, STR("generation"), FIELD_SET_NONE },
        { 'f', true, STR("managedFields"), FIELD_SET_NONE },
        { 'f', true, STR("name"), FIELD_SET_NONE },
        { 'f', true, STR("namespace"), FIELD_SET_NONE },
        { 'f', true, STR("resourceVersion"), FIELD_SET_NONE },
        { 'f', true, STR("selfLink"), FIELD_SET_NONE },
        { 'f', true, STR("uid"), FIELD_SET_NONE },
    };
    struct field_node root[] = {
        { 'f', true, STR("apiVersion"), FIELD_SET_NONE },
        { 'f', true, STR("kind"), FIELD_SET_NONE },
        { 'f', true, STR("metadata"), { meta, ARRAY_LEN(meta) } },
    };

    return field_set_minus(a, s, (struct field_set){ root, ARRAY_LEN(root) });
}

/* ---- Entries --------------------------------------------------------------------------------------- */

static int decode_entry(struct arena *a, const struct json *entry, struct manager *m)
{
    struct str operation = json_str(json_getz(entry, "operation"));

    *m = (struct manager){
        .name = json_str(json_getz(entry, "manager")),
        .version = json_str(json_getz(entry, "apiVersion")),
        .subresource = json_str(json_getz(entry, "subresource")),
        .time = json_str(json_getz(entry, "time")),
        .applies = str_is(operation, "Apply"),
    };
    m->version_before = m->version;
    if ((!m->applies && !str_is(operation, "Update")) ||
        !str_is(json_str(json_getz(entry, "fieldsType")), "FieldsV1"))
        return E_INVALID;
    if (field_set_decode(a, json_getz(entry, "fieldsV1"), &m->fields) < 0)
        return E_INVALID;
    m->before = m->fields;
    return 0;
}

/* False: none, or not to be understood. */
static bool decode_entries(struct managers *ms, const struct json *obj)
{
    const struct json *list = json_path(obj, "metadata.managedFields");
    struct manager   **end = &ms->first;

    ms->first = NULL;
    json_each(entry, list) {
        struct manager *m = arena_new(ms->arena, struct manager);

        if (decode_entry(ms->arena, entry, m) < 0) {
            ms->first = NULL;
            return false;
        }
        *end = m;
        end = &m->next;
    }
    return ms->first != NULL;
}

/* The list [{}] asks for an end of tracking. */
static bool asks_for_none(const struct json *obj)
{
    const struct json *list = json_path(obj, "metadata.managedFields");

    return json_is(list, JSON_ARRAY) && list->n == 1 && list->first->n == 0;
}

static bool same_writer(const struct manager *m, const struct field_writer *w, bool applies)
{
    return m->applies == applies && str_eq(m->name, w->name) && str_eq(m->subresource, w->subresource) &&
        (applies || str_eq(m->version, w->version));
}

static struct manager *manager_find(struct managers *ms, const struct field_writer *w, bool applies)
{
    for (struct manager *m = ms->first; m != NULL; m = m->next)
        if (same_writer(m, w, applies))
            return m;
    return NULL;
}

static struct manager *manager_get(struct managers *ms, const struct field_writer *w, bool applies)
{
    struct manager *m = manager_find(ms, w, applies);

    if (m != NULL)
        return m;
    m = arena_new(ms->arena, struct manager);
    *m = (struct manager){ .name = w->name, .version = w->version, .subresource = w->subresource,
                           .applies = applies, .next = ms->first };
    ms->first = m;
    return m;
}

static void drop_empty(struct managers *ms)
{
    for (struct manager **at = &ms->first; *at != NULL;)
        if (field_set_empty((*at)->fields))
            *at = (*at)->next;
        else
            at = &(*at)->next;
}

/* The updater whose entry is oldest, of those that are not yet ancient; and how many updaters there are. */
static struct manager *oldest_updater(struct managers *ms, unsigned *ret_n)
{
    struct manager *oldest = NULL;

    *ret_n = 0;
    for (struct manager *m = ms->first; m != NULL; m = m->next) {
        if (m->applies)
            continue;
        ++*ret_n;
        if (!str_eq(m->name, ANCIENT) && (oldest == NULL || str_cmp(m->time, oldest->time) < 0))
            oldest = m;
    }
    return oldest;
}

static void cap_updaters(struct managers *ms)
{
    unsigned        n;
    struct manager *oldest;

    while ((oldest = oldest_updater(ms, &n)) != NULL && n > UPDATERS_MAX) {
        struct field_writer w = { .name = ANCIENT, .version = oldest->version };
        struct manager     *ancient = manager_get(ms, &w, false);

        ancient->fields = field_set_union(ms->arena, ancient->fields, oldest->fields);
        ancient->time = oldest->time;
        oldest->fields = FIELD_SET_NONE;
        drop_empty(ms);
    }
}

static int by_age(const void *x, const void *y)
{
    const struct manager *p = *(struct manager *const *)x, *q = *(struct manager *const *)y;
    int                   order;

    if (p->applies != q->applies)
        return p->applies ? -1 : 1;
    if ((order = str_cmp(p->time, q->time)) != 0 || (order = str_cmp(p->name, q->name)) != 0 ||
        (order = str_cmp(p->version, q->version)) != 0)
        return order;
    return str_cmp(p->subresource, q->subresource);
}

static void write_text(struct buf *b, const char *before, struct str s)
{
    buf_z(b, before);
    json_write_string(b, s);
}

static void write_entry(struct buf *b, const struct manager *m)
{
    write_text(b, "{\"manager\":", m->name);
    buf_z(b, m->applies ? ",\"operation\":\"Apply\"" : ",\"operation\":\"Update\"");
    write_text(b, ",\"apiVersion\":", m->version);
    if (m->time.n > 0)
        write_text(b, ",\"time\":", m->time);
    buf_z(b, ",\"fieldsType\":\"FieldsV1\",\"fieldsV1\":");
    field_set_write(b, m->fields);
    if (m->subresource.n > 0)
        write_text(b, ",\"subresource\":", m->subresource);
    buf_char(b, '}');
}

/* Written here and now, as it will be stored: nobody looks into it before. */
static struct json *write_entries(struct arena *a, struct manager *const *sorted, size_t n)
{
    struct buf   b = BUF_INIT;
    struct json *list;

    buf_reserve(&b, ENTRIES_TYPICAL);
    for (size_t i = 0; i < n; i++) {
        buf_char(&b, i == 0 ? '[' : ',');
        write_entry(&b, sorted[i]);
    }
    buf_char(&b, ']');
    list = json_raw(a, arena_str(a, buf_str(&b)));
    buf_release(&b);
    return list;
}

/* Into obj; the time of who changed becomes now. */
static void encode_entries(struct managers *ms, struct json *obj, struct str now)
{
    struct arena    *a = ms->arena;
    struct json     *meta = json_make_path(a, obj, "metadata");
    struct manager **sorted;
    size_t           n = 0, i = 0;

    drop_empty(ms);
    for (struct manager *m = ms->first; m != NULL; m = m->next, n++)
        if (!str_eq(m->version, m->version_before) || !field_set_equal(m->fields, m->before))
            m->time = now;
    cap_updaters(ms);
    json_delz(meta, "managedFields");
    if (ms->first == NULL)
        return;
    sorted = arena_alloc(a, n * sizeof(*sorted));
    for (struct manager *m = ms->first; m != NULL; m = m->next)
        sorted[i++] = m;
    must(i <= n);
    qsort(sorted, i, sizeof(*sorted), by_age);
    json_append(meta, STR("managedFields"), write_entries(a, sorted, i));
}

void managed_keep(struct arena *a, const struct json *old, struct json *obj)
{
    const struct json *was = json_path(old, "metadata.managedFields");
    struct json       *meta = json_make_path(a, obj, "metadata");

    struct json       *list;

    json_delz(meta, "managedFields");
    if (was == NULL)
        return;
    list = arena_alloc(a, sizeof(*list));        /* its elements are old's: nobody changes them */
    *list = *was;
    json_append(meta, STR("managedFields"), list);
}

/* ---- Updates --------------------------------------------------------------------------------------- */

/* Everybody but `except` loses what is no longer theirs. */
static void take_from_others(struct managers *ms, const struct manager *except, struct typed_diff d)
{
    for (struct manager *m = ms->first; m != NULL; m = m->next)
        if (m != except)
            m->fields = field_set_minus(ms->arena, field_set_minus(ms->arena, m->fields, d.changed),
                                        d.removed);
}

static void update_owner(struct managers *ms, const struct field_writer *w, struct typed_diff d)
{
    struct manager *m = manager_get(ms, w, false);

    m->fields = field_set_union(ms->arena, field_set_minus(ms->arena, m->fields, d.removed), d.changed);
    take_from_others(ms, m, d);
}

/* True: the writer owns all that it changed already and nobody else does, so that all stays as it is. */
static bool nothing_moves(const struct json *entries, const struct field_writer *w, struct field_set changed)
{
    bool mine = false;

    json_each(entry, entries) {
        const struct json *v1 = json_getz(entry, "fieldsV1");
        struct manager     m = {
            .name = json_str(json_getz(entry, "manager")),
            .version = json_str(json_getz(entry, "apiVersion")),
            .subresource = json_str(json_getz(entry, "subresource")),
            .applies = str_is(json_str(json_getz(entry, "operation")), "Apply"),
        };

        if (same_writer(&m, w, false))
            mine |= field_set_within(changed, v1);
        else if (field_set_touches(changed, v1))
            return false;
    }
    return mine;
}

/* What somebody sends back as it was read is nothing of their own. */
static bool brings_entries(const struct field_writer *w, const struct json *old, const struct json *obj)
{
    const struct json *list = json_path(obj, "metadata.managedFields");

    return w->subresource.n == 0 && list != NULL &&
        (old == NULL || !json_equal(list, json_path(old, "metadata.managedFields")));
}

void managed_update(struct arena *a, const struct schema_type *t, const struct field_writer *w,
                    const struct json *old, struct json *obj)
{
    const struct json *entries = json_path(old, "metadata.managedFields");
    struct managers    ms = { a, NULL };
    bool               brought = brings_entries(w, old, obj) && decode_entries(&ms, obj);
    struct typed_diff  d;

    if (old != NULL && ((w->subresource.n == 0 && asks_for_none(obj)) || (!brought && entries == NULL))) {
        json_delz(json_getz(obj, "metadata"), "managedFields");
        return;
    }
    d = typed_compare(a, t, old, obj);
    d.changed = owned(a, d.changed);
    if (!brought && old != NULL && field_set_empty(d.removed) &&
        (field_set_empty(d.changed) || nothing_moves(entries, w, d.changed))) {
        managed_keep(a, old, obj);
        return;
    }
    if (!brought && old != NULL && !decode_entries(&ms, old)) {
        json_delz(json_getz(obj, "metadata"), "managedFields");
        return;
    }
    update_owner(&ms, w, d);
    encode_entries(&ms, obj, w->now);
}

/* ---- Apply ------------------------------------------------------------------------------------------ */

struct conflicts { struct arena *arena; struct str manager; struct field_conflict *first, **end; };

static void on_conflict(void *arg, struct str path)
{
    struct conflicts      *c = arg;
    struct field_conflict *one = arena_new(c->arena, struct field_conflict);

    *one = (struct field_conflict){ c->manager, path, NULL };
    *c->end = one;
    c->end = &one->next;
}

static struct str manager_text(struct arena *a, const struct manager *m)
{
    struct str sub = STR_NONE, using = STR_NONE;

    if (m->subresource.n > 0)
        sub = arena_fmt(a, " with subresource \"%.*s\"", STR_ARG(m->subresource));
    if (!m->applies)
        using = arena_fmt(a, " using %.*s", STR_ARG(m->version));
    return arena_fmt(a, "\"%.*s\"%.*s%.*s", STR_ARG(m->name), STR_ARG(sub), STR_ARG(using));
}

static struct field_conflict *conflicts_of(struct managers *ms, const struct manager *me,
                                           struct field_set changed)
{
    struct conflicts c = { .arena = ms->arena };

    c.end = &c.first;
    for (struct manager *m = ms->first; m != NULL; m = m->next) {
        if (m == me)
            continue;
        c.manager = manager_text(ms->arena, m);
        field_set_each(ms->arena, field_set_common(ms->arena, m->fields, changed), on_conflict, &c);
    }
    return c.first;
}

/* What everybody but `me` owns. */
static struct field_set owned_by_others(struct managers *ms, const struct manager *me)
{
    struct field_set s = FIELD_SET_NONE;

    for (struct manager *m = ms->first; m != NULL; m = m->next)
        if (m != me)
            s = field_set_union(ms->arena, s, m->fields);
    return s;
}

/* The fields that kubectl's own note on client-side apply speaks for: there kubectl is in conflict with
 * itself. */
static struct field_set noted(struct arena *a, const struct field_apply *f)
{
    if (f->last_applied == NULL)
        return FIELD_SET_NONE;
    return field_set_minus(a, typed_fields(a, f->type, f->last_applied),
                           typed_compare(a, f->type, f->live, f->last_applied).changed);
}

/* Whoever wrote the object before anybody applied owns all of it. */
static void managers_of_live(struct managers *ms, const struct field_apply *f)
{
    struct field_writer before = { .name = BEFORE_FIRST_APPLY, .version = f->writer.version };

    if (f->live == NULL || decode_entries(ms, f->live))
        return;
    manager_get(ms, &before, false)->fields =
        owned(ms->arena, typed_compare(ms->arena, f->type, NULL, f->live).changed);
}

int managed_apply(struct arena *a, const struct field_apply *f, struct json **ret,
                  struct field_conflict **ret_conflicts)
{
    struct managers   ms = { a, NULL };
    struct field_set said = field_set_prune(a, owned(a, typed_fields(a, f->type, f->config)), f->ignored),
                     others;
    struct typed_diff d = { FIELD_SET_NONE, FIELD_SET_NONE };
    struct json      *obj;
    struct manager   *me;

    managers_of_live(&ms, f);
    me = manager_get(&ms, &f->writer, true);
    others = owned_by_others(&ms, me);
    if (f->live != NULL) {
        obj = typed_merge(a, f->type, f->live, f->config);
        typed_prune(a, f->type, obj, me->fields, field_set_union(a, said, others));
        schema_leave_out(f->type, obj);          /* what is not kept is no change */
        d = typed_compare(a, f->type, f->live, obj);
        d.changed = field_set_prune(a, d.changed, f->ignored);
        d.removed = field_set_prune(a, d.removed, f->ignored);
    } else {
        obj = json_copy(a, f->config);
        schema_leave_out(f->type, obj);
    }
    if (!f->force) {
        *ret_conflicts = conflicts_of(&ms, me, d.changed);
        if (*ret_conflicts != NULL &&
            !field_set_empty(field_set_minus(a, field_set_common(a, others, d.changed), noted(a, f))))
            return E_CONFLICT;
    }
    me->fields = said;
    me->version = f->writer.version;
    take_from_others(&ms, me, d);
    encode_entries(&ms, obj, f->writer.now);
    *ret = obj;
    return 0;
}
