/* api/crd/custom.h: a kind that users define, as this head serves it: a row of the resource tables for
 * each of its versions.
 *
 * Made from a stored CustomResourceDefinition by the registry (api/registry.h), which replaces it when
 * the definition changes.  Counted references: a request or a watch under way keeps the rows it began
 * with.  The schema of a version is compiled when an object is first written, or read that older
 * schemas left, its columns when somebody first wants a table: a thousand definitions cost a thousand
 * small rows. */
#ifndef API_CRD_CUSTOM_H
#define API_CRD_CUSTOM_H

#include "api/call.h"
#include "api/crd/rules.h"

struct custom_version {
    struct resource res;                         /* RESOURCE_CUSTOM; its kind and list are those below */
    struct schema_kind kind, list;
    struct schema_type type, list_type;
    struct resource_sub sub[2];
    struct resource_info info;
    struct custom *of;
    bool served, storage;
    struct str warning;                          /* of a deprecated version; empty: none */
    /* of .../scale, as dotted paths; NULL: there is no such subresource, labels: no selector */
    const char *spec_replicas, *status_replicas, *labels;
    bool compiled, tabled;
};

struct custom {
    unsigned refs;
    struct arena arena;
    struct str name;                             /* "crontabs.stable.example.com" */
    struct blob *text;                           /* the definition as it is stored */
    struct str group, plural;
    struct str spec, names;                      /* views of text: what the rows are made from */
    uint64_t hash;                               /* of these two: alike on all heads */
    uint64_t mod_rev;                            /* of the definition */
    unsigned place;                              /* the registry's: where its group stands among all */
    /* Objects that are stored since then are as these schemas want them, older ones perhaps not. */
    uint64_t since;
    bool webhook;                                /* versions differ in more than their name */
    bool established, ending;                    /* ending: being deleted, nothing new comes in */
    struct custom_version *version; unsigned n;
};

/* One reference.  NULL: the definition cannot be read. */
struct custom *custom_new(struct blob *text, struct str name, uint64_t mod_rev);
static inline struct custom *custom_ref(struct custom *cu)
{
    must(cu->refs > 0);
    cu->refs++;
    return cu;
}
void custom_unref(struct custom *cu);            /* NULL ok */
static inline bool custom_is_served(const struct custom *cu, const struct custom_version *v)
{
    return cu->established && (v->served || (cu->ending && v->storage));
}
static inline struct custom_version *custom_of(const struct resource *r)
{
    must(resource_is_custom(r));
    return container_of(r, struct custom_version, res);
}
/* Makes v's schema ready for use.  E_INVALID: it cannot be, the text says why. */
int custom_compile(struct custom_version *v, struct errbuf *err);
/* Makes v's columns. */
void custom_make_columns(struct custom_version *v);
/* The schema of a version within a definition; NULL: none. */
const struct json *custom_schema(const struct json *definition, struct str version);

/* ---- Between versions, and from older schemas --------------------------------------------------- */

/* Is this stored text what a reader of v is to see? */
bool custom_reads_plain(const struct custom_version *v, struct str stored);
/* Objects of one version become another one's through a webhook, which heads do not call: what is stored in a
 * version is served in no other. */
bool custom_needs_webhook(const struct custom_version *v, struct str stored);
/* Else: the version is put in its place, what the schema does not know goes, defaults come in. */
void custom_from_stored(struct custom_version *v, struct json *obj, struct arena *a);
/* The version that objects are stored in. */
const struct custom_version *custom_storage(const struct custom *cu);

/* The hooks of all of them. */
extern const struct kind_hooks kind_custom;

#endif
