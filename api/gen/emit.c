/* api/gen/emit.c: the tables as C.  Everything is constant data that needs no start-up work; references
 * between types go through their place in schema_types[], so order does not matter. */
#include <stdlib.h>
#include <string.h>
#include "api/gen/gen.h"
#include "api/schema_hash.h"

static void put_string(FILE *out, const char *z)
{
    if (z == NULL) {
        fputs("NULL", out);
        return;
    }
    fputc('"', out);
    for (; *z != '\0'; z++) {
        if (*z == '"' || *z == '\\')
            fputc('\\', out);
        fputc(*z, out);
    }
    fputc('"', out);
}

/* A NULL-terminated array of strings, or nothing when there is none. */
static void put_list(FILE *out, const char *name, int i, int j, const struct list *l)
{
    if (l->n == 0)
        return;
    fprintf(out, "static const char *const %s_%d_%d[] = { ", name, i, j);
    for (int k = 0; k < l->n; k++) {
        put_string(out, l->v[k]);
        fputs(", ", out);
    }
    fputs("NULL };\n", out);
}

static void put_list_ref(FILE *out, const char *name, int i, int j, const struct list *l)
{
    if (l->n == 0)
        fputs("none", out);
    else
        fprintf(out, "%s_%d_%d", name, i, j);
}

/* A probing table of names; slots hold index + 1. */
typedef const char *name_at(const struct schema *s, const void *of, int i);

static unsigned put_hash(FILE *out, const char *decl, const struct schema *s, const void *of, int n,
                         name_at *name)
{
    unsigned size = 4, *slot;

    while (size < 2 * (unsigned)n)
        size *= 2;
    slot = calloc(size, sizeof(slot[0]));
    if (slot == NULL)
        abort();
    for (int i = 0; i < n; i++) {
        const char *z = name(s, of, i);
        unsigned at = schema_hash(z, strlen(z)) & (size - 1);

        while (slot[at] != 0)
            at = (at + 1) & (size - 1);
        slot[at] = (unsigned)i + 1;
    }
    fprintf(out, "%s[%u] = {", decl, size);
    for (unsigned i = 0; i < size; i++)
        fprintf(out, "%s%u,", i % 24 == 0 ? "\n    " : " ", slot[i]);
    fputs("\n};\n", out);
    free(slot);
    return size - 1;
}

static const char *field_name(const struct schema *s, const void *of, int i)
{
    (void)s;
    return ((const struct gen_type *)of)->fields[i].name;
}

static const char *resource_name(const struct schema *s, const void *of, int i)
{
    (void)of;
    return s->resources[i]->plural;
}

static const char *kind_name(const struct schema *s, const void *of, int i)
{
    return s->types[((const int *)of)[i]]->name;
}

/* ---- types -------------------------------------------------------------------------------------- */

static void put_enums(const struct schema *s, FILE *out)
{
    for (int i = 0; i < s->n_enums; i++) {
        struct gen_enum *e = s->enums[i];

        e->index = i;
        fprintf(out, "static const char *const enum_%d_values[] = { ", i);
        for (int j = 0; j < e->n; j++) {
            put_string(out, e->values[j]);
            fputs(", ", out);
        }
        fprintf(out, "};\nstatic const struct schema_enum enum_%d = { enum_%d_values, %d };\n", i, i, e->n);
    }
}

