/* store/etcd/etcd_messages.c: see etcd_messages.h. */
#include "store/etcd/etcd_messages.h"

#define ROW(n, t, s, m)         { n, t, offsetof(struct s, m), NULL, 0 }
#define ONE_OF(n, t, s, m)      { n, t, offsetof(struct s, m), NULL, offsetof(struct s, which) }
#define ONE_MSG(n, s, m, table) { n, PB_T_MSG, offsetof(struct s, m), &table, offsetof(struct s, which) }
#define MSG(n, t, s, m, table)  { n, t, offsetof(struct s, m), &table, 0 }
#define TABLE(name, s, rows)    const struct pb_message name = { sizeof(struct s), rows, ARRAY_LEN(rows) }

/* ---- requests ------------------------------------------------------------------------------------- */

static const struct pb_field range_rows[] = {
    ROW(1, PB_T_STR, etcd_range, key), ROW(2, PB_T_STR, etcd_range, range_end),
    ROW(3, PB_T_INT, etcd_range, limit), ROW(4, PB_T_INT, etcd_range, revision),
    ROW(5, PB_T_INT, etcd_range, sort_order), ROW(6, PB_T_INT, etcd_range, sort_target),
    ROW(7, PB_T_BOOL, etcd_range, serializable), ROW(8, PB_T_BOOL, etcd_range, keys_only),
    ROW(9, PB_T_BOOL, etcd_range, count_only),
    ROW(10, PB_T_INT, etcd_range, min_mod), ROW(11, PB_T_INT, etcd_range, max_mod),
    ROW(12, PB_T_INT, etcd_range, min_create), ROW(13, PB_T_INT, etcd_range, max_create),
};
TABLE(etcd_range_msg, etcd_range, range_rows);

static const struct pb_field put_rows[] = {
    ROW(1, PB_T_STR, etcd_put, key), ROW(2, PB_T_STR, etcd_put, value), ROW(3, PB_T_INT, etcd_put, lease),
    ROW(4, PB_T_BOOL, etcd_put, prev_kv), ROW(5, PB_T_BOOL, etcd_put, ignore_value),
    ROW(6, PB_T_BOOL, etcd_put, ignore_lease),
};
TABLE(etcd_put_msg, etcd_put, put_rows);

static const struct pb_field delete_rows[] = {
    ROW(1, PB_T_STR, etcd_delete, key), ROW(2, PB_T_STR, etcd_delete, range_end),
    ROW(3, PB_T_BOOL, etcd_delete, prev_kv),
};
TABLE(etcd_delete_msg, etcd_delete, delete_rows);

static const struct pb_field compare_rows[] = {
    ROW(1, PB_T_INT, etcd_compare, result), ROW(2, PB_T_INT, etcd_compare, target),
    ROW(3, PB_T_STR, etcd_compare, key),
    ONE_OF(4, PB_T_INT, etcd_compare, version), ONE_OF(5, PB_T_INT, etcd_compare, create_revision),
    ONE_OF(6, PB_T_INT, etcd_compare, mod_revision), ONE_OF(7, PB_T_STR, etcd_compare, value),
    ONE_OF(8, PB_T_INT, etcd_compare, lease),
    ROW(64, PB_T_STR, etcd_compare, range_end),
};
static TABLE(compare_msg, etcd_compare, compare_rows);

static const struct pb_field op_rows[] = {
    ONE_MSG(1, etcd_op, range, etcd_range_msg), ONE_MSG(2, etcd_op, put, etcd_put_msg),
    ONE_MSG(3, etcd_op, del, etcd_delete_msg), ONE_MSG(4, etcd_op, txn, etcd_txn_msg),
};
static TABLE(op_msg, etcd_op, op_rows);

static const struct pb_field txn_rows[] = {
    MSG(1, PB_T_MSGS, etcd_txn, compare, compare_msg), MSG(2, PB_T_MSGS, etcd_txn, success, op_msg),
    MSG(3, PB_T_MSGS, etcd_txn, failure, op_msg),
};
TABLE(etcd_txn_msg, etcd_txn, txn_rows);

