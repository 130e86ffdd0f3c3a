/* api/field_selector.c: field selectors. */
#include "api/json_scan.h"
#include "api/selector.h"

/* Cut the part before the first comma without a backslash before it. */
static bool cut_term(struct str *rest, struct str *ret)
{
    size_t n = 0;

    if (rest->n == 0)
        return false;
    while (n < rest->n && rest->p[n] != ',')
        n += rest->p[n] == '\\' && n + 1 < rest->n ? 2 : 1;
    *ret = str_upto(*rest, n);
    *rest = str_from(*rest, n < rest->n ? n + 1 : n);
    return true;
}

static int unescape(struct arena *a, struct str s, struct str *ret, struct errbuf *err)
{
    char *to, *at;

    if (str_find(s, '\\') < 0 && str_find(s, '=') < 0 && str_find(s, ',') < 0) {
        *ret = s;
        return 0;
    }
    at = to = arena_alloc(a, s.n);
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];

        if (c == '=' || c == ',')
            return err_set(err, E_INVALID, "invalid field selector: unescaped character in value: %c", c);
        if (c == '\\') {
            char next = i + 1 < s.n ? s.p[i + 1] : '\0';

            if (next != '\\' && next != ',' && next != '=')
                return err_set(err, E_INVALID, "invalid field selector: invalid escape sequence: %.*s",
                               i + 1 < s.n ? 2 : 1, s.p + i);
            c = next;
            i++;
        }
        *at++ = c;
    }
    *ret = str_make(to, (size_t)(at - to));
    return 0;
}

static int parse_term(struct arena *a, struct str part, struct str whole, struct field_term *ret,
                      struct errbuf *err)
{
    ptrdiff_t at = str_find(part, '=');
    size_t name, value;

    if (at < 0)
        return err_set(err, E_INVALID, "invalid selector: '%.*s'; can't understand '%.*s'",
                       (int)MIN_OF(whole.n, 90), whole.p, (int)MIN_OF(part.n, 90), part.p);
    ret->not_equal = at > 0 && part.p[at - 1] == '!';
    name = (size_t)at - ret->not_equal;
    value = (size_t)at + 1;
    if (!ret->not_equal && value < part.n && part.p[value] == '=')
        value++;
    ret->path = arena_cstr(a, str_upto(part, name));
    return unescape(a, str_from(part, value), &ret->value, err);
}

int field_selector_parse(struct arena *a, struct str text, struct field_selector *ret, struct errbuf *err)
{
    struct field_selector s = { 0, NULL };
    struct str rest = text, part;
    unsigned n = 0;

    while (cut_term(&rest, &part))
        n += part.n > 0;
    s.terms = arena_alloc(a, n * sizeof s.terms[0]);
    for (rest = text; cut_term(&rest, &part);) {
        if (part.n == 0)
            continue;
        int rc = parse_term(a, part, text, &s.terms[s.n], err);
        if (rc < 0)
            return rc;
        s.n++;
    }
    must(s.n == n);
    *ret = s;
    return 0;
}

static struct str value_text(const struct json *j)
{
    if (j == NULL)
        return STR_NONE;
    if (j->type == JSON_STRING || j->type == JSON_NUMBER)
        return j->s;
    return j->type == JSON_BOOL ? str_of(j->boolean ? "true" : "false") : STR_NONE;
}

bool field_selector_matches(const struct field_selector *s, const struct json *obj)
{
    for (unsigned i = 0; i < s->n; i++)
        if (str_eq(value_text(json_path(obj, s->terms[i].path)), s->terms[i].value) == s->terms[i].not_equal)
            return false;
    return true;
}

/* The value's text is what json_write() made: strings quoted, the rest as it is. */
static bool text_equals(struct str raw, struct str value)
{
    struct arena scratch = ARENA_INIT;
    struct str s;
    bool equal;

    if (raw.n == 0 || raw.p[0] == '{' || raw.p[0] == '[' || str_is(raw, "null"))
        return value.n == 0;
    if (raw.p[0] != '"')
        return str_eq(raw, value);
    equal = json_scan_string(&scratch, raw, &s) && str_eq(s, value);
    arena_release(&scratch);
    return equal;
}

bool field_selector_matches_text(const struct field_selector *s, struct str obj)
{
    struct str raw = STR_NONE;

    for (unsigned i = 0; i < s->n; i++) {
        bool same_path = i > 0 && strcmp(s->terms[i].path, s->terms[i - 1].path) == 0;

        if (!same_path && !json_scan_path(obj, s->terms[i].path, &raw))
            raw = STR_NONE;
        if (text_equals(raw, s->terms[i].value) == s->terms[i].not_equal)
            return false;
    }
    return true;
}

const struct str *field_selector_exact(const struct field_selector *s, const char *path)
{
    for (unsigned i = 0; i < s->n; i++)
        if (!s->terms[i].not_equal && strcmp(s->terms[i].path, path) == 0)
            return &s->terms[i].value;
    return NULL;
}
