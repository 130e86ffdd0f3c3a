/* api/schema.h: the tables that describe every kind, and what is done from them alone.
 *
 * api/schema/<group>.schema says, for every kind, type and field: JSON name, type, required, default,
 * enum, format, range, immutability, patch strategy and merge key, list or map type and keys, protobuf
 * number, selectable fields, table columns, subresources, verbs, names, and one line of description.
 * build/schemagen turns these files into build/gen/schema_tables.c: constant tables, no start-up work.
 * Everything below walks those tables; nothing here knows a kind by name. */
#ifndef API_SCHEMA_H
#define API_SCHEMA_H

#include <limits.h>
#include "api/causes.h"
#include "api/json.h"

enum schema_base {
    SCHEMA_STRING, SCHEMA_BOOL, SCHEMA_INT32, SCHEMA_INT64, SCHEMA_DOUBLE, SCHEMA_BYTES,
    SCHEMA_TIME, SCHEMA_MICROTIME, SCHEMA_DURATION, SCHEMA_QUANTITY, SCHEMA_INT_OR_STRING,
    SCHEMA_RAW,                                  /* RawExtension, JSON: any value */
    SCHEMA_FIELDS_V1,
    /* a list of strings, in protobuf a message of its own (ExtraValue) */
    SCHEMA_STRINGS,
    SCHEMA_OBJECT                                /* field->type */
};
enum schema_shape { SCHEMA_ONE, SCHEMA_LIST, SCHEMA_MAP };
enum schema_list_type { SCHEMA_ATOMIC, SCHEMA_SET, SCHEMA_BY_KEYS, SCHEMA_GRANULAR };

#define SCHEMA_REQUIRED    0x001u
#define SCHEMA_NULLABLE    0x002u                /* pointer in the original: absent differs from zero */
#define SCHEMA_IMMUTABLE   0x004u
#define SCHEMA_PATCH_MERGE 0x008u                /* strategic merge: merge by merge_key (list) */
#define SCHEMA_RETAIN_KEYS 0x010u
#define SCHEMA_PATCH_REPLACE 0x020u              /* strategic merge: replaced as a whole */
#define SCHEMA_UNIQUE      0x080u                /* no two elements with the same keys (or value): checked */
/* required for OpenAPI, not checked; protobuf zeros are kept */
#define SCHEMA_ALWAYS      0x040u

struct schema_type;
struct schema_enum { const char *const *values; unsigned n; };

struct schema_field {
    struct str name;
    uint8_t  base, shape, list_type;
    uint16_t flags;
    const struct schema_type *type;              /* SCHEMA_OBJECT */
    /* SCHEMA_RAW that is a message of its own in protobuf: JSON is the value of the one field that is set. */
    const struct schema_type *either;
    const struct schema_enum *enums;             /* NULL: any */
    const char *default_json;                    /* JSON text; NULL: none */
    const char *merge_key;                       /* strategic merge */
    const char *const *list_keys;                /* NULL-terminated, SCHEMA_BY_KEYS */
    /* "dns1123label", "ip", "port" ...: names of api/names.h checks; NULL */
    const char *format;
    int64_t  min, max;                           /* integers; min > max: no bound.  Quantities: only min 0 */
    uint32_t min_items, max_items;               /* lists; 0: no bound */
    uint32_t pb;                                 /* protobuf number */
    uint32_t pb_inline; /* != 0: sits in an embedded message with this number (JSON-inlined
                                                  * struct); in one in another: outer << 8 | inner */
    /* name in the resource this one is stored as; NULL: the same */
    const char *stored;
    const char *help;
    /* Of kinds that users define (api/crd/), NULL in the built-in tables: an element of the list or
     * map, which may be a list or map itself; and what else must hold of the value. */
    const struct schema_field *element;
    const struct schema_rules *rules;
};
#define SCHEMA_MAX_FIELDS 128                    /* of one built-in type: walkers keep a bit per field */

/* Fields of which exactly one is to be set.  Without `several` both mistakes are told by `none`. */
struct schema_one_of { const uint8_t *fields; unsigned n; const char *none, *several; };

struct schema_type {
    const char *name;                            /* "io.k8s.api.core.v1.PodSpec" as OpenAPI names it */
    const struct schema_field *fields; unsigned n_fields;
    const uint16_t *hash; unsigned hash_mask;    /* probing, schema_hash.h; index + 1, 0 empty */
    /* protobuf number -> index + 1, 0 none; inlined messages not in it */
    const uint8_t *by_pb; unsigned n_by_pb;
    const uint8_t *defaults; unsigned n_defaults;/* indexes of the fields that have one */
    const struct schema_one_of *one_of;          /* NULL: no such fields */
    bool deep_defaults, deep_immutable;          /* so does a field somewhere below, or this type itself */
    bool atomic;                                 /* server-side apply sees it as one field */
    const char *help;
    /* Of a kind that users define: the value whose type this is.  NULL: a built-in type. */
    const struct schema_field *user;
};
const struct schema_field *schema_field(const struct schema_type *t, struct str name);
static inline const char *schema_short_name(const struct schema_type *t)   /* "PodSpec" */
{
    const char *dot = strrchr(t->name, '.');
    return dot != NULL ? dot + 1 : t->name;
}

