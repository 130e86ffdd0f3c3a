/* api/typed.h: objects with their schema, as server-side apply sees them: what fields one has, in which two
 * differ, one merged into another, fields taken out.
 *
 * Structs and granular maps are seen field by field, lists with keys or of a set element by element; all
 * else (plain values, atomic lists, maps and structs, raw JSON) is one field.  Objects conform to their type
 * (schema_conform). Two elements of a list with the same key, which older writers may have left: the first
 * one counts. */
#ifndef API_TYPED_H
#define API_TYPED_H

#include "api/field_set.h"
#include "api/schema.h"

/* Every field that obj has.  Containers that are not empty are no members themselves, elements of lists
 * are. */
struct field_set typed_fields(struct arena *a, const struct schema_type *t, const struct json *obj);

/* What has another value in now than in old, or is new; what is gone.  Containers are members where they are
 * new or gone as a whole.  old NULL: an empty object. */
struct typed_diff { struct field_set changed, removed; };
struct typed_diff typed_compare(struct arena *a, const struct schema_type *t, const struct json *old,
                                const struct json *now);

/* Elements of lists with keys that lack a key, and those of one key that come twice: E_INVALID, and the text
 * says which. */
int typed_check(struct arena *a, const struct schema_type *t, const struct json *obj, struct errbuf *err);

/* live with config's values in it, as a new tree that shares nothing with live.  Elements stand in config's
 * order, those that only live has where they were. */
struct json *typed_merge(struct arena *a, const struct schema_type *t, const struct json *live,
                         const struct json *config);

/* Take out of obj what is in gone and not in kept; fields that lead to something kept stay, and so does what
 * no set names.  Containers that become empty go too. */
void typed_prune(struct arena *a, const struct schema_type *t, struct json *obj, struct field_set gone,
                 struct field_set kept);

#endif
