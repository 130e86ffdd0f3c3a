/* api/gen/check.c: from what the files say to what holds: names resolved, inlined fields in place, list
 * kinds made. */
#include <stdlib.h>
#include <string.h>
#include "api/gen/gen.h"

static const struct { const char *name, *base;
} bases[] = {
    { "string", "SCHEMA_STRING" },
    { "bool", "SCHEMA_BOOL" },
    { "int32", "SCHEMA_INT32" },
    { "int64", "SCHEMA_INT64" },
    { "double", "SCHEMA_DOUBLE" },
    { "bytes", "SCHEMA_BYTES" },
    { "time", "SCHEMA_TIME" },
    { "microtime", "SCHEMA_MICROTIME" },
    { "duration", "SCHEMA_DURATION" },
    { "quantity", "SCHEMA_QUANTITY" },
    { "intorstring", "SCHEMA_INT_OR_STRING" },
    { "raw", "SCHEMA_RAW" },
    { "fieldsv1", "SCHEMA_FIELDS_V1" },
    { "strings", "SCHEMA_STRINGS" },
};

/* "ALIAS.NAME" in that package; "NAME" in this one, else in meta. */
static bool in_scope(const struct package *its, const struct package *pkg, const char *name,
                     const char **ret_name)
{
    const char *dot = strchr(name, '.');

    if (dot != NULL) {
        *ret_name = dot + 1;
        return strlen(its->alias) == (size_t)(dot - name) &&
               strncmp(its->alias, name, (size_t)(dot - name)) == 0;
    }
    *ret_name = name;
    return its == pkg || strcmp(its->alias, "meta") == 0;
}

struct gen_type *type_find(struct schema *s, const struct package *pkg, const char *name)
{
    struct gen_type *found = NULL;
    const char *n;

    for (int i = 0; i < s->n_types; i++)
        if (in_scope(s->types[i]->pkg, pkg, name, &n) && strcmp(s->types[i]->name, n) == 0
            && (found == NULL || s->types[i]->pkg == pkg))
            found = s->types[i];
    return found;
}

struct gen_enum *enum_find(struct schema *s, const struct package *pkg, const char *name)
{
    struct gen_enum *found = NULL;
    const char *n;

    for (int i = 0; i < s->n_enums; i++)
        if (in_scope(s->enums[i]->pkg, pkg, name, &n) && strcmp(s->enums[i]->name, n) == 0
            && (found == NULL || s->enums[i]->pkg == pkg))
            found = s->enums[i];
    return found;
}

/* ---- fields ------------------------------------------------------------------------------------- */

static void resolve_type_name(struct schema *s, const struct gen_type *t, struct gen_field *f)
{
    const char *name = f->type_name;
    size_t n;

    f->shape = "SCHEMA_ONE";
    if (strncmp(name, "[]", 2) == 0)
        f->shape = "SCHEMA_LIST", name += 2;
    else if (strncmp(name, "map:", 4) == 0)
        f->shape = "SCHEMA_MAP", name += 4;
    n = strlen(name);
    if (n > 0 && name[n - 1] == '?') {
        f->nullable = true;
        char *bare = text_copy(name);
        bare[n - 1] = '\0';
        name = bare;
    }
    for (size_t i = 0; i < sizeof(bases) / sizeof(bases[0]); i++)
        if (strcmp(bases[i].name, name) == 0) {
            f->base = text_copy(bases[i].base);
            return;
        }
    if ((f->enums = enum_find(s, t->pkg, name)) != NULL) {
        f->base = text_copy("SCHEMA_STRING");
        return;
    }
    f->base = text_copy("SCHEMA_OBJECT");
    f->type = type_find(s, t->pkg, name);
    if (f->type == NULL)
        fail(f->at, "%s: no such type", name);
    if (f->type->is_either) {
        f->base = text_copy("SCHEMA_RAW");
        f->either = f->type;
        f->type = NULL;
    }
}

