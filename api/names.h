/* api/names.h: what names and other small texts must look like.
 *
 * Every check returns NULL when the text is fine, else a constant message that says what it must be, close to
 * what Kubernetes says because clients print it. */
#ifndef API_NAMES_H
#define API_NAMES_H

#include "net/str.h"

const char *name_check_subdomain(struct str s);          /* DNS-1123 subdomain: most object names */
const char *name_check_label(struct str s);              /* DNS-1123 label: namespaces, containers */
const char *name_check_label_1035(struct str s);         /* services */
const char *name_check_wildcard_subdomain(struct str s); /* "*.example.com": ingress hosts */
const char *name_check_qualified(struct str s);          /* keys of labels, finalizers: [prefix/]name */
const char *name_check_label_value(struct str s);
const char *name_check_path_segment(struct str s);       /* RBAC names: anything but "/", "%", "." and ".." */
const char *name_check_env(struct str s);                /* printable ASCII other than '=' */
const char *name_check_c_identifier(struct str s);
const char *name_check_config_key(struct str s);         /* ConfigMap and Secret keys */
const char *name_check_port(struct str s);               /* IANA service name */
const char *name_check_ip(struct str s);
const char *name_check_ipv4(struct str s);
const char *name_check_cidr(struct str s);
const char *name_check_port_number(int64_t port);        /* 1..65535 */
const char *name_check_uuid(struct str s);
const char *name_check_csi_driver(struct str s);         /* at most 63 characters of a subdomain */
const char *name_check_domain_path(struct str s);        /* "acme.io/foo": a subdomain, a slash, a path */
const char *name_check_host(struct str s); /* an ingress' host: a name, perhaps with a wildcard */
/* The prefix of a generated name: as the check, but may end with '-' (it gets five characters more). */
const char *name_check_generate(const char *(*check)(struct str), struct str prefix);

/* By the format names of the schema: dns1123subdomain, dns1123label, dns1035label, qualifiedname, labelvalue,
 * pathsegment, envname, cidentifier, configkey, portname, ip, ipv4, cidr, uuid.  NULL: no such format. */
typedef const char *name_check_fn(struct str s);
name_check_fn *name_check_find(const char *format);

#endif
