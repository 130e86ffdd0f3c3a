/* api/kinds/config_map.c: settings: sound keys, each in one of the two maps, one mebibyte in all. */
#include "api/json_index.h"
#include "api/kinds/kinds_impl.h"

#define SIZE_MAX_BYTES (1u << 20)

static size_t check_keys(const struct json *map, bool binary, const struct at *at, struct causes *causes)
{
    size_t n = 0;

    json_each(it, map) {
        struct at   here = AT_MAP(at, it->key);
        const char *wrong = name_check_config_key(it->key);

        if (wrong != NULL)
            cause_invalid(causes, &here, it->key, wrong);
        n += binary ? base64_decoded_size(json_str(it)) : json_str(it).n;
    }
    return n;
}

static void check_overlap(const struct json *data, const struct json *binary, const struct at *at,
                          struct causes *causes)
{
    struct json_index ix;

    if (json_is_blank(data) || json_is_blank(binary))
        return;
    json_index_make(causes->arena, &ix, binary, 0);
    json_each(it, data) {
        struct at here = AT_MAP(at, it->key);

        if (json_index_get(&ix, it->key) != NULL)
            cause_invalid(causes, &here, it->key, "duplicate of key present in binaryData");
    }
}

static void config_map_validate(struct kind_ctx *c, const struct json *obj, struct causes *causes)
{
    const struct json *data = json_getz(obj, "data"), *binary = json_getz(obj, "binaryData");
    struct at          at_data = AT_KEY(NULL, "data"), at_binary = AT_KEY(NULL, "binaryData");
    size_t             n;

    (void)c;
    n = check_keys(data, false, &at_data, causes);
    n += check_keys(binary, true, &at_binary, causes);
    check_overlap(data, binary, &at_data, causes);
    if (n > SIZE_MAX_BYTES)
        cause_too_long(causes, NULL, SIZE_MAX_BYTES);
}

static void config_map_validate_update(struct kind_ctx *c, const struct json *old, const struct json *obj,
                                       struct causes *causes)
{
    static const char *const maps[] = { "data", "binaryData" };

    (void)c;
    check_immutable_data(old, obj, maps, ARRAY_LEN(maps), causes);
}

const struct kind_hooks kind_config_maps = {
    .group = "", .plural = "configmaps", .unconditional_update = true,
    .validate = config_map_validate, .validate_update = config_map_validate_update,
};
