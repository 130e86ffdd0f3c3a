/* api/kinds/default.c: defaults that only C can set, because they depend on other fields. */
#include "api/kinds/kinds_impl.h"

static bool is_absent(const struct json *obj, const char *key)
{
    return json_is(obj, JSON_OBJECT) && json_getz(obj, key) == NULL;
}

struct json *default_object(struct arena *a, struct json *obj, const char *key)
{
    if (is_absent(obj, key))
        return json_setz(a, obj, key, json_object(a));
    return json_is(json_getz(obj, key), JSON_OBJECT) ? json_getz(obj, key) : NULL;
}

void default_text(struct arena *a, struct json *obj, const char *key, const char *literal)
{
    if (is_absent(obj, key))
        json_setz(a, obj, key, json_string_ref(a, str_of(literal)));
}

void default_int(struct arena *a, struct json *obj, const char *key, int64_t v)
{
    if (is_absent(obj, key))
        json_setz(a, obj, key, json_int(a, v));
}

void default_bool(struct arena *a, struct json *obj, const char *key, bool v)
{
    if (is_absent(obj, key))
        json_setz(a, obj, key, json_bool(a, v));
}

void default_labels(struct arena *a, struct json *obj, const struct json *labels)
{
    if (!json_is_blank(labels) && json_is_blank(json_path(obj, "metadata.labels")))
        json_setz(a, json_make_path(a, obj, "metadata"), "labels", json_copy(a, labels));
}
