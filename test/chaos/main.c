/* test/chaos/main.c: chaos HISTORY CA CERT KEY HOST:PORT...: clients and watches through these heads until
 * SIGTERM, which says that the faults are over; then all must be well within CHAOS_SETTLE_MS: a last write
 * (the fence) is taken, every head shows the same state, every watch arrives at the fence.
 *
 * Exit 0: so it was; what was recorded is for lincheck to judge. */
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include "net/tls.h"
#include "node/files.h"
#include "test/chaos/chaos.h"

#define PEM_MAX (1u << 20)

void chaos_wrong(struct chaos *c, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vfprintf(stdout, fmt, ap);
    va_end(ap);
    putchar('\n');
    c->status = 1;
}

/* ---- After the faults -------------------------------------------------------------------------------- */

static double settle_seconds(struct chaos *c)
{
    return (double)(loop_hires_ns(c->loop) - c->stopped_ns) / 1e9;
}

/* Name, value and revision of all keys, as text. */
static char *list_text(const struct json *list)
{
    struct buf b = BUF_INIT;

    json_each(item, json_getz(list, "items")) {
        unsigned key;
        if (chaos_key(json_path_str(item, "metadata.name"), &key))
            buf_fmt(&b, "k%u=%.*s@%.*s ", key, STR_ARG(json_path_str(item, "data.v")),
                    STR_ARG(json_path_str(item, "metadata.resourceVersion")));
    }
    buf_char(&b, '\0');
    return b.p;
}

/* A write of unknown outcome may still come true between two lists: then all are asked again. */
static void settle_compare(struct chaos *c, char *text)
{
    bool same = c->last_list == NULL || strcmp(c->last_list, text) == 0;

    if (!same)
        c->differed = c->listed + 1;
    c->listed = same ? c->listed + 1 : 0;
    mem_free(c->last_list);
    c->last_list = same ? text : NULL;
    if (!same)
        mem_free(text);
}

void settle_on_answer(struct chaos_client *cl, int result, const struct client_result *r)
{
    struct chaos *c = cl->c;

    if (cl->op == CHAOS_CREATE && cl->key == CHAOS_FENCE && result <= CHAOS_LOST && !c->fenced) {
        c->fenced = true;
        printf("writes go on %.2f s after the faults\n", settle_seconds(c));
    } else if (c->fenced && cl->op == CHAOS_LIST && result == CHAOS_OK && cl->number == c->listed) {
        settle_compare(c, list_text(r->obj));
    }
}

static void settle_end(struct chaos *c)
{
    timer_stop(&c->tick);
    watchers_stop(c);
    loop_stop(c->loop);
}

/* What is still to come; NULL: nothing. */
static const char *settle_lacks(const struct chaos *c)
{
    return !clients_idle(c) ? "requests hang" : !c->fenced ? "writes fail"
           : c->listed < c->n_heads ? "a head does not answer, or differs"
           : !watchers_arrived(c) ? "a watch does not arrive" : NULL;
}

/* One step at a time, by who is idle: the fence, then a list through each head. */
static void settle_on_tick(struct timer *t)
{
    struct chaos *c = container_of(t, struct chaos, tick);
    const char *lacks = settle_lacks(c);

    timer_start(&c->tick, 20);
    if (lacks == NULL) {
        printf("all is well %.2f s after the faults\n", settle_seconds(c));
        settle_end(c);
    } else if (settle_seconds(c) * 1000 > CHAOS_SETTLE_MS) {
        chaos_wrong(c, "not well %d s after the faults: %s (head %u differed last, 0: none)",
                    CHAOS_SETTLE_MS / 1000, lacks, c->differed);
        settle_end(c);
    } else if (clients_idle(c) && !c->fenced) {
        client_send_op(&c->client[0], CHAOS_CREATE, CHAOS_FENCE);
    } else if (clients_idle(c) && c->listed < c->n_heads) {
        struct chaos_client *cl = &c->client[c->listed];
        cl->head = c->listed;
        client_send_op(cl, CHAOS_LIST, 0);
    }
}

