/* api/kinds/volume.c: where a pod's volumes come from: exactly one source, paths that stay inside. */
#include "api/kinds/kinds_impl.h"
#include "api/quantity.h"

/* ---- Paths ------------------------------------------------------------------------------------------ */

bool path_has_dot_dot(struct str path)
{
    struct str part;

    while (str_split(&path, '/', &part))
        if (str_is(part, ".."))
            return true;
    return false;
}

void check_relative_path(struct str path, const struct at *at, struct causes *causes)
{
    if (path.n > 0 && path.p[0] == '/')
        cause_invalid(causes, at, path, "must be a relative path");
    if (path_has_dot_dot(path))
        cause_invalid(causes, at, path, "must not contain '..'");
}

void check_absolute_path(const struct json *obj, const char *key, const struct at *up, struct causes *causes)
{
    struct at  at = AT_STR(up, str_of(key));
    struct str path = json_str(json_getz(obj, key));

    if (path.n > 0 && path.p[0] != '/')
        cause_invalid(causes, &at, path, "must be an absolute path");
}

/* A file that a volume makes: names with two dots in front are the volume's own. */
static void check_file_path(struct str path, const struct at *at, struct causes *causes)
{
    if (path.n == 0)
        return;                                  /* required: the schema says so */
    check_relative_path(path, at, causes);
    if (str_starts(path, STR("..")) && !path_has_dot_dot(path))
        cause_invalid(causes, at, path, "must not start with '..'");
}

/* ---- Sources of files ------------------------------------------------------------------------------- */

/* paths: of a projected volume, where no two sources may write the same file; NULL: not checked. */
static void check_items(const struct json *items, const struct at *up, struct seen *paths,
                        struct causes *causes)
{
    struct at at = AT_KEY(up, "items");
    unsigned  i = 0;

    json_each(item, items) {
        struct at  here = AT_INDEX(&at, i), at_path = AT_KEY(&here, "path");
        struct str path = json_str(json_getz(item, "path"));

        i++;
        check_file_path(path, &at_path, causes);
        if (paths != NULL && path.n > 0 && !seen_add(paths, path))
            cause_invalid(causes, up, path, "conflicting duplicate paths");
    }
}

static void check_downward_items(const struct json *items, const struct at *up, struct causes *causes)
{
    struct at at = AT_KEY(up, "items");
    unsigned  i = 0;

    json_each(item, items) {
        const struct json *field = json_getz(item, "fieldRef"),
                          *resource = json_getz(item, "resourceFieldRef");
        struct at here = AT_INDEX(&at, i), at_field = AT_KEY(&here, "fieldRef"),
                  at_resource = AT_KEY(&here, "resourceFieldRef");

        i++;
        if (field != NULL)
            field_ref_check(field, &at_field, false, causes);
        if (field != NULL && resource != NULL)
            cause_invalid(causes, &here, STR("resource"),
                          "fieldRef and resourceFieldRef can not be specified simultaneously");
        else if (resource != NULL)
            resource_field_ref_check(resource, &at_resource, false, causes);
        else if (field == NULL)
            cause_required(causes, &here, "one of fieldRef and resourceFieldRef is required");
    }
}

static void need_name(const struct json *source, const struct at *at, struct causes *causes)
{
    struct at here = AT_KEY(at, "name");

    if (json_str(json_getz(source, "name")).n == 0)
        cause_required(causes, &here, "");
}

static void check_token(const struct json *token, const struct at *at, struct seen *paths,
                        struct causes *causes)
{
    struct at  seconds = AT_KEY(at, "expirationSeconds"), at_path = AT_KEY(at, "path");
    int64_t    n = json_i64_or(json_getz(token, "expirationSeconds"), 3600);
    struct str path = json_str(json_getz(token, "path"));

    if (n > (int64_t)1 << 32)
        cause_invalid_int(causes, &seconds, n, "may not specify a duration larger than 2^32 seconds");
    check_file_path(path, &at_path, causes);
    if (path.n > 0 && !seen_add(paths, path))
        cause_invalid(causes, at, path, "conflicting duplicate paths");
}

/* Trusted authorities: one bundle by name, or all of a signer. */
static void check_trust(const struct json *trust, const struct at *at, struct seen *paths,
                        struct causes *causes)
{
    bool       named = json_is_set(json_getz(trust, "name")),
         signer = json_is_set(json_getz(trust, "signerName"));
    struct at  at_path = AT_KEY(at, "path"), selector = AT_KEY(at, "labelSelector");
    struct str path = json_str(json_getz(trust, "path"));

    if (named && signer)
        cause_invalid_raw(causes, at, json_text(causes->arena, trust),
                          "only one of name and signerName may be used");
    else if (!named && !signer)
        cause_required(causes, at, "either name or signerName must be specified");
    else if (named)
        field_forbid(trust, "labelSelector", at, "labelSelector must be unset if name is specified", causes);
    check_label_selector(json_getz(trust, "labelSelector"), &selector, causes);
    check_file_path(path, &at_path, causes);
    if (path.n > 0 && !seen_add(paths, path))
        cause_invalid(causes, at, path, "conflicting duplicate paths");
}

static void check_projection(const struct json *source, const struct at *at, struct seen *paths,
                             struct causes *causes)
{
    unsigned found = 0;

