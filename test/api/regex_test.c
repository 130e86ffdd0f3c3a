/* test/api/regex_test.c: regular expressions: what they match and where, what they are refused for, how much work
 * hostile ones may make. */
#include "api/regex.h"
#include "test/test.h"

static void row_at(int line, const char *pattern, struct str text, long from, long to)
{
    struct arena      a = ARENA_INIT;
    struct regex     *re = NULL;
    struct regex_span span = { 0, 0 };
    struct errbuf     err = { "" };
    int               rc;

    if (regex_compile(&re, str_of(pattern), &a, &err) != 0) {
        test_fail(__FILE__, line, "%s: %s", pattern, err.s);
        arena_release(&a);
        return;
    }
    for (int again = 0; again < 2; again++) {
        rc = regex_match(re, text);
        if (rc != (from >= 0))
            test_fail(__FILE__, line, "/%s/ on \"%.*s\" says %d", pattern, STR_ARG(text), rc);
    }
    rc = regex_find(re, text, 0, &span);
    if (rc != (from >= 0) || (rc == 1 && ((long)span.from != from || (long)span.to != to)))
        test_fail(__FILE__, line, "/%s/ in \"%.*s\": %d, %zu to %zu, not %ld to %ld", pattern, STR_ARG(text), rc,
                  span.from, span.to, from, to);
    arena_release(&a);
}

static void bad_at(int line, const char *pattern, const char *why)
{
    struct arena  a = ARENA_INIT;
    struct regex *re = NULL;
    struct errbuf err = { "" };
    int           rc = regex_compile(&re, str_of(pattern), &a, &err);

    if (rc == 0 || strstr(err.s, why) == NULL)
        test_fail(__FILE__, line, "/%s/: %d, \"%s\", not \"%s\"", pattern, rc, err.s, why);
    arena_release(&a);
}

#define IS(pattern, text, from, to) row_at(__LINE__, pattern, STR(text), from, to)
#define NO(pattern, text)           row_at(__LINE__, pattern, STR(text), -1, -1)
#define BAD(pattern, why)           bad_at(__LINE__, pattern, why)

TEST(literals_and_classes)
{
    IS("", "", 0, 0);
    IS("", "abc", 0, 0);
    IS("b", "abc", 1, 2);
    NO("d", "abc");
    IS(".", "\xc3\xa4", 0, 2);
    NO("^.$", "\n");
    IS("(?s)^.$", "\n", 0, 1);
    IS("[b-d]+", "abcde", 1, 4);
    IS("[^b-d]+$", "abcde", 4, 5);
    IS("[]a]+", "x]a]", 1, 4);
    IS("[a-]+", "-a-", 0, 3);
    IS("[\\]\\-]+", "a]-", 1, 3);
    IS("[[:alpha:]_]+", "1ab_2", 1, 4);
    IS("[[:^alpha:]]+", "ab12c", 2, 4);
    IS("\\d+", "ab123", 2, 5);
    IS("\\D+", "12ab", 2, 4);
    IS("[\\d.]+", "v1.2", 1, 4);
    IS("\\w+\\s\\S", "a_1 !", 0, 5);
    IS("\\x41\\x{42}\\103\\n", "ABC\n", 0, 4);
    IS("a\\.b", "a.b", 0, 3);
    NO("a\\.b", "axb");
    IS("\\Qa.b*\\E+", "a.b*", 0, 4);
    IS("{", "{", 0, 1);
    IS("a{,2}", "a{,2}", 0, 5);
    IS("a{x", "a{x", 0, 3);
}

