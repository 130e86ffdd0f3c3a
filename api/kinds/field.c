/* api/kinds/field.c: checks of single fields by name, and walking lists with the path at hand. */
#include "api/kinds/kinds_impl.h"

bool json_is_set(const struct json *v)
{
    if (v == NULL || v->type == JSON_NULL)
        return false;
    if (v->type == JSON_STRING)
        return v->s.n > 0;
    return v->type != JSON_ARRAY || v->n > 0;
}

bool json_same(const struct json *x, const struct json *y)
{
    return json_is_blank(x) ? json_is_blank(y) : !json_is_blank(y) && json_equal(x, y);
}

void put_back(struct arena *a, struct json *to, const struct json *from, const char *key)
{
    const struct json *was = json_getz(from, key);

    if (was != NULL)
        json_setz(a, to, key, json_copy(a, was));
    else
        json_delz(to, key);
}

bool field_need(const struct json *obj, const char *key, const struct at *up, const char *detail,
                struct causes *causes)
{
    struct at at = AT_STR(up, str_of(key));

    if (json_is_set(json_getz(obj, key)))
        return true;
    cause_required(causes, &at, detail);
    return false;
}

void field_forbid(const struct json *obj, const char *key, const struct at *up, const char *detail,
                  struct causes *causes)
{
    struct at at = AT_STR(up, str_of(key));

    if (json_is_set(json_getz(obj, key)))
        cause_forbidden(causes, &at, detail);
}

void field_refuse(const struct json *obj, const char *key, const struct at *up, const char *detail,
                  struct causes *causes)
{
    struct at at = AT_STR(up, str_of(key));

    if (causes->n >= CAUSES_KEPT)
        causes->n++;                             /* nobody will read the value's text */
    else
        cause_invalid_raw(causes, &at, json_text(causes->arena, json_getz(obj, key)), detail);
}

void field_check(name_check_fn *check, const struct json *obj, const char *key, const struct at *up,
                 struct causes *causes)
{
    struct at at = AT_STR(up, str_of(key));

    check_text(check, json_str(json_getz(obj, key)), &at, causes);
}

void field_keep(const struct json *old, const struct json *obj, const char *key, const struct at *up,
                struct causes *causes)
{
    if (!json_same(json_getz(old, key), json_getz(obj, key)))
        field_refuse(obj, key, up, "field is immutable", causes);
}

void field_keep_forbidden(const struct json *old, const struct json *obj, const char *key,
                          const struct at *up, const char *detail, struct causes *causes)
{
    struct at at = AT_STR(up, str_of(key));

    if (!json_same(json_getz(old, key), json_getz(obj, key)))
        cause_forbidden(causes, &at, detail);
}

void field_one_of(const struct json *obj, const char *key, const struct at *up, const char *const *allowed,
                  size_t n, struct causes *causes)
{
    struct at  at = AT_STR(up, str_of(key));
    struct str s = json_str(json_getz(obj, key));

    if (s.n == 0)
        return;
    for (size_t i = 0; i < n; i++)
        if (str_is(s, allowed[i]))
            return;
    cause_unsupported(causes, &at, s, allowed, n);
}

bool list_has(const struct json *list, struct str what)
{
    json_each(it, list)
        if (str_eq(json_str(it), what))
            return true;
    return false;
}

bool each_next(struct each *e)
{
    e->it = e->i++ < 0 ? json__first(e->of) : e->it->next;
    if (e->it == NULL)
        return false;
    e->at = e->of->type == JSON_OBJECT ? AT_MAP(&e->list, e->it->key) : AT_INDEX(&e->list, e->i);
    return true;
}

void field_star_alone(const struct json *obj, const char *key, const char *what, const struct at *up,
                      struct causes *causes)
{
    const struct json *list = json_getz(obj, key);

    if (list != NULL && list->n > 1 && list_has(list, STR("*")))
        field_refuse(obj, key, up,
                     arena_fmt(causes->arena, "if '*' is present, must not specify other %s", what).p,
                     causes);
}