    json_each(it, source) {
        struct at here = AT_STR(at, it->key);

        if (found++ > 0) {
            cause_forbidden(causes, &here, "may not specify more than 1 volume type");
            continue;
        }
        if (str_is(it->key, "secret") || str_is(it->key, "configMap")) {
            need_name(it, &here, causes);
            check_items(json_getz(it, "items"), &here, paths, causes);
        } else if (str_is(it->key, "downwardAPI")) {
            check_items(json_getz(it, "items"), &here, paths, causes);
            check_downward_items(json_getz(it, "items"), &here, causes);
        } else if (str_is(it->key, "serviceAccountToken")) {
            check_token(it, &here, paths, causes);
        } else if (str_is(it->key, "clusterTrustBundle")) {
            check_trust(it, &here, paths, causes);
        }
    }
    if (found == 0)
        cause_required(causes, at, "must specify a projected volume source");
}

static void check_projected(const struct json *projected, const struct at *at, struct causes *causes)
{
    const struct json *sources = json_getz(projected, "sources");
    struct at          list = AT_KEY(at, "sources");
    struct seen        paths;
    size_t             n = 0;
    unsigned           i = 0;

    json_each(source, sources) {
        n++;
        json_each(it, source) {
            const struct json *items = json_getz(it, "items");

            n += items != NULL ? items->n : 0;
        }
    }
    paths = seen_new(causes->arena, n);
    json_each(source, sources) {
        struct at here = AT_INDEX(&list, i);

        i++;
        check_projection(source, &here, &paths, causes);
    }
}

/* ---- Other sources ---------------------------------------------------------------------------------- */

static void check_host_path(const struct json *source, const struct at *at, struct causes *causes)
{
    struct at here = AT_KEY(at, "path");

    if (path_has_dot_dot(json_str(json_getz(source, "path"))))
        cause_invalid(causes, &here, json_str(json_getz(source, "path")), "must not contain '..'");
}

static void check_empty_dir(const struct json *source, const struct at *at, struct causes *causes)
{
    static const char *const media[] = { "", "HugePages", "Memory" };
    struct at       at_limit = AT_KEY(at, "sizeLimit"), at_medium = AT_KEY(at, "medium");
    struct str      medium = json_str(json_getz(source, "medium"));
    struct quantity q;

    if (medium.n > 0 && !str_is(medium, "Memory") && !str_starts(medium, STR("HugePages")))
        cause_unsupported(causes, &at_medium, medium, media, ARRAY_LEN(media));
    if (quantity_from_json(json_getz(source, "sizeLimit"), &q, NULL) == 0 && quantity_sign(q) < 0)
        cause_forbidden(causes, &at_limit, "SizeLimit field must be a valid resource quantity");
}

/* A claim that is made for the pod. */
static void check_ephemeral(const struct json *source, const struct at *at, struct causes *causes)
{
    const struct json *tmpl = json_getz(source, "volumeClaimTemplate");
    struct at          at_tmpl = AT_KEY(at, "volumeClaimTemplate"), spec = AT_KEY(&at_tmpl, "spec");

    if (field_need(source, "volumeClaimTemplate", at, "", causes))
        claim_spec_check(json_getz(tmpl, "spec"), &spec, causes);
}

static void check_source(const struct json *source, const struct at *at, struct causes *causes)
{
    if (str_is(source->key, "configMap")) {
        need_name(source, at, causes);
        check_items(json_getz(source, "items"), at, NULL, causes);
    } else if (str_is(source->key, "secret")) {
        check_items(json_getz(source, "items"), at, NULL, causes);
    } else if (str_is(source->key, "projected")) {
        check_projected(source, at, causes);
    } else if (str_is(source->key, "emptyDir")) {
        check_empty_dir(source, at, causes);
    } else if (str_is(source->key, "hostPath")) {
        check_host_path(source, at, causes);
    } else if (str_is(source->key, "nfs")) {
        check_absolute_path(source, "path", at, causes);
    } else if (str_is(source->key, "ephemeral")) {
        check_ephemeral(source, at, causes);
    } else if (str_is(source->key, "downwardAPI")) {
        check_items(json_getz(source, "items"), at, NULL, causes);
        check_downward_items(json_getz(source, "items"), at, causes);
    }
}

/* ---- All -------------------------------------------------------------------------------------------- */

/* A volume without any source is an empty directory. */
void volumes_default(struct kind_ctx *c, struct json *volumes)
{
    json_each(volume, volumes) {
        bool source = volume->type != JSON_OBJECT;

        json_each(it, volume)
            source |= !str_is(it->key, "name");
        if (!source)
            json_setz(c->arena, volume, "emptyDir", json_object(c->arena));
    }
}

void volumes_check(const struct json *volumes, const struct at *at, struct causes *causes)
{
    unsigned i = 0;

    json_each(volume, volumes) {
        struct at here = AT_INDEX(at, i);
        unsigned  found = 0;

        i++;
        json_each(source, volume) {
            struct at there = AT_STR(&here, source->key);

            if (str_is(source->key, "name"))
                continue;
            if (found++ > 0)
                cause_forbidden(causes, &there, "may not specify more than 1 volume type");
            else
                check_source(source, &there, causes);
        }
        if (found == 0)
            cause_required(causes, &here, "must specify a volume type");
    }
}
