/* api/heads_objects.c: see api/heads_objects.h. */
#include "api/heads_objects.h"
#include "api/bootstrap.h"

/* ---- The list -------------------------------------------------------------------------------------- */

static int addr_cmp(const struct head_addr *x, const struct head_addr *y)
{
    if (x->port != y->port)
        return x->port < y->port ? -1 : 1;
    return str_cmp(x->host, y->host);
}

void head_list_add(struct head_list *l, struct str addr)
{
    struct head_addr x = { addr, 0 };
    uint64_t         port;
    unsigned         at = 0;

    while (x.host.n > 0 && x.host.p[x.host.n - 1] != ':')
        x.host.n--;
    if (x.host.n < 2 || !str_u64(str_from(addr, x.host.n), &port) || port == 0 || port > 65535 ||
        l->n == HEADS_MAX)
        return;
    x.host.n--;
    x.port = (unsigned)port;
    while (at < l->n && addr_cmp(&l->v[at], &x) < 0)
        at++;
    if (at < l->n && addr_cmp(&l->v[at], &x) == 0)
        return;
    memmove(&l->v[at + 1], &l->v[at], (l->n - at) * sizeof(l->v[0]));
    l->v[at] = x;
    l->n++;
}

/* One past the last head with the port of head i. */
static unsigned group_end(const struct head_list *l, unsigned i)
{
    unsigned end = i;

    while (end < l->n && l->v[end].port == l->v[i].port)
        end++;
    return end;
}

/* ---- Endpoints ------------------------------------------------------------------------------------- */

static struct json *subsets_of(struct arena *a, const struct head_list *l)
{
    struct json *subsets = json_array(a);

    for (unsigned i = 0, end; i < l->n; i = end) {
        struct json *subset = json_push(subsets, json_object(a)), *list;

        end = group_end(l, i);
        list = json_setz(a, subset, "addresses", json_array(a));
        for (unsigned k = i; k < end; k++)
            json_setf(a, json_push(list, json_object(a)), "ip", "%.*s", STR_ARG(l->v[k].host));
        json_push(json_setz(a, subset, "ports", json_array(a)), bootstrap_https_port(a, l->v[i].port));
    }
    return subsets;
}

void head_endpoints_correct(struct arena *a, const struct head_list *l, const struct json *there,
                            head_write write, void *arg)
{
    struct json *subsets = subsets_of(a, l), *obj;

    if (there != NULL && json_equal(json_getz(there, "subsets"), subsets))
        return;
    obj = there != NULL ? json_copy(a, there)
                        : bootstrap_object(a, "v1", "Endpoints", "default", "kubernetes");
    bootstrap_label(a, obj, "endpointslice.kubernetes.io/skip-mirror", "true");
    json_setz(a, obj, "subsets", subsets);
    write(arg, there != NULL ? "PUT" : "POST", CLIENT_ENDPOINTS, there != NULL ? STR("kubernetes") : STR_NONE,
          obj);
}

/* ---- Slices ---------------------------------------------------------------------------------------- */

/* The first port's slice has the service's name, as where there is only one. */
static struct str slice_name(struct arena *a, const struct head_list *l, unsigned i)
{
    return i == 0 ? STR("kubernetes") : arena_fmt(a, "kubernetes-%u", l->v[i].port);
}

static bool is_ours(struct str name)
{
    uint64_t port;

    return str_is(name, "kubernetes") ||
        (str_starts(name, STR("kubernetes-")) && str_u64(str_from(name, strlen("kubernetes-")), &port));
}

static struct json *endpoints_of(struct arena *a, const struct head_list *l, unsigned i)
{
    struct json *list = json_array(a);

    for (unsigned end = group_end(l, i); i < end; i++) {
        struct json *e = json_push(list, json_object(a));

        json_push(json_setz(a, e, "addresses", json_array(a)), json_string(a, l->v[i].host));
        json_setz(a, json_make_path(a, e, "conditions"), "ready", json_bool(a, true));
    }
    return list;
}

static const struct json *slice_find(const struct json *items, struct str name)
{
    json_each(it, items)
        if (str_eq(json_path_str(it, "metadata.name"), name))
            return it;
    return NULL;
}

static void slice_correct(struct arena *a, const struct head_list *l, unsigned i, const struct json *there,
                          head_write write, void *arg)
{
    struct str   name = slice_name(a, l, i);
    struct json *endpoints = endpoints_of(a, l, i), *ports = json_array(a), *obj;

    json_push(ports, bootstrap_https_port(a, l->v[i].port));
    if (there != NULL && json_equal(json_getz(there, "endpoints"), endpoints) &&
        json_equal(json_getz(there, "ports"), ports))
        return;
    obj = there != NULL
              ? json_copy(a, there)
              : bootstrap_object(a, "discovery.k8s.io/v1", "EndpointSlice", "default", arena_cstr(a, name));
    bootstrap_label(a, obj, "kubernetes.io/service-name", "kubernetes");
    if (there == NULL)
        json_setf(a, obj, "addressType", "%s", str_find(l->v[i].host, ':') >= 0 ? "IPv6" : "IPv4");
    json_setz(a, obj, "endpoints", endpoints);
    json_setz(a, obj, "ports", ports);
    write(arg, there != NULL ? "PUT" : "POST", CLIENT_ENDPOINTSLICES, there != NULL ? name : STR_NONE, obj);
}

static bool is_wanted(struct arena *a, const struct head_list *l, struct str name)
{
    for (unsigned i = 0; i < l->n; i = group_end(l, i))
        if (str_eq(slice_name(a, l, i), name))
            return true;
    return false;
}

void head_slices_correct(struct arena *a, const struct head_list *l, const struct json *items,
                         head_write write, void *arg)
{
    for (unsigned i = 0; i < l->n; i = group_end(l, i))
        slice_correct(a, l, i, slice_find(items, slice_name(a, l, i)), write, arg);
    json_each(it, items) {
        struct str name = json_path_str(it, "metadata.name");

        if (is_ours(name) && !is_wanted(a, l, name))
            write(arg, "DELETE", CLIENT_ENDPOINTSLICES, name, NULL);
    }
}