static bool is_int(const struct gen_field *f)
{
    return strcmp(f->base, "SCHEMA_INT32") == 0 || strcmp(f->base, "SCHEMA_INT64") == 0;
}

static void check_integer(const struct gen_field *f, const char *what, const char *text)
{
    char *end;

    if (text == NULL)
        return;
    (void)strtoll(text, &end, 10);
    if (end == text || *end != '\0')
        fail(f->at, "%s=%s is not an integer", what, text);
}

/* The default must be a JSON value of the field's type; strings may hold no escapes, so that they are used
 * as they are. */
static void check_default(const struct gen_field *f)
{
    const char *d = f->dflt, *b = f->base;
    size_t n;

    if (d == NULL)
        return;
    n = strlen(d);
    if (strcmp(f->shape, "SCHEMA_LIST") == 0) {
        if (strcmp(d, "[]") != 0)
            fail(f->at, "the default of a list can only be []");
    } else if (strcmp(b, "SCHEMA_OBJECT") == 0 || strcmp(f->shape, "SCHEMA_MAP") == 0) {
        if (strcmp(d, "{}") != 0)
            fail(f->at, "the default of an object can only be {}");
    } else if (is_int(f)) {
        check_integer(f, "default", d);
    } else if (strcmp(b, "SCHEMA_BOOL") == 0) {
        if (strcmp(d, "true") != 0 && strcmp(d, "false") != 0)
            fail(f->at, "default=%s is neither true nor false", d);
    } else if (n < 2 || d[0] != '"' || d[n - 1] != '"' || strchr(d, '\\') != NULL ||
               strchr(d + 1, '"') != d + n - 1) {
        fail(f->at, "default=%s is not a plain string in quotes", d);
    } else if (f->enums != NULL) {
        bool known = n == 2;

        for (int i = 0; i < f->enums->n; i++)
            known |= strlen(f->enums->values[i]) == n - 2 && strncmp(f->enums->values[i], d + 1, n - 2) == 0;
        if (!known)
            fail(f->at, "default=%s is not one of %s", d, f->enums->name);
    }
}

static bool has_field(const struct gen_type *t, const char *name)
{
    for (int i = 0; i < t->n_fields; i++)
        if (strcmp(t->fields[i].name, name) == 0)
            return true;
    return false;
}

static void check_one_of(const struct gen_type *t)
{
    for (int i = 0; i < t->one_of.n; i++)
        if (!has_field(t, t->one_of.v[i]))
            fail(t->at, "@oneof: %s has no field %s", t->name, t->one_of.v[i]);
}

static void check_keys(const struct gen_field *f)
{
    bool list = strcmp(f->shape, "SCHEMA_LIST") == 0;

    if ((f->merge_key != NULL || f->keys.n > 0) && (!list || f->type == NULL))
        fail(f->at, "only a list of objects has keys");
    if (f->unique && (!list || (f->type != NULL && f->keys.n == 0)))
        fail(f->at, "only a list of plain values or with keys can be unique");
    if (f->merge && !list)
        fail(f->at, "only a list can be merged");
    if (f->merge && f->type != NULL && f->merge_key == NULL)
        fail(f->at, "merge needs a key here");
    if (f->merge_key != NULL && !has_field(f->type, f->merge_key))
        fail(f->at, "merge=%s: %s has no such field", f->merge_key, f->type->name);
    for (int i = 0; i < f->keys.n; i++)
        if (!has_field(f->type, f->keys.v[i]))
            fail(f->at, "keys=%s: %s has no such field", f->keys.v[i], f->type->name);
}

static void check_bounds(const struct gen_field *f)
{
    bool amount = strcmp(f->base, "SCHEMA_QUANTITY") == 0;

    check_integer(f, "min", f->min);
    check_integer(f, "max", f->max);
    check_integer(f, "minitems", f->min_items);
    check_integer(f, "maxitems", f->max_items);
    if ((f->min != NULL || f->max != NULL) && !is_int(f) && !amount)
        fail(f->at, "min and max are for integers");
    if (amount && (f->max != NULL || (f->min != NULL && strcmp(f->min, "0") != 0)))
        fail(f->at, "the only bound of a quantity is min=0");
    if ((f->min_items != NULL || f->max_items != NULL) && strcmp(f->shape, "SCHEMA_LIST") != 0)
        fail(f->at, "minitems and maxitems are for lists");
}

