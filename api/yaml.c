/* api/yaml.c: libyaml's events to a tree.  Containers around the current place are an array, as in the JSON
 * parser; anchors remember nodes of the tree, and aliases copy them, counted. */
#include "api/yaml.h"
#include "api/json_impl.h"
#include "api/json_index.h"
#include "api/yaml_scalar.h"

#include <stdio.h>
#include <yaml.h>

#define YAML_MAX_ANCHORS 1000u
#define TAG_PREFIX "tag:yaml.org,2002:"

struct anchor { struct str name; struct json *node; bool complete; };

struct frame {
    struct json *node;
    struct json *merges;                         /* values of "<<" keys; NULL: none */
    struct anchor *anchor;
    struct str key;                              /* of the value to come */
    bool have_key, is_merge;
};

struct builder {
    struct arena *a;
    struct json_error *err;
    int rc;
    yaml_mark_t mark, document;                  /* where the event at hand and its document start */
    unsigned depth, n_anchors;
    size_t alias_nodes;
    struct json *root;
    struct frame stack[JSON_MAX_DEPTH];
    struct anchor anchors[YAML_MAX_ANCHORS];
};

/* ---- errors -------------------------------------------------------------------------------------- */

static void set_error(struct json_error *err, yaml_mark_t mark, const char *text)
{
    if (err == NULL)
        return;
    err->offset = mark.index;
    err->line = (unsigned)mark.line + 1;
    err->column = (unsigned)mark.column + 1;
    snprintf(err->text, sizeof err->text, "%s", text);
}

static bool fail_code(struct builder *b, int code, const char *text)
{
    b->rc = code;
    set_error(b->err, b->mark, text);
    return false;
}

static bool fail(struct builder *b, const char *text)
{
    return fail_code(b, E_INVALID, text);
}

/* What the library could not read. */
static int parser_error(yaml_parser_t *parser, struct str in, struct json_error *err)
{
    char text[sizeof err->text];

    if (parser->error == YAML_MEMORY_ERROR)
        return E_NOMEM;
    if (err == NULL)
        return E_INVALID;
    snprintf(text, sizeof text, "%s%s%s", parser->context != NULL ? parser->context : "",
             parser->context != NULL ? ": " : "", parser->problem != NULL ? parser->problem : "not YAML");
    set_error(err, parser->problem_mark, text);
    if (parser->error == YAML_READER_ERROR && parser->problem_offset <= in.n)
        json__locate(err, in.p, in.p + parser->problem_offset);
    return E_INVALID;
}

/* ---- aliases and merge keys ---------------------------------------------------------------------- */

/* A copy that is counted; room: how many levels it may have. */
static struct json *copy_bounded(struct builder *b, const struct json *j, unsigned room)
{
    struct json *to;

    if (++b->alias_nodes > YAML_MAX_ALIAS_NODES) {
        fail_code(b, E_TOOBIG, "aliases expand to too much");
        return NULL;
    }
    if (j->type >= JSON_ARRAY && room == 0) {
        fail_code(b, E_TOOBIG, "nested too deeply");
        return NULL;
    }
    to = arena_alloc(b->a, sizeof *to);
    *to = *j;
    to->next = NULL;
    if (j->type < JSON_ARRAY)
        return to;
    to->first = to->last = NULL;
    to->n = 0;
    json_each(it, j) {
        struct json *child = copy_bounded(b, it, room - 1);

        if (child == NULL)
            return NULL;
        json__link(to, child);
    }
    return to;
}

static struct json *merge_value(struct builder *b, const struct json *from)
{
    return copy_bounded(b, from, JSON_MAX_DEPTH - b->depth);
}

/* Members of `from` that the mapping does not have yet. */
static bool merge_one(struct builder *b, struct json_index *ix, struct json *node, const struct json *from)
{
    if (from->type != JSON_OBJECT)
        return fail(b, "a merge key (<<) needs a mapping or a list of mappings");
    json_each(it, from) {
        struct json *copy;

        if (json_index_get(ix, it->key) != NULL)
            continue;
        copy = merge_value(b, it);
        if (copy == NULL)
            return false;
        json__link(node, copy);
        json_index_add(ix, copy);
    }
    return true;
}

static size_t count_merged(const struct json *merges)
{
    size_t n = 0;

    json_each(m, merges) {
        n += m->n;
        json_each(it, m)
            n += it->n;
    }
    return n;
}

