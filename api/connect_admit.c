/* api/connect_admit.c: connections are admitted as well: what a plugin sees is an object of the options in
 * the query, as the original makes one (PodExecOptions, ServiceProxyOptions ...). */
#include "api/answer.h"
#include "api/connect.h"
#include "api/write.h"

/* Which parameters there are, by name; '?' before it: a switch, '*': a list, '#': a list of numbers. */
static const struct options { const char *plural, *sub, *kind, *params[8]; } all_options[] = {
    { "pods", "exec", "PodExecOptions",
      { "?stdin", "?stdout", "?stderr", "?tty", "container", "*command", NULL } },
    { "pods", "attach", "PodAttachOptions", { "?stdin", "?stdout", "?stderr", "?tty", "container", NULL } },
    { "pods", "portforward", "PodPortForwardOptions", { "#ports", NULL } },
    { "pods", "proxy", "PodProxyOptions", { NULL } },
    { "services", "proxy", "ServiceProxyOptions", { NULL } },
    { "nodes", "proxy", "NodeProxyOptions", { NULL } },
};

static void put_list(struct call *c, struct json *to, const char *name, bool numbers)
{
    struct str   rest = c->rq.query, v, one;
    struct json *list = json_array(c->arena);

    while (request_param(c->arena, &rest, name, &v)) {
        int64_t n;

        if (!numbers) {
            json_push(list, json_string_ref(c->arena, v));
            continue;
        }
        while (str_split(&v, ',', &one))
            if (str_i64(one, &n))
                json_push(list, json_int(c->arena, n));
    }
    if (list->n > 0)
        json_setz(c->arena, to, name, list);
}

static void put_param(struct call *c, struct json *to, const char *param)
{
    struct str rest = c->rq.query, v;

    if (*param == '*' || *param == '#')
        put_list(c, to, param + 1, *param == '#');
    else if (*param == '?' && request_param(c->arena, &rest, param + 1, &v))
        json_setz(c->arena, to, param + 1,
                  json_bool(c->arena, !str_is(v, "0") && !str_ieq(v, STR("false"))));
    else if (*param != '?' && request_param(c->arena, &rest, param, &v) && v.n > 0)
        json_setz(c->arena, to, param, json_string_ref(c->arena, v));
}

static struct json *make_options(struct call *c)
{
    struct json *o = json_object(c->arena);

    for (size_t i = 0; i < ARRAY_LEN(all_options); i++) {
        const struct options *k = &all_options[i];

        if (strcmp(k->plural, c->res->plural) != 0 || strcmp(k->sub, c->sub->name) != 0)
            continue;
        json_setf(c->arena, o, "kind", "%s", k->kind);
        json_setf(c->arena, o, "apiVersion", "v1");
        for (const char *const *p = k->params; *p != NULL; p++)
            put_param(c, o, *p);
        if (strcmp(k->sub, "proxy") == 0 && c->rq.rest.n > 0)
            json_setf(c->arena, o, "path", "/%.*s", STR_ARG(c->rq.rest));
    }
    return o;
}

void connect_admit(struct call *c, void (*then)(struct call *c, struct json *options))
{
    write_admitted(c, ADMIT_CONNECT, make_options(c), then);
}
