/* store/etcd/etcd_impl.h: what the files of etcd's face share; nobody else includes this.
 *
 * A unary call is a struct etcd_call from its request to its answer: decode -> check -> (barrier or commit)
 * -> answer.
 * It owns its memory, so that a commit under way outlives a client that went away: `waiting` counts what will
 * still call back, and the call is freed once the client has been answered (or is gone) and nothing is waited
 * for. Watch and LeaseKeepAlive are streams with structs of their own (etcd_watch.c, etcd_lease.c). */
#ifndef STORE_ETCD_IMPL_H
#define STORE_ETCD_IMPL_H

#include "net/grpc.h"
#include "store/etcd/etcd.h"
#include "store/etcd/etcd_errors.h"
#include "store/etcd/etcd_messages.h"

/* ---- bounds --------------------------------------------------------------------------------------- */

#define ETCD_MAX_REQUEST     (3u << 19)          /* 1.5 MiB */
#define ETCD_REQUEST_SLACK   (512u << 10)        /* what gRPC itself takes above it, before it refuses */
#define ETCD_MAX_TXN_OPS     128u
#define ETCD_PROGRESS_MS     (10u * 60 * 1000)
/* how soon streams that require a leader learn that there is none */
#define ETCD_LEADER_MS       500u
#define ETCD_MAX_STREAMS     10000u              /* calls of one connection at a time */
#define ETCD_RANGE_SLICE     2048u               /* keys looked at or written in one turn by one range */
#define ETCD_DELETE_SLICE    8192u               /* keys that one transaction of a large delete takes */
#define ETCD_QUEUE_MAX       (256u << 10)        /* unsent bytes above which a call produces nothing more */
#define ETCD_INLINE_VALUE    1024u               /* smaller values are copied next to their neighbours */
#define ETCD_MAX_WATCHES     100000u             /* of one stream */
#define ETCD_MIN_TTL         2                   /* seconds: etcd's, with its default election timeout */
#define ETCD_MAX_TTL         9000000000
#define ETCD_SNAPSHOT_BLOCK  512u                /* etcdctl wants a file of whole blocks and 32 bytes */
#define ETCD_DRAIN_MS        2000u
#define ETCD_SPARE_CALLS     64u                 /* ended calls that wait for the next, */
#define ETCD_CALL_ARENA      (1024u - 64)        /* with room for what a put or a read of a key takes */

#define ETCD_KEPT            8u                  /* revisions kept for pages to come, */
#define ETCD_KEPT_MS         10000u              /* for so long */

struct etcd {
    struct etcd_opts o;
    struct loop  *loop;
    struct store *store;
    struct http_server *http[ETCD_MAX_ADDRS]; unsigned n_http;
    char         *name, *client_urls;
    struct buf    out;                           /* scratch: what is being encoded */
    struct qlink  calls;                         /* unary calls */
    struct qlink  spare; unsigned n_spare;       /* their memory, ready for more */
    struct qlink  streams;                       /* struct etcd_stream */
    struct timer  leader;                        /* runs while a stream requires a leader */
    /* calls, streams, servers and commits that still refer to us */
    uint64_t      pins;
    /* revisions whose next pages are likely to be asked for: pinned, so that nobody winds history back for
     * them */
    struct store_view *kept[ETCD_KEPT]; unsigned next_kept;
    struct timer  kept_until;
    bool          closing;
    void        (*closed)(void *arg); void *closed_arg;
    struct ready_item freed;
    uint64_t     *handled;                       /* by method, for metrics */
    uint64_t      n_watches, n_watch_streams, events_sent;
};

void etcd_unpin(struct etcd *e);
static inline void etcd_pin(struct etcd *e) { e->pins++; }

/* ---- calls ---------------------------------------------------------------------------------------- */

struct etcd_call;
struct etcd_method {
    const char *path;
    const struct pb_message *request;            /* NULL: a stream */
    void (*start)(struct etcd_call *c);
    void (*stream)(struct etcd *e, struct http_req *req);
    bool admin;                                  /* unless store_only: for administrators */
};
extern const struct etcd_method etcd_methods[];
extern const unsigned etcd_n_methods;

struct etcd_call {
    struct grpc_call grpc;                       /* grpc.req NULL: answered, or the client is gone */
    struct etcd  *e;
    const struct etcd_method *method;
    struct qlink  link;
    struct arena  arena;
    void         *request;
    bool          admin;
    unsigned      waiting;
    struct store_commit commit;
    struct raft_read    read;
    struct store_rewind rewind;
    struct timer        timer;
    void        (*current)(struct etcd_call *c); /* after the barrier */
    void        (*decided)(struct etcd_call *c); /* after the commit, if it was not refused */
    void        (*drained)(struct etcd_call *c); /* room again; NULL: nobody waits for it */
    void        (*dropped)(struct etcd_call *c); /* before it is freed; NULL ok */
    void         *job;
};

/* Answer and be done with it: nothing may follow. */
void etcd_fail(struct etcd_call *c, enum etcd_error err);
void etcd_fail_text(struct etcd_call *c, enum grpc_code code, const char *text);
void etcd_reply(struct etcd_call *c, const struct pb_message *m, struct etcd_reply *r);
/* The same for an answer that was sent otherwise. */
void etcd_done(struct etcd_call *c);
/* fn(c) once what is applied here is as new as now (serializable: at once), unless the client is gone by
 * then. */
