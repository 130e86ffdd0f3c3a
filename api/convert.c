/* api/convert.c: see api/convert.h. */
#include "api/convert.h"

/* core/v1 name, events.k8s.io/v1 name; others are the same in both. */
static const struct { const char *stored, *served; } event_names[] = {
    { "involvedObject", "regarding" },
    { "message", "note" },
    { "reportingComponent", "reportingController" },
    { "source", "deprecatedSource" },
    { "firstTimestamp", "deprecatedFirstTimestamp" },
    { "lastTimestamp", "deprecatedLastTimestamp" },
    { "count", "deprecatedCount" },
};

static void rename_member(struct json *obj, const char *from, const char *to)
{
    struct json *m = json_getz(obj, from);

    if (m != NULL && json_getz(obj, to) == NULL)
        m->key = str_of(to);
}

static struct json *set_type(struct arena *a, struct json *obj, const struct resource *r)
{
    const struct schema_kind *k = r->kind;

    if (k->group[0] != '\0')
        json_setf(a, obj, "apiVersion", "%s/%s", k->group, k->version);
    else
        json_setf(a, obj, "apiVersion", "%s", k->version);
    return obj;
}

struct json *convert_from_stored(struct arena *a, const struct resource *r, struct json *obj)
{
    for (size_t i = 0; i < ARRAY_LEN(event_names); i++)
        rename_member(obj, event_names[i].stored, event_names[i].served);
    return set_type(a, obj, r);
}

struct json *convert_to_stored(struct arena *a, const struct resource *r, struct json *obj)
{
    for (size_t i = 0; i < ARRAY_LEN(event_names); i++)
        rename_member(obj, event_names[i].served, event_names[i].stored);
    return set_type(a, obj, r->stored_as != NULL ? r->stored_as : r);
}
