/* test/fuzz/fuzz_selector.c: a selector, a NUL, and an object as JSON: matching the tree and matching its
 * text must agree, for label and for field selectors, in string and in object form. */
#include "api/selector.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool all_strings(const struct json *j)
{
    json_each(it, j)
        if (it->type != JSON_STRING)
            return false;
    return json_is(j, JSON_OBJECT);
}

static void check_labels(const struct selector *s, const struct json *obj, struct str text)
{
    if (all_strings(obj))
        must(selector_matches(s, obj) == selector_matches_text(s, text));
}

/* Paths that step into arrays are a feature of trees only; keys with escapes are not found in text. */
static void check_fields(struct arena *a, struct str selector, const struct json *obj, struct str text)
{
    struct field_selector f = { 0, NULL };
    struct errbuf err = { "" };

    if (field_selector_parse(a, selector, &f, &err) != 0)
        must(err.s[0] != '\0');
    else if (all_strings(obj) && memchr(text.p, '\\', text.n) == NULL && memchr(text.p, '.', text.n) == NULL)
        must(field_selector_matches(&f, obj) == field_selector_matches_text(&f, text));
    else
        field_selector_matches_text(&f, text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a = ARENA_INIT;
    struct buf text = BUF_INIT;
    struct str in = str_make((const char *)data, size), selector;
    struct json *obj = NULL, *j = NULL;
    struct selector s = SELECTOR_EVERYTHING;
    struct errbuf err = { "" };
    ptrdiff_t cut = str_find(in, '\0');

    selector = cut >= 0 ? str_upto(in, (size_t)cut) : in;
    if (cut < 0 || json_parse(&a, str_from(in, (size_t)cut + 1), &obj, NULL) != 0)
        obj = json_object(&a);
    json_write(&text, obj);
    if (selector_parse(&a, selector, &s, &err) == 0)
        check_labels(&s, obj, buf_str(&text));
    else
        must(err.s[0] != '\0');
    check_fields(&a, selector, obj, buf_str(&text));
    if (json_parse(&a, selector, &j, NULL) == 0) {
        if (selector_from_json(&a, j, &s, &err) == 0)
            check_labels(&s, obj, buf_str(&text));
        if (selector_from_node_term(&a, j, &s, &err) == 0)
            check_labels(&s, obj, buf_str(&text));
        selector_from_map(&a, j, &s);
        selector_matches(&s, obj);
    }
    buf_release(&text);
    arena_release(&a);
    return 0;
}
