/* api/cel/lex.c: the tokens of an expression. */
#include "api/cel/impl.h"
#include "api/utf8.h"

static bool is_ident(char c, bool first)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (!first && c >= '0' && c <= '9');
}
static bool is_digit(char c) { return c >= '0' && c <= '9'; }

static char look(const struct cel_lexer *l, size_t ahead)
{
    return l->at + ahead < l->text.n ? l->text.p[l->at + ahead] : '\0';
}

static void bad(struct cel_lexer *l, const char *why)
{
    l->token = T_BAD;
    l->why = why;
}

/* ---- Numbers ---------------------------------------------------------------------------------------- */

static void lex_number(struct cel_lexer *l)
{
    bool fraction = false, exponent = false;

    l->token = T_INT;
    if (look(l, 0) == '0' && (look(l, 1) == 'x' || look(l, 1) == 'X')) {
        for (l->at += 2; is_digit(look(l, 0)) || ((look(l, 0) | 32) >= 'a' && (look(l, 0) | 32) <= 'f');)
            l->at++;
    } else {
        while (is_digit(look(l, 0)))
            l->at++;
        if (look(l, 0) == '.' && is_digit(look(l, 1))) {
            fraction = true;
            for (l->at++; is_digit(look(l, 0));)
                l->at++;
        }
        size_t sign = look(l, 1) == '+' || look(l, 1) == '-';
        if ((look(l, 0) | 32) == 'e' && is_digit(look(l, 1 + sign))) {
            exponent = true;
            for (l->at += 1 + sign; is_digit(look(l, 0));)
                l->at++;
        }
    }
    l->value = str_make(l->text.p + l->from, l->at - l->from);
    if (fraction || exponent) {
        l->token = T_DOUBLE;
    } else if ((look(l, 0) | 32) == 'u') {
        l->token = T_UINT;
        l->at++;
    }
}

/* ---- Strings ---------------------------------------------------------------------------------------- */

static int hex_value(char c)
{
    return is_digit(c) ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}

/* So many digits of the base, from text; -1: they are not there. */
static int64_t digits_of(struct str s, size_t at, unsigned n, unsigned base)
{
    int64_t v = 0;

    if (s.n - at < n)
        return -1;
    for (unsigned i = 0; i < n; i++) {
        int d = hex_value(s.p[at + i]);
        if (d < 0 || d >= (int)base)
            return -1;
        v = v * base + d;
    }
    return v;
}

/* One escape, behind its backslash: bytes written, or 0: not one. */
static size_t unescape_one(struct str s, size_t *at, bool bytes, char *to)
{
    static const char named[] = "a\ab\bf\fn\nr\rt\tv\v\\\\??\"\"''``";
    char     c = s.p[(*at)++];
    unsigned n = c == 'x' || c == 'X' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
    int64_t  v;

    for (size_t i = 0; i + 1 < sizeof named; i += 2) {
        if (c == named[i]) {
            to[0] = named[i + 1];
            return 1;
        }
    }
    if (n > 0 && !(bytes && n > 2)) {
        v = digits_of(s, *at, n, 16);
        *at += n;
    } else if (c >= '0' && c <= '3') {
        v = digits_of(s, *at - 1, 3, 8);
        *at += 2;
    } else {
        return 0;
    }
    if (v < 0 || v > 0x10ffff || (v >= 0xd800 && v <= 0xdfff))
        return 0;
    if (!bytes)
        return utf8_put(to, (uint32_t)v);
    to[0] = (char)v;
    return 1;
}

/* What stands between the quotes, with its escapes resolved. */
static bool unescape(struct cel_lexer *l, struct str s, bool bytes)
{
    char  *to = arena_alloc(l->arena, s.n + 4);
    size_t n = 0;

    for (size_t at = 0; at < s.n;) {
        if (s.p[at] != '\\') {
            to[n++] = s.p[at++];
            continue;
        }
        if (++at == s.n)
            return false;
        size_t put = unescape_one(s, &at, bytes, to + n);
        if (put == 0)
            return false;
        n += put;
    }
    l->value = str_make(to, n);
    return true;
}