TEST(repetition)
{
    IS("a*", "aaa", 0, 3);
    IS("a*?", "aaa", 0, 0);
    IS("a+?", "aaa", 0, 1);
    IS("a??b", "ab", 0, 2);
    IS("a{2}", "aaa", 0, 2);
    IS("a{2,}", "aaaa", 0, 4);
    IS("a{1,3}", "aaaa", 0, 3);
    IS("a{1,3}?", "aaaa", 0, 1);
    NO("^a{2,3}$", "aaaa");
    NO("^a{2,3}$", "a");
    IS("^(a{2}){2}$", "aaaa", 0, 4);
    IS("a{0}b", "b", 0, 1);
    IS("^(ab?){2,3}$", "aaba", -1 + 1, 4);
    IS("(?U)a+", "aaa", 0, 1);
    IS("(?U)a+?", "aaa", 0, 3);
    IS("(a*)*b", "aaab", 0, 4);
    IS("(a*)+$", "aaa", 0, 3);
    IS("(|a)+b", "ab", 0, 2);
    IS("^*a", "a", 0, 1);
}

TEST(alternation_prefers_the_left)
{
    IS("a|ab", "ab", 0, 1);
    IS("ab|a", "ab", 0, 2);
    IS("(a|ab)(c|bcd)", "abcd", 0, 4);
    IS("x|y|z", "az", 1, 2);
    IS("|a", "a", 0, 0);
    IS("a||b", "b", 0, 0);
    IS("(?:foo|bar)+", "xfoobarfoo", 1, 10);
}

TEST(assertions)
{
    IS("^abc$", "abc", 0, 3);
    NO("^abc$", "xabc");
    NO("^abc$", "abc\n");
    IS("^$", "", 0, 0);
    NO("^$", "a");
    NO("$^", "a");
    IS("$^", "", 0, 0);
    IS("(?m)^b$", "a\nb\nc", 2, 3);
    NO("^b$", "a\nb\nc");
    IS("\\bfoo\\b", "a foo b", 2, 5);
    NO("\\bfoo\\b", "afoob");
    IS("\\Boo", "foo", 1, 3);
    IS("\\Afoo\\z", "foo", 0, 3);
    IS("a$|b", "ab", 1, 2);
    IS("(^a|b)c", "xbc", 1, 3);
    NO("(^a|b)c", "xac");
    IS("a|$", "b", 1, 1);
}

TEST(flags_groups_and_case)
{
    IS("(?i)HeLLo", "hEllO", 0, 5);
    IS("a(?i)b", "aB", 0, 2);
    NO("a(?i)b", "AB");
    IS("(?i:a)b", "Ab", 0, 2);
    NO("(?i:a)b", "AB");
    IS("((?i)a)b", "Ab", 0, 2);
    NO("((?i)a)b", "AB");
    IS("(?i)[a-c]+", "xAbC", 1, 4);
    IS("(?i)\xc3\xa4", "\xc3\x84", 0, 2);
    IS("(?i)k", "\xe2\x84\xaa", 0, 3);
    IS("(?i)\xd0\xb6", "\xd0\x96", 0, 2);
    IS("(?P<name>a+)(?<other>b)", "aab", 0, 3);
    IS("(?-s).", "a", 0, 1);
    IS("(?i)(?-i)a", "a", 0, 1);
}

TEST(unicode_classes)
{
    IS("^\\pL+$", "a\xc3\xa4\xce\xb1", 0, 5);
    IS("\\p{Greek}+", "abc\xce\xb1\xce\xb2", 3, 7);
    IS("\\p{Lu}", "aB", 1, 2);
    IS("\\P{Lu}", "Ba", 1, 2);
    IS("\\p{^Lu}", "Ba", 1, 2);
    IS("[\\p{Nd}x]+", "a1x", 1, 3);
    IS("\\p{Han}", "a\xe4\xb8\xad", 1, 4);
    NO("\\p{Cyrillic}", "abc");
    IS("^[^\\pL]+$", "1-2", 0, 3);
}

TEST(invalid_utf8_in_the_text_is_one_replacement_each)
{
    IS("^.$", "\xff", 0, 1);
    IS("^\\x{fffd}{2}$", "\xe4\xb8", 0, 2);
}

