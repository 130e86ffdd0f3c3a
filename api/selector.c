/* api/selector.c: label selectors: the string form, the object forms, matching. */
#include "api/selector.h"
#include "api/json_scan.h"
#include "api/names.h"

#include <stdlib.h>

/* ---- tokens of the string form ------------------------------------------------------------------- */

enum token {
    TOKEN_END, TOKEN_IDENT, TOKEN_COMMA, TOKEN_OPEN, TOKEN_CLOSE, TOKEN_NOT, TOKEN_EQ, TOKEN_EQ_EQ,
    TOKEN_NOT_EQ, TOKEN_GT, TOKEN_LT
};

struct parser { struct str rest; struct arena *a; struct errbuf *err; };

static bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }
static bool is_special(char c) { return c != '\0' && strchr("=!(),<>", c) != NULL; }

static enum token special_token(char c)
{
    switch (c) {
    case '!': return TOKEN_NOT;
    case '(': return TOKEN_OPEN;
    case ')': return TOKEN_CLOSE;
    case ',': return TOKEN_COMMA;
    case '>': return TOKEN_GT;
    case '<': return TOKEN_LT;
    default: return TOKEN_EQ;
    }
}

static enum token take(struct parser *ps, struct str *ret_text)
{
    struct str s = ps->rest;
    enum token token = TOKEN_IDENT;
    size_t n = 0;

    while (s.n > 0 && is_space(s.p[0]))
        s = str_from(s, 1);
    if (s.n == 0) {
        token = TOKEN_END;
    } else if (is_special(s.p[0])) {
        bool two = s.n > 1 && s.p[1] == '=' && (s.p[0] == '=' || s.p[0] == '!');

        n = two ? 2 : 1;
        token = !two ? special_token(s.p[0]) : s.p[0] == '=' ? TOKEN_EQ_EQ : TOKEN_NOT_EQ;
    } else {
        while (n < s.n && !is_space(s.p[n]) && !is_special(s.p[n]))
            n++;
    }
    *ret_text = str_upto(s, n);
    ps->rest = str_from(s, n);
    return token;
}

static enum token peek(struct parser *ps, struct str *ret_text)
{
    struct parser copy = *ps;

    return take(&copy, ret_text);
}

static int fail_found(struct parser *ps, struct str found, const char *expected)
{
    return err_set(ps->err, E_INVALID, "unable to parse requirement: found '%.*s', expected: %s",
                   (int)MIN_OF(found.n, 100), found.p, expected);
}

/* ---- terms --------------------------------------------------------------------------------------- */

static int compare_values(const void *x, const void *y)
{
    return str_cmp(*(const struct str *)x, *(const struct str *)y);
}

static bool parse_bound(struct str s, int64_t *ret)
{
    if (s.n > 1 && s.p[0] == '+')
        s = str_from(s, 1);
    return s.n > 0 && s.p[0] != '+' && str_i64(s, ret);
}

/* What holds for terms of every origin; sorts the values. */
static int term_check(struct selector_term *t, struct errbuf *err)
{
    const char *bad = name_check_qualified(t->key);

    if (bad != NULL)
        return err_set(err, E_INVALID, "key: Invalid value: \"%.*s\": %s", (int)MIN_OF(t->key.n, 100),
                       t->key.p, bad);
    if ((t->op == SELECTOR_IN || t->op == SELECTOR_NOT_IN) && t->n == 0)
        return err_set(err, E_INVALID,
                       "values: Invalid value: []: for 'in', 'notin' operators, values set can't be empty");
    if ((t->op == SELECTOR_EXISTS || t->op == SELECTOR_NOT_EXISTS) && t->n > 0)
        return err_set(err, E_INVALID,
                       "values: Invalid value: values set must be empty for exists and does not exist");
    if (t->op == SELECTOR_GT || t->op == SELECTOR_LT) {
        if (t->n != 1)
            return err_set(err, E_INVALID,
                           "values: Invalid value: for 'Gt', 'Lt' operators, exactly one value is required");
        if (!parse_bound(t->values[0], &t->bound))
            return err_set(err, E_INVALID,
                           "values[0]: Invalid value: \"%.*s\": for 'Gt', 'Lt' operators, the value must be "
                           "an integer", (int)MIN_OF(t->values[0].n, 100), t->values[0].p);
    }
    for (unsigned i = 0; i < t->n; i++) {
        bad = name_check_label_value(t->values[i]);
        if (bad != NULL)
            return err_set(err, E_INVALID, "values[%u][%.*s]: Invalid value: \"%.*s\": %s", i,
                           (int)MIN_OF(t->key.n, 63), t->key.p, (int)MIN_OF(t->values[i].n, 70),
                           t->values[i].p, bad);
    }
    if (t->n > 1)
        qsort(t->values, t->n, sizeof t->values[0], compare_values);
    return 0;
}

/* Growing arrays in an arena: doubling leaves at most as much behind as it holds. */
static void *grow(struct arena *a, void *old, unsigned n, size_t size)
{
    void *p;

    if (n != 0 && (n < 4 || (n & (n - 1)) != 0))
        return old;
    p = arena_alloc(a, (n == 0 ? 4 : (size_t)n * 2) * size);
    if (n > 0)
        memcpy(p, old, n * size);
    return p;
}

