/* api/shape.c: see api/shape.h. */
#include "api/shape.h"
#include "api/json_scan.h"

bool shape_is_plain(const struct call *c)
{
    return c->out.shape == OUT_OBJECT && c->info->base == c->res;
}

/* Stored objects are our own: unless the disk lied they parse. NULL then. */
static struct json *parse_stored(struct arena *a, struct str stored)
{
    struct json_error why;
    struct json      *obj;

    return json_parse(a, stored, &obj, &why) == 0 ? obj : NULL;
}

struct json *shape_tree(struct call *c, struct arena *a, struct str stored)
{
    struct json *obj = parse_stored(a, stored);

    if (obj != NULL)
        kind_from_stored(c->info->hooks, c->res, obj, a);
    return obj;
}

static void put_partial(struct buf *out, const struct call *c, struct str stored)
{
    struct str metadata;

    buf_z(out, "{\"kind\":\"PartialObjectMetadata\",\"apiVersion\":\"meta.k8s.io/");
    buf_z(out, c->out.version);
    buf_z(out, "\",\"metadata\":");
    buf_str_add(out, json_scan_path(stored, "metadata", &metadata) ? metadata : STR("{}"));
    buf_char(out, '}');
}

static void put_plain(struct buf *out, struct call *c, struct str stored)
{
    struct arena a = ARENA_INIT;
    struct json *obj;

    if (c->info->base == c->res) {
        buf_str_add(out, stored);
        return;
    }
    obj = shape_tree(c, &a, stored);
    if (obj != NULL)
        json_write(out, obj);
    else
        buf_z(out, "null");
    arena_release(&a);
}

static void put_row(struct buf *out, struct call *c, struct str stored)
{
    struct arena a = ARENA_INIT;
    struct json *obj = shape_tree(c, &a, stored);

    buf_z(out, "{\"cells\":");
    if (obj != NULL)
        table_cells(out, c->res, obj, loop_wall_ns(c->api->loop) / 1000000000);
    else
        buf_z(out, "[]");
    buf_z(out, ",\"object\":");
    if (str_is(c->rq.opt.include_object, "None"))
        buf_z(out, "null");
    else if (str_is(c->rq.opt.include_object, "Object") && obj != NULL)
        json_write(out, obj);
    else
        put_partial(out, c, stored);
    buf_char(out, '}');
    arena_release(&a);
}

void shape_item(struct buf *out, struct call *c, struct str stored)
{
    switch (c->out.shape) {
    case OUT_TABLE:        put_row(out, c, stored); break;
    case OUT_PARTIAL:
    case OUT_PARTIAL_LIST: put_partial(out, c, stored); break;
    case OUT_OBJECT:       put_plain(out, c, stored); break;
    }
}

void shape_object(struct buf *out, struct call *c, struct str stored, bool columns)
{
    struct str rv;

    if (c->out.shape != OUT_TABLE) {
        shape_item(out, c, stored);
        return;
    }
    buf_fmt(out, "{\"kind\":\"Table\",\"apiVersion\":\"meta.k8s.io/%s\",\"metadata\":{\"resourceVersion\":",
            c->out.version);
    buf_str_add(out, json_scan_path(stored, "metadata.resourceVersion", &rv) ? rv : STR("\"\""));
    buf_z(out, "},\"columnDefinitions\":");
    if (columns)
        table_columns(out, c->res);
    else
        buf_z(out, "null");
    buf_z(out, ",\"rows\":[");
    put_row(out, c, stored);
    buf_z(out, "]}");
}

void shape_list_head(struct buf *out, struct call *c)
{
    if (c->out.shape == OUT_TABLE)
        buf_fmt(out, "{\"kind\":\"Table\",\"apiVersion\":\"meta.k8s.io/%s\",\"metadata\":{", c->out.version);
    else if (c->out.shape == OUT_OBJECT)
        buf_str_add(out, c->info->list_head);
    else
        buf_fmt(out, "{\"kind\":\"PartialObjectMetadataList\",\"apiVersion\":\"meta.k8s.io/%s\","
                "\"metadata\":{", c->out.version);
}

void shape_list_items(struct buf *out, struct call *c)
{
    if (c->out.shape == OUT_TABLE) {
        buf_z(out, "},\"columnDefinitions\":");
        table_columns(out, c->res);
        buf_z(out, ",\"rows\":[");
    } else {
        buf_z(out, "},\"items\":[");
    }
}
