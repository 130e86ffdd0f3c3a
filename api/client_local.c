/* api/client_local.c: the client inside a head: the same pipeline by function call.
 *
 * A request becomes an exchange whose answer is kept and delivered from the loop, so that no caller is
 * called back from inside its own call.  Watched objects are passed as the references the store holds:
 * nothing is copied or framed. */
#include "api/client_impl.h"
#include "api/exchange.h"
#include "api/server.h"

struct local {
    struct client client;
    struct api *api;
    struct exchange_user user;
    struct str *groups;
    char *name;
};

static struct local *local_of(struct client *c) { return container_of(c, struct local, client); }

/* The request half of an exchange; its texts live in the arena. */
static void fill_request(struct exchange *x, struct arena *a, struct local *l, const char *method,
                         struct str target)
{
    ptrdiff_t q = str_find(target, '?');

    x->loop = l->client.loop;
    x->arena = a;
    x->method = str_of(method);
    target = arena_str(a, target);
    x->path = q < 0 ? target : str_upto(target, (size_t)q);
    x->query = q < 0 ? STR_NONE : str_from(target, (size_t)q + 1);
    x->user = &l->user;
    x->peer_addr = "local";
}

static void add_pieces(struct buf *b, const struct http_piece *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (p[i].blob != NULL) {
            buf_add(b, p[i].blob->data + p[i].off, p[i].len);
            blob_unref(p[i].blob);
        }
}

/* ---- Calls ----------------------------------------------------------------------------------------- */

struct local_call {
    struct client_call call;
    struct exchange x;
    struct arena arena;
    struct http_header headers[1];
    struct blob *whole;                          /* the body, if it was one piece; else it is in `parts` */
    struct buf parts;
    struct ready_item ready;
    int  status;
    bool answered;
};

static void local_call_free(struct local_call *c)
{
    ready_cancel(&c->ready);
    blob_unref(c->whole);
    buf_release(&c->parts);
    arena_release(&c->arena);
    mem_free(c);
}

static void local_on_ready(struct ready_item *it)
{
    struct local_call *c = container_of(it, struct local_call, ready);

    client__deliver(&c->call, 0, NULL, c->status, c->whole != NULL ? blob_str(c->whole) : buf_str(&c->parts));
    local_call_free(c);
}

static void call_finish(struct local_call *c)
{
    c->answered = true;
    ready_post(c->x.loop, &c->ready);
}

static void call_respond(struct exchange *x, int status, const char *type, const struct http_piece *p,
                         size_t n, const struct http_header *extra, size_t n_extra)
{
    struct local_call *c = container_of(x, struct local_call, x);

    c->status = status;
    if (n == 1 && p[0].blob != NULL && p[0].off == 0 && p[0].len == p[0].blob->len)
        c->whole = p[0].blob;
    else
        add_pieces(&c->parts, p, n);
    call_finish(c);
}

static void call_begin(struct exchange *x, int status, const char *type, bool gzip,
                       const struct http_header *extra, size_t n)
{
    container_of(x, struct local_call, x)->status = status;
}

static void call_add(struct exchange *x, const struct http_piece *p, size_t n)
{
    add_pieces(&container_of(x, struct local_call, x)->parts, p, n);
}

static size_t call_queued(struct exchange *x) { return 0; }
static void call_end(struct exchange *x) { call_finish(container_of(x, struct local_call, x)); }

static const struct exchange_ops call_ops = {
    .respond = call_respond, .begin = call_begin, .send = call_add, .queued = call_queued, .end = call_end,
};

static struct client_call *local_send(struct client *cl, const struct client_wire *w)
{
    struct local *l = local_of(cl);
    struct local_call *c = mem_new(struct local_call);

    arena_init(&c->arena);
    ready_init(&c->ready, local_on_ready);
    fill_request(&c->x, &c->arena, l, w->method, w->target);
    c->x.ops = &call_ops;
    c->x.body = arena_str(&c->arena, w->body);
    if (w->content_type != NULL) {
        c->headers[0] = (struct http_header){ STR("Content-Type"), str_of(w->content_type) };
        c->x.headers = c->headers;
        c->x.n_headers = 1;
    }
    api_serve(l->api, &c->x);
    return &c->call;
}

static void local_cancel(struct client_call *call)
{
    struct local_call *c = container_of(call, struct local_call, call);

    if (!c->answered && c->x.on_abort != NULL)
        c->x.on_abort(&c->x);
    local_call_free(c);
}

/* ---- Watches --------------------------------------------------------------------------------------- */

struct local_event { struct blob *object; char type[12]; uint8_t type_len; };

struct local_watch {
    struct client_watch watch;
    struct exchange x;
    struct arena arena;
    struct ready_item ready;
    struct local_event *ev;                      /* waiting: [head, tail) of cap, which is a power of two */
    size_t head, tail, cap, bytes;
    struct buf refusal;
    int  status;
    bool ended, was_full;
};

static void local_watch_free(struct local_watch *w)
{
    ready_cancel(&w->ready);
    for (; w->head != w->tail; w->head++)
        blob_unref(w->ev[w->head & (w->cap - 1)].object);
    mem_free(w->ev);
    buf_release(&w->refusal);
    arena_release(&w->arena);
    mem_free(w);
}

