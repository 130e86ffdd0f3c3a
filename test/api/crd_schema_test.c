/* test/api/crd_schema_test.c: schemas of users' kinds, without an API around them: what is pruned, filled in, told
 * to be wrong, and which rules in CEL hold. */
#include "api/crd/rule.h"
#include "test/api/api_fixture.h"

/* Single quotes stand for double ones, backquotes for single ones. */
static struct str quoted(struct arena *a, const char *text)
{
    char *copy = arena_cstr(a, str_of(text));

    for (char *p = copy; *p != '\0'; p++)
        *p = *p == '\'' ? '"' : *p == '`' ? '\'' : *p;
    return str_of(copy);
}

static struct json *tree(struct arena *a, const char *text)
{
    struct json_error why;
    struct json *v;

    if (json_parse(a, quoted(a, text), &v, &why) < 0)
        test_fail(__FILE__, __LINE__, "no JSON: %s", why.text);
    return v;
}

/* {"v": ...}; NULL: NULL. */
static struct json *member_v(struct arena *a, const char *v)
{
    struct json *obj;

    if (v == NULL)
        return NULL;
    obj = json_object(a);
    json_setz(a, obj, "v", tree(a, v));
    return obj;
}

/* The schema of member `v` of an object that has nothing else. */
static const struct schema_field *compile(struct arena *a, const char *schema, struct schema_type *root)
{
    struct errbuf err = { "" };
    const char *whole = arena_fmt(a, "{'type':'object','properties':{'v':%s}}", schema).p;

    root->name = "test";
    if (crd_compile(tree(a, whole), a, root, &err) < 0)
        test_fail(__FILE__, __LINE__, "%s in %s", err.s, schema);
    crd_rules_compile(root->user, a, NULL, NULL);
    return root->user;
}

static struct str causes_text(struct arena *a, const struct causes *causes)
{
    struct str s = STR("");

    for (const struct cause *c = causes->first; c != NULL; c = c->next)
        s = arena_fmt(a, "%.*s%s%.*s: %.*s", STR_ARG(s), s.n > 0 ? "\n" : "", STR_ARG(c->field),
                      STR_ARG(c->message));
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] == '"')
            ((char *)(uintptr_t)s.p)[i] = '\'';
    return s;
}

/* ---- Pruning and defaults -------------------------------------------------------------------------- */

static const struct schema_kind test_kind = { .group = "a.b", .version = "v1", .kind = "Test" };

static const struct { const char *schema, *given, *kept, *told; } prunes[] = {
    { "{'type':'object','properties':{'a':{'type':'string'}}}", "{'v':{'a':'x','b':1,'c':{'d':2}}}", "{'v':{'a':'x'}}",
      ": unknown field 'v.b'\n: unknown field 'v.c'" },
    { "{'type':'object','x-kubernetes-preserve-unknown-fields':true,'properties':{'a':{'type':'object'}}}",
      "{'v':{'a':{'x':1},'b':{'c':2}}}", "{'v':{'a':{},'b':{'c':2}}}", ": unknown field 'v.a.x'" },
    { "{'type':'object','additionalProperties':{'type':'object','properties':{'a':{'type':'string'}}}}",
      "{'v':{'k':{'a':'x','z':1},'l':{}}}", "{'v':{'k':{'a':'x'},'l':{}}}", ": unknown field 'v.k.z'" },
    { "{'type':'array','items':{'type':'array','items':{'type':'object','properties':{'a':{'type':'integer'}}}}}",
      "{'v':[[{'a':1,'b':2}],[]]}", "{'v':[[{'a':1}],[]]}", ": unknown field 'v[0][0].b'" },
    { "{'x-kubernetes-preserve-unknown-fields':true}", "{'v':[{'a':[null]}],'w':1}", "{'v':[{'a':[null]}]}",
      ": unknown field 'w'" },
    { "{'type':'object','x-kubernetes-embedded-resource':true,'properties':{'spec':{'type':'object'}}}",
      "{'v':{'apiVersion':'v1','kind':'X','metadata':{'name':'n','foo':1},'x':1}}",
      "{'v':{'apiVersion':'v1','kind':'X','metadata':{'name':'n'}}}",
      ": unknown field 'v.metadata.foo'\n: unknown field 'v.x'" },
    /* what is of another type is kept: validation tells */
    { "{'type':'string'}", "{'v':{'a':1}}", "{'v':{}}", ": unknown field 'v.a'" },
    { "{'type':'object','properties':{'a':{'type':'string'}}}", "{'v':[{'a':1}]}", "{'v':[{'a':1}]}", "" },
    /* nulls where there may be none */
    { "{'type':'object','properties':{'a':{'type':'string'},'b':{'type':'string','nullable':true},"
      "'c':{'type':'string','default':'d'},'e':{'type':'string','nullable':true,'default':'f'}}}",
      "{'v':{'a':null,'b':null,'c':null,'e':null}}", "{'v':{'b':null,'e':null,'c':'d'}}", "" },
    /* defaults */
    { "{'type':'object','properties':{'a':{'type':'object','properties':{'b':{'type':'integer','default':7}}}}}",
      "{'v':{}}", "{'v':{}}", "" },
    { "{'type':'object','properties':{'a':{'type':'object','default':{},'properties':{'b':{'type':'integer',"
      "'default':7}}}}}", "{'v':{}}", "{'v':{'a':{'b':7}}}", "" },
    { "{'type':'array','items':{'type':'object','properties':{'p':{'type':'string','default':'TCP'}}}}",
      "{'v':[{},{'p':'UDP'},{'p':null}]}", "{'v':[{'p':'TCP'},{'p':'UDP'},{'p':'TCP'}]}", "" },
    { "{'type':'object','additionalProperties':{'type':'object','properties':{'b':{'type':'boolean','default':true}}}}",
      "{'v':{'k':{}}}", "{'v':{'k':{'b':true}}}", "" },
};

