/* test/store/store_test.c: the store as its users see it, over raft on simulated machines: answers in order,
 * each once; waiting, watching, leases through any head; closing and coming back. */
#include "net/log.h"
#include "net/sim.h"
#include "store/limits.h"
#include "store/store.h"
#include "test/test.h"

#define MS 1000000ull
#define HEADS 3

struct head {
    struct rig *r; struct sim_machine *m; unsigned i;
    struct store *s; struct disk *d; bool leading;
};
struct rig { struct sim *s; struct head head[HEADS]; unsigned n; uint64_t history_ms; };

static void on_leading(void *arg, bool leader) { ((struct head *)arg)->leading = leader; }

static void in_open(void *arg)
{
    static const char *const addr[HEADS] = { "h1:1", "h2:1", "h3:1" };
    struct head *h = arg;
    struct raft_peer_opts peer[HEADS];
    struct store_opts o = { .on_leading = on_leading, .arg = h, .history_ms = h->r->history_ms };
    struct errbuf err = { "" };

    for (unsigned i = 0; i < h->r->n; i++)
        peer[i] = (struct raft_peer_opts){ i + 1, addr[i] };
    must_ok(disk_open(sim_machine_loop(h->m), "data", &h->d, &err));
    o.raft = (struct raft_opts){ .loop = sim_machine_loop(h->m), .disk = h->d, .id = h->i + 1, .cluster = 1,
        .heads = peer,
                                 .n_heads = h->r->n, .listen_addr = addr[h->i], .snapshot_bytes = 20000 };
    must_ok(store_open(&o, &h->s, &err));
}

static void on_closed(void *arg)
{
    struct head *h = arg;

    disk_close(h->d);
    h->s = NULL;
}
static void in_close(void *arg) { store_close(((struct head *)arg)->s, on_closed, arg); }

static struct head *rig_leader(struct rig *r)
{
    for (unsigned i = 0; i < r->n; i++)
        if (r->head[i].leading)
            return &r->head[i];
    return NULL;
}

static void rig_open(struct rig *r, unsigned n)
{
    static const char *const name[HEADS] = { "h1", "h2", "h3" };

    log_level = LOG_NONE;
    *r = (struct rig){ .s = sim_new(n), .n = n, .history_ms = r->history_ms };
    for (unsigned i = 0; i < n; i++)
        r->head[i] = (struct head){ .r = r, .i = i, .m = sim_machine_new(r->s, name[i]) };
    for (unsigned i = 0; i < n; i++)
        sim_do(r->head[i].m, in_open, &r->head[i]);
    sim_run_for(r->s, 1500 * MS);
    must(rig_leader(r) != NULL);
}

static void head_shut(struct head *h)
{
    sim_do(h->m, in_close, h);
    sim_run_for(h->r->s, 2000 * MS);
    CHECK(h->s == NULL);
    h->leading = false;
}

static void rig_close(struct rig *r)
{
    for (unsigned i = 0; i < r->n; i++) {
        if (r->head[i].s != NULL)
            head_shut(&r->head[i]);
        loop_free(sim_machine_loop(r->head[i].m));      /* panics on whatever is left open */
    }
    sim_free(r->s);
}

/* ---- commits -------------------------------------------------------------------------------------- */

struct put {
    struct store_commit c; struct head *h; const char *key; unsigned n;
    int err; uint64_t rev; unsigned order, answered; bool inside;
};
static unsigned order;

static void put_on_done(struct store_commit *c, int err)
{
    struct put *p = container_of(c, struct put, c);

    CHECK(!p->inside);
    p->answered++;
    p->err = err;
    p->rev = c->rev;
    p->order = ++order;
    if (err == 0) {
        struct store_kv kv;
        CHECK_INT(c->n_op, 1);
        CHECK(str_eq(c->op[0].kv.key, str_of(p->key)));
        CHECK_INT(c->op[0].kv.mod_rev, c->rev);
        CHECK(store_get(store_live(p->h->s), str_of(p->key), &kv) && kv.mod_rev >= c->rev);
    }
}

