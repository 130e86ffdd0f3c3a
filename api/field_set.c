/* api/field_set.c: see api/field_set.h. */
#include "api/field_set.h"
#include <stdlib.h>

#define KEY_FIELDS_MAX   8                       /* in one 'k' element */
#define KEY_TEXT_TYPICAL 120                     /* bytes */

int field_node_cmp(const struct field_node *x, const struct field_node *y)
{
    return x->kind != y->kind ? x->kind - y->kind : str_cmp(x->text, y->text);
}

static int by_element(const void *x, const void *y)
{
    return field_node_cmp(x, y);
}

struct field_node *field_set_find(struct field_set s, char kind, struct str text)
{
    struct field_node wanted = { .kind = kind, .text = text };

    return s.n > 0 ? bsearch(&wanted, s.at, s.n, sizeof(*s.at), by_element) : NULL;
}

/* ---- Two sets ------------------------------------------------------------------------------------- */

struct field_set field_set_union(struct arena *a, struct field_set x, struct field_set y)
{
    struct field_set   ret;
    struct field_node *p = x.at, *q = y.at, *p_end, *q_end;

    if (x.n == 0 || y.n == 0)
        return x.n == 0 ? y : x;
    p_end = p + x.n;
    q_end = q + y.n;
    ret = field_set_room(a, (size_t)x.n + y.n);
    while (p < p_end || q < q_end) {
        int order = p == p_end ? 1 : q == q_end ? -1 : field_node_cmp(p, q);

        if (order < 0) {
            field_set_add(&ret, *p++);
        } else if (order > 0) {
            field_set_add(&ret, *q++);
        } else {
            field_set_add(&ret, (struct field_node){ p->kind, p->member || q->member, p->text,
                                           field_set_union(a, p->below, q->below) });
            p++, q++;
        }
    }
    return ret;
}

/* What is in x alone, or (common) in both. */
static struct field_set sift(struct arena *a, struct field_set x, struct field_set y, bool common)
{
    struct field_set   ret;
    struct field_node *q = y.at, *q_end;

    if (x.n == 0 || y.n == 0)
        return common ? FIELD_SET_NONE : x;
    q_end = q + y.n;
    ret = field_set_room(a, x.n);
    for (struct field_node *p = x.at; p < x.at + x.n; p++) {
        int order = 1;

        while (q < q_end && (order = field_node_cmp(q, p)) < 0)
            q++;
        if (q == q_end || order != 0) {
            if (!common)
                field_set_add(&ret, *p);
            continue;
        }
        field_set_add(&ret, (struct field_node){ p->kind, p->member && q->member == common, p->text,
                                       sift(a, p->below, q->below, common) });
    }
    return ret;
}

struct field_set field_set_minus(struct arena *a, struct field_set x, struct field_set y)
{
    return sift(a, x, y, false);
}

struct field_set field_set_common(struct arena *a, struct field_set x, struct field_set y)
{
    return sift(a, x, y, true);
}

struct field_set field_set_prune(struct arena *a, struct field_set x, struct field_set y)
{
    struct field_set ret;

    if (x.n == 0 || y.n == 0)
        return x;
    ret = field_set_room(a, x.n);
    for (uint32_t i = 0; i < x.n; i++) {
        const struct field_node *q = field_set_find(y, x.at[i].kind, x.at[i].text);
        struct field_node        n = x.at[i];

        if (q != NULL && q->member)
            continue;
        if (q != NULL)
            n.below = field_set_prune(a, n.below, q->below);
        field_set_add(&ret, n);
    }
    return ret;
}

bool field_set_equal(struct field_set x, struct field_set y)
{
    if (x.n != y.n)
        return false;
    for (uint32_t i = 0; i < x.n; i++)
        if (x.at[i].member != y.at[i].member || field_node_cmp(&x.at[i], &y.at[i]) != 0 ||
            !field_set_equal(x.at[i].below, y.at[i].below))
            return false;
    return true;
}

/* ---- FieldsV1 ------------------------------------------------------------------------------------- */

