/* api/list.c: LIST: a pinned view, walked in bounded slices straight from the stored texts.
 *
 * A list with a limit is collected first (its continue token stands before the items); a page ends early
 * rather than grow beyond PAGE_BYTES_MAX.  A list without one is streamed as the client takes it: neither
 * its size nor a slow reader costs more than a slice and a pin. */
#include "api/answer.h"
#include "api/continue.h"
#include "api/filter.h"
#include "api/list_options.h"
#include "api/shape.h"
#include "api/content.h"

#define SLICE_BYTES     (128u << 10)             /* one buffer on its way to the client */
#define TURN_BYTES      (512u << 10)             /* made in one turn */
#define TURN_KEYS       2048                     /* looked at in one turn ... */
#define TURN_ROWS       256                      /* ... or turned into table rows, which costs more */
#define PAGE_BYTES_MAX  (16u << 20)
#define YAML_BYTES_MAX  (4u << 20)
#define REFERENCE_BYTES (32u << 10)              /* larger objects are not copied into slices */

struct list {
    struct filter filter;
    struct store_view *view;
    struct store_cursor cursor;
    struct str prefix, to;
    struct str from;
    struct buf last;                             /* key of the last item taken, for the token */
    struct shape_list form;
    bool measuring;                              /* a first walk, for how much a second one will send */
    uint64_t taken, rev;
    bool more;                                   /* ended at the limit with something left */
    struct blob *slice;                          /* being filled; len is what is in it */
    struct http_piece *piece; size_t n_piece, cap_piece;
    size_t bytes;
    struct buf row;                              /* one shaped item */
    struct ready_item again;
    struct call *call;
};

static void list_slice(struct call *c);

static struct list *list_of(struct call *c)
{
    return c->state;
}

static void list_cancel(struct call *c)
{
    struct list *l = list_of(c);

    ready_cancel(&l->again);
    if (l->view != NULL)
        store_unpin(l->view);
    l->slice = blob_unref(l->slice);
    for (size_t i = 0; i < l->n_piece; i++)
        blob_unref(l->piece[i].blob);
    mem_free(l->piece);
    buf_release(&l->last);
    buf_release(&l->row);
}

/* ---- Collecting ------------------------------------------------------------------------------------ */

static void add_piece(struct list *l, struct blob *b)
{
    if (l->n_piece == l->cap_piece) {
        l->cap_piece = l->cap_piece * 2 + 8;
        l->piece = mem_realloc(l->piece, l->cap_piece * sizeof(*l->piece));
    }
    l->piece[l->n_piece++] = (struct http_piece){ b, 0, b->len };
}

static void close_slice(struct list *l)
{
    if (l->slice == NULL)
        return;
    add_piece(l, l->slice);
    l->slice = NULL;
}

static void add_bytes(struct list *l, struct str s)
{
    if (l->slice != NULL && SLICE_BYTES - l->slice->len < s.n)
        close_slice(l);
    if (l->slice == NULL) {
        l->slice = blob_new(MAX_OF((size_t)SLICE_BYTES, s.n));
        l->slice->len = 0;
    }
    memcpy(l->slice->data + l->slice->len, s.p, s.n);
    l->slice->len += (uint32_t)s.n;
    l->bytes += s.n;
}

static void add_item(struct call *c, struct list *l, const struct store_kv *kv)
{
    struct str text = blob_str(kv->value);

    if (shape_is_plain(c, text) && !shape_list_sized(c)) {
        if (l->taken++ > 0)
            add_bytes(l, STR(","));
        if (text.n < REFERENCE_BYTES) {
            add_bytes(l, text);
            return;
        }
        close_slice(l);
        add_piece(l, blob_ref(kv->value));
        l->bytes += text.n;
        return;
    }
    buf_clear(&l->row);
    shape_list_item(&l->row, c, text, l->taken++ == 0);
    if (l->measuring)
        l->bytes += l->row.n;
    else
        add_bytes(l, buf_str(&l->row));
}

/* ---- Answering ------------------------------------------------------------------------------------- */

static void metadata(struct buf *b, struct call *c, struct list *l)
{
    buf_fmt(b, "\"resourceVersion\":\"%llu\"", (unsigned long long)l->rev);
    if (!l->more)
        return;
    buf_z(b, ",\"continue\":\"");
    continue_write(b, l->rev, str_from(buf_str(&l->last), l->prefix.n));
    buf_char(b, '"');
    if (l->filter.any) {
        struct str next = arena_fmt(c->arena, "%.*s%c", (int)l->last.n, l->last.p, 0);

        next.n = l->last.n + 1;
        buf_fmt(b, ",\"remainingItemCount\":%llu", (unsigned long long)store_count(l->view, next, l->to));
    }
}

static struct blob *head_blob(struct call *c, struct list *l)
{
    struct buf   b = BUF_INIT;
    struct blob *head;

    metadata(&b, c, l);
    l->form.metadata = arena_str(c->arena, buf_str(&b));
    buf_clear(&b);
    shape_list_open(&b, c, &l->form);
    head = buf_to_blob(&b);
    buf_release(&b);
    return head;
}

