/* api/gen/gen.h: what build/schemagen knows of the schema between reading and writing it.
 *
 * A host program that runs once in the build: memory is never freed, and every mistake in a schema file
 * ends it with "file:line: message". */
#ifndef API_GEN_GEN_H
#define API_GEN_GEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define MAX_WORDS   128
#define MAX_LIST    24                           /* values of one comma or blank separated list */

struct where { const char *file; int line; };

_Noreturn void fail(struct where at, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void *more(void *p, size_t n, size_t size);      /* room for one more after n elements */
char *text_copy(const char *z);

struct list { char *v[MAX_LIST]; int n; };

struct package { const char *alias, *openapi, *group, *version; int order; };

struct gen_enum {
    struct where at;
    const struct package *pkg;
    const char *name;
    char **values;
    int n;
    int index;
};

struct gen_type;
struct gen_field {
    struct where at;
    char *name, *type_name, *base;               /* base: C name, "SCHEMA_INT32" */
    const char *shape, *list_type;
    bool required, always, nullable, immutable, merge, replace, retain_keys, unique;
    char *dflt, *merge_key, *format, *stored, *help;
    char *min, *max, *min_items, *max_items;
    struct list keys;
    int pb, pb_inline;
    /* @inline, until check.c has put the type's fields in its place */
    struct gen_type *either;                     /* instead of type: JSON is the value of one of its fields */
    bool is_inline;
    struct gen_type *type;
    struct gen_enum *enums;
};

/* path alone: that value; func alone: computed from the object; both: from what the path leads to. */
struct gen_column { char *name, *type, *format, *path, *func, *help; bool wide; };
struct gen_sub {
    struct where at;
    char *name;
    unsigned verbs;
    bool connect, of_status;
    char *kind_name;
    struct gen_type *kind;
};

struct gen_resource {
    struct where at;
    char *plural, *singular, *storage, *stored_as;
    struct list short_names, categories, select;
    bool namespaced, status, generation, virtual_;
    unsigned verbs;
    struct gen_sub *subs; int n_subs;
    struct gen_column *columns; int n_columns;
    struct gen_type *kind, *list;
    int index;
};

struct gen_type {
    struct where at;
    const struct package *pkg;
    char *name, *help;
    bool is_kind, is_either, atomic, deep_defaults, deep_immutable, flat, flattening;
    struct gen_field *fields; int n_fields;
    struct gen_resource *resource;
    struct list one_of;                          /* fields of which one is to be set, ... */
    char *none, *several;                        /* ... and what is told when it isn't so */
    int index, kind_index;                       /* in the tables written */
};

struct schema {
    struct package **packages; int n_packages;
    struct gen_enum **enums; int n_enums;
    struct gen_type **types; int n_types;
    struct gen_resource **resources; int n_resources;
};

void parse_file(struct schema *s, const char *path);
struct gen_type *type_find(struct schema *s, const struct package *pkg, const char *name);
struct gen_enum *enum_find(struct schema *s, const struct package *pkg, const char *name);
/* Resolve names, put inlined fields in place, make list kinds, and refuse what makes no sense. */
void check_schema(struct schema *s);
void emit_schema(struct schema *s, FILE *out);

#endif