static void add_value(struct arena *a, struct selector_term *t, struct str value)
{
    t->values = grow(a, t->values, t->n, sizeof t->values[0]);
    t->values[t->n++] = value;
}

static struct selector_term *add_term(struct arena *a, struct selector *s, struct str key,
                                      enum selector_op op)
{
    s->terms = grow(a, s->terms, s->n, sizeof s->terms[0]);
    s->terms[s->n] = (struct selector_term){ .key = key, .op = op };
    return &s->terms[s->n++];
}

/* ---- the string form ----------------------------------------------------------------------------- */

/* After '(': values, commas between them; nothing beside a comma is the empty value. */
static int parse_list(struct parser *ps, struct selector_term *t)
{
    bool want_value = true;                      /* nothing since the last comma, or the start */

    for (;;) {
        struct str text;

        switch (take(ps, &text)) {
        case TOKEN_IDENT:
            if (!want_value)
                return fail_found(ps, text, "',' or ')'");
            add_value(ps->a, t, text);
            want_value = false;
            break;
        case TOKEN_COMMA:
            if (want_value)
                add_value(ps->a, t, STR(""));
            want_value = true;
            break;
        case TOKEN_CLOSE:
            if (want_value && t->n > 0)
                add_value(ps->a, t, STR(""));
            return 0;
        default:
            return fail_found(ps, text, want_value ? "',', ')' or identifier" : "',' or ')'");
        }
    }
}

static int parse_exact_value(struct parser *ps, struct selector_term *t)
{
    struct str text;
    enum token token = peek(ps, &text);

    if (token == TOKEN_END || token == TOKEN_COMMA) {
        add_value(ps->a, t, STR(""));
        return 0;
    }
    if (take(ps, &text) != TOKEN_IDENT)
        return fail_found(ps, text, "identifier");
    add_value(ps->a, t, text);
    return 0;
}

static int parse_operator(struct parser *ps, struct selector_term *t)
{
    struct str text;
    enum token token = take(ps, &text);
    bool in = token == TOKEN_IDENT && str_is(text, "in");
    bool not_in = token == TOKEN_IDENT && str_is(text, "notin");

    if (in || not_in) {
        t->op = in ? SELECTOR_IN : SELECTOR_NOT_IN;
        if (take(ps, &text) != TOKEN_OPEN)
            return fail_found(ps, text, "'('");
        return parse_list(ps, t);
    }
    switch (token) {
    case TOKEN_EQ: case TOKEN_EQ_EQ: t->op = SELECTOR_IN; break;
    case TOKEN_NOT_EQ: t->op = SELECTOR_NOT_IN; break;
    case TOKEN_GT: t->op = SELECTOR_GT; break;
    case TOKEN_LT: t->op = SELECTOR_LT; break;
    default: return fail_found(ps, text, "in, notin, =, ==, !=, gt, lt");
    }
    return parse_exact_value(ps, t);
}

static int parse_term(struct parser *ps, struct selector *s)
{
    struct selector_term *t;
    struct str text, next;
    enum token token = take(ps, &text), after;
    bool negated = token == TOKEN_NOT;
    int rc = 0;

    if (negated)
        token = take(ps, &text);
    if (token != TOKEN_IDENT)
        return fail_found(ps, text, negated ? "identifier" : "!, identifier, or 'end of string'");
    t = add_term(ps->a, s, text, negated ? SELECTOR_NOT_EXISTS : SELECTOR_EXISTS);
    after = peek(ps, &next);
    if (after != TOKEN_END && after != TOKEN_COMMA && !negated)
        rc = parse_operator(ps, t);
    if (rc < 0)
        return rc;
    rc = term_check(t, ps->err);
    return rc < 0 ? err_wrap(ps->err, rc, "unable to parse requirement") : 0;
}

int selector_parse(struct arena *a, struct str text, struct selector *ret, struct errbuf *err)
{
    struct parser ps = { text, a, err };
    struct selector s = SELECTOR_EVERYTHING;
    struct str found;
    int rc;

    if (peek(&ps, &found) == TOKEN_END) {
        *ret = s;
        return 0;
    }
    for (;;) {
        enum token token;

        rc = parse_term(&ps, &s);
        if (rc < 0)
            return rc;
        token = take(&ps, &found);
        if (token == TOKEN_END)
            break;
        if (token != TOKEN_COMMA)
            return fail_found(&ps, found, "',' or 'end of string'");
        token = peek(&ps, &found);
        if (token != TOKEN_IDENT && token != TOKEN_NOT)
            return fail_found(&ps, found, "identifier after ','");
    }
    *ret = s;
    return 0;
}

/* ---- the object forms ---------------------------------------------------------------------------- */

