/* api/cel/impl.h: what the files of the expression language share: tokens, tree, overloads, values of its
 * own. */
#ifndef API_CEL_IMPL_H
#define API_CEL_IMPL_H

#include "api/cel.h"
#include "api/regex.h"

#define CEL_MAX_CHAIN  1000u                     /* depth of the tree: a + b + c ... */
#define CEL_MAX_ERRORS 10u                       /* told of one expression */

/* ---- Tokens ----------------------------------------------------------------------------------------- */

enum cel_token {
    T_END, T_IDENT, T_QUOTED_IDENT, T_INT, T_UINT, T_DOUBLE, T_STRING, T_BYTES, T_TRUE, T_FALSE, T_NULL, T_IN,
    T_EQ, T_NE, T_LT, T_LE, T_GT, T_GE, T_AND, T_OR, T_PLUS, T_MINUS, T_STAR, T_SLASH, T_PERCENT, T_NOT,
    T_QUESTION, T_COLON, T_COMMA, T_DOT, T_LPAREN, T_RPAREN, T_LBRACKET, T_RBRACKET, T_LBRACE, T_RBRACE,
    T_BAD
};
struct cel_lexer {
    struct str text; size_t at;
    enum cel_token token; size_t from, to;       /* the token and its bytes */
    struct str value;                            /* STRING, BYTES: unescaped, in the arena; IDENT */
    struct arena *arena;
    const char *why;                             /* T_BAD */
};
void cel_lex(struct cel_lexer *l);               /* the next token */

/* ---- Mistakes --------------------------------------------------------------------------------------- */