TEST(pruning_and_defaults)
{
    for (size_t i = 0; i < ARRAY_LEN(prunes); i++) {
        struct arena a = ARENA_INIT;
        struct schema_type root = { 0 };
        struct schema_kind k = test_kind;
        struct causes found;
        struct errbuf err = { "" };
        struct json *obj = tree(&a, prunes[i].given);

        compile(&a, prunes[i].schema, &root);
        k.type = &root;
        causes_init(&found, &a);
        CHECK_INT(schema_conform(&k, obj, &a, &found, &err), 0);
        schema_default(&root, obj, &a);
        if (!json_equal(obj, tree(&a, prunes[i].kept))) {
            struct buf b = BUF_INIT;

            json_write(&b, obj);
            test_fail(__FILE__, __LINE__, "row %zu: %.*s", i, (int)b.n, b.p);
        }
        CHECK_STR(causes_text(&a, &found), prunes[i].told);
        arena_release(&a);
    }
}

/* ---- Values ---------------------------------------------------------------------------------------- */

#define IN_BODY(type, is) "v: Invalid value: '" is "': v in body must be of type " type ": '" is "'"

static const struct { const char *schema, *v, *told; } values[] = {
    { "{'type':'string'}", "'x'", "" },
    { "{'type':'string'}", "1", IN_BODY("string", "integer") },
    { "{'type':'string'}", "1.5", IN_BODY("string", "number") },
    { "{'type':'string'}", "[]", IN_BODY("string", "array") },
    { "{'type':'integer'}", "1.0", "" },
    { "{'type':'integer'}", "1.5", IN_BODY("integer", "number") },
    { "{'type':'integer'}", "true", IN_BODY("integer", "boolean") },
    { "{'type':'integer','format':'int32'}", "2147483648", IN_BODY("int32", "int64") },
    { "{'type':'number'}", "3", "" },
    { "{'type':'boolean'}", "'true'", IN_BODY("boolean", "string") },
    { "{'type':'object'}", "[]", IN_BODY("object", "array") },
    { "{'type':'array','items':{'type':'string'}}", "{}", IN_BODY("array", "object") },
    { "{'type':'string'}", "null", IN_BODY("string", "null") },
    { "{'type':'string','nullable':true}", "null", "" },
    { "{'x-kubernetes-int-or-string':true}", "'25%'", "" },
    { "{'x-kubernetes-int-or-string':true}", "5", "" },
    { "{'x-kubernetes-int-or-string':true,'anyOf':[{'type':'integer'},{'type':'string'}]}", "5", "" },
    { "{'x-kubernetes-int-or-string':true}", "[]", IN_BODY("integer,string", "array") },
    { "{'type':'string','minLength':2,'maxLength':3}", "'h\xc3\xa9\xc3\xa9'", "" },
    { "{'type':'string','minLength':2}", "'x'", "v: Invalid value: 'x': v in body should be at least 2 chars long" },
    { "{'type':'string','maxLength':2}", "'xyz'", "v: Too long: may not be more than 2 bytes" },
    { "{'type':'string','pattern':'^a+$'}", "'aaa'", "" },
    { "{'type':'string','pattern':'^a+$'}", "'ab'", "v: Invalid value: 'ab': v in body should match '^a+$'" },
    { "{'type':'string','enum':['a','b']}", "'c'", "v: Unsupported value: 'c': supported values: 'a', 'b'" },
    { "{'type':'integer','enum':[1,2]}", "3", "v: Unsupported value: 3: supported values: '1', '2'" },
    { "{'type':'integer','enum':[1,2]}", "2", "" },
    { "{'type':'integer','minimum':1,'maximum':10}", "11",
      "v: Invalid value: 11: v in body should be less than or equal to 10" },
    { "{'type':'integer','minimum':1}", "0", "v: Invalid value: 0: v in body should be greater than or equal to 1" },
    { "{'type':'number','minimum':1,'exclusiveMinimum':true}", "1",
      "v: Invalid value: 1: v in body should be greater than 1" },
    { "{'type':'number','maximum':1.5,'exclusiveMaximum':true}", "1.5",
      "v: Invalid value: 1.5: v in body should be less than 1.5" },
    { "{'type':'integer','maximum':9007199254740993}", "9007199254740994",
      "v: Invalid value: 9007199254740994: v in body should be less than or equal to 9007199254740993" },
    { "{'type':'integer','multipleOf':3}", "7", "v: Invalid value: 7: v in body should be a multiple of 3" },
    { "{'type':'number','multipleOf':0.5}", "1.5", "" },
    { "{'type':'array','items':{'type':'string'},'maxItems':1}", "['a','b']",
      "v: Too many: 2: must have at most 1 items" },
    { "{'type':'array','items':{'type':'string'},'minItems':1}", "[]",
      "v: Invalid value: 0: v in body should have at least 1 items" },
    { "{'type':'array','items':{'type':'string'}}", "['a',2]",
      "v[1]: Invalid value: 'integer': v[1] in body must be of type string: 'integer'" },
    { "{'type':'object','maxProperties':1,'additionalProperties':{'type':'string'}}", "{'a':'1','b':'2'}",
      "v: Too many: 2: must have at most 1 items" },
    { "{'type':'object','additionalProperties':{'type':'string'}}", "{'a':1}",
      "v.a: Invalid value: 'integer': v.a in body must be of type string: 'integer'" },
    { "{'type':'object','required':['a'],'properties':{'a':{'type':'string'}}}", "{}", "v.a: Required value" },
    { "{'type':'array','x-kubernetes-list-type':'set','items':{'type':'string'}}", "['a','b','a']",
      "v[2]: Duplicate value: 'a'" },
    { "{'type':'array','x-kubernetes-list-type':'map','x-kubernetes-list-map-keys':['n'],'items':{'type':'object',"
      "'properties':{'n':{'type':'string'}}}}", "[{'n':'a'},{'n':'a'}]", "v[1]: Duplicate value: {'n':'a'}" },
    { "{'type':'object','x-kubernetes-embedded-resource':true,'x-kubernetes-preserve-unknown-fields':true}",
      "{'kind':'X'}", "v.apiVersion: Required value: must not be empty" },
    { "{'type':'string','anyOf':[{'pattern':'^a'},{'pattern':'^b'}]}", "'bc'", "" },
    { "{'type':'string','anyOf':[{'pattern':'^a'},{'pattern':'^b'}]}", "'c'",
      "v: Invalid value: '': 'v' must validate at least one schema (anyOf)\n"
      "v: Invalid value: 'c': v in body should match '^a'" },
    { "{'type':'object','properties':{'a':{'type':'string'},'b':{'type':'string'}},'oneOf':[{'required':['a']},"
      "{'required':['b']}]}", "{'a':'1','b':'2'}",
      "v: Invalid value: '': 'v' must validate one and only one schema (oneOf). Found 2 valid alternatives" },
    { "{'type':'object','properties':{'a':{'type':'string'},'b':{'type':'string'}},'oneOf':[{'required':['a']},"
      "{'required':['b']}]}", "{}",
      "v: Invalid value: '': 'v' must validate one and only one schema (oneOf). Found none valid\n"
      "v.a: Required value" },
    { "{'type':'integer','allOf':[{'minimum':1},{'maximum':5}]}", "3", "" },
    { "{'type':'integer','allOf':[{'minimum':1},{'maximum':5}]}", "9",
      "v: Invalid value: 9: v in body should be less than or equal to 5\n"
      "v: Invalid value: '': 'v' must validate all the schemas (allOf)" },
    { "{'type':'string','not':{'enum':['x']}}", "'x'",
      "v: Invalid value: '': 'v' must not validate the schema (not)" },
    { "{'type':'string','format':'ipv4'}", "'10.0.0.300'", IN_BODY("ipv4", "10.0.0.300") },
    { "{'type':'string','format':'date-time'}", "'2020-01-01T00:00:00Z'", "" },
    { "{'type':'string','format':'nobody-knows'}", "'x'", "" },
};