static void chaos_on_signal(void *arg, int signum)
{
    struct chaos *c = arg;

    if (c->stopping)
        return;
    c->stopping = true;
    c->stopped_ns = loop_hires_ns(c->loop);
    timer_start(&c->tick, 0);
}

/* ---- Before them ------------------------------------------------------------------------------------- */

static void chaos_on_first_list(void *arg, const struct client_result *r)
{
    struct chaos *c = arg;
    uint64_t rev;

    if (!r->ok || !str_u64(json_path_str(r->obj, "metadata.resourceVersion"), &rev)) {
        chaos_wrong(c, "the first list: %s%.*s", r->reason, STR_ARG(r->message));
        loop_stop(c->loop);
        return;
    }
    clients_start(c);
    watchers_start(c, rev);
}

static void read_or_die(const char *name, struct buf *b)
{
    struct errbuf err;

    if (file_read(name, PEM_MAX, b, &err) == 0)
        return;
    fprintf(stderr, "chaos: %s\n", err.s);
    exit(2);
}

static struct tls_ctx *tls_of(char **files)
{
    struct buf ca = BUF_INIT, cert = BUF_INIT, key = BUF_INIT;
    struct errbuf err;
    struct tls_ctx *tls;

    read_or_die(files[0], &ca);
    read_or_die(files[1], &cert);
    read_or_die(files[2], &key);
    struct tls_opts o = { .ca_pem = buf_str(&ca), .cert_pem = buf_str(&cert), .key_pem = buf_str(&key) };
    if (tls_ctx_new(&o, &tls, &err) != 0) {
        fprintf(stderr, "chaos: %s\n", err.s);
        exit(2);
    }
    buf_release(&ca);
    buf_release(&cert);
    buf_release(&key);
    return tls;
}

static void chaos_say(const struct chaos *c)
{
    static const char *const names[CHAOS_OPS] = {
        "gets", "lists", "creates", "updates", "blind updates", "deletes", "deletes of a revision"
    };

    for (unsigned i = 0; i < CHAOS_OPS; i++) {
        const uint64_t *n = c->count[i];
        printf("%-22s %6" PRIu64 " ok %6" PRIu64 " lost %5" PRIu64 " unknown %5" PRIu64 " failed\n", names[i],
               n[CHAOS_OK], n[CHAOS_LOST], n[CHAOS_UNKNOWN], n[CHAOS_FAILED]);
    }
    printf("%-22s %6" PRIu64 " events, begun %" PRIu64 " times, %" PRIu64 " times too late\n", "watches",
           c->events, c->rewatches, c->relists);
}

/* One client for each head: what fails there is not tried elsewhere. */
static void chaos_add_head(struct chaos *c, const char *addr, struct tls_ctx *tls)
{
    struct client_http_opts o = { .loop = c->loop, .servers = &addr, .n_servers = 1, .tls = tls,
                                  .tls_name = "localhost", .user_agent = "chaos" };
    struct errbuf err;

    if (client_new_http(&o, &c->head[c->n_heads++], &err) == 0)
        return;
    fprintf(stderr, "chaos: %s\n", err.s);
    exit(2);
}

int main(int argc, char **argv)
{
    static struct chaos c;
    struct client_req first = { .method = "GET", .res = CHAOS_RES, .ns = CHAOS_NS,
                                .done = chaos_on_first_list, .arg = &c };

    signal(SIGPIPE, SIG_IGN);
    if (argc < 6 || argc > 5 + CHAOS_HEADS || (c.out = fopen(argv[1], "w")) == NULL) {
        fprintf(stderr, "usage: chaos HISTORY CA CERT KEY HOST:PORT...\n");
        return 2;
    }
    struct tls_ctx *tls = tls_of(argv + 2);
    c.loop = loop_new_real();
    timer_init(&c.tick, c.loop, settle_on_tick);
    loop_on_signal(c.loop, SIGTERM, chaos_on_signal, &c);
    for (int i = 5; i < argc; i++)
        chaos_add_head(&c, argv[i], tls);
    must(client_send(c.head[0], &first) != NULL);
    loop_run(c.loop);
    chaos_say(&c);
    if (fclose(c.out) != 0)
        c.status = 1;
    return c.status;
}
