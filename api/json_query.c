/* api/json_query.c: see api/json_query.h: a list of steps, walked depth first until the first value is
 * found. */
#include "api/json_query.h"

#define STEPS_MAX  64                            /* of one query, with those of its filters */
#define VISITS_MAX 100000                        /* values looked at in one search */

enum step_kind { STEP_KEY, STEP_RANGE, STEP_ALL, STEP_BELOW, STEP_UNION, STEP_FILTER };
enum compare { IS_THERE, IS_EQUAL, IS_NOT, IS_LESS, IS_AT_MOST, IS_MORE, IS_AT_LEAST };

struct step {
    enum step_kind kind;
    struct str key;
    int64_t from, to, by;                        /* STEP_RANGE; from and to as written, to with has_to */
    bool has_to;
    const struct step *also;                     /* STEP_UNION: chain of alternatives, each one step */
    const struct step *next_also;
    enum compare compare;                        /* STEP_FILTER */
    const struct json_query *left, *right;       /* right NULL: literal */
    const struct json *literal;
    const struct step *next;
};
struct json_query { const struct step *first; };

struct reader { struct arena *arena; struct str text; size_t at; unsigned steps; struct errbuf *err; };

static int read_query(struct reader *r, bool in_filter, const struct json_query **ret);

/* ---- Reading ------------------------------------------------------------------------------------ */

static char peek(const struct reader *r) { return r->at < r->text.n ? r->text.p[r->at] : '\0'; }

static int fail(struct reader *r, const char *what)
{
    return err_set(r->err, E_INVALID, "%s at offset %zu of %.*s", what, r->at,
                   (int)MIN_OF(r->text.n, (size_t)80), r->text.p);
}

static void skip_blanks(struct reader *r)
{
    while (peek(r) == ' ')
        r->at++;
}

static bool take(struct reader *r, char c)
{
    if (peek(r) != c || r->at >= r->text.n)
        return false;
    r->at++;
    return true;
}

/* A bare key ends where the next step or an operator begins; a backslash takes the next character as it
 * is. */
static struct str read_key(struct reader *r)
{
    char *to = arena_alloc(r->arena, r->text.n), *q = to;

    while (r->at < r->text.n && strchr(".[]=!<>)(, '\"", peek(r)) == NULL) {
        if (peek(r) == '\\' && r->at + 1 < r->text.n)
            r->at++;
        *q++ = r->text.p[r->at++];
    }
    return str_make(to, (size_t)(q - to));
}

static int read_quoted(struct reader *r, struct str *ret)
{
    char quote = peek(r), *to = arena_alloc(r->arena, r->text.n), *q = to;

    r->at++;
    while (r->at < r->text.n && peek(r) != quote) {
        if (peek(r) == '\\' && r->at + 1 < r->text.n)
            r->at++;
        *q++ = r->text.p[r->at++];
    }
    if (!take(r, quote))
        return fail(r, "unterminated string");
    *ret = str_make(to, (size_t)(q - to));
    return 0;
}

static struct step *new_step(struct reader *r, enum step_kind kind)
{
    struct step *s;

    if (++r->steps > STEPS_MAX)
        return NULL;
    s = arena_new(r->arena, struct step);
    s->kind = kind;
    s->by = 1;
    return s;
}

static bool read_number(struct reader *r, int64_t *ret)
{
    size_t from = r->at;

    if (peek(r) == '-')
        r->at++;
    while (peek(r) >= '0' && peek(r) <= '9')
        r->at++;
    return str_i64(str_make(r->text.p + from, r->at - from), ret) && *ret > INT32_MIN && *ret < INT32_MAX;
}

/* N, or FROM:TO:BY of which each may be left out. */
static int read_range(struct reader *r, struct step *s)
{
    bool one = read_number(r, &s->from);

    if (peek(r) != ':') {
        s->has_to = s->from != -1;
        s->to = s->from + 1;
        return one ? 0 : fail(r, "an index is expected");
    }
    r->at++;
    s->has_to = read_number(r, &s->to);
    if (take(r, ':') && (!read_number(r, &s->by) || s->by < 1))
        return fail(r, "a step must be positive");
    return 0;
}

