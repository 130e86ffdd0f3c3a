/* api/columns_core.c: kubectl get nodes, services, endpoints, events and the small kinds of the core
 * group. */
#include <stdlib.h>
#include "api/columns.h"

schema_column_fn column_node_status, column_node_roles, column_node_internal_ip, column_node_external_ip,
                 column_node_os_image, column_node_kernel, column_node_runtime;
schema_column_fn column_configmap_data, column_secret_data, column_serviceaccount_secrets;
schema_column_fn column_service_cluster_ip, column_service_external_ip, column_service_ports;
schema_column_fn column_endpoints_addresses, column_slice_ports, column_slice_endpoints;

static uint32_t count(const struct json *obj, const char *path)
{
    const struct json *j = json_path(obj, path);
    return j != NULL && j->type >= JSON_ARRAY ? j->n : 0;
}

/* ---- nodes -------------------------------------------------------------------------------------- */

void column_node_status(struct buf *out, const struct json *obj, int64_t now_s)
{
    struct str status = STR("Unknown");

    json_each(c, json_path(obj, "status.conditions"))
        if (str_is(json_str(json_getz(c, "type")), "Ready"))
            status = str_is(json_str(json_getz(c, "status")), "True") ? STR("Ready") : STR("NotReady");
    buf_fmt(out, "\"%.*s%s\"", STR_ARG(status),
            json_path_true(obj, "spec.unschedulable") ? ",SchedulingDisabled" : "");
}

static int by_str(const void *x, const void *y)
{
    return str_cmp(*(const struct str *)x, *(const struct str *)y);
}

void column_node_roles(struct buf *out, const struct json *obj, int64_t now_s)
{
    const struct json *labels = json_path(obj, "metadata.labels");
    struct str prefix = STR("node-role.kubernetes.io/"), *role;
    struct arena a = ARENA_INIT;
    struct joined j = { BUF_INIT };
    uint32_t n = 0;

    role = arena_alloc(&a, (labels != NULL ? labels->n : 0) * sizeof(*role));
    json_each(l, labels) {
        if (str_starts(l->key, prefix) && l->key.n > prefix.n)
            role[n++] = str_from(l->key, prefix.n);
        else if (str_is(l->key, "kubernetes.io/role") && json_str(l).n > 0)
            role[n++] = json_str(l);
    }
    qsort(role, n, sizeof(*role), by_str);
    for (uint32_t i = 0; i < n; i++)
        if (i == 0 || !str_eq(role[i], role[i - 1]))
            joined_add(&j, role[i]);
    joined_cell(out, &j);
    arena_release(&a);
}

static void node_address(struct buf *out, const struct json *obj, const char *type)
{
    struct str address = STR_NONE;

    json_each(a, json_path(obj, "status.addresses"))
        if (address.n == 0 && str_is(json_str(json_getz(a, "type")), type))
            address = json_str(json_getz(a, "address"));
    cell_or_none(out, address);
}

void column_node_internal_ip(struct buf *out, const struct json *obj, int64_t now_s)
{
    node_address(out, obj, "InternalIP");
}
void column_node_external_ip(struct buf *out, const struct json *obj, int64_t now_s)
{
    node_address(out, obj, "ExternalIP");
}

static void node_info(struct buf *out, const struct json *obj, const char *path)
{
    struct str s = json_path_str(obj, path);
    cell_text(out, s.n > 0 ? s : STR("<unknown>"));
}

void column_node_os_image(struct buf *out, const struct json *obj, int64_t now_s)
{
    node_info(out, obj, "status.nodeInfo.osImage");
}
void column_node_kernel(struct buf *out, const struct json *obj, int64_t now_s)
{
    node_info(out, obj, "status.nodeInfo.kernelVersion");
}

void column_node_runtime(struct buf *out, const struct json *obj, int64_t now_s)
{
    node_info(out, obj, "status.nodeInfo.containerRuntimeVersion");
}

/* ---- settings ----------------------------------------------------------------------------------- */

void column_configmap_data(struct buf *out, const struct json *obj, int64_t now_s)
{
    cell_int(out, (int64_t)count(obj, "data") + count(obj, "binaryData"));
}

void column_secret_data(struct buf *out, const struct json *obj, int64_t now_s)
{
    cell_int(out, count(obj, "data"));
}
void column_serviceaccount_secrets(struct buf *out, const struct json *obj, int64_t now_s)
{
    cell_int(out, count(obj, "secrets"));
}

