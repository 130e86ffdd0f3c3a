/* api/columns_net.c: kubectl get ingresses, their classes, and addresses. */
#include "api/columns.h"

schema_column_fn column_ingress_class, column_ingress_hosts, column_ingress_address, column_ingress_ports;
schema_column_fn column_ingress_class_parameters, column_ip_address_parent;

#define HOSTS_SHOWN 3

void column_ingress_class(struct buf *out, const struct json *obj, int64_t now_s)
{
    struct str name = json_path_str(obj, "spec.ingressClassName");
    const struct json *old = json_getz(json_path(obj, "metadata.annotations"), "kubernetes.io/ingress.class");

    cell_or_none(out, name.n > 0 ? name : json_str(old));
}

void column_ingress_hosts(struct buf *out, const struct json *obj, int64_t now_s)
{
    struct buf text = BUF_INIT;
    unsigned n = 0;

    json_each(rule, json_path(obj, "spec.rules")) {
        struct str host = json_str(json_getz(rule, "host"));

        if (host.n > 0 && n++ < HOSTS_SHOWN)
            buf_fmt(&text, "%s%.*s", n > 1 ? "," : "", STR_ARG(host));
    }
    if (n > HOSTS_SHOWN)
        buf_fmt(&text, " + %u more...", n - HOSTS_SHOWN);
    cell_text(out, n > 0 ? buf_str(&text) : STR("*"));
    buf_release(&text);
}

void column_ingress_address(struct buf *out, const struct json *obj, int64_t now_s)
{
    struct joined j = { BUF_INIT };

    json_each(point, json_path(obj, "status.loadBalancer.ingress")) {
        struct str ip = json_str(json_getz(point, "ip"));
        joined_add(&j, ip.n > 0 ? ip : json_str(json_getz(point, "hostname")));
    }
    cell_text(out, buf_str(&j.text));
    buf_release(&j.text);
}

void column_ingress_ports(struct buf *out, const struct json *obj, int64_t now_s)
{
    const struct json *tls = json_path(obj, "spec.tls");
    cell_text(out, tls != NULL && tls->n > 0 ? STR("80, 443") : STR("80"));
}

/* "Kind.group/name" */
void column_ingress_class_parameters(struct buf *out, const struct json *obj, int64_t now_s)
{
    const struct json *p = json_path(obj, "spec.parameters");
    struct str group = json_str(json_getz(p, "apiGroup"));
    struct buf text = BUF_INIT;

    if (p != NULL)
        buf_fmt(&text, "%.*s%s%.*s/%.*s", STR_ARG(json_str(json_getz(p, "kind"))), group.n > 0 ? "." : "",
                STR_ARG(group), STR_ARG(json_str(json_getz(p, "name"))));
    cell_or_none(out, buf_str(&text));
    buf_release(&text);
}

/* "services/default/web" */
void column_ip_address_parent(struct buf *out, const struct json *obj, int64_t now_s)
{
    const struct json *p = json_path(obj, "spec.parentRef");
    struct str group = json_str(json_getz(p, "group")), ns = json_str(json_getz(p, "namespace"));
    struct buf text = BUF_INIT;

    if (p != NULL)
        buf_fmt(&text, "%.*s%s%.*s/%.*s%s%.*s", STR_ARG(json_str(json_getz(p, "resource"))),
                group.n > 0 ? "." : "", STR_ARG(group), STR_ARG(ns), ns.n > 0 ? "/" : "",
                STR_ARG(json_str(json_getz(p, "name"))));
    cell_or_none(out, buf_str(&text));
    buf_release(&text);
}
