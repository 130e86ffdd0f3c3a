/* test/api/cel_library_test.c: the libraries of Kubernetes' expressions, function by function. */
#include "test/api/cel_fixture.h"

TEST(strings)
{
    TRUE("'hello'.contains('ell') && !'hello'.contains('x') && 'hello'.contains('')");
    TRUE("'hello'.startsWith('he') && 'hello'.endsWith('lo') && !'lo'.endsWith('hello')");
    IS("'h\xc3\xa4llo'.size()", "5");
    IS("'h\xc3\xa4llo'.charAt(1)", "\xc3\xa4");
    IS("'abc'.charAt(3)", "");
    BAD("'abc'.charAt(4)", "index out of range: 4");
    BAD("'abc'.charAt(-1)", "index out of range: -1");
    IS("'hello mellow'.indexOf('ello')", "1");
    IS("'hello mellow'.indexOf('ello', 2)", "7");
    IS("'hello'.indexOf('jello')", "-1");
    IS("'hello'.indexOf('')", "0");
    BAD("'hello'.indexOf('l', 20)", "index out of range: 20");
    IS("'hello mellow'.lastIndexOf('ello')", "7");
    IS("'hello mellow'.lastIndexOf('ello', 6)", "1");
    IS("'hello'.lastIndexOf('x')", "-1");
    IS("['a', 'b'].join()", "ab");
    IS("['a', 'b'].join(', ')", "a, b");
    IS("[].join(',')", "");
    IS("'TacoC\xc3\x86t'.lowerAscii()", "tacoc\xc3\x86t");
    IS("'TacoCat'.upperAscii()", "TACOCAT");
    IS("'hello hello'.replace('he', 'we')", "wello wello");
    IS("'hello hello'.replace('he', 'we', 1)", "wello hello");
    IS("'hello hello'.replace('he', 'we', 0)", "hello hello");
    IS("'abc'.replace('', '-')", "-a-b-c-");
    IS("'a,b,c'.split(',')", "[\"a\",\"b\",\"c\"]");
    IS("'a,b,c'.split(',', 2)", "[\"a\",\"b,c\"]");
    IS("'a,b,c'.split(',', 0)", "[]");
    IS("'abc'.split('')", "[\"a\",\"b\",\"c\"]");
    IS("''.split(',')", "[\"\"]");
    IS("'tacocat'.substring(4)", "cat");
    IS("'tacocat'.substring(0, 4)", "taco");
    IS("'tacocat'.substring(7)", "");
    BAD("'tacocat'.substring(8)", "index out of range: 8");
    BAD("'tacocat'.substring(4, 2)", "invalid substring range. start: 4, end: 2");
    IS("'  \\t trim\\n \\u00a0\\u2003'.trim()", "trim");
    IS("' '.trim()", "");
    IS("'ab\xc3\xa4'.reverse()", "\xc3\xa4""ba");
    IS("strings.quote('a\"b\\n')", "\"a\\\"b\\n\"");
}

TEST(format)
{
    IS("'%s is %d, %.2f, %e, %x, %X, %o, %b and %%'.format([dyn('a'), 42, 1.239, 1500.0, 255, 255, 8, 5])",
       "a is 42, 1.24, 1.500000e+03, ff, FF, 10, 101 and %");
    IS("'%s'.format([[dyn(1), 'a', null]])", "[1, a, null]");
    IS("'%s'.format([{'a': 1}])", "{a: 1}");
    IS("'%x'.format(['hi'])", "6869");
    IS("'%d'.format([-5])", "-5");
    IS("'%s'.format([duration('90s')])", "90s");
    BAD("'%s'.format([])", "index out of range");
    BAD("'%y'.format([1])", "unrecognized formatting clause");
    BAD("'%d'.format(['a'])", "error during formatting");
}

