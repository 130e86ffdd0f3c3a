/* test/fuzz/fuzz_cbor.c: CBOR from strangers.  What is taken is written again, read again, and is the same. */
#include "api/cbor.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena  a = ARENA_INIT;
    struct buf    b = BUF_INIT, text = BUF_INIT;
    struct errbuf err;
    struct json  *first, *again;
    struct json_error why;

    if (cbor_parse(&a, str_make((const char *)data, size), &first, &err) == 0) {
        cbor_write(&b, first);
        must_ok(cbor_parse(&a, buf_str(&b), &again, &err));
        must(json_equal(first, again));
        json_write(&text, first);
        must_ok(json_parse(&a, buf_str(&text), &again, &why));
    }
    buf_release(&text);
    buf_release(&b);
    arena_release(&a);
    return 0;
}
