/* store/view.c: reading: views, pins of the present and the past, cursors. */
#include "store/limits.h"
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

/* What is nearest to rev and not before it: a view, or the present; *ret_at: where its successor is linked. */
static const struct image *nearest(struct store *s, uint64_t rev, struct qlink **ret_at)
{
    struct qlink *at = *ret_at = view_not_before(s, rev);
    struct store_view *v;

    if (at == &s->pins)
        return &s->state.now;
    v = qentry(at, struct store_view, link);
    return v->image->rev >= s->state.log.trimmed_rev ? v->image : &s->state.now;
}

/* The view of this revision, if there is one; a reference is the caller's. */
static struct store_view *view_of(struct store *s, uint64_t rev)
{
    struct qlink *at = view_not_before(s, rev);
    struct store_view *v = at != &s->pins ? qentry(at, struct store_view, link) : NULL;

    return v != NULL && v->image->rev == rev ? view_again(v) : NULL;
}

static struct store_view *view_add(struct store *s, const struct image *image)
{
    struct qlink *at = view_not_before(s, image->rev);
    struct store_view *v = view_new(s, image);

    qpush_front(at, &v->link);                   /* behind the one that is newer */
    return v;
}

int store_pin_at(struct store *s, uint64_t rev, struct store_view **ret)
{
    struct store_view *v;
    struct image image;
    struct qlink *at;
    int rc;

    if (rev > s->state.now.rev)
        return E_FUTURE;
    v = view_of(s, rev);
    if (v == NULL) {
        rc = state_rewind(&s->state, nearest(s, rev, &at), rev, &image);
        if (rc != 0)
            return rc;
        v = view_add(s, &image);
    }
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

/* ---- the far past, in slices ---------------------------------------------------------------------- */

bool store_pin_is_near(struct store *s, uint64_t rev)
{
    struct qlink *at;
    const struct image *from;

    if (rev >= s->state.now.rev || rev < s->state.log.trimmed_rev || rev < s->state.now.compacted)
        return true;
    from = nearest(s, rev, &at);
    return from->rev == rev || state_rewind_cost(&s->state, from, rev) <= STORE_REWIND_AT_ONCE;
}

/* The first one's turn is over; v: what it asked for, kept for as long as it is told. */
static void rewind_settle(struct store *s, int err, struct store_view *v)
{
    struct store_rewind *w = qentry(qpop(&s->rewinds), struct store_rewind, link);

    w->done(w, err);
    store_unpin(v);
}

static int rewind_slice(struct store *s)
{
    uint64_t until = loop_hires_ns(s->loop) + STORE_REWIND_SLICE_NS;
    int rc;

    do
        rc = state_rewind_some(&s->state, &s->winding, STORE_REWIND_AT_ONCE / 8);
    while (rc == E_AGAIN && loop_hires_ns(s->loop) < until);
    return rc;
}

static void rewind_stop(struct store *s)
{
    if (s->is_winding)
        image_release(&s->winding.image);
    s->is_winding = false;
    store__tidy_soon(s);
}

static void store_on_rewind(struct ready_item *it)
{
    struct store *s = container_of(it, struct store, rewind);
    struct store_rewind *first;
    struct qlink *at;
    int rc = 0;

    if (qempty(&s->rewinds)) {                   /* the last one did not wait */
        rewind_stop(s);
        return;
    }
    first = qentry(qfirst(&s->rewinds), struct store_rewind, link);
    if (s->is_winding && s->winding.rev != first->rev)
        rewind_stop(s);
    if (!s->is_winding && store_pin_is_near(s, first->rev)) {
        rewind_settle(s, 0, NULL);
    } else if (!s->is_winding) {
        rc = state_rewind_begin(&s->state, nearest(s, first->rev, &at), first->rev, &s->winding);
        must(rc == 0);                           /* it is not near, so it is there */
        s->is_winding = true;
    } else if ((rc = rewind_slice(s)) == 0) {
        s->is_winding = false;
        rewind_settle(s, 0, view_add(s, &s->winding.image));
    } else if (rc != E_AGAIN) {
        rewind_stop(s);
        rewind_settle(s, rc, NULL);
    }
    if (!qempty(&s->rewinds) || s->is_winding)
        ready_post(s->loop, &s->rewind);
}

void store_rewind(struct store *s, struct store_rewind *w, uint64_t rev)
{
    must(w->done != NULL && rev > 0);
    w->rev = rev;
    qinit(&w->link);
    qpush(&s->rewinds, &w->link);
    ready_post(s->loop, &s->rewind);
}

void store_rewind_cancel(struct store_rewind *w) { qdel(&w->link); }

void store__rewind_init(struct store *s)
{
    qinit(&s->rewinds);
    ready_init(&s->rewind, store_on_rewind);
}

void store__rewind_close(struct store *s)
{
    while (!qempty(&s->rewinds))
        rewind_settle(s, E_CLOSED, NULL);
    ready_cancel(&s->rewind);
    if (s->is_winding)
        image_release(&s->winding.image);
    s->is_winding = false;
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