static void watch_grow(struct local_watch *w)
{
    size_t cap = w->cap == 0 ? 16 : w->cap * 2, n = w->tail - w->head;
    struct local_event *ev = mem_alloc(cap * sizeof *ev);

    for (size_t i = 0; i < n; i++)
        ev[i] = w->ev[(w->head + i) & (w->cap - 1)];
    mem_free(w->ev);
    w->ev = ev;
    w->cap = cap;
    w->head = 0;
    w->tail = n;
}

static void watch_event(struct exchange *x, struct str type, struct blob *object)
{
    struct local_watch *w = container_of(x, struct local_watch, x);

    if (w->tail - w->head == w->cap)
        watch_grow(w);
    struct local_event *e = &w->ev[w->tail++ & (w->cap - 1)];
    e->object = blob_ref(object);
    e->type_len = (uint8_t)MIN_OF(type.n, sizeof e->type);
    memcpy(e->type, type.p, e->type_len);
    w->bytes += object->len;
    w->was_full |= w->bytes > STREAM_LOW_WATER;
    ready_post(x->loop, &w->ready);
}

static void local_watch_end(struct local_watch *w)
{
    struct str message = STR_NONE;
    int err = 0;

    if (w->status != 200) {
        err = client__status_error(buf_str(&w->refusal), &w->arena, &message);
        if (w->status == 410)
            err = E_STALE;
    }
    client__end(&w->watch, err, arena_cstr(&w->arena, message));
}

static void local_watch_on_ready(struct ready_item *it)
{
    struct local_watch *w = container_of(it, struct local_watch, ready);

    while (w->head != w->tail) {
        struct local_event e = w->ev[w->head++ & (w->cap - 1)];
        bool open;
        w->bytes -= e.object->len;
        if (str_is(str_make(e.type, e.type_len), "ERROR")) {
            struct str message;
            int err = client__status_error(blob_str(e.object), &w->arena, &message);
            client__end(&w->watch, err, arena_cstr(&w->arena, message));
            open = false;
        } else {
            open = client__event(&w->watch, str_make(e.type, e.type_len), e.object);
        }
        blob_unref(e.object);
        if (!open)
            return;
    }
    if (w->ended) {
        local_watch_end(w);
    } else if (w->was_full) {
        w->was_full = false;
        if (w->x.on_drain != NULL)
            w->x.on_drain(&w->x);
    }
}

static void watch_finish(struct local_watch *w)
{
    w->ended = true;
    ready_post(w->x.loop, &w->ready);
}

static void watch_respond(struct exchange *x, int status, const char *type, const struct http_piece *p,
                          size_t n, const struct http_header *extra, size_t n_extra)
{
    struct local_watch *w = container_of(x, struct local_watch, x);

    w->status = status;
    add_pieces(&w->refusal, p, n);
    watch_finish(w);
}

static void watch_begin(struct exchange *x, int status, const char *type, bool gzip,
                        const struct http_header *extra, size_t n)
{
    container_of(x, struct local_watch, x)->status = status;
}

/* Framed bytes: only a refusal's body can come this way, events have their own door. */
static void watch_send(struct exchange *x, const struct http_piece *p, size_t n)
{
    add_pieces(&container_of(x, struct local_watch, x)->refusal, p, n);
}

static size_t watch_queued(struct exchange *x) { return container_of(x, struct local_watch, x)->bytes; }
static void watch_end(struct exchange *x) { watch_finish(container_of(x, struct local_watch, x)); }

static const struct exchange_ops watch_ops = {
    .respond = watch_respond,
    .begin = watch_begin,
    .send = watch_send,
    .event = watch_event,
    .queued = watch_queued,
    .end = watch_end,
};

static struct client_watch *local_watch(struct client *cl, struct str target)
{
    struct local *l = local_of(cl);
    struct local_watch *w = mem_new(struct local_watch);

    arena_init(&w->arena);
    ready_init(&w->ready, local_watch_on_ready);
    fill_request(&w->x, &w->arena, l, "GET", target);
    w->x.ops = &watch_ops;
    api_serve(l->api, &w->x);
    return &w->watch;
}

static void local_watch_close(struct client_watch *watch)
{
    struct local_watch *w = container_of(watch, struct local_watch, watch);

    if (!w->ended && w->x.on_abort != NULL)
        w->x.on_abort(&w->x);
    local_watch_free(w);
}

/* ---- Life ------------------------------------------------------------------------------------------ */

static void local_free(struct client *c)
{
    struct local *l = local_of(c);

    mem_free(l->groups);
    mem_free(l->name);
    mem_free(l);
}

static const struct client_ops local_ops = {
    .send = local_send,
    .cancel = local_cancel,
    .watch = local_watch,
    .watch_close = local_watch_close,
    .free = local_free,
};

void client_lead(struct client *c, uint64_t term)
{
    must(c->ops == &local_ops);
    local_of(c)->user.lead_term = term;
}

struct client *client_new_local(struct api *api, struct loop *loop, const char *user,
                                const char *const *groups)
{
    struct local *l = mem_new(struct local);
    size_t n = 0;

    client__init(&l->client, &local_ops, loop);
    l->api = api;
    l->name = mem_strdup(user);
    while (groups[n] != NULL)
        n++;
    l->groups = mem_alloc((n + 1) * sizeof *l->groups);
    for (size_t i = 0; i < n; i++)
        l->groups[i] = str_of(groups[i]);        /* literals of the callers: they outlive the client */
    l->user = (struct exchange_user){ .name = str_of(l->name), .groups = l->groups, .n_groups = n };
    return &l->client;
}
