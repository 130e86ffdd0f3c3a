/* api/crd/rules.h: the schema of a kind that users define, as rows of the same tables that built-in
 * kinds have.
 *
 * crd_compile() turns an OpenAPI schema into a tree of struct schema_field: each describes one value,
 * whether it is a member, an element of a list (`element`) or any member of a map (`element` too).
 * Shape, base, type, list type and keys are filled in as for built-in kinds, so that server-side apply
 * and CEL see no difference; what built-in kinds do not know of stands in `rules`.  Below allOf, anyOf,
 * oneOf and not the same rows are used, of which only the rules count.
 *
 * Schemas were checked when their definition was stored (api/kinds/structural.c); what is stored
 * nevertheless, by another program, compiles to rows that let more pass, never to none. */
#ifndef API_CRD_RULES_H
#define API_CRD_RULES_H

#include "api/schema.h"

enum rules_type {                                /* JSON type that a value must have */
    RULES_ANY, RULES_STRING, RULES_BOOLEAN, RULES_INTEGER, RULES_NUMBER, RULES_ARRAY, RULES_OBJECT
};

/* Bounds of one value; a count of -1, an absent number: no bound. */
struct rules_bounds {
    int64_t min_length, max_length;              /* characters */
    int64_t min_items, max_items, min_members, max_members;
    const struct json *min, *max, *multiple;     /* numbers */
    bool above_min, below_max;                   /* the bound itself is out */
};

struct regex;
struct rules_text { struct str pattern; struct regex *regex; struct str format; };   /* regex: NULL: none */

/* Schemas that narrow a value down. */
struct rules_logic {
    const struct schema_field *all, *any, *one, *not_;
    unsigned n_all, n_any, n_one;
};

struct schema_rules {
    uint8_t type;                                /* enum rules_type */
    bool nullable;
    bool open;                                   /* members that no schema knows are kept */
    /* an object with apiVersion, kind and metadata; so is the root */
    bool embedded;
    bool root;
    bool int_or_string;
    bool deep_defaults;                          /* a default here or below */
    /* complete: pruned, with the defaults below it; NULL: none */
    const struct json *default_;
    const struct json *enums;                    /* array; NULL: any value */
    const struct str *required; unsigned n_required;
    const struct rules_bounds *bounds;           /* NULL: none; and likewise: */
    const struct rules_text *text;
    const struct rules_logic *logic;
    const struct schema_field *metadata;         /* what the schema says of the object's metadata */
    /* x-kubernetes-validations as they stand there; NULL: none */
    const struct json *validations;
    bool deep_validations;                       /* rules in CEL here or below */
    /* those of this value, api/crd/rule.h; *compiled NULL: none */
    struct crd_rules **compiled;
};

/* The schema of one version (spec.versions[].schema.openAPIV3Schema) into *root, which becomes the type
 * of its objects; root->name is kept.  All of it lives in a and refers to nothing else.  E_INVALID: a
 * pattern that is no regular expression, or more members than tables hold. */
int crd_compile(const struct json *schema, struct arena *a, struct schema_type *root, struct errbuf *err);

/* What api/schema.h does for built-in types, for these; called by it. */
int  crd_conform(const struct schema_kind *k, struct json *obj, struct arena *a, struct causes *warnings,
                 struct errbuf *err);
void crd_default(const struct schema_field *f, struct json *v, struct arena *a);
/* old: the value that v replaces, NULL: there was none.  What did not change passes, so that a schema
 * may become stricter without making what is stored immutable. */
void crd_validate(const struct schema_field *f, const struct json *v, const struct json *old,
                  const struct at *at, struct causes *causes);
/* old.c: the elements of an old list, to be found by their keys.  old: the list as it was, or NULL;
 * arena: for an index of long ones. */
struct crd_olds {
    const struct schema_field *f;
    const struct json *list, *next;              /* next: behind the last one found */
    struct arena *arena;
    struct crd_indexed *index; unsigned n;
};
struct crd_olds crd_olds_of(const struct schema_field *f, const struct json *old, struct arena *a);
/* NULL: none, or a list that tells no elements apart. */
const struct json *crd_old_element(struct crd_olds *o, const struct json *e);
/* Without complaint: does the value fit? */
bool crd_fits(const struct schema_field *f, const struct json *v);
/* Take out what no schema knows.  True: there was something. */
bool crd_prune(const struct schema_field *f, struct json *v);

/* The value described when `f` says nothing of it: a member of an open object. */
extern const struct schema_field crd_any;

/* formats.c: what is checked of texts by name ("ipv4", "date-time"); unknown formats fit anything. */
bool crd_format_fits(struct str format, struct str text);
bool crd_format_known(struct str format);

#endif
