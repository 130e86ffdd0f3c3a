/* test/fuzz/fuzz_yaml.c: bytes at the YAML parser; what it makes must be a tree that JSON can say, of bounded
 * size. */
#include "api/yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a = ARENA_INIT;
    struct buf out = BUF_INIT;
    struct json_error err;
    struct json *j = NULL, *again = NULL;
    struct str in = str_make((const char *)data, size);

    if (yaml_parse_all(&a, in, &j, &err) == 0) {
        json_write(&out, j);
        must_ok(json_parse(&a, buf_str(&out), &again, NULL));
        must(json_equal(j, again));
    } else {
        must(err.line >= 1 && err.column >= 1 && err.text[0] != '\0');
    }
    yaml_parse(&a, in, &j, NULL);
    buf_release(&out);
    arena_release(&a);
    return 0;
}
