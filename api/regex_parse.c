/* api/regex_parse.c: the text of a regular expression as a tree.  Errors are worded as Go words them. */
#include "api/regex_impl.h"
#include "api/utf8.h"

#define FLAG_FOLD   1u                           /* i */
#define FLAG_LINES  2u                           /* m: ^ and $ at every line */
#define FLAG_DOT_NL 4u                           /* s */
#define FLAG_SWAP   8u                           /* U: x* is lazy, x*? is not */

#define PARSE_MEMORY ((size_t)16 << 20)          /* classes of Unicode add up */

struct parse {
    struct arena *arena;
    struct str s;
    size_t   at, used;
    unsigned flags, depth;
    struct errbuf *err;
};

static int fail(struct parse *p, const char *what, size_t from, size_t to)
{
    size_t n = MIN_OF(to - from, (size_t)200);

    return err_set(p->err, E_INVALID, "error parsing regexp: %s: `%.*s`", what, (int)n, p->s.p + from);
}

static bool more(const struct parse *p) { return p->at < p->s.n; }
static bool next_is(const struct parse *p, char c) { return more(p) && p->s.p[p->at] == c; }
static bool looking_at(const struct parse *p, struct str what)
{
    return str_starts(str_from(p->s, p->at), what);
}

static bool is_letter(char c) { return (c | 32) >= 'a' && (c | 32) <= 'z'; }

static uint32_t take_rune(struct parse *p)
{
    uint32_t rune;

    p->at += regex_rune(p->s, p->at, &rune);
    return rune;
}

static struct regex_node *node_new(struct parse *p, enum regex_kind kind)
{
    struct regex_node *n = arena_new(p->arena, struct regex_node);

    n->kind = (uint8_t)kind;
    return n;
}

static void node_add(struct regex_node *to, struct regex_node *child)
{
    if (to->last != NULL)
        to->last->next = child;
    else
        to->first = child;
    to->last = child;
}

static struct regex_node *node_assert(struct parse *p, enum regex_assert what)
{
    struct regex_node *n = node_new(p, RE_ASSERT);

    n->assertion = (uint8_t)what;
    return n;
}

static struct regex_node *node_set(struct parse *p, struct regex_set *set)
{
    struct regex_node *n = node_new(p, RE_CLASS);

    n->cls = regex_set_class(set);
    return n;
}

static struct regex_node *node_rune(struct parse *p, uint32_t rune)
{
    struct regex_set set = { .arena = p->arena };

    regex_set_add(&set, rune, rune);
    if (p->flags & FLAG_FOLD)
        regex_set_fold(&set);
    return node_set(p, &set);
}

/* ---- Escapes ---------------------------------------------------------------------------------------- */

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}

/* \x7f and \x{10ffff}, after the x. */
static bool escape_hex(struct parse *p, uint32_t *ret)
{
    uint32_t v = 0;
    unsigned digits = 0;
    bool     braces = next_is(p, '{');

    p->at += braces;
    for (; more(p) && (braces || digits < 2) && hex_digit(p->s.p[p->at]) >= 0; p->at++, digits++)
        if ((v = v << 4 | (uint32_t)hex_digit(p->s.p[p->at])) > REGEX_MAX_RUNE)
            return false;
    if (braces ? digits == 0 || !next_is(p, '}') : digits != 2)
        return false;
    p->at += braces;
    *ret = v;
    return true;
}

/* \0, \12, \123, after the first digit; a single digit would be a back reference. */
static bool escape_octal(struct parse *p, char first, uint32_t *ret)
{
    uint32_t v = (uint32_t)(first - '0');

    if (first != '0' && !(more(p) && p->s.p[p->at] >= '0' && p->s.p[p->at] <= '7'))
        return false;
    for (unsigned n = 1; n < 3 && more(p) && p->s.p[p->at] >= '0' && p->s.p[p->at] <= '7'; n++)
        v = v * 8 + (uint32_t)(p->s.p[p->at++] - '0');
    *ret = v;
    return true;
}

/* One character, behind a backslash at p->at. */
static int escape_rune(struct parse *p, uint32_t *ret)
{
    static const char named[] = "a\ae\0f\fn\nr\rt\tv\v";
    size_t from = p->at++;
    char   c;

    if (!more(p))
        return fail(p, "trailing backslash at end of expression", p->at, p->at);
    c = p->s.p[p->at++];
    for (size_t i = 0; i + 1 < sizeof named; i += 2) {
        if (c == named[i] && named[i + 1] != '\0') {
            *ret = (uint32_t)named[i + 1];
            return 0;
        }
    }
    if (c == 'x' && escape_hex(p, ret))
        return 0;
    if (c >= '0' && c <= '7' && escape_octal(p, c, ret))
        return 0;
    if ((unsigned char)c < 0x80 && !is_letter(c) && !(c >= '0' && c <= '9')) {
        *ret = (uint32_t)c;
        return 0;
    }
    p->at -= 1;
    take_rune(p);
    return fail(p, "invalid escape sequence", from, p->at);
}