static int read_literal(struct reader *r, const struct json **ret)
{
    struct str text;
    struct json *v;

    if (peek(r) == '"' || peek(r) == '\'') {
        if (read_quoted(r, &text) < 0)
            return E_INVALID;
        *ret = json_string_ref(r->arena, text);
        return 0;
    }
    text.p = r->text.p + r->at;
    while (r->at < r->text.n && strchr(")] ", peek(r)) == NULL)
        r->at++;
    text.n = (size_t)(r->text.p + r->at - text.p);
    if (str_is(text, "true") || str_is(text, "false")) {
        *ret = json_bool(r->arena, text.n == 4);
        return 0;
    }
    v = json_new(r->arena, JSON_NUMBER);
    v->s = arena_str(r->arena, text);
    *ret = v;
    return text.n > 0 ? 0 : fail(r, "a value is expected");
}

static int read_compare(struct reader *r, struct step *s)
{
    static const struct { const char *text; enum compare compare; } table[] = {
        { "==", IS_EQUAL }, { "!=", IS_NOT }, { "<=", IS_AT_MOST }, { ">=", IS_AT_LEAST },
        { "<", IS_LESS },   { ">", IS_MORE },
    };

    skip_blanks(r);
    if (peek(r) == ')')
        return 0;
    for (size_t i = 0; i < ARRAY_LEN(table); i++)
        if (str_starts(str_from(r->text, r->at), str_of(table[i].text))) {
            s->compare = table[i].compare;
            r->at += strlen(table[i].text);
            skip_blanks(r);
            return peek(r) == '@' || peek(r) == '$' ? read_query(r, true, &s->right)
                                                    : read_literal(r, &s->literal);
        }
    return fail(r, "an operator is expected");
}

static int read_filter(struct reader *r, struct step *s)
{
    int rc;

    s->kind = STEP_FILTER;
    r->at++;
    if (!take(r, '('))
        return fail(r, "( is expected");
    skip_blanks(r);
    if ((rc = read_query(r, true, &s->left)) < 0 || (rc = read_compare(r, s)) < 0)
        return rc;
    skip_blanks(r);
    return take(r, ')') ? 0 : fail(r, ") is expected");
}

static int read_one(struct reader *r, struct step *s)
{
    skip_blanks(r);
    if (peek(r) == '?')
        return read_filter(r, s);
    if (peek(r) == '\'' || peek(r) == '"') {
        s->kind = STEP_KEY;
        return read_quoted(r, &s->key);
    }
    if (take(r, '*')) {
        s->kind = STEP_ALL;
        return 0;
    }
    return read_range(r, s);
}

/* What stands between brackets. */
static int read_bracket(struct reader *r, struct step *s)
{
    struct step *one;
    int rc;

    r->at++;
    if ((rc = read_one(r, s)) < 0)
        return rc;
    skip_blanks(r);
    if (peek(r) == ',') {
        struct step *first = new_step(r, s->kind);

        if (first == NULL)
            return fail(r, "too many steps");
        *first = *s;
        *s = (struct step){ .kind = STEP_UNION, .by = 1, .also = first };
        while (take(r, ',')) {
            if ((one = new_step(r, STEP_RANGE)) == NULL)
                return fail(r, "too many steps");
            if ((rc = read_one(r, one)) < 0)
                return rc;
            first->next_also = one;
            first = one;
            skip_blanks(r);
        }
    }
    return take(r, ']') ? 0 : fail(r, "] is expected");
}

/* One step.  *ret NULL: the query ends here. */
static int read_step(struct reader *r, bool in_filter, struct step **ret)
{
    char c = peek(r);

    *ret = NULL;
    if (r->at == r->text.n || (in_filter && c != '.' && c != '['))
        return 0;
    if ((*ret = new_step(r, STEP_KEY)) == NULL)
        return fail(r, "too many steps");
    if (c == '[')
        return read_bracket(r, *ret);
    if (c != '.')
        return fail(r, "unexpected character");
    r->at++;
    if (peek(r) == '.') {
        (*ret)->kind = STEP_BELOW;
        if (r->at + 1 < r->text.n && r->text.p[r->at + 1] == '[')
            r->at++;                             /* ..[0]: the bracket is the next step */
        return 0;
    }
    if (take(r, '*')) {
        (*ret)->kind = STEP_ALL;
        return 0;
    }
    if (peek(r) == '[')                          /* .[0] is [0] */
        return read_bracket(r, *ret);
    (*ret)->key = read_key(r);
    if ((*ret)->key.n > 0)
        return 0;
    if (r->at == r->text.n && r->text.n == 1) {  /* "." is the whole */
        *ret = NULL;
        return 0;
    }
    return fail(r, "a key is expected");
}