TEST(lists)
{
    TRUE("[1, 2, 2, 3].isSorted() && ![2, 1].isSorted() && [].isSorted()");
    TRUE("['a', 'b'].isSorted() && [duration('1s'), duration('2s')].isSorted()");
    IS("[1, 2, 3].sum()", "6");
    IS("[1.5, 2.5].sum()", "4");
    IS("[1u, 2u].sum()", "3");
    IS("[duration('1s'), duration('2s')].sum()", "3s");
    BAD("[9223372036854775807, 1].sum()", "integer overflow");
    BAD("['a'].sum()", "found no matching overload for 'sum' applied to 'list(string).()'");
    IS("[3, 1, 2].min() + [3, 1, 2].max()", "4");
    BAD("[].min()", "min called on empty list");
    IS("[1, 2, 2].indexOf(2)", "1");
    IS("[1, 2, 2].lastIndexOf(2)", "2");
    IS("[1].indexOf(5)", "-1");
    IS("[1, 2, 3, 4].slice(1, 3)", "[2,3]");
    BAD("[1].slice(1, 3)", "list is length 1");
    IS("[1, 2, 2, 1].distinct()", "[1,2]");
    IS("[3, 1, 2].sort()", "[1,2,3]");
    IS("[1, 2, 3].reverse()", "[3,2,1]");
    IS("[dyn([1, 2]), [3]].flatten()", "[1,2,3]");
    IS("[dyn([dyn(1), [2]]), 3].flatten(2)", "[1,2,3]");
    IS("lists.range(3)", "[0,1,2]");
    TRUE("sets.contains([1, 2, 3], [2, 3]) && !sets.contains([1], [2])");
    TRUE("sets.equivalent([1, 2], [2, 1, 1]) && !sets.equivalent([1], [1, 2])");
    TRUE("sets.intersects([1, 2], [2, 3]) && !sets.intersects([1], [2])");
}

TEST(regexes)
{
    TRUE("'foobar'.matches('o+b') && matches('foobar', '^f.*r$') && !'x'.matches('^$')");
    IS("'abc 123 def 456'.find('[0-9]+')", "123");
    IS("'abc'.find('[0-9]+')", "");
    IS("'123 abc 456'.findAll('[0-9]+')", "[\"123\",\"456\"]");
    IS("'123 abc 456'.findAll('[0-9]+', 1)", "[\"123\"]");
    IS("'abc'.findAll('x*')", "[\"\",\"\",\"\",\"\"]");
    IS("'baaac'.findAll('a*')", "[\"\",\"aaa\",\"\"]");
    ON("\"a+\"", "'caat'.find(self)", "aa");
    BAD_ON("\"a(\"", "'caat'.find(self)", "missing closing )");
}

TEST(quantities)
{
    TRUE("isQuantity('1.5Gi') && !isQuantity('1.5 G')");
    TRUE("quantity('1000m') == quantity('1') && quantity('1Gi').isGreaterThan(quantity('1G'))");
    TRUE("quantity('1k').isInteger() && quantity('1k').asInteger() == 1000");
    FALSE("quantity('1500m').isInteger()");
    BAD("quantity('1500m').asInteger()", "cannot convert value to integer");
    IS("quantity('1500m').asApproximateFloat()", "1.5");
    IS("quantity('1').add(quantity('500m')).sub(1).compareTo(quantity('500m'))", "0");
    IS("quantity('-3').sign()", "-1");
    TRUE("quantity('1').isLessThan(quantity('2')) && quantity('1').add(1) == quantity('2')");
    BAD("quantity('abc')", "quantities must match the regular expression");
}