static void put_field(FILE *out, const struct gen_type *t, int j)
{
    const struct gen_field *f = &t->fields[j];
    const char *usual = strcmp(f->shape, "SCHEMA_LIST") == 0 ? "SCHEMA_ATOMIC" : "SCHEMA_GRANULAR";

    fprintf(out, "    { .name = { \"%s\", %zu }, .base = %s, .shape = %s, .list_type = %s,\n", f->name,
            strlen(f->name), f->base, f->shape, f->list_type != NULL ? f->list_type : usual);
    fprintf(out, "      .flags = 0%s%s%s%s%s%s%s%s,", f->required ? " | SCHEMA_REQUIRED" : "",
            f->nullable ? " | SCHEMA_NULLABLE" : "", f->immutable ? " | SCHEMA_IMMUTABLE" : "",
            f->merge ? " | SCHEMA_PATCH_MERGE" : "", f->retain_keys ? " | SCHEMA_RETAIN_KEYS" : "",
            f->replace ? " | SCHEMA_PATCH_REPLACE" : "", f->always ? " | SCHEMA_ALWAYS" : "",
            f->unique ? " | SCHEMA_UNIQUE" : "");
    if (f->type != NULL)
        fprintf(out, " .type = &schema_types[%d],", f->type->index);
    if (f->either != NULL)
        fprintf(out, " .either = &schema_types[%d],", f->either->index);
    if (f->enums != NULL)
        fprintf(out, " .enums = &enum_%d,", f->enums->index);
    fputs("\n      .default_json = ", out);
    put_string(out, f->dflt);
    fputs(", .merge_key = ", out);
    put_string(out, f->merge_key);
    if (f->keys.n > 0)
        fprintf(out, ", .list_keys = keys_%d_%d", t->index, j);
    fputs(", .format = ", out);
    put_string(out, f->format);
    if (f->min == NULL && f->max == NULL)
        fputs(", .min = 1, .max = 0", out);
    else
        fprintf(out, ", .min = %s, .max = %s", f->min != NULL ? f->min : "INT64_MIN",
                f->max != NULL ? f->max : "INT64_MAX");
    if (f->min_items != NULL || f->max_items != NULL)
        fprintf(out, ", .min_items = %s, .max_items = %s", f->min_items != NULL ? f->min_items : "0",
                f->max_items != NULL ? f->max_items : "0");
    fprintf(out, ",\n      .pb = %d, .pb_inline = %d, .stored = ", f->pb, f->pb_inline);
    put_string(out, f->stored);
    fputs(",\n      .help = ", out);
    put_string(out, f->help);
    fputs(" },\n", out);
}

static int put_by_pb(FILE *out, const struct gen_type *t)
{
    int max = 0;

    for (int j = 0; j < t->n_fields; j++)
        if (t->fields[j].pb_inline == 0 && t->fields[j].pb > max)
            max = t->fields[j].pb;
    if (max == 0)
        return 0;
    fprintf(out, "static const uint8_t pb_%d[] = { 0", t->index);
    for (int n = 1; n <= max; n++) {
        int found = 0;

        for (int j = 0; j < t->n_fields; j++)
            if (t->fields[j].pb_inline == 0 && t->fields[j].pb == n)
                found = j + 1;
        fprintf(out, ", %d", found);
    }
    fputs(" };\n", out);
    return max + 1;
}

static int put_defaults(FILE *out, const struct gen_type *t)
{
    int n = 0;

    for (int j = 0; j < t->n_fields; j++)
        if (t->fields[j].dflt != NULL)
            n++;
    if (n == 0)
        return 0;
    fprintf(out, "static const uint8_t defaults_%d[] = { ", t->index);
    for (int j = 0; j < t->n_fields; j++)
        if (t->fields[j].dflt != NULL)
            fprintf(out, "%d, ", j);
    fputs("};\n", out);
    return n;
}

/* Fields of which one is to be set, by index. */
static void put_one_of(FILE *out, const struct gen_type *t)
{
    if (t->one_of.n == 0)
        return;
    fprintf(out, "static const uint8_t one_of_fields_%d[] = { ", t->index);
    for (int i = 0; i < t->one_of.n; i++)
        for (int j = 0; j < t->n_fields; j++)
            if (strcmp(t->fields[j].name, t->one_of.v[i]) == 0)
                fprintf(out, "%d, ", j);
    fprintf(out, "};\nstatic const struct schema_one_of one_of_%d = { one_of_fields_%d, %d, ", t->index,
            t->index, t->one_of.n);
    put_string(out, t->none);
    fputs(", ", out);
    put_string(out, t->several);
    fputs(" };\n", out);
}

