/* api/json_parse.c: text to tree, in one pass without recursion.
 *
 * Speed comes from three things: strings are scanned 16 bytes at a time and left where they are, a node is
 * one bump allocation, and the containers around the current place are an array.  Duplicate keys are looked
 * for with a 64-bit filter per object; only a hit there compares keys. */
#include "api/json.h"
#include "api/json_impl.h"
#include "api/json_index.h"
#include "api/utf8.h"

#include <stdio.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

struct frame { struct json *node; uint64_t seen; bool crowded; };

struct parser {
    const char *p, *end, *start;
    struct arena *arena;
    struct json_error *err;
    int rc;
    unsigned depth;
    struct frame stack[JSON_MAX_DEPTH];
};

/* ---- errors ------------------------------------------------------------------------------------ */

void json__locate(struct json_error *err, const char *start, const char *at)
{
    unsigned line = 1, column = 1;

    for (const char *q = start; q < at; q++) {
        if (*q == '\n') {
            line++;
            column = 1;
        } else if ((*q & 0xc0) != 0x80) {
            column++;                            /* characters, not bytes */
        }
    }
    err->offset = (size_t)(at - start);
    err->line = line;
    err->column = column;
}

/* Always false, so that `return fail(...)` reads well. */
static bool fail_code(struct parser *ps, int code, const char *at, const char *text)
{
    ps->rc = code;
    if (ps->err != NULL) {
        json__locate(ps->err, ps->start, at);
        snprintf(ps->err->text, sizeof ps->err->text, "%s", text);
    }
    return false;
}

static bool fail(struct parser *ps, const char *at, const char *text)
{
    return fail_code(ps, E_INVALID, at, text);
}

/* "expected a, found b" at the current place. */
static bool fail_expected(struct parser *ps, const char *what)
{
    char text[sizeof ps->err->text];
    unsigned n = ps->p < ps->end ? utf8_len(ps->p, ps->end) : 0;

    if (ps->p == ps->end)
        snprintf(text, sizeof text, "expected %s, found the end of the input", what);
    else if (n == 0 || (unsigned char)*ps->p < 0x20 || *ps->p == 0x7f)
        snprintf(text, sizeof text, "expected %s, found byte 0x%02x", what, (unsigned char)*ps->p);
    else
        snprintf(text, sizeof text, "expected %s, found '%.*s'", what, (int)n, ps->p);
    return fail(ps, ps->p, text);
}

/* ---- scanning ---------------------------------------------------------------------------------- */

static inline bool is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

static inline bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Compact text has no spaces, indented text has runs of them: one test, then 16 at a time. */
static inline void skip_space(struct parser *ps)
{
    const char *p = ps->p;

    if (p < ps->end && (unsigned char)*p > ' ')
        return;
    while (p < ps->end && is_space(*p)) {
        p++;
#ifdef __SSE2__
        while (ps->end - p >= 16) {
            __m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
            unsigned mask = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(v, _mm_set1_epi8(' '))) ^ 0xffffu;

            if (mask != 0) {
                p += __builtin_ctz(mask);
                break;
            }
            p += 16;
        }
#endif
    }
    ps->p = p;
}

/* The first byte at or after p that ends plain text: quote, backslash, control or non-ASCII. */
static inline const char *scan_plain(const char *p, const char *end)
{
#ifdef __SSE2__
    const __m128i quote = _mm_set1_epi8('"'), slash = _mm_set1_epi8('\\'), space = _mm_set1_epi8(' ');

    while (end - p >= 16) {
        __m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
        __m128i special = _mm_or_si128(_mm_cmpeq_epi8(v, quote), _mm_cmpeq_epi8(v, slash));
        /* signed: bytes from 0x80 are below the space too */
        unsigned mask = (unsigned)_mm_movemask_epi8(_mm_or_si128(special, _mm_cmplt_epi8(v, space)));

        if (mask != 0)
            return p + __builtin_ctz(mask);
        p += 16;
    }
#endif
    while (p < end && *p >= ' ' && (unsigned char)*p < 0x80 && *p != '"' && *p != '\\')
        p++;
    return p;
}

