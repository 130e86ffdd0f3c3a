/* api/kinds/definition.c: definitions of kinds that users define.  PUT needs a resourceVersion for them.
 *
 * The schemas are checked in structural.c; names are given out and the definition is established by a
 * controller (ctrl/crd.c), and what is established is served by api/registry.h. */
#include "api/crd/rules.h"
#include "api/json_query.h"
#include "api/kinds/kinds_impl.h"
#include "api/meta.h"

#define FINALIZER "customresourcecleanup.apiextensions.k8s.io"
#define APPROVED  "api-approved.kubernetes.io"

static struct str lower(struct arena *a, struct str s)
{
    char *p = arena_alloc(a, s.n + 1);

    for (size_t i = 0; i < s.n; i++)
        p[i] = s.p[i] >= 'A' && s.p[i] <= 'Z' ? (char)(s.p[i] + 32) : s.p[i];
    return str_make(p, s.n);
}

/* ---- Defaults and status ------------------------------------------------------------------------- */

static void definition_default(struct kind_ctx *c, struct json *obj)
{
    struct arena *a = c->arena;
    struct json  *spec = json_getz(obj, "spec"), *names = json_getz(spec, "names");
    struct str    kind = json_str(json_getz(names, "kind"));

    if (kind.n > 0 && json_is_blank(json_getz(names, "singular")))
        json_setz(a, names, "singular", json_string_ref(a, lower(a, kind)));
    if (kind.n > 0 && json_is_blank(json_getz(names, "listKind")))
        json_setf(a, names, "listKind", "%.*sList", STR_ARG(kind));
    default_text(a, default_object(a, spec, "conversion"), "strategy", "None");
}

/* Objects may be stored in the storage version from now on, and still be in those that were it before. */
static void note_stored(struct arena *a, struct json *obj)
{
    struct json *stored = json_path(obj, "status.storedVersions");

    if (stored == NULL)
        stored = json_setz(a, json_make_path(a, obj, "status"), "storedVersions", json_array(a));
    json_each(version, json_path(obj, "spec.versions")) {
        struct str name = json_str(json_getz(version, "name"));

        if (json_true(json_getz(version, "storage")) && !list_has(stored, name))
            json_push(stored, json_string(a, name));
    }
}

static void definition_prepare_create(struct kind_ctx *c, struct json *obj)
{
    note_stored(c->arena, obj);
}

static void definition_prepare_update(struct kind_ctx *c, const struct json *old, struct json *obj)
{
    (void)old;
    note_stored(c->arena, obj);
}

/* It stays until all objects of the kind are gone. */
static void definition_prepare_delete(struct kind_ctx *c, struct json *obj)
{
    struct arena *a = c->arena;
    struct json *status = json_make_path(a, obj, "status"), *conditions = json_getz(status, "conditions"),
                *new;
    size_t        i = 0;

    meta_add_finalizer(a, obj, FINALIZER);
    if (!json_is(conditions, JSON_ARRAY))
        conditions = json_setz(a, status, "conditions", json_array(a));
    json_each(it, conditions) {
        if (str_is(json_str(json_getz(it, "type")), "Terminating")) {
            json_remove_at(conditions, i);
            break;
        }
        i++;
    }
    new = json_push(conditions, json_object(a));
    json_setf(a, new, "type", "Terminating");
    json_setf(a, new, "status", "True");
    json_setz(a, new, "lastTransitionTime", json_string_ref(a, kind_now(c)));
    json_setf(a, new, "reason", "InstanceDeletionPending");
    json_setf(a, new, "message", "CustomResourceDefinition marked for deletion; CustomResource deletion will "
                                 "begin soon");
}

/* ---- Names and group ---------------------------------------------------------------------------- */

static void check_names(const struct json *spec, const struct at *up, struct causes *causes)
{
    static const char *const kinds[] = { "kind", "listKind" };
    const struct json *names = json_getz(spec, "names");
    struct at          at = AT_KEY(up, "names");
    struct str kind = json_str(json_getz(names, "kind")), list = json_str(json_getz(names, "listKind"));

    field_need(names, "plural", &at, "", causes);
    field_need(names, "kind", &at, "", causes);
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        struct at   here = AT_STR(&at, str_of(kinds[i]));
        struct str  s = json_str(json_getz(names, kinds[i]));
        const char *wrong = s.n > 0 ? name_check_label_1035(lower(causes->arena, s)) : NULL;

        if (wrong != NULL)
            cause_invalid(
                causes, &here, s,
                arena_fmt(causes->arena, "may have mixed case, but should otherwise match: %s", wrong).p);
    }
    if (kind.n > 0 && str_eq(kind, list))
        field_refuse(names, "listKind", &at, "kind and listKind may not be the same", causes);
}

