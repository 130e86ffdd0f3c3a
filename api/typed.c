/* api/typed.c: see api/typed.h.
 *
 * Everything here walks one or two values whose parts ("items") are listed and sorted by the text of their
 * path element; two sorted lists then merge in one go, whatever their size. */
#include <stdlib.h>
#include "api/crd/rules.h"
#include "api/typed.h"

/* How a value is seen. */
enum form { FORM_LEAF, FORM_STRUCT, FORM_MAP, FORM_SET, FORM_KEYED };

/* Where a value stands: its type, or the field it belongs to (element: one of a list or map). */
struct place { const struct schema_type *type; const struct schema_field *field; bool element; };

struct item {
    struct str text;
    struct json *v;
    const struct schema_field *field;            /* FORM_STRUCT */
    uint32_t pos;
    struct item *twin;
};
struct items { struct item *at; uint32_t n; };

/* Any value, whose members no schema knows. */
static bool is_open(const struct schema_field *f)
{
    return f->rules != NULL && f->base == SCHEMA_RAW && f->shape == SCHEMA_ONE;
}

/* The rows of a member; NULL: the type does not know it. */
static const struct schema_field *member_of(const struct schema_type *t, struct str name)
{
    const struct schema_field *f = schema_field(t, name);

    return f == NULL && t->user != NULL && t->user->rules->open ? &crd_any : f;
}

static enum form form_of(struct place p, const struct json *v)
{
    const struct schema_field *f = p.field;

    if (f == NULL)
        return FORM_STRUCT;
    /* of a custom kind: objects are maps, all else is one field */
    if (is_open(f))
        return json_is(v, JSON_OBJECT) ? FORM_MAP : FORM_LEAF;
    if (!p.element && f->shape != SCHEMA_ONE) {
        if (f->list_type == SCHEMA_ATOMIC)
            return FORM_LEAF;
        return f->shape == SCHEMA_MAP ? FORM_MAP : f->list_type == SCHEMA_SET ? FORM_SET : FORM_KEYED;
    }
    if (f->base != SCHEMA_OBJECT || f->type->atomic || (!p.element && f->list_type == SCHEMA_ATOMIC))
        return FORM_LEAF;
    return FORM_STRUCT;
}

/* Of two values of which each may be absent: containers only if both can be seen so. */
static enum form form_of_both(struct place p, const struct json *x, const struct json *y)
{
    enum form form = form_of(p, x);

    return form == form_of(p, y) ? form : FORM_LEAF;
}

static const struct schema_type *struct_type(struct place p)
{
    return p.field != NULL ? p.field->type : p.type;
}

/* What an element of a list, or a member of a map, is. */
static struct place element_of(const struct schema_field *f)
{
    if (f->element != NULL)
        return (struct place){ NULL, f->element, false };
    return (struct place){ NULL, f, !is_open(f) };
}

static struct place below(struct place p, enum form form, const struct item *it)
{
    if (form == FORM_STRUCT)
        return (struct place){ NULL, it->field, false };
    return element_of(p.field);
}

static char kind_of(enum form form)
{
    return form == FORM_SET ? 'v' : form == FORM_KEYED ? 'k' : 'f';
}

/* ---- Items -------------------------------------------------------------------------------------- */

/* The default of a key field that an element leaves out, as a member. */
static struct json *default_key(struct arena *a, const struct schema_type *t, const char *key)
{
    const struct schema_field *f = schema_field(t, str_of(key));
    struct json_error why;
    struct json      *v;

    if (f != NULL && f->rules != NULL && f->rules->default_ != NULL) {
        v = json_copy(a, f->rules->default_);
        v->key = f->name;
        return v;
    }
    if (f == NULL || f->default_json == NULL || json_parse(a, str_of(f->default_json), &v, &why) < 0)
        return NULL;
    v->key = f->name;
    return v;
}

/* {"containerPort":80,"protocol":"TCP"}; empty: the element has no key. */
static struct str key_text(struct arena *a, const struct schema_field *f, const struct json *element)
{
    const struct json *keys[8];
    size_t             n = 0, found = 0;

    for (const char *const *k = f->list_keys; *k != NULL && n < ARRAY_LEN(keys); k++, n++) {
        keys[n] = json_getz(element, *k);
        if (keys[n] == NULL && f->type != NULL)
            keys[n] = default_key(a, f->type, *k);
        found += keys[n] != NULL;
    }
    return found > 0 ? field_key_text(a, keys, n) : STR_NONE;
}

static struct str value_text(struct arena *a, const struct json *v)
{
    struct buf b = BUF_INIT;
    struct str s;

    json_write(&b, v);
    s = arena_str(a, buf_str(&b));
    buf_release(&b);
    return s;
}

