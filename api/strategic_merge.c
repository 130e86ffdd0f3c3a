/* api/strategic_merge.c: strategic merge patch: like JSON merge patch, but lists that the schema says have
 * a merge key are merged element by element, and directives say the rest:
 *   "$patch": "replace" | "delete"             in an object: instead of merging; in a list's element:
 *                                              about that list, that element
 *   "$retainKeys": [...]                       only these members of the object stay
 *   "$deleteFromPrimitiveList/x": [...]        these values leave the list x
 *   "$setElementOrder/x": [...]                the order of the list x afterwards
 * Elements that the patch doesn't mention keep their order among themselves; one that is new goes before
 * them. Every step is linear or n log n in the sizes of object and patch, which a client chooses. */
#include <stdlib.h>
#include "api/json_index.h"
#include "api/merge_patch.h"
#include "api/schema.h"

#define DIRECTIVE    STR("$patch")
#define RETAIN_KEYS  STR("$retainKeys")
#define DELETE_FROM  STR("$deleteFromPrimitiveList/")
#define ORDER_OF     STR("$setElementOrder/")

struct merge { struct arena *arena; struct errbuf *err; };

/* What describes the members of an object: a type, or (for maps) one field for all of them. Both NULL:
 * nothing known. */
struct shape { const struct schema_type *type; const struct schema_field *element; };

static int merge_object(struct merge *m, struct shape shape, struct json *cur, const struct json *patch);

static int bad(struct merge *m, const char *what, struct str where)
{
    return err_set(m->err, E_INVALID, "%s: \"%.*s\"", what, (int)MIN_OF(where.n, (size_t)100), where.p);
}

static bool is_directive(struct str key)
{
    return key.n > 0 && key.p[0] == '$' &&
           (str_eq(key, DIRECTIVE) || str_eq(key, RETAIN_KEYS) || str_starts(key, DELETE_FROM) ||
            str_starts(key, ORDER_OF));
}

static struct str directive_of(const struct json *obj) { return json_str(json_get(obj, DIRECTIVE)); }

/* ---- taking over what is new ---------------------------------------------------------------------- */

/* A copy without nulls and directives; NULL when nothing is to be taken over. */
static struct json *clean_copy(struct merge *m, const struct json *j)
{
    struct json *to;

    if (j->type == JSON_NULL)
        return NULL;
    if (j->type < JSON_ARRAY)
        return json_copy(m->arena, j);
    to = json_new(m->arena, (enum json_type)j->type);
    json_each(v, j) {
        bool element = j->type == JSON_ARRAY;
        struct json *copy;

        if (element ? directive_of(v).n > 0 && !str_is(directive_of(v), "merge") : is_directive(v->key))
            continue;
        copy = clean_copy(m, v);
        if (copy != NULL)
            json_append(to, v->key, copy);
    }
    return to;
}

/* Put a value where a member is; the member keeps its name and place. */
static void replace(struct json *member, const struct json *v)
{
    struct json *next = member->next;
    struct str key = member->key;

    *member = *v;
    member->key = key;
    member->next = next;
}

static void set_null(struct json *member)
{
    member->type = JSON_NULL;
    member->n = 0;
}

/* ---- lists ---------------------------------------------------------------------------------------- */

struct item {
    struct json *v;
    const struct json *key;                      /* its merge key's value; itself in lists of plain values */
    /* place in the list as it was and in the patch's order; -1 none */
    long server, patch;
    uint32_t same;                               /* next item with an equal hash, index + 1 */
    bool gone;
};

struct items {
    struct merge *m;
    const struct schema_field *field;
    struct item *at; uint32_t n, cap;
    uint32_t *slots, mask;                       /* index + 1 of the first item of each hash */
};

static const struct json *key_of(const struct schema_field *f, const struct json *v)
{
    return f->merge_key != NULL ? json_getz(v, f->merge_key) : v;
}

static uint32_t hash_of(const struct json *key)
{
    return key->type == JSON_STRING || key->type == JSON_NUMBER ? (uint32_t)str_hash(key->s) : key->boolean;
}