TEST(values_that_fit_and_that_do_not)
{
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        struct arena a = ARENA_INIT;
        struct schema_type root = { 0 };
        struct causes found;
        struct json *obj = member_v(&a, values[i].v);
        const struct schema_field *f = compile(&a, values[i].schema, &root);

        causes_init(&found, &a);
        schema_validate(&root, obj, NULL, &found);
        if (!str_is(causes_text(&a, &found), values[i].told))
            test_fail(__FILE__, __LINE__, "row %zu: %.*s", i, STR_ARG(causes_text(&a, &found)));
        CHECK(crd_fits(f, obj) == (found.n == 0) || strstr(values[i].told, "Duplicate") != NULL);
        arena_release(&a);
    }
}

static const struct { const char *schema, *v, *old, *told; } changes[] = {
    /* what did not change passes, what did change does not */
    { "{'type':'string','maxLength':2}", "'xyz'", "'xyz'", "" },
    { "{'type':'string','maxLength':2}", "'xyz'", "'abc'", "v: Too long: may not be more than 2 bytes" },
    { "{'type':'object','additionalProperties':{'type':'integer'}}", "{'a':'x','b':'z'}", "{'a':'x','b':'y'}",
      "v.b: Invalid value: 'string': v.b in body must be of type integer: 'string'" },
    { "{'type':'array','x-kubernetes-list-type':'map','x-kubernetes-list-map-keys':['n'],'items':{'type':'object',"
      "'properties':{'n':{'type':'string'},'x':{'type':'integer','minimum':5}}}}",
      "[{'n':'b','x':1},{'n':'a','x':2},{'n':'c','x':3}]", "[{'n':'a','x':2},{'n':'b','x':1}]",
      "v[2].x: Invalid value: 3: v[2].x in body should be greater than or equal to 5" },
    { "{'type':'array','items':{'type':'integer','minimum':5}}", "[1,9]", "[1,8]",
      "v[0]: Invalid value: 1: v[0] in body should be greater than or equal to 5" },
};

