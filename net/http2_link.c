/* net/http2_link.c: see net/http2_link.h. */
#include "net/http2_link.h"
#include "net/stream_impl.h"

/* ---- what peers may do for nothing -------------------------------------------------------------- */

void link_calm(struct h2_link *k, const char *why)
{
    link_goaway(k, NGHTTP2_ENHANCE_YOUR_CALM, why);
}

static void link_nuisance(struct h2_link *k)
{
    uint64_t now = loop_now_ns(k->loop), back = (now - k->refilled_ns) / (1000000000 / LINK_NUISANCES_PS);

    if (back > 0) {
        k->nuisances = (unsigned)MIN_OF(k->nuisances + back, (uint64_t)LINK_NUISANCES);
        k->refilled_ns = now;
    }
    if (k->nuisances == 0)
        link_calm(k, "too many frames that ask for nothing");
    else
        k->nuisances--;
}

static void link_pinged(struct h2_link *k)
{
    uint64_t now = loop_now_ns(k->loop);

    if (k->pinged_ns != 0 && now - k->pinged_ns < k->ping_min_ns && ++k->pings > LINK_PINGS)
        link_calm(k, "too_many_pings");          /* the words that gRPC's clients look for */
    k->pinged_ns = now;
}

static int ng_on_begin_frame(nghttp2_session *ng, const nghttp2_frame_hd *hd, void *arg)
{
    struct h2_link *k = arg;

    switch (hd->type) {
    case NGHTTP2_DATA:
        if (hd->length == 0 && (hd->flags & NGHTTP2_FLAG_END_STREAM) == 0)
            link_nuisance(k);
        break;
    case NGHTTP2_HEADERS:
    case NGHTTP2_CONTINUATION:                   /* in a block: see k->block */
    case NGHTTP2_WINDOW_UPDATE:
    case NGHTTP2_GOAWAY:
        break;
    case NGHTTP2_PING:
        if ((hd->flags & NGHTTP2_FLAG_ACK) == 0)
            link_pinged(k);
        break;
    default:
        if ((hd->flags & NGHTTP2_FLAG_ACK) == 0 || hd->type != NGHTTP2_SETTINGS)
            link_nuisance(k);
        break;
    }
    return 0;
}

/* ---- in ----------------------------------------------------------------------------------------- */

static struct h2_chan *link_chan(struct h2_link *k, int32_t id)
{
    return id != 0 ? nghttp2_session_get_stream_user_data(k->ng, id) : NULL;
}

static int ng_on_begin_headers(nghttp2_session *ng, const nghttp2_frame *frame, void *arg)
{
    struct h2_link *k = arg;
    int32_t id = frame->hd.stream_id;
    struct h2_chan *ch = link_chan(k, id);

    k->in_block = true;
    k->block = 0;
    if (ch == NULL && k->server && frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
        ch = k->ending ? NULL : k->ev->on_begin(k, NULL);
        if (ch == NULL) {
            nghttp2_submit_rst_stream(ng, 0, id, NGHTTP2_REFUSED_STREAM);
            link_nuisance(k);
        } else {
            chan_init(ch, k, id);
            nghttp2_session_set_stream_user_data(ng, id, ch);
        }
    } else if (ch != NULL && !ch->closed) {
        ch->headers = 0;
        k->ev->on_begin(k, ch);
    }
    k->heading = ch;
    return 0;
}

static int ng_on_header(nghttp2_session *ng, const nghttp2_frame *frame, const uint8_t *name, size_t n_name,
                        const uint8_t *value, size_t n_value, uint8_t flags, void *arg)
{
    struct h2_link *k = arg;
    struct h2_chan *ch = k->heading;

    if (ch == NULL || ch->closed)
        return 0;
    ch->headers += n_name + n_value + 32;
    if (ch->headers > LINK_HEADERS_MAX)
        ch->refused = true;
    else
        k->ev->on_header(ch, str_make((const char *)name, n_name), str_make((const char *)value, n_value));
    return 0;
}

static int ng_on_invalid_header(nghttp2_session *ng, const nghttp2_frame *frame, const uint8_t *name,
                                size_t n_name, const uint8_t *value, size_t n_value, uint8_t flags, void *arg)
{
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;          /* the stream is reset */
}

