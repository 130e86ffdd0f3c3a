/* api/admit/resource_quota.c: ResourceQuota: all objects of a namespace together stay within its limits.
 *
 * What a write uses is added to the quota's status in the same transaction that stores the object, compared
 * with the quota's revision: no two writes can spend the same, on however many heads and through any change
 * of leader.  A quota that is made meanwhile is noticed by comparing the whole range of quotas.  One that
 * counts the object but does not know its usage yet is rewritten as it is: whoever computes its usage must
 * then look again.  Usage goes down when the controller recounts (ctrl/resource_quota.c), which compares
 * revisions as well. */
#include "api/admit/plugin.h"
#include "api/encode.h"
#include "api/kinds/kinds_impl.h"
#include "api/quota.h"

/* One write on its way to the quotas. */
struct charge {
    struct admission *a;
    struct quota_kind kind;
    struct amounts delta;
};

static int64_t now_s(const struct admission *a)
{
    return a->k->wall_ns / 1000000000;
}

/* Of pods only new ones and those that are resized; other kinds may only be counted when they come, services
 * and claims change what they use. */
static bool is_charged(const struct admission *a)
{
    const struct resource *r = a->k->res;
    const char            *sub = a->k->sub != NULL ? a->k->sub->name : "";
    bool core = r->kind->group[0] == '\0';

    if (!r->namespaced || r->virtual_ || strcmp(r->plural, "events") == 0)
        return false;
    if (a->op == ADMIT_CREATE)
        return sub[0] == '\0';
    if (core && strcmp(r->plural, "pods") == 0)
        return strcmp(sub, "resize") == 0;
    return core && sub[0] == '\0' &&
           (strcmp(r->plural, "services") == 0 || strcmp(r->plural, "persistentvolumeclaims") == 0);
}

static void charge_make(struct charge *ch, struct admission *a)
{
    struct amounts was = amounts_make(a->k->arena);

    *ch = (struct charge){ a, { a->k->res->kind->group, a->k->res->plural }, amounts_make(a->k->arena) };
    quota_usage(&ch->delta, &ch->kind, a->obj, now_s(a));
    if (a->op == ADMIT_UPDATE)
        quota_usage(&was, &ch->kind, a->old, now_s(a));
    for (unsigned i = 0; i < ch->delta.n; i++) {
        struct amount    *e = &ch->delta.v[i];
        const struct quantity *before = amounts_get(&was, e->name);

        if (before != NULL)
            e->amount = quantity_sub(e->amount, *before);
        if (quantity_sign(e->amount) < 0)
            e->amount.nano = 0;
    }
}

static bool charges(const struct charge *ch, struct str name)
{
    const struct quantity *q = amounts_get(&ch->delta, name);

    return q != NULL && !quantity_is_zero(*q);
}

/* Is the quota about this object? It may know so only from what it is meant to limit. */
static bool is_pertinent(const struct charge *ch, const struct json *quota)
{
    static const char *const hards[] = { "status.hard", "spec.hard" };

    for (size_t i = 0; i < ARRAY_LEN(hards); i++)
        json_each(it, json_path(quota, hards[i]))
            if (quota_concerns(&ch->kind, it->key))
                return quota_selects(&ch->kind, json_getz(quota, "spec"), ch->a->obj);
    return false;
}

/* ---- One quota ---------------------------------------------------------------------------------------- */

static struct str name_of(const struct json *quota)
{
    return json_path_str(quota, "metadata.name");
}

/* All that it limits must be said and known.  False: refused. */
static bool check_known(struct charge *ch, const struct json *quota)
{
    const struct json *hard = json_path(quota, "status.hard"), *used = json_path(quota, "status.used");
    struct arena      *arena = ch->a->k->arena;
    struct str         missing, unknown = STR("");

    if (strcmp(ch->kind.plural, "pods") == 0 && ch->kind.group[0] == '\0' &&
        !quota_pod_says_enough(arena, ch->a->obj, hard, &missing)) {
        admit_refuse(ch->a, "failed quota: %.*s: %.*s", STR_ARG(name_of(quota)), STR_ARG(missing));
        return false;
    }
    json_each(it, hard)
        if (quota_concerns(&ch->kind, it->key) && json_get(used, it->key) == NULL)
            unknown = arena_fmt(arena, "%.*s%s%.*s", STR_ARG(unknown), unknown.n > 0 ? "," : "",
                                STR_ARG(it->key));
    if (unknown.n > 0)
        admit_refuse(ch->a, "status unknown for quota: %.*s, resources: %.*s", STR_ARG(name_of(quota)),
                     STR_ARG(unknown));
    return unknown.n == 0;
}