static bool apply_merges(struct builder *b, struct frame *f)
{
    struct json_index ix;

    json_index_make(b->a, &ix, f->node, count_merged(f->merges));
    json_each(m, f->merges) {
        if (m->type != JSON_ARRAY) {
            if (!merge_one(b, &ix, f->node, m))
                return false;
            continue;
        }
        json_each(it, m)
            if (!merge_one(b, &ix, f->node, it))
                return false;
    }
    return true;
}

static struct anchor *find_anchor(struct builder *b, struct str name)
{
    for (unsigned i = b->n_anchors; i-- > 0;)
        if (str_eq(b->anchors[i].name, name))
            return &b->anchors[i];
    return NULL;
}

/* NULL name: no anchor.  A name that comes again means the newer node. */
static bool add_anchor(struct builder *b, const yaml_char_t *name, struct json *node, bool complete,
                       struct anchor **ret)
{
    struct anchor *at;
    struct str s;

    *ret = NULL;
    if (name == NULL)
        return true;
    s = str_of((const char *)name);
    at = find_anchor(b, s);
    if (at == NULL || !at->complete) {
        if (b->n_anchors == YAML_MAX_ANCHORS)
            return fail_code(b, E_TOOBIG, "too many anchors");
        at = &b->anchors[b->n_anchors++];
        at->name = arena_str(b->a, s);
    }
    at->node = node;
    at->complete = complete;
    *ret = at;
    return true;
}

/* ---- placing nodes ------------------------------------------------------------------------------- */

/* A scalar as a mapping's key. */
static bool take_key(struct builder *b, struct frame *f, const struct json *node, bool is_merge)
{
    switch (node->type) {
    case JSON_STRING: case JSON_NUMBER: f->key = node->s; break;
    case JSON_BOOL: f->key = str_of(node->boolean ? "true" : "false"); break;
    case JSON_NULL: return fail(b, "a key may not be null");
    default: return fail(b, "a key must be a scalar");
    }
    f->have_key = true;
    f->is_merge = is_merge;
    return true;
}

/* node is complete but for its children.  is_merge: it is a plain "<<". */
static bool place(struct builder *b, struct json *node, bool is_merge)
{
    struct frame *f;

    if (b->depth == 0) {
        b->root = node;
        return true;
    }
    f = &b->stack[b->depth - 1];
    if (f->node->type == JSON_ARRAY) {
        json__link(f->node, node);
        return true;
    }
    if (!f->have_key)
        return take_key(b, f, node, is_merge);
    f->have_key = false;
    if (f->is_merge) {
        if (f->merges == NULL)
            f->merges = json_array(b->a);
        json__link(f->merges, node);
        return true;
    }
    node->key = f->key;
    json__link(f->node, node);
    return true;
}

static bool on_alias(struct builder *b, const yaml_event_t *ev)
{
    struct anchor *anchor = find_anchor(b, str_of((const char *)ev->data.alias.anchor));
    struct json *copy;

    if (anchor == NULL)
        return fail(b, "an alias names an unknown anchor");
    if (!anchor->complete)
        return fail(b, "an anchor's value contains itself");
    copy = copy_bounded(b, anchor->node, JSON_MAX_DEPTH - b->depth);
    if (copy == NULL)
        return false;
    copy->key = STR_NONE;
    return place(b, copy, false);
}

/* A tag that demands a type; others mean a string. */
static bool resolve_tagged(struct builder *b, const char *tag, struct str text, struct json *node)
{
    static const struct {
        const char *tag;
        enum json_type type;
    } types[] = {
        { TAG_PREFIX "int", JSON_NUMBER },
        { TAG_PREFIX "float", JSON_NUMBER },
        { TAG_PREFIX "bool", JSON_BOOL },
        { TAG_PREFIX "null", JSON_NULL },
    };

    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        if (strcmp(tag, types[i].tag) != 0)
            continue;
        if (!yaml_scalar_resolve(b->a, text, node))
            return fail(b, "a number that JSON can't express");
        if (node->type != types[i].type || (i == 0 && str_find(node->s, '.') >= 0))
            return fail(b, "a scalar is not of the type that its tag says");
        return true;
    }
    if (strcmp(tag, TAG_PREFIX "binary") == 0)
        return fail(b, "the tag !!binary is not supported: write base64 text as a string");
    node->type = JSON_STRING;
    node->s = text;
    return true;
}