/* ---- services ----------------------------------------------------------------------------------- */

void column_service_cluster_ip(struct buf *out, const struct json *obj, int64_t now_s)
{
    struct str first = json_path_str(obj, "spec.clusterIPs.0");
    cell_or_none(out, first.n > 0 ? first : json_path_str(obj, "spec.clusterIP"));
}

void column_service_external_ip(struct buf *out, const struct json *obj, int64_t now_s)
{
    struct str type = json_path_str(obj, "spec.type");
    struct joined j = { BUF_INIT };

    if (str_is(type, "ExternalName")) {
        cell_or_none(out, json_path_str(obj, "spec.externalName"));
        return;
    }
    if (str_is(type, "LoadBalancer"))
        json_each(i, json_path(obj, "status.loadBalancer.ingress")) {
            struct str ip = json_str(json_getz(i, "ip"));
            joined_add(&j, ip.n > 0 ? ip : json_str(json_getz(i, "hostname")));
        }
    json_each(ip, json_path(obj, "spec.externalIPs"))
        joined_add(&j, json_str(ip));
    if (j.text.n == 0 && str_is(type, "LoadBalancer"))
        joined_add(&j, STR("<pending>"));
    joined_cell(out, &j);
}

void column_service_ports(struct buf *out, const struct json *obj, int64_t now_s)
{
    struct joined j = { BUF_INIT };

    json_each(p, json_path(obj, "spec.ports")) {
        int64_t node_port = json_i64_or(json_getz(p, "nodePort"), 0);
        struct str protocol = json_str(json_getz(p, "protocol"));

        if (j.text.n > 0)
            buf_char(&j.text, ',');
        buf_i64(&j.text, json_i64_or(json_getz(p, "port"), 0));
        if (node_port > 0)
            buf_fmt(&j.text, ":%lld", (long long)node_port);
        buf_fmt(&j.text, "/%.*s", STR_ARG(protocol));
    }
    joined_cell(out, &j);
}

/* ---- endpoints ---------------------------------------------------------------------------------- */

#define SHOWN 3

/* The first few, then how many more there are. */
struct few { struct joined shown; uint32_t n; };

static void few_add(struct few *f, struct str s, int64_t port)
{
    bool v6 = str_find(s, ':') >= 0;

    if (f->n++ >= SHOWN)
        return;
    if (f->shown.text.n > 0)
        buf_char(&f->shown.text, ',');
    if (port < 0)
        buf_str_add(&f->shown.text, s);
    else
        buf_fmt(&f->shown.text, "%s%.*s%s:%lld", v6 ? "[" : "", STR_ARG(s), v6 ? "]" : "", (long long)port);
}

static void few_cell(struct buf *out, struct few *f, const char *none)
{
    if (f->n > SHOWN)
        buf_fmt(&f->shown.text, " + %u more...", f->n - SHOWN);
    cell_text(out, f->n > 0 ? buf_str(&f->shown.text) : str_of(none));
    buf_release(&f->shown.text);
}

void column_endpoints_addresses(struct buf *out, const struct json *obj, int64_t now_s)
{
    struct few f = { { BUF_INIT }, 0 };

    json_each(subset, json_getz(obj, "subsets")) {
        const struct json *ports = json_getz(subset, "ports"), *addresses = json_getz(subset, "addresses");

        if (ports == NULL || ports->n == 0)
            json_each(a, addresses)
                few_add(&f, json_str(json_getz(a, "ip")), -1);
        json_each(p, ports)
            json_each(a, addresses)
                few_add(&f, json_str(json_getz(a, "ip")), json_i64_or(json_getz(p, "port"), 0));
    }
    few_cell(out, &f, "<none>");
}

void column_slice_ports(struct buf *out, const struct json *obj, int64_t now_s)
{
    struct few f = { { BUF_INIT }, 0 };

    json_each(p, json_getz(obj, "ports")) {
        const struct json *port = json_getz(p, "port");
        few_add(&f, port != NULL ? port->s : STR("*"), -1);
    }
    few_cell(out, &f, "<unset>");
}

void column_slice_endpoints(struct buf *out, const struct json *obj, int64_t now_s)
{
    struct few f = { { BUF_INIT }, 0 };

    json_each(e, json_getz(obj, "endpoints"))
        json_each(a, json_getz(e, "addresses"))
            few_add(&f, json_str(a), -1);
    few_cell(out, &f, "<unset>");
}
