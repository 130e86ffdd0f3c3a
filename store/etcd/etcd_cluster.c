/* store/etcd/etcd_cluster.c: Cluster.MemberList, and what it needs to know of the others: every head writes its name
 * and client URLs under ETCD_MEMBERS when it starts, as etcd's members publish theirs. */
#include "store/etcd/etcd_impl.h"

#define PUBLISH_RETRY_MS 1000

/* ---- publishing ----------------------------------------------------------------------------------- */

static void publish_on_commit(struct store_commit *c, int err)
{
    struct etcd *e = container_of(c, struct etcd, publish);

    if (err != 0 && err != E_CLOSED && !e->closing) {
        timer_start(&e->publish_again, PUBLISH_RETRY_MS);
        return;
    }
    etcd_unpin(e);
}

/* "NAME\nURLS"; the store is left alone where it says so already. */
static void publish_write(struct etcd *e)
{
    struct store_txn t;
    struct buf key = BUF_INIT, value = BUF_INIT;

    buf_fmt(&key, "%s%" PRIx64, ETCD_MEMBERS, e->o.member);
    buf_fmt(&value, "%s\n%s", e->name, e->client_urls);
    store_txn_init(&t);
    store_txn_if_value(&t, buf_str(&key), STORE_EQ, buf_str(&value));
    store_txn_else(&t);
    store_txn_put(&t, buf_str(&key), buf_str(&value), STORE_NO_REV, 0, 0);
    e->publish.done = publish_on_commit;
    store_commit(e->store, &e->publish, &t);
    store_txn_release(&t);
    buf_release(&key);
    buf_release(&value);
}

static void publish_on_timer(struct timer *t)
{
    struct etcd *e = container_of(t, struct etcd, publish_again);

    if (e->closing)
        etcd_unpin(e);
    else
        publish_write(e);
}

void etcd_publish(struct etcd *e)
{
    etcd_pin(e);                                 /* until it is there */
    timer_init(&e->publish_again, e->loop, publish_on_timer);
    publish_write(e);
}

/* ---- listing -------------------------------------------------------------------------------------- */

static void add_url(struct arena *a, struct pb_list *l, struct str url)
{
    struct str *at = arena_alloc(a, (l->n + 1u) * sizeof *at);

    if (l->n > 0)
        memcpy(at, l->at, l->n * sizeof *at);
    at[l->n++] = url;
    l->at = at;
}

static void member_fill(struct etcd_call *c, struct etcd_member *m, uint64_t id, const char *addr)
{
    struct etcd *e = c->e;
    struct str key = arena_fmt(&c->arena, "%s%" PRIx64, ETCD_MEMBERS, id), rest, url;
    struct store_kv kv;

    m->id = (int64_t)id;
    add_url(&c->arena, &m->peer_urls, arena_fmt(&c->arena, "%s://%s", e->o.peer_tls ? "https" : "http", addr));
    if (!store_get(store_live(e->store), key, &kv))
        return;                                  /* it never started: etcd shows neither name nor URLs */
    rest = arena_str(&c->arena, blob_str(kv.value));
    str_split(&rest, '\n', &m->name);
    while (str_split(&rest, ',', &url))
        add_url(&c->arena, &m->client_urls, url);
}

static void member_list(struct etcd_call *c)
{
    struct etcd_reply r = { .header = NULL };
    struct etcd_member *m;
    struct raft_status st;

    raft_status(store_raft(c->e->store), &st);
    r.list.at = m = arena_zalloc(&c->arena, (st.n_heads + 1) * sizeof *m);
    for (unsigned i = 0; i < st.n_heads; i++)
        member_fill(c, &m[r.list.n++], st.head[i].id, st.head[i].addr);
    etcd_reply(c, &etcd_reply_members, &r);
}

void etcd_member_list(struct etcd_call *c)
{
    etcd_when_current(c, false, member_list);
}