static void check_field(const struct gen_type *t, const struct gen_field *f)
{
    bool one = strcmp(f->shape, "SCHEMA_ONE") == 0;

    check_default(f);
    check_keys(f);
    check_bounds(f);
    if (f->required && f->always)
        fail(f->at, "required and always exclude each other");
    if (f->help == NULL)
        fail(f->at, "no description");
    if (one && f->list_type != NULL && strcmp(f->list_type, "SCHEMA_ATOMIC") != 0)
        fail(f->at, "only lists and maps have a list type");
    for (const struct gen_field *g = t->fields; g < f; g++)
        if (strcmp(g->name, f->name) == 0)
            fail(f->at, "field %s is there already, at %s:%d", f->name, g->at.file, g->at.line);
        else if (f->pb != 0 && g->pb == f->pb && g->pb_inline == f->pb_inline)
            fail(f->at, "protobuf number %d is that of %s already", f->pb, g->name);
}

/* ---- inlined types ------------------------------------------------------------------------------ */

/* The path to a field through embedded messages, a byte for the number of each, the outermost first. */
static int inline_path(const struct gen_field *f, int inner)
{
    int shift = inner == 0 ? 0 : inner > 0xff ? 16 : 8;

    if (f->pb < 1 || f->pb > 0xff || inner > 0xffff)
        fail(f->at, "inlined too deep, or as a number over 255");
    return f->pb << shift | inner;
}

static void flatten(struct schema *s, struct gen_type *t)
{
    struct gen_field *out = NULL;
    int n = 0;

    if (t->flat)
        return;
    if (t->flattening)
        fail(t->at, "%s is inlined into itself", t->name);
    t->flattening = true;
    for (int i = 0; i < t->n_fields; i++) {
        struct gen_field *f = &t->fields[i];
        struct gen_type *in = f->is_inline ? type_find(s, t->pkg, f->type_name) : NULL;

        if (!f->is_inline) {
            out = more(out, (size_t)n, sizeof(*out));
            out[n++] = *f;
            continue;
        }
        if (in == NULL)
            fail(f->at, "%s: no such type", f->type_name);
        flatten(s, in);
        if (in->one_of.n > 0) {
            t->one_of = in->one_of;
            t->none = in->none;
            t->several = in->several;
        }
        for (int j = 0; j < in->n_fields; j++) {
            out = more(out, (size_t)n, sizeof(*out));
            out[n] = in->fields[j];
            out[n].pb_inline = inline_path(f, out[n].pb_inline);
            n++;
        }
    }
    t->fields = out;
    t->n_fields = n;
    t->flat = true;
}

/* ---- kinds -------------------------------------------------------------------------------------- */

static void list_field(struct gen_type *t, const char *name, const char *type, int pb, const char *help)
{
    struct gen_field *f;

    t->fields = more(t->fields, (size_t)t->n_fields, sizeof(*f));
    f = &t->fields[t->n_fields++];
    f->at = t->at;
    f->name = text_copy(name);
    f->type_name = text_copy(type);
    f->help = text_copy(help);
    f->pb = pb;
    f->always = strcmp(name, "items") == 0;
}

/* PodList for Pod. */
static struct gen_type *list_kind(struct schema *s, const struct gen_type *of)
{
    struct gen_type *t = more(NULL, 0, sizeof(*t));
    char text[256];