/* NULL: nothing comes behind the items. */
static struct blob *tail_blob(struct call *c, struct list *l)
{
    struct buf   b = BUF_INIT;
    struct blob *tail = NULL;

    shape_list_close(&b, c, &l->form);
    if (b.n > 0)
        tail = buf_to_blob(&b);
    buf_release(&b);
    return tail;
}

static void add_tail(struct call *c, struct list *l)
{
    struct blob *tail = tail_blob(c, l);

    close_slice(l);
    if (tail != NULL)
        add_piece(l, tail);
}

/* For people: YAML, or JSON with line breaks. */
static void respond_laid_out(struct call *c, struct list *l, struct blob *head)
{
    struct buf        b = BUF_INIT, out = BUF_INIT;
    struct json_error why;
    struct json      *doc;
    struct blob      *body;

    buf_str_add(&b, blob_str(head));
    blob_unref(head);
    for (size_t i = 0; i < l->n_piece; i++)
        buf_str_add(&b, blob_str(l->piece[i].blob));
    buf_z(&b, "]}");
    if (json_parse(c->arena, buf_str(&b), &doc, &why) == 0)
        content_write(&out, &c->out, doc);
    body = buf_to_blob(&out);
    buf_release(&out);
    buf_release(&b);
    call_respond(c, 200, accept_content_type(&c->out), body);
}

static void respond_whole(struct call *c, struct list *l)
{
    struct http_piece *all;
    struct blob       *head, *tail;
    size_t             n = 0;

    l->form.items = l->taken;
    l->form.bytes = l->bytes;
    head = head_blob(c, l);
    close_slice(l);
    if ((c->out.format == OUT_YAML || c->out.pretty) && !shape_list_sized(c) && l->bytes <= YAML_BYTES_MAX) {
        respond_laid_out(c, l, head);
        return;
    }
    all = arena_alloc(c->arena, (l->n_piece + 2) * sizeof(*all));
    all[n++] = (struct http_piece){ head, 0, head->len };
    if (l->n_piece > 0)
        memcpy(all + n, l->piece, l->n_piece * sizeof(*all));
    n += l->n_piece;
    l->n_piece = 0;                              /* their references go with the answer */
    if ((tail = tail_blob(c, l)) != NULL)
        all[n++] = (struct http_piece){ tail, 0, tail->len };
    call_respond_pieces(c, 200, accept_content_type(&c->out), all, n);
}

/* What is there goes out.  False: the client is behind, `drain` will come. */
static bool flush(struct call *c, struct list *l)
{
    close_slice(l);
    if (l->n_piece > 0)
        c->x->ops->send(c->x, l->piece, l->n_piece);
    l->n_piece = 0;
    l->bytes = 0;
    return c->x->ops->queued(c->x) <= STREAM_LOW_WATER;
}

/* ---- Walking --------------------------------------------------------------------------------------- */

static bool page_full(struct call *c, const struct list *l)
{
    return c->rq.opt.limit > 0 && (l->taken >= c->rq.opt.limit || l->bytes >= PAGE_BYTES_MAX);
}

static void remember_key(struct list *l, struct str key)
{
    buf_clear(&l->last);
    buf_str_add(&l->last, key);
}

/* Take items until a bound of this turn; true: the end (of the list or of the page). */
static bool walk(struct call *c, struct list *l)
{
    bool            costly = c->out.shape == OUT_TABLE || c->info->base != c->res || shape_list_sized(c);
    unsigned        budget = costly ? TURN_ROWS : TURN_KEYS;
    size_t          start = l->bytes;
    struct store_kv kv;

    while (budget-- > 0 && l->bytes - start < TURN_BYTES) {
        if (!store_next(&l->cursor, &kv))
            return true;
        if (!filter_matches(&l->filter, blob_str(kv.value)))
            continue;
        if (page_full(c, l)) {
            l->more = true;
            return true;
        }
        add_item(c, l, &kv);
        if (c->rq.opt.limit > 0)
            remember_key(l, kv.key);
    }
    return false;
}

/* How much there is is known now: the same walk again, this time to send it. */
static void measured(struct call *c, struct list *l)
{
    l->measuring = false;
    l->form.items = l->taken;
    l->form.bytes = l->bytes;
    l->taken = l->bytes = 0;
    store_seek(&l->cursor, l->view, l->from, l->to);
    ready_post(c->api->loop, &l->again);
}