static const struct pb_field compaction_rows[] = {
    ROW(1, PB_T_INT, etcd_compaction, revision), ROW(2, PB_T_BOOL, etcd_compaction, physical),
};
TABLE(etcd_compaction_msg, etcd_compaction, compaction_rows);

static const struct pb_field watch_create_rows[] = {
    ROW(1, PB_T_STR, etcd_watch_create, key), ROW(2, PB_T_STR, etcd_watch_create, range_end),
    ROW(3, PB_T_INT, etcd_watch_create, start_revision),
        ROW(4, PB_T_BOOL, etcd_watch_create, progress_notify),
    ROW(5, PB_T_INTS, etcd_watch_create, filters), ROW(6, PB_T_BOOL, etcd_watch_create, prev_kv),
    ROW(7, PB_T_INT, etcd_watch_create, watch_id), ROW(8, PB_T_BOOL, etcd_watch_create, fragment),
};
static TABLE(watch_create_msg, etcd_watch_create, watch_create_rows);
static const struct pb_field watch_cancel_rows[] = { ROW(1, PB_T_INT, etcd_watch_cancel, watch_id) };
static TABLE(watch_cancel_msg, etcd_watch_cancel, watch_cancel_rows);

const struct pb_message etcd_nothing_msg = { sizeof(struct etcd_nothing), NULL, 0 };

static const struct pb_field watch_request_rows[] = {
    ONE_MSG(1, etcd_watch_request, create, watch_create_msg),
        ONE_MSG(2, etcd_watch_request, cancel, watch_cancel_msg),
    ONE_MSG(3, etcd_watch_request, progress, etcd_nothing_msg),
};
TABLE(etcd_watch_request_msg, etcd_watch_request, watch_request_rows);

static const struct pb_field lease_grant_rows[] = {
    ROW(1, PB_T_INT, etcd_lease_grant, ttl), ROW(2, PB_T_INT, etcd_lease_grant, id),
};
TABLE(etcd_lease_grant_msg, etcd_lease_grant, lease_grant_rows);
static const struct pb_field lease_id_rows[] = {
    ROW(1, PB_T_INT, etcd_lease_id, id), ROW(2, PB_T_BOOL, etcd_lease_id, keys),
};
TABLE(etcd_lease_id_msg, etcd_lease_id, lease_id_rows);

static const struct pb_field alarm_rows[] = {
    ROW(1, PB_T_INT, etcd_alarm, action), ROW(2, PB_T_INT, etcd_alarm, member),
        ROW(3, PB_T_INT, etcd_alarm, alarm),
};
TABLE(etcd_alarm_msg, etcd_alarm, alarm_rows);
static const struct pb_field member_add_rows[] = {
    ROW(1, PB_T_STRS, etcd_member_change, peer_urls), ROW(2, PB_T_BOOL, etcd_member_change, learner),
};
TABLE(etcd_member_add_msg, etcd_member_change, member_add_rows);
static const struct pb_field member_update_rows[] = {
    ROW(1, PB_T_INT, etcd_member_change, id), ROW(2, PB_T_STRS, etcd_member_change, peer_urls),
};
TABLE(etcd_member_update_msg, etcd_member_change, member_update_rows);
static const struct pb_field number_rows[] = { ROW(1, PB_T_INT, etcd_number, v) };
TABLE(etcd_number_msg, etcd_number, number_rows);

/* ---- answers -------------------------------------------------------------------------------------- */

static const struct pb_field header_rows[] = {
    ROW(1, PB_T_INT, etcd_header, cluster_id), ROW(2, PB_T_INT, etcd_header, member_id),
    ROW(3, PB_T_INT, etcd_header, revision), ROW(4, PB_T_INT, etcd_header, raft_term),
};
TABLE(etcd_header_msg, etcd_header, header_rows);

#define HEADER MSG(1, PB_T_MSG, etcd_reply, header, etcd_header_msg)
#define REPLY(name, rows) TABLE(name, etcd_reply, rows)

static const struct pb_field only_header_rows[] = { HEADER };
REPLY(etcd_reply_header, only_header_rows);

/* LeaseGrant and LeaseKeepAlive: a ID, b TTL. */
static const struct pb_field lease_rows[] = { HEADER, ROW(2, PB_T_INT, etcd_reply, a),
                                              ROW(3, PB_T_INT, etcd_reply, b) };
