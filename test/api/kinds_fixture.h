/* test/api/kinds_fixture.h: the kinds' own rules, case by case: JSON in, "path: message" out.
 * In literals single quotes stand for double ones. */
#ifndef TEST_API_KINDS_FIXTURE_H
#define TEST_API_KINDS_FIXTURE_H

#include "api/kinds.h"
#include "test/api/api_fixture.h"

/* 10.96.0.0/16 */
static const struct service_net fixture_net = { { { { false, 0, 0x0a600000 }, 16, 65534 } }, 1, 30000, 32767 };

struct at_work {
    struct arena             a;
    struct kind_ctx          c;
    struct causes            causes;
    const struct resource   *res;
    const struct kind_hooks *hooks;
};

static inline void work_open(struct at_work *w, const char *group, const char *plural)
{
    memset(w, 0, sizeof *w);
    arena_init(&w->a);
    w->res = resource_find(str_of(group), STR("v1"), str_of(plural));
    if (w->res != NULL && w->res->stored_as != NULL)
        w->res = w->res->stored_as;
    if (w->res == NULL) {
        test_fail(__FILE__, __LINE__, "no resource %s", plural);
        abort();
    }
    w->hooks = kind_hooks_find(w->res);
    w->c = (struct kind_ctx){ .arena = &w->a, .res = w->res, .asked = w->res, .ns = STR("default"), .name = STR("x"), .net = &fixture_net };
    causes_init(&w->causes, &w->a);
}

/* Decoded, with all defaults. */
static inline struct json *complete(struct at_work *w, const char *text)
{
    struct json  *obj = parse(&w->a, text);
    struct errbuf err = { "" };

    if (schema_conform(w->res->kind, obj, &w->a, NULL, &err) < 0)
        test_fail(__FILE__, __LINE__, "%s: %s", text, err.s);
    if (json_path_str(obj, "metadata.name").n > 0)
        w->c.name = json_path_str(obj, "metadata.name");
    schema_default(w->res->kind->type, obj, &w->a);
    if (w->hooks->default_ != NULL)
        w->hooks->default_(&w->c, obj);
    return obj;
}

/* All that was found wrong, a line each, with single quotes only. */
static inline struct str told(struct at_work *w)
{
    struct buf b = BUF_INIT;
    struct str s;

    for (const struct cause *c = w->causes.first; c != NULL; c = c->next)
        buf_fmt(&b, "%s%.*s: %.*s", b.n > 0 ? "\n" : "", STR_ARG(c->field), STR_ARG(c->message));
    for (size_t i = 0; i < b.n; i++)
        if (b.p[i] == '"')
            b.p[i] = '\'';
    s = arena_str(&w->a, buf_str(&b));
    buf_release(&b);
    return s;
}

/* want may end in "..." for more that is not looked at: words that other tests are about. */
static inline bool is_told(struct at_work *w, const char *want)
{
    struct str s = told(w), t = str_of(want);

    if (str_ends(t, STR("...")))
        return str_starts(s, str_upto(t, t.n - 3));
    return str_eq(s, t);
}

/* `in` put where the frame says %s; a % in it means nothing. */
static inline char *framed(struct at_work *w, const char *frame, const char *in)
{
    const char *at = strstr(frame, "%s");

    return arena_cstr(&w->a, arena_fmt(&w->a, "%.*s%s%s", (int)(at - frame), frame, in, at + 2));
}

/* An object, and all that is wrong with it. */
struct wrong { const char *in, *want; };

static inline void check_create(const char *group, const char *plural, const char *frame, const struct wrong *cases, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct at_work w;
        struct json   *obj;

        work_open(&w, group, plural);
        w.c.creating = true;
        obj = complete(&w, framed(&w, frame, cases[i].in));
        schema_validate(w.res->kind->type, obj, NULL, &w.causes);
        w.hooks->validate(&w.c, obj, &w.causes);
        if (!is_told(&w, cases[i].want))
            test_fail(__FILE__, __LINE__, "%s\n is told\n%.*s\n not\n%s", cases[i].in, STR_ARG(told(&w)), cases[i].want);
        arena_release(&w.a);
    }
}

/* What is wrong with making one of the other. */
struct change { const char *old, *new, *want; };

static inline void check_update(const char *group, const char *plural, const char *frame, const struct change *cases, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct at_work w;
        struct json   *old, *obj;

        work_open(&w, group, plural);
        old = complete(&w, framed(&w, frame, cases[i].old));
        obj = complete(&w, framed(&w, frame, cases[i].new));
        schema_validate_update(w.res->kind->type, old, obj, NULL, &w.causes);
        if (w.hooks->validate_update != NULL)
            w.hooks->validate_update(&w.c, old, obj, &w.causes);
        if (!is_told(&w, cases[i].want))
            test_fail(__FILE__, __LINE__, "%s -> %s\n is told\n%.*s\n not\n%s", cases[i].old, cases[i].new, STR_ARG(told(&w)), cases[i].want);
        arena_release(&w.a);
    }
}

/* The same of writes of the status. */
static inline void check_status(const char *group, const char *plural, const char *frame, const struct change *cases, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct at_work w;
        struct json   *old, *obj;

        work_open(&w, group, plural);
        old = complete(&w, framed(&w, frame, cases[i].old));
        obj = complete(&w, framed(&w, frame, cases[i].new));
        w.hooks->validate_status(&w.c, old, obj, &w.causes);
        if (!is_told(&w, cases[i].want))
            test_fail(__FILE__, __LINE__, "%s -> %s\n is told\n%.*s\n not\n%s", cases[i].old, cases[i].new, STR_ARG(told(&w)), cases[i].want);
        arena_release(&w.a);
    }
}

#endif
