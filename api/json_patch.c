/* api/json_patch.c: RFC 6902 operations, each a lookup of the place and a change there. */
#include "api/json_patch.h"

struct patch {
    struct arena *a;
    struct errbuf *err;
    struct json *root;
    size_t steps, copied;                        /* against JSON_PATCH_MAX_STEPS, JSON_PATCH_MAX_COPY */
};

/* A location: the value there (NULL: none yet) and what holds it (NULL: the root). */
struct place { struct json *parent, *value; struct str key; size_t index; unsigned depth; };

/* ---- pointers ------------------------------------------------------------------------------------ */

static bool unescape_token(struct arena *a, struct str s, struct str *ret)
{
    char *to, *at;

    if (str_find(s, '~') < 0) {
        *ret = s;
        return true;
    }
    at = to = arena_alloc(a, s.n);
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '~') {
            if (++i == s.n || (s.p[i] != '0' && s.p[i] != '1'))
                return false;
            *at++ = s.p[i] == '0' ? '~' : '/';
        } else {
            *at++ = s.p[i];
        }
    }
    *ret = str_make(to, (size_t)(at - to));
    return true;
}

bool json_pointer_next(struct arena *a, struct str *rest, struct str *ret_token)
{
    struct str s;
    ptrdiff_t n;

    if (rest->n == 0 || rest->p[0] != '/')
        return false;
    s = str_from(*rest, 1);
    n = str_find(s, '/');
    *rest = n >= 0 ? str_from(s, (size_t)n) : STR_NONE;
    return unescape_token(a, n >= 0 ? str_upto(s, (size_t)n) : s, ret_token);
}

/* An array's index: no sign, no leading zeros; "-" is the place after the last. */
static bool parse_index(struct str s, size_t n, size_t *ret)
{
    size_t v = 0;

    if (str_is(s, "-")) {
        *ret = n;
        return true;
    }
    if (s.n == 0 || s.n > 9 || (s.n > 1 && s.p[0] == '0'))
        return false;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
        v = v * 10 + (size_t)(s.p[i] - '0');
    }
    *ret = v;
    return true;
}

static int spend(struct patch *p, size_t steps)
{
    p->steps += steps;
    if (p->steps > JSON_PATCH_MAX_STEPS)
        return err_set(p->err, E_TOOBIG, "the patch takes too many steps on a document of this size");
    return 0;
}

static int fail_invalid_index(struct patch *p, struct str token)
{
    return err_set(p->err, E_CONFLICT, "Unable to access invalid index: %.*s: invalid index referenced",
                   (int)MIN_OF(token.n, 64), token.p);
}

static int step_into(struct patch *p, struct str token, struct place *at)
{
    struct json *parent = at->value;
    int rc;

    if (parent == NULL || parent->type < JSON_ARRAY)
        return err_set(p->err, E_CONFLICT, "missing value");
    rc = spend(p, parent->n + 1);
    if (rc < 0)
        return rc;
    at->parent = parent;
    at->key = token;
    at->depth++;
    if (parent->type == JSON_OBJECT) {
        at->value = json_get(parent, token);
        return 0;
    }
    if (!parse_index(token, parent->n, &at->index) || at->index > parent->n)
        return fail_invalid_index(p, token);
    at->value = json_at(parent, at->index);
    return 0;
}

static int locate(struct patch *p, struct str path, struct place *ret)
{
    struct place at = { .value = p->root };
    struct str rest = path, token;

    while (rest.n > 0) {
        if (!json_pointer_next(p->a, &rest, &token))
            return err_set(p->err, E_INVALID, "not a JSON pointer");
        int rc = step_into(p, token, &at);
        if (rc < 0)
            return rc;
    }
    *ret = at;
    return 0;
}

/* ---- the operations ------------------------------------------------------------------------------ */