/* ---- strings ----------------------------------------------------------------------------------- */

static bool hex4(const char *p, const char *end, uint32_t *ret)
{
    uint32_t v = 0;

    if (end - p < 4)
        return false;
    for (int i = 0; i < 4; i++) {
        char c = p[i];
        unsigned d = is_digit(c) ? (unsigned)(c - '0') : ((unsigned)c | 0x20) - 'a' + 10;

        if (!is_digit(c) && (d < 10 || d > 15))
            return false;
        v = v << 4 | d;
    }
    *ret = v;
    return true;
}

/* p is after "\u"; returns where the escape ends or NULL.  Half a surrogate pair becomes U+FFFD, as in Go. */
static const char *unescape_u(struct parser *ps, const char *p, uint32_t *ret)
{
    uint32_t c, low;

    if (!hex4(p, ps->end, &c)) {
        fail(ps, p, "\\u must be followed by four hexadecimal digits");
        return NULL;
    }
    p += 4;
    if (c >= 0xd800 && c < 0xdc00 && ps->end - p >= 6 && p[0] == '\\' && p[1] == 'u' &&
        hex4(p + 2, ps->end, &low) && low >= 0xdc00 && low < 0xe000) {
        *ret = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
        return p + 6;
    }
    *ret = c >= 0xd800 && c < 0xe000 ? 0xfffd : c;
    return p;
}

/* p is at a backslash; writes what it stands for at *to. Returns where it ends or NULL. */
static const char *unescape_one(struct parser *ps, const char *p, char **to)
{
    uint32_t c;

    if (ps->end - p < 2) {
        fail(ps, ps->end, "the input ends within a string");
        return NULL;
    }
    switch (p[1]) {
    case '"': case '\\': case '/': *(*to)++ = p[1]; return p + 2;
    case 'b': *(*to)++ = '\b'; return p + 2;
    case 'f': *(*to)++ = '\f'; return p + 2;
    case 'n': *(*to)++ = '\n'; return p + 2;
    case 'r': *(*to)++ = '\r'; return p + 2;
    case 't': *(*to)++ = '\t'; return p + 2;
    case 'u':
        p = unescape_u(ps, p + 2, &c);
        if (p != NULL)
            *to += utf8_put(*to, c);
        return p;
    default:
        fail(ps, p, "a backslash in a string must be followed by one of \" \\ / b f n r t u");
        return NULL;
    }
}

/* Room for the unescaped form of the string starting at p: never longer than its text. */
static size_t raw_length(const char *p, const char *end)
{
    const char *q = p;

    while (q < end && *q != '"')
        q += *q == '\\' && end - q > 1 ? 2 : 1;
    return (size_t)(q - p);
}

/* Consume what scan_plain() stopped at within a string; NULL after an error. */
static const char *check_special(struct parser *ps, const char *q)
{
    unsigned n;

    if (q == ps->end) {
        fail(ps, q, "the input ends within a string");
        return NULL;
    }
    if ((unsigned char)*q < 0x20) {
        char text[80];

        snprintf(text, sizeof text, "control character 0x%02x within a string: it must be escaped",
                 (unsigned)*q);
        fail(ps, q, text);
        return NULL;
    }
    n = utf8_len(q, ps->end);
    if (n == 0) {
        fail(ps, q, "a string is not valid UTF-8");
        return NULL;
    }
    return q + n;
}

/* The string's text starts at ps->p, its first backslash is at q. */
static bool parse_string_escaped(struct parser *ps, const char *q, struct str *ret)
{
    char *out = arena_alloc(ps->arena, raw_length(ps->p, ps->end)), *to = out;
    const char *from = ps->p;

    for (;;) {
        memcpy(to, from, (size_t)(q - from));
        to += q - from;
        from = q;
        if (q == ps->end || *q != '"') {
            if (q < ps->end && *q == '\\') {
                q = unescape_one(ps, q, &to);
                from = q;
            } else {
                q = check_special(ps, q);
            }
            if (q == NULL)
                return false;
            q = scan_plain(q, ps->end);
            continue;
        }
        ps->p = q + 1;
        *ret = str_make(out, (size_t)(to - out));
        return true;
    }
}

