/* node/env.c: see node/env.h. */
#include "api/quantity.h"
#include "net/map.h"
#include "node/env.h"
#include "node/env_services.h"

/* ---- The downward API ----------------------------------------------------------------------- */

/* "metadata.labels['x']": the part in quotes, if the path begins with `before`. */
static bool subscript(struct str path, const char *before, struct str *ret_key)
{
    size_t n = strlen(before);

    if (path.n < n + 4 || memcmp(path.p, before, n) != 0 || memcmp(path.p + n, "['", 2) != 0
        || memcmp(path.p + path.n - 2, "']", 2) != 0)
        return false;
    *ret_key = str_make(path.p + n + 2, path.n - n - 4);
    return true;
}

/* Labels and annotations as a file of key="value" lines. */
static struct str format_map(const struct json *m, struct arena *a)
{
    struct buf b = BUF_INIT;

    json_each(e, m) {
        if (b.n > 0)
            buf_char(&b, '\n');
        buf_str_add(&b, e->key);
        buf_char(&b, '=');
        json_write_string(&b, json_str(e));
    }
    struct str s = arena_str(a, buf_str(&b));
    buf_release(&b);
    return s;
}

int downward_field(const struct downward *d, const struct json *ref, struct arena *a, struct str *ret,
                   struct errbuf *err)
{
    struct str path = json_path_str(ref, "fieldPath"), key;
    const struct json *meta = json_getz(d->pod, "metadata");

    if (subscript(path, "metadata.labels", &key))
        *ret = json_str(json_get(json_getz(meta, "labels"), key));
    else if (subscript(path, "metadata.annotations", &key))
        *ret = json_str(json_get(json_getz(meta, "annotations"), key));
    else if (str_is(path, "metadata.labels") || str_is(path, "metadata.annotations"))
        *ret = format_map(json_get(meta, str_from(path, 9)), a);
    else if (str_is(path, "metadata.name") || str_is(path, "metadata.namespace")
             || str_is(path, "metadata.uid"))
        *ret = json_str(json_get(meta, str_from(path, 9)));
    else if (str_is(path, "spec.nodeName"))
        *ret = str_of(d->node_name);
    else if (str_is(path, "spec.serviceAccountName"))
        *ret = json_path_str(d->pod, "spec.serviceAccountName");
    else if (str_is(path, "status.hostIP") || str_is(path, "status.hostIPs"))
        *ret = str_of(d->host_ip);
    else if (str_is(path, "status.podIP") || str_is(path, "status.podIPs"))
        *ret = str_of(d->pod_ip);
    else
        return err_set(err, E_INVALID, "unsupported fieldPath: %.*s", STR_ARG(path));
    return 0;
}

static const struct json *container_by_name(const struct json *pod, struct str name)
{
    static const char *const lists[] = { "spec.containers", "spec.initContainers" };

    for (size_t i = 0; i < ARRAY_LEN(lists); i++)
        json_each(c, json_path(pod, lists[i]))
            if (str_eq(json_path_str(c, "name"), name))
                return c;
    return NULL;
}

int downward_resource(const struct downward *d, const struct json *ref, const struct json *container,
                      struct arena *a, struct str *ret, struct errbuf *err)
{
    struct str res = json_path_str(ref, "resource"), name = json_path_str(ref, "containerName"), what;
    struct quantity q, divisor;
    ptrdiff_t dot = str_find(res, '.');

    if (name.n > 0)
        container = container_by_name(d->pod, name);
    if (container == NULL || dot < 0)
        return err_set(err, E_INVALID, "resourceFieldRef %.*s: no such container or resource", STR_ARG(res));
    what = str_from(res, (size_t)dot + 1);
    bool cpu = str_is(what, "cpu"), limit = str_starts(res, STR("limits"));
    const struct json *resources = json_getz(container, "resources");
    const struct json *v = json_get(json_getz(resources, limit ? "limits" : "requests"), what);
    if (quantity_from_json(v, &q, err) != 0
        || quantity_from_json(json_getz(ref, "divisor"), &divisor, err) != 0)
        return E_INVALID;
    if (v == NULL && limit)                      /* no limit: as much as the node has */
        q = cpu ? quantity_make_milli(d->node_cpu_millis, QUANTITY_DECIMAL_SI)
                : quantity_make(str_is(what, "memory") ? d->node_memory : d->node_storage,
                                QUANTITY_BINARY_SI);
    int64_t one = quantity_is_zero(divisor) ? (cpu ? 1000 : 1)
                  : cpu                     ? quantity_milli(divisor)
                                            : quantity_value(divisor);
    int64_t n = cpu ? quantity_milli(q) : quantity_value(q);
    *ret = arena_fmt(a, "%lld", (long long)(one > 0 ? n / one + (n % one > 0) : n));
    return 0;
}

