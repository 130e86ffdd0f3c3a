/* test/api/cel_test.c: the language itself: literals, operators, macros, optionals, errors, as cel-spec
 * states them. */
#include "test/api/cel_fixture.h"

TEST(literals)
{
    IS("1", "1");
    IS("0x1F", "31");
    IS("-9223372036854775808", "-9223372036854775808");
    IS("42u", "42");
    IS("0xffu", "255");
    IS("18446744073709551615u", "18446744073709551615");
    IS("1.5", "1.5");
    IS(".5", "0.5");
    IS("1e3", "1000");
    IS("1e6", "1e+06");
    IS("-2.5e-3", "-0.0025");
    IS("true", "true");
    IS("null", "null");
    IS("'a\\nb'", "a\nb");
    IS("\"it's\"", "it's");
    IS("r'a\\nb'", "a\\nb");
    IS("'''tri'ple'''", "tri'ple");
    IS("\"\"\"two\nlines\"\"\"", "two\nlines");
    IS("'\\x41\\u00e4\\101\\U0001F431'", "A\xc3\xa4""A\xf0\x9f\x90\xb1");
    IS("b'\\xff\\101' == b'\\377A'", "true");
    IS("'\\a\\b\\f\\r\\t\\v\\\\\\?\\\"\\'\\`'", "\a\b\f\r\t\v\\?\"'`");
    IS("[1, 2, 3]", "[1,2,3]");
    IS("[1, 2,]", "[1,2]");
    IS("{'a': 1, 'b': 2}", "{\"a\":1,\"b\":2}");
    IS("[]", "[]");
    IS("{}", "{}");
    IS("1 // comment\n + 1", "2");
    BAD("9223372036854775808", "invalid int literal");
    BAD("-9223372036854775809", "invalid int literal");
    BAD("18446744073709551616u", "invalid uint literal");
    BAD("'\\q'", "invalid string literal");
    BAD("'open", "token recognition error");
    BAD("'new\nline'", "token recognition error");
}

TEST(arithmetic)
{
    IS("1 + 2 * 3", "7");
    IS("(1 + 2) * 3", "9");
    IS("7 / 2", "3");
    IS("-7 / 2", "-3");
    IS("-7 % 3", "-1");
    IS("7 - 2 - 1", "4");
    IS("2.0 * 1.5", "3");
    IS("1.0 / 0.0 > 1e300", "true");
    IS("5u - 3u", "2");
    IS("-(-3)", "3");
    IS("--3", "3");
    IS("'a' + 'b'", "ab");
    IS("b'a' + b'b' == b'ab'", "true");
    IS("[1] + [2]", "[1,2]");
    BAD("9223372036854775807 + 1", "integer overflow");
    BAD("-9223372036854775808 - 1", "integer overflow");
    BAD("9223372036854775807 * 2", "integer overflow");
    BAD("-(-9223372036854775808)", "integer overflow");
    BAD("-9223372036854775808 / -1", "integer overflow");
    BAD("3u - 5u", "unsigned integer overflow");
    BAD("1 / 0", "division by zero");
    BAD("1 % 0", "modulus by zero");
    BAD("1u / 0u", "division by zero");
    BAD("1 + 1u", "found no matching overload for '_+_' applied to '(int, uint)'");
    BAD("1 + 1.0", "found no matching overload for '_+_' applied to '(int, double)'");
    BAD("!1", "found no matching overload for '!_' applied to '(int)'");
}