static void put_types(const struct schema *s, FILE *out)
{
    struct { unsigned mask; int by_pb, defaults; } *info = calloc((size_t)s->n_types, sizeof(*info));

    if (info == NULL)
        abort();
    for (int i = 0; i < s->n_types; i++) {
        const struct gen_type *t = s->types[i];
        char decl[64];

        fprintf(out, "\n/* %s.%s */\n", t->pkg->openapi, t->name);
        for (int j = 0; j < t->n_fields; j++)
            put_list(out, "keys", i, j, &t->fields[j].keys);
        fprintf(out, "static const struct schema_field fields_%d[] = {\n", i);
        for (int j = 0; j < t->n_fields; j++)
            put_field(out, t, j);
        fputs(t->n_fields > 0 ? "};\n" : "    { .pb = 0 }\n};\n", out);
        snprintf(decl, sizeof(decl), "static const uint16_t hash_%d", i);
        info[i].mask = put_hash(out, decl, s, t, t->n_fields, field_name);
        info[i].by_pb = put_by_pb(out, t);
        info[i].defaults = put_defaults(out, t);
        put_one_of(out, t);
    }
    fprintf(out, "\nconst struct schema_type schema_types[%d] = {\n", s->n_types);
    for (int i = 0; i < s->n_types; i++) {
        const struct gen_type *t = s->types[i];

        fprintf(
            out,
            "    { .name = \"%s.%s\", .fields = fields_%d, .n_fields = %d, .hash = hash_%d, .hash_mask = %u,",
            t->pkg->openapi, t->name, i, t->n_fields, i, info[i].mask);
        if (info[i].by_pb > 0)
            fprintf(out, " .by_pb = pb_%d, .n_by_pb = %d,", i, info[i].by_pb);
        if (info[i].defaults > 0)
            fprintf(out, " .defaults = defaults_%d, .n_defaults = %d,", i, info[i].defaults);
        if (t->one_of.n > 0)
            fprintf(out, " .one_of = &one_of_%d,", i);
        if (t->atomic)
            fputs(" .atomic = true,", out);
        fprintf(out, "\n      .deep_defaults = %s, .deep_immutable = %s, .help = ",
                t->deep_defaults ? "true" : "false", t->deep_immutable ? "true" : "false");
        put_string(out, t->help);
        fputs(" },\n", out);
    }
    fprintf(out, "};\nconst unsigned schema_n_types = %d;\n\n", s->n_types);
    free(info);
}

/* ---- kinds and resources ------------------------------------------------------------------------ */

/* Kinds of meta exist in every group version: whoever asks for one under another gets it. */
static void put_kinds(struct schema *s, FILE *out)
{
    int *kinds = calloc((size_t)s->n_types, sizeof(kinds[0])), n = 0;
    unsigned mask;

    if (kinds == NULL)
        abort();
    for (int i = 0; i < s->n_types; i++)
        if (s->types[i]->is_kind) {
            s->types[i]->kind_index = n;
            kinds[n++] = i;
        }
    fprintf(out, "const struct schema_kind schema_kinds[%d] = {\n", n);
    for (int i = 0; i < n; i++) {
        const struct gen_type *t = s->types[kinds[i]];

        fprintf(out, "    { \"%s\", \"%s\", \"%s\", &schema_types[%d], %s },\n", t->pkg->group,
                t->pkg->version, t->name, kinds[i], strcmp(t->pkg->alias, "meta") == 0 ? "true" : "false");
    }
    fprintf(out, "};\nconst unsigned schema_n_kinds = %d;\n", n);
    mask = put_hash(out, "const uint16_t schema__kind_hash", s, kinds, n, kind_name);
    fprintf(out, "const unsigned schema__kind_hash_mask = %u;\n\n", mask);
    free(kinds);
}

static void put_sub(FILE *out, const struct gen_sub *sub)
{
    fputs("    { ", out);
    put_string(out, sub->name);
    fprintf(out, ", %uu, ", sub->verbs);
    if (sub->kind != NULL)
        fprintf(out, "&schema_kinds[%d]", sub->kind->kind_index);
    else
        fputs("NULL", out);
    fprintf(out, ", %s, %s },\n", sub->connect ? "true" : "false",
            sub->of_status || strcmp(sub->name, "status") == 0 ? "true" : "false");
}

static void put_column(FILE *out, const struct gen_column *c)
{
    const char *texts[] = { c->name, c->type, c->format, c->help != NULL ? c->help : "" };

    fputs("    { ", out);
    for (int i = 0; i < 4; i++) {
        put_string(out, texts[i]);
        fputs(", ", out);
    }
    fprintf(out, "%d, ", c->wide ? 1 : 0);
    put_string(out, c->path);
    fprintf(out, ", %s%s, ", c->func != NULL && c->path == NULL ? "column_" : "NULL",
            c->func != NULL && c->path == NULL ? c->func : "");
    fprintf(out, "%s%s },\n", c->func != NULL && c->path != NULL ? "cell_of_" : "NULL",
            c->func != NULL && c->path != NULL ? c->func : "");
}