/* ps->p is after the opening quote. */
static inline bool parse_string(struct parser *ps, struct str *ret)
{
    const char *q = scan_plain(ps->p, ps->end);

    for (;;) {
        if (q < ps->end && *q == '"') {
            *ret = str_make(ps->p, (size_t)(q - ps->p));
            ps->p = q + 1;
            return true;
        }
        if (q < ps->end && *q == '\\')
            return parse_string_escaped(ps, q, ret);
        q = check_special(ps, q);
        if (q == NULL)
            return false;
        q = scan_plain(q, ps->end);
    }
}

/* ---- other scalars ----------------------------------------------------------------------------- */

static inline bool skip_digits(struct parser *ps)
{
    const char *p = ps->p;

    while (ps->p < ps->end && is_digit(*ps->p))
        ps->p++;
    return ps->p > p || fail_expected(ps, "a digit");
}

static bool parse_number(struct parser *ps, struct json *node)
{
    const char *from = ps->p;

    ps->p += *ps->p == '-';
    if (ps->p < ps->end && *ps->p == '0') {
        ps->p++;
        if (ps->p < ps->end && is_digit(*ps->p))
            return fail(ps, ps->p, "a number may not start with 0 followed by digits");
    } else if (!skip_digits(ps)) {
        return false;
    }
    if (ps->p < ps->end && *ps->p == '.') {
        ps->p++;
        if (!skip_digits(ps))
            return false;
    }
    if (ps->p < ps->end && (*ps->p | 0x20) == 'e') {
        ps->p++;
        if (ps->p < ps->end && (*ps->p == '+' || *ps->p == '-'))
            ps->p++;
        if (!skip_digits(ps))
            return false;
    }
    node->type = JSON_NUMBER;
    node->s = str_make(from, (size_t)(ps->p - from));
    return true;
}

static bool parse_literal(struct parser *ps, struct json *node)
{
    size_t left = (size_t)(ps->end - ps->p);

    node->first = node->last = NULL;
    if (left >= 4 && memcmp(ps->p, "true", 4) == 0) {
        node->type = JSON_BOOL;
        node->boolean = true;
        ps->p += 4;
    } else if (left >= 5 && memcmp(ps->p, "false", 5) == 0) {
        node->type = JSON_BOOL;
        ps->p += 5;
    } else if (left >= 4 && memcmp(ps->p, "null", 4) == 0) {
        node->type = JSON_NULL;
        ps->p += 4;
    } else {
        return fail_expected(ps, "a value");
    }
    return true;
}

/* ---- containers -------------------------------------------------------------------------------- */

static inline struct json *node_new(struct parser *ps)
{
    struct json *node = arena_alloc(ps->arena, sizeof *node);

    node->flags = 0;
    node->boolean = false;
    node->n = 0;
    node->key = STR_NONE;
    node->next = NULL;
    return node;
}

void json__merge_duplicates(struct arena *a, struct json *obj)
{
    struct json shell = { .type = JSON_OBJECT }, *next;
    struct json_index ix;

    json_index_make(a, &ix, &shell, obj->n);
    for (struct json *m = obj->first; m != NULL; m = next) {
        struct json *had = json_index_add(&ix, m);

        next = m->next;
        m->next = NULL;
        if (had == NULL) {
            json__link(&shell, m);
            continue;
        }
        struct json *after = had->next;
        *had = *m;
        had->next = after;
        had->flags |= JSON_F_DUPLICATE;
    }
    obj->n = shell.n;
    obj->first = shell.first;
    obj->last = shell.last;
}

/* Equal keys set the same bit: so only a bit that was set already needs a closer look. */
static inline void note_key(struct frame *f, struct str key)
{
    unsigned char first = key.n > 0 ? (unsigned char)key.p[0] : 0;
    unsigned char last = key.n > 0 ? (unsigned char)key.p[key.n - 1] : 0;
    unsigned char middle = key.n > 0 ? (unsigned char)key.p[key.n / 2] : 0;
    uint64_t bit = (uint64_t)1 << ((first * 7u + last * 31u + middle * 13u + (unsigned)key.n * 3u) & 63);

    if (f->seen & bit) {
        struct json *m = f->node->n < JSON_INDEX_FROM ? f->node->first : NULL;

        while (m != NULL && !str_eq(m->key, key))
            m = m->next;
        f->crowded |= m != NULL || f->node->n >= JSON_INDEX_FROM;
    }
    f->seen |= bit;
}

