/* test/api/api_rig.h: one head's API in the simulated world, driven by exchanges in memory.
 *
 * call(&r, "GET", "/api/v1/pods", NULL) runs the world until the answer is there; stream_open() keeps one
 * open. In bodies single quotes stand for double ones. */
#ifndef TEST_API_RIG_H
#define TEST_API_RIG_H

#include <ctype.h>
#include <stdlib.h>
#include "api/server.h"
#include "api/json.h"
#include "net/sim.h"
#include "test/test.h"

struct talk {                                    /* one exchange and what came back */
    struct exchange x;
    struct arena arena;
    struct http_header headers[12];
    char *method, *target, *body_in;
    struct str user_name; const struct str *user_groups; size_t n_user_groups;
    struct exchange_user user;
    const char *accept, *type;
    bool started, answered, ended, aborted;
    unsigned answers;
    int status;
    char type_out[160];
    char extra[2048];                            /* "Name: value\n" ... */
    struct buf body;
    size_t queued;                               /* what the pipeline is told */
    struct rig *rig;
};

struct rig {
    struct sim *sim;
    struct sim_machine *m;
    struct disk *disk;
    struct store *store;
    struct api *api;
    struct api_opts opts;
    unsigned index, n_heads;                     /* of a group that shares the world */
    void (*on_leading)(void *rig, bool leader);  /* NULL: nobody wants to know */
    size_t queued;                               /* of the next exchanges: so much is never taken */
    /* of the next calls; NULL: defaults */
    struct str raw;                              /* the next bodies, bytes as they are; empty: the literal */
    const char *type, *accept, *if_none_match, *user, *group, *bearer, *as, *as_group, *as_uid, *as_extra[2];
};

static void talk_take(struct talk *t, const struct http_piece *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (p[i].blob != NULL) {
            buf_add(&t->body, p[i].blob->data + p[i].off, p[i].len);
            blob_unref(p[i].blob);
        }
}

static void talk_head(struct talk *t, int status, const char *type, const struct http_header *h, size_t n)
{
    size_t at = 0;

    t->answers++;
    t->status = status;
    snprintf(t->type_out, sizeof t->type_out, "%s", type != NULL ? type : "");
    for (size_t i = 0; i < n && at < sizeof t->extra; i++)
        at += (size_t)snprintf(t->extra + at, sizeof t->extra - at, "%.*s: %.*s\n", STR_ARG(h[i].name),
                               STR_ARG(h[i].value));
}

static void talk_respond(struct exchange *x, int status, const char *type, const struct http_piece *p,
                         size_t n,
                         const struct http_header *h, size_t nh)
{
    struct talk *t = container_of(x, struct talk, x);

    talk_head(t, status, type, h, nh);
    talk_take(t, p, n);
    t->answered = t->ended = true;
}

static void talk_begin(struct exchange *x, int status, const char *type, bool gzip,
                       const struct http_header *h, size_t nh)
{
    struct talk *t = container_of(x, struct talk, x);

    (void)gzip;
    talk_head(t, status, type, h, nh);
    t->answered = true;
}

static void talk_send(struct exchange *x, const struct http_piece *p,
                      size_t n) { talk_take(container_of(x, struct talk, x), p, n); }
static size_t talk_queued(struct exchange *x) { return container_of(x, struct talk, x)->queued; }
static void talk_end(struct exchange *x) { container_of(x, struct talk, x)->ended = true; }

static const struct exchange_ops talk_ops = {
    .respond = talk_respond, .begin = talk_begin, .send = talk_send, .queued = talk_queued, .end = talk_end,
};

static void talk_header(struct talk *t, const char *name, const char *value)
{
    if (value != NULL)
        t->headers[t->x.n_headers++] = (struct http_header){ str_of(name), str_of(value) };
}

/* Inside the machine. */
static void talk_start(void *arg)
{
    struct talk *t = arg;
    char        *q = strchr(t->target, '?');

    t->x.ops = &talk_ops;
    t->x.loop = sim_machine_loop(t->rig->m);
    t->x.arena = &t->arena;
    t->x.method = str_of(t->method);
    t->x.path = str_make(t->target, q != NULL ? (size_t)(q - t->target) : strlen(t->target));
    t->x.query = q != NULL ? str_of(q + 1) : STR_NONE;
    t->x.body = t->rig->raw.n > 0 ? t->rig->raw : str_of(t->body_in);
    t->x.headers = t->headers;
    t->x.peer_addr = "test";
    t->started = true;
    api_serve(t->rig->api, &t->x);
}

static struct talk *talk_open(struct rig *r, const char *method, const char *target, const char *body)
{
    static const struct str masters[] = { { "system:masters", 14 }, { "system:authenticated", 20 } };
    static struct str other[2];
    struct talk *t = calloc(1, sizeof *t);

    t->rig = r;
    t->queued = r->queued;
    t->method = strdup(method);
    t->target = strdup(target);
    t->body_in = strdup(body != NULL ? body : "");
    for (char *p = t->body_in; *p != '\0'; p++)
        if (*p == '\'')
            *p = '"';
    talk_header(t, "Content-Type", r->type);
    talk_header(t, "Accept", r->accept);
    talk_header(t, "If-None-Match", r->if_none_match);
    talk_header(t, "Authorization", r->bearer);
    talk_header(t, "Impersonate-User", r->as);
    talk_header(t, "Impersonate-Group", r->as_group);
    talk_header(t, "Impersonate-Uid", r->as_uid);
    talk_header(t, "Impersonate-Extra-Scopes", r->as_extra[0]);
    talk_header(t, "impersonate-extra-Example.com%2fTeam", r->as_extra[1]);
    if (r->bearer == NULL && (r->user == NULL || r->user[0] != '\0')) {
        t->user.name = str_of(r->user != NULL ? r->user : "admin");
        other[0] = str_of(r->group != NULL ? r->group : "nobody");
        other[1] = STR("system:authenticated");
        t->user.groups = r->user != NULL ? other : masters;
        t->user.n_groups = 2;
        t->x.user = &t->user;
    }
    sim_do(r->m, talk_start, t);
    return t;
}

