/* test/fuzz/fuzz_strategic_merge.c: a JSON array of two, object and patch, merged as some kind (the first byte chooses).  The
 * result must be sound: counts right, last members last, no nulls where there were none, and parseable. */
#include "api/schema.h"
#include "test/fuzz/tree.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a = ARENA_INIT;
    struct json_error json_err;
    struct errbuf err;
    struct json *both, *cur, *patch, *ret, *again;
    const struct schema_kind *k;
    struct buf text = BUF_INIT;

    if (size > 0 && json_parse(&a, (struct str){ (const char *)data + 1, size - 1 }, &both, &json_err) == 0
        && json_is(both, JSON_ARRAY) && both->n == 2) {
        k = &schema_kinds[data[0] % schema_n_kinds];
        patch = json_copy(&a, json_at(both, 1));
        cur = json_copy(&a, json_at(both, 0));
        if (json_is(cur, JSON_OBJECT) && schema_conform(k, cur, &a, NULL, &err) == 0) {
            const struct json *before = json_copy(&a, patch);

            if (schema_strategic_merge(k->type, cur, patch, &a, &ret, &err) == 0) {
                check_tree(ret);
                json_write(&text, ret);
                must_ok(json_parse(&a, buf_str(&text), &again, &json_err));
            }
            must(json_equal(before, patch));     /* patches are only read */
        }
    }
    buf_release(&text);
    arena_release(&a);
    return 0;
}
