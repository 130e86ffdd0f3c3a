/* api/amounts.c: see api/amounts.h. */
#include <stdlib.h>
#include "api/amounts.h"

struct quantity *amounts_get(const struct amounts *u, struct str name)
{
    for (unsigned i = 0; i < u->n; i++)
        if (str_eq(u->v[i].name, name))
            return &u->v[i].amount;
    return NULL;
}

static void append(struct amounts *u, struct str name, struct quantity q)
{
    if (u->n == u->cap) {
        unsigned            cap = MAX_OF(u->cap * 2, 8u);
        struct amount *v = arena_alloc(u->arena, cap * sizeof *v);

        if (u->n > 0)
            memcpy(v, u->v, u->n * sizeof *v);
        u->v = v;
        u->cap = cap;
    }
    u->v[u->n++] = (struct amount){ name, q };
}

void amounts_add(struct amounts *u, struct str name, struct quantity q)
{
    struct quantity *was = amounts_get(u, name);

    if (was != NULL)
        *was = quantity_add(*was, q);
    else
        append(u, name, q);
}

void amounts_add_count(struct amounts *u, struct str name, int64_t n)
{
    amounts_add(u, name, quantity_make(n, QUANTITY_DECIMAL_SI));
}

void amounts_add_all(struct amounts *u, const struct amounts *other)
{
    for (unsigned i = 0; i < other->n; i++)
        amounts_add(u, other->v[i].name, other->v[i].amount);
}

void amounts_max(struct amounts *u, const struct amounts *other)
{
    for (unsigned i = 0; i < other->n; i++) {
        struct quantity *was = amounts_get(u, other->v[i].name);

        if (was == NULL)
            append(u, other->v[i].name, other->v[i].amount);
        else if (quantity_cmp(*was, other->v[i].amount) < 0)
            *was = other->v[i].amount;
    }
}

static struct quantity read_one(const struct json *v)
{
    struct quantity q;

    return quantity_from_json(v, &q, NULL) < 0 ? QUANTITY_ZERO : q;
}

void amounts_read(struct amounts *u, const struct json *map)
{
    json_each(v, map)
        if (amounts_get(u, v->key) == NULL)
            append(u, v->key, read_one(v));
}

struct json *amounts_json(const struct amounts *u)
{
    struct json *map = json_object(u->arena);

    for (unsigned i = 0; i < u->n; i++)
        json_set(u->arena, map, u->v[i].name,
                 json_string_ref(u->arena, quantity_text(u->arena, u->v[i].amount)));
    return map;
}

static int by_name(const void *x, const void *y)
{
    return str_cmp(((const struct amount *)x)->name, ((const struct amount *)y)->name);
}

void amounts_sort(struct amounts *u)
{
    if (u->n > 0)
        qsort(u->v, u->n, sizeof *u->v, by_name);
}

struct str amounts_text(struct arena *a, const struct amounts *u)
{
    struct amounts sorted = amounts_make(a);
    struct str     text = STR("");

    amounts_add_all(&sorted, u);
    amounts_sort(&sorted);
    for (unsigned i = 0; i < sorted.n; i++)
        text = arena_fmt(a, "%.*s%s%.*s=%.*s", STR_ARG(text), i > 0 ? "," : "", STR_ARG(sorted.v[i].name),
                         STR_ARG(quantity_text(a, sorted.v[i].amount)));
    return text;
}

/* ---- Pods ------------------------------------------------------------------------------------------- */

static struct amounts of_container(struct arena *a, const struct json *container, const char *which)
{
    struct amounts u = amounts_make(a);

    amounts_read(&u, json_getz(json_getz(container, "resources"), which));
    return u;
}

/* Of limits only what is limited at all gets more by the overhead. */
static void add_overhead(struct amounts *u, const struct json *overhead, bool only_there)
{
    struct amounts more = amounts_make(u->arena);

    amounts_read(&more, overhead);
    for (unsigned i = 0; i < more.n; i++)
        if (!only_there || amounts_get(u, more.v[i].name) != NULL)
            amounts_add(u, more.v[i].name, more.v[i].amount);
}

void amounts_of_pod(struct amounts *u, const struct json *spec, const char *which)
{
    struct arena *a = u->arena;
    struct amounts  all = amounts_make(a), staying = amounts_make(a), starting = amounts_make(a);

    json_each(c, json_getz(spec, "containers")) {
        struct amounts its = of_container(a, c, which);

        amounts_add_all(&all, &its);
    }
    json_each(c, json_getz(spec, "initContainers")) {
        struct amounts its = of_container(a, c, which);

        if (str_is(json_str(json_getz(c, "restartPolicy")), "Always")) {
            amounts_add_all(&all, &its);
            amounts_add_all(&staying, &its);
            its = amounts_make(a);
        }
        amounts_add_all(&its, &staying);
        amounts_max(&starting, &its);
    }
    amounts_max(&all, &starting);
    add_overhead(&all, json_getz(spec, "overhead"), strcmp(which, "limits") == 0);
    amounts_add_all(u, &all);
}