static void items_init(struct items *l, struct merge *m, const struct schema_field *f, size_t max)
{
    uint32_t size = 16;

    while (size < 2 * max)
        size *= 2;
    *l = (struct items){ .m = m, .field = f, .cap = (uint32_t)max, .mask = size - 1 };
    l->at = arena_alloc(m->arena, max * sizeof(*l->at));
    l->slots = arena_zalloc(m->arena, size * sizeof(*l->slots));
}

static void link_item(struct items *l, struct item *i)
{
    uint32_t *slot;

    if (i->key == NULL)
        return;
    slot = &l->slots[hash_of(i->key) & l->mask];
    i->same = *slot;
    *slot = (uint32_t)(i - l->at) + 1;
}

static struct item *new_item(struct items *l, struct json *v, long server)
{
    struct item *i = &l->at[l->n];

    must(l->n < l->cap);
    *i = (struct item){ .v = v, .key = key_of(l->field, v), .server = server, .patch = -1 };
    l->n++;
    return i;
}

/* The list as it is.  Linked from the back, so that of equal keys the first is found first. */
static void items_fill(struct items *l, struct json *list)
{
    long place = 0;

    json_each(v, list)
        new_item(l, v, place++);
    for (uint32_t k = l->n; k > 0; k--)
        link_item(l, &l->at[k - 1]);
}

static struct item *items_add(struct items *l, struct json *v)
{
    struct item *i = new_item(l, v, -1);

    link_item(l, i);
    return i;
}

/* The next item with this key after `from` (NULL: the first). */
static struct item *items_find(struct items *l, const struct json *key, struct item *from)
{
    uint32_t at = from != NULL ? from->same : l->slots[hash_of(key) & l->mask];

    for (; at != 0; at = l->at[at - 1].same)
        if (json_equal(l->at[at - 1].key, key))
            return &l->at[at - 1];
    return NULL;
}

/* Those with this key are no longer part of the list, nor found. */
static void items_drop(struct items *l, const struct json *key)
{
    uint32_t *link = &l->slots[hash_of(key) & l->mask];

    while (*link != 0) {
        struct item *i = &l->at[*link - 1];

        if (json_equal(i->key, key)) {
            i->gone = true;
            *link = i->same;
        } else {
            link = &i->same;
        }
    }
}

static void items_clear(struct items *l)
{
    for (uint32_t k = 0; k < l->n; k++)
        l->at[k].gone = true;
    memset(l->slots, 0, (l->mask + 1) * sizeof(*l->slots));
}

static int by_patch(const void *x, const void *y)
{
    const struct item *a = *(struct item *const *)x, *b = *(struct item *const *)y;

    if (a->patch != b->patch)
        return a->patch < b->patch ? -1 : 1;
    return (a > b) - (a < b);
}

/* The list anew: what the patch orders (left) and what only the server has (right), each in its order;
 * where both were in the list before, as they stood there; else left first. */
static void items_write(struct items *l, struct json *list)
{
    struct item **left = arena_alloc(l->m->arena, 2 * l->n * sizeof(*left)), **right = left + l->n;
    uint32_t nl = 0, nr = 0, i = 0, j = 0;

    for (uint32_t k = 0; k < l->n; k++) {
        if (l->at[k].gone)
            continue;
        if (l->at[k].patch >= 0)
            left[nl++] = &l->at[k];
        else
            right[nr++] = &l->at[k];
    }
    qsort(left, nl, sizeof(*left), by_patch);
    list->first = list->last = NULL;
    list->n = 0;
    while (i < nl || j < nr) {
        bool take_right = i == nl || (j < nr && left[i]->server >= 0 && right[j]->server >= 0
                                      && right[j]->server < left[i]->server);
        json_append(list, STR_NONE, take_right ? right[j++]->v : left[i++]->v);
    }
}

/* What an element of the patch says about the list rather than of itself.  1: it was such a directive. */
static int element_directive(struct items *l, const struct json *v, bool *ret_replace)
{
    struct str directive = directive_of(v);
    const struct json *key;

    if (json_get(v, DIRECTIVE) == NULL)
        return 0;
    if (str_is(directive, "replace")) {
        *ret_replace = true;
        return 1;
    }
    if (!str_is(directive, "delete"))
        return bad(l->m, "unknown patch type found", directive);
    key = key_of(l->field, v);
    if (key == NULL)
        return bad(l->m, "map does not contain declared merge key", str_of(l->field->merge_key));
    if (key->type >= JSON_ARRAY)
        return bad(l->m, "a merge key must be a plain value", str_of(l->field->merge_key));
    items_drop(l, key);
    return 1;
}