static void chan_end_in(struct h2_chan *ch)
{
    ch->peer_done = true;
    if (ch->paused || ch->held.n > 0)
        ch->end_due = true;
    else
        ch->link->ev->on_end(ch);
}

static int ng_on_frame_recv(nghttp2_session *ng, const nghttp2_frame *frame, void *arg)
{
    struct h2_link *k = arg;
    bool end = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    struct h2_chan *ch;

    switch (frame->hd.type) {
    case NGHTTP2_HEADERS:
        k->in_block = false;
        k->heading = NULL;
        ch = link_chan(k, frame->hd.stream_id);
        if (ch != NULL && !ch->closed)
            k->ev->on_head(ch, end);
        break;
    case NGHTTP2_DATA:
        ch = link_chan(k, frame->hd.stream_id);
        break;
    case NGHTTP2_PING:
        if (frame->hd.flags & NGHTTP2_FLAG_ACK)
            k->ping_out = false;
        return 0;
    case NGHTTP2_RST_STREAM:
        link_nuisance(k);
        return 0;
    case NGHTTP2_GOAWAY:
        k->goaway_seen = true;
        if (k->ev->on_goaway != NULL)
            k->ev->on_goaway(k);
        return 0;
    default:
        return 0;
    }
    if (end && ch != NULL && !ch->closed)
        chan_end_in(ch);
    return 0;
}

static int ng_on_data(nghttp2_session *ng, uint8_t flags, int32_t id, const uint8_t *p, size_t n, void *arg)
{
    struct h2_link *k = arg;
    struct h2_chan *ch = link_chan(k, id);

    if (ch != NULL && !ch->closed && (ch->paused || ch->held.n > 0)) {
        buf_add(&ch->held, p, n);                /* not consumed: the window closes behind it */
        return 0;
    }
    if (ch != NULL && !ch->closed)
        k->ev->on_data(ch, str_make((const char *)p, n));
    nghttp2_session_consume(ng, id, n);
    return 0;
}

/* The chan's last.  What it kept from its owner is let go of, or the connection's window would shrink with it. */
static void chan_closed(struct h2_chan *ch)
{
    struct h2_link *k = ch->link;

    if (ch->held.n > 0 && k->ng != NULL && k->s != NULL) {
        nghttp2_session_consume_connection(k->ng, ch->held.n);
        link_arm(k);
    }
    k->ev->on_closed(ch, ch->code);
}

static void chan_on_again(struct ready_item *it)
{
    struct h2_chan *ch = container_of(it, struct h2_chan, again);
    struct h2_link *k = ch->link;
    struct buf data = ch->held;

    if (ch->paused || (ch->closed && !ch->lingers))
        return;
    ch->held = BUF_INIT;
    if (data.n > 0 && k->ng != NULL) {
        nghttp2_session_consume(k->ng, ch->id, data.n);
        link_arm(k);
    }
    if (data.n > 0)
        k->ev->on_data(ch, buf_str(&data));      /* may pause again, end or reset it; on_closed comes later */
    buf_release(&data);
    if (ch->paused || ch->held.n > 0)
        return;
    if (ch->end_due) {
        ch->end_due = false;
        k->ev->on_end(ch);
    }
    if (ch->lingers)
        chan_closed(ch);
}

void chan_pause(struct h2_chan *ch, bool paused)
{
    ch->paused = paused;
    if (!paused && (!ch->closed || ch->lingers) && (ch->held.n > 0 || ch->end_due || ch->lingers))
        ready_post(ch->link->loop, &ch->again);
}

/* ---- out ---------------------------------------------------------------------------------------- */

static struct http_piece *chan_piece(struct h2_chan *ch, unsigned i)
{
    return &ch->piece[(ch->first + i) & (ch->cap - 1)];
}