REPLY(etcd_reply_lease, lease_rows);
/* LeaseTimeToLive: a ID, b TTL, c granted, list of keys. */
static const struct pb_field ttl_rows[] = {
    HEADER, ROW(2, PB_T_INT, etcd_reply, a), ROW(3, PB_T_INT, etcd_reply, b), ROW(4, PB_T_INT, etcd_reply, c),
    ROW(5, PB_T_STRS, etcd_reply, list),
};
REPLY(etcd_reply_ttl, ttl_rows);
static const struct pb_field leases_rows[] = { HEADER, MSG(2, PB_T_MSGS, etcd_reply, list, etcd_number_msg) };
REPLY(etcd_reply_leases, leases_rows);

static const struct pb_field member_rows[] = {
    ROW(1, PB_T_INT, etcd_member, id), ROW(2, PB_T_STR, etcd_member, name),
        ROW(3, PB_T_STRS, etcd_member, peer_urls),
    ROW(4, PB_T_STRS, etcd_member, client_urls), ROW(5, PB_T_BOOL, etcd_member, learner),
};
static TABLE(member_msg, etcd_member, member_rows);
static const struct pb_field members_rows[] = { HEADER, MSG(2, PB_T_MSGS, etcd_reply, list, member_msg) };
REPLY(etcd_reply_members, members_rows);
static const struct pb_field added_rows[] = {
    HEADER, MSG(2, PB_T_MSG, etcd_reply, member, member_msg), MSG(3, PB_T_MSGS, etcd_reply, list, member_msg),
};
REPLY(etcd_reply_added, added_rows);

/* Status: text version, a size, b leader, c index, d term, e applied, list of errors, f size in use, flag
 * learner. */
static const struct pb_field status_rows[] = {
    HEADER, ROW(2, PB_T_STR, etcd_reply, text), ROW(3, PB_T_INT, etcd_reply, a),
        ROW(4, PB_T_INT, etcd_reply, b),
    ROW(5, PB_T_INT, etcd_reply, c), ROW(6, PB_T_INT, etcd_reply, d), ROW(7, PB_T_INT, etcd_reply, e),
    ROW(8, PB_T_STRS, etcd_reply, list), ROW(9, PB_T_INT, etcd_reply, f),
        ROW(10, PB_T_BOOL, etcd_reply, flag),
};
REPLY(etcd_reply_status, status_rows);
/* Hash and HashKV: a hash, b compact revision. */
static const struct pb_field hash_rows[] = { HEADER, ROW(2, PB_T_INT, etcd_reply, a),
                                             ROW(3, PB_T_INT, etcd_reply, b) };
REPLY(etcd_reply_hash, hash_rows);

static const struct pb_field alarm_member_rows[] = {
    ROW(1, PB_T_INT, etcd_alarm_member, member), ROW(2, PB_T_INT, etcd_alarm_member, alarm),
};
static TABLE(alarm_member_msg, etcd_alarm_member, alarm_member_rows);
static const struct pb_field alarms_rows[] = { HEADER, MSG(2, PB_T_MSGS, etcd_reply, list,
                                                           alarm_member_msg) };
REPLY(etcd_reply_alarms, alarms_rows);

/* a: bytes that are still to come; the blob itself is written behind by its sender. */
static const struct pb_field snapshot_rows[] = { HEADER, ROW(2, PB_T_INT, etcd_reply, a) };
REPLY(etcd_reply_snapshot, snapshot_rows);
/* DeleteRange without prev_kv: a deleted. */
REPLY(etcd_reply_deleted, snapshot_rows);

/* grpc.health.v1: a is 1 for SERVING, 2 for NOT_SERVING. */
static const struct pb_field health_rows[] = { ROW(1, PB_T_INT, etcd_reply, a) };
REPLY(etcd_reply_health, health_rows);
/* AuthStatus: flag enabled, a revision. */
static const struct pb_field auth_rows[] = { HEADER, ROW(2, PB_T_BOOL, etcd_reply, flag),
                                             ROW(3, PB_T_INT, etcd_reply, a) };
REPLY(etcd_reply_auth, auth_rows);