TEST(comparison)
{
    TRUE("1 == 1");
    TRUE("1 != 2");
    TRUE("1 < 2 && 2 <= 2 && 3 > 2 && 3 >= 3");
    TRUE("1 < 2.5");
    TRUE("1u < 2");
    TRUE("-1 < 1u");
    TRUE("9223372036854775807 < 9223372036854775808u");
    TRUE("'a' < 'b'");
    TRUE("b'a' < b'b'");
    TRUE("false < true");
    TRUE("dyn(1) == dyn(1.0)");
    TRUE("dyn(1) == dyn(1u)");
    FALSE("dyn(1) == dyn('1')");
    FALSE("0.0 / 0.0 == 0.0 / 0.0");
    TRUE("0.0 / 0.0 != 0.0 / 0.0");
    FALSE("0.0 / 0.0 < 1.0");
    TRUE("[1, 2] == [1, 2]");
    FALSE("[1, 2] == [2, 1]");
    TRUE("{'a': dyn(1), 'b': [2]} == {'b': dyn([2]), 'a': 1}");
    TRUE("null == null");
    TRUE("type(1) == int && type('') == string && type(type(1)) == type");
    TRUE("type(null) == null_type && type([]) == list && type({}) == map");
    TRUE("type(timestamp('2020-01-01T00:00:00Z')) == google.protobuf.Timestamp");
    TRUE("1 in [1, 2] && !(3 in [1, 2]) && 'a' in {'a': 1}");
    BAD("1 == 'a'", "found no matching overload for '_==_' applied to '(int, string)'");
    BAD("1 < 'a'", "found no matching overload for '_<_' applied to '(int, string)'");
    BAD("1 in 2", "found no matching overload for '@in' applied to '(int, int)'");
}

TEST(logic_does_not_mind_errors_that_do_not_matter)
{
    TRUE("true || 1 / 0 == 1");
    TRUE("1 / 0 == 1 || true");
    FALSE("1 / 0 == 1 && false");
    FALSE("false && 1 / 0 == 1");
    BAD("1 / 0 == 1 || false", "division by zero");
    BAD("true && 1 / 0 == 1", "division by zero");
    TRUE("true ? true : 1 / 0 == 1");
    BAD("true ? 1 : 'a'", "found no matching overload for '_?_:_' applied to '(bool, int, string)'");
    BAD("1 / 0 == 1 ? 1 : 2", "division by zero");
    IS("false ? 1 : true ? 2 : 3", "2");
    BAD("1 && true", "found no matching overload for '_&&_' applied to '(int, bool)'");
}

TEST(fields_and_indexes)
{
    const char *self = "{\"a\":{\"b\":[1,2.5,\"x\",null,true]},\"if\":1,\"n\":12345678901234567890}";

    ON(self, "self.a.b[0]", "1");
    ON(self, "self.a.b[1]", "2.5");
    ON(self, "self['a']['b'][2]", "x");
    ON(self, "self.a.b[3] == null", "true");
    ON(self, "has(self.a)", "true");
    ON(self, "has(self.zz)", "false");
    ON(self, "has(self.a.b)", "true");
    ON(self, "'a' in self", "true");
    ON(self, "size(self.a.b)", "5");
    ON(self, "self.a.b.size()", "5");
    ON(self, "type(self.a.b[1]) == double", "true");
    ON(self, "self.if", "1");
    ON(self, "self.a", "{\"b\":[1,2.5,\"x\",null,true]}");
    BAD_ON(self, "self.zz", "no such key: zz");
    BAD_ON(self, "self.a.b[9]", "index out of bounds: 9");
    BAD_ON(self, "self.a.b[-1]", "index out of bounds: -1");
    BAD_ON(self, "self['q']", "no such key: q");
    BAD_ON(self, "self.a.b.c", "no such overload");
    BAD_ON(self, "has(self.zz.a)", "no such key: zz");
    BAD_ON(self, "has(self)", "invalid argument to has() macro");
    IS("{'a': 1}.a", "1");
    IS("{1: 'x'}[1]", "x");
    IS("[[1, 2], [3]][0][1]", "2");
    BAD("[1][1.5]", "found no matching overload for '_[_]'");
    BAD("1.a", "");
}

