/* api/merge_patch.c: JSON merge patch. */
#include "api/merge_patch.h"
#include "api/json_index.h"

/* The patch's value as it is when nothing was there before: without the nulls, which would remove. */
static struct json *copy_without_nulls(struct arena *a, const struct json *patch)
{
    struct json *to, **end;

    if (patch->type != JSON_OBJECT)
        return json_copy(a, patch);              /* nulls within arrays are values */
    to = json_object(a);
    to->key = patch->key;
    end = &to->first;
    json_each(it, patch) {
        if (it->type == JSON_NULL)
            continue;
        to->last = *end = copy_without_nulls(a, it);
        end = &to->last->next;
        to->n++;
    }
    return to;
}

/* Everything but its place among its siblings. */
static void take_value(struct json *to, const struct json *from)
{
    to->type = from->type;
    to->boolean = from->boolean;
    to->n = from->n;
    to->first = from->first;                     /* first and last lie over s: all of it */
    to->last = from->last;
}

/* Members marked with a type outside the enum are unlinked in one pass. */
#define GONE 0xff

static void unlink_gone(struct json *obj)
{
    struct json **at = &obj->first, *last = NULL;

    while (*at != NULL) {
        if ((*at)->type == GONE) {
            *at = (*at)->next;
            obj->n--;
        } else {
            last = *at;
            at = &last->next;
        }
    }
    obj->last = last;
}

static void merge_object(struct arena *a, struct json *target, const struct json *patch)
{
    struct json_index ix;
    bool removed = false;

    json_index_make(a, &ix, target, patch->n);
    json_each(it, patch) {
        struct json *had = json_index_get(&ix, it->key);

        if (had != NULL && it->type == JSON_NULL) {
            had->type = GONE;                    /* a patch names a key once: nobody meets it again */
            removed = true;
        } else if (had != NULL && had->type == JSON_OBJECT && it->type == JSON_OBJECT) {
            merge_object(a, had, it);
        } else if (had != NULL) {
            take_value(had, copy_without_nulls(a, it));
        } else if (it->type != JSON_NULL) {
            struct json *added = copy_without_nulls(a, it);

            *(target->last != NULL ? &target->last->next : &target->first) = added;
            target->last = added;
            target->n++;
        }
    }
    if (removed)
        unlink_gone(target);
}

struct json *merge_patch_apply(struct arena *a, struct json *target, const struct json *patch)
{
    struct json *root;

    if (json_is(patch, JSON_OBJECT) && json_is(target, JSON_OBJECT)) {
        merge_object(a, target, patch);
        return target;
    }
    root = patch != NULL ? copy_without_nulls(a, patch) : json_null(a);
    root->key = STR_NONE;
    return root;
}