static void in_put(void *arg)
{
    struct put *p = arg;
    struct store_txn t;

    for (unsigned i = 0; i < p->n; i++) {
        p[i].c.done = put_on_done;
        p[i].inside = true;
        store_txn_init(&t);
        store_txn_put(&t, str_of(p[i].key), STR("value "), 6, 9, 0);
        store_commit(p[i].h->s, &p[i].c, &t);
        store_txn_release(&t);
        p[i].inside = false;
    }
}

static void put_all(struct put *p, struct head *h, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        p[i] = (struct put){ .h = h, .key = i % 2 ? "/k/odd" : "/k/even", .n = n };
    order = 0;
    sim_do(h->m, in_put, p);
}

TEST(answers_come_once_in_order_with_results)
{
    long live = mem_live();
    struct rig r = { .n = 0 };
    struct put p[50];

    rig_open(&r, 3);
    for (unsigned round = 0; round < 3; round++) {      /* through the leader and through followers */
        put_all(p, &r.head[round], 50);
        sim_run_for(r.s, 500 * MS);
        for (unsigned i = 0; i < 50; i++) {
            CHECK_INT(p[i].answered, 1);
            CHECK_INT(p[i].err, 0);
            CHECK_INT(p[i].rev, round * 50 + i + 2);
            CHECK_INT(p[i].order, i + 1);
        }
    }
    rig_close(&r);
    CHECK_INT(mem_live(), live);
}

struct odd { struct store_commit c; struct head *h; int what, err; unsigned answered; };

static void odd_on_done(struct store_commit *c, int err)
{
    struct odd *o = container_of(c, struct odd, c);
    o->answered++;
    o->err = err;
}

static void in_odd(void *arg)
{
    static char big[RAFT_MAX_COMMAND + 1];
    struct odd *o = arg;
    struct store_txn t;

    store_txn_init(&t);
    switch (o->what) {
    case 0: store_txn_put(&t, STR("/k"), str_make(big, sizeof big), STORE_NO_REV, 0, 0); break;
    case 1: store_txn_put(&t, STR(""), STR("v"), STORE_NO_REV, 0, 0); break;
    case 2: store_txn_put(&t, STR("/k"), STR("v"), STORE_NO_REV, 0, 55); break;
    case 3: store_txn_lease_grant(&t, 7, 1000); store_txn_lease_grant(&t, 7, 1000); break;
    case 4: for (int i = 0; i <= STORE_MAX_OPS; i++) store_txn_get(&t, STR("/k")); break;
    default: break;                              /* nothing at all is a transaction too */
    }
    o->c.done = odd_on_done;
    store_commit(o->h->s, &o->c, &t);
    store_txn_release(&t);
}

TEST(what_cannot_be_is_refused_with_the_reason)
{
    static const int want[] = { E_TOOBIG, E_INVALID, E_NOTFOUND, E_EXISTS, E_TOOBIG, 0 };
    struct rig r = { .n = 0 };

    rig_open(&r, 1);
    for (int i = 0; i < 6; i++) {
        struct odd o = { .h = &r.head[0], .what = i };
        sim_do(r.head[0].m, in_odd, &o);
        CHECK_INT(o.answered, 0);
        sim_run_for(r.s, 100 * MS);
        CHECK_INT(o.answered, 1);
        CHECK_INT(o.err, want[i]);
        CHECK_INT(store_revision(r.head[0].s), 1);
    }
    rig_close(&r);
}

TEST(closing_answers_everything)
{
    struct rig r = { .n = 0 };
    struct put p[20];

    rig_open(&r, 3);
    struct head *h = rig_leader(&r);
    put_all(p, h, 20);
    sim_do(h->m, in_close, h);
    struct put late = { .h = h, .key = "/late", .n = 1 };
    sim_do(h->m, in_put, &late);
    sim_run_for(r.s, 3000 * MS);
    CHECK(h->s == NULL);
    CHECK(late.answered == 1 && late.err == E_CLOSED);
    for (unsigned i = 0; i < 20; i++) {
        CHECK_INT(p[i].answered, 1);
        CHECK(p[i].err == E_UNKNOWN || p[i].err == E_CLOSED || p[i].err == E_NOLEADER || p[i].err == 0);
    }
    h->leading = false;
    rig_close(&r);
}