    snprintf(text, sizeof(text), "%sList", of->name);
    *t = (struct gen_type){ .at = of->at, .pkg = of->pkg, .name = text_copy(text), .is_kind = true };
    snprintf(text, sizeof(text), "A list of objects of kind %s.", of->name);
    t->help = text_copy(text);
    list_field(t, "apiVersion", "string", 0, "Group and version that the list is written in.");
    list_field(t, "kind", "string", 0, "Kind of the list, as one word.");
    list_field(t, "metadata", "ListMeta", 1, "Standard metadata of lists.");
    snprintf(text, sizeof(text), "[]%s", of->name);
    list_field(t, "items", text, 2, "The objects.");
    s->types = more(s->types, (size_t)s->n_types, sizeof(s->types[0]));
    return s->types[s->n_types++] = t;
}

/* The order of discovery: groups as their packages say, of a group the newest version (v2 before v1)
 * first. */
static int resource_cmp(const void *x, const void *y)
{
    const struct gen_resource *a = *(struct gen_resource *const *)x, *b = *(struct gen_resource *const *)y;
    int c = (a->kind->pkg->order > b->kind->pkg->order) - (a->kind->pkg->order < b->kind->pkg->order);

    if (c == 0)
        c = strcmp(a->kind->pkg->group, b->kind->pkg->group);
    if (c == 0)
        c = strcmp(b->kind->pkg->version, a->kind->pkg->version);
    return c != 0 ? c : strcmp(a->plural, b->plural);
}

static int sub_cmp(const void *x, const void *y)
{
    return strcmp(((const struct gen_sub *)x)->name, ((const struct gen_sub *)y)->name);
}

static void check_resources(struct schema *s)
{
    qsort(s->resources, (size_t)s->n_resources, sizeof(s->resources[0]), resource_cmp);
    for (int i = 0; i < s->n_resources; i++) {
        struct gen_resource *r = s->resources[i];

        r->index = i;
        if (i > 0 && resource_cmp(&s->resources[i - 1], &r) == 0)
            fail(r->at, "resource %s is there already", r->plural);
        if (r->verbs & 2u)
            r->list = list_kind(s, r->kind);
        if (r->n_subs > 0)
            qsort(r->subs, (size_t)r->n_subs, sizeof(r->subs[0]), sub_cmp);
        for (int j = 0; j < r->n_subs; j++) {
            struct gen_sub *sub = &r->subs[j];

            if (sub->kind_name == NULL)
                continue;
            sub->kind = type_find(s, r->kind->pkg, sub->kind_name);
            if (sub->kind == NULL || !sub->kind->is_kind)
                fail(sub->at, "%s: no such kind", sub->kind_name);
        }
    }
}

/* Which types have defaults or immutable fields anywhere below: repeated until nothing changes, since
 * types may be recursive. */
static void spread_deep(struct schema *s)
{
    bool changed = true;

    while (changed) {
        changed = false;
        for (int i = 0; i < s->n_types; i++) {
            struct gen_type *t = s->types[i];
            bool d = false, m = false;

            for (int j = 0; j < t->n_fields; j++) {
                const struct gen_field *f = &t->fields[j];

                d |= f->dflt != NULL || (f->type != NULL && f->type->deep_defaults);
                m |= f->immutable || (f->type != NULL && f->type->deep_immutable);
            }
            changed |= d != t->deep_defaults || m != t->deep_immutable;
            t->deep_defaults = d;
            t->deep_immutable = m;
        }
    }
}

void check_schema(struct schema *s)
{
    check_resources(s);
    for (int i = 0; i < s->n_types; i++)
        for (int j = 0; j < s->types[i]->n_fields; j++)
            if (!s->types[i]->fields[j].is_inline)
                resolve_type_name(s, s->types[i], &s->types[i]->fields[j]);
    for (int i = 0; i < s->n_types; i++)
        flatten(s, s->types[i]);
    for (int i = 0; i < s->n_types; i++) {
        struct gen_type *t = s->types[i];

        t->index = i;
        if (t->help == NULL)
            fail(t->at, "%s has no description", t->name);
        if (t->n_fields > 128)
            fail(t->at, "%s has more than 128 fields", t->name);
        for (int j = 0; j < t->n_fields; j++)
            check_field(t, &t->fields[j]);
        check_one_of(t);
    }
    spread_deep(s);
}
