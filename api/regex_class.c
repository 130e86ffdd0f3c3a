/* api/regex_class.c: sets of code points: ranges gathered, folded, negated, and made fast to look into. */
#include <stdlib.h>
#include "api/regex_impl.h"
#include "api/regex_unicode.h"

void regex_set_add(struct regex_set *s, uint32_t lo, uint32_t hi)
{
    must(lo <= hi && hi <= REGEX_MAX_RUNE);
    if (s->n == s->cap) {
        unsigned            cap = s->cap == 0 ? 4 : s->cap * 2;
        struct regex_range *more = arena_alloc(s->arena, cap * sizeof *more);
        if (s->n > 0)
            memcpy(more, s->range, s->n * sizeof *more);
        s->range = more;
        s->cap = cap;
    }
    s->range[s->n++] = (struct regex_range){ lo, hi };
}

static int range_order(const void *x, const void *y)
{
    const struct regex_range *a = x, *b = y;

    return (a->lo > b->lo) - (a->lo < b->lo);
}

static void set_tidy(struct regex_set *s)
{
    unsigned kept = 0;

    if (s->n == 0)
        return;
    qsort(s->range, s->n, sizeof *s->range, range_order);
    for (unsigned i = 1; i < s->n; i++) {
        if (s->range[i].lo > s->range[kept].hi + 1)
            s->range[++kept] = s->range[i];
        else
            s->range[kept].hi = MAX_OF(s->range[kept].hi, s->range[i].hi);
    }
    s->n = kept + 1;
}

void regex_set_negate(struct regex_set *s)
{
    struct regex_set out = { .arena = s->arena };
    uint32_t         from = 0;

    set_tidy(s);
    for (unsigned i = 0; i < s->n; i++) {
        if (s->range[i].lo > from)
            regex_set_add(&out, from, s->range[i].lo - 1);
        from = s->range[i].hi + 1;
    }
    if (from <= REGEX_MAX_RUNE)
        regex_set_add(&out, from, REGEX_MAX_RUNE);
    *s = out;
}

/* Each row of the table pairs a stretch of code points with the stretch of their other case. */
static void fold_with(struct regex_set *s, const struct regex_case *c, struct regex_range r)
{
    for (int side = 0; side < 2; side++) {
        uint32_t base = side == 0 ? c->lower : c->upper, other = side == 0 ? c->upper : c->lower;
        uint32_t last = base + (c->n - 1u) * c->step;
        uint32_t lo = MAX_OF(r.lo, base), hi = MIN_OF(r.hi, last);

        if (lo > hi)
            continue;
        if (c->step == 1) {
            regex_set_add(s, other + (lo - base), other + (hi - base));
            continue;
        }
        for (uint32_t at = base + (lo - base + c->step - 1) / c->step * c->step; at <= hi; at += c->step)
            regex_set_add(s, other + (at - base), other + (at - base));
    }
}

void regex_set_fold(struct regex_set *s)
{
    unsigned before = 0;

    /* Twice: s and U+017F meet in S, k and U+212A in K. */
    for (int round = 0; round < 2; round++) {
        unsigned n = s->n;
        for (unsigned i = before; i < n; i++)
            for (unsigned k = 0; k < regex_n_cases; k++)
                fold_with(s, &regex_cases[k], s->range[i]);
        before = n;
    }
}

const struct regex_class *regex_set_class(struct regex_set *s)
{
    struct regex_class *c = arena_new(s->arena, struct regex_class);

    set_tidy(s);
    c->range = s->range;
    c->n = s->n;
    for (unsigned i = 0; i < s->n; i++)
        for (uint32_t r = s->range[i].lo; r < 128 && r <= s->range[i].hi; r++)
            c->ascii[r >> 6] |= (uint64_t)1 << (r & 63);
    return c;
}

bool regex_class_has(const struct regex_class *c, uint32_t rune)
{
    unsigned lo = 0, hi = c->n;

    while (lo < hi) {
        unsigned mid = (lo + hi) / 2;
        if (c->range[mid].hi < rune)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < c->n && c->range[lo].lo <= rune;
}

/* ---- By name ------------------------------------------------------------------------------------------ */

static const struct { const char *name; struct regex_range range[4]; } posix_classes[] = {
    { "alnum", { { '0', '9' }, { 'A', 'Z' }, { 'a', 'z' } } },
    { "alpha", { { 'A', 'Z' }, { 'a', 'z' } } },
    { "ascii", { { 0, 0x7f } } },
    { "blank", { { '\t', '\t' }, { ' ', ' ' } } },
    { "cntrl", { { 0, 0x1f }, { 0x7f, 0x7f } } },
    { "digit", { { '0', '9' } } },
    { "graph", { { '!', '~' } } },
    { "lower", { { 'a', 'z' } } },
    { "print", { { ' ', '~' } } },
    { "punct", { { '!', '/' }, { ':', '@' }, { '[', '`' }, { '{', '~' } } },
    { "space", { { '\t', '\r' }, { ' ', ' ' } } },
    { "upper", { { 'A', 'Z' } } },
    { "word", { { '0', '9' }, { 'A', 'Z' }, { '_', '_' }, { 'a', 'z' } } },
    { "xdigit", { { '0', '9' }, { 'A', 'F' }, { 'a', 'f' } } },
    /* Perl's, which lacks the vertical tab that [:space:] has. */
    { "\\s", { { '\t', '\n' }, { '\f', '\r' }, { ' ', ' ' } } },
};

static void add_set(struct regex_set *s, struct regex_set *part, bool negated)
{
    if (negated)
        regex_set_negate(part);
    for (unsigned i = 0; i < part->n; i++)
        regex_set_add(s, part->range[i].lo, part->range[i].hi);
}

bool regex_set_add_posix(struct regex_set *s, struct str name, bool negated)
{
    struct regex_set part = { .arena = s->arena };

    for (size_t i = 0; i < ARRAY_LEN(posix_classes); i++) {
        if (!str_is(name, posix_classes[i].name))
            continue;
        for (int k = 0; k < 4 && (k == 0 || posix_classes[i].range[k].hi > 0); k++)
            regex_set_add(&part, posix_classes[i].range[k].lo, posix_classes[i].range[k].hi);
        add_set(s, &part, negated);
        return true;
    }
    return false;
}

bool regex_set_add_perl(struct regex_set *s, char letter)
{
    switch (letter) {
    case 'd': case 'D': return regex_set_add_posix(s, STR("digit"), letter == 'D');
    case 's': case 'S': return regex_set_add_posix(s, STR("\\s"), letter == 'S');
    case 'w': case 'W': return regex_set_add_posix(s, STR("word"), letter == 'W');
    default:            return false;
    }
}

bool regex_set_add_unicode(struct regex_set *s, struct str name, bool negated, bool fold)
{
    struct regex_set part = { .arena = s->arena };

    if (str_is(name, "Any"))
        regex_set_add(&part, 0, REGEX_MAX_RUNE);
    else if (!regex_unicode_add(&part, name))
        return false;
    if (fold) {
        set_tidy(&part);
        regex_set_fold(&part);
    }
    add_set(s, &part, negated);
    return true;
}