TEST(addresses)
{
    TRUE("isIP('127.0.0.1') && isIP('::1') && !isIP('1.2.3') && !isIP('fe80::1%eth0') && "
         "!isIP('::ffff:1.2.3.4')");
    IS("ip('::1').family() + ip('1.1.1.1').family()", "10");
    TRUE("ip.isCanonical('2001:db8::1') && !ip.isCanonical('2001:DB8::1')");
    TRUE("ip('0.0.0.0').isUnspecified() && ip('::1').isLoopback() && ip('127.0.0.5').isLoopback()");
    TRUE("ip('224.0.0.1').isLinkLocalMulticast() && ip('ff02::1').isLinkLocalMulticast()");
    TRUE("ip('169.254.1.1').isLinkLocalUnicast() && ip('fe80::1').isLinkLocalUnicast()");
    TRUE("ip('10.0.0.1').isGlobalUnicast() && !ip('224.0.0.1').isGlobalUnicast()");
    TRUE("ip('2001:db8::1') == ip('2001:db8:0::1') && string(ip('1.2.3.4')) == '1.2.3.4'");
    TRUE("type(ip('1.2.3.4')) == net.IP");
    TRUE("isCIDR('10.0.0.0/8') && !isCIDR('10.0.0.0/33') && !isCIDR('10.0.0.0')");
    TRUE("cidr('10.0.0.0/8').containsIP('10.1.2.3') && !cidr('10.0.0.0/8').containsIP(ip('11.0.0.1'))");
    TRUE("cidr('10.0.0.0/8').containsCIDR('10.1.0.0/16') && !cidr('10.1.0.0/16').containsCIDR('10.0.0.0/8')");
    TRUE("cidr('2001:db8::/32').containsIP('2001:db8::5') && cidr('::/0').containsIP('::1')");
    IS("string(cidr('10.1.2.3/8').masked())", "10.0.0.0/8");
    IS("cidr('10.1.2.3/8').prefixLength()", "8");
    IS("string(cidr('10.1.2.3/8').ip())", "10.1.2.3");
    BAD("ip('x')", "parse error during conversion from string");
    BAD("cidr('x')", "network address parse error");
}

TEST(urls)
{
    const char *u = "\"https://user:pw@example.com:8080/a%20b/c?k=1&k=2&q=x+y%21\"";

    ON(u, "url(self).getScheme()", "https");
    ON(u, "url(self).getHost()", "example.com:8080");
    ON(u, "url(self).getHostname()", "example.com");
    ON(u, "url(self).getPort()", "8080");
    ON(u, "url(self).getEscapedPath()", "/a%20b/c");
    ON(u, "url(self).getQuery()", "{\"k\":[\"1\",\"2\"],\"q\":[\"x y!\"]}");
    IS("url('https://[::1]:80/').getHostname()", "::1");
    IS("url('https://[::1]:80/').getPort()", "80");
    IS("url('/absolute').getEscapedPath()", "/absolute");
    IS("url('https://example.com').getPort()", "");
    TRUE("isURL('https://a.b/c') && !isURL('../relative') && !isURL('https://a:b/') && !isURL('')");
    BAD("url('nope')", "URL parse error during conversion from string");
}

TEST(formats_and_versions)
{
    FALSE("format.dns1123Label().validate('my-name').hasValue()");
    TRUE("format.dns1123Label().validate('My_name').hasValue()");
    TRUE("format.named('uuid').value().validate('x').value()[0].contains('UUID')");
    FALSE("format.named('nope').hasValue()");
    FALSE("format.date().validate('2024-02-29').hasValue()");
    TRUE("format.date().validate('2023-02-29').hasValue()");
    FALSE("format.byte().validate('aGVsbG8=').hasValue()");
    FALSE("format.uri().validate('https://a/b').hasValue()");
    TRUE("isSemver('1.2.3-rc.1+build') && !isSemver('1.2') && !isSemver('v1.2.3') && isSemver('v1.2', true)");
    TRUE("semver('1.2.3').isLessThan(semver('1.10.0')) && semver('1.0.0').isGreaterThan(semver('1.0.0-rc'))");
    TRUE("semver('1.2.3+a') == semver('1.2.3+b') && semver('1.0.0-a.2').compareTo(semver('1.0.0-a.10')) == "
         "-1");
    IS("semver('1.2.3').major() + semver('1.2.3').minor() + semver('1.2.3').patch()", "6");
    BAD("semver('x')", "invalid semantic version");
}

