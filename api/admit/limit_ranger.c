/* api/admit/limit_ranger.c: LimitRanger: what containers ask for when they don't say, and that containers,
 * pods and claims stay within the limits of single objects in their namespace. */
#include "api/admit/plugin.h"
#include "api/amounts.h"
#include "api/kinds/kinds_impl.h"

#define ANNOTATION "kubernetes.io/limit-ranger"

static struct str join(struct arena *a, struct str text, const char *between, struct str more)
{
    return text.n > 0 ? arena_fmt(a, "%.*s%s%.*s", STR_ARG(text), between, STR_ARG(more)) : more;
}

/* ---- Defaults ------------------------------------------------------------------------------------------ */

/* The names that were missing, "cpu, memory". */
static struct str fill(struct arena *a, struct json *container, const char *which,
                       const struct json *defaults)
{
    struct amounts set = amounts_make(a);
    struct str     names = STR("");

    json_each(it, defaults) {
        struct json *map = json_path(container, "resources");

        if (json_get(json_getz(map, which), it->key) != NULL)
            continue;
        map = json_make_path(a, json_make_path(a, container, "resources"), which);
        json_set(a, map, it->key, json_copy(a, it));
        amounts_add_count(&set, it->key, 1);
    }
    amounts_sort(&set);
    for (unsigned i = 0; i < set.n; i++)
        names = join(a, names, ", ", set.v[i].name);
    return names;
}

static void fill_containers(struct arena *a, struct json *list, const char *what, const struct json *limit,
                            struct str *notes)
{
    static const char *const which[][3] = { { "requests", "defaultRequest", "request" },
                                            { "limits", "default", "limit" } };

    json_each(c, list)
        for (size_t i = 0; i < ARRAY_LEN(which); i++) {
            struct str names = fill(a, c, which[i][0], json_getz(limit, which[i][1]));

            if (names.n > 0)
                *notes = join(a, *notes, "; ",
                              arena_fmt(a, "%.*s %s for %s %.*s", STR_ARG(names), which[i][2], what,
                                        STR_ARG(json_str(json_getz(c, "name")))));
        }
}

static void mutate_pod(struct admission *a)
{
    struct arena     *arena = a->k->arena;
    struct json      *spec = json_getz(a->obj, "spec");
    struct str        notes = STR("");
    struct admit_list l;

    for (admit_list_open(&l, a, "", "limitranges", a->k->ns); admit_list_next(&l);)
        json_each(limit, json_path(admit_list_json(&l), "spec.limits")) {
            if (!str_is(json_str(json_getz(limit, "type")), "Container"))
                continue;
            fill_containers(arena, json_getz(spec, "containers"), "container", limit, &notes);
            fill_containers(arena, json_getz(spec, "initContainers"), "init container", limit, &notes);
        }
    if (notes.n > 0)
        json_setf(arena, json_make_path(arena, a->obj, "metadata.annotations"), ANNOTATION,
                  "LimitRanger plugin set: %.*s", STR_ARG(notes));
}

/* ---- Limits ---------------------------------------------------------------------------------- */

/* One amount against one bound. */
struct check {
    struct arena *arena;
    struct str type, name;                       /* "Container", "cpu" */
    struct quantity bound;
    const struct quantity *request, *limit;      /* NULL: not said */
    struct str wrong;                            /* so far */
    unsigned n;                                  /* ... of so many */
};

static void add_wrong(struct check *c, const char *verb, const char *what, const struct quantity *is,
                      const char *missing)
{
    struct str text = arena_fmt(c->arena, "%s %.*s usage per %.*s is %.*s", verb, STR_ARG(c->name),
                                STR_ARG(c->type), STR_ARG(quantity_text(c->arena, c->bound)));

    if (is == NULL)
        text = arena_fmt(c->arena, "%.*s.  No %s is specified", STR_ARG(text), missing);
    else
        text = arena_fmt(c->arena, "%.*s, but %s is %.*s", STR_ARG(text), what,
                         STR_ARG(quantity_text(c->arena, *is)));
    c->wrong = join(c->arena, c->wrong, ", ", text);
    c->n++;
}

static void check_min(struct check *c)
{
    if (c->request == NULL)
        add_wrong(c, "minimum", "", NULL, "request");
    else if (quantity_cmp(*c->request, c->bound) < 0)
        add_wrong(c, "minimum", "request", c->request, "");
    else if (c->limit != NULL && quantity_cmp(*c->limit, c->bound) < 0)
        add_wrong(c, "minimum", "limit", c->limit, "");
}

static void check_max(struct check *c)
{
    if (c->limit == NULL)
        add_wrong(c, "maximum", "", NULL, "limit");
    else if (quantity_cmp(*c->limit, c->bound) > 0)
        add_wrong(c, "maximum", "limit", c->limit, "");
    else if (c->request != NULL && quantity_cmp(*c->request, c->bound) > 0)
        add_wrong(c, "maximum", "request", c->request, "");
}

