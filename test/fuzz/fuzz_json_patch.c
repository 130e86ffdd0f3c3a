/* test/fuzz/fuzz_json_patch.c: a document, a NUL, and a patch: as JSON patch and as merge patch.  Results
 * must be trees that can be written and read back (so: no deeper than the parser allows), and the patch must
 * stay as it was. */
#include "api/json_patch.h"
#include "api/merge_patch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_tree(struct arena *a, const struct json *j)
{
    struct buf out = BUF_INIT;
    struct json *again = NULL;

    json_write(&out, j);
    must_ok(json_parse(a, buf_str(&out), &again, NULL));
    must(json_equal(j, again));
    buf_release(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a = ARENA_INIT;
    struct json *doc = NULL, *other = NULL, *patch = NULL, *before, *result = NULL;
    struct str in = str_make((const char *)data, size);
    struct errbuf err = { "" };
    ptrdiff_t cut = str_find(in, '\0');

    if (cut >= 0 && json_parse(&a, str_upto(in, (size_t)cut), &doc, NULL) == 0 &&
        json_parse(&a, str_from(in, (size_t)cut + 1), &patch, NULL) == 0) {
        other = json_copy(&a, doc);
        before = json_copy(&a, patch);
        if (json_patch_apply(&a, doc, patch, &result, &err) == 0)
            check_tree(&a, result);
        else
            must(err.s[0] != '\0' && result == NULL);
        check_tree(&a, merge_patch_apply(&a, other, patch));
        must(json_equal(patch, before));
    }
    arena_release(&a);
    return 0;
}