static bool on_scalar(struct builder *b, const yaml_event_t *ev)
{
    struct str text = arena_str(b->a, str_make((const char *)ev->data.scalar.value, ev->data.scalar.length));
    const char *tag = (const char *)ev->data.scalar.tag;
    struct json *node = json_new(b->a, JSON_STRING);
    struct anchor *anchor;
    bool plain = tag == NULL && ev->data.scalar.plain_implicit;

    node->s = text;
    if (tag != NULL && !resolve_tagged(b, tag, text, node))
        return false;
    if (plain && !yaml_scalar_resolve(b->a, text, node))
        return fail(b, "a number that JSON can't express");
    return add_anchor(b, ev->data.scalar.anchor, node, true, &anchor) &&
           place(b, node, plain && str_is(text, "<<"));
}

static bool on_start(struct builder *b, enum json_type type, const yaml_char_t *anchor_name)
{
    struct json *node = json_new(b->a, type);
    struct anchor *anchor;

    if (b->depth == JSON_MAX_DEPTH)
        return fail_code(b, E_TOOBIG, "nested too deeply");
    if (!add_anchor(b, anchor_name, node, false, &anchor) || !place(b, node, false))
        return false;
    b->stack[b->depth++] = (struct frame){ .node = node, .anchor = anchor };
    return true;
}

static bool on_end(struct builder *b)
{
    must(b->depth > 0);
    struct frame *f = &b->stack[b->depth - 1];

    must(!f->have_key);
    if (f->node->type == JSON_OBJECT && f->node->n > 1)
        json__merge_duplicates(b->a, f->node);
    if (f->merges != NULL && !apply_merges(b, f))
        return false;
    if (f->anchor != NULL)
        f->anchor->complete = true;
    b->depth--;
    return true;
}

/* ---- documents ----------------------------------------------------------------------------------- */

static bool on_event(struct builder *b, const yaml_event_t *ev, struct json *documents)
{
    b->mark = ev->start_mark;
    switch (ev->type) {
    case YAML_DOCUMENT_START_EVENT:
        b->root = NULL;
        b->document = b->mark;
        b->n_anchors = 0;
        return true;
    case YAML_DOCUMENT_END_EVENT:
        must(b->depth == 0 && b->root != NULL);
        if (b->root->type != JSON_NULL)
            json__link(documents, b->root);
        return true;
    case YAML_ALIAS_EVENT: return on_alias(b, ev);
    case YAML_SCALAR_EVENT: return on_scalar(b, ev);
    case YAML_SEQUENCE_START_EVENT: return on_start(b, JSON_ARRAY, ev->data.sequence_start.anchor);
    case YAML_MAPPING_START_EVENT: return on_start(b, JSON_OBJECT, ev->data.mapping_start.anchor);
    case YAML_SEQUENCE_END_EVENT: case YAML_MAPPING_END_EVENT: return on_end(b);
    default: return true;
    }
}

/* single: a second document is an error, told where it starts. */
static int parse_documents(struct arena *a, struct str in, bool single, struct json **ret,
                           struct json_error *err)
{
    struct json *documents = json_array(a);
    struct builder *b = mem_new(struct builder);
    yaml_parser_t parser;
    bool more = true;

    b->a = a;
    b->err = err;
    if (!yaml_parser_initialize(&parser)) {
        mem_free(b);
        return E_NOMEM;
    }
    yaml_parser_set_input_string(&parser, (const unsigned char *)(in.p != NULL ? in.p : ""), in.n);
    while (more && b->rc == 0) {
        yaml_event_t ev;

        if (!yaml_parser_parse(&parser, &ev)) {
            b->rc = parser_error(&parser, in, err);
            break;
        }
        more = ev.type != YAML_STREAM_END_EVENT;
        on_event(b, &ev, documents);
        if (single && b->rc == 0 && documents->n > 1) {
            b->mark = b->document;
            fail(b, "more than one document");
        }
        yaml_event_delete(&ev);
    }
    yaml_parser_delete(&parser);
    int rc = b->rc;
    mem_free(b);
    if (rc == 0)
        *ret = documents;
    return rc;
}

int yaml_parse_all(struct arena *a, struct str in, struct json **ret, struct json_error *err)
{
    return parse_documents(a, in, false, ret, err);
}

int yaml_parse(struct arena *a, struct str in, struct json **ret, struct json_error *err)
{
    struct json *documents;
    int rc = parse_documents(a, in, true, &documents, err);

    if (rc < 0)
        return rc;
    *ret = documents->n > 0 ? json_remove_at(documents, 0) : json_null(a);
    return 0;
}