struct cel_mistakes { struct arena *arena; struct str text; struct buf out; unsigned n; bool too_big; };
void cel_mistake(struct cel_mistakes *m, size_t at, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* ---- Tree ------------------------------------------------------------------------------------------- */

enum cel_node_kind {
    N_CONST, N_IDENT, N_VAR, N_LOCAL, N_SELECT, N_HAS, N_CALL, N_AND, N_OR, N_COND, N_LIST, N_MAP, N_LOOP,
    N_LET, N_STRUCT
};
enum cel_loop {
    LOOP_ALL, LOOP_EXISTS, LOOP_EXISTS_ONE, LOOP_MAP, LOOP_FILTER, LOOP_TRANSFORM_LIST, LOOP_TRANSFORM_MAP,
    LOOP_TRANSFORM_ENTRY
};
struct cel_overload;
struct cel_node {
    uint8_t  kind;
    uint8_t  op;                                 /* LOOP: enum cel_loop; LET: 1, the body is an optional */
    bool     member;                             /* CALL: arg[0] stands before the dot */
    bool     optional;                           /* SELECT .?f; an element or key of a literal: ?x */
    bool     flagged;                            /* CALL: may not need its second argument (orValue) */
    uint16_t height;                             /* of the tree below, itself included */
    unsigned n;
    uint32_t at;                                 /* where it stands */
    uint32_t slot;                               /* VAR; LOCAL; LOOP, LET: of the first variable */
    struct cel_node **arg;                       /* LOOP: range, body, filter or NULL */
    struct str name, name2;                      /* IDENT, SELECT, CALL; LOOP, LET: variables */
    struct cel_value value;                      /* CONST */
    const struct cel_type *type;
    const struct cel_overload *overload; unsigned n_overloads;     /* CALL */
    struct regex *regex;                         /* CALL of a regex function with a constant pattern */
};
struct cel_program {
    struct cel_node *root;
    unsigned n_locals;
    uint64_t estimate;
    uint64_t *used;                              /* a bit per variable */
};
struct cel_node *cel_parse(struct str text, struct arena *a, struct cel_mistakes *m);   /* NULL: told */
void     cel_check(struct cel_node *root, const struct cel_env *env, struct cel_program *p,
                   struct cel_mistakes *m);
uint64_t cel_estimate(const struct cel_program *p, struct arena *a);

/* ---- Types ------------------------------------------------------------------------------------------ */

const struct cel_type *cel_type_wrap(struct arena *a, enum cel_kind kind, const struct cel_type *elem);
const struct cel_type *cel_type_pair(struct arena *a, const struct cel_type *key,
                                     const struct cel_type *elem);
/* A value of type `have` may stand where `want` is asked for. */
bool cel_type_fits(const struct cel_type *want, const struct cel_type *have);
/* What both are: one of them, or dyn. */
const struct cel_type *cel_type_join(const struct cel_type *x, const struct cel_type *y);
/* By JSON name or escaped; NULL: none such. */
const struct cel_field *cel_type_field(const struct cel_type *t, struct str name);
struct str cel_unescape(struct str name, char *to, size_t room);   /* __dash__ ...: itself when nothing is */
/* The name of a kind's type as type() shows it: "int", "google.protobuf.Timestamp". */
const char *cel_kind_name(enum cel_kind kind);
bool cel_kind_by_name(struct str name, enum cel_kind *ret);

/* ---- Functions -------------------------------------------------------------------------------------- */

typedef struct cel_value cel_fn(struct cel_run *r, const struct cel_value *a, unsigned n);
/* Head of one: its arguments are of the kinds its signature says, and none has failed. */
#define CEL_FN(name) static struct cel_value name(struct cel_run *r, const struct cel_value *a, unsigned n)

/* What a call costs, by the sizes of its arguments: see cost.c. */
enum cel_cost {
    COST_ONE, COST_SCAN, COST_SCAN_ARG, COST_SCAN_BOTH, COST_PRODUCT, COST_REGEX, COST_LEAST, COST_WALK,
    COST_WALK_ARG, COST_WALK_PRODUCT, COST_AUTHORIZE
};
/* What the size of a result is, for the estimate. */
enum cel_size { SIZE_NONE, SIZE_SAME, SIZE_SUM, SIZE_JOIN };

/* sig: types of the arguments, ':', type of the result.  b bool, i int, u uint, d double, s string, y
 * bytes, t timestamp, D duration, n null, l list of what follows, m map of the two that follow, o optional
 * of, T type of, A and B any (the same everywhere), * dyn, q quantity, U URL, p IP, c CIDR, f format, v
 * semver, z authorizer, P path check, G group check, R resource check, X decision.  A '.' after the first:
 * it stands before the dot. */
struct cel_function { const char *name, *sig; cel_fn *fn; uint8_t cost, size; };
struct cel_library { const struct cel_function *fn; unsigned n; };
/* Its libraries, each a table at the end of its file. */
extern const struct cel_library cel_lib_operators, cel_lib_convert, cel_lib_time, cel_lib_strings,
    cel_lib_lists, cel_lib_regex, cel_lib_quantity, cel_lib_net, cel_lib_url, cel_lib_format,
    cel_lib_semver, cel_lib_authz, cel_lib_math, cel_lib_optional;

#define CEL_MAX_ARGS 6
/* One that a call may mean, with the kinds of its arguments. */
struct cel_overload { const struct cel_function *f; uint8_t n, kind[CEL_MAX_ARGS]; };
/* A signature read: types with their A and B. */
struct cel_signature {
    const struct cel_function *f;
    unsigned n;
    const struct cel_type *arg[CEL_MAX_ARGS], *result;
};
#define CEL_MAX_SIGNATURES 64
/* True if some library has a function of this name. */
bool cel_function_known(struct str name);
/* Those that take n arguments this way; how many.  What they point to lives in a. */
unsigned cel_signatures(struct arena *a, struct str name, bool member, unsigned n,
                        struct cel_signature ret[CEL_MAX_SIGNATURES]);
/* Does it take arguments of these types?  *ret: the type of the result, with A and B filled in, made in a. */
bool cel_signature_takes(const struct cel_signature *o, const struct cel_type *const *arg, struct arena *a,
                         const struct cel_type **ret);
struct cel_value cel_call(struct cel_run *r, const struct cel_node *n, struct cel_value *arg);

cel_fn cel_format_text;                          /* lib_strings_format.c */
/* What one turn of a macro costs beside its body, as the comprehension that it stands for would. */
extern const uint8_t cel_turn_cost[];
uint64_t cel_cost_of(enum cel_cost cost, uint64_t size0, uint64_t size1);

/* ---- Values ----------------------------------------------------------------------------------------- */

/* A list's elements; a map's keys and values in turn. */
struct cel_items { unsigned n, cap; struct cel_value *v; };

struct cel_value cel_error(struct cel_run *r, const char *fmt, ...) PRINTF_LIKE(2, 3);
struct cel_value cel_no_overload(struct cel_run *r);
static inline bool cel_failed(const struct cel_value *v) { return v->kind == CEL_ERROR; }
static inline struct cel_value cel_int(int64_t i) { return (struct cel_value){ .kind = CEL_INT, .u.i = i }; }
static inline struct cel_value cel_uint(uint64_t u)
{
    return (struct cel_value){ .kind = CEL_UINT, .u.u = u };
}
static inline struct cel_value cel_double(double d)
{
    return (struct cel_value){ .kind = CEL_DOUBLE, .u.d = d };
}
static inline struct cel_value cel_duration(int64_t ns)
{
    return (struct cel_value){ .kind = CEL_DURATION, .u.i = ns };
}
static inline struct cel_value cel_none(void) { return (struct cel_value){ .kind = CEL_OPTIONAL }; }
struct cel_value cel_some(struct cel_run *r, struct cel_value v);
/* BYTES that are base64 as JSON had them, as bytes. */
struct cel_value cel_decoded(struct cel_run *r, const struct cel_value *v);
struct cel_value cel_type_value(const struct cel_type *t);

/* Memory of a run, counted; NULL: over the limit (then cel_over is the value to return). */
void *cel_alloc(struct cel_run *r, size_t n);
struct cel_value cel_over(struct cel_run *r);
/* Charge so much; false: over the limit. */
static inline bool cel_charge(struct cel_run *r, uint64_t cost)
{
    r->cost = r->cost + cost < r->cost ? UINT64_MAX : r->cost + cost;
    if (r->cost <= r->limit)
        return true;
    r->over = true;
    return false;
}

/* Lists and maps, of JSON or made here. */
uint64_t cel_count(const struct cel_value *v);
struct cel_items *cel_items_new(struct cel_run *r, unsigned cap);          /* NULL: over */
bool     cel_items_add(struct cel_run *r, struct cel_items *items, struct cel_value v);    /* false: over */
struct cel_value cel_list(const struct cel_items *items);
struct cel_value cel_map(const struct cel_items *items);
/* A walk over elements or entries; of a map, key and value. */
struct cel_walk { const struct cel_value *of; const struct json *tree; unsigned i; };
bool     cel_next(struct cel_walk *w, struct cel_value *ret_key, struct cel_value *ret_value);
/* False: no such key, or index. */
bool     cel_map_find(const struct cel_value *map, const struct cel_value *key, struct cel_value *ret);
bool     cel_map_find_text(const struct cel_value *map, struct str key, struct cel_value *ret);
bool     cel_list_at(const struct cel_value *list, uint64_t i, struct cel_value *ret);

/* Charges for what is long or deep: false and r->over when that is too much. */
bool     cel_equal(struct cel_run *r, const struct cel_value *x, const struct cel_value *y);
/* -1, 0, 1; 2: no order between these; 3: not a number. */
int      cel_compare(const struct cel_value *x, const struct cel_value *y);
/* Of the libraries' own kinds, two of the same: see opaque.c. */
bool       cel_opaque_equal(const struct cel_value *x, const struct cel_value *y);
struct str cel_opaque_text(struct arena *a, const struct cel_value *v);
/* Bytes of a string, elements; 1 of anything else. */
uint64_t cel_size_of(const struct cel_value *v);
/* The same for a run that may do it often: long texts cost more than the call. */
int      cel_order(struct cel_run *r, const struct cel_value *x, const struct cel_value *y);
size_t   cel_runes(struct str s);
/* The byte offset of a character; s.n if it is the end; -1 beyond. */
ptrdiff_t cel_rune_at(struct str s, int64_t rune);
/* A string of the run's own. */
struct cel_value cel_text(struct cel_run *r, struct str s);
struct cel_value cel_take_buf(struct cel_run *r, struct buf *b);           /* and releases it */

#endif