TEST(changes_of_what_was_wrong_before)
{
    for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
        struct arena a = ARENA_INIT;
        struct schema_type root = { 0 };
        struct causes found;
        struct json *obj = member_v(&a, changes[i].v), *old = member_v(&a, changes[i].old);

        compile(&a, changes[i].schema, &root);
        causes_init(&found, &a);
        schema_validate_over(&root, old, obj, NULL, &found);
        CHECK_STR(causes_text(&a, &found), changes[i].told);
        arena_release(&a);
    }
}

/* Twenty thousand elements in the reverse order: each finds its old one. */
TEST(long_lists_with_keys)
{
    struct arena a = ARENA_INIT;
    struct schema_type root = { 0 };
    struct causes found;
    struct json *obj = json_object(&a), *old = json_object(&a), *now = json_setz(&a, obj, "v", json_array(&a)),
                *was = json_setz(&a, old, "v", json_array(&a));
    const int n = 20000;

    compile(&a, "{'type':'array','x-kubernetes-list-type':'map','x-kubernetes-list-map-keys':['n'],'items':{'type':"
                "'object','properties':{'n':{'type':'string'},'x':{'type':'integer','minimum':5}}}}", &root);
    for (int i = 0; i < n; i++) {
        struct json *x = json_push(was, json_object(&a)), *y = json_push(now, json_object(&a));

        json_setf(&a, x, "n", "name-%d", i);
        json_setz(&a, x, "x", json_int(&a, 1));
        json_setf(&a, y, "n", "name-%d", n - 1 - i);
        json_setz(&a, y, "x", json_int(&a, i == 7 ? 2 : 1));
    }
    causes_init(&found, &a);
    schema_validate_over(&root, old, obj, NULL, &found);
    CHECK_STR(causes_text(&a, &found), "v[7].x: Invalid value: 2: v[7].x in body should be greater than or equal to 5");
    arena_release(&a);
}

