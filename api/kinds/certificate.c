/* api/kinds/certificate.c: requests for certificates: the server notes who asks, and keeps it. */
#include "api/kinds/kinds_impl.h"

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

const struct kind_hooks kind_certificate_requests = {
    .group = "certificates.k8s.io", .plural = "certificatesigningrequests", .unconditional_update = true,
    .prepare_create = request_prepare_create, .prepare_update = request_prepare_update,
    .prepare_status = request_prepare_status,
};
