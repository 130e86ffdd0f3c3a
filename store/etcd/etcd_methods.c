/* store/etcd/etcd_methods.c: which call is answered by what. */
#include "store/etcd/etcd_impl.h"

#define KV(name)    "/etcdserverpb.KV/" name
#define LEASE(name) "/etcdserverpb.Lease/" name
#define MAINT(name) "/etcdserverpb.Maintenance/" name
#define CLUST(name) "/etcdserverpb.Cluster/" name
#define AUTH(name)  { "/etcdserverpb.Auth/" name, &etcd_nothing_msg, etcd_auth_disabled, NULL, false }

const struct etcd_method etcd_methods[] = {
    { KV("Put"),                        &etcd_put_msg,         etcd_kv_put,                  NULL, false },
    { KV("Range"),                      &etcd_range_msg,       etcd_kv_range,                NULL, false },
    { KV("Txn"),                        &etcd_txn_msg,         etcd_kv_txn,                  NULL, false },
    { KV("DeleteRange"),                &etcd_delete_msg,      etcd_kv_delete,               NULL, false },
    { KV("Compact"),                    &etcd_compaction_msg,  etcd_kv_compact,              NULL, true },
    { "/etcdserverpb.Watch/Watch",      NULL,                  NULL,                         etcd_watch,
      false },
    { LEASE("LeaseKeepAlive"),          NULL,                  NULL,
      etcd_lease_keep_alive, false },
    { LEASE("LeaseGrant"),              &etcd_lease_grant_msg, etcd_lease_grant,             NULL, false },
    { LEASE("LeaseRevoke"),             &etcd_lease_id_msg,    etcd_lease_revoke,            NULL, false },
    { LEASE("LeaseTimeToLive"),         &etcd_lease_id_msg,    etcd_lease_ttl,               NULL, false },
    { LEASE("LeaseLeases"),             &etcd_nothing_msg,     etcd_lease_leases,            NULL, false },
    { CLUST("MemberList"),              &etcd_nothing_msg,     etcd_member_list,             NULL, false },
    { CLUST("MemberAdd"),               &etcd_member_add_msg,  etcd_member_add,              NULL, true },
    { CLUST("MemberRemove"),            &etcd_number_msg,      etcd_member_remove,           NULL, true },
    { CLUST("MemberUpdate"),            &etcd_member_update_msg, etcd_member_update,         NULL, true },
    { CLUST("MemberPromote"),           &etcd_number_msg,      etcd_member_promote,          NULL, true },
    { MAINT("Status"),                  &etcd_nothing_msg,     etcd_maintenance_status,      NULL, false },
    { MAINT("Alarm"),                   &etcd_alarm_msg,       etcd_maintenance_alarm,       NULL, true },
    { MAINT("Defragment"),              &etcd_nothing_msg,     etcd_maintenance_defragment,  NULL, true },
    { MAINT("Hash"),                    &etcd_nothing_msg,     etcd_maintenance_hash,        NULL, true },
    { MAINT("HashKV"),                  &etcd_number_msg,      etcd_maintenance_hash_kv,     NULL, true },
    { MAINT("Snapshot"),                &etcd_nothing_msg,     etcd_maintenance_snapshot,    NULL, true },
    { MAINT("MoveLeader"),              &etcd_number_msg,      etcd_maintenance_move_leader, NULL, true },
    { "/grpc.health.v1.Health/Check",   &etcd_nothing_msg,     etcd_health_check,            NULL, false },
    { "/etcdserverpb.Auth/AuthStatus",  &etcd_nothing_msg,     etcd_auth_status,             NULL, false },
    AUTH("AuthEnable"), AUTH("AuthDisable"), AUTH("Authenticate"),
    AUTH("UserAdd"), AUTH("UserGet"), AUTH("UserList"), AUTH("UserDelete"), AUTH("UserChangePassword"),
    AUTH("UserGrantRole"), AUTH("UserRevokeRole"),
    AUTH("RoleAdd"), AUTH("RoleGet"), AUTH("RoleList"), AUTH("RoleDelete"), AUTH("RoleGrantPermission"),
    AUTH("RoleRevokePermission"),
};
const unsigned etcd_n_methods = ARRAY_LEN(etcd_methods);
