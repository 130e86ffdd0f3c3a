/* test/fuzz/fuzz_cel.c: any expression over any small object: compiled or told why not, evaluated within
 * its limits, with and without types. */
#include "api/cel.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char object[] = "{\"a\":{\"b\":[1,2.5,\"x\",null,true],\"s\":\"caat\"},\"n\":3,\"s\":\"10.0.0."
                             "1\",\"m\":{\"k\":\"v\",\"w\":\"1.2.3\"},"
                             "\"t\":\"2020-01-01T00:00:00Z\",\"l\":[\"b\",\"a\",\"c\"]}";

static const struct cel_type *typed(struct arena *a)
{
    struct cel_field *f = arena_zalloc(a, 5 * sizeof *f);
    struct cel_type  *t = arena_new(a, struct cel_type);

    f[0] = (struct cel_field){ STR("n"), cel_type(CEL_INT), true };
    f[1] = (struct cel_field){ STR("s"), cel_type(CEL_STRING), true };
    f[2] = (struct cel_field){ STR("m"), cel_type_map(a, cel_type(CEL_STRING)), false };
    f[3] = (struct cel_field){ STR("l"), cel_type_list(a, cel_type(CEL_STRING)), false };
    f[4] = (struct cel_field){ STR("t"), cel_type(CEL_TIMESTAMP), false };
    *t = (struct cel_type){
        .kind = CEL_OBJECT, .name = STR("object"), .fields = f, .n_fields = 5, .max = CEL_UNBOUNDED
    };
    return t;
}

static void try_with(struct str text, bool types)
{
    struct arena          a = ARENA_INIT;
    const struct cel_type *t = types ? typed(&a) : cel_type(CEL_DYN);
    struct cel_var        var = { STR("self"), t };
    struct cel_env        env = { &var, 1 };
    struct cel_program   *p = NULL;
    struct cel_value      self, v;
    struct cel_run        run = { .arena = &a, .vars = &self, .limit = 20000 };
    struct json          *tree;
    struct str            why = STR_NONE;

    must_ok(json_parse(&a, STR(object), &tree, NULL));
    self = cel_from_json(tree, t);
    if (cel_compile(&p, &env, text, NULL, &a, &why) != 0) {
        must(why.n > 0);
    } else {
        v = cel_eval(p, &run);
        must(v.kind != CEL_DYN);
        must(run.over == (run.cost > run.limit) || run.over);
        cel_value_text(&a, &v);
        cel_to_json(&a, &v);
    }
    arena_release(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = str_make((const char *)data, size);

    if (size > 2000)
        return 0;
    try_with(text, false);
    try_with(text, true);
    return 0;
}
