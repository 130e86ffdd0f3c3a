/* api/shape.c: see api/shape.h. */
#include "api/shape.h"
#include "api/cbor.h"
#include "api/crd/custom.h"
#include "api/json_scan.h"
#include "net/pb.h"

/* It is in the request's version, complete. */
static bool is_current(const struct call *c, struct str stored)
{
    return c->info->base == c->res && (c->custom == NULL || custom_reads_plain(custom_of(c->res), stored));
}

bool shape_is_plain(const struct call *c, struct str stored)
{
    return c->out.shape == OUT_OBJECT && is_current(c, stored);
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
    if (obj != NULL && c->custom != NULL && !custom_reads_plain(custom_of(c->res), stored))
        custom_from_stored(custom_of(c->res), obj, a);
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

    if (is_current(c, stored)) {
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

/* ---- Lists ------------------------------------------------------------------------------------------ */

/* Of what the client asked for. */
static struct str list_kind(const struct call *c)
{
    switch (c->out.shape) {
    case OUT_TABLE:  return STR("Table");
    case OUT_OBJECT: return str_of(c->res->list->kind);
    default:         return STR("PartialObjectMetadataList");
    }
}

static struct str list_version(const struct call *c)
{
    if (c->out.shape != OUT_OBJECT)
        return arena_fmt(c->arena, "meta.k8s.io/%s", c->out.version);
    return schema_api_version(c->arena, c->res->list);
}

bool shape_list_sized(const struct call *c)
{
    return c->out.format == OUT_PROTOBUF || c->out.format == OUT_CBOR;
}

static struct json *metadata_tree(struct call *c, const struct shape_list *l)
{
    struct json_error why;
    struct json      *meta;

    must_ok(json_parse(c->arena, arena_fmt(c->arena, "{%.*s}", STR_ARG(l->metadata)), &meta, &why));
    return meta;
}

/* Of every kind of list in protobuf; and of the envelope. */
enum { PB_METADATA = 1, PB_ITEMS = 2, PB_RAW = 2 };

static void open_protobuf(struct buf *out, struct call *c, const struct shape_list *l)
{
    const struct schema_field *meta = schema_field(c->res->list->type, STR("metadata"));
    struct buf                 head = BUF_INIT, field = BUF_INIT;

    must(meta != NULL);
    schema_pb_encode_type(&head, meta->type, metadata_tree(c, l));
    pb_put_str(&field, PB_METADATA, buf_str(&head));
    schema_pb_open(out, list_version(c), list_kind(c));
    pb_add_head(out, PB_RAW, field.n + l->bytes);
    buf_str_add(out, buf_str(&field));
    buf_release(&field);
    buf_release(&head);
}

/* Keys in the order of their encoding: kind, items or rows, metadata, apiVersion, columnDefinitions. */
static void open_cbor(struct buf *out, struct call *c, const struct shape_list *l)
{
    bool table = c->out.shape == OUT_TABLE;

    cbor_put_tag(out);
    cbor_put_map(out, table ? 5 : 4);
    cbor_put_string(out, STR("kind"));
    cbor_put_string(out, list_kind(c));
    cbor_put_string(out, table ? STR("rows") : STR("items"));
    cbor_put_array(out, l->items);
}

static void close_cbor(struct buf *out, struct call *c, const struct shape_list *l)
{
    struct buf        columns = BUF_INIT;
    struct json_error why;
    struct json      *tree;

    cbor_put_string(out, STR("metadata"));
    cbor_write_item(out, metadata_tree(c, l));
    cbor_put_string(out, STR("apiVersion"));
    cbor_put_string(out, list_version(c));
    if (c->out.shape != OUT_TABLE)
        return;
    table_columns(&columns, c->res);
    must_ok(json_parse(c->arena, arena_str(c->arena, buf_str(&columns)), &tree, &why));
    cbor_put_string(out, STR("columnDefinitions"));
    cbor_write_item(out, tree);
    buf_release(&columns);
}

static void open_text(struct buf *out, struct call *c, const struct shape_list *l)
{
    buf_fmt(out, "{\"kind\":\"%.*s\",\"apiVersion\":\"%.*s\",\"metadata\":{%.*s}", STR_ARG(list_kind(c)),
            STR_ARG(list_version(c)), STR_ARG(l->metadata));
    if (c->out.shape == OUT_TABLE) {
        buf_z(out, ",\"columnDefinitions\":");
        table_columns(out, c->res);
        buf_z(out, ",\"rows\":[");
    } else {
        buf_z(out, ",\"items\":[");
    }
}

void shape_list_open(struct buf *out, struct call *c, const struct shape_list *l)
{
    if (c->out.format == OUT_PROTOBUF)
        open_protobuf(out, c, l);
    else if (c->out.format == OUT_CBOR)
        open_cbor(out, c, l);
    else
        open_text(out, c, l);
}

void shape_list_close(struct buf *out, struct call *c, const struct shape_list *l)
{
    if (c->out.format == OUT_CBOR)
        close_cbor(out, c, l);
    else if (c->out.format != OUT_PROTOBUF)
        buf_z(out, "]}\n");
}

static const struct schema_type *item_type(const struct call *c)
{
    const struct schema_kind *partial;

    if (c->out.shape == OUT_OBJECT)
        return c->res->kind->type;
    partial = schema_kind_find(STR("meta.k8s.io"), STR("v1"), STR("PartialObjectMetadata"));
    must(partial != NULL);
    return partial->type;
}

static void binary_item(struct buf *out, struct call *c, struct str stored)
{
    struct arena      a = ARENA_INIT;
    struct buf        text = BUF_INIT, message = BUF_INIT;
    struct json_error why;
    struct json      *item;

    if (!shape_is_plain(c, stored)) {
        shape_item(&text, c, stored);
        stored = buf_str(&text);
    }
    if (json_parse(&a, stored, &item, &why) < 0)
        item = json_object(&a);
    if (c->out.format == OUT_CBOR) {
        cbor_write_item(out, item);
    } else {
        schema_pb_encode_type(&message, item_type(c), item);
        pb_put_str(out, PB_ITEMS, buf_str(&message));
    }
    buf_release(&message);
    buf_release(&text);
    arena_release(&a);
}

void shape_list_item(struct buf *out, struct call *c, struct str stored, bool first)
{
    if (shape_list_sized(c)) {
        binary_item(out, c, stored);
        return;
    }
    if (!first)
        buf_char(out, ',');
    shape_item(out, c, stored);
}
