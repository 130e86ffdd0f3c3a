/* test/sim/history.c: see test/sim/history.h. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include "test/sim/history.h"

/* ---- One line: a flat object of texts and numbers --------------------------------------------------- */

enum { F_OP, F_KEY, F_VALUE, F_EXPECT, F_RESULT, F_WATCH, F_EVENT, F_CLIENT, F_TEXTS,
       F_START = F_TEXTS, F_END, F_REV, F_AT, F_FROM, F_SEEN, F_ALL };
static const char *const field_name[F_ALL] = { "op", "key", "value", "expect", "result", "watch", "event", "client",
                                               "start", "end", "rev", "at", "from", "seen" };

struct line { bool has[F_ALL]; uint64_t v[F_ALL]; struct str text[F_TEXTS]; };

/* Texts are compared only, so escapes may stay as they are written. */
static uint64_t text_id(struct str s)
{
    uint64_t h = 0xcbf29ce484222325u;

    for (size_t i = 0; i < s.n; i++)
        h = (h ^ (unsigned char)s.p[i]) * 0x100000001b3u;
    h = (h ^ (h >> 29)) * 0xbf58476d1ce4e5b9u;
    return s.n == 0 ? 0 : h != 0 && h != LINEAR_NEVER ? h : 1;
}

static void blanks(struct str *s)
{
    while (s->n > 0 && (*s->p == ' ' || *s->p == '\t' || *s->p == '\r'))
        *s = str_make(s->p + 1, s->n - 1);
}

static bool take_char(struct str *s, char c)
{
    blanks(s);
    if (s->n == 0 || *s->p != c)
        return false;
    *s = str_make(s->p + 1, s->n - 1);
    return true;
}

static bool take_text(struct str *s, struct str *ret)
{
    size_t n = 0;

    if (!take_char(s, '"'))
        return false;
    while (n < s->n && s->p[n] != '"')
        n += s->p[n] == '\\' ? 2 : 1;
    if (n >= s->n)
        return false;
    *ret = str_make(s->p, n);
    *s = str_make(s->p + n + 1, s->n - n - 1);
    return true;
}

static bool take_number(struct str *s, uint64_t *ret)
{
    uint64_t v = 0;
    size_t n = 0;

    blanks(s);
    for (; n < s->n && s->p[n] >= '0' && s->p[n] <= '9'; n++) {
        if (v > UINT64_MAX / 10 - 1)
            return false;
        v = 10 * v + (uint64_t)(s->p[n] - '0');
    }
    *s = str_make(s->p + n, s->n - n);
    *ret = v;
    return n > 0;
}

static bool take_field(struct str *s, struct line *l)
{
    struct str name;
    unsigned f = 0;

    if (!take_text(s, &name) || !take_char(s, ':'))
        return false;
    while (f < F_ALL && !str_eq(name, str_of(field_name[f])))
        f++;
    if (f == F_ALL || l->has[f])
        return false;
    l->has[f] = true;
    if (f >= F_TEXTS)
        return take_number(s, &l->v[f]);
    if (!take_text(s, &l->text[f]))
        return false;
    l->v[f] = text_id(l->text[f]);
    return true;
}

static bool take_line(struct str s, struct line *l)
{
    *l = (struct line){ .has = { false } };
    if (!take_char(&s, '{'))
        return false;
    do {
        if (!take_field(&s, l))
            return false;
    } while (take_char(&s, ','));
    if (!take_char(&s, '}'))
        return false;
    blanks(&s);
    return s.n == 0;
}

/* ---- What it says ----------------------------------------------------------------------------------- */

static const struct { const char *name; enum linear_kind kind; bool value, expect; } ops[] = {
    { "get", LINEAR_GET, true, false }, { "put", LINEAR_PUT, true, false }, { "cas", LINEAR_CAS, true, true },
    { "create", LINEAR_CAS, true, false }, { "delete", LINEAR_DELETE, false, false },
};
static const char *const results[LINEAR_OUTCOMES] = { "ok", "lost", "unknown", "failed" };

static void *grow(void *p, size_t n, size_t *cap, size_t size)
{
    if (n < *cap)
        return p;
    *cap = *cap > 0 ? 2 * *cap : 256;
    return mem_realloc(p, *cap * size);
}

