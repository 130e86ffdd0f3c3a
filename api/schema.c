/* api/schema.c: finding fields, kinds and resources in the tables. */
#include "api/schema_hash.h"
#include "api/schema_tables.h"

const struct schema_field *schema_field(const struct schema_type *t, struct str name)
{
    unsigned at = schema_hash(name.p, name.n) & t->hash_mask;

    for (; t->hash[at] != 0; at = (at + 1) & t->hash_mask) {
        const struct schema_field *f = &t->fields[t->hash[at] - 1];

        if (f->name.n == name.n && (f->name.p == name.p || memcmp(f->name.p, name.p, name.n) == 0))
            return f;
    }
    return NULL;
}

const struct resource *resource_find(struct str group, struct str version, struct str plural)
{
    unsigned mask = schema__resource_hash_mask, at = schema_hash(plural.p, plural.n) & mask;

    for (; schema__resource_hash[at] != 0; at = (at + 1) & mask) {
        const struct resource *r = &schema_resources[schema__resource_hash[at] - 1];

        if (str_is(plural, r->plural) && str_is(group, r->kind->group) && str_is(version, r->kind->version))
            return r;
    }
    return NULL;
}

const struct schema_kind *schema_kind_find(struct str group, struct str version, struct str kind)
{
    unsigned mask = schema__kind_hash_mask, at = schema_hash(kind.p, kind.n) & mask;
    const struct schema_kind *common = NULL;

    for (; schema__kind_hash[at] != 0; at = (at + 1) & mask) {
        const struct schema_kind *k = &schema_kinds[schema__kind_hash[at] - 1];

        if (!str_is(kind, k->kind))
            continue;
        if (str_is(group, k->group) && str_is(version, k->version))
            return k;
        if (k->common)
            common = k;
    }
    return common;
}

const struct schema_kind *schema_kind_by_version(struct str version, struct str name)
{
    ptrdiff_t slash = str_find(version, '/');

    return slash < 0 ? schema_kind_find(STR(""), version, name)
                     : schema_kind_find(str_upto(version, (size_t)slash),
                                        str_from(version, (size_t)slash + 1), name);
}

struct str schema_api_version(struct arena *a, const struct schema_kind *k)
{
    return k->group[0] != '\0' ? arena_fmt(a, "%s/%s", k->group, k->version) : str_of(k->version);
}

const struct resource_sub *resource_sub_find(const struct resource *r, struct str name)
{
    for (unsigned i = 0; i < r->n_subs; i++)
        if (str_is(name, r->subs[i].name))
            return &r->subs[i];
    return NULL;
}

/* ---- another face of the same data -------------------------------------------------------------- */

static void set_kind(const struct schema_kind *k, struct json *obj, struct arena *a)
{
    json_setz(a, obj, "apiVersion", json_string_ref(a, schema_api_version(a, k)));
    json_setz(a, obj, "kind", json_string_ref(a, str_of(k->kind)));
}

static void rename_members(const struct resource *r, struct json *obj, bool to_stored)
{
    const struct schema_type *t = r->kind->type;

    json_each(m, obj) {
        for (unsigned i = 0; i < t->n_fields; i++) {
            const struct schema_field *f = &t->fields[i];

            if (f->stored == NULL || !str_eq(m->key, to_stored ? f->name : str_of(f->stored)))
                continue;
            m->key = to_stored ? str_of(f->stored) : f->name;
            break;
        }
    }
}

void schema_to_stored(const struct resource *r, struct json *obj, struct arena *a)
{
    if (r->stored_as == NULL || !json_is(obj, JSON_OBJECT))
        return;
    rename_members(r, obj, true);
    set_kind(r->stored_as->kind, obj, a);
}

void schema_from_stored(const struct resource *r, struct json *obj, struct arena *a)
{
    if (r->stored_as == NULL || !json_is(obj, JSON_OBJECT))
        return;
    rename_members(r, obj, false);
    set_kind(r->kind, obj, a);
}