static struct str item_text(struct arena *a, struct place p, enum form form, const struct json *v)
{
    if (form == FORM_SET)
        return value_text(a, v);
    return form == FORM_KEYED ? key_text(a, p.field, v) : v->key;
}

static int by_text(const void *x, const void *y)
{
    const struct item *p = x, *q = y;
    int                order = str_cmp(p->text, q->text);

    return order != 0 ? order : (p->pos > q->pos) - (p->pos < q->pos);
}

/* Most objects are small, and often sorted. */
static void sort_items(struct items *l)
{
    if (l->n > 24) {
        qsort(l->at, l->n, sizeof(*l->at), by_text);
        return;
    }
    for (uint32_t i = 1; i < l->n; i++) {
        struct item it = l->at[i];
        uint32_t    to = i;

        for (; to > 0 && by_text(&l->at[to - 1], &it) > 0; to--)
            l->at[to] = l->at[to - 1];
        l->at[to] = it;
    }
}

static void drop_twins(struct items *l)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < l->n; i++)
        if (kept == 0 || !str_eq(l->at[kept - 1].text, l->at[i].text))
            l->at[kept++] = l->at[i];
    l->n = kept;
}

/* Of a value of this form; sorted, each text once.  Fields that the type does not know are not seen. */
static struct items items_of(struct arena *a, struct place p, enum form form, const struct json *v)
{
    struct items l = { NULL, 0 };
    uint32_t     pos = 0;

    if (v == NULL || v->type < JSON_ARRAY || v->n == 0 || (v->type == JSON_ARRAY) != (kind_of(form) != 'f'))
        return l;
    l.at = arena_alloc(a, v->n * sizeof(*l.at));
    json_each(it, v) {
        struct item item = { .text = item_text(a, p, form, it), .v = it, .pos = pos++ };

        if (form == FORM_STRUCT)
            item.field = member_of(struct_type(p), it->key);
        if (item.text.p != NULL && (form != FORM_STRUCT || item.field != NULL))
            l.at[l.n++] = item;
    }
    sort_items(&l);
    drop_twins(&l);
    return l;
}

/* ---- Fields ------------------------------------------------------------------------------------- */

static bool is_empty(const struct json *v)
{
    return v->type >= JSON_ARRAY && v->n == 0;
}

/* whole: containers are members too. */
static struct field_set fields_of(struct arena *a, struct place p, const struct json *v, bool whole)
{
    enum form        form = form_of(p, v);
    struct items     l = items_of(a, p, form, v);
    struct field_set s = field_set_room(a, l.n);

    for (uint32_t i = 0; i < l.n; i++) {
        struct place      inner = below(p, form, &l.at[i]);
        enum form         how = form_of(inner, l.at[i].v);
        struct field_node n = { .kind = kind_of(form), .text = l.at[i].text };

        n.member = whole || how == FORM_LEAF || form != FORM_STRUCT || l.at[i].field == &crd_any ||
            (is_empty(l.at[i].v) && l.at[i].v->type == JSON_OBJECT);
        if (how != FORM_LEAF)
            n.below = fields_of(a, inner, l.at[i].v, whole);
        field_set_add(&s, n);
    }
    return s;
}

struct field_set typed_fields(struct arena *a, const struct schema_type *t, const struct json *obj)
{
    return fields_of(a, (struct place){ t, NULL, false }, obj, false);
}

/* ---- Differences -------------------------------------------------------------------------------- */

/* What the original keeps by value is there even when nobody gave it. */
static bool by_value(struct place p)
{
    const struct schema_field *f = p.field;

    if (f == NULL || p.element)
        return false;
    if (f->shape == SCHEMA_ONE)
        return f->base == SCHEMA_OBJECT && !(f->flags & SCHEMA_NULLABLE);
    return f->flags & (SCHEMA_REQUIRED | SCHEMA_ALWAYS);
}

static struct typed_diff diff(struct arena *a, struct place p, const struct json *old,
                              const struct json *now);

/* One side is missing: everything on the other one, and itself. */
static struct field_node one_side(struct arena *a, enum form form, struct place inner, const struct item *it)
{
    static const struct json nothing = { .type = JSON_OBJECT };
    struct field_node n = { .kind = kind_of(form), .text = it->text, .member = true };

    if (form_of(inner, it->v) == FORM_LEAF)
        return n;
    if (by_value(inner) && !is_empty(it->v)) {   /* the other side has an empty one */
        n.member = false;
        n.below = diff(a, inner, &nothing, it->v).changed;
    } else {
        n.below = fields_of(a, inner, it->v, true);
    }
    return n;
}