static const char *add_op(struct history *h, const struct line *l, size_t id)
{
    struct linear_op op = { .key = l->v[F_KEY], .asked = l->v[F_START], .answered = l->has[F_END] ? l->v[F_END] : LINEAR_NEVER,
                            .rev = l->v[F_REV], .at = l->v[F_AT], .id = id };
    size_t k = 0, r = 0;

    while (k < ARRAY_LEN(ops) && !str_eq(l->text[F_OP], str_of(ops[k].name)))
        k++;
    while (r < LINEAR_OUTCOMES && !(l->has[F_RESULT] && str_eq(l->text[F_RESULT], str_of(results[r]))))
        r++;
    if (k == ARRAY_LEN(ops) || r == LINEAR_OUTCOMES)
        return "an op or a result that is not known";
    op.kind = ops[k].kind;
    op.outcome = (enum linear_outcome)r;
    if (!l->has[F_KEY] || !l->has[F_START] || (op.outcome != LINEAR_UNKNOWN && !l->has[F_END]))
        return "key, start or end is missing";
    if (op.answered < op.asked)
        return "it ends before it starts";
    if (ops[k].value && !l->has[F_VALUE] && (op.kind != LINEAR_GET || op.outcome == LINEAR_DONE))
        return "value is missing";
    if (ops[k].expect && !l->has[F_EXPECT])
        return "expect is missing";
    if (op.outcome == LINEAR_LOST && op.kind < LINEAR_CAS)
        return "it has nothing to lose";
    op.seen = op.kind == LINEAR_GET ? l->v[F_VALUE] : l->v[F_EXPECT];
    op.value = op.kind == LINEAR_GET ? 0 : l->v[F_VALUE];
    h->op = grow(h->op, h->n_op, &h->cap_op, sizeof(*h->op));
    h->op[h->n_op++] = op;
    return NULL;
}

static const char *add_watch(struct history *h, const struct line *l, size_t id)
{
    struct history_watch w = { .watch = l->v[F_WATCH], .key = l->v[F_KEY], .value = l->v[F_VALUE], .id = id };

    if (l->has[F_EVENT] + l->has[F_FROM] + l->has[F_SEEN] != 1)
        return "a watch has from, event or seen, one of them";
    w.line = l->has[F_EVENT] ? HISTORY_EVENT : l->has[F_FROM] ? HISTORY_FROM : HISTORY_SEEN;
    w.rev = l->has[F_EVENT] ? l->v[F_REV] : l->has[F_FROM] ? l->v[F_FROM] : l->v[F_SEEN];
    w.deleted = l->has[F_EVENT] && str_eq(l->text[F_EVENT], STR("delete"));
    if (l->has[F_EVENT] && (!l->has[F_KEY] || !l->has[F_REV] || (!w.deleted && !l->has[F_VALUE])))
        return "key, value or rev is missing";
    h->watch = grow(h->watch, h->n_watch, &h->cap_watch, sizeof(*h->watch));
    h->watch[h->n_watch++] = w;
    return NULL;
}

int history_parse(struct history *h, struct str text, struct errbuf *err)
{
    *h = (struct history){ .n_op = 0 };
    for (size_t id = 1; text.n > 0; id++) {
        const char *end = memchr(text.p, '\n', text.n), *wrong = "this is no flat object of known fields";
        struct str s = str_make(text.p, end != NULL ? (size_t)(end - text.p) : text.n), rest = s;
        struct line l;
        text = end != NULL ? str_make(end + 1, text.n - s.n - 1) : STR_NONE;
        blanks(&rest);
        if (rest.n == 0)
            continue;
        if (take_line(s, &l))
            wrong = l.has[F_WATCH] ? add_watch(h, &l, id) : add_op(h, &l, id);
        if (wrong != NULL)
            return err_set(err, E_INVALID, "line %zu: %s", id, wrong);
    }
    return 0;
}

void history_release(struct history *h)
{
    mem_free(h->op);
    mem_free(h->watch);
    *h = (struct history){ .n_op = 0 };
}

/* ---- Watches ------------------------------------------------------------------------------------------ */

/* Writes by revision and key; those of unknown outcome by value, behind. */
struct write { uint64_t rev, key, value; bool deleted; };
struct truth { struct write *w; size_t n; uint64_t *unknown; size_t n_unknown; bool unknown_delete; };

static int by_rev(const void *a, const void *b)
{
    const struct write *x = a, *y = b;

    if (x->rev != y->rev)
        return x->rev < y->rev ? -1 : 1;
    return (x->key > y->key) - (x->key < y->key);
}