/* \pN, \p{Greek}, \P{^Lu}: 1 taken, 0 none of them, or an error. */
static int unicode_class(struct parse *p, struct regex_set *set)
{
    size_t     from = p->at;
    struct str name;
    bool       negated;

    if (!looking_at(p, STR("\\p")) && !looking_at(p, STR("\\P")))
        return 0;
    negated = p->s.p[p->at + 1] == 'P';
    p->at += 2;
    if (!more(p))
        return fail(p, "invalid character class range", from, p->at);
    if (next_is(p, '{')) {
        ptrdiff_t n = str_find(str_from(p->s, p->at), '}');
        if (n < 0)
            return fail(p, "invalid character class range", from, p->s.n);
        name = str_make(p->s.p + p->at + 1, (size_t)n - 1);
        p->at += (size_t)n + 1;
    } else {
        size_t begin = p->at;
        take_rune(p);
        name = str_make(p->s.p + begin, p->at - begin);
    }
    if (name.n > 0 && name.p[0] == '^') {
        negated = !negated;
        name = str_from(name, 1);
    }
    if (!regex_set_add_unicode(set, name, negated, p->flags & FLAG_FOLD))
        return fail(p, "invalid character class range", from, p->at);
    return 1;
}

/* \d and \p: 1 taken, 0 neither, or an error. */
static int class_escape(struct parse *p, struct regex_set *set)
{
    if (next_is(p, '\\') && p->at + 1 < p->s.n && regex_set_add_perl(set, p->s.p[p->at + 1])) {
        p->at += 2;
        return 1;
    }
    return unicode_class(p, set);
}

/* ---- [classes] -------------------------------------------------------------------------------------- */

static int class_rune(struct parse *p, size_t from, uint32_t *ret)
{
    if (!more(p))
        return fail(p, "missing closing ]", from, p->s.n);
    if (next_is(p, '\\'))
        return escape_rune(p, ret);
    *ret = take_rune(p);
    return 0;
}

/* [:alpha:] inside of brackets: 1 taken, 0 not one, or an error. */
static int class_posix(struct parse *p, struct regex_set *set)
{
    size_t     from = p->at, end;
    struct str name;
    bool       negated;

    if (!looking_at(p, STR("[:")))
        return 0;
    for (end = p->at + 2; end + 1 < p->s.n && !(p->s.p[end] == ':' && p->s.p[end + 1] == ']'); end++)
        continue;
    if (end + 1 >= p->s.n)
        return 0;
    name = str_make(p->s.p + from + 2, end - from - 2);
    negated = name.n > 0 && name.p[0] == '^';
    if (!regex_set_add_posix(set, negated ? str_from(name, 1) : name, negated))
        return fail(p, "invalid character class range", from, end + 2);
    p->at = end + 2;
    return 1;
}

static int class_range(struct parse *p, size_t begin, struct regex_set *set)
{
    size_t   from = p->at;
    uint32_t lo = 0, hi = 0;
    int      rc = class_rune(p, begin, &lo);

    if (rc != 0)
        return rc;
    hi = lo;
    if (next_is(p, '-') && p->at + 1 < p->s.n && p->s.p[p->at + 1] != ']') {
        p->at++;
        if ((rc = class_rune(p, begin, &hi)) != 0)
            return rc;
        if (hi < lo)
            return fail(p, "invalid character class range", from, p->at);
    }
    regex_set_add(set, lo, hi);
    return 0;
}

static int parse_class(struct parse *p, struct regex_node **ret)
{
    struct regex_set set = { .arena = p->arena };
    size_t begin = p->at++;
    bool   negated = next_is(p, '^'), first = true;
    int    rc;

    p->at += negated;
    for (; !next_is(p, ']') || first; first = false) {
        if (!more(p))
            return fail(p, "missing closing ]", begin, p->s.n);
        rc = class_posix(p, &set);
        if (rc == 0)
            rc = class_escape(p, &set);
        if (rc == 0)
            rc = class_range(p, begin, &set);
        if (rc < 0)
            return rc;
    }
    p->at++;
    if (p->flags & FLAG_FOLD)
        regex_set_fold(&set);
    if (negated)
        regex_set_negate(&set);
    *ret = node_set(p, &set);
    return 0;
}

/* ---- Groups ----------------------------------------------------------------------------------------- */

static int parse_alt(struct parse *p, struct regex_node **ret);