TEST(macros)
{
    TRUE("[1, 2, 3].all(x, x > 0)");
    FALSE("[1, 2, 3].all(x, x > 1)");
    TRUE("[].all(x, x > 1)");
    TRUE("[1, 2, 3].exists(x, x == 2)");
    FALSE("[].exists(x, x == 2)");
    TRUE("[1, 2, 3].exists_one(x, x > 2)");
    FALSE("[1, 2, 3].exists_one(x, x > 1)");
    IS("[1, 2, 3].map(x, x * 2)", "[2,4,6]");
    IS("[1, 2, 3].map(x, x > 1, x * 2)", "[4,6]");
    IS("[1, 2, 3].filter(x, x > 1)", "[2,3]");
    IS("{'a': 1, 'b': 2}.map(k, k)", "[\"a\",\"b\"]");
    IS("{'a': 1, 'b': 2}.filter(k, k == 'b')", "[\"b\"]");
    TRUE("{'a': 1}.all(k, k == 'a')");
    IS("[[1, 2], [3]].map(x, x.map(y, y + 1))", "[[2,3],[4]]");
    IS("[1, 2].map(x, [3].map(x, x))", "[[3],[3]]");
    TRUE("[0, 1].exists(x, 1 / x == 1)");
    FALSE("[0, 1].all(x, 1 / x == 2)");
    BAD("[0, 1].all(x, 1 / x == 1)", "division by zero");
    BAD("[0].exists(x, 1 / x == 1)", "division by zero");
    BAD("[1].all(x, x)", "expected type 'bool' but found 'int'");
    BAD("1.all(x, true)", "");
    BAD("'a'.all(x, true)", "cannot be range of a comprehension");
    BAD("[1].all(1, true)", "argument must be a simple name");
    BAD("[1].all(x, y > 1)", "undeclared reference to 'y' (in container '')");
}

TEST(macros_of_two_variables)
{
    TRUE("[5, 6].all(i, v, v == i + 5)");
    TRUE("{'a': 1}.exists(k, v, k == 'a' && v == 1)");
    TRUE("{'a': 1, 'b': 2}.existsOne(k, v, v == 2)");
    IS("[5, 6].transformList(i, v, i * v)", "[0,6]");
    IS("[5, 6].transformList(i, v, v > 5, i)", "[1]");
    IS("{'a': 1}.transformMap(k, v, v + 1)", "{\"a\":2}");
    IS("{'a': 1, 'b': 5}.transformMap(k, v, v > 1, v + 1)", "{\"b\":6}");
    IS("['x', 'y'].transformMapEntry(i, v, {v: i})", "{\"x\":0,\"y\":1}");
    BAD("['x', 'x'].transformMapEntry(i, v, {v: i})", "already exists");
    BAD("[1].all(x, x, true)", "duplicate");
}

TEST(optionals)
{
    const char *self = "{\"a\":{\"b\":1},\"l\":[7]}";

    ON(self, "self.?a.b.orValue(0)", "1");
    ON(self, "self.?z.b.orValue(0)", "0");
    ON(self, "self.?a.?z.hasValue()", "false");
    ON(self, "self.l[?0].value()", "7");
    ON(self, "self.l[?5].orValue(9)", "9");
    ON(self, "self[?'q'].hasValue()", "false");
    ON(self, "self.?a.optMap(x, x.b + 1).value()", "2");
    ON(self, "self.?z.optMap(x, x.b + 1).hasValue()", "false");
    ON(self, "self.?a.optFlatMap(x, x.?b).value()", "1");
    ON(self, "has(self.?a.b)", "true");
    ON(self, "self.?z.or(optional.of({'b': 3})).value()", "{\"b\":3}");
    IS("[1, ?optional.of(2), ?optional.none()]", "[1,2]");
    IS("{'a': 1, ?'b': optional.none(), ?'c': optional.of(3)}", "{\"a\":1,\"c\":3}");
    TRUE("optional.of(1) == optional.of(1) && optional.none() == optional.none()");
    TRUE("optional.ofNonZeroValue('') == optional.none()");
    IS("optional.of(1).orValue(1 / 0)", "1");
    BAD("optional.none().value()", "optional.none() dereference");
    BAD("optional.of(1).orValue('a')", "found no matching overload for 'orValue'");
    BAD("[?1]", "expected type 'optional_type(int)' but found 'int'");
}