/* A column of kubectl get: the value that a dotted path leads to, that value shown by a function (NULL:
 * there is none), or computed from the object.  The functions are in api/columns*.c and write one JSON
 * value. */
typedef void schema_column_fn(struct buf *out, const struct json *obj, int64_t now_s);
typedef void schema_cell_fn(struct buf *out, const struct json *value, int64_t now_s);
struct json_query;
struct schema_column {
    const char *name, *type, *format, *help;
    int priority;
    const char *path;
    schema_column_fn *fn;                        /* instead of a path */
    schema_cell_fn *show;                        /* of what the path leads to; NULL: as it is */
    const struct json_query *query;              /* instead of a path; of kinds that users define */
};

#define VERB_GET 1u
#define VERB_LIST 2u
#define VERB_WATCH 4u
#define VERB_CREATE 8u
#define VERB_UPDATE 16u
#define VERB_PATCH 32u
#define VERB_DELETE 64u
#define VERB_DELETECOLLECTION 128u

struct schema_kind {                             /* a group, version, kind and the type behind it */
    const char *group, *version, *kind;          /* group "" for core */
    const struct schema_type *type;
    /* DeleteOptions, Status, WatchEvent...: exists in every group version */
    bool common;
};

struct resource;
struct resource_sub {                            /* pods/log, deployments/scale */
    const char *name;
    uint32_t verbs;                              /* VERB_* */
    /* what is sent to it (Scale, Binding, Eviction); NULL: the resource's own, or none */
    const struct schema_kind *kind;
    bool connect;                                /* log, exec, attach, portforward, proxy */
    bool of_status;                              /* writes change only the status: status, approval */
};
struct resource {
    const struct schema_kind *kind;
    const struct schema_kind *list;              /* PodList; NULL: can't be listed */
    const char *plural, *singular;
    const char *const *short_names, *const *categories;    /* NULL-terminated */
    bool namespaced;
    /* status subresource: spec writes keep status, status writes keep spec */
    bool has_status;
    bool has_generation;                         /* metadata.generation counts spec changes */
    bool virtual_;                               /* reviews, bindings: created, answered, never stored */
    uint32_t verbs;
    const struct resource_sub *subs; unsigned n_subs;
    const struct schema_column *columns; unsigned n_columns;
    /* NULL-terminated field selector paths beyond metadata.name/namespace */
    const char *const *select;
    /* key prefix below /registry/: "pods", "services/specs", "deployments" */
    const char *storage;
    /* another version or group of the same data (events); NULL: itself */
    const struct resource *stored_as;
    unsigned index;                              /* position in resources[]; RESOURCE_CUSTOM: not there */
};
/* Of a row that a CustomResourceDefinition added; api/crd/custom.h. */
#define RESOURCE_CUSTOM UINT_MAX
static inline bool resource_is_custom(const struct resource *r) { return r->index == RESOURCE_CUSTOM; }
extern const struct schema_type schema_types[];
extern const unsigned schema_n_types;
extern const struct resource schema_resources[];
extern const unsigned schema_n_resources;
extern const struct schema_kind schema_kinds[];
extern const unsigned schema_n_kinds;
const struct resource    *resource_find(struct str group, struct str version, struct str plural);
/* A common kind (DeleteOptions) is found under any group and version. */
const struct schema_kind *schema_kind_find(struct str group, struct str version, struct str kind);
/* The same by "apps/v1" or "v1". */
const struct schema_kind *schema_kind_by_version(struct str api_version, struct str kind);
/* "v1" or "apps/v1": how objects name their version. */
struct str schema_api_version(struct arena *a, const struct schema_kind *k);
const struct resource_sub *resource_sub_find(const struct resource *r, struct str name);

/* ---- From the tables alone ---------------------------------------------------------------------- */

/* Make a decoded tree fit the type: wrong JSON types are an error with the path (`Deployment in version
 * "v1" cannot be handled as a Deployment: json: cannot unmarshal string into Go struct field
 * DeploymentSpec.spec.replicas of type int32`); unknown and duplicate fields are taken out and listed in
 * `warnings` (NULL: nobody wants them) as `unknown field "spec.foo"` / `duplicate field "spec.replicas"`
 * (causes with only a message); null members are dropped, and those that say nothing.  Quantities become
 * canonical, times UTC seconds.  E_INVALID. */
int schema_conform(const struct schema_kind *k, struct json *obj, struct arena *a, struct causes *warnings,
                   struct errbuf *err);
/* The same for what is applied: values that say nothing stay, since who applies them owns their fields. */
int schema_conform_applied(const struct schema_kind *k, struct json *obj, struct arena *a,
                           struct causes *warnings, struct errbuf *err);
