/* test/fuzz/fuzz_apply.c: a JSON array of two, a live object and what is applied to it, as some kind (the first byte
 * chooses).  managedFields may be anything.  What comes of it is sound, has what was applied, and applied once more
 * stays as it is. */
#include "api/managed_fields.h"
#include "test/fuzz/tree.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool conforms(const struct schema_kind *k, struct json *obj, struct arena *a)
{
    struct errbuf err;

    return json_is(obj, JSON_OBJECT) && schema_conform(k, obj, a, NULL, &err) == 0;
}

static void apply(struct arena *a, const struct schema_kind *k, struct json *live, struct json *config)
{
    struct field_apply f = { .type = k->type, .live = live, .config = config, .force = true,
                             .writer = { .name = STR("m"), .version = STR("v1"), .now = STR("2026-01-01T00:00:00Z") } };
    struct field_conflict *conflicts;
    struct json *once, *twice;

    must_ok(managed_apply(a, &f, &once, &conflicts));
    check_tree(once);
    json_delz(json_getz(config, "metadata"), "managedFields");
    must(field_set_empty(typed_compare(a, k->type, once, typed_merge(a, k->type, once, config)).changed));
    if (json_path(once, "metadata.managedFields") == NULL)
        return;                                  /* nobody owns anything: the next apply begins anew */
    f.live = once;
    f.force = false;
    must_ok(managed_apply(a, &f, &twice, &conflicts));
    must(json_equal(once, twice));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct field_writer w = { .name = STR("u"), .version = STR("v1"), .now = STR("2026-01-01T00:00:00Z") };
    struct arena a = ARENA_INIT;
    struct json_error why;
    struct errbuf err;
    struct json *both, *live, *config;
    const struct schema_kind *k;

    if (size > 0 && json_parse(&a, (struct str){ (const char *)data + 1, size - 1 }, &both, &why) == 0
        && json_is(both, JSON_ARRAY) && both->n == 2) {
        k = &schema_kinds[data[0] % schema_n_kinds];
        live = json_copy(&a, json_at(both, 0));
        config = json_copy(&a, json_at(both, 1));
        if (conforms(k, live, &a) && conforms(k, config, &a)) {
            json_delz(json_getz(config, "metadata"), "managedFields");
            if (typed_check(&a, k->type, config, &err) == 0)
                apply(&a, k, live, config);
            managed_update(&a, k->type, &w, live, config);
            check_tree(config);
        }
    }
    arena_release(&a);
    return 0;
}
