/* api/rbac/reconcile.c: see api/rbac/reconcile.h.
 *
 * A pass looks at every default object in the store and sends what is to be written, all at once: on a fresh
 * cluster that is one or two writes of the log.  When all are answered and something failed, another pass
 * follows after a pause; else it is done. */
#include "api/bootstrap.h"
#include "api/call.h"
#include "api/client.h"
#include "api/rbac/rbac.h"
#include "api/rbac/reconcile.h"
#include "api/yaml.h"
#include "net/log.h"

#define AGAIN_MS   100                           /* doubled with each pass that fails, */
#define AGAIN_MAX  10000
#define HELD_FOR   4                             /* after so many passes nobody waits for them any more */
#define AUTOUPDATE "rbac.authorization.kubernetes.io/autoupdate"

struct rbac_reconcile {
    struct api *api;
    struct client *client;
    struct timer timer;
    struct arena arena;                          /* of one pass */
    unsigned in_flight, failed;                  /* calls; passes in a row */
    bool again;
};

__asm__(".section .rodata\n"
        "rbac_defaults_begin: .incbin \"api/rbac/defaults.yaml\"\n"
        "rbac_defaults_end: .byte 0\n"
        ".previous\n");
extern const char rbac_defaults_begin[], rbac_defaults_end[];

static const struct { const char *kind, *plural; } kinds[] = {
    { "ClusterRole", "clusterroles" }, { "ClusterRoleBinding", "clusterrolebindings" },
    { "Role", "roles" }, { "RoleBinding", "rolebindings" },
};

/* ---- What it should be ----------------------------------------------------------------------------- */

static struct json *wanted(struct arena *a, const struct json *row)
{
    struct str   kind = json_str(json_getz(row, "kind")), ns = json_str(json_getz(row, "namespace"));
    struct json *obj = bootstrap_object(a, RBAC_GROUP "/v1", arena_cstr(a, kind),
                                        ns.n > 0 ? arena_cstr(a, ns) : NULL,
                                        arena_cstr(a, json_str(json_getz(row, "name"))));
    struct json *role = json_getz(row, "role"), *ref;

    bootstrap_label(a, obj, "kubernetes.io/bootstrapping", "rbac-defaults");
    json_each(it, json_getz(row, "labels"))
        json_set(a, json_make_path(a, obj, "metadata.labels"), it->key, json_copy(a, it));
    json_setz(a, json_make_path(a, obj, "metadata.annotations"), AUTOUPDATE, json_string(a, STR("true")));
    if (role == NULL) {
        json_setz(a, obj, "rules", json_copy(a, json_getz(row, "rules")));
        if (json_getz(row, "aggregationRule") != NULL)
            json_setz(a, obj, "aggregationRule", json_copy(a, json_getz(row, "aggregationRule")));
        return obj;
    }
    ref = json_make_path(a, obj, "roleRef");
    json_setf(a, ref, "apiGroup", RBAC_GROUP);
    json_setf(a, ref, "kind", "%s", json_getz(row, "roleKind") != NULL ? "Role" : "ClusterRole");
    json_setz(a, ref, "name", json_string_ref(a, json_str(role)));
    json_setz(a, obj, "subjects", json_copy(a, json_getz(row, "subjects")));
    json_each(subject, json_getz(obj, "subjects"))
        if (!str_is(json_str(json_getz(subject, "kind")), "ServiceAccount"))
            json_setf(a, subject, "apiGroup", RBAC_GROUP);
    return obj;
}

/* ---- What it lacks --------------------------------------------------------------------------------- */

/* Labels and annotations; true: something was missing.  Values that somebody chose stay. */
static bool complete_texts(struct arena *a, struct json *to, const struct json *from, const char *path)
{
    bool any = false;

    json_each(it, json_path(from, path)) {
        struct json *map = json_make_path(a, to, path);

        if (json_get(map, it->key) != NULL)
            continue;
        json_set(a, map, it->key, json_copy(a, it));
        any = true;
    }
    return any;
}

static bool complete_rules(struct arena *a, struct json *to, const struct json *from)
{
    size_t            n_has, n_want, n_missing;
    struct rbac_rule *has = rules_compile(a, json_getz(to, "rules"), &n_has), *missing;
    struct rbac_rule *want = rules_compile(a, json_getz(from, "rules"), &n_want);
    const struct rbac_rule **v = arena_alloc(a, (n_has + 1) * sizeof(*v));

    for (size_t i = 0; i < n_has; i++)
        v[i] = &has[i];
    n_missing = rules_missing(a, (struct rbac_held){ v, n_has }, want, n_want, &missing);
    if (n_missing > 0 && !json_is(json_getz(to, "rules"), JSON_ARRAY))
        json_setz(a, to, "rules", json_array(a));
    for (size_t i = 0; i < n_missing; i++)
        json_push(json_getz(to, "rules"), rule_json(a, &missing[i]));
    return n_missing > 0;
}

