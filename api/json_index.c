/* api/json_index.c: an open-addressing table over the members of one object. */
#include "api/json_index.h"

void json_index_make(struct arena *a, struct json_index *ret, const struct json *obj, size_t more)
{
    size_t n = (json_is(obj, JSON_OBJECT) ? obj->n : 0) + more, size = 64;

    *ret = (struct json_index){ .obj = obj };
    if (n < JSON_INDEX_FROM)
        return;
    while (size < n * 2)
        size *= 2;
    ret->slots = arena_zalloc(a, size * sizeof ret->slots[0]);
    ret->mask = size - 1;
    json_each(it, obj)
        json_index_add(ret, it);
}

/* The slot with this key, or the free one where it would go. */
static struct json **find_slot(const struct json_index *ix, struct str key)
{
    size_t at = (size_t)str_hash(key) & ix->mask;

    while (ix->slots[at] != NULL && !str_eq(ix->slots[at]->key, key))
        at = (at + 1) & ix->mask;
    return &ix->slots[at];
}

struct json *json_index_get(const struct json_index *ix, struct str key)
{
    return ix->slots != NULL ? *find_slot(ix, key) : json_get(ix->obj, key);
}

struct json *json_index_add(struct json_index *ix, struct json *member)
{
    struct json **slot;

    if (ix->slots == NULL) {
        json_each(it, ix->obj)
            if (it != member && str_eq(it->key, member->key))
                return it;
        return NULL;
    }
    slot = find_slot(ix, member->key);
    if (*slot != NULL)
        return *slot;
    must(ix->used <= ix->mask / 2);
    ix->used++;
    *slot = member;
    return NULL;
}