static void chan_push(struct h2_chan *ch, struct http_piece p)
{
    if (ch->n == ch->cap) {
        unsigned cap = MAX_OF(2 * ch->cap, (unsigned)ARRAY_LEN(ch->few));
        struct http_piece *grown = ch->cap == 0 ? ch->few : mem_alloc(cap * sizeof *grown);
        for (unsigned i = 0; i < ch->n; i++)
            grown[i] = *chan_piece(ch, i);
        if (ch->piece != ch->few)
            mem_free(ch->piece);
        ch->piece = grown;
        ch->first = 0;
        ch->cap = cap;
    }
    ch->n++;
    *chan_piece(ch, ch->n - 1) = p;
    ch->link->n_unsent += ch->queued == 0;
    ch->queued += p.len;
}

static void chan_pop(struct h2_chan *ch)
{
    must(ch->n > 0);
    ch->first = (ch->first + 1) & (ch->cap - 1);
    ch->n--;
}

/* How much of this chan goes into its next frame.  The bytes stay: ng_send_data() takes them. */
static ssize_t ng_read(nghttp2_session *ng, int32_t id, uint8_t *room, size_t length, uint32_t *flags,
                       nghttp2_data_source *source, void *arg)
{
    struct h2_chan *ch = source->ptr;
    size_t n = MIN_OF(ch->queued, length);

    if (n == 0 && !ch->ended) {
        ch->deferred = true;
        return NGHTTP2_ERR_DEFERRED;
    }
    *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    if (ch->ended && n == ch->queued) {
        *flags |= NGHTTP2_DATA_FLAG_EOF;
        if (ch->n_trailer > 0) {
            *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
            nghttp2_submit_trailer(ng, id, ch->trailer, ch->n_trailer);
            ch->n_trailer = 0;
        }
    }
    return (ssize_t)n;
}

static void chan_took(struct h2_chan *ch, size_t n)
{
    ch->queued -= n;
    ch->taken += n;
    ch->link->n_unsent -= n > 0 && ch->queued == 0;
    if (ch->above && ch->queued <= STREAM_LOW_WATER && !qlinked(&ch->owed))
        qpush(&ch->link->owed, &ch->owed);
}

static int ng_send_data(nghttp2_session *ng, nghttp2_frame *frame, const uint8_t *head, size_t length,
                        nghttp2_data_source *source, void *arg)
{
    struct h2_link *k = arg;
    struct h2_chan *ch = source->ptr;

    if (stream_queued(k->s) >= LINK_OUT_MAX)
        return NGHTTP2_ERR_WOULDBLOCK;
    must(length <= ch->queued && frame->data.padlen == 0);
    stream_write(k->s, head, 9);
    k->written += 9 + length;
    for (size_t left = length; left > 0; ) {
        struct http_piece *p = chan_piece(ch, 0);
        uint32_t take = (uint32_t)MIN_OF((size_t)p->len, left);
        bool all = take == p->len;
        stream_write_blob(k->s, all ? p->blob : blob_ref(p->blob), p->off, take);
        p->off += take;
        p->len -= take;
        left -= take;
        if (all)
            chan_pop(ch);
    }
    chan_took(ch, length);
    return 0;
}

static int ng_on_frame_send(nghttp2_session *ng, const nghttp2_frame *frame, void *arg)
{
    struct h2_link *k = arg;
    struct h2_chan *ch;
    uint32_t code;

    switch (frame->hd.type) {
    case NGHTTP2_HEADERS:
    case NGHTTP2_DATA:
        k->pings = 0;                            /* who gets answers may measure the way */
        break;
    case NGHTTP2_RST_STREAM:
        code = frame->rst_stream.error_code;
        if (code == NGHTTP2_PROTOCOL_ERROR || code == NGHTTP2_STREAM_CLOSED ||
            code == NGHTTP2_FLOW_CONTROL_ERROR)
            link_nuisance(k);                    /* it made us reset */
        return 0;
    default:
        return 0;
    }
    if ((ch = link_chan(k, frame->hd.stream_id)) == NULL)
        return 0;
    ch->head_sent = true;
    if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) == 0)
        return 0;
    ch->end_sent = true;
    if (k->server && !ch->peer_done && !ch->closed)        /* RFC 9113 8.1: no need to send us the rest */
        nghttp2_submit_rst_stream(ng, 0, ch->id, NGHTTP2_NO_ERROR);
    return 0;
}

