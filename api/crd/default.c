/* api/crd/default.c: what is absent and has a default in the schema of a user's kind is filled in.
 *
 * Only where the value's own parent is there: a default deep in an absent object does not make the object.
 * Branches of the schema without defaults are not entered. */
#include "api/crd/rules.h"

static void default_members(const struct schema_type *t, struct json *obj, struct arena *a)
{
    for (unsigned i = 0; i < t->n_fields; i++) {
        const struct schema_field *f = &t->fields[i];
        struct json *v;

        if (!f->rules->deep_defaults)
            continue;
        v = json_get(obj, f->name);
        if (v != NULL && v->type == JSON_NULL && !f->rules->nullable && f->rules->default_ != NULL) {
            json_del(obj, f->name);
            v = NULL;
        }
        if (v != NULL)
            crd_default(f, v, a);
        else if (f->rules->default_ != NULL)
            json_append(obj, f->name, json_copy(a, f->rules->default_));
    }
}

/* Elements of a list and members of a map are never absent, but may be null. */
static void default_elements(const struct schema_field *f, struct json *parent, struct arena *a)
{
    json_each(v, parent) {
        if (v->type == JSON_NULL && !f->rules->nullable && f->rules->default_ != NULL) {
            struct json *next = v->next, *copy = json_copy(a, f->rules->default_);

            copy->key = v->key;
            *v = *copy;
            v->next = next;
        } else {
            crd_default(f, v, a);
        }
    }
}

void crd_default(const struct schema_field *f, struct json *v, struct arena *a)
{
    if (!f->rules->deep_defaults || v == NULL || v->type < JSON_ARRAY)
        return;
    if (f->shape == SCHEMA_LIST && v->type == JSON_ARRAY)
        default_elements(f->element, v, a);
    else if (f->shape == SCHEMA_MAP && v->type == JSON_OBJECT)
        default_elements(f->element, v, a);
    else if (f->shape == SCHEMA_ONE && f->type != NULL && f->type->user != NULL && v->type == JSON_OBJECT)
        default_members(f->type, v, a);
}