/* Take out of a merged object what says nothing. */
void schema_leave_out(const struct schema_type *t, struct json *obj);
/* Does v say no more than its absence?  A zero, an empty text, list or map of a field of the original's that
 * is no pointer: it is not kept, and a default takes its place.  (Fields of kinds that users define are kept
 * as they are.) */
bool schema_says_nothing(const struct schema_field *f, const struct json *v);
/* Fill in the defaults of the tables (kind-specific ones come from the resource's hooks). */
void schema_default(const struct schema_type *t, struct json *obj, struct arena *a);
/* required, enum, format, range; and that lists marked unique have no two elements with the same keys or
 * value. */
void schema_validate(const struct schema_type *t, const struct json *obj, const struct at *at,
                     struct causes *causes);
/* The same for what replaces old (NULL: nothing): of kinds that users define, what did not change passes. */
void schema_validate_over(const struct schema_type *t, const struct json *old, const struct json *obj,
                          const struct at *at, struct causes *causes);
/* Between a resource and the one it is stored as (events.k8s.io and core events): renames the fields that
 * are called differently and sets apiVersion.  No effect on resources stored as themselves. */
void schema_to_stored(const struct resource *r, struct json *obj, struct arena *a);
void schema_from_stored(const struct resource *r, struct json *obj, struct arena *a);
/* Fields marked immutable must be equal in both. */
void schema_validate_update(const struct schema_type *t, const struct json *old, const struct json *obj,
                            const struct at *at, struct causes *causes);
/* Strategic merge with every directive ($patch, $retainKeys, $deleteFromPrimitiveList, $setElementOrder).
 * cur is changed. */
int schema_strategic_merge(const struct schema_type *t, struct json *cur, const struct json *patch,
                           struct arena *a, struct json **ret, struct errbuf *err);
/* Kubernetes protobuf: "k8s\0" + Unknown{typeMeta, raw}.  Sets apiVersion and kind in the tree. */
int schema_pb_decode(struct str in, struct arena *a, struct json **ret, const struct schema_kind **ret_kind,
                     struct errbuf *err);
/* One message by type, without envelope (DeleteOptions in a body, nested use). */
int schema_pb_decode_type(const struct schema_type *t, struct str in, struct arena *a, struct json **ret,
                          struct errbuf *err);

/* The reverse, appended: an object (whose tree says what it is) in its envelope; a message alone; the
 * envelope up to where its field 2, the object, comes. */
void schema_pb_encode(struct buf *out, const struct schema_type *t, const struct json *obj);
void schema_pb_encode_type(struct buf *out, const struct schema_type *t, const struct json *obj);
void schema_pb_open(struct buf *out, struct str api_version, struct str kind);

/* ---- Documents made from the tables ------------------------------------------------------------- */

/* What there is to tell of, sorted by group and version. */
struct resource_set { const struct resource *const *at; unsigned n; };
/* Where the group version, or the group, that begins at at[i] ends. */
unsigned resource_set_gv_end(const struct resource_set *all, unsigned i);
unsigned resource_set_group_end(const struct resource_set *all, unsigned i);
/* path: "apis/apps/v1" */
struct openapi_gv { struct str path; const struct resource *const *at; unsigned n; };
typedef struct str openapi_tag_fn(void *arg, const struct openapi_gv *gv);

/* Discovery: legacy /api, /api/v1, /apis, /apis/G, /apis/G/V and aggregated (core: /api, else /apis) v2
 * and v2beta1. */
struct blob *discovery_api_versions(void);
struct blob *discovery_group_list(const struct resource_set *all);
/* NULL: none such */
struct blob *discovery_group(const struct resource_set *all, struct str group);
struct blob *discovery_resource_list(const struct resource_set *all, struct str group, struct str version);
struct blob *discovery_aggregated(const struct resource_set *all, bool core, bool v2beta1);
/* OpenAPI: v2 (JSON), the v3 index and one v3 document per group version ("api/v1", "apis/apps/v1"). */
struct blob *openapi_v2(const struct resource_set *all);
/* the same as gnostic protobuf */
struct blob *openapi_v2_pb(const struct resource_set *all);
struct blob *openapi_v3(const struct openapi_gv *gv);
/* Of a document's text. */
uint64_t openapi_hash(struct str s);
/* False: there is none at this path. */
bool openapi_find(const struct resource_set *all, struct str path, struct openapi_gv *ret);
/* tag: of a group version's document, as it stands in its address. */
struct blob *openapi_v3_index(const struct resource_set *all, openapi_tag_fn *tag, void *arg);

/* Table: column definitions, then one row (cells) per object. */
void table_columns(struct buf *out, const struct resource *r);             /* the columnDefinitions array */
/* the cells array */
void table_cells(struct buf *out, const struct resource *r, const struct json *obj, int64_t now_s);

#endif