/* Of claims, which have no limits. */
static void check_max_request(struct check *c)
{
    if (c->request == NULL)
        add_wrong(c, "maximum", "", NULL, "request");
    else if (quantity_cmp(*c->request, c->bound) > 0)
        add_wrong(c, "maximum", "request", c->request, "");
}

static void check_ratio(struct check *c)
{
    struct str text;
    double     ratio;

    if (c->request == NULL || quantity_is_zero(*c->request)) {
        text = STR("no request is specified or request is 0");
    } else if (c->limit == NULL || quantity_is_zero(*c->limit)) {
        text = STR("no limit is specified or limit is 0");
    } else {
        ratio = quantity_double(*c->limit) / quantity_double(*c->request);
        if (ratio <= quantity_double(c->bound))
            return;
        text = arena_fmt(c->arena, "provided ratio is %f", ratio);
    }
    text = arena_fmt(c->arena, "%.*s max limit to request ratio per %.*s is %.*s, but %.*s", STR_ARG(c->name),
                     STR_ARG(c->type), STR_ARG(quantity_text(c->arena, c->bound)), STR_ARG(text));
    c->wrong = join(c->arena, c->wrong, ", ", text);
    c->n++;
}

static void check_each(struct check *c, const struct json *bounds, const struct amounts *requests,
                       const struct amounts *limits, void (*fn)(struct check *c))
{
    json_each(it, bounds) {
        c->name = it->key;
        c->bound = json_quantity(it);
        c->request = amounts_get(requests, it->key);
        c->limit = limits != NULL ? amounts_get(limits, it->key) : NULL;
        fn(c);
    }
}

static void check_amounts(struct check *c, const struct json *limit, const struct amounts *requests,
                          const struct amounts *limits)
{
    check_each(c, json_getz(limit, "min"), requests, limits, check_min);
    check_each(c, json_getz(limit, "max"), requests, limits, limits != NULL ? check_max : check_max_request);
    if (limits != NULL)
        check_each(c, json_getz(limit, "maxLimitRequestRatio"), requests, limits, check_ratio);
}

static void check_containers(struct check *c, const struct json *limit, const struct json *list)
{
    json_each(container, list) {
        struct amounts requests = amounts_make(c->arena), limits = amounts_make(c->arena);

        amounts_read(&requests, json_path(container, "resources.requests"));
        amounts_read(&limits, json_path(container, "resources.limits"));
        check_amounts(c, limit, &requests, &limits);
    }
}

static void check_pod(struct check *c, const struct json *limit, const struct json *spec)
{
    struct amounts requests = amounts_make(c->arena), limits = amounts_make(c->arena);

    amounts_of_pod(&requests, spec, "requests");
    amounts_of_pod(&limits, spec, "limits");
    check_amounts(c, limit, &requests, &limits);
}

static void check_claim(struct check *c, const struct json *limit, const struct json *spec)
{
    struct amounts requests = amounts_make(c->arena);

    amounts_read(&requests, json_path(spec, "resources.requests"));
    check_amounts(c, limit, &requests, NULL);
}

static void check_limit(struct check *c, const struct json *limit, const struct json *spec, bool pod)
{
    c->type = json_str(json_getz(limit, "type"));
    if (pod && str_is(c->type, "Container")) {
        check_containers(c, limit, json_getz(spec, "containers"));
        check_containers(c, limit, json_getz(spec, "initContainers"));
    } else if (pod && str_is(c->type, "Pod")) {
        check_pod(c, limit, spec);
    } else if (!pod && str_is(c->type, "PersistentVolumeClaim")) {
        check_claim(c, limit, spec);
    }
}

static void validate(struct admission *a)
{
    bool              pod = strcmp(a->k->res->plural, "pods") == 0;
    struct admit_list l;

    for (admit_list_open(&l, a, "", "limitranges", a->k->ns); admit_list_next(&l) && a->k->refused == 0;) {
        struct check c = { .arena = a->k->arena };

        json_each(limit, json_path(admit_list_json(&l), "spec.limits"))
            check_limit(&c, limit, json_getz(a->obj, "spec"), pod);
        if (c.n > 0)
            admit_refuse(a, c.n > 1 ? "[%.*s]" : "%.*s", STR_ARG(c.wrong));
    }
}

const struct admit_plugin admit_limit_ranger = {
    .name = "LimitRanger", .on = true,
    .match = { { "", "pods", NULL, ADMIT_CREATE, .mutate = mutate_pod, .validate = validate },
               { "", "pods", "resize", ADMIT_UPDATE, .validate = validate },
               { "", "persistentvolumeclaims", NULL, ADMIT_WRITES, .validate = validate } },
};