/* i, -s, ims-U and then ':' or ')': *ret_group tells which. */
static int group_flags(struct parse *p, size_t from, bool *ret_group)
{
    static const char letters[] = "imsU";
    unsigned flags = p->flags;
    bool     off = false, any = false;

    while (more(p)) {
        char        c = p->s.p[p->at++];
        const char *l = c != '\0' ? strchr(letters, c) : NULL;
        if (l != NULL) {
            flags = off ? flags & ~(1u << (l - letters)) : flags | 1u << (l - letters);
            any = true;
        } else if (c == '-' && !off) {
            off = true;
            any = false;
        } else if ((c == ':' || c == ')') && (any || !off)) {
            p->flags = flags;
            *ret_group = c == ':';
            return 0;
        } else {
            break;
        }
    }
    if (more(p) || p->at > from + 3)
        return fail(p, "invalid or unsupported Perl syntax", from, p->at);
    return fail(p, "missing closing )", from, p->at);
}

static bool group_name_ok(struct str name)
{
    for (size_t i = 0; i < name.n; i++)
        if (!is_letter(name.p[i]) && !(name.p[i] >= '0' && name.p[i] <= '9') && name.p[i] != '_')
            return false;
    return name.n > 0;
}

/* (?P<name> and (?<name>: 1 taken, 0 neither, or an error. */
static int group_name(struct parse *p, size_t from)
{
    size_t     begin = p->at + (next_is(p, 'P') ? 2 : 1);
    ptrdiff_t  n;

    if (!looking_at(p, STR("P<")) && !looking_at(p, STR("<")))
        return 0;
    if ((n = str_find(str_from(p->s, begin), '>')) < 0)
        return fail(p, "invalid named capture", from, p->s.n);
    if (!group_name_ok(str_make(p->s.p + begin, (size_t)n)))
        return fail(p, "invalid named capture", from, begin + (size_t)n + 1);
    p->at = begin + (size_t)n + 1;
    return 1;
}

static int parse_group(struct parse *p, struct regex_node **ret)
{
    size_t   from = p->at++;
    unsigned flags = p->flags;
    bool     group = true;
    int      rc;

    if (next_is(p, '?')) {
        p->at++;
        if ((rc = group_name(p, from)) < 0 || (rc == 0 && (rc = group_flags(p, from, &group)) < 0))
            return rc;
    }
    *ret = node_new(p, RE_EMPTY);
    if (!group)
        return 0;                                /* (?i): flags for what follows */
    if (++p->depth > REGEX_MAX_DEPTH)
        return err_set(p->err, E_TOOBIG, "error parsing regexp: expression nests too deeply");
    if ((rc = parse_alt(p, ret)) != 0)
        return rc;
    if (!next_is(p, ')'))
        return fail(p, "missing closing )", 0, p->s.n);
    p->at++;
    p->depth--;
    p->flags = flags;
    return 0;
}

/* ---- What can be repeated --------------------------------------------------------------------------- */

static int parse_backslash(struct parse *p, struct regex_node **ret)
{
    struct regex_set set = { .arena = p->arena };
    static const struct { char c; uint8_t what; } assertions[] = {
        { 'A', RE_TEXT_BEGIN }, { 'z', RE_TEXT_END }, { 'b', RE_WORD }, { 'B', RE_NO_WORD },
    };
    uint32_t rune = 0;
    int      rc;

    for (size_t i = 0; i < ARRAY_LEN(assertions) && p->at + 1 < p->s.n; i++) {
        if (p->s.p[p->at + 1] == assertions[i].c) {
            p->at += 2;
            *ret = node_assert(p, assertions[i].what);
            return 0;
        }
    }
    if ((rc = class_escape(p, &set)) == 1) {
        *ret = node_set(p, &set);
        return 0;
    }
    if (rc == 0 && (rc = escape_rune(p, &rune)) == 0)
        *ret = node_rune(p, rune);
    return rc;
}

static int parse_atom(struct parse *p, struct regex_node **ret)
{
    struct regex_set set = { .arena = p->arena };

    switch (p->s.p[p->at]) {
    case '(':
        return parse_group(p, ret);
    case '[':
        return parse_class(p, ret);
    case '\\':
        return parse_backslash(p, ret);
    case '.':
        regex_set_add(&set, 0, REGEX_MAX_RUNE);
        if (!(p->flags & FLAG_DOT_NL)) {
            set.range[0].hi = '\n' - 1;
            regex_set_add(&set, '\n' + 1, REGEX_MAX_RUNE);
        }
        *ret = node_set(p, &set);
        break;
    case '^':
        *ret = node_assert(p, p->flags & FLAG_LINES ? RE_LINE_BEGIN : RE_TEXT_BEGIN);
        break;
    case '$':
        *ret = node_assert(p, p->flags & FLAG_LINES ? RE_LINE_END : RE_TEXT_END);
        break;
    default:
        *ret = node_rune(p, take_rune(p));
        return 0;
    }
    p->at++;
    return 0;
}