TEST(math)
{
    IS("math.greatest(1, 2)", "2");
    IS("math.least([3, 1, 2])", "1");
    IS("math.greatest(1, 2.5, 2u)", "2.5");
    IS("math.ceil(1.2) + math.floor(1.8) + math.round(1.5) + math.trunc(-1.7)", "4");
    IS("math.abs(-3) + math.sign(-7)", "2");
    IS("math.bitAnd(6, 3) + math.bitOr(6, 3) + math.bitXor(6, 3) + math.bitShiftLeft(1, 4)", "30");
    TRUE("math.isNaN(0.0 / 0.0) && math.isInf(1.0 / 0.0) && math.isFinite(1.0)");
}

/* ---- The authorizer --------------------------------------------------------------------------------- */

static void answer(struct cel_run *run, const struct cel_query *q, struct cel_answer *ret)
{
    ret->allowed = q->resource_check ? str_is(q->verb, "get") && str_is(q->resource, "pods") &&
                                           str_is(q->ns, "ns") && str_is(q->sa_name, *(const char **)run->arg)
                                     : str_is(q->path, "/healthz");
    ret->reason = STR("because");
}

static bool asks(const char *expression, const char *sa)
{
    struct arena        a = ARENA_INIT;
    struct cel_var      var = { STR("authorizer"), cel_type(CEL_AUTHORIZER) };
    struct cel_env      env = { &var, 1 };
    struct cel_program *p = NULL;
    struct cel_value    value = cel_opaque(CEL_AUTHORIZER, NULL), v;
    struct str          why;
    struct cel_run      run = { .arena = &a, .vars = &value, .limit = CEL_COST_CALL, .authorize = answer,
                                .arg = &sa };

    must_ok(cel_compile(&p, &env, str_of(expression), cel_type(CEL_BOOL), &a, &why));
    v = cel_eval(p, &run);
    CHECK(run.cost >= 350000);
    bool yes = cel_is_true(&v);
    arena_release(&a);
    return yes;
}

TEST(authorizer)
{
    const char *pods = "authorizer.group('').resource('pods').namespace('ns').check('get').allowed()";

    CHECK(asks("authorizer.path('/healthz').check('get').allowed()", ""));
    CHECK(!asks("authorizer.path('/other').check('get').allowed()", ""));
    CHECK(asks(pods, ""));
    CHECK(!asks(pods, "someone"));
    CHECK(asks("authorizer.serviceAccount('x', 'someone').group('').resource('pods').namespace('ns')"
               ".check('get').allowed()", "someone"));
    CHECK(asks("authorizer.path('/x').check('get').reason() == 'because'", ""));
    CHECK(asks("!authorizer.path('/x').check('get').errored()", ""));
}

/* ---- Types ------------------------------------------------------------------------------------------ */

static struct str compiled(struct arena *a, const struct cel_env *env, const char *expression,
                           const struct cel_type *want, struct cel_program **ret)
{
    struct str why = STR("fine");

    *ret = NULL;
    cel_compile(ret, env, str_of(expression), want, a, &why);
    return why;
}

