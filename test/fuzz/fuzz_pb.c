/* test/fuzz/fuzz_pb.c: hostile protobuf.  Whatever decodes must go through the whole write path, and as JSON through the
 * parser again: what is stored is read back. */
#include "api/schema.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_path(const struct schema_kind *k, struct json *obj, struct arena *a)
{
    struct json_error json_err;
    struct buf text = BUF_INIT;
    struct causes causes;
    struct errbuf err;
    struct json *again;

    json_write(&text, obj);
    must_ok(json_parse(a, buf_str(&text), &again, &json_err));
    causes_init(&causes, a);
    if (schema_conform(k, obj, a, &causes, &err) == 0) {
        schema_default(k->type, obj, a);
        schema_validate(k->type, obj, NULL, &causes);
    }
    buf_release(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a = ARENA_INIT;
    struct str in = { (const char *)data, size };
    const struct schema_kind *k;
    struct errbuf err = { "" };
    struct json *obj;

    if (schema_pb_decode(in, &a, &obj, &k, &err) == 0)
        write_path(k, obj, &a);
    if (size > 0) {                              /* without envelope: the first byte chooses the kind */
        k = &schema_kinds[data[0] % schema_n_kinds];
        if (schema_pb_decode_type(k->type, str_from(in, 1), &a, &obj, &err) == 0)
            write_path(k, obj, &a);
    }
    arena_release(&a);
    return 0;
}