static bool take_count(struct parse *p, int *ret)
{
    size_t from = p->at;

    *ret = 0;
    for (; more(p) && p->s.p[p->at] >= '0' && p->s.p[p->at] <= '9'; p->at++)
        *ret = MIN_OF(*ret * 10 + (p->s.p[p->at] - '0'), REGEX_MAX_REPEAT + 1);
    return p->at > from;
}

/* A repetition at p->at, which moves over it: false: there is none ("{x" is text). */
static bool take_repeat(struct parse *p, int *ret_min, int *ret_max)
{
    size_t from = p->at;
    bool   ok;

    *ret_min = next_is(p, '+') ? 1 : 0;
    *ret_max = next_is(p, '?') ? 1 : -1;
    if (next_is(p, '*') || next_is(p, '+') || next_is(p, '?')) {
        p->at++;
        return true;
    }
    if (!next_is(p, '{'))
        return false;
    p->at++;
    ok = take_count(p, ret_min);
    *ret_max = *ret_min;
    if (ok && next_is(p, ',')) {
        p->at++;
        if (!take_count(p, ret_max))
            *ret_max = -1;
    }
    ok = ok && next_is(p, '}');
    p->at = ok ? p->at + 1 : from;
    return ok;
}

static int parse_repeats(struct parse *p, struct regex_node **ret)
{
    size_t from = p->at;
    int    min, max, ignored[2];
    struct regex_node *rep;

    if (!take_repeat(p, &min, &max))
        return 0;
    if (min > REGEX_MAX_REPEAT || max > REGEX_MAX_REPEAT || (max >= 0 && min > max))
        return fail(p, "invalid repeat count", from, p->at);
    rep = node_new(p, RE_REPEAT);
    rep->min = min;
    rep->max = max;
    rep->lazy = (p->flags & FLAG_SWAP) != 0;
    if (next_is(p, '?')) {
        p->at++;
        rep->lazy = !rep->lazy;
    }
    if (take_repeat(p, &ignored[0], &ignored[1]))
        return fail(p, "invalid nested repetition operator", from, p->at);
    node_add(rep, *ret);
    *ret = rep;
    return 0;
}

/* \Q...\E: the characters themselves; a repetition behind it is of the last one. */
static int parse_quoted(struct parse *p, struct regex_node *cat)
{
    struct regex_node *rune = NULL;
    int                rc = 0;

    for (p->at += 2; more(p) && !looking_at(p, STR("\\E"));) {
        rune = node_new(p, RE_CAT);
        node_add(rune, node_rune(p, take_rune(p)));
        node_add(cat, rune);
    }
    p->at += more(p) ? 2 : 0;
    if (rune != NULL)
        rc = parse_repeats(p, &rune->first);
    return rc;
}

static int parse_piece(struct parse *p, struct regex_node *cat)
{
    struct regex_node *atom = NULL;
    size_t from = p->at;
    int    ignored[2], rc;

    if (looking_at(p, STR("\\Q")))
        return parse_quoted(p, cat);
    if (take_repeat(p, &ignored[0], &ignored[1]))
        return fail(p, "missing argument to repetition operator", from, p->at);
    if ((rc = parse_atom(p, &atom)) != 0 || (rc = parse_repeats(p, &atom)) != 0)
        return rc;
    node_add(cat, atom);
    return 0;
}

static int parse_cat(struct parse *p, struct regex_node **ret)
{
    struct regex_node *cat = node_new(p, RE_CAT);
    int rc;

    while (more(p) && !next_is(p, '|') && !next_is(p, ')')) {
        if ((rc = parse_piece(p, cat)) != 0)
            return rc;
        if (arena_used(p->arena) - p->used > PARSE_MEMORY)
            return err_set(p->err, E_TOOBIG, "error parsing regexp: expression too large");
    }
    *ret = cat;
    return 0;
}

static int parse_alt(struct parse *p, struct regex_node **ret)
{
    struct regex_node *alt = node_new(p, RE_ALT), *cat = NULL;

    for (;;) {
        int rc = parse_cat(p, &cat);
        if (rc != 0)
            return rc;
        node_add(alt, cat);
        if (!next_is(p, '|'))
            break;
        p->at++;
    }
    *ret = alt->first == alt->last ? alt->first : alt;
    return 0;
}

int regex_parse(struct regex_node **ret, struct str pattern, struct arena *a, struct errbuf *err)
{
    struct parse p = { .arena = a, .s = pattern, .used = arena_used(a), .err = err };
    int rc;

    if (!utf8_valid(pattern))
        return err_set(err, E_INVALID, "error parsing regexp: invalid UTF-8");
    if ((rc = parse_alt(&p, ret)) != 0)
        return rc;
    return more(&p) ? fail(&p, "unexpected )", p.at, p.s.n) : 0;
}