/* ---- waiting and watching -------------------------------------------------------------------------- */

struct waiter { struct store_wait w; struct head *h; uint64_t rev, ms; unsigned done; int err; uint64_t at; };

static void wait_on_done(struct store_wait *w, int err)
{
    struct waiter *x = container_of(w, struct waiter, w);
    x->done++;
    x->err = err;
    x->at = store_revision(x->h->s);
}
static void in_wait(void *arg)
{
    struct waiter *x = arg;
    x->w.done = wait_on_done;
    store_wait_revision(x->h->s, &x->w, x->rev, x->ms);
    CHECK_INT(x->done, 0);
}

TEST(waiting_for_a_revision)
{
    struct rig r = { .n = 0 };
    struct put p[10];

    rig_open(&r, 1);
    struct head *h = &r.head[0];
    struct waiter soon = { .h = h, .rev = 11, .ms = 5000 }, late = { .h = h, .rev = 12, .ms = 300 },
                  there = { .h = h, .rev = 0, .ms = 5000 }, cancelled = { .h = h, .rev = 3, .ms = 5000 };
    sim_do(h->m, in_wait, &late);
    sim_do(h->m, in_wait, &soon);
    sim_do(h->m, in_wait, &cancelled);
    sim_do(h->m, in_wait, &there);
    store_wait_cancel(&cancelled.w);
    sim_run_for(r.s, 10 * MS);
    CHECK_INT(there.done, 1);
    CHECK_INT(soon.done, 0);
    put_all(p, h, 10);
    sim_run_for(r.s, 100 * MS);
    CHECK(soon.done == 1 && soon.err == 0 && soon.at == 11);
    CHECK_INT(late.done, 0);
    sim_run_for(r.s, 300 * MS);
    CHECK(late.done == 1 && late.err == E_TIMEOUT);
    CHECK_INT(cancelled.done, 0);
    rig_close(&r);
}

struct seer { struct head *h; struct store_watch *w; unsigned told, events; uint64_t last; bool inside; };
static struct blob *framed;                      /* an encoded form that every event keeps */

static void seer_on_ready(void *arg, struct store_watch *w)
{
    struct seer *x = arg;
    struct store_event *e;

    CHECK(!x->inside);
    x->told++;
    while (store_watch_next(w, &e) == 0) {
        CHECK(e->rev > x->last);
        CHECK(e->tag == 9);
        x->last = e->rev;
        x->events++;
        if (e->frame[1] == NULL)
            e->frame[1] = blob_ref(framed);
    }
}
static void in_watch(void *arg)
{
    struct seer *x = arg;
    struct store_watch_opts o = { .from = STR("/k/"), .to = STR("/k0"), .after_rev = x->last,
        .on_ready = seer_on_ready, .arg = x };

    x->inside = true;
    must_ok(store_watch_open(x->h->s, &o, &x->w));
    x->inside = false;
}
static void in_unwatch(void *arg) { store_watch_close(((struct seer *)arg)->w); }

TEST(watching_and_history_that_runs_out_by_itself)
{
    struct rig r = { .history_ms = 2000 };
    struct put p[30];
    struct store_stats st;

    framed = blob_copy(STR("frame"));
    rig_open(&r, 1);
    struct seer x = { .h = &r.head[0] };
    put_all(p, &r.head[0], 30);
    sim_run_for(r.s, 100 * MS);
    sim_do(r.head[0].m, in_watch, &x);           /* from the past */
    CHECK_INT(x.told, 0);
    sim_run_for(r.s, 10 * MS);
    CHECK_INT(x.events, 30);
    put_all(p, &r.head[0], 30);
    sim_run_for(r.s, 100 * MS);
    CHECK_INT(x.events, 60);
    CHECK_INT(framed->refs, 1 + 60);
    CHECK_INT(store_history_start(r.head[0].s), 0);
    sim_run_for(r.s, 4000 * MS);                 /* nothing happens, and yet it is tidied up */
    store_stats(r.head[0].s, &st);
    CHECK_INT(st.events, 0);
    CHECK_INT(framed->refs, 1);
    blob_unref(framed);
    CHECK_INT(st.history_start, 61);
    CHECK_INT(st.watches, 1);
    CHECK_INT(st.keys, 2);
    sim_do(r.head[0].m, in_unwatch, &x);
    rig_close(&r);
}

