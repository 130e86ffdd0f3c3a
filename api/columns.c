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

schema_column_fn column_age;
schema_cell_fn cell_of_text, cell_of_or_none, cell_of_or_unset, cell_of_true_false, cell_of_is_true,
    cell_of_count, cell_of_since, cell_of_joined, cell_of_names, cell_of_images, cell_of_labels,
    cell_of_selector;

void column_age(struct buf *out, const struct json *obj, int64_t now_s)
{
    cell_since(out, json_path_str(obj, "metadata.creationTimestamp"), now_s);
}

/* ---- what a path leads to ------------------------------------------------------------------------ */

struct str scalar_text(const struct json *v)
{
    if (v == NULL || v->type == JSON_NULL)
        return STR("");
    if (v->type == JSON_BOOL)
        return v->boolean ? STR("true") : STR("false");
    return v->type == JSON_STRING || v->type == JSON_NUMBER ? v->s : STR("");
}

static void text_or(struct buf *out, const struct json *v, struct str otherwise)
{
    struct str s = scalar_text(v);
    cell_text(out, s.n > 0 ? s : otherwise);
}

void cell_of_text(struct buf *out, const struct json *v, int64_t now_s) { cell_text(out, scalar_text(v)); }
void cell_of_or_none(struct buf *out, const struct json *v, int64_t now_s) { text_or(out, v, STR("<none>")); }
void cell_of_or_unset(struct buf *out, const struct json *v, int64_t now_s)
{
    text_or(out, v, STR("<unset>"));
}
void cell_of_is_true(struct buf *out, const struct json *v, int64_t now_s) { text_or(out, v, STR("false")); }
void cell_of_count(struct buf *out, const struct json *v, int64_t now_s)
{
    cell_int(out, v != NULL ? v->n : 0);
}

void cell_of_true_false(struct buf *out, const struct json *v, int64_t now_s)
{
    cell_text(out, v == NULL ? STR("<unset>") : json_true(v) ? STR("True") : STR("False"));
}

void cell_of_since(struct buf *out, const struct json *v, int64_t now_s)
{
    if (json_str(v).n > 0)
        cell_since(out, json_str(v), now_s);
    else
        cell_text(out, STR("<none>"));
}

void joined_members(struct joined *j, const struct json *list, const char *member)
{
    json_each(v, list)
        joined_add(j, json_str(member != NULL ? json_getz(v, member) : v));
}

static void members_cell(struct buf *out, const struct json *list, const char *member)
{
    struct joined j = { BUF_INIT };

    joined_members(&j, list, member);
    joined_cell(out, &j);
}

void cell_of_joined(struct buf *out, const struct json *v, int64_t now_s) { members_cell(out, v, NULL); }
void cell_of_names(struct buf *out, const struct json *v, int64_t now_s) { members_cell(out, v, "name"); }
void cell_of_images(struct buf *out, const struct json *v, int64_t now_s) { members_cell(out, v, "image"); }

const struct json *condition(const struct json *obj, const char *type)
{
    json_each(c, json_path(obj, "status.conditions"))
        if (str_is(json_str(json_getz(c, "type")), type))
            return c;
    return NULL;
}

bool condition_holds(const struct json *obj, const char *type)
{
    return str_is(json_str(json_getz(condition(obj, type), "status")), "True");
}

/* ---- selectors ---------------------------------------------------------------------------------- */

/* One requirement as text, kept with its key because they are shown sorted. */
struct requirement { struct str key, text; };

static int by_key(const void *x, const void *y)
{
    return str_cmp(((const struct requirement *)x)->key, ((const struct requirement *)y)->key);
}

static int by_str(const void *x, const void *y)
{
    return str_cmp(*(const struct str *)x, *(const struct str *)y);
}

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
    return arena_fmt(a, "%.*s %s (%.*s)", STR_ARG(key), str_is(op, "NotIn") ? "notin" : "in",
                     STR_ARG(values));
}

static void selector_cell(struct buf *out, const struct json *labels, const struct json *expressions)
{
    struct arena a = ARENA_INIT;
    uint32_t max = (labels != NULL ? labels->n : 0) + (expressions != NULL ? expressions->n : 0), n = 0;
    struct requirement *r = arena_alloc(&a, max * sizeof(*r));
    struct joined j = { BUF_INIT };

    json_each(l, labels)
        r[n++] = (struct requirement){ l->key,
                                       arena_fmt(&a, "%.*s=%.*s", STR_ARG(l->key), STR_ARG(json_str(l))) };
    json_each(e, expressions)
        r[n++] = (struct requirement){ json_str(json_getz(e, "key")), expression_text(&a, e) };
    qsort(r, n, sizeof(*r), by_key);
    for (uint32_t i = 0; i < n; i++)
        joined_add(&j, r[i].text);
    joined_cell(out, &j);
    arena_release(&a);
}

void cell_of_selector(struct buf *out, const struct json *v, int64_t now_s)
{
    selector_cell(out, json_getz(v, "matchLabels"), json_getz(v, "matchExpressions"));
}

void cell_of_labels(struct buf *out, const struct json *v, int64_t now_s) { selector_cell(out, v, NULL); }