/* Levels and nodes of a tree. */
static unsigned measure(const struct json *j, size_t *nodes)
{
    unsigned depth = 0;

    ++*nodes;
    json_each(it, j) {
        unsigned below = measure(it, nodes);     /* once: MAX_OF would call it twice */

        depth = MAX_OF(depth, below);
    }
    return depth + (j->type >= JSON_ARRAY);
}

static int put(struct patch *p, struct str path, struct json *value)
{
    struct place at;
    size_t nodes = 0;
    unsigned levels;
    int rc = locate(p, path, &at);

    if (rc < 0)
        return rc;
    levels = measure(value, &nodes);
    rc = spend(p, nodes);
    if (rc < 0)
        return rc;
    if (at.depth + levels > JSON_MAX_DEPTH)
        return err_set(p->err, E_TOOBIG, "the document would be nested too deeply");
    if (at.parent == NULL) {
        value->key = STR_NONE;
        p->root = value;
    } else if (at.parent->type == JSON_OBJECT) {
        json_set(p->a, at.parent, at.key, value);
    } else {
        json_insert(at.parent, at.index, value);
    }
    return 0;
}

static int op_add(struct patch *p, struct str path, const struct json *op)
{
    const struct json *value = json_getz(op, "value");

    if (value == NULL)
        return err_set(p->err, E_INVALID, "the operation has no value");
    return put(p, path, json_copy(p->a, value));
}

/* Take out what is there; *ret_value is free to go elsewhere. */
static int take_out(struct patch *p, struct str path, struct json **ret_value)
{
    struct place at;
    int rc = locate(p, path, &at);

    if (rc < 0)
        return rc;
    if (at.parent == NULL)
        return err_set(p->err, E_CONFLICT, "the whole document can't be removed");
    if (at.value == NULL) {
        if (at.parent->type == JSON_ARRAY)
            return fail_invalid_index(p, at.key);
        return err_set(p->err, E_CONFLICT, "Unable to remove nonexistent key: %.*s: missing value",
                       (int)MIN_OF(at.key.n, 64), at.key.p);
    }
    if (at.parent->type == JSON_OBJECT)
        json_del(at.parent, at.key);
    else
        json_remove_at(at.parent, at.index);
    *ret_value = at.value;
    return 0;
}

static int op_remove(struct patch *p, struct str path, const struct json *op)
{
    struct json *gone;

    return take_out(p, path, &gone);
}

static int op_replace(struct patch *p, struct str path, const struct json *op)
{
    const struct json *value = json_getz(op, "value");
    struct place at;
    struct json *gone;
    int rc;

    if (value == NULL)
        return err_set(p->err, E_INVALID, "the operation has no value");
    rc = locate(p, path, &at);
    if (rc == 0 && at.value == NULL)
        rc = err_set(p->err, E_CONFLICT, "doc is missing key: missing value");
    /* An object's member keeps its place; put() replaces it. */
    if (rc == 0 && at.parent != NULL && at.parent->type == JSON_ARRAY)
        rc = take_out(p, path, &gone);
    return rc < 0 ? rc : put(p, path, json_copy(p->a, value));
}

static int from_of(struct patch *p, const struct json *op, struct str *ret)
{
    const struct json *from = json_getz(op, "from");

    if (!json_is(from, JSON_STRING))
        return err_set(p->err, E_INVALID, "the operation has no from");
    *ret = from->s;
    return 0;
}

static int op_move(struct patch *p, struct str path, const struct json *op)
{
    struct json *value;
    struct place at;
    struct str from;
    int rc = from_of(p, op, &from);

    if (rc < 0)
        return rc;
    if (str_eq(from, path)) {
        rc = locate(p, from, &at);
        if (rc == 0 && at.value == NULL)
            rc = err_set(p->err, E_CONFLICT, "doc is missing from: missing value");
        return rc;
    }
    if (str_starts(path, from) && (from.n == 0 || path.p[from.n] == '/'))
        return err_set(p->err, E_CONFLICT, "a value can't be moved into itself");
    rc = take_out(p, from, &value);
    return rc < 0 ? rc : put(p, path, value);
}