static int read_query(struct reader *r, bool in_filter, const struct json_query **ret)
{
    struct json_query *q = arena_new(r->arena, struct json_query);
    const struct step **last = &q->first;
    struct step *s;
    int rc;

    if (peek(r) == '$' || peek(r) == '@')
        r->at++;
    else if (in_filter)
        return fail(r, "@ is expected");
    for (;;) {
        if ((rc = read_step(r, in_filter, &s)) < 0)
            return rc;
        if (s == NULL)
            break;
        *last = s;
        last = &s->next;
    }
    *ret = q;
    return 0;
}

int json_query_compile(struct arena *a, struct str text, const struct json_query **ret, struct errbuf *err)
{
    struct reader r = { .arena = a, .text = text, .err = err };

    if (text.n > 4096)
        return err_set(err, E_INVALID, "the path is too long");
    return read_query(&r, false, ret);
}

/* ---- Searching ---------------------------------------------------------------------------------- */

struct search { unsigned visits; };

static const struct json *find(struct search *s, const struct step *step, const struct json *v);
static const struct json *take_step(struct search *s, const struct step *how, const struct step *next,
                                    const struct json *v);

static int order_of(const struct json *x, const struct json *y, bool *ret_comparable)
{
    double a, b;

    *ret_comparable = true;
    if (json_is(x, JSON_NUMBER) && json_is(y, JSON_NUMBER)) {
        a = json_double_or(x, 0);
        b = json_double_or(y, 0);
        return (a > b) - (a < b);
    }
    if (json_is(x, JSON_STRING) && json_is(y, JSON_STRING))
        return str_cmp(x->s, y->s);
    *ret_comparable = x != NULL && y != NULL && x->type == JSON_BOOL && y->type == JSON_BOOL;
    return *ret_comparable ? (int)x->boolean - (int)y->boolean : 0;
}

static bool passes(struct search *s, const struct step *f, const struct json *v)
{
    const struct json *left = find(s, f->left->first, v);
    const struct json *right = f->right != NULL ? find(s, f->right->first, v) : f->literal;
    bool comparable;
    int order;

    if (f->compare == IS_THERE || left == NULL)
        return left != NULL;
    order = order_of(left, right, &comparable);
    if (!comparable)
        return f->compare == IS_NOT;
    switch (f->compare) {
    case IS_EQUAL:    return order == 0;
    case IS_NOT:      return order != 0;
    case IS_LESS:     return order < 0;
    case IS_AT_MOST:  return order <= 0;
    case IS_MORE:     return order > 0;
    case IS_AT_LEAST: return order >= 0;
    case IS_THERE:    break;
    }
    return true;
}

static const struct json *find_in_range(struct search *s, const struct step *how, const struct step *next,
                                        const struct json *v)
{
    int64_t n = v->n, from = how->from < 0 ? how->from + n : how->from,
            to = !how->has_to ? n : how->to < 0 ? how->to + n : how->to, i = 0;
    const struct json *found;

    if (v->type != JSON_ARRAY || from < 0)
        return NULL;
    json_each(e, v) {
        if (i >= from && i < to && (i - from) % how->by == 0 && (found = find(s, next, e)) != NULL)
            return found;
        i++;
    }
    return NULL;
}

static const struct json *find_below(struct search *s, const struct step *next, const struct json *v)
{
    const struct json *found = find(s, next, v);

    json_each(e, v) {
        if (found != NULL)
            break;
        found = find_below(s, next, e);
    }
    return found;
}

static const struct json *take_step(struct search *s, const struct step *how, const struct step *next,
                                    const struct json *v)
{
    const struct json *found = NULL;

    switch (how->kind) {
    case STEP_KEY:
        v = json_get(v, how->key);
        return v != NULL ? find(s, next, v) : NULL;
    case STEP_RANGE:
        return find_in_range(s, how, next, v);
    case STEP_BELOW:
        return find_below(s, next, v);
    case STEP_UNION:
        for (const struct step *one = how->also; one != NULL && found == NULL; one = one->next_also)
            found = take_step(s, one, next, v);
        return found;
    case STEP_ALL:
    case STEP_FILTER:
        for (const struct json *e = json__first(v); e != NULL && found == NULL; e = e->next)
            if (how->kind == STEP_ALL || passes(s, how, e))
                found = find(s, next, e);
        return found;
    }
    return NULL;
}

static const struct json *find(struct search *s, const struct step *step, const struct json *v)
{
    if (++s->visits > VISITS_MAX)
        return NULL;
    return step == NULL ? v : take_step(s, step, step->next, v);
}

const struct json *json_query_first(const struct json_query *q, const struct json *root)
{
    struct search s = { 0 };

    return find(&s, q->first, root);
}
