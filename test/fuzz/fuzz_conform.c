/* test/fuzz/fuzz_conform.c: any JSON as any kind (the first byte chooses): conform, default, validate, and as a table row.
 * What has been conformed once is left alone the second time; what has defaults gets no more. */
#include "api/schema.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void rows(const struct schema_kind *k, const struct json *obj, struct arena *a)
{
    for (unsigned i = 0; i < schema_n_resources; i++) {
        struct json_error err;
        struct buf text = BUF_INIT;
        struct json *cells;

        if (schema_resources[i].kind == k) {
            table_cells(&text, &schema_resources[i], obj, 1700000000);
            must_ok(json_parse(a, buf_str(&text), &cells, &err));
        }
        buf_release(&text);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a = ARENA_INIT;
    struct json *obj, *once;
    struct json_error json_err;
    struct causes warnings, causes;
    struct errbuf err;
    const struct schema_kind *k;

    if (size == 0 || json_parse(&a, (struct str){ (const char *)data + 1, size - 1 }, &obj, &json_err) < 0) {
        arena_release(&a);
        return 0;
    }
    k = &schema_kinds[data[0] % schema_n_kinds];
    causes_init(&warnings, &a);
    causes_init(&causes, &a);
    rows(k, obj, &a);
    if (schema_conform(k, obj, &a, &warnings, &err) == 0) {
        schema_default(k->type, obj, &a);
        schema_validate(k->type, obj, NULL, &causes);
        once = json_copy(&a, obj);
        must_ok(schema_conform(k, obj, &a, NULL, &err));
        schema_default(k->type, obj, &a);
        must(json_equal(once, obj));
        causes_init(&causes, &a);
        schema_validate_update(k->type, once, obj, NULL, &causes);
        must(causes.n == 0);
        rows(k, obj, &a);
    }
    arena_release(&a);
    return 0;
}
