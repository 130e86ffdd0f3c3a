/* api/kinds/kinds_impl.h: what the files of this folder share.
 *
 * Checks take the value, where it is and the list to add causes to; NULL and absent values are fine unless
 * said otherwise.  Types were checked before (schema_conform), fields may be absent.  Messages are worded as
 * the original's: clients and people search for them. */
#ifndef API_KINDS_IMPL_H
#define API_KINDS_IMPL_H

#include "api/kinds.h"
#include "api/names.h"

/* ---- The kinds -------------------------------------------------------------------------------------- */

extern const struct kind_hooks kind_namespaces, kind_nodes, kind_pods, kind_config_maps, kind_secrets,
    kind_service_accounts, kind_services, kind_endpoints, kind_endpoint_slices, kind_core_events,
    kind_leases, kind_deployments, kind_replica_sets, kind_controller_revisions,
    kind_pod_disruption_budgets,
    kind_stateful_sets, kind_daemon_sets, kind_replication_controllers, kind_pod_templates, kind_jobs,
    kind_cron_jobs, kind_autoscalers, kind_network_policies, kind_ingress_classes, kind_roles,
    kind_cluster_roles, kind_role_bindings, kind_cluster_role_bindings, kind_persistent_volumes,
    kind_persistent_volume_claims, kind_csi_drivers, kind_csi_nodes, kind_csi_storage_capacities,
    kind_volume_attachments, kind_limit_ranges, kind_resource_quotas, kind_priority_levels,
    kind_certificate_requests, kind_definitions, kind_api_services, kind_mutating_webhooks,
    kind_validating_webhooks, kind_admission_policies, kind_admission_bindings, kind_service_cidrs,
    kind_ip_addresses;

/* ---- check.c: small things that many kinds have ----------------------------------------------------- */

/* One text by a check of api/names.h; the empty one is as good as absent. */
void check_text(name_check_fn *check, struct str s, const struct at *at, struct causes *causes);
/* A map of labels: keys and values. */
void check_labels(const struct json *labels, const struct at *at, struct causes *causes);
void check_annotations(const struct json *annotations, const struct at *at, struct causes *causes);
/* A LabelSelector, below its own `at`. */
void check_label_selector(const struct json *selector, const struct at *at, struct causes *causes);
bool label_selector_is_empty(const struct json *selector);
/* The operators In and NotIn need values, Exists and DoesNotExist must have none. */
void check_selector_values(const struct json *requirement, const struct at *at, struct causes *causes);
/* A count (not negative) or a percentage. */
void check_int_or_percent(const struct json *v, const struct at *at, struct causes *causes);
void check_at_most_100_percent(const struct json *v, const struct at *at, struct causes *causes);
/* "5%" gives 5 and true, 5 gives 5 and false; what is neither is 0. */
int64_t int_or_percent(const struct json *v, bool *ret_percent);
/* An address that traffic may be sent to: neither unspecified, loopback, link-local nor multicast. */
void check_routable_ip(struct str ip, const struct at *at, struct causes *causes);
/* endpoints.c: whether this is about the API's own service, default/kubernetes. */
bool is_own_service(const struct kind_ctx *c);
/* An integer: Invalid value: 5: detail. */
void cause_invalid_int(struct causes *causes, const struct at *at, int64_t value, const char *detail);
void cause_not_found(struct causes *causes, const struct at *at, struct str value);
void cause_too_many(struct causes *causes, const struct at *at, unsigned n, unsigned max);
/* As Go prints them in messages. */
#define GO_EMPTY_SELECTOR                                                                                    \
    "v1.LabelSelector{MatchLabels:map[string]string(nil), " \
    "MatchExpressions:[]v1.LabelSelectorRequirement(nil)}"
struct str go_string_map(struct arena *a, const struct json *map);
struct str go_int_or_string(struct arena *a, const struct json *v);
/* The value's JSON text. */
struct str json_text(struct arena *a, const struct json *v);
/* Settings marked immutable stay so, and so do the maps. */
void check_immutable_data(const struct json *old, const struct json *obj, const char *const *maps, size_t n,
                          struct causes *causes);
/* Bytes that base64 text stands for. */
size_t base64_decoded_size(struct str s);
/* Absent, null, "", [] or {}. */
bool json_is_blank(const struct json *v);
/* Add a member that is known to be absent, without looking for it.  The key is not copied. */
void object_append(struct json *obj, struct str key, struct json *v);

/* Texts that were seen, for finding duplicates and references in time linear in what the client sent.  Lives
 * in an arena; holds at most the number of texts it was made for. */
struct seen { struct str *slots; size_t mask; };
struct seen seen_new(struct arena *a, size_t n);
bool seen_has(const struct seen *s, struct str text);
bool seen_add(struct seen *s, struct str text);          /* false: it was there already */

/* ---- default.c: defaults that only C can set ---------------------------------------------------------- */