static int op_copy(struct patch *p, struct str path, const struct json *op)
{
    size_t nodes = 0;
    struct json *copy;
    struct place at;
    struct str from;
    struct buf text = BUF_INIT;
    int rc = from_of(p, op, &from);

    if (rc == 0)
        rc = locate(p, from, &at);
    if (rc == 0 && at.value == NULL)
        rc = err_set(p->err, E_CONFLICT, "doc is missing from: missing value");
    if (rc < 0)
        return rc;
    measure(at.value, &nodes);
    rc = spend(p, nodes);
    if (rc < 0)
        return rc;
    json_write(&text, at.value);
    p->copied += text.n;
    buf_release(&text);
    if (p->copied > JSON_PATCH_MAX_COPY)
        return err_set(p->err, E_TOOBIG,
                       "Unable to complete the copy, the accumulated size increase of copy is %zu, exceeding "
                       "the limit %u",
                       p->copied, JSON_PATCH_MAX_COPY);
    copy = json_copy(p->a, at.value);
    copy->key = STR_NONE;
    return put(p, path, copy);
}

static int op_test(struct patch *p, struct str path, const struct json *op)
{
    const struct json *value = json_getz(op, "value");
    struct place at;
    int rc;

    if (value == NULL)
        return err_set(p->err, E_INVALID, "the operation has no value");
    rc = locate(p, path, &at);
    if (rc < 0)
        return rc;
    /* As in the original: null equals a member that is not there. */
    if (at.value == NULL && value->type == JSON_NULL && json_is(at.parent, JSON_OBJECT))
        return 0;
    return json_equal(at.value, value) ? 0 : err_set(p->err, E_CONFLICT, "test failed");
}

/* ---- the patch ----------------------------------------------------------------------------------- */

static int apply_one(struct patch *p, const struct json *op)
{
    static const struct {
        const char *name;
        int (*fn)(struct patch *p, struct str path, const struct json *op);
    } ops[] = {
        { "add", op_add },   { "remove", op_remove }, { "replace", op_replace },
        { "move", op_move }, { "copy", op_copy },     { "test", op_test },
    };
    const struct json *path = json_getz(op, "path");
    struct str name = json_path_str(op, "op");

    if (!json_is(op, JSON_OBJECT))
        return err_set(p->err, E_INVALID, "an operation must be an object");
    for (size_t i = 0; i < ARRAY_LEN(ops); i++) {
        if (!str_is(name, ops[i].name))
            continue;
        if (!json_is(path, JSON_STRING))
            return err_set(p->err, E_INVALID, "%s operation has no path", ops[i].name);
        int rc = ops[i].fn(p, path->s, op);
        if (rc == E_CONFLICT && ops[i].fn == op_test)
            return err_wrap(p->err, rc, "testing value %.*s failed", (int)MIN_OF(path->s.n, 100), path->s.p);
        if (rc == E_CONFLICT || rc == E_INVALID)
            return err_wrap(p->err, rc, "%s operation does not apply: path \"%.*s\"", ops[i].name,
                            (int)MIN_OF(path->s.n, 100), path->s.p);
        return rc;
    }
    return err_set(p->err, E_INVALID, "Unexpected kind: %.*s", (int)MIN_OF(name.n, 64), name.p);
}

int json_patch_apply(struct arena *a, struct json *doc, const struct json *patch, struct json **ret,
                     struct errbuf *err)
{
    struct patch p = { .a = a, .err = err, .root = doc };

    if (!json_is(patch, JSON_ARRAY))
        return err_set(err, E_INVALID, "a JSON patch must be an array of operations");
    if (patch->n > JSON_PATCH_MAX_OPS)
        return err_set(err, E_TOOBIG, "The allowed maximum operations in a JSON patch is %u, got %u",
                       JSON_PATCH_MAX_OPS, patch->n);
    json_each(op, patch) {
        int rc = apply_one(&p, op);
        if (rc < 0)
            return rc;
    }
    *ret = p.root;
    return 0;
}