static void list_slice(struct call *c)
{
    struct list *l = list_of(c);
    bool         end = walk(c, l);

    if (l->measuring && end) {
        measured(c, l);
        return;
    }
    if (l->measuring) {
        ready_post(c->api->loop, &l->again);
        return;
    }
    if (!c->began && (c->rq.opt.limit > 0 || c->out.format == OUT_YAML) && !end) {
        if (c->out.format == OUT_YAML && l->bytes > YAML_BYTES_MAX) {
            call_fail(c, 406, REASON_NOT_ACCEPTABLE,
                      "this list is too long for YAML: ask for application/json, or use limit");
            return;
        }
        ready_post(c->api->loop, &l->again);     /* still collecting */
        return;
    }
    if (!c->began && end) {
        respond_whole(c, l);
        return;
    }
    if (!c->began) {
        call_begin(c, 200, accept_content_type(&c->out), true);
        call_send_blob(c, head_blob(c, l));
    }
    if (!end && flush(c, l)) {
        ready_post(c->api->loop, &l->again);
        return;
    }
    if (end) {
        add_tail(c, l);
        flush(c, l);
        call_end(c);
    }
}

static void list_again(struct ready_item *it)
{
    list_slice(container_of(it, struct list, again)->call);
}

static void list_drain(struct call *c)
{
    if (c->began)
        ready_post(c->api->loop, &list_of(c)->again);
}

/* ---- Opening --------------------------------------------------------------------------------------- */

static void list_start(struct call *c, struct store_view *view, struct str after)
{
    struct list *l = list_of(c);
    struct str   from;

    l->view = view;
    l->rev = store_view_revision(view);
    c->cancel = list_cancel;
    c->drain = list_drain;
    l->prefix = c->info->prefix;
    if (c->res->namespaced && l->filter.ns.n > 0)
        l->prefix = call_prefix(c, l->filter.ns);
    from = l->prefix;
    l->to = store_prefix_end(c->arena, l->prefix);
    if (l->filter.name.n > 0 && (!c->res->namespaced || l->filter.ns.n > 0)) {
        from = call_key(c, c->info->base, l->filter.ns, l->filter.name);
        l->to = arena_str(c->arena, str_make(from.p, from.n));
        l->to.n++;                               /* arena strings end in NUL: the key behind this one */
    }
    if (after.n > 0) {
        from = arena_fmt(c->arena, "%.*s%.*s", STR_ARG(l->prefix), STR_ARG(after));
        from.n++;
    }
    l->from = from;
    l->measuring = shape_list_sized(c) && c->rq.opt.limit == 0;
    store_seek(&l->cursor, view, from, l->to);
    list_slice(c);
}

static void list_now(struct call *c)
{
    list_start(c, store_pin(c->api->store), STR_NONE);
}

static void expired(struct call *c, struct str token, const char *text)
{
    struct status s = { .code = 410, .reason = REASON_EXPIRED, .continue_ = token, .message = str_of(text) };

    call_respond_status(c, &s);
}

static void list_at(struct call *c)
{
    struct store_view *v;

    if (store_pin_at(c->api->store, c->rq.opt.rv, &v) == 0)
        list_start(c, v, STR_NONE);
    else
        expired(c, STR_NONE, "The resourceVersion for the provided list is too old.");
}

static void list_exact(struct call *c)
{
    call_when_near(c, c->rq.opt.rv, list_at);
}

static void list_continue_near(struct call *c)
{
    struct store_view *v;
    struct buf         b = BUF_INIT;
    struct str         after = STR_NONE, token;
    uint64_t           rev = 0;

    if (!continue_parse(c->arena, c->rq.opt.continue_, &rev, &after)) {
        call_bad_request(c, "continue key is not valid");
        return;
    }
    if (rev == 0) {
        list_start(c, store_pin(c->api->store), after);
        return;
    }
    if (store_pin_at(c->api->store, rev, &v) == 0) {
        list_start(c, v, after);
        return;
    }
    continue_write(&b, 0, after);
    token = arena_str(c->arena, buf_str(&b));
    buf_release(&b);
    expired(c, token, "The provided continue parameter is too old to display a consistent list result. You "
                      "can start a new list "
            "without the continue parameter, or use the continue token in this response to retrieve the "
            "remainder of the results. "
            "Continuing with the provided token results in an inconsistent list - objects that were created, "
            "modified, or deleted "
            "between the time the first chunk was returned and now may show up in the list.");
}

static void list_continue(struct call *c)
{
    struct str after = STR_NONE;
    uint64_t   rev = 0;

    if (continue_parse(c->arena, c->rq.opt.continue_, &rev, &after) && rev > 0)
        call_when_near(c, rev, list_continue_near);
    else
        list_continue_near(c);
}

void call_list(struct call *c)
{
    const struct request_options *o = &c->rq.opt;
    struct list *l;
    bool         exact;

    if (!list_options_check(c, false))
        return;
    l = arena_new(c->arena, struct list);
    l->call = c;
    ready_init(&l->again, list_again);
    if (!filter_parse(c, &l->filter))
        return;
    c->state = l;
    exact = str_is(o->resource_version_match, "Exact") ||
        (o->limit > 0 && o->rv > 0 && o->resource_version_match.n == 0);
    if (o->continue_.n > 0)
        call_when_fresh(c, list_continue);
    else if (!o->has_rv)
        call_when_fresh(c, list_now);
    else if (o->rv == 0)
        list_now(c);
    else
        call_when_revision(c, o->rv, exact ? list_exact : list_now);
}
