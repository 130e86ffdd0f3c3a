/* api/schema_default.c: fill in what the tables give as default.
 *
 * A walk over what is there, marking which fields those are; then the absent ones with a default are
 * appended. Branches of the type tree without defaults are not entered.  Defaults point into the tables,
 * so that only nodes are allocated. */
#include "api/crd/rules.h"

static void default_object(const struct schema_type *t, struct json *obj, struct arena *a);

static struct json *default_value(const struct schema_field *f, struct arena *a)
{
    const char *text = f->default_json;
    struct json *v;

    switch (text[0]) {
    case '"':                                    /* no escapes: the generator saw to it */
        return json_string_ref(a, str_make(text + 1, strlen(text) - 2));
    case '{':
        v = json_object(a);
        if (f->type != NULL)
            default_object(f->type, v, a);
        return v;
    case '[':
        return json_array(a);
    case 't': case 'f':
        return json_bool(a, text[0] == 't');
    default:
        v = json_new(a, JSON_NUMBER);
        v->s = str_of(text);
        return v;
    }
}

static void default_below(const struct schema_field *f, struct json *v, struct arena *a)
{
    if (f->shape == SCHEMA_ONE) {
        if (v->type == JSON_OBJECT)
            default_object(f->type, v, a);
        return;
    }
    json_each(e, v)
        if (e->type == JSON_OBJECT)
            default_object(f->type, e, a);
}

static void default_object(const struct schema_type *t, struct json *obj, struct arena *a)
{
    uint64_t seen[SCHEMA_MAX_FIELDS / 64] = { 0 };

    json_each(v, obj) {
        const struct schema_field *f = schema_field(t, v->key);

        if (f == NULL)
            continue;
        if (v->type != JSON_NULL)
            seen[(f - t->fields) / 64] |= (uint64_t)1 << (f - t->fields) % 64;
        if (f->type != NULL && f->type->deep_defaults)
            default_below(f, v, a);
    }
    for (unsigned i = 0; i < t->n_defaults; i++) {
        unsigned at = t->defaults[i];

        if (!(seen[at / 64] >> at % 64 & 1))
            json_append(obj, t->fields[at].name, default_value(&t->fields[at], a));
    }
}

void schema_default(const struct schema_type *t, struct json *obj, struct arena *a)
{
    if (t->user != NULL)
        crd_default(t->user, obj, a);
    else if (json_is(obj, JSON_OBJECT) && t->deep_defaults)
        default_object(t, obj, a);
}