static struct typed_diff both_sides(struct arena *a, struct place inner, const struct json *old,
                                    const struct json *now, bool *ret_changed)
{
    *ret_changed = false;
    if (form_of_both(inner, old, now) == FORM_LEAF || (is_empty(old) && is_empty(now))) {
        *ret_changed = !json_equal(old, now);
        return (struct typed_diff){ FIELD_SET_NONE, FIELD_SET_NONE };
    }
    if (json_equal(old, now))                    /* most of most objects: nothing is listed, nothing sorted */
        return (struct typed_diff){ FIELD_SET_NONE, FIELD_SET_NONE };
    return diff(a, inner, old, now);
}

static struct typed_diff diff(struct arena *a, struct place p, const struct json *old, const struct json *now)
{
    enum form         form = form_of(p, now);
    struct items      was = items_of(a, p, form, old), is = items_of(a, p, form, now);
    size_t            most = (size_t)was.n + is.n;
    struct typed_diff d = { field_set_room(a, most), field_set_room(a, most) };
    uint32_t          i = 0, k = 0;

    while (i < was.n || k < is.n) {
        int order = i == was.n ? 1 : k == is.n ? -1 : str_cmp(was.at[i].text, is.at[k].text);

        if (order < 0) {
            field_set_add(&d.removed, one_side(a, form, below(p, form, &was.at[i]), &was.at[i]));
            i++;
        } else if (order > 0) {
            field_set_add(&d.changed, one_side(a, form, below(p, form, &is.at[k]), &is.at[k]));
            k++;
        } else {
            struct field_node n = { .kind = kind_of(form), .text = is.at[k].text }, gone = n;
            struct typed_diff in = both_sides(a, below(p, form, &is.at[k]), was.at[i].v, is.at[k].v,
                                              &n.member);

            n.below = in.changed;
            gone.below = in.removed;
            field_set_add(&d.changed, n);
            field_set_add(&d.removed, gone);
            i++, k++;
        }
    }
    return d;
}

struct typed_diff typed_compare(struct arena *a, const struct schema_type *t, const struct json *old,
                                const struct json *now)
{
    static const struct json nothing = { .type = JSON_OBJECT };

    return diff(a, (struct place){ t, NULL, false }, old != NULL ? old : &nothing, now);
}

/* ---- Checking ----------------------------------------------------------------------------------- */

static int check(struct arena *a, struct place p, const struct json *v, struct errbuf *err);

static int check_list(struct arena *a, struct place p, enum form form, const struct json *list,
                      struct errbuf *err)
{
    struct items l = items_of(a, p, form, list);
    struct place inner = element_of(p.field);
    int          rc;

    if (list->type == JSON_ARRAY && l.n < list->n) {
        json_each(v, list)
            if (item_text(a, p, form, v).p == NULL)
                return err_set(err, E_INVALID, "%.*s: an element lacks the field that names it (%s)",
                               STR_ARG(p.field->name), p.field->list_keys[0]);
        return err_set(err, E_INVALID, "%.*s: two elements are the same, or have the same key",
                       STR_ARG(p.field->name));
    }
    json_each(v, list)
        if ((rc = check(a, inner, v, err)) < 0)
            return rc;
    return 0;
}

static int check(struct arena *a, struct place p, const struct json *v, struct errbuf *err)
{
    enum form form = form_of(p, v);
    int       rc;

    if (form == FORM_LEAF)
        return 0;
    if (form == FORM_SET || form == FORM_KEYED)
        return check_list(a, p, form, v, err);
    json_each(it, v) {
        struct item  item = { .text = it->key };

        if (form == FORM_STRUCT)
            item.field = member_of(struct_type(p), it->key);
        struct place inner = below(p, form, &item);

        if ((form == FORM_MAP || inner.field != NULL) && (rc = check(a, inner, it, err)) < 0)
            return rc;
    }
    return 0;
}

int typed_check(struct arena *a, const struct schema_type *t, const struct json *obj, struct errbuf *err)
{
    return check(a, (struct place){ t, NULL, false }, obj, err);
}

/* ---- Merging ------------------------------------------------------------------------------------ */

static struct json *merge(struct arena *a, struct place p, const struct json *live,
                          const struct json *config);

/* Who is on both sides knows the other. */
static void pair(struct items *x, struct items *y)
{
    for (uint32_t i = 0, k = 0; i < x->n && k < y->n;) {
        int order = str_cmp(x->at[i].text, y->at[k].text);

        if (order == 0) {
            x->at[i].twin = &y->at[k];
            y->at[k].twin = &x->at[i];
        }
        i += order <= 0;
        k += order >= 0;
    }
}

