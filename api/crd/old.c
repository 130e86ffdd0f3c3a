/* api/crd/old.c: which element of an old list is the one with the same keys.
 *
 * Mostly the next one.  A long list whose order changed is indexed by hash, once: never quadratic. */
#include <stdlib.h>
#include "api/crd/rules.h"
#include "api/schema_impl.h"

#define SCAN_MAX 16                              /* shorter lists are searched from the start */

struct crd_indexed { uint64_t hash; const struct json *v; };

struct crd_olds crd_olds_of(const struct schema_field *f, const struct json *old, struct arena *a)
{
    bool told = f->list_type == SCHEMA_BY_KEYS && json_is(old, JSON_ARRAY);

    return (struct crd_olds){ .f = f, .list = told ? old : NULL, .next = told ? json__first(old) : NULL,
                              .arena = a };
}

static int by_hash(const void *x, const void *y)
{
    const struct crd_indexed *a = x, *b = y;

    return (a->hash > b->hash) - (a->hash < b->hash);
}

static void make_index(struct crd_olds *o)
{
    o->index = arena_alloc(o->arena, o->list->n * sizeof(*o->index));
    json_each(v, o->list)
        o->index[o->n++] = (struct crd_indexed){ schema__hash_keys(o->f, v), v };
    qsort(o->index, o->n, sizeof(*o->index), by_hash);
}

static const struct json *find_indexed(struct crd_olds *o, const struct json *e)
{
    struct crd_indexed want = { schema__hash_keys(o->f, e), e }, *at;

    if (o->index == NULL)
        make_index(o);
    at = bsearch(&want, o->index, o->n, sizeof(want), by_hash);
    return at != NULL && schema__same_keys(o->f, at->v, e) ? at->v : NULL;
}

static const struct json *find(struct crd_olds *o, const struct json *e)
{
    if (o->list->n > SCAN_MAX)
        return find_indexed(o, e);
    json_each(v, o->list)
        if (schema__same_keys(o->f, v, e))
            return v;
    return NULL;
}

const struct json *crd_old_element(struct crd_olds *o, const struct json *e)
{
    const struct json *found;

    if (o->list == NULL)
        return NULL;
    found = o->next != NULL && schema__same_keys(o->f, o->next, e) ? o->next : find(o, e);
    o->next = found != NULL ? found->next : NULL;
    return found;
}