static int ng_on_stream_close(nghttp2_session *ng, int32_t id, uint32_t code, void *arg)
{
    struct h2_link *k = arg;
    struct h2_chan *ch = link_chan(k, id);

    if (ch == NULL || ch->closed)
        return 0;
    if (code == NGHTTP2_NO_ERROR && k->nuisances < LINK_NUISANCES)
        k->nuisances++;                          /* an answer taken in full pays for one nuisance */
    ch->closed = true;
    ch->code = k->server || ch->head_sent ? code : NGHTTP2_REFUSED_STREAM;
    k->n_unsent -= ch->queued > 0;
    if (k->heading == ch)
        k->heading = NULL;
    if (!qlinked(&ch->owed))
        qpush(&k->owed, &ch->owed);
    return 0;
}

void chan_init(struct h2_chan *ch, struct h2_link *k, int32_t id)
{
    memset(ch, 0, sizeof *ch);
    ch->link = k;
    ch->id = id;
    qinit(&ch->at);
    qinit(&ch->owed);
    ready_init(&ch->again, chan_on_again);
    qpush(&k->chans, &ch->at);
    k->n_chans++;
}

void chan_release(struct h2_chan *ch)
{
    must(ch->closed && !qlinked(&ch->at));
    qdel(&ch->owed);
    ready_cancel(&ch->again);
    while (ch->n > 0) {
        blob_unref(chan_piece(ch, 0)->blob);
        chan_pop(ch);
    }
    ch->queued = 0;
    if (ch->piece != ch->few)
        mem_free(ch->piece);
    if (ch->trailer != NULL)
        h2_pool_free(ch->link->pool, ch->trailer);
    buf_release(&ch->held);
    ch->piece = NULL;
    ch->trailer = NULL;
    ch->cap = 0;
}

void chan_head(struct h2_chan *ch, const nghttp2_nv *nv, size_t n, bool body)
{
    nghttp2_data_provider from = { .source.ptr = ch, .read_callback = ng_read };

    if (ch->closed)
        return;
    must(!ch->begun);
    ch->begun = true;
    ch->ended = !body;
    nghttp2_submit_response(ch->link->ng, ch->id, nv, n, body ? &from : NULL);
    link_arm(ch->link);
}

int chan_request(struct h2_chan *ch, const nghttp2_nv *nv, size_t n, bool body)
{
    nghttp2_data_provider from = { .source.ptr = ch, .read_callback = ng_read };

    must(!ch->begun && ch->id == 0);
    ch->begun = true;
    ch->ended = !body;
    ch->id = nghttp2_submit_request(ch->link->ng, NULL, nv, n, body ? &from : NULL, ch);
    link_arm(ch->link);
    return ch->id;
}

void chan_fail(struct h2_chan *ch)
{
    must(ch->id <= 0);
    ch->closed = true;
    ch->code = NGHTTP2_REFUSED_STREAM;
    qpush(&ch->link->owed, &ch->owed);
    link_arm(ch->link);
}

static void chan_ready(struct h2_chan *ch)
{
    if (ch->deferred) {
        ch->deferred = false;
        nghttp2_session_resume_data(ch->link->ng, ch->id);
    }
    link_arm(ch->link);
}

void chan_send(struct h2_chan *ch, struct blob *b, size_t off, size_t len)
{
    if (ch->closed || len == 0) {
        blob_unref(b);
        return;
    }
    must(ch->begun && !ch->ended);
    chan_push(ch, (struct http_piece){ b, (uint32_t)off, (uint32_t)len });
    ch->above |= ch->queued > STREAM_LOW_WATER;
    chan_ready(ch);
}

void chan_end(struct h2_chan *ch, const nghttp2_nv *trailer, size_t n)
{
    if (ch->closed)
        return;
    must(ch->begun && !ch->ended);
    ch->ended = true;
    if (n > 0) {                                 /* one block: the list, then its strings */
        size_t bytes = n * sizeof *trailer;
        for (size_t i = 0; i < n; i++)
            bytes += trailer[i].namelen + trailer[i].valuelen;
        ch->trailer = h2_pool_alloc(ch->link->pool, bytes);
        ch->n_trailer = n;
        uint8_t *at = (uint8_t *)(ch->trailer + n);
        for (size_t i = 0; i < n; i++) {
            ch->trailer[i] = trailer[i];
            ch->trailer[i].name = memcpy(at, trailer[i].name, trailer[i].namelen);
            at += trailer[i].namelen;
            ch->trailer[i].value = memcpy(at, trailer[i].value, trailer[i].valuelen);
            at += trailer[i].valuelen;
        }
    }
    chan_ready(ch);
}