/* The new usage, and whether it fits.  False: refused. */
static bool spend(struct charge *ch, struct json *quota)
{
    struct arena *arena = ch->a->k->arena;
    struct json  *hard = json_path(quota, "status.hard"), *used = json_path(quota, "status.used");
    struct amounts  asked = amounts_make(arena), had = amounts_make(arena), limit = amounts_make(arena);

    json_each(it, hard) {
        struct quantity more, was, sum;

        if (!charges(ch, it->key))
            continue;
        more = *amounts_get(&ch->delta, it->key);
        was = json_quantity(json_get(used, it->key));
        sum = quantity_add(was, more);
        if (quantity_cmp(sum, json_quantity(it)) > 0) {
            amounts_add(&asked, it->key, more);
            amounts_add(&had, it->key, was);
            amounts_add(&limit, it->key, json_quantity(it));
        }
        json_set(arena, used, it->key, json_string_ref(arena, quantity_text(arena, sum)));
    }
    if (asked.n > 0)
        admit_refuse(ch->a, "exceeded quota: %.*s, requested: %.*s, used: %.*s, limited: %.*s",
                     STR_ARG(name_of(quota)), STR_ARG(amounts_text(arena, &asked)),
                     STR_ARG(amounts_text(arena, &had)), STR_ARG(amounts_text(arena, &limit)));
    return asked.n == 0;
}

/* To be stored together with the object. */
static void take(struct charge *ch, struct str key, const struct json *quota)
{
    const struct resource *r = resource_find(STR(""), STR("v1"), STR("resourcequotas"));
    struct arena          *arena = ch->a->k->arena;
    struct buf             b = BUF_INIT;
    uint32_t               rev_at;

    encode_object(&b, r->kind, quota, &rev_at);
    kind_take(ch->a->k, key, arena_str(arena, buf_str(&b)), rev_at);
    buf_release(&b);
}

/* ---- All of the namespace ------------------------------------------------------------------------------ */

/* spending: for good; else only: is there a quota that this is about? */
static bool walk(struct charge *ch, bool spending)
{
    struct admission *a = ch->a;
    struct admit_list l;
    bool              any = false;

    for (admit_list_open(&l, a, "", "resourcequotas", a->k->ns); admit_list_next(&l) && a->k->refused == 0;) {
        struct json *quota = admit_list_json(&l);

        if (quota == NULL || !is_pertinent(ch, quota))
            continue;
        any = true;
        if (!spending)
            break;
        if (check_known(ch, quota) && spend(ch, quota) && !a->k->dry_run)
            take(ch, l.kv.key, quota);
    }
    return any;
}

static bool is_free(const struct charge *ch)
{
    for (unsigned i = 0; i < ch->delta.n; i++)
        if (!quantity_is_zero(ch->delta.v[i].amount))
            return false;
    return true;
}

static void granted(struct admission *a)
{
    struct charge ch;

    admit_renew(a);
    charge_make(&ch, a);
    walk(&ch, true);
    admit_resume(a);
}

static bool charge(struct admission *a)
{
    struct admit_turns *turns = admit_state(a);
    struct charge       ch;
    struct admit_list   l;

    if (!is_charged(a))
        return true;
    admit_list_open(&l, a, "", "resourcequotas", a->k->ns);
    kind_depend_below(a->k, arena_fmt(a->k->arena, "/registry/resourcequotas/%.*s/", STR_ARG(a->k->ns)),
                      true);
    if (!admit_list_next(&l))
        return true;
    charge_make(&ch, a);
    if (is_free(&ch) || !walk(&ch, false) || a->k->refused != 0)
        return true;
    if (!a->k->dry_run && !admit_turn_take(a, turns, granted))
        return false;
    walk(&ch, true);
    return true;
}

static int turns_open(struct admit *t, const struct json *config, void **ret_state, struct errbuf *err)
{
    if (config != NULL && json_is_set(json_getz(config, "limitedResources")))
        return err_set(err, E_INVALID, "limitedResources cannot be had");
    *ret_state = admit_turns_new(t->loop);
    return 0;
}

static void turns_close(void *state)
{
    admit_turns_free(state);
}

const struct admit_plugin admit_resource_quota = {
    .name = "ResourceQuota", .on = true,
    .match = { { "", NULL, "*", ADMIT_WRITES, .validate_later = charge } },
    .open = turns_open, .close = turns_close,
};
