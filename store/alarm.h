/* store/alarm.h: alarms: keys of the store's own range that every head sees and etcd's clients list.  A
 * member raises one of each type at most; those that people raised are theirs to clear.
 *
 *     /coracle/etcd/alarms/MEMBER/TYPE = "MEMBER TYPE WHY" */
#ifndef STORE_ALARM_H
#define STORE_ALARM_H

#include "store/store.h"

enum store_alarm_type { STORE_ALARM_NOSPACE = 1, STORE_ALARM_CORRUPT };          /* numbered as etcd's */
enum store_alarm_why { STORE_ALARM_ASKED, STORE_ALARM_QUOTA, STORE_ALARM_DISK };

struct store_alarm { uint64_t member, type; enum store_alarm_why why; };

/* for (store_alarm_seek(&c, s); store_alarm_next(&c, &a); ) on the live view: within one turn. */
void store_alarm_seek(struct store_cursor *c, struct store *s);
bool store_alarm_next(struct store_cursor *c, struct store_alarm *ret);
bool store_alarms(struct store *s);              /* is there any */
/* The transaction that sets or clears one: initialised here, the caller's to release. */
void store_alarm_txn(struct store_txn *t, const struct store_alarm *a, bool set);

const char *store_alarm_name(uint64_t type);     /* "NOSPACE" */
const char *store_alarm_reason(enum store_alarm_why why);

#endif