void chan_reset(struct h2_chan *ch, uint32_t code)
{
    if (ch->closed)
        return;
    nghttp2_submit_rst_stream(ch->link->ng, 0, ch->id, code);
    link_arm(ch->link);
}

/* ---- the link ----------------------------------------------------------------------------------- */

/* What nghttp2 told while it was at work. */
static void link_settle(struct h2_link *k)
{
    while (!qempty(&k->owed)) {
        struct h2_chan *ch = qentry(qpop(&k->owed), struct h2_chan, owed);
        if (ch->closed) {
            qdel(&ch->at);
            k->n_chans--;
            ch->lingers = ch->code == NGHTTP2_NO_ERROR && (ch->held.n > 0 || ch->end_due);
            if (ch->lingers && !ch->paused)
                ready_post(k->loop, &ch->again);
            else if (!ch->lingers)
                chan_closed(ch);
        } else if (ch->above && ch->queued <= STREAM_LOW_WATER) {
            ch->above = false;
            k->ev->on_room(ch);
        }
    }
    k->ev->on_settled(k);
}

static void link_write(struct h2_link *k, const uint8_t *p, size_t n)
{
    stream_write(k->s, p, n);
    k->written += n;
}

static void link_on_pump(struct turn_hook *h)
{
    struct h2_link *k = container_of(h, struct h2_link, pump);
    const uint8_t *p;
    ssize_t n = 0;

    if (k->s->state == STREAM_CLOSED)
        return;                                  /* link_on_close() is on its way */
    while (stream_queued(k->s) < LINK_OUT_MAX && (n = nghttp2_session_mem_send(k->ng, &p)) > 0)
        link_write(k, p, (size_t)n);
    if (n < 0)
        stream_close(k->s);
    else if (k->ending || (!nghttp2_session_want_read(k->ng) && !nghttp2_session_want_write(k->ng)))
        stream_close_after_flush(k->s);
    link_settle(k);
    turn_cancel(&k->s->flush);                   /* all of the turn leaves now, not in another one */
    stream__flush(k->s);
}

void link_arm(struct h2_link *k)
{
    if (k->s != NULL)
        turn_arm(k->loop, TURN_FLUSH, &k->pump);
}

void link_feed(struct h2_link *k, struct str bytes)
{
    if (k->ending || k->s == NULL)
        return;
    k->rx_ns = loop_now_ns(k->loop);
    ssize_t rc = nghttp2_session_mem_recv(k->ng, (const uint8_t *)bytes.p, bytes.n);
    if (k->in_block && (k->block += bytes.n) > LINK_BLOCK_MAX)
        link_calm(k, "a header block without end");
    if (rc < 0) {
        k->ending = true;
        stream_close(k->s);
    } else if (nghttp2_session_want_write(k->ng) || !nghttp2_session_want_read(k->ng)) {
        link_arm(k);
    }
    link_settle(k);
}

static void link_on_data(void *arg, struct stream *s, const char *p, size_t n)
{
    link_feed(arg, str_make(p, n));
}

/* Room in the stream's queue again. */
static void link_on_drain(void *arg, struct stream *s)
{
    link_arm(arg);
}

static void link_on_eof(void *arg, struct stream *s)
{
    link_close(arg);
}

static void link_on_close(void *arg, struct stream *s, int err, const char *reason)
{
    struct h2_link *k = arg;

    k->s = NULL;
    k->ending = true;
    turn_cancel(&k->pump);
    qeach(&k->chans, it, tmp) {
        struct h2_chan *ch = qentry(it, struct h2_chan, at);
        if (!ch->closed)
            ch->code = k->server || ch->head_sent ? NGHTTP2_CANCEL : NGHTTP2_REFUSED_STREAM;
        ch->closed = true;                       /* nobody counts n_unsent of a broken link */
        if (!qlinked(&ch->owed))
            qpush(&k->owed, &ch->owed);
    }
    link_settle(k);
    k->ev->on_dead(k, err, reason);
}