/* Kubernetes' own groups are for those that its reviewers let in, or that say that they weren't. */
static void check_approval(const struct json *obj, struct str group, struct causes *causes)
{
    struct str said = json_str(json_getz(json_path(obj, "metadata.annotations"), APPROVED));
    struct at meta = AT_KEY(NULL, "metadata"), at = AT_KEY(&meta, "annotations"),
              here = AT_MAP(&at, STR(APPROVED));

    if (!str_is(group, "k8s.io") && !str_is(group, "kubernetes.io") && !str_ends(group, STR(".k8s.io")) &&
        !str_ends(group, STR(".kubernetes.io")))
        return;
    if (said.n == 0)
        cause_required(causes, &here,
                       "protected groups must have approval annotation \"" APPROVED "\", see "
                       "https://github.com/kubernetes/enhancements/pull/1111");
    else if (!str_starts(said, STR("unapproved")) && memmem(said.p, said.n, "://", 3) == NULL)
        cause_invalid(causes, &here, said,
                      "protected groups must have approval annotation \"" APPROVED
                      "\" with either a URL or a "
                      "reason starting with \"unapproved\", see "
                      "https://github.com/kubernetes/enhancements/pull/1111");
}

/* ---- Versions ----------------------------------------------------------------------------------- */

static void check_conversion(const struct json *spec, const struct at *up, struct causes *causes)
{
    const struct json *conversion = json_getz(spec, "conversion"), *hook = json_getz(conversion, "webhook"),
                      *reviews = json_getz(hook, "conversionReviewVersions");
    struct at at = AT_KEY(up, "conversion"), at_hook = AT_KEY(&at, "webhook"),
              client = AT_KEY(&at_hook, "clientConfig"),
              at_reviews = AT_KEY(&at_hook, "conversionReviewVersions");

    if (!str_is(json_str(json_getz(conversion, "strategy")), "Webhook")) {
        field_forbid(conversion, "webhook", &at, "should not be set when strategy is not set to Webhook",
                     causes);
        return;
    }
    if (hook == NULL) {
        cause_required(causes, &client, "required when strategy is set to Webhook");
        return;
    }
    check_webhook_client(json_getz(hook, "clientConfig"), &client, causes);
    if (json_is_set(reviews) && !list_has(reviews, STR("v1")) && !list_has(reviews, STR("v1beta1")))
        cause_invalid_raw(causes, &at_reviews, json_text(causes->arena, reviews),
                          "must include at least one of v1, v1beta1");
}

static void check_columns(const struct json *version, const struct at *up, struct causes *causes)
{
    static const char *const types[] = { "integer", "number", "string", "boolean", "date" };
    static const char *const formats[] = { "int32", "int64", "float", "double", "byte", "date", "date-time",
                                           "password" };
    const struct json_query *query;
    struct errbuf            err;

    each_in(e, version, "additionalPrinterColumns", up) {
        struct str path = json_str(json_getz(e.it, "jsonPath"));

        field_one_of(e.it, "type", &e.at, types, ARRAY_LEN(types), causes);
        field_one_of(e.it, "format", &e.at, formats, ARRAY_LEN(formats), causes);
        if (path.n > 0 && path.p[0] != '.')
            field_refuse(e.it, "jsonPath", &e.at, "must be a simple json path starting with .", causes);
        else if (path.n > 0 && json_query_compile(causes->arena, path, &query, &err) < 0)
            field_refuse(e.it, "jsonPath", &e.at, arena_fmt(causes->arena, "%s", err.s).p, causes);
    }
}

static bool is_dotted(struct str path)
{
    struct str rest, part;

    if (path.n < 2 || path.p[0] != '.')
        return false;
    rest = str_from(path, 1);
    while (str_split(&rest, '.', &part))
        if (part.n == 0 || str_find(part, '[') >= 0)
            return false;
    return true;
}

/* A path of the scale subresource: dotted, below spec or status. */
static void check_scale_path(const struct json *scale, const char *key, struct str below, const struct at *up,
                             struct causes *causes)
{
    struct str path = json_str(json_getz(scale, key));

    if (path.n == 0)
        return;
    if (!is_dotted(path))
        field_refuse(scale, key, up, "must be a simple json path starting with .", causes);
    else if (!str_starts(path, below))
        field_refuse(
            scale, key, up,
            arena_fmt(causes->arena, "should be a json path under %.*s", (int)below.n - 1, below.p).p,
            causes);
}