static const struct { const char *format, *fits, *not; } formats[] = {
    { "uri", "https://a.b/c", "a b" },          { "email", "a@b.c", "a.b.c" },
    { "hostname", "a-b.c", "-a.b" },            { "ipv6", "fe80::1", "1.2.3.4" },
    { "cidr", "10.0.0.0/8", "10.0.0.0" },       { "mac", "01:23:45:67:89:ab", "01:23:45:67:89" },
    { "uuid", "123e4567-e89b-12d3-a456-426614174000", "123e4567" },
    { "uuid4", "123e4567-e89b-42d3-a456-426614174000", "123e4567-e89b-12d3-a456-426614174000" },
    { "isbn10", "0-306-40615-2", "0-306-40615-3" }, { "isbn13", "978-0-306-40615-7", "978-0-306-40615-6" },
    { "creditcard", "4111111111111111", "4111111111111112" }, { "ssn", "111-22-3333", "111223333" },
    { "hexcolor", "#FFaa00", "#FFaa0" },        { "rgbcolor", "rgb(1,2,255)", "rgb(1,2,256)" },
    { "byte", "YWI=", "YWI" },                  { "date", "2020-02-29", "2020-02-30" },
    { "duration", "1h30m", "an hour" },         { "bsonobjectid", "507f1f77bcf86cd799439011", "507f" },
};

TEST(formats_of_texts)
{
    for (size_t i = 0; i < ARRAY_LEN(formats); i++) {
        if (!crd_format_fits(str_of(formats[i].format), str_of(formats[i].fits)))
            test_fail(__FILE__, __LINE__, "row %zu should fit", i);
        if (crd_format_fits(str_of(formats[i].format), str_of(formats[i].not)))
            test_fail(__FILE__, __LINE__, "row %zu should not fit", i);
        CHECK(crd_format_known(str_of(formats[i].format)));
    }
}

/* ---- Rules ----------------------------------------------------------------------------------------- */

#define RULE(schema, rule) "{" schema ",'x-kubernetes-validations':[" rule "]}"
#define TWO "'type':'object','properties':{'a':{'type':'integer'},'b':{'type':'integer'},'s':{'type':'string'}}"

