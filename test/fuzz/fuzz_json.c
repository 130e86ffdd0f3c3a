/* test/fuzz/fuzz_json.c: bytes at the JSON parser; what it takes must survive writing and reading back, as
 * JSON and as YAML. */
#include "api/json.h"
#include "api/json_scan.h"
#include "api/yaml.h"
#include "api/yaml_write.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(struct arena *a, const struct json *j, struct str text)
{
    struct json *again = NULL;

    must_ok(json_parse(a, text, &again, NULL));
    must(json_equal(j, again) && json_equal(again, j));
}

/* YAML makes floats of other numbers than integers. */
static bool has_only_integers(const struct json *j)
{
    int64_t v;

    if (j->type == JSON_NUMBER)
        return json_i64(j, &v);
    json_each(it, j)
        if (!has_only_integers(it))
            return false;
    return true;
}

static void check_yaml(struct arena *a, const struct json *j)
{
    struct buf out = BUF_INIT;
    struct json *again = NULL;

    if (has_only_integers(j)) {
        yaml_write(&out, j);
        must_ok(yaml_parse(a, buf_str(&out), &again, NULL));
        must(json_equal(j, again));
    }
    buf_release(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a = ARENA_INIT;
    struct buf out = BUF_INIT, twice = BUF_INIT;
    struct json_error err;
    struct json *j = NULL;
    struct str in = str_make((const char *)data, size), v;

    json_scan_path(in, "a.b", &v);               /* any bytes: nothing to expect but no crash */
    if (json_parse(&a, in, &j, &err) != 0) {
        must(err.offset <= size && err.line >= 1 && err.column >= 1 && err.text[0] != '\0');
    } else {
        json_write(&out, j);
        check_text(&a, j, buf_str(&out));
        json_each(it, j)
            if (j->type == JSON_OBJECT && it->key.n == 1 && it->key.p[0] == 'a')
                must(json_scan_path(buf_str(&out), "a", &v));
        json_write(&twice, json_copy(&a, j));
        must(str_eq(buf_str(&out), buf_str(&twice)));
        buf_clear(&out);
        json_write_pretty(&out, j, 2);
        check_text(&a, j, buf_str(&out));
        check_yaml(&a, j);
    }
    buf_release(&out);
    buf_release(&twice);
    arena_release(&a);
    return 0;
}
