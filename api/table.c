/* api/table.c: objects as rows.  Columns come from the schema: a path into the object or a function of
 * api/columns*.c. */
#include "api/columns.h"
#include "api/json_query.h"
#include "api/time_fmt.h"

static const struct schema_column usual[] = {   /* of kinds that name no columns */
    { .name = "Name", .type = "string", .format = "name", .help = "", .path = "metadata.name" },
    { .name = "Created At", .type = "date", .format = "", .help = "", .path = "metadata.creationTimestamp" },
};

static const struct schema_column *columns_of(const struct resource *r, unsigned *ret_n)
{
    *ret_n = r->n_columns > 0 ? r->n_columns : ARRAY_LEN(usual);
    return r->n_columns > 0 ? r->columns : usual;
}

/* The description of the field that a path leads to. */
static const char *path_help(const struct schema_type *t, const char *path)
{
    struct str rest = str_of(path), part;
    const struct schema_field *f = NULL;

    while (t != NULL && str_split(&rest, '.', &part)) {
        f = schema_field(t, part);
        t = f != NULL ? f->type : NULL;
    }
    return f != NULL && rest.p == NULL ? f->help : "";
}

void table_columns(struct buf *out, const struct resource *r)
{
    unsigned n;
    const struct schema_column *c = columns_of(r, &n);

    buf_char(out, '[');
    for (unsigned i = 0; i < n; i++, c++) {
        const char *help = *c->help == '\0' && c->path != NULL ? path_help(r->kind->type, c->path) : c->help;

        buf_z(out, i > 0 ? ",{\"name\":" : "{\"name\":");
        json_write_string(out, str_of(c->name));
        buf_fmt(out, ",\"type\":\"%s\",\"format\":\"%s\",\"description\":", c->type, c->format);
        json_write_string(out, str_of(help));
        buf_fmt(out, ",\"priority\":%d}", c->priority);
    }
    buf_char(out, ']');
}

static void cell_path(struct buf *out, const struct schema_column *c, const struct json *obj)
{
    const struct json *v = json_path(obj, c->path);

    if (v != NULL && v->type != JSON_NULL)
        json_write(out, v);
    else if (strcmp(c->type, "integer") == 0)
        buf_char(out, '0');
    else if (strcmp(c->type, "boolean") == 0)
        buf_z(out, "false");
    else
        buf_z(out, "\"\"");
}

static bool is_number_column(const struct schema_column *c)
{
    return strcmp(c->type, "integer") == 0 || strcmp(c->type, "number") == 0;
}

static void cell_date(struct buf *out, struct str time, int64_t now_s)
{
    uint32_t ns;
    int64_t s;

    if (time_parse(time, &s, &ns))
        cell_since(out, time, now_s);
    else
        buf_z(out, "\"<invalid>\"");
}

/* A value that is not of the column's type is not shown. */
static void cell_query(struct buf *out, const struct schema_column *c, const struct json *obj, int64_t now_s)
{
    const struct json *v = json_query_first(c->query, obj);
    struct buf text = BUF_INIT;

    if (v == NULL || v->type == JSON_NULL) {
        buf_z(out, "null");
    } else if (strcmp(c->type, "string") == 0 && v->type != JSON_STRING) {
        json_write(&text, v);
        json_write_string(out, buf_str(&text));
        buf_release(&text);
    } else if (strcmp(c->type, "date") == 0 && v->type == JSON_STRING) {
        cell_date(out, v->s, now_s);
    } else if (v->type == JSON_STRING ? strcmp(c->type, "string") == 0
             : v->type == JSON_NUMBER ? is_number_column(c)
                                      : v->type == JSON_BOOL && strcmp(c->type, "boolean") == 0) {
        json_write(out, v);
    } else {
        buf_z(out, "null");
    }
}

void table_cells(struct buf *out, const struct resource *r, const struct json *obj, int64_t now_s)
{
    unsigned n;
    const struct schema_column *c = columns_of(r, &n);

    buf_char(out, '[');
    for (unsigned i = 0; i < n; i++, c++) {
        if (i > 0)
            buf_char(out, ',');
        if (c->fn != NULL)
            c->fn(out, obj, now_s);
        else if (c->query != NULL)
            cell_query(out, c, obj, now_s);
        else if (c->path == NULL)
            buf_z(out, "null");
        else if (c->show != NULL)
            c->show(out, json_path(obj, c->path), now_s);
        else
            cell_path(out, c, obj);
    }
    buf_char(out, ']');
}