TEST(conversions)
{
    IS("int('42') + int(3u) + int(2.9)", "47");
    IS("int(-2.9)", "-2");
    IS("uint(3) + 1u", "4");
    IS("double('1.5') + double(1)", "2.5");
    IS("string(1) + string(true) + string(2u) + string(1.5) + string(b'x')", "1true21.5x");
    IS("string(timestamp('2020-02-03T04:05:06.5Z'))", "2020-02-03T04:05:06.5Z");
    IS("string(duration('1h30m1.5s'))", "5401.5s");
    TRUE("bytes('\xc3\xa4') == b'\\xc3\\xa4'");
    TRUE("bool('true') && !bool('0')");
    IS("int(timestamp('1970-01-02T00:00:00Z'))", "86400");
    BAD("int('x')", "invalid syntax");
    BAD("int(1e30)", "integer overflow");
    BAD("int(9223372036854775808u)", "integer overflow");
    BAD("uint(-1)", "unsigned integer overflow");
    BAD("double('1.2.3')", "invalid syntax");
    BAD("bool('maybe')", "invalid syntax");
    BAD("string(b'\\xff')", "invalid UTF-8");
    BAD("timestamp('yesterday')", "invalid timestamp");
    BAD("duration('1 hour')", "invalid duration");
}

TEST(times)
{
    TRUE("timestamp('2020-01-01T00:00:00Z') + duration('24h') == timestamp('2020-01-02T00:00:00Z')");
    TRUE("timestamp('2020-01-02T00:00:00Z') - timestamp('2020-01-01T00:00:00Z') == duration('24h')");
    TRUE("timestamp('2020-01-01T00:00:00Z') < timestamp('2020-01-01T00:00:00.000000001Z')");
    TRUE("duration('1m') - duration('1s') == duration('59s')");
    IS("timestamp('2020-02-29T13:14:15.678Z').getFullYear()", "2020");
    IS("timestamp('2020-02-29T13:14:15.678Z').getMonth()", "1");
    IS("timestamp('2020-02-29T13:14:15.678Z').getDate()", "29");
    IS("timestamp('2020-02-29T13:14:15.678Z').getDayOfMonth()", "28");
    IS("timestamp('2020-02-29T13:14:15.678Z').getDayOfWeek()", "6");
    IS("timestamp('2020-12-31T13:14:15.678Z').getDayOfYear()", "365");
    IS("timestamp('2020-03-01T00:00:00Z').getDayOfYear()", "60");
    IS("timestamp('2020-02-29T13:14:15.678Z').getHours()", "13");
    IS("timestamp('2020-02-29T23:14:15.678Z').getHours('+02:00')", "1");
    IS("timestamp('2020-02-29T23:14:15.678Z').getDate('+02:00')", "1");
    IS("timestamp('2020-02-29T13:14:15.678Z').getMilliseconds()", "678");
    IS("duration('90m').getHours()", "1");
    IS("duration('90m').getMinutes()", "90");
    IS("duration('1.234s').getMilliseconds()", "234");
    BAD("timestamp('9999-12-31T23:59:59Z') + duration('2s')", "timestamp overflow");
    BAD("timestamp('2020-01-01T00:00:00Z').getHours('Mars')", "unknown time zone");
}

TEST(mistakes_show_their_place)
{
    struct arena a = ARENA_INIT;

    CHECK_STR(
        cel_text_of(&a, STR("1 +\n self.x.y(1)"), NULL, 1000),
        "compile: compilation failed: ERROR: <input>:2:10: undeclared reference to 'y' (in container '')\n"
        " |  self.x.y(1)\n | .........^");
    arena_release(&a);
    BAD("foo", "ERROR: <input>:1:1: undeclared reference to 'foo' (in container '')\n | foo\n | ^");
    BAD("foo(1)", "undeclared reference to 'foo' (in container '')");
    BAD("1 + ", "Syntax error: mismatched input '<EOF>'");
    BAD("(1", "Syntax error: missing ')' at '<EOF>'");
    BAD("1 2", "Syntax error: extraneous input '2' expecting <EOF>");
    BAD("@", "Syntax error: token recognition error at: '@'");
    BAD("[1, 'a']", "expected type 'int' but found 'string'");
    BAD("'a'.size(1)", "found no matching overload for 'size' applied to 'string.(int)'");
    BAD("if", "reserved identifier: if");
    BAD("Foo{a: 1}", "undeclared reference to 'Foo'");
    BAD("'abc'.matches('[a')", "missing closing ]");
}