/* ---- Variables ------------------------------------------------------------------------------ */

struct vars { struct arena *a; struct map at; struct str *name, *value; size_t n, cap; struct str unknown; };

static void vars_set(struct vars *v, struct str name, struct str value)
{
    size_t at = (size_t)(uintptr_t)map_get(&v->at, name);

    if (at == 0) {
        if (v->n == v->cap) {
            v->cap = v->cap == 0 ? 32 : v->cap * 2;
            v->name = mem_realloc(v->name, v->cap * sizeof *v->name);
            v->value = mem_realloc(v->value, v->cap * sizeof *v->value);
        }
        v->name[v->n] = name;
        at = ++v->n;
        map_put(&v->at, name, (void *)(uintptr_t)at);
    }
    v->value[at - 1] = value;
}

static bool vars_get(const struct vars *v, struct str name, struct str *ret)
{
    size_t at = (size_t)(uintptr_t)map_get(&v->at, name);

    if (at > 0)
        *ret = v->value[at - 1];
    return at > 0;
}

static void vars_release(struct vars *v)
{
    map_release(&v->at);
    mem_free(v->name);
    mem_free(v->value);
}

/* $(NAME) of a known variable is its value, of an unknown one stays as it is; $$ is one $. */
static struct str expand(struct vars *v, struct str in)
{
    struct buf b = BUF_INIT;
    size_t i = 0;

    if (str_find(in, '$') < 0)
        return arena_str(v->a, in);
    while (i < in.n) {
        if (in.p[i] != '$' || i + 1 == in.n) {
            buf_char(&b, in.p[i++]);
            continue;
        }
        ptrdiff_t close = in.p[i + 1] == '(' ? str_find(str_from(in, i), ')') : -1;
        struct str value;
        if (in.p[i + 1] == '$') {
            buf_char(&b, '$');
            i += 2;
        } else if (close < 0) {
            buf_char(&b, in.p[i++]);
        } else {
            struct str whole = str_make(in.p + i, (size_t)close + 1);
            bool known = vars_get(v, str_make(whole.p + 2, whole.n - 3), &value);
            buf_str_add(&b, known ? value : whole);
            if (!known)
                v->unknown = whole;
            i += whole.n;
        }
    }
    struct str s = arena_str(v->a, buf_str(&b));
    buf_release(&b);
    return s;
}

/* ---- ConfigMaps and Secrets ----------------------------------------------------------------- */

static int get(const struct downward *d, struct source_set *set, bool secret, const struct json *ref,
               struct arena *a, struct json **ret, struct errbuf *err)
{
    struct source_ref r = { secret, json_path_true(ref, "optional"), json_path_str(d->pod, "metadata.namespace"),
                            json_path_str(ref, "name") };
    int rc = source_get(set, &r, a, ret, err);

    return rc == E_NOTFOUND ? E_INVALID : rc;
}

static int add_all(const struct downward *d, struct source_set *set, const struct json *from, struct vars *v,
                   struct errbuf *err)
{
    const struct json *map_ref = json_getz(from, "configMapRef"), *secret_ref = json_getz(from, "secretRef");
    struct str prefix = json_path_str(from, "prefix");
    bool secret = secret_ref != NULL;
    struct json *obj;
    int rc = get(d, set, secret, secret ? secret_ref : map_ref, v->a, &obj, err);

    if (rc != 0)
        return rc;
    json_each(e, json_getz(obj, "data")) {
        struct str name =
            prefix.n > 0 ? arena_fmt(v->a, "%.*s%.*s", STR_ARG(prefix), STR_ARG(e->key)) : e->key;
        if (name.n > 0 && str_find(name, '=') < 0 && memchr(name.p, 0, name.n) == NULL)
            vars_set(v, name, secret ? source_bytes(v->a, e) : json_str(e));
    }
    return 0;
}

static int key_value(const struct downward *d, struct source_set *set, bool secret, const struct json *ref,
                     struct vars *v, bool *ret_there, struct str *ret, struct errbuf *err)
{
    struct str key = json_path_str(ref, "key");
    struct json *obj, *e;
    int rc = get(d, set, secret, ref, v->a, &obj, err);

