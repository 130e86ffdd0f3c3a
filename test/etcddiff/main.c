/* test/etcddiff/main.c: etcddiff ADDR ADDR SEED COUNT: two fresh servers, asked the same; 1 at the first answer that
 * differs. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include "test/etcddiff/diff.h"

#define WATCH_ONE_IN 40u
#define LOOK_EVERY   100u                        /* requests between two looks at the watches */
#define PATIENCE     20u                         /* quiet times until what one has not told is missing */

struct run { struct gen g; struct server *s[SERVERS]; uint64_t seed, n, compared; };

static void show_request(const char *path, const struct pb_message *m, const void *body)
{
    struct buf wire = BUF_INIT, text = BUF_INIT;

    pb_encode(&wire, m, body);
    text_message(&text, buf_str(&wire));
    fprintf(stderr, "%s:%.*s\n", path, STR_ARG(buf_str(&text)));
    buf_release(&wire);
    buf_release(&text);
}

static bool differs(struct run *r, const char *what, struct str a, struct str b)
{
    if (str_eq(a, b))
        return false;
    fprintf(stderr, "seed %" PRIu64 ", request %" PRIu64 ": %s\n--- the first answers\n%.*s\n--- the second\n%.*s\n",
            r->seed, r->n, what, STR_ARG(a), STR_ARG(b));
    return true;
}

/* What everybody learns from an answer: the revision, and what is compacted. */
static void learn(struct gen *g, const struct request *q, const struct answer *a)
{
    struct str m = buf_str(&a->body), header;
    struct pb_item it;

    if (m.n == 0 || pb_next(&m, &it) != NULL || it.number != 1)
        return;
    for (header = it.bytes; header.n > 0 && pb_next(&header, &it) == NULL; )
        if (it.number == 3 && (int64_t)it.value > g->rev)
            g->rev = (int64_t)it.value;
    if (q->msg == &etcd_compaction_msg && a->code == 0)
        g->compacted = ((const struct etcd_compaction *)q->body)->revision;
}

static bool step(struct run *r)
{
    struct arena a = ARENA_INIT;
    struct answer ans[SERVERS] = { { .body = BUF_INIT }, { .body = BUF_INIT } };
    struct buf text[SERVERS] = { BUF_INIT, BUF_INIT };
    struct request q = gen_request(&r->g, &a);
    bool bad;

    ask_both(r->s, &q, ans);
    for (unsigned i = 0; i < SERVERS; i++)
        text_answer(&text[i], q.path, &ans[i]);
    bad = differs(r, q.path, buf_str(&text[0]), buf_str(&text[1]));
    if (bad)
        show_request(q.path, q.msg, q.body);
    learn(&r->g, &q, &ans[0]);
    r->compared++;
    for (unsigned i = 0; i < SERVERS; i++) {
        buf_release(&text[i]);
        buf_release(&ans[i].body);
    }
    arena_release(&a);
    return !bad;
}

static void step_watch(struct run *r)
{
    struct arena a = ARENA_INIT;
    struct etcd_watch_request *w = gen_watch(&r->g, &a);

    if (getenv("ETCDDIFF_VERBOSE") != NULL)
        show_request("watch", &etcd_watch_request_msg, w);
    watch_both(r->s, w);
    arena_release(&a);
}

static int64_t watch_that_differs(const struct run *r)
{
    for (int64_t id = 0; id < r->g.watches; id++)
        if (!str_eq(server_told(r->s[0], id), server_told(r->s[1], id)))
            return id;
    return -1;
}

/* One of them may be slow. */
static bool look_at_watches(struct run *r)
{
    char what[40];
    int64_t id = -1;

    for (unsigned i = 0; i < PATIENCE; i++) {
        settle_both(r->s);
        id = watch_that_differs(r);
        if (id < 0)
            return true;
    }
    snprintf(what, sizeof what, "watch %" PRId64, id);
    return !differs(r, what, server_told(r->s[0], id), server_told(r->s[1], id));
}

int main(int argc, char **argv)
{
    struct loop *l;
    struct run r = { .n = 0 };
    uint64_t count;
    bool ok = true;

    if (argc != 5 || !str_u64(str_of(argv[3]), &r.seed) || !str_u64(str_of(argv[4]), &count)) {
        fprintf(stderr, "usage: etcddiff ADDR ADDR SEED COUNT\n");
        return 2;
    }
    l = loop_new_real();
    r.g = (struct gen){ .dice = r.seed, .rev = 1 };
    for (unsigned i = 0; i < SERVERS; i++)
        r.s[i] = server_open(l, argv[1 + i]);
    for (; r.n < count && ok; r.n++) {
        if (gen_below(&r.g, WATCH_ONE_IN) == 0)
            step_watch(&r);
        ok = step(&r);
        if (ok && r.n % LOOK_EVERY == LOOK_EVERY - 1)
            ok = look_at_watches(&r);
    }
    ok = ok && look_at_watches(&r);
    printf("%" PRIu64 " answers, %" PRId64 " watches, revision %" PRId64 ": %s\n", r.compared, r.g.watches,
           r.g.rev, ok ? "the same" : "DIFFERENT");
    for (unsigned i = 0; i < SERVERS; i++)
        server_close(r.s[i]);
    return !ok;
}
