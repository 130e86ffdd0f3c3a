/* api/kinds/certificate.c: requests for certificates: the server notes who asks, and keeps it. */
#include "api/kinds/kinds_impl.h"
#include "net/tls.h"

static void put_extra(struct arena *a, struct json *spec, const struct exchange_user *u)
{
    struct json *extra = json_setz(a, spec, "extra", json_object(a));

    for (size_t i = 0; i < u->n_extra; i++) {
        struct json *values = json_get(extra, u->extra[i].key);

        if (values == NULL)
            values = json_set(a, extra, u->extra[i].key, json_array(a));
        json_push(values, json_string(a, u->extra[i].value));
    }
}

static void request_prepare_create(struct kind_ctx *c, struct json *obj)
{
    static const char *const ours[] = { "username", "uid", "groups", "extra" };
    struct arena *a = c->arena;
    struct json  *spec = json_getz(obj, "spec"), *groups;

    if (!json_is(spec, JSON_OBJECT))
        return;
    for (size_t i = 0; i < ARRAY_LEN(ours); i++)
        json_delz(spec, ours[i]);
    if (c->user == NULL)
        return;
    json_setz(a, spec, "username", json_string(a, c->user->name));
    if (c->user->uid.n > 0)
        json_setz(a, spec, "uid", json_string(a, c->user->uid));
    groups = json_setz(a, spec, "groups", json_array(a));
    for (size_t i = 0; i < c->user->n_groups; i++)
        json_push(groups, json_string(a, c->user->groups[i]));
    if (c->user->n_extra > 0)
        put_extra(a, spec, c->user);
}

/* What is asked for never changes; that is not told. */
static void request_prepare_update(struct kind_ctx *c, const struct json *old, struct json *obj)
{
    json_setz(c->arena, obj, "spec", json_copy(c->arena, json_getz(old, "spec")));
}

/* Whoever approves has no say about the certificate. */
static void request_prepare_status(struct kind_ctx *c, const struct json *old, struct json *obj)
{
    struct json *status = json_make_path(c->arena, obj, "status");
    const struct json *certificate = json_path(old, "status.certificate");

    if (c->sub == NULL || strcmp(c->sub->name, "approval") != 0)
        return;
    if (certificate != NULL)
        json_setz(c->arena, status, "certificate", json_copy(c->arena, certificate));
    else
        json_delz(status, "certificate");
}

/* ---- Checks ----------------------------------------------------------------------------------------- */

static bool is_request(struct str encoded)
{
    struct buf text = BUF_INIT;
    bool       yes = base64_decode(&text, encoded, false) >= 0 && pki_is_request(buf_str(&text));

    buf_release(&text);
    return yes;
}

static void check_signer(const struct json *spec, const struct at *at, struct causes *causes)
{
    struct str name = json_str(json_getz(spec, "signerName"));
    ptrdiff_t  slash = str_find(name, '/');

    if (name.n == 0)
        return;                                  /* required: the schema says so */
    if (slash <= 0 || (size_t)slash + 1 == name.n || str_find(str_from(name, (size_t)slash + 1), '/') >= 0 ||
        str_find(str_upto(name, (size_t)slash), '.') < 0)
        field_refuse(spec, "signerName", at,
                     "must be a fully qualified domain and path of the form 'example.com/signer-name'",
                     causes);
    else if (name_check_subdomain(str_upto(name, (size_t)slash)) != NULL)
        field_refuse(spec, "signerName", at, name_check_subdomain(str_upto(name, (size_t)slash)), causes);
    else if (name_check_subdomain(str_from(name, (size_t)slash + 1)) != NULL)
        field_refuse(spec, "signerName", at, name_check_subdomain(str_from(name, (size_t)slash + 1)), causes);
    if (str_is(name, "kubernetes.io/legacy-unknown"))
        field_refuse(spec, "signerName", at,
                     "kubernetes.io/legacy-unknown signerName is not allowed via this API version", causes);
}

static void request_validate(struct kind_ctx *c, const struct json *obj, struct causes *causes)
{
    const struct json *spec = json_getz(obj, "spec");
    struct at          at = AT_KEY(NULL, "spec"), request = AT_KEY(&at, "request");

    if (!c->creating)
        return;                                  /* what is asked for never changes */
    if (json_is_set(json_getz(spec, "request")) && !is_request(json_str(json_getz(spec, "request"))))
        cause_invalid(causes, &request, json_str(json_getz(spec, "request")),
                      "PEM block type must be CERTIFICATE REQUEST");
    check_signer(spec, &at, causes);
}

static const struct json *condition(const struct json *obj, const char *type)
{
    json_each(it, json_path(obj, "status.conditions"))
        if (str_is(json_str(json_getz(it, "type")), type))
            return it;
    return NULL;
}

/* Decisions are made once: by .../approval, a failure by .../status. */
static void check_decisions(struct kind_ctx *c, const struct json *old, const struct json *obj,
                            struct causes *causes)
{
    static const char *const decisions[] = { "Approved", "Denied", "Failed" }, *const yes[] = { "True" };
    bool      approval = c->sub != NULL && strcmp(c->sub->name, "approval") == 0;
    struct at status = AT_KEY(NULL, "status"), at = AT_KEY(&status, "conditions");

    for (size_t i = 0; i < ARRAY_LEN(decisions); i++) {
        const struct json *was = condition(old, decisions[i]), *now = condition(obj, decisions[i]);
        const char *how = was != NULL && now == NULL ? "remove" : was == NULL && now != NULL ? "add" : NULL;

        if (how != NULL && (was != NULL || approval != (i < 2)))
            cause_forbidden(
                causes, &at,
                arena_fmt(causes->arena, "updates may not %s a condition of type \"%s\"", how, decisions[i])
                    .p);
        if (now != NULL)
            field_one_of(now, "status", &at, yes, 1, causes);
    }
    if (condition(obj, "Approved") != NULL && condition(obj, "Denied") != NULL)
        cause_invalid(causes, &at, STR("Denied"), "Approved and Denied conditions are mutually exclusive");
}

static void request_validate_status(struct kind_ctx *c, const struct json *old, const struct json *obj,
                                    struct causes *causes)
{
    const struct json *was = json_path(old, "status.certificate"),
                      *now = json_path(obj, "status.certificate");
    struct at          status = AT_KEY(NULL, "status"), at = AT_KEY(&status, "certificate");

    check_decisions(c, old, obj, causes);
    if (json_is_set(was) && !json_same(was, now))
        cause_forbidden(causes, &at, "updates may not change certificate content once it is issued");
}

const struct kind_hooks kind_certificate_requests = {
    .group = "certificates.k8s.io", .plural = "certificatesigningrequests", .unconditional_update = true,
    .prepare_create = request_prepare_create, .prepare_update = request_prepare_update,
    .prepare_status = request_prepare_status, .validate = request_validate,
    .validate_status = request_validate_status,
};
