/* api/json.h: JSON as a tree in an arena.
 *
 * The tree is what decoding makes of any encoding (JSON, YAML, protobuf), what validation, defaulting and
 * patches work on, and what is encoded once for storage.  Nodes are linked, so inserting and removing
 * is cheap; objects keep the order of their members.  Strings are unescaped UTF-8 (views of the input
 * where it had no escapes: the input must outlive the tree).  Numbers keep their text.
 * A node belongs to at most one parent: copy (json_copy) to put it elsewhere.  Depth is bounded by
 * JSON_MAX_DEPTH in every parser, so recursion over a tree is safe.
 * Getters accept NULL and wrong types and then return the neutral value: chains need no checks. */
#ifndef API_JSON_H
#define API_JSON_H

#include "net/blob.h"
#include "net/err.h"

#define JSON_MAX_DEPTH 512

enum json_type { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

struct json {
    uint8_t  type;                               /* enum json_type */
    uint8_t  flags;                              /* JSON_F_*; for who walks the tree, not encoded */
    bool     boolean;
    uint32_t n;                                  /* children */
    struct str key;                              /* in an object: the member's name */
    union {
        struct str s;                            /* string: unescaped; number: its text */
        struct { struct json *first, *last; };   /* array, object */
    };
    struct json *next;
};

#define JSON_F_DUPLICATE 1u                      /* object member whose key came before (the last one wins) */
#define JSON_F_RAW       2u                      /* a "string" that is JSON text of ours, written as it is */

struct json_error { size_t offset; unsigned line, column; char text[160]; };
/* Strict RFC 8259 and UTF-8.  Duplicate keys are kept once (the last value) and flagged.  E_INVALID,
 * E_TOOBIG (depth). */
int json_parse(struct arena *a, struct str in, struct json **ret, struct json_error *err);
/* Compact; members in tree order; <, >, & and U+2028/9 escaped as Go's encoder does. */
void json_write(struct buf *out, const struct json *j);
void json_write_string(struct buf *out, struct str s);         /* with quotes */
void json_write_pretty(struct buf *out, const struct json *j, unsigned indent);

struct json *json_new(struct arena *a, enum json_type type);
struct json *json_object(struct arena *a);
struct json *json_array(struct arena *a);
struct json *json_string(struct arena *a, struct str s);       /* s is copied */
struct json *json_string_ref(struct arena *a, struct str s);   /* s must outlive the tree */
struct json *json_raw(struct arena *a, struct str text);       /* compact JSON; must outlive the tree */
struct json *json_int(struct arena *a, int64_t v);
struct json *json_bool(struct arena *a, bool v);
struct json *json_null(struct arena *a);
struct json *json_copy(struct arena *a, const struct json *j); /* deep; strings are shared */
/* member order does not matter; 1 == 1.0 */
bool         json_equal(const struct json *x, const struct json *y);
/* The same of two objects, looking only at the members that count. */
bool         json_equal_where(const struct json *x, const struct json *y,
                              bool (*counts)(const struct json *m));

/* Members. json_get: NULL if absent.  json_set replaces in place or appends; key is copied unless a literal
 * is passed to json_setz (which keeps the pointer). */
struct json *json_get(const struct json *obj, struct str key);
/* inline: a literal's length is no work */
static inline struct json *json_getz(const struct json *obj, const char *key)
{
    return json_get(obj, str_of(key));
}
/* returns val */
struct json *json_set(struct arena *a, struct json *obj, struct str key, struct json *val);
struct json *json_setz(struct arena *a, struct json *obj, const char *key, struct json *val);
/* The same for a key that is known not to be there; the key is kept by reference. Elements of arrays have
 * STR_NONE. */
struct json *json_append(struct json *parent, struct str key, struct json *val);
bool         json_del(struct json *obj, struct str key);
bool         json_delz(struct json *obj, const char *key);
void         json_sweep_nulls(struct json *parent);            /* takes out all that are null */
/* Array elements. */
struct json *json_at(const struct json *arr, size_t i);
struct json *json_push(struct json *arr, struct json *val);    /* returns val */
void         json_insert(struct json *arr, size_t i, struct json *val);
struct json *json_remove_at(struct json *arr, size_t i);       /* returns what was taken out */
#define json_each(it, parent) for (struct json *it = json__first(parent); it != NULL; it = it->next)
static inline struct json *json__first(const struct json *j)
{
    return j != NULL && j->type >= JSON_ARRAY ? j->first : NULL;
}

/* By dotted path ("spec.template.metadata.labels"); a number steps into an array ("containers.0.image").
 * Keys with dots need json_get.  json_make_path creates missing objects on the way and returns the last
 * one. */
struct json *json_path(const struct json *j, const char *path);
struct json *json_make_path(struct arena *a, struct json *obj, const char *path);

static inline bool json_is(const struct json *j, enum json_type t) { return j != NULL && j->type == t; }
static inline struct str json_str(const struct json *j) { return json_is(j, JSON_STRING) ? j->s : STR_NONE; }
static inline bool json_true(const struct json *j) { return json_is(j, JSON_BOOL) && j->boolean; }
bool    json_i64(const struct json *j, int64_t *ret);          /* false: not an integer in range */
int64_t json_i64_or(const struct json *j, int64_t otherwise);
double  json_double_or(const struct json *j, double otherwise);
/* The shortest text that reads back as d, which is finite. */
struct str json_double_text(struct arena *a, double d);
/* Shorthands over json_path. */
struct str json_path_str(const struct json *j, const char *path);
int64_t    json_path_i64(const struct json *j, const char *path, int64_t otherwise);
bool       json_path_true(const struct json *j, const char *path);
struct json *json_setf(struct arena *a, struct json *obj, const char *key, const char *fmt, ...)
    PRINTF_LIKE(4, 5);

#endif
