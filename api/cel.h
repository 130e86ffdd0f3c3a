/* api/cel.h: CEL, the expression language of Kubernetes' rules, as a bounded evaluator.
 *
 * An expression is compiled once against the types of its variables and evaluated often, straight over JSON
 * trees: nothing of an object is copied or converted before an expression asks for it.  Semantics,
 * functions and the wording of errors are those of cel-go with the libraries that Kubernetes adds.
 *
 * Types.  A struct cel_type describes what a value can be.  Types of built-in kinds come from the schema
 * tables (cel_types_of); whoever has a schema of another make (CRDs) fills in struct cel_type and
 * cel_field.  Types are constant once compiled against, may be recursive, and outlive the programs.  Field
 * names in a type are those of JSON; expressions may write them escaped (__if__, foo__dash__bar).
 *
 * Lifetime.  A program lives in the arena given to cel_compile, and keeps the working memory of its regular
 * expressions there.  Values borrow: from the JSON trees, the program, and the run's arena.
 *
 * Bounds.  Text, nesting and number of nodes are limited at compile time; a run by its cost (as Kubernetes
 * counts it) and the memory it takes from its arena.  No expression holds the loop for long. */
#ifndef API_CEL_H
#define API_CEL_H

#include "api/json.h"

struct schema_type;

#define CEL_MAX_TEXT   100000u                   /* code points of an expression */
#define CEL_MAX_DEPTH  250u                      /* of nesting */
#define CEL_MAX_NODES  20000u
#define CEL_MAX_MEMORY ((size_t)16 << 20)        /* that one evaluation may take from its arena */

/* Kubernetes' limits of cost: of one evaluation, of all rules of one object, of the estimate of one rule and
 * of all rules of a CRD, of all match conditions of one request. */
#define CEL_COST_CALL      1000000u
#define CEL_COST_OBJECT    10000000u
#define CEL_ESTIMATE_RULE  10000000u
#define CEL_ESTIMATE_CRD   100000000u
#define CEL_COST_CONDITION 2500000u

/* ---- Types ------------------------------------------------------------------------------------------ */

enum cel_kind {
    CEL_DYN,                                     /* types: anything; values: ask cel_run.lookup */
    CEL_NULL, CEL_BOOL, CEL_INT, CEL_UINT, CEL_DOUBLE, CEL_STRING, CEL_BYTES, CEL_TIMESTAMP, CEL_DURATION,
    CEL_LIST, CEL_MAP,
    CEL_OBJECT,                                  /* types only: its values are maps */
    CEL_TYPE, CEL_OPTIONAL,
    CEL_QUANTITY, CEL_URL, CEL_IP, CEL_CIDR, CEL_FORMAT, CEL_SEMVER,
    CEL_AUTHORIZER, CEL_PATH_CHECK, CEL_GROUP_CHECK, CEL_RESOURCE_CHECK, CEL_DECISION,
    CEL_ERROR                                    /* values only: s says why */
};
#define CEL_N_KINDS (CEL_ERROR + 1)

#define CEL_UNBOUNDED UINT64_MAX
struct cel_type;
struct cel_field { struct str name; const struct cel_type *type; bool required; };
struct cel_type {
    enum cel_kind kind;
    const struct cel_type *elem, *key;           /* LIST, MAP, OPTIONAL, TYPE; key NULL: string */
    struct str name;                             /* OBJECT: how errors call it */
    const struct cel_field *fields; unsigned n_fields;     /* OBJECT */
    bool open;                                   /* OBJECT: has fields that are not listed, of type dyn */
    /* characters of a string, bytes, elements of a list or map, for the estimate: CEL_UNBOUNDED, or what the
     * schema says (maxLength, maxItems, maxProperties, the longest of an enum) */
    uint64_t max;
};
/* The simple one of a kind, unbounded; lists and maps of dyn. */
const struct cel_type *cel_type(enum cel_kind kind);
const struct cel_type *cel_type_list(struct arena *a, const struct cel_type *elem);
const struct cel_type *cel_type_map(struct arena *a, const struct cel_type *elem);
/* "list(int)", "map(string, dyn)", as errors say it. */
struct str cel_type_text(struct arena *a, const struct cel_type *t);
/* Types of built-in kinds, converted when first asked for. */
struct cel_types { struct arena *arena; struct cel_known *known; };
const struct cel_type *cel_types_of(struct cel_types *types, const struct schema_type *schema);

