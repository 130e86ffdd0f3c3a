/* api/issuer.c: see api/issuer.h. */
#include "api/issuer.h"

#define CONFIGURATION "/.well-known/openid-configuration"
#define KEYS          "/openid/v1/jwks"

const char *issuer_path(const struct api *a, size_t i)
{
    static const char *const paths[] = { CONFIGURATION, KEYS };

    return i < ARRAY_LEN(paths) && authn_keys(a->authn) != NULL ? paths[i] : NULL;
}

static void answer(struct call *c, const char *type, const struct json *obj)
{
    static const struct answer_headers kept = { NULL, 0, "public, max-age=3600" };
    struct buf   b = BUF_INIT;
    struct blob *body;

    json_write(&b, obj);
    body = buf_to_blob(&b);
    buf_release(&b);
    call_respond_with(c, 200, type, body, &kept);
}

static void add(struct arena *a, struct json *in, const char *key, const char *text)
{
    struct json *list = json_getz(in, key);

    if (list == NULL)
        list = json_setz(a, in, key, json_array(a));
    json_push(list, json_string(a, str_of(text)));
}

static struct json *configuration(struct call *c, const struct key_set *keys)
{
    struct arena *a = c->arena;
    struct json  *o = json_object(a);
    const char   *seen = NULL;

    json_setf(a, o, "issuer", "%s", c->api->issuer);
    if (c->api->jwks_uri != NULL)
        json_setf(a, o, "jwks_uri", "%s", c->api->jwks_uri);
    else
        json_setf(a, o, "jwks_uri", "https://%s:%u" KEYS,
                  c->api->advertise_host != NULL ? c->api->advertise_host : "kubernetes.default.svc",
                  c->api->advertise_host != NULL ? c->api->advertise_port : 443);
    add(a, o, "response_types_supported", "id_token");
    add(a, o, "subject_types_supported", "public");
    for (size_t i = 0; i < keys->n; i++) {
        const char *alg = key_alg(keys->key[i]);

        if (seen == NULL || strcmp(seen, alg) != 0)
            add(a, o, "id_token_signing_alg_values_supported", alg);
        seen = alg;
    }
    return o;
}

bool issuer_serve(struct call *c, struct str path)
{
    const struct key_set *keys = authn_keys(c->api->authn);

    if (keys == NULL)
        return false;
    if (str_is(path, CONFIGURATION))
        answer(c, "application/json", configuration(c, keys));
    else if (str_is(path, KEYS))
        answer(c, "application/jwk-set+json", key_set_json(keys, c->arena));
    else
        return false;
    return true;
}
