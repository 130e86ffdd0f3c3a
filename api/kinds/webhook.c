/* api/kinds/webhook.c: webhooks that have a say about writes: whom to ask, about what. */
#include "api/kinds/kinds_impl.h"
#include "api/policy/conditions.h"

#define ADMISSION .group = "admissionregistration.k8s.io"
#define URL_FORM  "; desired format: https://host[:port]/path"

/* ---- Whom to ask ------------------------------------------------------------------------------------ */

/* https, without user, query and fragment. */
static void check_webhook_url(const struct json *config, const struct at *at, struct causes *causes)
{
    struct str url = json_str(json_getz(config, "url")), host;
    ptrdiff_t  end;

    if (!str_starts(url, STR("https://"))) {
        field_refuse(config, "url", at, "'https' is the only allowed URL scheme" URL_FORM, causes);
        return;
    }
    host = str_from(url, 8);
    end = str_find(host, '/');
    host = end < 0 ? host : str_upto(host, (size_t)end);
    if (host.n == 0)
        field_refuse(config, "url", at, "host must be specified" URL_FORM, causes);
    if (str_find(host, '@') >= 0)
        field_refuse(config, "url", at, "user information is not permitted in the URL", causes);
    if (str_find(url, '#') >= 0)
        field_refuse(config, "url", at, "fragments are not permitted in the URL", causes);
    if (str_find(url, '?') >= 0)
        field_refuse(config, "url", at, "query parameters are not permitted in the URL", causes);
}

static void check_service(const struct json *config, const struct at *up, struct causes *causes)
{
    const struct json *service = json_getz(config, "service");
    struct at          at = AT_KEY(up, "service");
    struct str         path = json_str(json_getz(service, "path"));

    if (path.n > 0 && path.p[0] != '/')
        field_refuse(service, "path", &at, "must start with a '/'", causes);
    if (path.n > 1 && memmem(path.p, path.n, "//", 2) != NULL)
        field_refuse(service, "path", &at, "segment may not be empty", causes);
}

void check_webhook_client(const struct json *config, const struct at *at, struct causes *causes)
{
    if (json_getz(config, "url") != NULL)
        check_webhook_url(config, at, causes);
    if (json_getz(config, "service") != NULL)
        check_service(config, at, causes);
}

/* At least one of the versions that we can ask in. */
static void check_versions(const struct json *hook, const struct at *at, struct causes *causes)
{
    const struct json *list = json_getz(hook, "admissionReviewVersions");
    struct seen        seen = seen_new(causes->arena, list != NULL ? list->n : 0);

    each_in(e, hook, "admissionReviewVersions", at) {
        const char *wrong = name_check_label_1035(json_str(e.it));

        if (wrong != NULL)
            cause_invalid(causes, &e.at, json_str(e.it), wrong);
        else if (!seen_add(&seen, json_str(e.it)))
            cause_invalid(causes, &e.at, json_str(e.it), "duplicate version");
    }
    if (!json_is_blank(list) && !list_has(list, STR("v1")) && !list_has(list, STR("v1beta1")))
        field_refuse(hook, "admissionReviewVersions", at, "must include at least one of v1, v1beta1", causes);
}

/* ---- About what ------------------------------------------------------------------------------------- */

static void check_alone(const struct json *rule, const char *key, const char *what, const struct at *at,
                        struct causes *causes)
{
    field_star_alone(rule, key, what, at, causes);
    each_in(e, rule, key, at)
        if (json_str(e.it).n == 0 && strcmp(key, "apiGroups") != 0)
            cause_required(causes, &e.at, "");
}

static void check_resource_list(const struct json *rule, const struct at *at, struct causes *causes)
{
    const struct json *list = json_getz(rule, "resources");

    if (list != NULL && list->n > 1 && list_has(list, STR("*/*")))
        field_refuse(rule, "resources", at, "if '*/*' is present, must not specify other resources", causes);
    each_in(e, rule, "resources", at)
        if (json_str(e.it).n == 0)
            cause_required(causes, &e.at, "");
}

void check_admission_rule(const struct json *rule, const struct at *at, struct causes *causes)
{
    check_alone(rule, "operations", "operations", at, causes);
    check_alone(rule, "apiGroups", "API groups", at, causes);
    check_alone(rule, "apiVersions", "API versions", at, causes);
    check_resource_list(rule, at, causes);
}

/* ---- The whole -------------------------------------------------------------------------------------- */

static unsigned dots(struct str s)
{
    unsigned n = 0;

    for (size_t i = 0; i < s.n; i++)
        n += s.p[i] == '.';
    return n;
}

static void check_hook(const struct json *hook, const struct at *at, struct causes *causes)
{
    static const char *const effects[] = { "None", "NoneOnDryRun" };
    struct at client = AT_KEY(at, "clientConfig"), spaces = AT_KEY(at, "namespaceSelector"),
              objects = AT_KEY(at, "objectSelector"), conditions = AT_KEY(at, "matchConditions");
    struct str name = json_str(json_getz(hook, "name"));

    field_check(name_check_subdomain, hook, "name", at, causes);
    if (name.n > 0 && dots(name) < 2)
        field_refuse(hook, "name", at, "should be a domain with at least three segments separated by dots",
                     causes);
    field_one_of(hook, "sideEffects", at, effects, ARRAY_LEN(effects), causes);
    check_webhook_client(json_getz(hook, "clientConfig"), &client, causes);
    each_in(e, hook, "rules", at)
        check_admission_rule(e.it, &e.at, causes);
    check_label_selector(json_getz(hook, "namespaceSelector"), &spaces, causes);
    check_label_selector(json_getz(hook, "objectSelector"), &objects, causes);
    check_versions(hook, at, causes);
    conditions_check(json_getz(hook, "matchConditions"), NULL, &conditions, causes);
}

static void webhooks_validate(struct kind_ctx *c, const struct json *obj, struct causes *causes)
{
    (void)c;
    each_in(e, obj, "webhooks", NULL)
        check_hook(e.it, &e.at, causes);
}

const struct kind_hooks kind_mutating_webhooks = {
    ADMISSION, .plural = "mutatingwebhookconfigurations", .validate = webhooks_validate,
};
const struct kind_hooks kind_validating_webhooks = {
    ADMISSION, .plural = "validatingwebhookconfigurations", .validate = webhooks_validate,
};