static int check_element(struct items *l, const struct json *v)
{
    const char *key = l->field->merge_key;

    if (key == NULL)
        return v->type < JSON_ARRAY && v->type != JSON_NULL
                   ? 0
                   : bad(l->m, "a plain value is expected in the list", l->field->name);
    if (v->type != JSON_OBJECT)
        return bad(l->m, "an object is expected in the list", l->field->name);
    if (json_get(v, DIRECTIVE) == NULL && json_getz(v, key) == NULL)
        return bad(l->m, "map does not contain declared merge key", str_of(key));
    if (json_getz(v, key) != NULL &&
        (json_getz(v, key)->type >= JSON_ARRAY || json_getz(v, key)->type == JSON_NULL))
        return bad(l->m, "a merge key must be a plain value", str_of(key));
    return 0;
}

/* One element of the patch: merged into the one with its key, or added. */
static int merge_element(struct items *l, const struct json *v, long place)
{
    struct item *i = items_find(l, key_of(l->field, v), NULL);
    int rc;

    if (i == NULL) {
        i = items_add(l, clean_copy(l->m, v));
    } else if (l->field->merge_key != NULL) {
        rc = merge_object(l->m, (struct shape){ l->field->type, NULL }, i->v, v);
        if (rc < 0)
            return rc;
        i->key = key_of(l->field, i->v);
    }
    if (i->patch < 0)
        i->patch = place;
    return 0;
}

static int merge_elements(struct items *l, const struct json *patch)
{
    bool replace_all = false;
    long place = 0;
    int rc;

    json_each(v, patch) {
        if ((rc = check_element(l, v)) < 0 || (rc = element_directive(l, v, &replace_all)) < 0)
            return rc;
    }
    if (replace_all)
        items_clear(l);
    json_each(v, patch) {
        if (v->type == JSON_OBJECT && json_get(v, DIRECTIVE) != NULL)
            continue;
        if ((rc = merge_element(l, v, place++)) < 0)
            return rc;
    }
    return 0;
}

/* The patch's elements must stand in the order that $setElementOrder asks for. */
static int check_order(struct items *l, const struct json *patch, const struct json *order)
{
    const struct json *at = json__first(order);

    json_each(v, patch) {
        const struct json *key = key_of(l->field, v);

        if (v->type == JSON_OBJECT && json_get(v, DIRECTIVE) != NULL)
            continue;
        while (at != NULL && (key_of(l->field, at) == NULL || !json_equal(key_of(l->field, at), key)))
            at = at->next;
        if (at == NULL)
            return bad(l->m, "the order in the patch list doesn't match $setElementOrder", l->field->name);
        at = at->next;
    }
    return 0;
}

static int apply_order(struct items *l, const struct json *order)
{
    long place = 0;

    for (uint32_t k = 0; k < l->n; k++)
        l->at[k].patch = -1;
    json_each(v, order) {
        const struct json *key = key_of(l->field, v);

        if (key == NULL || key->type >= JSON_ARRAY)
            return bad(l->m, "$setElementOrder without the merge key", l->field->name);
        if (items_find(l, key, NULL) != NULL && items_find(l, key, NULL)->patch >= 0)
            continue;                            /* named twice: the first place counts */
        for (struct item *i = items_find(l, key, NULL); i != NULL; i = items_find(l, key, i))
            if (i->patch < 0)
                i->patch = place;
        place++;
    }
    return 0;
}

/* patch and order: either may be NULL.  cur: the list as it is, changed in place. */
static int merge_list(struct merge *m, const struct schema_field *f, struct json *cur,
                      const struct json *patch, const struct json *order)
{
    struct items l;
    int rc;

    items_init(&l, m, f, (size_t)cur->n + (patch != NULL ? patch->n : 0));
    items_fill(&l, cur);
    if (patch != NULL && (rc = merge_elements(&l, patch)) < 0)
        return rc;
    if (order != NULL && ((rc = check_order(&l, patch, order)) < 0 || (rc = apply_order(&l, order)) < 0))
        return rc;
    items_write(&l, cur);
    return 0;
}