/* ---- leases, restarts ------------------------------------------------------------------------------ */

struct tenant { struct store_commit c; struct head *h; uint64_t id; unsigned kept; int err; };

static void tenant_on_granted(struct store_commit *c, int err)
{
    struct tenant *x = container_of(c, struct tenant, c);
    must(err == 0);
    x->id = c->op[0].lease;
}
static void in_grant(void *arg)
{
    struct tenant *x = arg;
    struct store_txn t;

    store_txn_init(&t);
    store_txn_lease_grant(&t, 99, 1000);
    store_txn_put(&t, STR("/leased"), STR("v"), STORE_NO_REV, 0, 99);
    x->c.done = tenant_on_granted;
    store_commit(x->h->s, &x->c, &t);
    store_txn_release(&t);
}
static void tenant_on_kept(void *arg, int err, uint64_t ttl_ms)
{
    struct tenant *x = arg;
    x->err = err;
    x->kept += err == 0 && ttl_ms == 1000;
}
static void in_keep(void *arg)
{
    struct tenant *x = arg;
    store_lease_keep_alive(x->h->s, x->id, tenant_on_kept, x);
}

TEST(leases_are_kept_alive_through_any_head_and_end)
{
    struct rig r = { .n = 0 };
    struct store_kv kv;
    uint64_t ttl, left;

    rig_open(&r, 3);
    struct tenant x = { .h = &r.head[1] };
    sim_do(x.h->m, in_grant, &x);
    sim_run_for(r.s, 300 * MS);
    CHECK_INT(x.id, 99);
    for (unsigned i = 0; i < 12; i++) {
        x.h = &r.head[i % 3];
        sim_do(x.h->m, in_keep, &x);
        sim_run_for(r.s, 600 * MS);
        CHECK_INT(x.kept, i + 1);
        CHECK(store_lease_get(rig_leader(&r)->s, 99, &ttl, &left) && ttl == 1000 && left <= 1000);
    }
    sim_run_for(r.s, 1500 * MS);
    for (unsigned i = 0; i < 3; i++)
        CHECK(!store_get(store_live(r.head[i].s), STR("/leased"), &kv));
    sim_do(x.h->m, in_keep, &x);
    sim_run_for(r.s, 300 * MS);
    CHECK_INT(x.err, E_NOTFOUND);
    rig_close(&r);
}

TEST(a_closed_head_comes_back_with_everything)
{
    struct rig r = { .n = 0 };
    struct put p[200];
    struct store_kv kv;

    rig_open(&r, 1);
    struct head *h = &r.head[0];
    for (unsigned round = 1; round <= 4; round++) {
        put_all(p, h, 200);
        sim_run_for(r.s, 1000 * MS);
        CHECK_INT(store_revision(h->s), 200 * round + 1);
        head_shut(h);
        sim_do(h->m, in_open, h);
        sim_run_for(r.s, 1500 * MS);
        CHECK_INT(store_revision(h->s), 200 * round + 1);
        CHECK(store_get(store_live(h->s), STR("/k/odd"), &kv) && kv.version == 100 * round);
        CHECK(h->leading && store_read_now(h->s));
    }
    rig_close(&r);
}

TEST(prefix_end)
{
    struct arena a = ARENA_INIT;

    CHECK_STR(store_prefix_end(&a, STR("/a/")), "/a0");
    CHECK_STR(store_prefix_end(&a, STR("a\xff\xff")), "b");
    CHECK_INT(store_prefix_end(&a, STR("\xff")).n, 0);
    CHECK_INT(store_prefix_end(&a, STR("")).n, 0);
    arena_release(&a);
}
