/* store/etcd/etcd_messages.h: the messages of etcd's v3 API as structs; the tables that say how they stand on
 * the wire are in etcd_messages.c.  Names and numbers are those of etcdserverpb and mvccpb.
 *
 * What is large and frequent in answers (key-values, events) is written by hand (etcd_write.h), straight from
 * the store; everything else by these tables. */
#ifndef STORE_ETCD_MESSAGES_H
#define STORE_ETCD_MESSAGES_H

#include "net/pb.h"

/* ---- requests ------------------------------------------------------------------------------------- */

enum { SORT_NONE, SORT_ASCEND, SORT_DESCEND };
enum { SORT_KEY, SORT_VERSION, SORT_CREATE, SORT_MOD, SORT_VALUE };
struct etcd_range {
    struct str key, range_end;
    int64_t limit, revision, sort_order, sort_target;
    bool    serializable, keys_only, count_only;
    int64_t min_mod, max_mod, min_create, max_create;
};
struct etcd_put { struct str key, value; int64_t lease; bool prev_kv, ignore_value, ignore_lease; };
struct etcd_delete { struct str key, range_end; bool prev_kv; };
struct etcd_compare {
    int64_t  result, target;
    struct str key, range_end, value;
    int64_t  version, create_revision, mod_revision, lease;
    /* 4..8: the field that holds what is compared with; 0: none */
    uint32_t which;
};
struct etcd_txn { struct pb_list compare, success, failure; };
/* One operation of a transaction. */
struct etcd_op {
    struct etcd_range  *range;
    uint32_t which;                              /* 1..4 */
    struct etcd_put    *put;
    struct etcd_delete *del;
    struct etcd_txn    *txn;
    struct etcd_found  *found;                   /* etcd_txn.c's: what a range is answered with */
};
enum { OP_RANGE = 1, OP_PUT, OP_DELETE, OP_TXN };
struct etcd_compaction { int64_t revision; bool physical; };

enum { FILTER_NOPUT, FILTER_NODELETE };
struct etcd_watch_create {
    struct str key, range_end;
    int64_t start_revision, watch_id;
    bool    progress_notify, prev_kv, fragment;
    struct pb_list filters;
};
struct etcd_watch_cancel { int64_t watch_id; };
struct etcd_watch_request {
    struct etcd_watch_create *create;
    uint32_t which;                              /* 1..3 */
    struct etcd_watch_cancel *cancel;
    struct etcd_nothing      *progress;
};
enum { WATCH_CREATE = 1, WATCH_CANCEL, WATCH_PROGRESS };

struct etcd_nothing { bool unused; };
struct etcd_lease_grant { int64_t ttl, id; };
struct etcd_lease_id { int64_t id; bool keys; };
struct etcd_alarm { int64_t action, member, alarm; };
enum { ALARM_GET, ALARM_ACTIVATE, ALARM_DEACTIVATE };
enum { ALARM_NONE, ALARM_NOSPACE, ALARM_CORRUPT };
struct etcd_member_change { int64_t id; struct pb_list peer_urls; bool learner; };
struct etcd_number { int64_t v; };               /* a request that is one number in field 1 */

/* ---- answers -------------------------------------------------------------------------------------- */

struct etcd_header { int64_t cluster_id, member_id, revision, raft_term; };
struct etcd_member { int64_t id; struct str name; struct pb_list peer_urls, client_urls; bool learner; };
/* One struct for the many answers that are a header and a few fields; each has its own table. */
struct etcd_reply {
    struct etcd_header *header;
    int64_t  a, b, c, d, e, f;
    struct str text;
    bool     flag;
    struct pb_list list;
    struct etcd_member *member;
};
struct etcd_alarm_member { int64_t member, alarm; };

extern const struct pb_message
    etcd_range_msg, etcd_put_msg, etcd_delete_msg, etcd_txn_msg, etcd_compaction_msg, etcd_watch_request_msg,
    etcd_nothing_msg, etcd_lease_grant_msg, etcd_lease_id_msg, etcd_alarm_msg, etcd_number_msg,
        etcd_member_add_msg, etcd_member_update_msg,
    etcd_header_msg, etcd_reply_header, etcd_reply_lease, etcd_reply_ttl, etcd_reply_leases,
        etcd_reply_members, etcd_reply_added,
    etcd_reply_status, etcd_reply_hash, etcd_reply_alarms, etcd_reply_snapshot, etcd_reply_deleted,
        etcd_reply_health,
        etcd_reply_auth;

/* A request with more operations than any limit allows is not decoded to its end. */
#define ETCD_MAX_ITEMS 4096

#endif