static void delete_values(struct merge *m, const struct schema_field *f, struct json *cur,
                          const struct json *values)
{
    struct items l;

    items_init(&l, m, f, cur->n);
    items_fill(&l, cur);
    json_each(v, values)
        if (v->type < JSON_ARRAY)
            items_drop(&l, v);
    items_write(&l, cur);
}

/* ---- objects -------------------------------------------------------------------------------------- */

static const struct schema_field *field_of(struct shape shape, struct str name)
{
    return shape.type != NULL ? schema_field(shape.type, name) : NULL;
}

static bool is_merge_list(const struct schema_field *f)
{
    return f != NULL && (f->flags & SCHEMA_PATCH_MERGE) && f->shape == SCHEMA_LIST;
}

/* Both are objects. */
static int merge_inner(struct merge *m, struct shape shape, struct json *cur, const struct json *patch)
{
    const struct schema_field *f = field_of(shape, patch->key);
    struct shape inner = { NULL, NULL };

    if (f != NULL && (f->flags & SCHEMA_PATCH_REPLACE)) {
        replace(cur, clean_copy(m, patch));
        return 0;
    }
    if (f != NULL && f->shape == SCHEMA_ONE && f->base != SCHEMA_OBJECT) {       /* free-form JSON */
        replace(cur, merge_patch_apply(m->arena, cur, patch));
        return 0;
    }
    if (f != NULL && f->shape == SCHEMA_MAP)
        inner.element = f;
    else if (f != NULL)
        inner.type = f->type;
    else if (shape.element != NULL)
        inner.type = shape.element->type;
    return merge_object(m, inner, cur, patch);
}

static int merge_member(struct merge *m, struct shape shape, struct json *cur, const struct json *patch)
{
    const struct schema_field *f = field_of(shape, patch->key);

    if (cur->type == JSON_OBJECT && patch->type == JSON_OBJECT)
        return merge_inner(m, shape, cur, patch);
    if (cur->type == JSON_ARRAY && patch->type == JSON_ARRAY && is_merge_list(f))
        return merge_list(m, f, cur, patch, NULL);
    replace(cur, clean_copy(m, patch));
    return 0;
}

static int retain_keys(struct merge *m, struct json *cur, const struct json *patch, const struct json *keys)
{
    struct json set = { .type = JSON_OBJECT };
    struct json_index ix;

    if (!json_is(keys, JSON_ARRAY))
        return bad(m, "a list is expected", RETAIN_KEYS);
    json_index_make(m->arena, &ix, &set, keys->n);
    json_each(k, keys) {
        struct json *member = json_null(m->arena);

        if (k->type != JSON_STRING)
            return bad(m, "a list of strings is expected", RETAIN_KEYS);
        member->key = k->s;
        if (json_index_add(&ix, member) == NULL)
            json_append(&set, k->s, member);
    }
    json_each(v, patch)
        if (!is_directive(v->key) && json_index_get(&ix, v->key) == NULL)
            return bad(m, "not in the $retainKeys of its object", v->key);
    json_each(v, cur)
        if (json_index_get(&ix, v->key) == NULL)
            set_null(v);
    return 0;
}

/* "$setElementOrder/x": x of the patch, if any, is merged here too. */
static int order_member(struct merge *m, struct shape shape, struct json *cur, struct json_index *ix,
                        const struct json *patch, const struct json *directive)
{
    struct str name = str_from(directive->key, ORDER_OF.n);
    const struct schema_field *f = field_of(shape, name);
    struct json *list = json_index_get(ix, name);
    const struct json *change = json_get(patch, name);

    if (!is_merge_list(f))
        return bad(m, "not a list that is merged", name);
    if (directive->type != JSON_ARRAY ||
        (change != NULL && change->type != JSON_ARRAY && change->type != JSON_NULL))
        return bad(m, "a list is expected", name);
    if (json_is(change, JSON_NULL) || (change == NULL && !json_is(list, JSON_ARRAY)))
        return 0;
    if (list == NULL) {
        list = json_array(m->arena);
        json_append(cur, f->name, list);
        json_index_add(ix, list);
    } else if (list->type != JSON_ARRAY) {
        replace(list, json_array(m->arena));
    }
    return merge_list(m, f, list, change, directive);
}

