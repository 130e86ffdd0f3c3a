/* api/kinds/secret.c: secrets: stringData becomes data; what each type needs; one mebibyte in all. */
#include "api/json_index.h"
#include "api/kinds/kinds_impl.h"
#include "net/tls.h"

#define SIZE_MAX_BYTES (1u << 20)
#define ACCOUNT_NAME   "kubernetes.io/service-account.name"

static struct json *encoded(struct arena *a, struct str text)
{
    struct buf   b = BUF_INIT;
    struct json *v;

    base64_encode(&b, text, false);
    v = json_string(a, buf_str(&b));
    buf_release(&b);
    return v;
}

/* stringData is for writing only: it is never stored. */
static void secret_default(struct kind_ctx *c, struct json *obj)
{
    struct json      *plain = json_getz(obj, "stringData"), *data = json_getz(obj, "data"), *had;
    struct json_index ix;

    if (plain == NULL)
        return;
    if (!json_is_blank(plain)) {
        if (!json_is(data, JSON_OBJECT))
            data = json_setz(c->arena, obj, "data", json_object(c->arena));
        json_index_make(c->arena, &ix, data, plain->n);
        json_each(it, plain) {
            struct json *v = encoded(c->arena, json_str(it));

            had = json_index_get(&ix, it->key);
            if (had != NULL) {
                had->s = v->s;
                continue;
            }
            object_append(data, it->key, v);
            json_index_add(&ix, v);
        }
    }
    json_delz(obj, "stringData");
}

/* ---- What each type needs --------------------------------------------------------------------------- */

static void need(const struct json *data, const char *key, struct causes *causes)
{
    struct at at = AT_KEY(NULL, "data"), here = AT_MAP(&at, str_of(key));

    if (json_getz(data, key) == NULL)
        cause_required(causes, &here, "");
}

/* A file with credentials of registries: must be JSON. */
static void need_json(const struct json *data, const char *key, struct causes *causes)
{
    struct at         at = AT_KEY(NULL, "data"), here = AT_MAP(&at, str_of(key));
    struct arena      scratch = ARENA_INIT;
    struct buf        text = BUF_INIT;
    struct json      *tree;
    struct json_error why;

    need(data, key, causes);
    if (json_getz(data, key) != NULL &&
        (base64_decode(&text, json_str(json_getz(data, key)), false) < 0 ||
         json_parse(&scratch, buf_str(&text), &tree, &why) < 0 || tree->type != JSON_OBJECT))
        cause_invalid(causes, &here, STR("<secret contents redacted>"), "must be a JSON object");
    buf_release(&text);
    arena_release(&scratch);
}

static void check_type(const struct json *obj, struct causes *causes)
{
    struct str         type = json_str(json_getz(obj, "type"));
    const struct json *data = json_getz(obj, "data");
    struct at at = AT_KEY(NULL, "data"), meta = AT_KEY(NULL, "metadata"),
              annotations = AT_KEY(&meta, "annotations"), account = AT_MAP(&annotations, STR(ACCOUNT_NAME)),
              user = AT_MAP(&at, STR("username")), password = AT_MAP(&at, STR("password"));

    if (str_is(type, "kubernetes.io/service-account-token")) {
        if (json_str(json_getz(json_path(obj, "metadata.annotations"), ACCOUNT_NAME)).n == 0)
            cause_required(causes, &account, "");
    } else if (str_is(type, "kubernetes.io/dockercfg")) {
        need_json(data, ".dockercfg", causes);
    } else if (str_is(type, "kubernetes.io/dockerconfigjson")) {
        need_json(data, ".dockerconfigjson", causes);
    } else if (str_is(type, "kubernetes.io/basic-auth")) {
        if (json_getz(data, "username") == NULL && json_getz(data, "password") == NULL) {
            cause_required(causes, &user, "");
            cause_required(causes, &password, "");
        }
    } else if (str_is(type, "kubernetes.io/ssh-auth")) {
        need(data, "ssh-privatekey", causes);
    } else if (str_is(type, "kubernetes.io/tls")) {
        need(data, "tls.crt", causes);
        need(data, "tls.key", causes);
    }
}

static void secret_validate(struct kind_ctx *c, const struct json *obj, struct causes *causes)
{
    const struct json *data = json_getz(obj, "data");
    struct at          at = AT_KEY(NULL, "data");
    size_t             n = 0;

    (void)c;
    json_each(it, data) {
        struct at   here = AT_MAP(&at, it->key);
        const char *wrong = name_check_config_key(it->key);

        if (wrong != NULL)
            cause_invalid(causes, &here, it->key, wrong);
        n += base64_decoded_size(json_str(it));
    }
    if (n > SIZE_MAX_BYTES)
        cause_too_long(causes, &at, SIZE_MAX_BYTES);
    check_type(obj, causes);
}

static void secret_validate_update(struct kind_ctx *c, const struct json *old, const struct json *obj,
                                   struct causes *causes)
{
    static const char *const maps[] = { "data" };

    (void)c;
    check_immutable_data(old, obj, maps, ARRAY_LEN(maps), causes);
}

const struct kind_hooks kind_secrets = {
    .group = "", .plural = "secrets", .unconditional_update = true,
    .default_ = secret_default, .validate = secret_validate, .validate_update = secret_validate_update,
};
