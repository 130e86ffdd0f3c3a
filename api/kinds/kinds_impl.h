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
    kind_validating_webhooks, kind_admission_policies, kind_admission_bindings, kind_ingresses,
    kind_ip_addresses, kind_service_cidrs, kind_storage_classes, kind_priority_classes,
    kind_runtime_classes, kind_flow_schemas;

/* ---- field.c: single fields, and the elements of lists, by name --------------------------------------- */

/* Given: neither absent, null, "" nor []; an empty object, 0 and false are given. */
bool json_is_set(const struct json *v);
/* Equal, or both as good as absent. */
bool json_same(const struct json *x, const struct json *y);
/* In `to`, set the member as `from` has it, or take it out. */
void put_back(struct arena *a, struct json *to, const struct json *from, const char *key);
/* Required value, unless it is set.  True: it is. */
bool field_need(const struct json *obj, const char *key, const struct at *up, const char *detail,
                struct causes *causes);
/* Forbidden, if it is set. */
void field_forbid(const struct json *obj, const char *key, const struct at *up, const char *detail,
                  struct causes *causes);
/* Invalid value, with the value as it stands there. */
void field_refuse(const struct json *obj, const char *key, const struct at *up, const char *detail,
                  struct causes *causes);
/* A text by a check of api/names.h; the empty one is as good as absent. */
void field_check(name_check_fn *check, const struct json *obj, const char *key, const struct at *up,
                 struct causes *causes);
/* What an update must leave alone: Invalid value, field is immutable. */
void field_keep(const struct json *old, const struct json *obj, const char *key, const struct at *up,
                struct causes *causes);
/* The same as Forbidden, for this reason. */
void field_keep_forbidden(const struct json *old, const struct json *obj, const char *key,
                          const struct at *up, const char *detail, struct causes *causes);
/* Unsupported value, if it is set to something else than these. */
void field_one_of(const struct json *obj, const char *key, const struct at *up, const char *const *allowed,
                  size_t n, struct causes *causes);
bool list_has(const struct json *list, struct str what);
/* '*' in a list means all: then nothing else belongs there.  what: the elements, for people. */
void field_star_alone(const struct json *obj, const char *key, const char *what, const struct at *up,
                      struct causes *causes);

/* All elements of obj's list (or values of its map), with where they are:
 *     each_in(e, spec, "rules", &at)
 *         check_rule(e.it, &e.at, causes); */
struct each { const struct json *of, *it; struct at list, at; long i; };
bool each_next(struct each *e);
#define each_in(e, obj, key, up) \
    for (struct each e = { .of = json_getz(obj, key), .list = AT_STR(up, str_of(key)), .i = -1 }; \
         each_next(&e);)

/* ---- check.c: small things that many kinds have ----------------------------------------------------- */

/* One text by a check of api/names.h; the empty one is as good as absent. */
void check_text(name_check_fn *check, struct str s, const struct at *at, struct causes *causes);
/* webhook.c: url or service of a webhook. */
void check_webhook_client(const struct json *config, const struct at *at, struct causes *causes);
/* webhook.c: which operations on which resources; also of policies. */
void check_admission_rule(const struct json *rule, const struct at *at, struct causes *causes);
/* structural.c: the schema of a version of a user's kind. */
void structural_check(const struct json *schema, const struct at *at, struct causes *causes);
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
/* Of a controller whose pods are to run forever; deadline: the kind that can't have one, in the message. */
void pod_template_check_lasting(const struct json *tmpl, const struct at *at, const char *deadline,
                                struct causes *causes);
/* spec.selector and spec.template of the kinds of apps.  word: what the selector is empty for. */
void workload_check(const struct json *spec, const char *word, const char *deadline, struct causes *causes);
/* pod_qos.c */
const char *pod_qos_class(const struct json *spec);
/* pod_validate.c */
void pod_spec_check(const struct json *spec, const struct at *at, bool is_pod, struct causes *causes);
/* pod_update.c */
/* Is this a write of pods/ephemeralcontainers?  If so: nothing else changes; and only additions are right. */
bool pod_is_ephemeral(const struct kind_ctx *c);
/* What no such subresource changes of metadata. */
void pod_put_back_meta(struct arena *a, const struct json *old, struct json *pod);
void pod_ephemeral_prepare(struct kind_ctx *c, const struct json *old, struct json *pod);
void pod_ephemeral_check(const struct json *old, const struct json *spec, struct causes *causes);
/* pod_resize.c */
bool pod_is_resize(const struct kind_ctx *c);
void pod_resize_prepare(struct kind_ctx *c, const struct json *old, struct json *pod);
void pod_resize_check(const struct json *old, const struct json *pod, struct causes *causes);
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
                            int64_t grace_s, struct causes *causes);
/* container_resources.c */
void container_resources_check(const struct json *resources, const struct at *at, struct causes *causes);
/* resource_name.c: keys and values of maps of resources. */
bool resource_is_huge_pages(struct str name);
/* Devices and the like, "example.com/gpu": counted, never shared. */
bool resource_is_extended(struct str name);
/* {cpu: 1, memory: 1Gi ...} of a container, a pod, a node. */
void check_resources(const struct json *obj, const char *key, const struct at *up, struct causes *causes);
void check_resource_amount(const struct json *v, const struct at *at, struct causes *causes);
struct quantity json_quantity(const struct json *v);      /* what is none is zero */
/* volume.c */
void volumes_default(struct kind_ctx *c, struct json *volumes);
void volumes_check(const struct json *volumes, const struct at *at, struct causes *causes);
/* A path inside a volume: relative, without "..". */
void check_relative_path(struct str path, const struct at *at, struct causes *causes);
/* pod_placement.c: node selector, affinity, tolerations, spread. */
void pod_placement_check(const struct json *spec, const struct at *at, struct causes *causes);
void check_tolerations(const struct json *parent, const struct at *at, struct causes *causes);
void check_node_selector(const struct json *selector, const struct at *at, struct causes *causes);
/* pod_os.c: what only makes sense on one system. */
void pod_os_check(const struct json *spec, const struct at *at, struct causes *causes);
/* pod_security.c */
void pod_security_check(const struct json *spec, const struct at *at, struct causes *causes);
void container_security_check(const struct json *container, const struct at *at, struct causes *causes);

/* ---- Storage ---------------------------------------------------------------------------------------- */

/* persistent_volume_claim.c: also of claims in templates. */
void claim_spec_check(const struct json *spec, const struct at *at, struct causes *causes);
/* persistent_volume.c: also of volumes that are attached without an object of their own. */
void volume_spec_check(const struct json *spec, const struct at *at, struct causes *causes);
void check_access_modes(const struct json *spec, const struct at *at, struct causes *causes);
void check_absolute_path(const struct json *obj, const char *key, const struct at *up, struct causes *causes);
bool path_has_dot_dot(struct str path);

/* ---- Jobs ------------------------------------------------------------------------------------------- */

/* job_validate.c: of a job, and of a CronJob's template. */
void job_spec_check(const struct json *spec, const struct at *at, struct causes *causes);
void job_spec_check_update(const struct json *old, const struct json *spec, bool suspended,
                           const struct at *at, struct causes *causes);
/* job_failure.c: when pods fail, when enough succeeded. */
void job_policies_check(const struct json *spec, const struct at *at, struct causes *causes);
/* cron_schedule.c: NULL: fine, else what is wrong. */
const char *cron_schedule_wrong(struct arena *a, struct str schedule);

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