void etcd_when_current(struct etcd_call *c, bool serializable, void (*fn)(struct etcd_call *c));
/* fn(c) once etcd_view_at(revision) is short: now, or after winding history back in slices; unless it fails, or
 * the client is gone by then. */
void etcd_when_near(struct etcd_call *c, int64_t revision, void (*fn)(struct etcd_call *c));
/* What c->waiting counts has come.  False: the client is gone, and so is c. */
bool etcd_resume(struct etcd_call *c);
/* fn(c) once t is decided; refusals are answered here.  t is released. */
void etcd_commit(struct etcd_call *c, struct store_txn *t, void (*fn)(struct etcd_call *c));

void etcd_header(const struct etcd *e, uint64_t rev, struct etcd_header *ret);
/* A message by its table, appended to out with gRPC's head. */
void etcd_append(struct buf *out, const struct pb_message *m, const void *from);

/* A stream: what is common to them.  on_stop: the server ends, or there is no leader; finish the call. */
struct etcd_stream {
    struct grpc_call grpc;
    struct etcd *e;
    struct qlink link;
    bool         needs_leader;
    void       (*stop)(struct etcd_stream *s, enum etcd_error err);
};
/* False: the call was refused and *s is not in use. */
bool etcd_stream_open(struct etcd *e, struct etcd_stream *s, struct http_req *req,
                      const struct grpc_events *ev);
void etcd_stream_close(struct etcd_stream *s);   /* the call is over */
void etcd_stream_finish(struct etcd_stream *s, enum etcd_error err);

bool etcd_is_admin(struct etcd *e, struct http_req *req);
bool etcd_has_leader(struct etcd *e);
enum grpc_code etcd_error_code(enum etcd_error err);
const char *etcd_error_text(enum etcd_error err);

/* ---- keys (etcd_keys.c) --------------------------------------------------------------------------- */

struct etcd_who { const struct etcd *e; bool admin; };
/* A user's key or range in the store; [from, to) also for a single key.  In the arena. */
enum etcd_error etcd_map(struct etcd_who who, struct arena *a, struct str key, struct str range_end,
                         bool write,
                         struct store_range *ret);
/* The user's name of a key of the store. */
static inline struct str etcd_user_key(struct str key)
{
    return key.n > 0 && key.p[0] == 'u' ? str_from(key, 1) : key;
}

/* ---- ranges (etcd_range.c) ------------------------------------------------------------------------ */

enum etcd_error etcd_range_check(const struct etcd_range *r);
/* Must all keys be seen before the first can be told? */
bool etcd_range_whole(const struct etcd_range *r);
bool etcd_range_wants(const struct etcd_range *r, const struct store_kv *kv);
/* Order of keys as the request wants them (SORT_NONE: as they are). */
int  etcd_range_order(const struct etcd_range *r, const struct store_kv *a, const struct store_kv *b);
/* A revision that a request names: OK, COMPACTED or FUTURE_REV; *ret NULL: the present.  Unpin it. */
enum etcd_error etcd_view_at(struct etcd *e, int64_t revision, struct store_view **ret);
/* More of this revision will be asked for soon. */
void etcd_view_keep(struct etcd *e, uint64_t revision);
void etcd_views_drop(struct etcd *e);

/* ---- methods -------------------------------------------------------------------------------------- */

void etcd_kv_range(struct etcd_call *c);
void etcd_kv_put(struct etcd_call *c);
void etcd_kv_delete(struct etcd_call *c);
void etcd_kv_txn(struct etcd_call *c);
void etcd_kv_compact(struct etcd_call *c);
void etcd_watch(struct etcd *e, struct http_req *req);
void etcd_lease_grant(struct etcd_call *c);
void etcd_lease_revoke(struct etcd_call *c);
void etcd_lease_ttl(struct etcd_call *c);
void etcd_lease_leases(struct etcd_call *c);
void etcd_lease_keep_alive(struct etcd *e, struct http_req *req);
void etcd_member_list(struct etcd_call *c);
void etcd_member_add(struct etcd_call *c);
void etcd_member_remove(struct etcd_call *c);
void etcd_member_update(struct etcd_call *c);
void etcd_member_promote(struct etcd_call *c);
void etcd_auth_disabled(struct etcd_call *c);
void etcd_auth_status(struct etcd_call *c);
void etcd_health_check(struct etcd_call *c);
void etcd_maintenance_status(struct etcd_call *c);
void etcd_maintenance_alarm(struct etcd_call *c);
void etcd_maintenance_defragment(struct etcd_call *c);
void etcd_maintenance_hash(struct etcd_call *c);
void etcd_maintenance_hash_kv(struct etcd_call *c);
void etcd_maintenance_snapshot(struct etcd_call *c);
void etcd_maintenance_move_leader(struct etcd_call *c);
void etcd_http(struct etcd *e, struct http_req *req);            /* /health, /version, /metrics */

#endif