static void put_resource_parts(const struct schema *s, FILE *out)
{
    for (int i = 0; i < s->n_resources; i++)
        for (int j = 0; j < s->resources[i]->n_columns; j++)
            if (s->resources[i]->columns[j].func != NULL)
                fprintf(out, s->resources[i]->columns[j].path == NULL ? "extern schema_column_fn column_%s;\n"
                                                                      : "extern schema_cell_fn cell_of_%s;\n",
                        s->resources[i]->columns[j].func);
    fputs("static const char *const none[] = { NULL };\n\n", out);
    for (int i = 0; i < s->n_resources; i++) {
        const struct gen_resource *r = s->resources[i];

        put_list(out, "short", i, 0, &r->short_names);
        put_list(out, "categories", i, 0, &r->categories);
        put_list(out, "select", i, 0, &r->select);
        if (r->n_subs > 0) {
            fprintf(out, "static const struct resource_sub subs_%d[] = {\n", i);
            for (int j = 0; j < r->n_subs; j++)
                put_sub(out, &r->subs[j]);
            fputs("};\n", out);
        }
        if (r->n_columns > 0) {
            fprintf(out, "static const struct schema_column columns_%d[] = {\n", i);
            for (int j = 0; j < r->n_columns; j++)
                put_column(out, &r->columns[j]);
            fputs("};\n", out);
        }
    }
}

/* stored-as=GROUP/PLURAL */
static int stored_index(const struct schema *s, const struct gen_resource *r)
{
    for (int i = 0; i < s->n_resources; i++) {
        const struct gen_resource *o = s->resources[i];
        size_t n = strlen(o->kind->pkg->group);

        if (o != r && strncmp(r->stored_as, o->kind->pkg->group, n) == 0 && r->stored_as[n] == '/'
            && strcmp(r->stored_as + n + 1, o->plural) == 0)
            return i;
    }
    fail(r->at, "stored-as=%s: no such resource", r->stored_as);
}

static void put_resource(const struct schema *s, FILE *out, int i)
{
    const struct gen_resource *r = s->resources[i];
    const struct gen_resource *data = r->stored_as != NULL ? s->resources[stored_index(s, r)] : r;

    fprintf(out, "    { .kind = &schema_kinds[%d], .list = ", r->kind->kind_index);
    if (r->list != NULL)
        fprintf(out, "&schema_kinds[%d],", r->list->kind_index);
    else
        fputs("NULL,", out);
    fprintf(out, " .plural = \"%s\", .singular = \"%s\",\n      .short_names = ", r->plural, r->singular);
    put_list_ref(out, "short", i, 0, &r->short_names);
    fputs(", .categories = ", out);
    put_list_ref(out, "categories", i, 0, &r->categories);
    fputs(", .select = ", out);
    put_list_ref(out, "select", i, 0, &r->select);
    fprintf(
        out,
        ",\n      .namespaced = %s, .has_status = %s, .has_generation = %s, .virtual_ = %s, .verbs = %uu,\n",
        r->namespaced ? "true" : "false", r->status ? "true" : "false", r->generation ? "true" : "false",
        r->virtual_ ? "true" : "false", r->verbs);
    if (r->n_subs > 0)
        fprintf(out, "      .subs = subs_%d, .n_subs = %d,\n", i, r->n_subs);
    if (r->n_columns > 0)
        fprintf(out, "      .columns = columns_%d, .n_columns = %d,\n", i, r->n_columns);
    fprintf(out, "      .storage = \"%s\", ", data->storage != NULL ? data->storage : data->plural);
    if (data != r)
        fprintf(out, ".stored_as = &schema_resources[%d], ", data->index);
    fprintf(out, ".index = %d },\n", i);
}

void emit_schema(struct schema *s, FILE *out)
{
    unsigned mask;

    fputs("/* build/gen/schema_tables.c: made by build/schemagen from api/schema; do not edit. */\n"
          "#include \"api/schema_tables.h\"\n\n", out);
    put_enums(s, out);
    put_types(s, out);
    put_kinds(s, out);
    put_resource_parts(s, out);
    fprintf(out, "\nconst struct resource schema_resources[%d] = {\n", s->n_resources);
    for (int i = 0; i < s->n_resources; i++)
        put_resource(s, out, i);
    fprintf(out, "};\nconst unsigned schema_n_resources = %d;\n", s->n_resources);
    mask = put_hash(out, "const uint16_t schema__resource_hash", s, NULL, s->n_resources, resource_name);
    fprintf(out, "const unsigned schema__resource_hash_mask = %u;\n", mask);
}
