/* api/regex_impl.h: what the files of the regular expressions share: tree, classes, program. */
#ifndef API_REGEX_IMPL_H
#define API_REGEX_IMPL_H

#include "api/regex.h"

#define REGEX_MAX_RUNE 0x10ffffu
#define REGEX_NO_RUNE  UINT32_MAX                /* before the text and after it */

/* ---- Classes: sets of code points ------------------------------------------------------------------- */

struct regex_range { uint32_t lo, hi; };
struct regex_class { uint64_t ascii[2]; unsigned n; struct regex_range *range; };  /* sorted, disjoint */
static inline bool regex_class_ascii(const struct regex_class *c, uint32_t rune)
{
    return (c->ascii[rune >> 6] >> (rune & 63) & 1) != 0;
}
bool regex_class_has(const struct regex_class *c, uint32_t rune);

/* One in the making: any ranges, in any order. */
struct regex_set { struct arena *arena; struct regex_range *range; unsigned n, cap; };
void regex_set_add(struct regex_set *s, uint32_t lo, uint32_t hi);
/* All that differ from a member only by case become members too. */
void regex_set_fold(struct regex_set *s);
void regex_set_negate(struct regex_set *s);
const struct regex_class *regex_set_class(struct regex_set *s);
/* \d and friends by their letter; [:alpha:] by its name; \p by its name (Greek, Lu).  False: no such. */
bool regex_set_add_perl(struct regex_set *s, char letter);
bool regex_set_add_posix(struct regex_set *s, struct str name, bool negated);
bool regex_set_add_unicode(struct regex_set *s, struct str name, bool negated, bool fold);

/* ---- Tree --------------------------------------------------------------------------------------------- */

enum regex_kind { RE_EMPTY, RE_CLASS, RE_ASSERT, RE_CAT, RE_ALT, RE_REPEAT };
enum regex_assert { RE_TEXT_BEGIN, RE_TEXT_END, RE_LINE_BEGIN, RE_LINE_END, RE_WORD, RE_NO_WORD };
struct regex_node {
    uint8_t kind, assertion;
    bool    lazy;
    int     min, max;                            /* RE_REPEAT; max -1: no end */
    const struct regex_class *cls;
    struct regex_node *first, *last, *next;      /* children; the next of the same parent */
};
int regex_parse(struct regex_node **ret, struct str pattern, struct arena *a, struct errbuf *err);

/* ---- Program: an instruction goes on to the one after it unless it says otherwise ---------------------- */

enum regex_op { OP_CHAR, OP_CLASS, OP_ASSERT, OP_SPLIT, OP_JUMP, OP_MATCH };
struct regex_inst {
    uint8_t  op, assertion;
    uint32_t x, y;                               /* CHAR: x the rune; SPLIT: x before y; JUMP: x */
    const struct regex_class *cls;
};
/* A set of instructions in the order they came in (the order is the threads' priority). */
struct regex_threads { uint32_t *pc, *where; size_t *start; unsigned n; };

struct regex_dfa;
struct regex {
    struct arena *arena;
    struct regex_inst *inst; unsigned n;
    bool anchored;                               /* matches begin where the text does */
    bool plain;                                  /* only assertions that regex_dfa.c knows */
    struct regex_threads threads[2];             /* pc NULL: not made yet */
    uint32_t *stack;
    uint32_t  steps;                             /* of the last search */
    struct regex_dfa *dfa;                       /* NULL: not made yet */
};
int  regex_emit(struct regex *re, const struct regex_node *tree, struct errbuf *err);
void regex_make_room(struct regex *re);          /* threads and stack */

static inline bool regex_inst_takes(const struct regex_inst *in, uint32_t rune)
{
    if (in->op == OP_CHAR)
        return in->x == rune;
    return in->op == OP_CLASS &&
           (rune < 128 ? regex_class_ascii(in->cls, rune) : regex_class_has(in->cls, rune));
}
static inline bool regex_threads_have(const struct regex_threads *t, uint32_t pc)
{
    return t->where[pc] < t->n && t->pc[t->where[pc]] == pc;
}
/* The code point at `at`: its length, 0 at the end (and then REGEX_NO_RUNE). */
unsigned regex_rune(struct str text, size_t at, uint32_t *ret);

/* As regex_match for plain programs; E_AGAIN: too many states, nothing found out. */
int regex_dfa_match(struct regex *re, struct str text);

#endif