static int by_key(const void *x, const void *y)
{
    const struct json *p = *(const struct json *const *)x, *q = *(const struct json *const *)y;

    return str_cmp(p->key, q->key);
}

struct str field_key_text(struct arena *a, const struct json *const *keys, size_t n)
{
    const struct json *sorted[KEY_FIELDS_MAX];
    struct buf b = BUF_INIT;
    struct str s;
    size_t     k = 0;

    for (size_t i = 0; i < n && k < KEY_FIELDS_MAX; i++)
        if (keys[i] != NULL)
            sorted[k++] = keys[i];
    qsort(sorted, k, sizeof(*sorted), by_key);
    buf_reserve(&b, KEY_TEXT_TYPICAL);
    for (size_t i = 0; i < k; i++) {
        buf_char(&b, i == 0 ? '{' : ',');
        json_write_string(&b, sorted[i]->key);
        buf_char(&b, ':');
        json_write(&b, sorted[i]);
    }
    buf_char(&b, '}');
    s = arena_str(a, buf_str(&b));
    buf_release(&b);
    return s;
}

/* The text of a 'k' element as we write it ourselves, whoever wrote this one. */
static int decode_key(struct arena *a, struct str in, struct str *ret)
{
    const struct json *keys[KEY_FIELDS_MAX];
    struct json_error  why;
    struct json       *obj;
    size_t             n = 0;

    if (json_parse(a, in, &obj, &why) < 0 || obj->type != JSON_OBJECT || obj->n == 0 ||
        obj->n > KEY_FIELDS_MAX)
        return E_INVALID;
    json_each(it, obj) {
        if (it->type >= JSON_ARRAY)
            return E_INVALID;
        keys[n++] = it;
    }
    *ret = field_key_text(a, keys, n);
    return 0;
}

static int decode_element(struct arena *a, struct str key, struct field_node *ret)
{
    struct json_error why;
    struct json      *value;
    uint64_t          index;

    if (key.n < 2 || key.p[1] != ':')
        return E_INVALID;
    *ret = (struct field_node){ .kind = key.p[0], .text = str_from(key, 2) };
    switch (ret->kind) {
    case 'f': return 0;
    case 'i': return str_u64(ret->text, &index) ? 0 : E_INVALID;
    case 'k': return decode_key(a, ret->text, &ret->text);
    case 'v': return json_parse(a, ret->text, &value, &why) == 0 && value->type < JSON_ARRAY ? 0 : E_INVALID;
    default:  return E_INVALID;
    }
}

/* Sorted, one of each; what came twice is united. */
static void normalize(struct arena *a, struct field_set *s)
{
    uint32_t kept = 0;
    bool     sorted = true;

    for (uint32_t i = 1; i < s->n && sorted; i++)
        sorted = field_node_cmp(&s->at[i - 1], &s->at[i]) < 0;
    if (sorted)
        return;
    qsort(s->at, s->n, sizeof(*s->at), by_element);
    for (uint32_t i = 1; i < s->n; i++) {
        struct field_node *last = &s->at[kept], *n = &s->at[i];

        if (field_node_cmp(last, n) != 0) {
            s->at[++kept] = *n;
            continue;
        }
        last->member |= n->member;
        last->below = field_set_union(a, last->below, n->below);
    }
    s->n = kept + 1;
}

/* member: "." is there, or nothing is. */
static int decode_level(struct arena *a, const struct json *v1, struct field_set *ret, bool *ret_member)
{
    struct field_set s;
    int              rc;

    if (!json_is(v1, JSON_OBJECT))
        return E_INVALID;
    s = field_set_room(a, v1->n);
    *ret_member = v1->n == 0;
    json_each(it, v1) {
        struct field_node n;

        if (str_is(it->key, ".")) {
            *ret_member = true;
            continue;
        }
        if ((rc = decode_element(a, it->key, &n)) < 0 || (rc = decode_level(a, it, &n.below, &n.member)) < 0)
            return rc;
        field_set_add(&s, n);
    }
    normalize(a, &s);
    *ret = s;
    return 0;
}