TEST(typed_objects_tell_mistakes_when_compiled)
{
    struct arena          a = ARENA_INIT;
    struct cel_field      fields[] = {
        { STR("replicas"), cel_type(CEL_INT), true }, { STR("name"), cel_type(CEL_STRING), false },
        { STR("if"), cel_type(CEL_BOOL), false }, { STR("a-b.c"), cel_type(CEL_INT), false },
        { STR("when"), cel_type(CEL_TIMESTAMP), false }, { STR("list"), cel_type(CEL_LIST), false },
        { STR("raw"), cel_type(CEL_BYTES), false }, { STR("day"), cel_type(CEL_TIMESTAMP), false },
    };
    struct cel_type       object = { .kind = CEL_OBJECT, .name = STR("object"), .fields = fields,
                                     .n_fields = ARRAY_LEN(fields) };
    struct cel_var        var = { STR("self"), &object };
    struct cel_env        env = { &var, 1 };
    struct cel_program   *p;
    struct json          *tree;
    struct cel_value      self, v;
    struct cel_run        run = { .arena = &a, .vars = &self, .limit = CEL_COST_CALL };
    static const char *const good[] = {
        "self.replicas > 1",
        "self.__if__",
        "self.a__dash__b__dot__c == 3",
        "self.`a-b.c` == 3",
        "self.when < timestamp('2030-01-01T00:00:00Z')",
        "!has(self.name)",
        "self.raw == b'hi'", "self.raw.size() == 2", "string(self.raw) == 'hi'", "self.day.getDate() == 29",

        "self.list[0] == 1",
        "self != null",
    };

    must_ok(json_parse(&a, STR("{\"replicas\":2,\"if\":true,\"a-b.c\":3,\"when\":\"2020-01-01T00:00:00Z\","
                               "\"list\":[1],\"raw\":\"aGk=\",\"day\":\"2024-02-29\"}"), &tree, NULL));
    self = cel_from_json(tree, &object);
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        CHECK_STR(compiled(&a, &env, good[i], cel_type(CEL_BOOL), &p), "fine");
        if (p == NULL)
            continue;
        v = cel_eval(p, &run);
        if (!cel_is_true(&v))
            test_fail(__FILE__, __LINE__, "%s: %.*s", good[i], STR_ARG(cel_value_text(&a, &v)));
    }
    CHECK_STR(compiled(&a, &env, "self.foo == 1", NULL, &p),
              "compilation failed: ERROR: <input>:1:5: undefined field 'foo'\n | self.foo == 1\n | ....^");
    CHECK(strstr(arena_cstr(&a, compiled(&a, &env, "self.replicas == 'a'", NULL, &p)),
                 "applied to '(int, string)'") != NULL);
    CHECK(strstr(arena_cstr(&a, compiled(&a, &env, "self.replicas.x", NULL, &p)),
                 "type 'int' does not support field selection") != NULL);
    CHECK_STR(compiled(&a, &env, "self.replicas", cel_type(CEL_BOOL), &p), "must evaluate to bool");
    arena_release(&a);
}

/* ---- Limits ----------------------------------------------------------------------------------------- */

TEST(cost_is_limited)
{
    struct arena a = ARENA_INIT;

    CHECK_STR(
        cel_text_of(&a, STR("lists.range(1000).all(x, lists.range(1000).all(y, x + y >= 0))"), NULL, 10000),
        "error: operation cancelled: actual cost limit exceeded");
    CHECK_STR(cel_text_of(&a, STR("true || lists.range(100000).all(x, x >= 0)"), NULL, 10), "true");
    CHECK_STR(cel_text_of(&a, STR("lists.range(100000).all(x, x >= 0) || true"), NULL, 1000),
              "error: operation cancelled: actual cost limit exceeded");
    arena_release(&a);
}

/* Each does a lot with few calls: what is long or deep costs by its size. */
TEST(work_within_one_call_is_charged)
{
    static const char *const greedy[] = {
        "lists.range(100000).all(x, size(self.s) > 3)", "lists.range(10000).all(x, self == self)",
        "lists.range(10000).all(x, self.l == self.l)", "lists.range(10000).all(x, self.l[4999] != 'x')",
        "lists.range(10000).all(x, self.m['key4999'] == 1)", "self.s.findAll('a.*b|a').size() > 0",
        "lists.range(10000).map(x, self.s).sort().size() > 0", "lists.range(10000).map(x, self.s).max() == ''",
        "self.l.map(x, self.l + self.l).size() > 0", "self.l.all(x, x in self.l)",
    };
    struct buf b = BUF_INIT;

    buf_z(&b, "{\"l\":[\"first\"");
    for (int i = 0; i < 5000; i++)
        buf_fmt(&b, ",\"item%d\"", i);
    buf_z(&b, "],\"m\":{\"first\":1");
    for (int i = 0; i < 5000; i++)
        buf_fmt(&b, ",\"key%d\":1", i);
    buf_z(&b, "},\"s\":\"");
    for (int i = 0; i < 300000; i++)
        buf_char(&b, 'a');
    buf_z(&b, "\"}");
    buf_char(&b, '\0');
    for (size_t i = 0; i < ARRAY_LEN(greedy); i++) {
        struct arena a = ARENA_INIT;
        struct str   got = cel_text_of(&a, str_of(greedy[i]), b.p, CEL_COST_CALL);
        if (!str_is(got, "error: operation cancelled: actual cost limit exceeded"))
            test_fail(__FILE__, __LINE__, "%s: %.*s", greedy[i], STR_ARG(got));
        arena_release(&a);
    }
    buf_release(&b);
}