static int delete_from_member(struct merge *m, struct shape shape, struct json_index *ix,
                              const struct json *directive)
{
    struct str name = str_from(directive->key, DELETE_FROM.n);
    const struct schema_field *f = field_of(shape, name);
    struct json *list = json_index_get(ix, name);

    if (!is_merge_list(f) || f->merge_key != NULL)
        return bad(m, "not a list of plain values that is merged", name);
    if (directive->type != JSON_ARRAY)
        return bad(m, "a list is expected", directive->key);
    if (json_is(list, JSON_ARRAY))
        delete_values(m, f, list, directive);
    return 0;
}

/* One member of the patch that is no directive. */
static int apply_member(struct merge *m, struct shape shape, struct json *cur, struct json_index *ix,
                        const struct json *v)
{
    struct json *was = json_index_get(ix, v->key), *copy;

    if (was != NULL && was->type != JSON_NULL) {
        if (v->type != JSON_NULL)
            return merge_member(m, shape, was, v);
        set_null(was);
        return 0;
    }
    copy = clean_copy(m, v);
    if (copy == NULL)
        return 0;
    if (was != NULL) {
        replace(was, copy);
    } else {
        json_append(cur, v->key, copy);
        json_index_add(ix, copy);
    }
    return 0;
}

/* Whether the list was merged with its order already. */
static bool has_order(struct shape shape, const struct json *patch, bool any, struct str name)
{
    if (any && is_merge_list(field_of(shape, name)))
        json_each(v, patch)
            if (str_starts(v->key, ORDER_OF) && str_eq(str_from(v->key, ORDER_OF.n), name))
                return true;
    return false;
}

/* $patch of an object.  1: it is done with. */
static int object_directive(struct merge *m, struct json *cur, const struct json *patch)
{
    const struct json *directive = json_get(patch, DIRECTIVE);
    struct json *with;

    if (directive == NULL)
        return 0;
    if (str_is(json_str(directive), "replace"))
        with = clean_copy(m, patch);
    else if (str_is(json_str(directive), "delete"))
        with = json_object(m->arena);
    else
        return bad(m, "unknown patch type found", json_str(directive));
    replace(cur, with);
    return 1;
}

static int merge_object(struct merge *m, struct shape shape, struct json *cur, const struct json *patch)
{
    const struct json *keys = json_get(patch, RETAIN_KEYS);
    struct json_index ix;
    bool orders = false;
    int rc = object_directive(m, cur, patch);

    if (rc != 0)
        return rc < 0 ? rc : 0;
    if (keys != NULL && (rc = retain_keys(m, cur, patch, keys)) < 0)
        return rc;
    json_index_make(m->arena, &ix, cur, patch->n);
    json_each(v, patch)
        if (shape.type != NULL && str_starts(v->key, ORDER_OF)) {
            orders = true;
            if ((rc = order_member(m, shape, cur, &ix, patch, v)) < 0)
                return rc;
        }
    json_each(v, patch) {
        if (shape.type != NULL && str_starts(v->key, DELETE_FROM))
            rc = delete_from_member(m, shape, &ix, v);
        else if (!is_directive(v->key) && !(v->type == JSON_ARRAY && has_order(shape, patch, orders, v->key)))
            rc = apply_member(m, shape, cur, &ix, v);
        if (rc < 0)
            return rc;
    }
    json_sweep_nulls(cur);
    return 0;
}

int schema_strategic_merge(const struct schema_type *t, struct json *cur, const struct json *patch,
                           struct arena *a, struct json **ret, struct errbuf *err)
{
    struct merge m = { a, err };
    int rc;

    if (!json_is(cur, JSON_OBJECT) || !json_is(patch, JSON_OBJECT))
        return err_set(err, E_INVALID, "a strategic merge patch and what it changes must be objects");
    rc = merge_object(&m, (struct shape){ t, NULL }, cur, patch);
    if (rc < 0)
        return rc;
    *ret = cur;
    return 0;
}