static const struct { const char *schema, *v, *old, *told; } rules[] = {
    { RULE(TWO, "{'rule':'self.a <= self.b'}"), "{'a':1,'b':2}", NULL, "" },
    { RULE(TWO, "{'rule':'self.a <= self.b'}"), "{'a':3,'b':2}", NULL,
      "v: Invalid value: 'object': failed rule: self.a <= self.b" },
    { RULE(TWO, "{'rule':'self.a <= self.b','message':'a must not be above b'}"), "{'a':3,'b':2}", NULL,
      "v: Invalid value: 'object': a must not be above b" },
    { RULE(TWO, "{'rule':'self.a <= self.b','messageExpression':'string(self.a) + `>` + string(self.b)'}"),
      "{'a':3,'b':2}", NULL, "v: Invalid value: 'object': 3>2" },
    { RULE(TWO, "{'rule':'has(self.s)','reason':'FieldValueRequired','fieldPath':'.s','message':'s is needed'}"),
      "{}", NULL, "v.s: Required value: s is needed" },
    { RULE(TWO, "{'rule':'!has(self.s)','reason':'FieldValueForbidden','fieldPath':'.s','message':'no'}"),
      "{'s':'x'}", NULL, "v.s: Forbidden: no" },
    /* transition rules */
    { RULE(TWO, "{'rule':'self.a >= oldSelf.a','message':'a only grows'}"), "{'a':1}", NULL, "" },
    { RULE(TWO, "{'rule':'self.a >= oldSelf.a','message':'a only grows'}"), "{'a':1}", "{'a':2}",
      "v: Invalid value: 'object': a only grows" },
    { RULE(TWO, "{'rule':'self.a >= oldSelf.a','message':'a only grows'}"), "{'a':3}", "{'a':2}", "" },
    { RULE("'type':'integer'", "{'rule':'self == oldSelf.orValue(1)','optionalOldSelf':true}"), "2", NULL,
      "v: Invalid value: 'number': failed rule: self == oldSelf.orValue(1)" },
    { RULE("'type':'integer'", "{'rule':'self == oldSelf.orValue(1)','optionalOldSelf':true}"), "2", "2", "" },
    /* elements of a list by their keys, wherever they stand */
    { "{'type':'array','x-kubernetes-list-type':'map','x-kubernetes-list-map-keys':['n'],'items':" RULE(
          "'type':'object','required':['n'],'properties':{'n':{'type':'string'},'x':{'type':'integer'}}",
          "{'rule':'self.x >= oldSelf.x'}") "}",
      "[{'n':'b','x':1},{'n':'a','x':5},{'n':'c','x':0}]", "[{'n':'a','x':4},{'n':'b','x':2}]",
      "v[0]: Invalid value: 'object': failed rule: self.x >= oldSelf.x" },
    { "{'type':'object','additionalProperties':" RULE("'type':'integer'", "{'rule':'self > 0'}") "}",
      "{'a':1,'b':0}", NULL, "v.b: Invalid value: 'number': failed rule: self > 0" },
    { RULE("'type':'array','items':{'type':'string'}", "{'rule':'self.all(x, x.startsWith(`a`))'}"), "['ab','b']",
      NULL, "v: Invalid value: 'array': failed rule: self.all(x, x.startsWith('a'))" },
    /* what did not change passed before, or was there before the rule */
    { RULE(TWO, "{'rule':'self.a <= self.b'}"), "{'a':3,'b':2}", "{'a':3,'b':2}", "" },
    /* what is not of its type makes rules meaningless */
    { RULE(TWO, "{'rule':'self.a <= self.b'}"), "{'a':'x','b':2}", NULL,
      "v.a: Invalid value: 'string': v.a in body must be of type integer: 'string'\n: Invalid value: 'null': some "
      "validation rules were not checked because the object was invalid; correct the existing errors to complete "
      "validation" },
};

TEST(rules_in_cel)
{
    for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
        struct arena a = ARENA_INIT;
        struct schema_type root = { 0 };
        struct causes found;
        struct json *obj = member_v(&a, rules[i].v), *old = member_v(&a, rules[i].old);
        const struct schema_field *f = compile(&a, rules[i].schema, &root);

        causes_init(&found, &a);
        schema_validate(&root, obj, NULL, &found);
        crd_rules_check(f, obj, old, &a, &found);
        if (!str_is(causes_text(&a, &found), rules[i].told))
            test_fail(__FILE__, __LINE__, "row %zu: %.*s", i, STR_ARG(causes_text(&a, &found)));
        arena_release(&a);
    }
}

/* A walk over a thousand elements of a thousand: the budget ends it, and says so once. */
TEST(rules_that_cost_too_much)
{
    struct arena a = ARENA_INIT;
    struct schema_type root = { 0 };
    struct causes found;
    struct json *obj = json_object(&a), *list = json_setz(&a, obj, "v", json_array(&a));
    const struct schema_field *f = compile(
        &a, RULE("'type':'array','items':{'type':'integer'}",
                 "{'rule':'self.all(x, self.all(y, self.all(z, x + y + z >= 0)))'}"), &root);

    for (int i = 0; i < 1000; i++)
        json_push(list, json_int(&a, i));
    causes_init(&found, &a);
    crd_rules_check(f, obj, NULL, &a, &found);
    CHECK_INT(found.n, 1);
    CHECK(memmem(found.first->message.p, found.first->message.n, "cost budget", 11) != NULL);
    arena_release(&a);
}
