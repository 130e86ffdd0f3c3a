/* api/columns.c: computed cells that several kinds share, and how cells are written. */
#include <stdlib.h>
#include "api/columns.h"
#include "api/time_fmt.h"

void cell_text(struct buf *out, struct str s) { json_write_string(out, s); }
void cell_int(struct buf *out, int64_t n) { buf_i64(out, n); }
void cell_or_none(struct buf *out, struct str s) { cell_text(out, s.n > 0 ? s : STR("<none>")); }

void since_text(struct buf *out, struct str time, int64_t now_s)
{
    struct arena a = ARENA_INIT;
    uint32_t ns;
    int64_t s;

    if (time.n == 0 || !time_parse(time, &s, &ns))
        buf_z(out, "<unknown>");
    else
        buf_str_add(out, duration_human(&a, now_s - s));
    arena_release(&a);
}

void cell_since(struct buf *out, struct str time, int64_t now_s)
{
    buf_char(out, '"');
    since_text(out, time, now_s);
    buf_char(out, '"');
}

void joined_add(struct joined *j, struct str s)
{
    if (j->text.n > 0)
        buf_char(&j->text, ',');
    buf_str_add(&j->text, s);
}

void joined_cell(struct buf *out, struct joined *j)
{
    cell_or_none(out, buf_str(&j->text));
    buf_release(&j->text);
}

schema_column_fn column_age, column_containers, column_images, column_selector, column_service_selector;

void column_age(struct buf *out, const struct json *obj, int64_t now_s)
{
    cell_since(out, json_path_str(obj, "metadata.creationTimestamp"), now_s);
}

static void template_containers(struct buf *out, const struct json *obj, const char *what)
{
    struct joined j = { BUF_INIT };

    json_each(c, json_path(obj, "spec.template.spec.containers"))
        joined_add(&j, json_str(json_getz(c, what)));
    joined_cell(out, &j);
}

void column_containers(struct buf *out, const struct json *obj, int64_t now_s) { template_containers(out, obj, "name"); }
void column_images(struct buf *out, const struct json *obj, int64_t now_s) { template_containers(out, obj, "image"); }

/* ---- selectors ---------------------------------------------------------------------------------- */

/* One requirement as text, kept with its key because they are shown sorted. */
struct requirement { struct str key, text; };

static int by_key(const void *x, const void *y)
{
    return str_cmp(((const struct requirement *)x)->key, ((const struct requirement *)y)->key);
}

static int by_str(const void *x, const void *y) { return str_cmp(*(const struct str *)x, *(const struct str *)y); }

static struct str values_text(struct arena *a, const struct json *values)
{
    uint32_t n = values != NULL ? values->n : 0, i = 0;
    struct str *v = arena_alloc(a, n * sizeof(*v)), out;
    struct buf b = BUF_INIT;

    json_each(e, values)
        v[i++] = json_str(e);
    qsort(v, i, sizeof(*v), by_str);
    for (uint32_t k = 0; k < i; k++) {
        if (k > 0)
            buf_char(&b, ',');
        buf_str_add(&b, v[k]);
    }
    out = arena_str(a, buf_str(&b));
    buf_release(&b);
    return out;
}

static struct str expression_text(struct arena *a, const struct json *e)
{
    struct str key = json_str(json_getz(e, "key")), op = json_str(json_getz(e, "operator"));

    if (str_is(op, "Exists"))
        return key;
    if (str_is(op, "DoesNotExist"))
        return arena_fmt(a, "!%.*s", STR_ARG(key));
    struct str values = values_text(a, json_getz(e, "values"));
    return arena_fmt(a, "%.*s %s (%.*s)", STR_ARG(key), str_is(op, "NotIn") ? "notin" : "in", STR_ARG(values));
}

static void selector_cell(struct buf *out, const struct json *labels, const struct json *expressions)
{
    struct arena a = ARENA_INIT;
    uint32_t max = (labels != NULL ? labels->n : 0) + (expressions != NULL ? expressions->n : 0), n = 0;
    struct requirement *r = arena_alloc(&a, max * sizeof(*r));
    struct joined j = { BUF_INIT };

    json_each(l, labels)
        r[n++] = (struct requirement){ l->key, arena_fmt(&a, "%.*s=%.*s", STR_ARG(l->key), STR_ARG(json_str(l))) };
    json_each(e, expressions)
        r[n++] = (struct requirement){ json_str(json_getz(e, "key")), expression_text(&a, e) };
    qsort(r, n, sizeof(*r), by_key);
    for (uint32_t i = 0; i < n; i++)
        joined_add(&j, r[i].text);
    joined_cell(out, &j);
    arena_release(&a);
}

void column_selector(struct buf *out, const struct json *obj, int64_t now_s)
{
    selector_cell(out, json_path(obj, "spec.selector.matchLabels"), json_path(obj, "spec.selector.matchExpressions"));
}

void column_service_selector(struct buf *out, const struct json *obj, int64_t now_s)
{
    selector_cell(out, json_path(obj, "spec.selector"), NULL);
}
