/* test/sim/lease.c: leases that are kept alive for a while and then forgotten; their keys must not go before
 * time. */
#include "test/sim/cluster.h"

/* An answer may still come: the head lives, even if it is closing. */
static bool lease_waits(const struct lease_client *c)
{
    const struct head *h = c->asking ? &c->w->head[c->head] : NULL;
    return h != NULL && h->store != NULL && h->boot == c->boot;
}

static void lease_on_granted(struct store_commit *commit, int err)
{
    struct lease_client *c = container_of(commit, struct lease_client, commit);

    c->asking = false;
    if (err == 0 && commit->succeeded) {
        c->id = commit->op[0].lease;
        c->promised_ns = c->asked_ns + c->ttl_ms * MS;
        c->w->acked_rev = MAX_OF(c->w->acked_rev, commit->rev);
        trace(c->w, "  lease %" PRIu64 " granted for %" PRIu64 " ms", c->id, c->ttl_ms);
    }
}

static void lease_in_grant(void *arg)
{
    struct lease_client *c = arg;
    struct store_txn t;
    struct str v;
    char key[32], value[40];

    store_txn_init(&t);
    store_txn_lease_grant(&t, c->value, c->ttl_ms);
    v = str_make(value, (size_t)snprintf(value, sizeof value, "%016" PRIx64 "::", c->value));
    store_txn_put(&t, key_name(KEYS + c->key, key), v, 17, 0, c->value);
    c->commit.done = lease_on_granted;
    store_commit(c->w->head[c->head].store, &c->commit, &t);
    store_txn_release(&t);
}

static void lease_on_kept(void *arg, int err, uint64_t ttl_ms)
{
    struct lease_client *c = arg;

    c->asking = false;
    if (err == 0 && c->id != 0) {
        c->promised_ns = MAX_OF(c->promised_ns, c->asked_ns + c->ttl_ms * MS);
        c->renewed++;
    }
}

static void lease_in_keep(void *arg)
{
    struct lease_client *c = arg;
    store_lease_keep_alive(c->w->head[c->head].store, c->id, lease_on_kept, c);
}

void lease_head_down(struct world *w, unsigned head)
{
    for (unsigned i = 0; i < LEASE_KEYS; i++)
        if (w->lease[i].head == head)
            w->lease[i].asking = false;          /* whatever it asked is never answered */
}

void lease_step(struct world *w)
{
    struct lease_client *c = &w->lease[sim_below(w->s, LEASE_KEYS)];
    int head = head_any(w);

    if (head < 0 || lease_waits(c))
        return;
    c->w = w;
    c->key = (unsigned)(c - w->lease);
    c->asking = true;
    c->head = (unsigned)head;
    c->boot = w->head[head].boot;
    c->asked_ns = sim_now_ns(w->s);
    if (c->id == 0 || sim_below(w->s, 6) == 0) { /* the old one is left to itself */
        c->id = 0;
        c->promised_ns = 0;
        c->ttl_ms = 100 + sim_below(w->s, 2000);
        c->value = 1000000 + sim_below(w->s, 1ull << 40);
        head_do(&w->head[head], lease_in_grant, c);
    } else {
        head_do(&w->head[head], lease_in_keep, c);
    }
}
