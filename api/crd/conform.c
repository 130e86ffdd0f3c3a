/* api/crd/conform.c: pruning: of an object of a user's kind, what its schema does not know goes.
 *
 * Types are not looked at here but when the object is validated: a wrong one is a cause beside others, not a
 * body that cannot be read.  Metadata is as strict as everywhere. */
#include "api/crd/rules.h"
#include "api/schema_impl.h"

static int prune(struct conform *c, const struct schema_field *f, struct json *v, const struct at *at);

static void take_out(struct json *parent, struct json *prev, const struct json *v)
{
    if (prev != NULL)
        prev->next = v->next;
    else
        parent->first = v->next;
    parent->n--;
}

/* A null where none may be is as good as absent. */
static bool is_empty_null(const struct schema_field *f, const struct json *v)
{
    return v->type == JSON_NULL && !f->rules->nullable;
}

/* The rows of a member; NULL: no schema knows it. */
static const struct schema_field *member_of(const struct schema_field *f, struct str key)
{
    const struct schema_field *m = NULL;

    if (f->type != NULL && f->type->user != NULL && f->shape == SCHEMA_ONE)
        m = schema_field(f->type, key);
    if (m == NULL && f->shape == SCHEMA_MAP)
        m = f->element;
    if (m == NULL && f->rules->open)
        m = &crd_any;
    return m;
}

static int prune_metadata(struct conform *c, const struct schema_field *f, struct json *v,
                          const struct at *at)
{
    struct str path;

    if (v->type == JSON_OBJECT)
        return schema__conform_object(c, f->type, v, at);
    path = at_text(c->arena, at);
    return err_set(c->err, E_INVALID,
                   "%s in version \"%s\" cannot be handled as a %s: %.*s must be an object", c->kind->kind,
                   c->kind->version, c->kind->kind, STR_ARG(path));
}

static int prune_members(struct conform *c, const struct schema_field *f, struct json *obj,
                         const struct at *up)
{
    struct json *prev = NULL, *next;

    for (struct json *v = obj->first; v != NULL; v = next) {
        const struct schema_field *m = member_of(f, v->key);
        struct at at = AT_STR(up, v->key);
        int rc;

        next = v->next;
        schema__note_duplicate(c, v, &at);
        if (m == NULL)
            schema__warn(c, "unknown", &at);
        if (m == NULL || is_empty_null(m, v)) {
            take_out(obj, prev, v);
            continue;
        }
        prev = v;
        rc = m->type != NULL && m->type->user == NULL ? prune_metadata(c, m, v, &at) : prune(c, m, v, &at);
        if (rc < 0)
            return rc;
    }
    obj->last = prev;
    return 0;
}

static int prune(struct conform *c, const struct schema_field *f, struct json *v, const struct at *up)
{
    long i = 0;
    int rc;

    if (v->type == JSON_OBJECT)
        return prune_members(c, f, v, up);
    if (v->type != JSON_ARRAY)
        return 0;
    json_each(e, v) {
        struct at at = AT_INDEX(up, i++);

        rc = prune(c, f->shape == SCHEMA_LIST ? f->element : &crd_any, e, &at);
        if (rc < 0)
            return rc;
    }
    return 0;
}

int crd_conform(const struct schema_kind *k, struct json *obj, struct arena *a, struct causes *warnings,
                struct errbuf *err)
{
    struct conform c = { k, a, warnings, err, false };

    return prune(&c, k->type->user, obj, NULL);
}

bool crd_prune(const struct schema_field *f, struct json *v)
{
    static const struct schema_kind nobody = { .group = "", .version = "", .kind = "" };
    struct arena a = ARENA_INIT;
    struct causes found;
    struct errbuf err;
    struct conform c = { &nobody, &a, &found, &err, false };
    bool changed;

    causes_init(&found, &a);
    changed = prune(&c, f, v, NULL) < 0 || found.n > 0;
    arena_release(&a);
    return changed;
}
