/* store/view.c: reading: views, pins of the present and the past, cursors. */
#include "store/store_impl.h"

struct store_view *store_live(struct store *s)
{
    return &s->live;
}

/* A new view that takes over the image. */
static struct store_view *view_new(struct store *s, const struct image *image)
{
    struct store_view *v = mem_new(struct store_view);

    v->store = s;
    v->pinned = *image;
    v->image = &v->pinned;
    v->refs = 1;
    s->n_pins++;
    return v;
}

/* The oldest view that is not before rev (its link; &s->pins: none), which may be the one of rev itself. */
static struct qlink *view_not_before(struct store *s, uint64_t rev)
{
    struct qlink *at = s->pins.prev;             /* oldest first: the past is what is looked for */

    if (!qempty(&s->pins) && qentry(qfirst(&s->pins), struct store_view, link)->image->rev <= rev)
        at = qfirst(&s->pins);                   /* or else the present */
    while (at != &s->pins && qentry(at, struct store_view, link)->image->rev < rev)
        at = at->prev;
    return at;
}

static struct store_view *view_again(struct store_view *v)
{
    must(v->refs > 0 && v->refs < UINT32_MAX);
    v->refs++;
    return v;
}

struct store_view *store_pin(struct store *s)
{
    struct store_view *v;

    must(store_pin_at(s, s->state.now.rev, &v) == 0);
    return v;
}

int store_pin_at(struct store *s, uint64_t rev, struct store_view **ret)
{
    struct qlink       *at = view_not_before(s, rev);
    const struct image *from = &s->state.now;
    struct store_view  *v;
    struct image        image;
    int rc;

    if (rev > s->state.now.rev)
        return E_FUTURE;
    if (at != &s->pins) {
        v = qentry(at, struct store_view, link);
        if (v->image->rev == rev) {
            *ret = view_again(v);
            return 0;
        }
        if (v->image->rev >= s->state.log.trimmed_rev)
            from = v->image;                     /* nearer than the present */
    }
    rc = state_rewind(&s->state, from, rev, &image);
    if (rc != 0)
        return rc;
    v = view_new(s, &image);
    qpush_front(at, &v->link);                   /* behind the one that is newer */
    *ret = v;
    return 0;
}

void store_unpin(struct store_view *v)
{
    struct store *s;

    if (v == NULL)
        return;
    s = v->store;
    must(v->refs > 0);
    if (--v->refs > 0)
        return;
    qdel(&v->link);
    must(s->n_pins > 0);
    s->n_pins--;
    image_release(&v->pinned);
    mem_free(v);
    store__tidy_soon(s);
}

uint64_t store_view_revision(const struct store_view *v)
{
    return v->image->rev;
}

bool store_get(struct store_view *v, struct str key, struct store_kv *ret)
{
    const struct btree_item *it = btree_get(&v->image->keys, key);

    if (it != NULL)
        state_kv(it, ret);
    return it != NULL;
}

uint64_t store_count(struct store_view *v, struct str from, struct str to)
{
    return btree_count(&v->image->keys, from, to);
}

void store_seek(struct store_cursor *c, struct store_view *v, struct str from, struct str to)
{
    btree_seek(&c->at, &v->image->keys, from);
    c->to = to;
}

bool store_next(struct store_cursor *c, struct store_kv *ret)
{
    const struct btree_item *it = btree_next(&c->at);

    if (it == NULL || (c->to.n > 0 && str_cmp(blob_str(it->key), c->to) >= 0)) {
        c->at.depth = 0;                         /* stays at the end */
        return false;
    }
    state_kv(it, ret);
    return true;
}

struct str store_prefix_end(struct arena *a, struct str prefix)
{
    struct str end;

    while (prefix.n > 0 && (unsigned char)prefix.p[prefix.n - 1] == 0xff)
        prefix.n--;
    if (prefix.n == 0)
        return STR_NONE;
    end = arena_str(a, prefix);
    ((char *)(void *)(uintptr_t)end.p)[end.n - 1]++;
    return end;
}