/* The items by their place in the list; NULL where an element is none. */
static struct item **by_place(struct arena *a, const struct items *l, uint32_t n)
{
    struct item **at = arena_zalloc(a, n * sizeof(*at));

    for (uint32_t i = 0; i < l->n; i++)
        at[l->at[i].pos] = &l->at[i];
    return at;
}

/* Two lists walked side by side: what only live has stays in front of what it stood in front of; new ones
 * come in where config has them; those on both sides follow config's order. */
static struct json *merge_lists(struct arena *a, struct place p, enum form form, const struct json *live,
                                const struct json *config)
{
    struct items        x = items_of(a, p, form, live), y = items_of(a, p, form, config);
    struct item       **was = by_place(a, &x, live->n), **want = by_place(a, &y, config->n);
    struct place        inner = element_of(p.field);
    const struct json  *l = live->first, *c = config->first;
    struct json        *out = json_array(a);
    uint32_t            i = 0, k = 0;

    pair(&x, &y);
    while (l != NULL || c != NULL) {
        if (l != NULL && (was[i] == NULL || was[i]->twin == NULL)) {
            json_push(out, json_copy(a, l));
            l = l->next, i++;
        } else if (c == NULL || (l != NULL && was[i]->twin->v == NULL)) {
            l = l->next, i++;                    /* merged already: its twin was used up */
        } else {
            struct item *w = want[k];

            json_push(out, w != NULL && w->twin != NULL ? merge(a, inner, w->twin->v, c) : json_copy(a, c));
            if (w != NULL)
                w->v = NULL;
            c = c->next, k++;
        }
    }
    return out;
}

static struct json *merge_members(struct arena *a, struct place p, enum form form, const struct json *live,
                                  const struct json *config)
{
    struct items x = items_of(a, p, form, live), y = items_of(a, p, form, config);
    struct item **was = by_place(a, &x, live->n), **want = by_place(a, &y, config->n);
    struct json *out = json_object(a);
    uint32_t     i = 0;

    pair(&x, &y);
    json_each(v, live) {
        struct item *w = was[i++];

        json_append(out, v->key, w != NULL && w->twin != NULL ? merge(a, below(p, form, w), v, w->twin->v)
                                                              : json_copy(a, v));
    }
    i = 0;
    json_each(v, config) {
        struct item *w = want[i++];

        if (w != NULL && w->twin == NULL)
            json_append(out, v->key, json_copy(a, v));
    }
    return out;
}

static struct json *merge(struct arena *a, struct place p, const struct json *live, const struct json *config)
{
    enum form        form = form_of_both(p, live, config);
    enum json_type   container = form == FORM_SET || form == FORM_KEYED ? JSON_ARRAY : JSON_OBJECT;

    if (form == FORM_LEAF || !json_is(live, container) || !json_is(config, container))
        return json_copy(a, config);
    if (container == JSON_ARRAY)
        return merge_lists(a, p, form, live, config);
    return merge_members(a, p, form, live, config);
}

struct json *typed_merge(struct arena *a, const struct schema_type *t, const struct json *live,
                         const struct json *config)
{
    return merge(a, (struct place){ t, NULL, false }, live, config);
}

/* ---- Pruning ------------------------------------------------------------------------------------ */

/* A field that leads somewhere counts as a member: taken out, nothing of it is left. */
static bool holds(const struct field_node *n)
{
    return n != NULL && (n->member || (n->kind == 'f' && n->below.n > 0));
}

/* False: nothing of v is left. */
static bool prune(struct arena *a, struct place p, struct json *v, struct field_set gone,
                  struct field_set kept)
{
    enum form    form = form_of(p, v);
    struct items l = items_of(a, p, form, v);
    bool         any = false;

    for (uint32_t i = 0; i < l.n; i++) {
        const struct field_node *g = field_set_find(gone, kind_of(form), l.at[i].text);
        const struct field_node *k = field_set_find(kept, kind_of(form), l.at[i].text);
        bool                     left = true;

        if (g == NULL)
            continue;
        if (holds(g) && !holds(k))
            left = false;
        else if (g->below.n > 0)
            left = prune(a, below(p, form, &l.at[i]), l.at[i].v, g->below,
                         k != NULL ? k->below : FIELD_SET_NONE) ||
                   (k != NULL && k->member);   /* even an empty one, if somebody says so */
        if (left)
            continue;
        l.at[i].v->type = JSON_NULL;             /* marked; swept below */
        any = true;
    }
    if (any)
        json_sweep_nulls(v);
    return v->n > 0;
}

void typed_prune(struct arena *a, const struct schema_type *t, struct json *obj, struct field_set gone,
                 struct field_set kept)
{
    prune(a, (struct place){ t, NULL, false }, obj, gone, kept);
}