static const struct stream_events link_stream_events = {
    .on_data = link_on_data, .on_eof = link_on_eof, .on_drain = link_on_drain, .on_close = link_on_close,
};

static nghttp2_session *link_session(struct h2_link *k, struct h2_pool *pool)
{
    nghttp2_mem mem = h2_pool_mem(pool);
    nghttp2_session_callbacks *cb;
    nghttp2_option *o;
    nghttp2_session *ng;

    must(nghttp2_session_callbacks_new(&cb) == 0 && nghttp2_option_new(&o) == 0);
    nghttp2_session_callbacks_set_on_begin_frame_callback(cb, ng_on_begin_frame);
    nghttp2_session_callbacks_set_on_begin_headers_callback(cb, ng_on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(cb, ng_on_header);
    nghttp2_session_callbacks_set_on_invalid_header_callback(cb, ng_on_invalid_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(cb, ng_on_frame_recv);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, ng_on_data);
    nghttp2_session_callbacks_set_send_data_callback(cb, ng_send_data);
    nghttp2_session_callbacks_set_on_frame_send_callback(cb, ng_on_frame_send);
    nghttp2_session_callbacks_set_on_stream_close_callback(cb, ng_on_stream_close);
    nghttp2_option_set_no_auto_window_update(o, 1);
    nghttp2_option_set_no_closed_streams(o, 1);
    /* Ours runs on the loop's clock. */
    nghttp2_option_set_stream_reset_rate_limit(o, UINT64_MAX, UINT64_MAX);
    must((k->server ? nghttp2_session_server_new3 : nghttp2_session_client_new3)(&ng, cb, k, o, &mem) == 0);
    nghttp2_option_del(o);
    nghttp2_session_callbacks_del(cb);
    return ng;
}

void link_open(struct h2_link *k, struct stream *s, const struct h2_link_opts *o, const struct h2_events *ev)
{
    nghttp2_settings_entry set[] = {
        { NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, HTTP2_WINDOW },
        { NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, LINK_HEADERS_MAX },
        o->server ? (nghttp2_settings_entry){ NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, o->max_streams }
                  : (nghttp2_settings_entry){ NGHTTP2_SETTINGS_ENABLE_PUSH, 0 },
    };

    memset(k, 0, sizeof *k);
    k->ev = ev;
    k->s = s;
    k->loop = stream_loop(s);
    k->server = o->server;
    k->ping_min_ns = o->ping_min_ms * 1000000;
    k->nuisances = LINK_NUISANCES;
    k->refilled_ns = k->rx_ns = loop_now_ns(k->loop);
    qinit(&k->chans);
    qinit(&k->owed);
    turn_init(&k->pump, link_on_pump);
    k->pool = o->pool;
    k->ng = link_session(k, o->pool);
    must(nghttp2_submit_settings(k->ng, 0, set, ARRAY_LEN(set)) == 0);
    must(nghttp2_session_set_local_window_size(k->ng, 0, 0, LINK_WINDOW) == 0);
    stream_set_events(s, &link_stream_events, k);
    link_arm(k);
}

void link_say_goaway(struct h2_link *k, uint32_t code, const char *why)
{
    nghttp2_submit_goaway(k->ng, 0, nghttp2_session_get_last_proc_stream_id(k->ng), code,
                          (const uint8_t *)why, why != NULL ? strlen(why) : 0);
    link_arm(k);
}

void link_goaway(struct h2_link *k, uint32_t code, const char *why)
{
    if (k->ending)
        return;
    k->ending = true;
    link_say_goaway(k, code, why);
}

void link_ping(struct h2_link *k)
{
    k->ping_out = true;
    nghttp2_submit_ping(k->ng, 0, NULL);
    link_arm(k);
}

void link_close(struct h2_link *k)
{
    if (k->s != NULL)
        stream_close(k->s);
}

void link_release(struct h2_link *k)
{
    must(k->s == NULL && k->n_chans == 0 && qempty(&k->chans) && qempty(&k->owed));
    nghttp2_session_del(k->ng);
    k->ng = NULL;
}