/* Elements of a list that the other has not. */
static bool complete_list(struct arena *a, struct json *to, const struct json *from, const char *path)
{
    bool any = false;

    json_each(want, json_path(from, path)) {
        bool         found = false;
        struct json *list = json_path(to, path);

        json_each(it, list)
            found |= json_equal(it, want);
        if (found)
            continue;
        if (!json_is(list, JSON_ARRAY)) {
            ptrdiff_t dot = str_find(str_of(path), '.');
            char     *up = dot < 0 ? NULL : arena_cstr(a, str_make(path, (size_t)dot));

            list = json_setz(a, up != NULL ? json_make_path(a, to, up) : to, path + dot + 1, json_array(a));
        }
        json_push(list, json_copy(a, want));
        any = true;
    }
    return any;
}

static bool complete(struct arena *a, struct json *to, const struct json *from)
{
    bool any = complete_texts(a, to, from, "metadata.labels");

    any |= complete_texts(a, to, from, "metadata.annotations");
    any |= complete_list(a, to, from, "aggregationRule.clusterRoleSelectors");
    any |= complete_list(a, to, from, "subjects");
    return complete_rules(a, to, from) || any;
}

/* ---- Passes ---------------------------------------------------------------------------------------- */

static void pass_end(struct rbac_reconcile *r)
{
    if (r->again) {
        if (++r->failed >= HELD_FOR)
            rbac_release(r->api->rbac);
        timer_start(&r->timer, MIN_OF((uint64_t)AGAIN_MS << MIN_OF(r->failed - 1, 10u), (uint64_t)AGAIN_MAX));
        return;
    }
    r->failed = 0;
    log_info("api", "the default roles are there");
    rbac_release(r->api->rbac);
}

static void on_answer(void *arg, const struct client_result *res)
{
    struct rbac_reconcile *r = arg;

    must(r->in_flight > 0);
    if (!res->ok) {
        log_debug("api", "default roles: %d %.*s", res->status, STR_ARG(res->message));
        r->again = true;
    }
    if (--r->in_flight == 0)
        pass_end(r);
}

static void send(struct rbac_reconcile *r, const char *method, const char *plural, struct json *obj)
{
    struct client_req q = {
        .method = method, .res = { RBAC_GROUP, "v1", plural }, .ns = json_path_str(obj, "metadata.namespace"),
        .name = method[1] == 'O' ? STR_NONE : json_path_str(obj, "metadata.name"),
        .body = method[0] == 'D' ? NULL : obj, .done = on_answer, .arg = r,
    };

    r->in_flight++;
    if (client_send(r->client, &q) != NULL)
        return;
    r->in_flight--;
    r->again = true;
}

static void look_at(struct rbac_reconcile *r, const struct json *row)
{
    struct json     *want = wanted(&r->arena, row), *is;
    struct kind_ctx  k = { .arena = &r->arena, .view = store_live(r->api->store) };
    const char      *plural = NULL;

    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (str_is(json_str(json_getz(row, "kind")), kinds[i].kind))
            plural = kinds[i].plural;
    must(plural != NULL);
    is = kind_lookup(&k, RBAC_GROUP, "v1", plural, json_path_str(want, "metadata.namespace"),
                     json_path_str(want, "metadata.name"));
    if (is == NULL) {
        send(r, "POST", plural, want);
    } else if (str_is(json_str(json_getz(json_path(is, "metadata.annotations"), AUTOUPDATE)), "false")) {
        return;
    } else if (json_getz(want, "roleRef") != NULL &&
               !json_equal(json_getz(want, "roleRef"), json_getz(is, "roleRef"))) {
        send(r, "DELETE", plural, want);         /* to be made anew: a role reference cannot change */
        r->again = true;
    } else if (complete(&r->arena, is, want)) {
        send(r, "PUT", plural, is);
    }
}

static void run(struct timer *t)
{
    struct rbac_reconcile *r = container_of(t, struct rbac_reconcile, timer);
    struct str             text = str_make(rbac_defaults_begin,
                                           (size_t)(rbac_defaults_end - rbac_defaults_begin));
    struct json           *rows = NULL;
    struct json_error      why;

    arena_reset(&r->arena);
    r->again = false;
    must(yaml_parse(&r->arena, text, &rows, &why) == 0);
    json_each(row, rows)
        look_at(r, row);
    if (r->in_flight == 0)
        pass_end(r);
}

void rbac_reconcile_start(struct api *a)
{
    static const char *const groups[] = { GROUP_MASTERS, GROUP_AUTHENTICATED, NULL };
    struct rbac_reconcile   *r = a->reconcile;

    if (r == NULL) {
        a->reconcile = r = mem_new(struct rbac_reconcile);
        r->api = a;
        r->client = client_new_local(a, a->loop, USER_API, groups);
        timer_init(&r->timer, a->loop, run);
    }
    if (r->in_flight == 0 && !timer_active(&r->timer))
        timer_start(&r->timer, 0);
}

void rbac_reconcile_stop(struct api *a)
{
    struct rbac_reconcile *r = a->reconcile;

    if (r == NULL)
        return;
    a->reconcile = NULL;
    timer_stop(&r->timer);
    client_free(r->client);
    arena_release(&r->arena);
    mem_free(r);
}
