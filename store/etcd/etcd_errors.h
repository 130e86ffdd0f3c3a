/* store/etcd/etcd_errors.h: what goes wrong, in etcd's own codes and words: its clients decide by them. */
#ifndef STORE_ETCD_ERRORS_H
#define STORE_ETCD_ERRORS_H

#define ETCD_ERRORS(X) \
    X(OK,                OK,                  "") \
    X(EMPTY_KEY,         INVALID_ARGUMENT,    "etcdserver: key is not provided") \
    X(KEY_NOT_FOUND,     INVALID_ARGUMENT,    "etcdserver: key not found") \
    X(VALUE_PROVIDED,    INVALID_ARGUMENT,    "etcdserver: value is provided") \
    X(LEASE_PROVIDED,    INVALID_ARGUMENT,    "etcdserver: lease is provided") \
    X(TOO_MANY_OPS,      INVALID_ARGUMENT,    "etcdserver: too many operations in txn request") \
    X(DUPLICATE_KEY,     INVALID_ARGUMENT,    "etcdserver: duplicate key given in txn request") \
    X(SORT_OPTION,       INVALID_ARGUMENT,    "etcdserver: invalid sort option") \
    X(COMPACTED,         OUT_OF_RANGE,        "etcdserver: mvcc: required revision has been compacted") \
    X(FUTURE_REV,        OUT_OF_RANGE,        "etcdserver: mvcc: required revision is a future revision") \
    X(NO_SPACE,          RESOURCE_EXHAUSTED,  "etcdserver: mvcc: database space exceeded") \
    X(LEASE_NOT_FOUND,   NOT_FOUND,           "etcdserver: requested lease not found") \
    X(LEASE_EXISTS,      FAILED_PRECONDITION, "etcdserver: lease already exists") \
    X(LEASE_TTL,         OUT_OF_RANGE,        "etcdserver: too large lease TTL") \
    X(PEER_URL_EXISTS,   FAILED_PRECONDITION, "etcdserver: Peer URLs already exists") \
    X(LEARNER_LAGS,      FAILED_PRECONDITION, \
      "etcdserver: can only promote a learner member which is in sync with leader") \
    X(MEMBER_NOT_FOUND,  NOT_FOUND,           "etcdserver: member not found") \
    X(TOO_LARGE,         INVALID_ARGUMENT,    "etcdserver: request is too large") \
    X(TOO_MANY_REQUESTS, RESOURCE_EXHAUSTED,  "etcdserver: too many requests") \
    X(NO_LEADER,         UNAVAILABLE,         "etcdserver: no leader") \
    X(NOT_LEADER,        FAILED_PRECONDITION, "etcdserver: not leader") \
    X(BAD_TRANSFEREE,    FAILED_PRECONDITION, "etcdserver: bad leader transferee") \
    X(STOPPED,           UNAVAILABLE,         "etcdserver: server stopped") \
    X(TIMEOUT,           UNAVAILABLE,         "etcdserver: request timed out") \
    X(LEADER_FAILED,     UNAVAILABLE, \
      "etcdserver: request timed out, possibly due to previous leader failure") \
    X(AUTH_DISABLED,     FAILED_PRECONDITION, "etcdserver: authentication is not enabled") \
    X(DENIED,            PERMISSION_DENIED,   "etcdserver: permission denied") \
    X(READ_ONLY,         PERMISSION_DENIED, \
      "etcdserver: permission denied: keys that begin with /registry are the cluster's own and are only read here") \
    X(MALFORMED,         INTERNAL,            "grpc: the request cannot be decoded") \
    X(STORE,             INTERNAL,            "etcdserver: the store failed; its log says why")

#define ETCD_ENUM(name, code, text) ETCD_##name,
enum etcd_error { ETCD_ERRORS(ETCD_ENUM) ETCD_N_ERRORS };
#undef ETCD_ENUM

/* What the store says (net/err.h) in these words. */
enum etcd_error etcd_error_of(int err);

#endif
