/* test/fuzz/fuzz_crd.c: any JSON as the schema of a user's kind, and, behind a NUL, as an object of it: checked,
 * compiled, pruned, defaulted, validated, merged; rules in CEL too.
 *
 * What has been pruned and defaulted once is left alone the second time; what a checked schema has as defaults is
 * valid; an object that replaces itself is never wrong; who applies what is there changes nothing. */
#include "api/crd/rule.h"
#include "api/kinds/kinds_impl.h"
#include "api/typed.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void with_object(struct arena *a, struct schema_type *type, struct str text)
{
    struct schema_kind k = { .group = "a.b", .version = "v1", .kind = "Any", .type = type };
    struct json *obj, *once;
    struct json_error why;
    struct causes found;
    struct errbuf err;

    if (json_parse(a, text, &obj, &why) < 0 || obj->type != JSON_OBJECT)
        return;
    causes_init(&found, a);
    if (schema_conform(&k, obj, a, &found, &err) < 0)
        return;
    schema_default(type, obj, a);
    once = json_copy(a, obj);
    causes_init(&found, a);
    must_ok(schema_conform(&k, obj, a, &found, &err));
    must(found.n == 0);
    schema_default(type, obj, a);
    must(json_equal(once, obj));
    schema_validate(type, obj, NULL, &found);
    crd_rules_check(type->user, obj, NULL, a, &found);
    causes_init(&found, a);
    schema_validate_over(type, once, obj, NULL, &found);
    must(found.n == 0);
    crd_rules_check(type->user, obj, once, a, &found);
    typed_fields(a, type, obj);
    must(field_set_empty(typed_compare(a, type, once, obj).changed));
    if (typed_check(a, type, obj, &err) == 0)
        must(json_equal(typed_merge(a, type, once, obj), obj));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *end = size > 0 ? memchr(data, 0, size) : NULL;
    size_t n = end != NULL ? (size_t)(end - data) : size;
    struct arena a = ARENA_INIT;
    struct schema_type type = { .name = "any" };
    struct json *schema;
    struct json_error why;
    struct causes causes;
    struct errbuf err;
    struct at at = AT_KEY(NULL, "schema");

    if (json_parse(&a, str_make((const char *)data, n), &schema, &why) == 0) {
        causes_init(&causes, &a);
        structural_check(schema, &at, &causes);
        if (crd_compile(schema, &a, &type, &err) == 0) {
            crd_rules_compile(type.user, &a, &at, NULL);
            if (n < size)
                with_object(&a, &type, str_make((const char *)data + n + 1, size - n - 1));
        } else {
            must(causes.n > 0 || schema->type != JSON_OBJECT);
        }
    }
    arena_release(&a);
    return 0;
}