static int add_labels(struct arena *a, const struct json *labels, struct selector *s, struct errbuf *err)
{
    json_each(it, labels) {
        struct selector_term *t = add_term(a, s, it->key, SELECTOR_IN);
        int rc;

        if (it->type != JSON_STRING)
            return err_set(err, E_INVALID, "matchLabels[%.*s]: must be a string", (int)MIN_OF(it->key.n, 100),
                           it->key.p);
        add_value(a, t, it->s);
        rc = term_check(t, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int add_expression(struct arena *a, const struct json *e, bool is_node, struct selector *s,
                          struct errbuf *err)
{
    static const struct {
        const char *name;
        enum selector_op op;
        bool node_only;
    } ops[] = {
        { "In", SELECTOR_IN, false },         { "NotIn", SELECTOR_NOT_IN, false },
        { "Exists", SELECTOR_EXISTS, false }, { "DoesNotExist", SELECTOR_NOT_EXISTS, false },
        { "Gt", SELECTOR_GT, true },          { "Lt", SELECTOR_LT, true },
    };
    struct str op = json_path_str(e, "operator");
    struct selector_term *t;
    size_t i = 0;

    while (i < ARRAY_LEN(ops) && (!str_is(op, ops[i].name) || (ops[i].node_only && !is_node)))
        i++;
    if (i == ARRAY_LEN(ops))
        return err_set(err, E_INVALID, "\"%.*s\" is not a valid label selector operator",
                       (int)MIN_OF(op.n, 100), op.p);
    t = add_term(a, s, json_path_str(e, "key"), ops[i].op);
    json_each(v, json_getz(e, "values")) {
        if (v->type != JSON_STRING)
            return err_set(err, E_INVALID, "values: must be strings");
        add_value(a, t, v->s);
    }
    return term_check(t, err);
}

static int add_expressions(struct arena *a, const struct json *list, bool is_node, struct selector *s,
                           struct errbuf *err)
{
    unsigned i = 0;

    json_each(e, list) {
        int rc = add_expression(a, e, is_node, s, err);

        if (rc < 0)
            return err_wrap(err, rc, "matchExpressions[%u]", i);
        i++;
    }
    return 0;
}

int selector_from_json(struct arena *a, const struct json *j, struct selector *ret, struct errbuf *err)
{
    struct selector s = SELECTOR_EVERYTHING;
    int rc;

    if (j == NULL || j->type == JSON_NULL) {
        *ret = SELECTOR_NOTHING;
        return 0;
    }
    if (j->type != JSON_OBJECT)
        return err_set(err, E_INVALID, "a label selector must be an object");
    rc = add_labels(a, json_getz(j, "matchLabels"), &s, err);
    if (rc == 0)
        rc = add_expressions(a, json_getz(j, "matchExpressions"), false, &s, err);
    if (rc == 0)
        *ret = s;
    return rc;
}

void selector_from_map(struct arena *a, const struct json *labels, struct selector *ret)
{
    struct selector s = SELECTOR_EVERYTHING;

    json_each(it, labels)
        add_value(a, add_term(a, &s, it->key, SELECTOR_IN), json_str(it));
    s.nothing = s.n == 0;
    *ret = s;
}

int selector_from_node_term(struct arena *a, const struct json *expressions, struct selector *ret,
                            struct errbuf *err)
{
    struct selector s = SELECTOR_EVERYTHING;
    int rc = add_expressions(a, expressions, true, &s, err);

    if (rc < 0)
        return rc;
    s.nothing = s.n == 0;
    *ret = s;
    return 0;
}

/* ---- matching ------------------------------------------------------------------------------------ */

static bool has_value(const struct selector_term *t, struct str value)
{
    if (t->n == 1)
        return str_eq(t->values[0], value);
    return t->n > 0 && bsearch(&value, t->values, t->n, sizeof t->values[0], compare_values) != NULL;
}

static bool term_matches(const struct selector_term *t, bool present, struct str value)
{
    int64_t v;

    switch (t->op) {
    case SELECTOR_IN: return present && has_value(t, value);
    case SELECTOR_NOT_IN: return !present || !has_value(t, value);
    case SELECTOR_EXISTS: return present;
    case SELECTOR_NOT_EXISTS: return !present;
    default: break;
    }
    if (!present || !parse_bound(value, &v))
        return false;
    return t->op == SELECTOR_GT ? v > t->bound : v < t->bound;
}

bool selector_matches(const struct selector *s, const struct json *labels)
{
    for (unsigned i = 0; i < s->n; i++) {
        const struct json *label = json_get(labels, s->terms[i].key);

        if (!term_matches(&s->terms[i], label != NULL, json_str(label)))
            return false;
    }
    return !s->nothing;
}

/* Keys and values that selectors may have need no escapes: comparing raw text is exact. */
static bool find_label(struct str labels, struct str key, struct str *ret)
{
    struct str name, value;

    while (json_scan_member(&labels, &name, &value)) {
        if (str_eq(name, key) && value.n >= 2) {
            *ret = str_make(value.p + 1, value.n - 2);
            return true;
        }
    }
    return false;
}

bool selector_matches_text(const struct selector *s, struct str labels)
{
    for (unsigned i = 0; i < s->n; i++) {
        struct str value = STR_NONE;
        bool present = find_label(labels, s->terms[i].key, &value);

        if (!term_matches(&s->terms[i], present, value))
            return false;
    }
    return !s->nothing;
}