static void check_subresources(const struct json *version, const struct at *up, struct causes *causes)
{
    const struct json *scale = json_path(version, "subresources.scale");
    struct at          at = AT_KEY(up, "subresources"), here = AT_KEY(&at, "scale");
    struct str         labels = json_str(json_getz(scale, "labelSelectorPath"));

    check_scale_path(scale, "specReplicasPath", STR(".spec."), &here, causes);
    check_scale_path(scale, "statusReplicasPath", STR(".status."), &here, causes);
    check_scale_path(scale, "labelSelectorPath",
                     str_starts(labels, STR(".spec.")) ? STR(".spec.") : STR(".status."), &here, causes);
}

static const struct json *schema_at(const struct json *schema, struct str path)
{
    struct str rest = str_from(path, 1), part;

    while (schema != NULL && str_split(&rest, '.', &part))
        schema = json_get(json_getz(schema, "properties"), part);
    return schema;
}

static void check_selectable(const struct json *version, const struct at *up, struct causes *causes)
{
    static const char *const types[] = { "string", "integer", "boolean" };
    const struct json *schema = json_path(version, "schema.openAPIV3Schema"),
                      *list = json_getz(version, "selectableFields");
    struct seen        paths = seen_new(causes->arena, list != NULL ? list->n : 0);

    each_in(e, version, "selectableFields", up) {
        struct str         path = json_str(json_getz(e.it, "jsonPath"));
        const struct json *of;
        bool               scalar = false;

        if (!is_dotted(path)) {
            field_refuse(e.it, "jsonPath", &e.at, "must be a simple json path starting with .", causes);
            continue;
        }
        of = schema_at(schema, path);
        for (size_t i = 0; i < ARRAY_LEN(types); i++)
            scalar |= str_is(json_str(json_getz(of, "type")), types[i]);
        if (str_starts(path, STR(".metadata")))
            field_refuse(e.it, "jsonPath", &e.at, "must not point to fields in metadata", causes);
        else if (!scalar)
            field_refuse(e.it, "jsonPath", &e.at,
                         "must point to a field of type string, boolean or integer. Enum string fields and "
                         "strings with formats are allowed.", causes);
        else if (!seen_add(&paths, path)) {
            struct at here = AT_KEY(&e.at, "jsonPath");

            cause_duplicate(causes, &here, path);
        }
    }
}

static void check_version(const struct json *version, const struct at *up, struct causes *causes)
{
    const struct json *schema = json_path(version, "schema.openAPIV3Schema");
    struct at          at = AT_KEY(up, "schema"), here = AT_KEY(&at, "openAPIV3Schema");
    unsigned           before = causes->n;

    if (json_is_set(json_getz(version, "deprecationWarning")) && !json_true(json_getz(version, "deprecated")))
        field_refuse(version, "deprecationWarning", up, "can only be set for deprecated versions", causes);
    if (schema == NULL)
        cause_required(causes, &here, "schemas are required");
    else
        structural_check(schema, &here, causes);
    check_subresources(version, up, causes);
    check_columns(version, up, causes);
    if (causes->n == before)
        check_selectable(version, up, causes);
}

static void check_versions(const struct json *spec, const struct at *up, struct causes *causes)
{
    const struct json *list = json_getz(spec, "versions");
    struct at          at = AT_KEY(up, "versions");
    struct seen        names = seen_new(causes->arena, list != NULL ? list->n : 0);
    unsigned           stored = 0;
    bool               unique = true;

    each_in(e, spec, "versions", up) {
        stored += json_true(json_getz(e.it, "storage"));
        unique &= seen_add(&names, json_str(json_getz(e.it, "name")));
        check_version(e.it, &e.at, causes);
    }
    if (!unique)
        cause_invalid_raw(causes, &at, STR("null"), "must contain unique version names");
    if (!json_is_blank(list) && stored != 1)
        cause_invalid_raw(causes, &at, STR("null"),
                          "must have exactly one version marked as storage version");
}

/* Formats that nobody knows are not checked: who writes one is told so, of each once. */
#define FORMATS_TOLD 32                          /* more warnings than an answer carries */
struct formats { struct str at[FORMATS_TOLD]; unsigned n; };

static void warn_of_format(struct kind_ctx *c, struct str format, struct formats *told)
{
    for (unsigned i = 0; i < told->n; i++)
        if (str_eq(told->at[i], format))
            return;
    if (told->n == FORMATS_TOLD)
        return;
    told->at[told->n++] = format;
    kind_warn(c, "unrecognized format \"%.*s\"", STR_ARG(format));
}

static void warn_of_formats(struct kind_ctx *c, const struct json *schema, struct formats *told)
{
    static const char *const values[] = { "default", "enum", "example" };
    struct str format = json_str(json_getz(schema, "format"));

    if (format.n > 0 && !crd_format_known(format))
        warn_of_format(c, format, told);
    json_each(m, schema) {
        bool value = false;

        for (size_t i = 0; i < ARRAY_LEN(values); i++)
            value |= str_is(m->key, values[i]);
        if (!value && m->type >= JSON_ARRAY)
            warn_of_formats(c, m, told);
    }
}