static int by_number(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static struct truth truth_of(const struct history *h)
{
    struct truth t = { .w = mem_alloc((h->n_op + 1) * sizeof(*t.w)),
                       .unknown = mem_alloc((h->n_op + 1) * sizeof(*t.unknown)) };

    for (size_t i = 0; i < h->n_op; i++) {
        const struct linear_op *op = &h->op[i];
        bool deletes = op->kind == LINEAR_DELETE || op->value == 0;
        if (op->kind == LINEAR_GET || op->outcome == LINEAR_LOST || op->outcome == LINEAR_FAILED)
            continue;
        if (op->outcome == LINEAR_DONE && op->rev != 0)
            t.w[t.n++] = (struct write){ op->rev, op->key, op->value, deletes };
        else if (deletes)
            t.unknown_delete = true;
        else
            t.unknown[t.n_unknown++] = op->value;
    }
    if (t.n > 0)
        qsort(t.w, t.n, sizeof(*t.w), by_rev);
    if (t.n_unknown > 0)
        qsort(t.unknown, t.n_unknown, sizeof(*t.unknown), by_number);
    return t;
}

/* The first write at or behind (rev, key). */
static size_t truth_seek(const struct truth *t, uint64_t rev, uint64_t key)
{
    struct write to = { .rev = rev, .key = key };
    size_t lo = 0, n = t->n;

    while (n > 0) {
        if (by_rev(&t->w[lo + n / 2], &to) < 0) {
            lo += n / 2 + 1;
            n -= n / 2 + 1;
        } else {
            n /= 2;
        }
    }
    return lo;
}

/* Did this happen, as far as clients know? */
static bool truth_knows(const struct truth *t, const struct history_watch *e)
{
    size_t i = truth_seek(t, e->rev, e->key);

    if (i < t->n && t->w[i].rev == e->rev && t->w[i].key == e->key)
        return t->w[i].deleted == e->deleted && (e->deleted || t->w[i].value == e->value);
    if (e->deleted)
        return t->unknown_delete;
    return t->n_unknown > 0 && bsearch(&e->value, t->unknown, t->n_unknown, sizeof(*t->unknown), by_number) != NULL;
}

struct watching { uint64_t watch, key, from, last_rev; size_t begun; bool any; };

static bool says(char why[256], size_t id, const char *what, uint64_t rev)
{
    snprintf(why, 256, "line %zu: %s (revision %" PRIu64 ")", id, what, rev);
    return false;
}

/* All that was acknowledged in (from, seen] must stand between the lines `begun` and `end`. */
static bool stretch_holds(const struct history *h, const struct truth *t, const struct watching *x, size_t end,
                          char why[256])
{
    uint64_t seen = h->watch[end].rev;
    size_t at = x->begun;

    for (size_t i = truth_seek(t, x->from + 1, 0); i < t->n && t->w[i].rev <= seen; i++) {
        if (x->key != 0 && t->w[i].key != x->key)
            continue;
        bool found = false;
        for (size_t j = at; j < end && !found; j++) {
            const struct history_watch *e = &h->watch[j];
            if (e->watch != x->watch || e->line != HISTORY_EVENT)
                continue;
            if (e->rev < t->w[i].rev)
                at = j;
            else if (e->rev > t->w[i].rev)
                break;
            found = e->rev == t->w[i].rev && e->key == t->w[i].key;
        }
        if (!found)
            return says(why, h->watch[end].id, "by then the watch should have told of a write, and has not", t->w[i].rev);
    }
    return true;
}

/* One watch, from its first line on. */
static bool watch_holds(const struct history *h, const struct truth *t, size_t first, char why[256])
{
    struct watching x = { .watch = h->watch[first].watch };
    uint64_t last_key = 0;

    for (size_t i = first; i < h->n_watch; i++) {
        const struct history_watch *e = &h->watch[i];
        if (e->watch != x.watch)
            continue;
        if (e->line == HISTORY_FROM) {
            x = (struct watching){ .watch = x.watch, .key = e->key, .from = e->rev, .last_rev = e->rev, .begun = i,
                                   .any = true };
            last_key = 0;
            continue;
        }
        if (!x.any)
            return says(why, e->id, "a watch that has not begun", e->rev);
        if (e->line == HISTORY_SEEN) {
            if (!stretch_holds(h, t, &x, i, why))
                return false;
            continue;
        }
        if (x.key != 0 && e->key != x.key)
            return says(why, e->id, "an event of another key than was asked for", e->rev);
        if (e->rev <= x.from || e->rev < x.last_rev || (e->rev == x.last_rev && e->key == last_key))
            return says(why, e->id, "an event out of order, or twice", e->rev);
        if (!truth_knows(t, e))
            return says(why, e->id, "an event that nobody caused, or with another value or revision", e->rev);
        x.last_rev = e->rev;
        last_key = e->key;
    }
    return true;
}

bool history_watches_hold(const struct history *h, char why[256])
{
    struct truth t = truth_of(h);
    bool holds = true;

    for (size_t i = 0; i < h->n_watch && holds; i++) {
        bool first = true;
        for (size_t j = 0; j < i && first; j++)
            first = h->watch[j].watch != h->watch[i].watch;
        if (first)
            holds = watch_holds(h, &t, i, why);
    }
    mem_free(t.w);
    mem_free(t.unknown);
    return holds;
}