static inline struct json *next_member(struct parser *ps, struct frame *f)
{
    struct json *node;

    skip_space(ps);
    if (ps->p == ps->end || *ps->p != '"') {
        fail_expected(ps, "a member's name in double quotes");
        return NULL;
    }
    ps->p++;
    node = node_new(ps);
    if (!parse_string(ps, &node->key))
        return NULL;
    note_key(f, node->key);
    skip_space(ps);
    if (ps->p == ps->end || *ps->p != ':') {
        fail_expected(ps, "':' after a member's name");
        return NULL;
    }
    ps->p++;
    return node;
}

static inline void close_container(struct parser *ps)
{
    struct frame *f = &ps->stack[--ps->depth];

    ps->p++;
    if (f->crowded)
        json__merge_duplicates(ps->arena, f->node);
}

/* The node of the next value within the open containers; NULL after the outermost closed, or an error
 * (ps->rc).  opened: the innermost has just begun, so no comma comes first. */
static inline struct json *next_node(struct parser *ps, bool opened)
{
    while (ps->depth > 0) {
        struct frame *f = &ps->stack[ps->depth - 1];
        bool is_object = f->node->type == JSON_OBJECT;
        struct json *node;

        skip_space(ps);
        if (ps->p < ps->end && *ps->p == (is_object ? '}' : ']')) {
            close_container(ps);
            opened = false;
            continue;
        }
        if (!opened) {
            if (ps->p == ps->end || *ps->p != ',') {
                fail_expected(ps, is_object ? "',' or '}' after a member" : "',' or ']' after an element");
                return NULL;
            }
            ps->p++;
        }
        node = is_object ? next_member(ps, f) : node_new(ps);
        if (node != NULL)
            json__link(f->node, node);
        return node;
    }
    return NULL;
}

static inline bool open_container(struct parser *ps, struct json *node, enum json_type type)
{
    if (ps->depth == JSON_MAX_DEPTH)
        return fail_code(ps, E_TOOBIG, ps->p, "nested too deeply");
    node->type = (uint8_t)type;
    node->first = node->last = NULL;
    ps->stack[ps->depth++] = (struct frame){ node, 0, false };
    ps->p++;
    return true;
}

static bool parse_values(struct parser *ps, struct json *node)
{
    while (node != NULL) {
        bool ok, opened = false;

        skip_space(ps);
        switch (ps->p < ps->end ? *ps->p : '\0') {
        case '"':
            ps->p++;
            node->type = JSON_STRING;
            ok = parse_string(ps, &node->s);
            break;
        case '{': ok = opened = open_container(ps, node, JSON_OBJECT); break;
        case '[': ok = opened = open_container(ps, node, JSON_ARRAY); break;
        default:
            if (ps->p < ps->end && (is_digit(*ps->p) || *ps->p == '-'))
                ok = parse_number(ps, node);
            else
                ok = parse_literal(ps, node);
            break;
        }
        if (!ok)
            return false;
        node = next_node(ps, opened);
    }
    return ps->rc == 0;
}

int json_parse(struct arena *a, struct str in, struct json **ret, struct json_error *err)
{
    struct parser ps;                            /* the stack is filled as it is used */
    struct json *root;

    ps.p = ps.start = in.p != NULL ? in.p : "";
    ps.end = ps.p + in.n;
    ps.arena = a;
    ps.err = err;
    ps.rc = 0;
    ps.depth = 0;
    root = node_new(&ps);
    if (!parse_values(&ps, root))
        return ps.rc;
    skip_space(&ps);
    if (ps.p != ps.end) {
        fail_expected(&ps, "nothing after the document");
        return ps.rc;
    }
    *ret = root;
    return 0;
}