static void warn_of_schemas(struct kind_ctx *c, const struct json *spec)
{
    struct formats told = { .n = 0 };

    json_each(version, json_getz(spec, "versions"))
        warn_of_formats(c, json_path(version, "schema.openAPIV3Schema"), &told);
}

/* ---- The whole ---------------------------------------------------------------------------------- */

static void definition_validate(struct kind_ctx *c, const struct json *obj, struct causes *causes)
{
    const struct json *spec = json_getz(obj, "spec");
    struct str group = json_str(json_getz(spec, "group")), plural = json_path_str(spec, "names.plural");
    struct at at = AT_KEY(NULL, "spec"), meta = AT_KEY(NULL, "metadata"), name = AT_KEY(&meta, "name");

    if (!str_eq(c->name, arena_fmt(causes->arena, "%.*s.%.*s", STR_ARG(plural), STR_ARG(group))))
        cause_invalid(causes, &name, c->name, "must be spec.names.plural+\".\"+spec.group");
    if (group.n > 0 && str_find(group, '.') < 0)
        field_refuse(spec, "group", &at, "should be a domain with at least one dot", causes);
    check_approval(obj, group, causes);
    check_names(spec, &at, causes);
    check_versions(spec, &at, causes);
    check_conversion(spec, &at, causes);
    warn_of_schemas(c, spec);
    if (json_true(json_getz(spec, "preserveUnknownFields")))
        field_refuse(spec, "preserveUnknownFields", &at,
                     "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in "
                     "spec.versions[*].schema instead", causes);
}

static bool is_established(const struct json *obj)
{
    json_each(c, json_path(obj, "status.conditions"))
        if (str_is(json_str(json_getz(c, "type")), "Established"))
            return str_is(json_str(json_getz(c, "status")), "True");
    return false;
}

/* Versions that objects may be stored in stay. */
static void check_stored(const struct json *obj, struct causes *causes)
{
    const struct json *versions = json_path(obj, "spec.versions");
    struct at   status = AT_KEY(NULL, "status");
    struct seen known = seen_new(causes->arena, versions != NULL ? versions->n : 0);

    json_each(it, versions)
        seen_add(&known, json_str(json_getz(it, "name")));
    each_in(e, json_getz(obj, "status"), "storedVersions", &status)
        if (!seen_has(&known, json_str(e.it)))
            cause_invalid(causes, &e.at, json_str(e.it),
                          arena_fmt(causes->arena,
                                    "missing from spec.versions; %.*s was previously a storage version, and "
                                    "must remain in spec.versions until a storage migration ensures no data "
                                    "remains persisted in it and removes it from status.storedVersions",
                                    STR_ARG(json_str(e.it)))
                              .p);
}

static void definition_validate_update(struct kind_ctx *c, const struct json *old, const struct json *obj,
                                       struct causes *causes)
{
    const struct json *was = json_getz(old, "spec"), *now = json_getz(obj, "spec");
    struct at          at = AT_KEY(NULL, "spec"), names = AT_KEY(&at, "names");

    (void)c;
    field_keep(was, now, "group", &at, causes);
    if (is_established(old))
        field_keep(was, now, "scope", &at, causes);
    field_keep(json_getz(was, "names"), json_getz(now, "names"), "plural", &names, causes);
    if (is_established(old))
        field_keep(json_getz(was, "names"), json_getz(now, "names"), "kind", &names, causes);
    check_stored(obj, causes);
}

/* Who has moved all objects may say that older versions hold none any more, not so of the present one. */
static void definition_validate_status(struct kind_ctx *c, const struct json *old, const struct json *obj,
                                       struct causes *causes)
{
    const struct json *stored = json_path(obj, "status.storedVersions");
    struct at          status = AT_KEY(NULL, "status"), at = AT_KEY(&status, "storedVersions");

    (void)c;
    (void)old;
    json_each(version, json_path(obj, "spec.versions")) {
        struct str name = json_str(json_getz(version, "name"));

        if (json_true(json_getz(version, "storage")) && !list_has(stored, name))
            cause_invalid_raw(
                causes, &at, json_text(causes->arena, stored),
                arena_fmt(causes->arena, "must have the storage version %.*s", STR_ARG(name)).p);
    }
    check_stored(obj, causes);
}

const struct kind_hooks kind_definitions = {
    .group = "apiextensions.k8s.io", .plural = "customresourcedefinitions", .bare_finalizers = true,
    .default_ = definition_default,
    .prepare_create = definition_prepare_create, .prepare_update = definition_prepare_update,
    .prepare_delete = definition_prepare_delete, .validate = definition_validate,
    .validate_update = definition_validate_update, .validate_status = definition_validate_status,
};
