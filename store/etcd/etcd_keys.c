/* store/etcd/etcd_keys.c: user keys in the store and back: see etcd.h.
 *
 *     user key K          'u' K              K in [\0, ...)
 *     /registry...        as it is           unless store_only: the API's own objects
 * so the user's whole range is ['u' \0, 'v'), a range of keys is a range of keys, and 'K ends with /' stays
 * true. */
#include "store/etcd/etcd_impl.h"
#include "store/limits.h"

#define OWN     STR("/registry")
#define OWN_END STR("/registrz")

static struct str joined(struct arena *a, const char *before, struct str key, const char *after,
                         size_t n_after)
{
    size_t n_before = strlen(before);
    char  *p = arena_alloc(a, n_before + key.n + n_after);

    memcpy(p, before, n_before);
    if (key.n > 0)
        memcpy(p + n_before, key.p, key.n);
    memcpy(p + n_before + key.n, after, n_after);
    return str_make(p, n_before + key.n + n_after);
}

static bool from_key_on(struct str range_end)
{
    return range_end.n == 1 && range_end.p[0] == '\0';
}

static enum etcd_error map_own(struct etcd_who who, struct arena *a, struct str key, struct str end,
                               bool write,
                               struct store_range *ret)
{
    if (write)
        return ETCD_READ_ONLY;
    if (!who.admin)
        return ETCD_DENIED;
    ret->from = key;
    if (end.n == 0)
        ret->to = joined(a, "", key, "", 1);
    else
        ret->to = from_key_on(end) || str_cmp(end, OWN_END) > 0 ? OWN_END : end;
    return ETCD_OK;
}

enum etcd_error etcd_map(struct etcd_who who, struct arena *a, struct str key, struct str range_end,
                         bool write,
                         struct store_range *ret)
{
    if (key.n == 0)
        return ETCD_EMPTY_KEY;
    if (key.n > STORE_MAX_KEY - 2 || range_end.n > STORE_MAX_KEY - 2)
        return ETCD_TOO_LARGE;
    if (!who.e->o.store_only && str_starts(key, OWN))
        return map_own(who, a, key, range_end, write, ret);
    ret->from = joined(a, "u", key, "", 0);
    if (range_end.n == 0)
        ret->to = joined(a, "u", key, "", 1);
    else
        ret->to = from_key_on(range_end) ? STR("v") : joined(a, "u", range_end, "", 0);
    return ETCD_OK;
}
