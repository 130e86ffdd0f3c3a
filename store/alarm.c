/* store/alarm.c: see store/alarm.h. */
#include <inttypes.h>
#include "store/alarm.h"

#define ALARMS     "/coracle/etcd/alarms/"
#define ALARMS_END "/coracle/etcd/alarms0"

static const char *const why_text[] = {
    [STORE_ALARM_ASKED] = "asked", [STORE_ALARM_QUOTA] = "quota", [STORE_ALARM_DISK] = "disk",
};

void store_alarm_seek(struct store_cursor *c, struct store *s)
{
    store_seek(c, store_live(s), STR(ALARMS), STR(ALARMS_END));
}

bool store_alarm_next(struct store_cursor *c, struct store_alarm *ret)
{
    struct store_kv kv;
    struct str value, part;
    uint64_t n[2] = { 0, 0 };

    if (!store_next(c, &kv))
        return false;
    value = blob_str(kv.value);
    for (int i = 0; i < 2 && str_split(&value, ' ', &part); i++)
        str_u64(part, &n[i]);
    *ret = (struct store_alarm){ .member = n[0], .type = n[1], .why = STORE_ALARM_ASKED };
    for (unsigned i = 0; i < ARRAY_LEN(why_text); i++)
        if (str_is(value, why_text[i]))
            ret->why = (enum store_alarm_why)i;
    return true;
}

bool store_alarms(struct store *s)
{
    return store_count(store_live(s), STR(ALARMS), STR(ALARMS_END)) > 0;
}

void store_alarm_txn(struct store_txn *t, const struct store_alarm *a, bool set)
{
    struct buf key = BUF_INIT, value = BUF_INIT;

    buf_fmt(&key, "%s%" PRIu64 "/%" PRIu64, ALARMS, a->member, a->type);
    buf_fmt(&value, "%" PRIu64 " %" PRIu64 " %s", a->member, a->type, why_text[a->why]);
    store_txn_init(t);
    t->reserve = true;
    if (set)
        store_txn_put(t, buf_str(&key), buf_str(&value), STORE_NO_REV, 0, 0);
    else
        store_txn_delete(t, buf_str(&key), STR_NONE, STORE_NO_REV);
    buf_release(&key);
    buf_release(&value);
}

const char *store_alarm_name(uint64_t type) { return type == STORE_ALARM_NOSPACE ? "NOSPACE" : "CORRUPT"; }
const char *store_alarm_reason(enum store_alarm_why why) { return why_text[why]; }