static void talk_abort_in(void *arg)
{
    struct talk *t = arg;

    if (!t->ended && t->x.on_abort != NULL)
        t->x.on_abort(&t->x);
    arena_release(&t->arena);
    buf_release(&t->body);
}

static void talk_close(struct talk *t)
{
    sim_do(t->rig->m, talk_abort_in, t);
    free(t->method);
    free(t->target);
    free(t->body_in);
    free(t);
}

__attribute__((unused)) static void talk_drain_in(void *arg)
{
    struct talk *t = arg;

    if (!t->ended && t->x.on_drain != NULL)
        t->x.on_drain(&t->x);
}

/* ---- The head --------------------------------------------------------------------------------------- */

static void rig_run(struct rig *r, uint64_t ms) { sim_run_for(r->sim, ms * 1000000); }

static void rig_open_in(void *arg)
{
    struct rig *r = arg;
    static const struct raft_peer_opts peers[] =
        { { 1, "head1:2380" }, { 2, "head2:2380" }, { 3, "head3:2380" } };
    struct store_opts o = { .raft = { .loop = sim_machine_loop(r->m), .id = r->index + 1, .cluster = 7,
                                      .heads = peers,
                                      .n_heads = r->n_heads, .listen_addr = peers[r->index].addr } };
    struct errbuf err = { "" };

    must_ok(disk_open(o.raft.loop, "data", &r->disk, &err));
    o.raft.disk = r->disk;
    o.on_leading = r->on_leading;
    o.arg = r;
    must_ok(store_open(&o, &r->store, &err));
    r->opts.loop = o.raft.loop;
    r->opts.store = r->store;
    if (api_open(&r->opts, &r->api, &err) != 0)
        test_fail(__FILE__, __LINE__, "api_open: %s", err.s);
    api_bootstrap(r->api);
}

static void rig_start(struct rig *r, struct sim *sim, unsigned index, unsigned n_heads)
{
    char name[8];

    snprintf(name, sizeof name, "head%u", index + 1);
    r->sim = sim;
    r->index = index;
    r->n_heads = n_heads;
    r->m = sim_machine_new(sim, name);
    sim_do(r->m, rig_open_in, r);
}

__attribute__((unused)) static struct rig *rig_open_with(const struct api_opts *opts)
{
    struct rig *r = calloc(1, sizeof *r);

    if (opts != NULL)
        r->opts = *opts;
    rig_start(r, sim_new(1), 0, 1);
    rig_run(r, 2000);
    return r;
}

__attribute__((unused)) static struct rig *rig_open(void) { return rig_open_with(NULL); }

static void rig_on_store_closed(void *arg) { ((struct rig *)arg)->store = NULL; }

static void rig_on_api_closed(void *arg)
{
    struct rig *r = arg;

    r->api = NULL;
    store_close(r->store, rig_on_store_closed, r);
}

static void rig_close_in(void *arg) { api_close(((struct rig *)arg)->api, rig_on_api_closed, arg); }

__attribute__((unused)) static void rig_close(struct rig *r)
{
    sim_do(r->m, rig_close_in, r);
    rig_run(r, 5000);
    CHECK(r->api == NULL);
    CHECK(r->store == NULL);
    sim_free(r->sim);
    free(r);
}

/* ---- One call ---------------------------------------------------------------------------------------- */

struct answer {
    int status;
    struct str body;
    struct json *obj;
    struct arena arena;
    char type[160], extra[2048];
};

static void answer_free(struct answer *a) { arena_release(&a->arena); }

static struct answer call(struct rig *r, const char *method, const char *target, const char *body)
{
    struct answer     a = { .status = 0 };
    struct talk      *t = talk_open(r, method, target, body);
    struct json_error err;

    for (unsigned i = 0; i < 2000 && !t->ended; i++)
        rig_run(r, 5);
    if (!t->ended)
        test_fail(__FILE__, __LINE__, "%s %s: no answer", method, target);
    CHECK_INT(t->answers, 1);
    arena_init(&a.arena);
    a.status = t->status;
    a.body = arena_str(&a.arena, buf_str(&t->body));
    memcpy(a.type, t->type_out, sizeof a.type);
    memcpy(a.extra, t->extra, sizeof a.extra);
    if (json_parse(&a.arena, a.body, &a.obj, &err) < 0)
        a.obj = NULL;
    talk_close(t);
    return a;
}

/* The status, and shows the body when it is not what was wanted. */
#define CALL(r, want, method, target, in) \
    do { \
        struct answer a_ = call((r), (method), (target), (in)); \
        if (a_.status != (want)) \
            test_fail(__FILE__, __LINE__, "%s %s: %d, not %d: %.*s", (method), (target), a_.status, (want), \
                      STR_ARG(a_.body)); \
        answer_free(&a_); \
    } while (0)
#define CHECK_AT(a, path, want) CHECK_STR(json_path_str((a).obj, (path)), (want))

#endif