    if (rc != 0)
        return rc;
    e = json_get(json_getz(obj, "data"), key);
    *ret_there = e != NULL;
    if (e == NULL && obj != NULL && !json_path_true(ref, "optional"))
        return err_set(err, E_INVALID, "couldn't find key %.*s in %s %.*s/%.*s", STR_ARG(key),
                       secret ? "Secret" : "ConfigMap", STR_ARG(json_path_str(d->pod, "metadata.namespace")),
                       STR_ARG(json_path_str(ref, "name")));
    if (e != NULL)
        *ret = secret ? source_bytes(v->a, e) : json_str(e);
    return 0;
}

static int add_one(const struct downward *d, struct source_set *set, const struct json *env,
                   const struct json *container, struct vars *v, struct errbuf *err)
{
    const struct json *from = json_getz(env, "valueFrom"), *ref;
    struct str name = json_path_str(env, "name"), value = STR_NONE;
    bool there = true;
    int rc = 0;

    if (from == NULL)
        value = expand(v, json_path_str(env, "value"));
    else if ((ref = json_getz(from, "fieldRef")) != NULL)
        rc = downward_field(d, ref, v->a, &value, err);
    else if ((ref = json_getz(from, "resourceFieldRef")) != NULL)
        rc = downward_resource(d, ref, container, v->a, &value, err);
    else if ((ref = json_getz(from, "configMapKeyRef")) != NULL)
        rc = key_value(d, set, false, ref, v, &there, &value, err);
    else if ((ref = json_getz(from, "secretKeyRef")) != NULL)
        rc = key_value(d, set, true, ref, v, &there, &value, err);
    if (rc == 0 && there)
        vars_set(v, name, value);
    return rc;
}

/* ---- The whole ------------------------------------------------------------------------------ */

static const char **strings(struct arena *a, struct vars *v, const struct json *list, size_t *ret_n)
{
    const char **out = arena_alloc(a, ((list != NULL ? list->n : 0) + 1) * sizeof *out);
    size_t n = 0;

    json_each(e, list)
        out[n++] = expand(v, json_str(e)).p;
    *ret_n = n;
    return out;
}

/* "NAME=value"; what no process could be given is refused. */
static int pairs(const struct vars *v, struct arena *a, struct env_result *ret, struct errbuf *err)
{
    for (size_t i = 0; i < v->n; i++) {
        char *text = arena_alloc(a, v->name[i].n + v->value[i].n + 2);
        if (memchr(v->name[i].p, 0, v->name[i].n) != NULL
            || (v->value[i].n > 0 && memchr(v->value[i].p, 0, v->value[i].n) != NULL))
            return err_set(err, E_INVALID, "environment variable %.*s contains a NUL byte",
                           STR_ARG(v->name[i]));
        memcpy(text, v->name[i].p, v->name[i].n);
        text[v->name[i].n] = '=';
        if (v->value[i].n > 0)
            memcpy(text + v->name[i].n + 1, v->value[i].p, v->value[i].n);
        text[v->name[i].n + v->value[i].n + 1] = '\0';
        ret->env[i] = text;
    }
    return 0;
}

static void put_service(void *arg, struct str name, struct str value) { vars_set(arg, name, value); }

int env_resolve(const struct downward *d, struct source_set *sources, const struct json *container,
                struct arena *a, struct env_result *ret, struct errbuf *err)
{
    struct vars v = { .a = a, .at = MAP_INIT };
    int rc = env_services(d, sources, a, put_service, &v, err);

    json_each(from, json_getz(container, "envFrom"))
        if (rc == 0)
            rc = add_all(d, sources, from, &v, err);
    json_each(env, json_getz(container, "env"))
        if (rc == 0)
            rc = add_one(d, sources, env, container, &v, err);
    if (rc == 0) {
        ret->env = arena_alloc(a, (v.n + 1) * sizeof *ret->env);
        ret->n_env = v.n;
        rc = pairs(&v, a, ret, err);
        ret->command = strings(a, &v, json_getz(container, "command"), &ret->n_command);
        ret->args = strings(a, &v, json_getz(container, "args"), &ret->n_args);
    }
    vars_release(&v);
    return rc;
}

int env_expand_all(const struct env_result *env, struct str in, struct arena *a, struct str *ret,
                   struct errbuf *err)
{
    struct vars v = { .a = a, .at = MAP_INIT };
    struct str name, value;
    int rc = 0;

    for (size_t i = 0; i < env->n_env; i++) {
        value = str_of(env->env[i]);
        if (str_split(&value, '=', &name))
            vars_set(&v, name, value);
    }
    *ret = expand(&v, in);
    if (v.unknown.n > 0)
        rc = err_set(err, E_INVALID, "failed to expand subPathExpr \"%.*s\": missing value for %.*s",
                     STR_ARG(in), STR_ARG(v.unknown));
    vars_release(&v);
    return rc;
}
