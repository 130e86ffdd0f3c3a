/* test/fuzz/fuzz_regex.c: any pattern over any text; patterns of a simple kind also against a naive matcher that
 * backtracks, which must find the same. */
#include "api/regex.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The naive one: literals a and b, '.', ( ) | * + ?, greedy or lazy, over "ab".  Continuation passing. */
struct cont { bool (*fn)(const struct cont *self, size_t at); const struct cont *up; size_t end, from; int kind; };
static struct { struct str pattern, text; size_t match; unsigned budget; bool spent; } naive;

static bool match_cat(size_t p, size_t end, size_t at, const struct cont *k);
static bool match_alt(size_t p, size_t end, size_t at, const struct cont *k);

/* One past the atom at p. */
static size_t atom_end(size_t p)
{
    int depth = 0;

    do {
        char c = naive.pattern.p[p++];
        depth += (c == '(') - (c == ')');
    } while (depth > 0);
    return p;
}

static bool run_cont(const struct cont *k, size_t at) { return k->fn(k, at); }
static bool cont_rest(const struct cont *k, size_t at) { return match_cat(k->from, k->end, at, k->up); }

struct star { struct cont base; size_t p, p_end, began; bool lazy; const struct cont *after; };
static bool match_star(size_t p, size_t p_end, bool lazy, size_t at, const struct cont *after);
static bool cont_star(const struct cont *k, size_t at)
{
    const struct star *s = (const struct star *)k;

    return at != s->began && match_star(s->p, s->p_end, s->lazy, at, s->after);
}

static bool match_atom(size_t p, size_t end, size_t at, const struct cont *k)
{
    if (naive.budget == 0 || --naive.budget == 0) {
        naive.spent = true;
        return false;
    }
    if (naive.pattern.p[p] == '(')
        return match_alt(p + 1, end - 1, at, k);
    return at < naive.text.n && (naive.pattern.p[p] == '.' || naive.text.p[at] == naive.pattern.p[p]) &&
           run_cont(k, at + 1);
}

static bool match_star(size_t p, size_t p_end, bool lazy, size_t at, const struct cont *after)
{
    struct star again = { { cont_star, NULL, 0, 0, 0 }, p, p_end, at, lazy, after };

    if (lazy)
        return run_cont(after, at) || match_atom(p, p_end, at, &again.base);
    return match_atom(p, p_end, at, &again.base) || run_cont(after, at);
}

static bool match_cat(size_t p, size_t end, size_t at, const struct cont *k)
{
    struct cont rest = { cont_rest, k, end, 0, 0 };
    size_t      q, op;
    bool        lazy;
    char        c;

    if (p == end)
        return run_cont(k, at);
    q = op = atom_end(p);
    c = q < end ? naive.pattern.p[q] : '\0';
    q += c == '*' || c == '?';
    lazy = q > op && q < end && naive.pattern.p[q] == '?';
    rest.from = q + lazy;
    if (c == '*')
        return match_star(p, op, lazy, at, &rest);
    if (c != '?')
        return match_atom(p, op, at, &rest);
    if (lazy)
        return run_cont(&rest, at) || match_atom(p, op, at, &rest);
    return match_atom(p, op, at, &rest) || run_cont(&rest, at);
}

static bool match_alt(size_t p, size_t end, size_t at, const struct cont *k)
{
    size_t from = p;
    int    depth = 0;

    for (size_t i = p; i <= end; i++) {
        if (i == end || (naive.pattern.p[i] == '|' && depth == 0)) {
            if (match_cat(from, i, at, k))
                return true;
            from = i + 1;
        } else {
            depth += (naive.pattern.p[i] == '(') - (naive.pattern.p[i] == ')');
        }
    }
    return false;
}

static bool cont_done(const struct cont *k, size_t at)
{
    (void)k;
    naive.match = at;
    return true;
}

/* From bytes: a pattern that the naive matcher understands, without stars over what can be empty (there Go and
 * backtracking differ) and, in one out of two, only with plain letters. */
static struct str make_pattern(const uint8_t *data, size_t n, char *to)
{
    size_t at = 0;
    int    depth = 0;
    bool   atom = false;

    for (size_t i = 0; i < n && at < 40; i++) {
        switch (data[i] % 9) {
        case 0: case 1: to[at++] = 'a'; atom = true; break;
        case 2: to[at++] = 'b'; atom = true; break;
        case 3: to[at++] = '.'; atom = true; break;
        case 4: to[at++] = '('; depth++; atom = false; break;
        case 5:
            if (depth > 0) {
                to[at++] = ')';
                depth--;
                atom = false;
            }
            break;
        case 6: to[at++] = '|'; atom = false; break;
        default:
            if (atom) {
                to[at++] = data[i] % 9 == 7 ? '*' : '?';
                if (data[i] & 0x80)
                    to[at++] = '?';
            }
            atom = false;
        }
    }
    while (depth-- > 0)
        to[at++] = ')';
    return str_make(to, at);
}

static void compare(const uint8_t *data, size_t size)
{
    struct arena      a = ARENA_INIT;
    struct cont       done = { cont_done, NULL, 0, 0, 0 };
    struct regex     *re = NULL;
    struct regex_span span = { 0, 0 };
    char   pattern[96], text[16];
    size_t n = MIN_OF(size / 2, sizeof text), from = 0;
    bool   found = false;

    for (size_t i = 0; i < n; i++)
        text[i] = data[i] & 1 ? 'a' : 'b';
    naive.text = str_make(text, n);
    naive.pattern = make_pattern(data + n, size - n, pattern);
    naive.budget = 20000;
    naive.spent = false;
    for (; from <= n && !found && !naive.spent; from++)
        found = match_alt(0, naive.pattern.n, from, &done);
    must_ok(regex_compile(&re, naive.pattern, &a, NULL));
    if (!naive.spent) {
        must(regex_find(re, naive.text, 0, &span) == found);
        must(!found || (span.from == from - 1 && span.to == naive.match));
        must(regex_match(re, naive.text) == found);
        must(regex_match(re, naive.text) == found);
    }
    arena_release(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena      a = ARENA_INIT;
    struct regex     *re = NULL;
    struct regex_span span;
    struct errbuf     err = { "" };
    size_t            n = size / 2;
    struct str        text = str_make((const char *)data + n, size - n);

    if (size > 4096)
        return 0;
    if (regex_compile(&re, str_make((const char *)data, n), &a, &err) == 0) {
        int yes = regex_match(re, text), found = regex_find(re, text, 0, &span);
        must(yes == found || yes == E_TOOBIG || found == E_TOOBIG);
        must(found != 1 || (span.from <= span.to && span.to <= text.n));
    } else {
        must(err.s[0] != '\0');
    }
    arena_release(&a);
    compare(data, size);
    return 0;
}