/* Nothing happens when obj is not an object or has the member. */
/* The member; NULL when it is something else. */
struct json *default_object(struct arena *a, struct json *obj, const char *key);
void default_text(struct arena *a, struct json *obj, const char *key, const char *literal);
void default_int(struct arena *a, struct json *obj, const char *key, int64_t v);
void default_bool(struct arena *a, struct json *obj, const char *key, bool v);
/* An object without labels gets these. */
void default_labels(struct arena *a, struct json *obj, const struct json *labels);

/* ---- autoscaler_v1.c: the version that autoscalers aren't stored in ---------------------------------- */

void autoscaler_to_v2(struct arena *a, struct json *obj);
void autoscaler_to_v1(struct arena *a, struct json *obj);

/* ---- Pods and what makes them ----------------------------------------------------------------------- */

/* pod_default.c: of a pod (is_pod) or a template. */
void pod_spec_default(struct kind_ctx *c, struct json *spec, bool is_pod);
/* pod_template.c: a controller's template: {metadata, spec}.  label_selector: what must match its labels. */
void pod_template_default(struct kind_ctx *c, struct json *tmpl);
void pod_template_check(const struct json *tmpl, const struct json *label_selector, const struct at *at,
                        struct causes *causes);
/* pod_admit.c: what the original's admission plugins do to new pods. */
void pod_admit(struct kind_ctx *c, struct json *pod);
/* pod_qos.c */
const char *pod_qos_class(const struct json *spec);
/* pod_validate.c */
void pod_spec_check(const struct json *spec, const struct at *at, bool is_pod, struct causes *causes);
/* pod_update.c */
void pod_update_check(struct kind_ctx *c, const struct json *old, const struct json *pod,
                      struct causes *causes);
/* container.c: all containers of a spec, with their cross-references. */
void containers_check(const struct json *spec, const struct at *at, bool is_pod, struct causes *causes);
/* container_env.c */
void container_env_check(const struct json *container, const struct at *at, struct causes *causes);
/* The path of fieldRef; in_env: of a variable, else of a file. */
void field_ref_check(const struct json *ref, const struct at *at, bool in_env, struct causes *causes);
void resource_field_ref_check(const struct json *ref, const struct at *at, bool in_env,
                              struct causes *causes);
/* container_probe.c: probes and lifecycle handlers. */
void container_probes_check(const struct json *container, const struct at *at, bool is_init,
                            struct causes *causes);
/* container_resources.c */
void container_resources_check(const struct json *resources, const struct at *at, struct causes *causes);
/* volume.c */
void volumes_default(struct kind_ctx *c, struct json *volumes);
void volumes_check(const struct json *volumes, const struct at *at, struct causes *causes);
/* A path inside a volume: relative, without "..". */
void check_relative_path(struct str path, const struct at *at, struct causes *causes);
/* pod_placement.c: node selector, affinity, tolerations, spread. */
void pod_placement_check(const struct json *spec, const struct at *at, struct causes *causes);
/* pod_security.c */
void pod_security_check(const struct json *spec, const struct at *at, struct causes *causes);
void container_security_check(const struct json *container, const struct at *at, struct causes *causes);

/* ---- Services --------------------------------------------------------------------------------------- */

/* Each port may be a claim and a compare of the transaction; also they are compared pair by pair. */
#define SERVICE_PORTS_MAX 256

#define SERVICE_PORT_CLAIM "nodeport/"

bool service_is_headless(const struct json *spec);
bool service_wants_cluster_ip(const struct json *spec);
bool service_wants_node_ports(const struct json *spec);
bool service_wants_health_port(const struct json *spec);
bool service_uses_port(const struct json *spec, int64_t n);
/* As the service of this request is stored; NULL: it is being created. */
const struct json *service_stored_spec(struct kind_ctx *c);
/* service_family.c: policy and address families of what the client said; was: the stored spec or NULL. */
void service_choose_families(struct kind_ctx *c, const struct json *was, struct json *spec);
void service_check_families(struct kind_ctx *c, const struct json *spec, struct causes *causes);
/* Addresses or families were taken away without saying that one is enough. */
void service_check_reduced(const struct json *was, const struct json *spec, struct causes *causes);
/* service_ip.c, service_port.c: what is given out once in the cluster is taken, and what the stored spec (or
 * NULL) has and the new one has no more is given back; ... */
void service_take_ips(struct kind_ctx *c, const struct json *was, struct json *spec);
void service_take_ports(struct kind_ctx *c, const struct json *was, struct json *spec);
void service_give_back_ips(struct kind_ctx *c, const struct json *spec);
void service_give_back_ports(struct kind_ctx *c, const struct json *spec);
/* ... and what the client chose and could not have. */
void service_check_ips(struct kind_ctx *c, const struct json *spec, struct causes *causes);
void service_check_ports(struct kind_ctx *c, const struct json *spec, struct causes *causes);
/* service_validate.c */
void service_check(struct kind_ctx *c, const struct json *service, struct causes *causes);

#endif
