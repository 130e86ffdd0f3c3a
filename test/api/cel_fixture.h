/* test/api/cel_fixture.h: rows of expressions and what they evaluate to. */
#ifndef TEST_API_CEL_FIXTURE_H
#define TEST_API_CEL_FIXTURE_H

#include "api/cel.h"
#include "test/test.h"

/* Evaluates over variables of JSON: `self` (dyn); returns the value's text, "error: ..." or "compile: ...".
 */
static struct str cel_text_of(struct arena *a, struct str expression, const char *self, uint64_t limit)
{
    struct cel_var      var = { STR("self"), cel_type(CEL_DYN) };
    struct cel_env      env = { &var, 1 };
    struct cel_program *p = NULL;
    struct json        *tree = NULL;
    struct cel_value    value = cel_null(), v;
    struct cel_run      run = { .arena = a, .vars = &value, .limit = limit };
    struct str          why = STR_NONE, text;

    if (cel_compile(&p, &env, expression, NULL, a, &why) != 0)
        return arena_fmt(a, "compile: %.*s", STR_ARG(why));
    if (self != NULL) {
        must_ok(json_parse(a, str_of(self), &tree, NULL));
        value = cel_from_json(tree, NULL);
    }
    v = cel_eval(p, &run);
    text = cel_value_text(a, &v);
    return v.kind == CEL_ERROR ? arena_fmt(a, "error: %.*s", STR_ARG(text)) : text;
}

static inline void cel_is_at(int line, const char *expression, const char *self, const char *want)
{
    struct arena a = ARENA_INIT;
    struct str   got = cel_text_of(&a, str_of(expression), self, CEL_COST_CALL);

    if (!str_is(got, want))
        test_fail(__FILE__, line, "%s is %.*s, not %s", expression, STR_ARG(got), want);
    arena_release(&a);
}

/* `want` is part of the error, compile-time or not. */
static inline void cel_bad_at(int line, const char *expression, const char *self, const char *want)
{
    struct arena a = ARENA_INIT;
    struct str   got = cel_text_of(&a, str_of(expression), self, CEL_COST_CALL);

    if ((!str_starts(got, STR("error: ")) && !str_starts(got, STR("compile: "))) ||
        memmem(got.p, got.n, want, strlen(want)) == NULL)
        test_fail(__FILE__, line, "%s is %.*s, not %s", expression, STR_ARG(got), want);
    arena_release(&a);
}

#define IS(expression, want)            cel_is_at(__LINE__, expression, NULL, want)
#define ON(self, expression, want)      cel_is_at(__LINE__, expression, self, want)
#define TRUE(expression)                cel_is_at(__LINE__, expression, NULL, "true")
#define FALSE(expression)               cel_is_at(__LINE__, expression, NULL, "false")
#define BAD(expression, want)           cel_bad_at(__LINE__, expression, NULL, want)
#define BAD_ON(self, expression, want)  cel_bad_at(__LINE__, expression, self, want)

#endif