/* l->at is at the quote. */
static void lex_string(struct cel_lexer *l, bool raw, bool bytes)
{
    char   q = look(l, 0);
    bool   three = look(l, 1) == q && look(l, 2) == q;
    size_t quotes = three ? 3 : 1, begin = l->at += quotes;

    for (;; l->at++) {
        char c = look(l, 0);
        if (l->at >= l->text.n || (!three && (c == '\n' || c == '\r'))) {
            bad(l, "token recognition error");
            return;
        }
        if (c == '\\' && !raw && l->at + 1 < l->text.n)
            l->at++;
        else if (c == q && (!three || (look(l, 1) == q && look(l, 2) == q)))
            break;
    }
    l->value = str_make(l->text.p + begin, l->at - begin);
    l->at += quotes;
    l->token = bytes ? T_BYTES : T_STRING;
    if (!raw && str_find(l->value, '\\') >= 0 && !unescape(l, l->value, bytes))
        bad(l, bytes ? "invalid bytes literal" : "invalid string literal");
}

/* r"", b'', br"": moves to the quote. */
static bool string_prefix(struct cel_lexer *l, bool *ret_raw, bool *ret_bytes)
{
    size_t n = 0;

    *ret_bytes = (look(l, n) | 32) == 'b';
    n += *ret_bytes;
    *ret_raw = (look(l, n) | 32) == 'r';
    n += *ret_raw;
    if (look(l, n) != '"' && look(l, n) != '\'')
        return false;
    l->at += n;
    return true;
}

/* ---- All the rest ----------------------------------------------------------------------------------- */

static void skip_blank(struct cel_lexer *l)
{
    for (;;) {
        char c = look(l, 0);
        if (l->at < l->text.n && (c == ' ' || (c >= '\t' && c <= '\r' && c != '\v')))
            l->at++;
        else if (c == '/' && look(l, 1) == '/')
            while (l->at < l->text.n && look(l, 0) != '\n')
                l->at++;
        else
            return;
    }
}

static void lex_ident(struct cel_lexer *l)
{
    static const struct { const char *word; enum cel_token token; } words[] = {
        { "true", T_TRUE }, { "false", T_FALSE }, { "null", T_NULL }, { "in", T_IN },
    };

    while (is_ident(look(l, 0), false))
        l->at++;
    l->value = str_make(l->text.p + l->from, l->at - l->from);
    l->token = T_IDENT;
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (str_is(l->value, words[i].word))
            l->token = words[i].token;
}

/* `foo-bar` after a dot. */
static void lex_quoted_ident(struct cel_lexer *l)
{
    for (l->at++; is_ident(look(l, 0), false) || (look(l, 0) != '\0' && strchr(".-/ ", look(l, 0)) != NULL);)
        l->at++;
    l->value = str_make(l->text.p + l->from + 1, l->at - l->from - 1);
    if (look(l, 0) != '`' || l->value.n == 0) {
        bad(l, "token recognition error");
        return;
    }
    l->at++;
    l->token = T_QUOTED_IDENT;
}

static void lex_sign(struct cel_lexer *l)
{
    static const struct { char text[3]; uint8_t token; } signs[] = {
        { "==", T_EQ }, { "!=", T_NE }, { "<=", T_LE }, { ">=", T_GE }, { "&&", T_AND }, { "||", T_OR },
        { "<", T_LT }, { ">", T_GT }, { "+", T_PLUS }, { "-", T_MINUS }, { "*", T_STAR }, { "/", T_SLASH },
        { "%", T_PERCENT }, { "!", T_NOT }, { "?", T_QUESTION }, { ":", T_COLON }, { ",", T_COMMA },
        { ".", T_DOT }, { "(", T_LPAREN }, { ")", T_RPAREN }, { "[", T_LBRACKET }, { "]", T_RBRACKET },
        { "{", T_LBRACE }, { "}", T_RBRACE },
    };

    for (size_t i = 0; i < ARRAY_LEN(signs); i++) {
        if (str_starts(str_from(l->text, l->at), str_of(signs[i].text))) {
            l->token = signs[i].token;
            l->at += strlen(signs[i].text);
            return;
        }
    }
    l->at += MAX_OF(utf8_len(l->text.p + l->at, l->text.p + l->text.n), 1u);
    bad(l, "token recognition error");
}

void cel_lex(struct cel_lexer *l)
{
    bool raw, bytes;

    skip_blank(l);
    l->from = l->at;
    if (l->at == l->text.n)
        l->token = T_END;
    else if (string_prefix(l, &raw, &bytes))
        lex_string(l, raw, bytes);
    else if (is_ident(look(l, 0), true))
        lex_ident(l);
    else if (is_digit(look(l, 0)) || (look(l, 0) == '.' && is_digit(look(l, 1))))
        lex_number(l);
    else if (look(l, 0) == '`')
        lex_quoted_ident(l);
    else
        lex_sign(l);
    l->to = l->at;
}