/* ---- Values ----------------------------------------------------------------------------------------- */

struct cel_value {
    uint8_t kind;                                /* enum cel_kind */
    bool    json;                                /* LIST, MAP: u.tree, of type `type`; BYTES: base64 still */
    const struct cel_type *type;                 /* of these (NULL: dyn); of TYPE: what it names */
    union {
        bool     b;
        int64_t  i;                              /* INT; DURATION in nanoseconds */
        uint64_t u;
        double   d;
        struct str s;                            /* STRING, BYTES, ERROR */
        struct { int64_t s; uint32_t ns; } time;
        const struct json      *tree;
        const struct cel_items *items;           /* LIST, MAP made by an expression */
        const struct cel_value *some;            /* OPTIONAL; NULL: none */
        const void             *opaque;
    } u;
};
/* What a JSON value is under a type (NULL: dyn).  NULL is null. */
struct cel_value cel_from_json(const struct json *j, const struct cel_type *t);
/* NULL if it is nothing that JSON knows. */
struct json     *cel_to_json(struct arena *a, const struct cel_value *v);
static inline struct cel_value cel_string(struct str s)
{
    return (struct cel_value){ .kind = CEL_STRING, .u.s = s };
}
static inline struct cel_value cel_bool(bool b) { return (struct cel_value){ .kind = CEL_BOOL, .u.b = b }; }
static inline struct cel_value cel_null(void) { return (struct cel_value){ .kind = CEL_NULL }; }
static inline struct cel_value cel_opaque(enum cel_kind kind, const void *p)
{
    return (struct cel_value){ .kind = (uint8_t)kind, .u.opaque = p };
}
static inline bool cel_is_true(const struct cel_value *v) { return v->kind == CEL_BOOL && v->u.b; }

/* ---- Programs --------------------------------------------------------------------------------------- */

/* Variables by number.  A name may have dots ("variables.foo"): the longest that fits is taken. */
struct cel_var { struct str name; const struct cel_type *type; };
struct cel_env { const struct cel_var *vars; unsigned n; };

struct cel_program;
/* `want`: what it has to evaluate to (NULL: anything; dyn passes).  The text is kept by reference.
 * E_INVALID or E_TOOBIG with *ret_why, in the arena: what Kubernetes would say, lines with the place
 * included ("compilation failed: ERROR: <input>:1:6: undefined field 'foo'\n | self.foo\n | .....^"; "must
 * evaluate to bool"). */
#define CEL_WHY_PREFIX "compilation failed: "
int cel_compile(struct cel_program **ret, const struct cel_env *env, struct str text,
                const struct cel_type *want, struct arena *a, struct str *ret_why);
const struct cel_type *cel_program_type(const struct cel_program *p);
/* Upper bound of a run's cost as far as the types tell; UINT64_MAX: no end. */
uint64_t cel_program_estimate(const struct cel_program *p);
/* Does it look at this variable? */
bool cel_program_uses(const struct cel_program *p, unsigned var);

/* What the authorizer library asks: fields are empty where not set. */
struct cel_query {
    bool resource_check;                         /* false: a path */
    struct str path, group, resource, subresource, ns, name, verb;
    struct str field_selector, label_selector;
    struct str sa_namespace, sa_name;            /* instead of the request's user; empty: the user */
};
struct cel_answer { bool allowed; struct str reason, error; };

/* One evaluation after another of programs of the same environment, over the same values. */
struct cel_run {
    struct arena     *arena;                     /* what is made on the way, the result too */
    struct cel_value *vars;                      /* by number; CEL_DYN: asked from lookup once, then kept */
    struct cel_value (*lookup)(struct cel_run *run, unsigned var);     /* NULL: they are all there */
    void (*authorize)(struct cel_run *run, const struct cel_query *q, struct cel_answer *ret);
    void    *arg;                                /* for lookup and authorize */
    uint64_t limit;                              /* cost that the next evaluation may have */
    /* Of the last evaluation. */
    uint64_t cost;
    bool     over;                               /* ended by a limit */
    /* Its own. */
    struct cel_value *locals;
    size_t   memory;
    unsigned depth;
};
/* An error is a value too: CEL_ERROR.  May be called from within lookup: cost and limit go on. */
struct cel_value cel_eval(const struct cel_program *p, struct cel_run *run);
/* The value as text for people: strings as they are. */
struct str cel_value_text(struct arena *a, const struct cel_value *v);

#endif
