/* raft/progress.c: the three states of a follower as its leader sees it, and the window of messages under
 * way. */
#include <string.h>
#include "net/must.h"
#include "raft/progress.h"

void raft_progress_init(struct raft_progress *p, uint64_t id, uint64_t next, uint64_t now_ns)
{
    must(id > 0 && next > 0);
    memset(p, 0, sizeof(*p));
    p->id = id;
    p->next = next;
    p->heard_ns = now_ns;                        /* grace: a new leader does not step down for silence before its time */
}

static void progress_empty_window(struct raft_progress *p)
{
    p->flight_at = p->flight_n = 0;
    p->flight_bytes = 0;
}

void raft_progress_probe(struct raft_progress *p, uint64_t next)
{
    p->state = RAFT_PROBE;
    p->next = MAX_OF(next, p->match + 1);
    p->probing = false;
    progress_empty_window(p);
}

void raft_progress_replicate(struct raft_progress *p, uint64_t next)
{
    must(p->state != RAFT_REPLICATE);
    p->state = RAFT_REPLICATE;
    p->next = MAX_OF(next, p->match + 1);
    p->beat_round = 0;
    progress_empty_window(p);
}

void raft_progress_snapshot(struct raft_progress *p)
{
    p->state = RAFT_SNAPSHOT;
    progress_empty_window(p);
}

void raft_progress_forget(struct raft_progress *p, uint64_t from_round)
{
    must(from_round > p->round);
    p->from_round = from_round;
    if (p->state != RAFT_SNAPSHOT)
        raft_progress_probe(p, p->match + 1);    /* most likely nothing is missing */
    p->match = 0;
}

bool raft_progress_full(const struct raft_progress *p)
{
    return p->flight_n == RAFT_MAX_INFLIGHT || p->flight_bytes >= RAFT_MAX_INFLIGHT_BYTES;
}

void raft_progress_sent(struct raft_progress *p, uint64_t last, uint64_t bytes)
{
    must(p->state == RAFT_REPLICATE);
    must(p->flight_n < RAFT_MAX_INFLIGHT);
    must(last >= p->next);
    unsigned at = (p->flight_at + p->flight_n++) % RAFT_MAX_INFLIGHT;
    p->flight[at].last = last;
    p->flight[at].bytes = bytes;
    p->flight_bytes += bytes;
    p->next = last + 1;
}

void raft_progress_matched(struct raft_progress *p, uint64_t match)
{
    p->match = MAX_OF(p->match, match);
    p->next = MAX_OF(p->next, p->match + 1);
    while (p->flight_n > 0 && p->flight[p->flight_at].last <= p->match) {
        must(p->flight_bytes >= p->flight[p->flight_at].bytes);
        p->flight_bytes -= p->flight[p->flight_at].bytes;
        p->flight_at = (p->flight_at + 1) % RAFT_MAX_INFLIGHT;
        p->flight_n--;
    }
}

void raft_progress_check(const struct raft_progress *p, uint64_t last)
{
    must(p->id > 0);
    must(p->match < p->next);
    must(p->match <= last);
    must(p->next <= last + 1);
    must(p->flight_n <= RAFT_MAX_INFLIGHT);
    must(p->flight_n > 0 || p->flight_bytes == 0);
    must(p->state == RAFT_REPLICATE || p->flight_n == 0);
    if (p->flight_n > 0) {
        unsigned newest = (p->flight_at + p->flight_n - 1) % RAFT_MAX_INFLIGHT;
        must(p->flight[newest].last < p->next);
    }
}