int field_set_decode(struct arena *a, const struct json *v1, struct field_set *ret)
{
    bool member;

    return decode_level(a, v1, ret, &member);
}

/* "f:text": the text's opening quote makes room for the colon. */
static void write_element(struct buf *out, const struct field_node *n)
{
    size_t at = out->n;

    buf_add(out, "  ", 2);
    json_write_string(out, n->text);
    out->p[at] = '"';
    out->p[at + 1] = n->kind;
    out->p[at + 2] = ':';
}

/* self: the element that leads here is a member too. */
static void write_level(struct buf *out, struct field_set s, bool self)
{
    buf_char(out, '{');
    if (self && s.n > 0)
        buf_str_add(out, STR("\".\":{},"));
    for (uint32_t i = 0; i < s.n; i++) {
        if (i > 0)
            buf_char(out, ',');
        write_element(out, &s.at[i]);
        buf_char(out, ':');
        write_level(out, s.at[i].below, s.at[i].member);
    }
    buf_char(out, '}');
}

void field_set_write(struct buf *out, struct field_set s)
{
    write_level(out, s, false);
}

static const struct json *v1_find(const struct json *v1, const struct field_node *n)
{
    json_each(it, v1)
        if (it->key.n == n->text.n + 2 && it->key.p[0] == n->kind &&
            memcmp(it->key.p + 2, n->text.p, n->text.n) == 0)
            return it;
    return NULL;
}

static bool v1_is_member(const struct json *v1)
{
    return v1->n == 0 || json_getz(v1, ".") != NULL;
}

bool field_set_within(struct field_set s, const struct json *v1)
{
    for (uint32_t i = 0; i < s.n; i++) {
        const struct json *at = v1_find(v1, &s.at[i]);

        if (at == NULL || (s.at[i].member && !v1_is_member(at)) || !field_set_within(s.at[i].below, at))
            return false;
    }
    return true;
}

bool field_set_touches(struct field_set s, const struct json *v1)
{
    for (uint32_t i = 0; i < s.n; i++) {
        const struct json *at = v1_find(v1, &s.at[i]);

        if (at != NULL && ((s.at[i].member && v1_is_member(at)) || field_set_touches(s.at[i].below, at)))
            return true;
    }
    return false;
}

/* ---- Paths for people ------------------------------------------------------------------------------ */

struct walk { struct arena *arena; struct buf path; void (*on_path)(void *arg, struct str path); void *arg; };

/* {"a":1,"b":"x"} becomes a=1,b="x" */
static void put_key(struct walk *w, struct str text)
{
    struct json_error why;
    struct json      *obj;
    bool              first = true;

    if (json_parse(w->arena, text, &obj, &why) < 0)
        return;
    json_each(it, obj) {
        if (!first)
            buf_char(&w->path, ',');
        buf_str_add(&w->path, it->key);
        buf_char(&w->path, '=');
        json_write(&w->path, it);
        first = false;
    }
}

static void put_element(struct walk *w, const struct field_node *n)
{
    if (n->kind == 'f') {
        buf_char(&w->path, '.');
        buf_str_add(&w->path, n->text);
        return;
    }
    buf_char(&w->path, '[');
    if (n->kind == 'k') {
        put_key(w, n->text);
    } else {
        if (n->kind == 'v')
            buf_char(&w->path, '=');
        buf_str_add(&w->path, n->text);
    }
    buf_char(&w->path, ']');
}

static void walk_level(struct walk *w, struct field_set s)
{
    size_t end = w->path.n;

    for (uint32_t i = 0; i < s.n; i++) {
        put_element(w, &s.at[i]);
        if (s.at[i].member)
            w->on_path(w->arg, arena_str(w->arena, buf_str(&w->path)));
        walk_level(w, s.at[i].below);
        w->path.n = end;
    }
}

void field_set_each(struct arena *a, struct field_set s, void (*on_path)(void *arg, struct str path),
                    void *arg)
{
    struct walk w = { a, BUF_INIT, on_path, arg };

    walk_level(&w, s);
    buf_release(&w.path);
}