TEST(memory_is_limited)
{
    struct arena a = ARENA_INIT;
    struct str   s =
        STR("lists.range(20).map(x, 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa')"
            ".map(x, x + x + x + x).map(x, x.replace('a', 'aaaaaaaaaaaaaaaaaaaaaaaaa'))"
            ".map(x, x.replace('a', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'))"
            ".map(x, x.replace('a', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa')).size() > 0");

    CHECK_STR(cel_text_of(&a, s, NULL, UINT64_MAX - 1),
              "error: operation cancelled: actual cost limit exceeded");
    CHECK(arena_used(&a) < 96u << 20);
    arena_release(&a);
}

TEST(text_depth_and_parts_are_limited)
{
    struct arena a = ARENA_INIT;
    struct buf   b = BUF_INIT;

    for (int i = 0; i < 300; i++)
        buf_char(&b, '(');
    buf_char(&b, '1');
    for (int i = 0; i < 300; i++)
        buf_char(&b, ')');
    CHECK(strstr(arena_cstr(&a, cel_text_of(&a, buf_str(&b), NULL, 100)), "recursion limit exceeded") !=
          NULL);
    buf_clear(&b);
    buf_z(&b, "1");
    for (int i = 0; i < 5000; i++)
        buf_z(&b, "+1");
    CHECK(strstr(arena_cstr(&a, cel_text_of(&a, buf_str(&b), NULL, 100)), "recursion limit exceeded") !=
          NULL);
    buf_clear(&b);
    buf_z(&b, "true");
    for (int i = 0; i < 3000; i++)
        buf_z(&b, "&&true");
    CHECK_STR(cel_text_of(&a, buf_str(&b), NULL, 100), "true");
    for (int i = 0; i < 30000; i++)
        buf_z(&b, "&&true");
    CHECK(strstr(arena_cstr(&a, cel_text_of(&a, buf_str(&b), NULL, 100)), "limit: 100000") != NULL);
    buf_release(&b);
    arena_release(&a);
}

static uint64_t estimate(const struct cel_type *self, const char *expression)
{
    struct arena        a = ARENA_INIT;
    struct cel_var      var = { STR("self"), self };
    struct cel_env      env = { &var, 1 };
    struct cel_program *p;
    struct str          why = compiled(&a, &env, expression, NULL, &p);
    uint64_t            n;

    if (p == NULL)
        test_fail(__FILE__, __LINE__, "%s: %.*s", expression, STR_ARG(why));
    n = p != NULL ? cel_program_estimate(p) : 0;
    arena_release(&a);
    return n;
}

TEST(estimates_follow_the_bounds_of_types)
{
    struct cel_type text = { .kind = CEL_STRING, .max = 10 };
    struct cel_type bounded = { .kind = CEL_LIST, .elem = &text, .max = 5 };
    struct cel_type endless = { .kind = CEL_LIST, .elem = &text, .max = CEL_UNBOUNDED };

    CHECK(estimate(&bounded, "self.all(x, x.contains('a'))") < 100);
    CHECK(estimate(&endless, "self.all(x, x.contains('a'))") > 1000000);
    CHECK(estimate(&endless, "self.all(x, self.all(y, x == y))") > CEL_ESTIMATE_RULE);
    CHECK(estimate(&bounded, "self.all(x, self.all(y, x == y))") < 500);
    CHECK(estimate(&bounded, "size(self) > 3") < 10);
    CHECK(estimate(cel_type(CEL_STRING), "self.matches('a+b')") > 300000);
    CHECK(estimate(&endless, "self.all(a, self.all(b, self.all(c, self.all(d, a == d))))") == UINT64_MAX ||
          estimate(&endless, "self.all(a, self.all(b, self.all(c, self.all(d, a == d))))") > 1000000000000);
}
