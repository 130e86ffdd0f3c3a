/* store/limits.h: every bound of the store, in one place.
 *
 * Bounds on what one transaction may do are part of the replicated decision: all heads must agree on
 * them, so they change only together with STATE_VERSION (store/snapshot.c). */
#ifndef STORE_LIMITS_H
#define STORE_LIMITS_H

/* ---- the replicated decision ---- */
#define STORE_MAX_KEY           4096u            /* bytes of a key */
/* keys that range deletes and revokes of one transaction may touch */
#define STORE_MAX_TXN_EVENTS    16384u
/* keys that its ranges may read */
#define STORE_MAX_TXN_READS     16384u
#define STORE_MAX_LEASE_KEYS    8192u            /* keys attached to one lease: a revoke is one transaction */
#define STORE_MAX_LEASE_TTL_MS  (1ull << 50)

/* ---- this head's own business ---- */
#define STORE_HISTORY_MS        (5u * 60 * 1000)
#define STORE_HISTORY_BYTES     (256ull << 20)
#define STORE_QUOTA_BYTES       (2ull << 30)
#define STORE_TRIM_PER_TURN     4096u            /* events that leave history in one turn */
#define STORE_FREE_PER_TURN     1024u            /* tree nodes taken apart in one turn */
#define STORE_FREE_AT_ONCE      32u              /* between two looks at the clock */
#define STORE_WATCH_PER_TURN    8192u            /* watches that are told in one turn */
/* events one lagging watch looks at before others get their turn */
#define STORE_SCAN_PER_WATCH    512u
#define STORE_SCAN_PER_TURN     16384u           /* and all of them in one turn */
#define STORE_REWIND_AT_ONCE    1024u            /* events undone for who asks; more goes in slices of time */
#define STORE_REWIND_SLICE_NS   1500000u
#define STORE_EXPIRE_PER_TURN   64u              /* leases whose end is proposed at once */
#define STORE_CLOCKS_PER_SLICE  2048u            /* clocks of leases started or given back at once */
#define STORE_FREE_SLICE_NS     1500000u         /* what taking nodes apart may take of one turn */
#define STORE_EXPIRE_RETRY_MS   500u

/* Node-local limits cannot starve each other: a turn of ours is at most about
 * 4096 * 0.1 us + 1024 * 4 us + 8192 * 0.3 us + 16384 * 0.05 us, i.e. below 10 ms when everything comes
 * together. */
#endif