TEST(mistakes_are_told_as_go_tells_them)
{
    BAD("(a", "missing closing ): `(a`");
    BAD("a)", "unexpected ): `)`");
    BAD("[a", "missing closing ]: `[a`");
    BAD("[z-a]", "invalid character class range: `z-a`");
    BAD("*a", "missing argument to repetition operator: `*`");
    BAD("a|*", "missing argument to repetition operator: `*`");
    BAD("a**", "invalid nested repetition operator: `**`");
    BAD("a{1001}", "invalid repeat count: `{1001}`");
    BAD("a{2,1}", "invalid repeat count: `{2,1}`");
    BAD("(a{100}){100}", "invalid repeat count");
    BAD("a\\", "trailing backslash at end of expression");
    BAD("\\8", "invalid escape sequence: `\\8`");
    BAD("\\1", "invalid escape sequence: `\\1`");
    BAD("\\y", "invalid escape sequence: `\\y`");
    BAD("\\pX", "invalid character class range: `\\pX`");
    BAD("\\p{Klingon}", "invalid character class range: `\\p{Klingon}`");
    BAD("[[:foo:]]", "invalid character class range: `[:foo:]`");
    BAD("(?=a)", "invalid or unsupported Perl syntax: `(?=`");
    BAD("(?<=a)", "invalid named capture");
    BAD("(?P<a-b>c)", "invalid named capture: `(?P<a-b>`");
    BAD("(?i", "missing closing )");
    BAD("\xff", "invalid UTF-8");
    BAD("((((a{10}){10}){10}){10})", "invalid repeat count");
}

TEST(find_goes_on_from_where_it_was)
{
    struct arena      a = ARENA_INIT;
    struct regex     *re = NULL;
    struct regex_span s;
    struct str        text = STR("ab12 \xc3\xa4 34");

    must_ok(regex_compile(&re, STR("[0-9]+"), &a, NULL));
    CHECK(regex_find(re, text, 3, &s) == 1 && s.from == 3 && s.to == 4);
    CHECK(regex_find(re, text, 4, &s) == 1 && s.from == 8 && s.to == 10);
    CHECK_INT(regex_find(re, text, 10, &s), 0);
    must_ok(regex_compile(&re, STR("^a|\\bb"), &a, NULL));
    CHECK_INT(regex_find(re, text, 1, &s), 0);
    arena_release(&a);
}

TEST(hostile_patterns_and_texts_are_bounded)
{
    struct arena  a = ARENA_INIT;
    struct regex *re = NULL;
    struct errbuf err;
    char          deep[4096], text[4096];

    memset(deep, '(', sizeof deep);
    CHECK_INT(regex_compile(&re, str_make(deep, sizeof deep), &a, &err), E_TOOBIG);
    memset(text, 'a', sizeof text);
    /* A backtracking search would not live to see the end of these. */
    must_ok(regex_compile(&re, STR("^(a|aa)+$"), &a, NULL));
    CHECK_INT(regex_match(re, str_make(text, sizeof text)), 1);
    must_ok(regex_compile(&re, STR("(a*)*(a*)*(a*)*b"), &a, NULL));
    CHECK_INT(regex_match(re, str_make(text, sizeof text)), 0);
    /* So many states that the threads run instead. */
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (char)('a' + (i * i / 7 + i / 3) % 2);
    must_ok(regex_compile(&re, STR("a.{12}$"), &a, NULL));
    CHECK(regex_match(re, str_make(text, sizeof text)) >= 0);
    must_ok(regex_compile(&re, STR("(.*a.{300}c){3}"), &a, NULL));
    CHECK(regex_match(re, str_make(text, sizeof text)) != 1);
    CHECK(arena_used(&a) < 32u << 20);
    arena_release(&a);
}

TEST(too_much_work_is_refused)
{
    struct arena  a = ARENA_INIT;
    struct regex *re = NULL;
    size_t        n = 1 << 20;
    char         *text = mem_alloc(n);

    for (size_t i = 0; i < n; i++)
        text[i] = (char)('a' + (i * i / 7 + i / 3) % 2);
    must_ok(regex_compile(&re, STR("a.{900}c\\b"), &a, NULL));
    CHECK_INT(regex_match(re, str_make(text, n)), E_TOOBIG);
    mem_free(text);
    arena_release(&a);
}
