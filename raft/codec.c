/* raft/codec.c: frames and messages to and from bytes. */
#include "raft/codec.h"
#include "raft/crc32c.h"

#define HELLO_MAGIC    0x324f4c4c454843ull       /* "CHELLO2" */
#define FAREWELL_MAGIC 0x31454e4f4743ull         /* "CGONE1" */

static size_t frame_begin(struct buf *out)
{
    size_t at = out->n;

    buf_le64(out, 0);
    return at;
}

static void frame_end(struct buf *out, size_t at)
{
    uint32_t len = (uint32_t)(out->n - at - RAFT_FRAME_HEAD);
    uint32_t crc = crc32c(0, out->p + at + RAFT_FRAME_HEAD, len);

    memcpy(out->p + at, &len, sizeof(len));
    memcpy(out->p + at + 4, &crc, sizeof(crc));
}

int raft_frame_cut(struct str *in, struct str *ret, size_t *ret_need)
{
    uint32_t len, crc;

    *ret_need = RAFT_FRAME_HEAD;
    if (in->n < RAFT_FRAME_HEAD)
        return 0;
    memcpy(&len, in->p, sizeof(len));
    memcpy(&crc, in->p + 4, sizeof(crc));
    if (len == 0 || len > RAFT_MAX_FRAME)
        return E_TOOBIG;
    *ret_need = RAFT_FRAME_HEAD + (size_t)len;
    if (in->n < *ret_need)
        return 0;
    *ret = str_make(in->p + RAFT_FRAME_HEAD, len);
    *in = str_from(*in, *ret_need);
    return crc32c(0, ret->p, ret->n) == crc ? 1 : E_INVALID;
}

static void hello_encode(uint64_t magic, const struct raft_hello *h, struct buf *out)
{
    size_t at = frame_begin(out);

    buf_le64(out, magic);
    buf_le64(out, h->cluster);
    buf_le64(out, h->from);
    buf_le64(out, h->to);
    buf_z(out, h->addr);
    frame_end(out, at);
}

static int hello_decode(uint64_t wanted, struct str in, struct raft_hello *ret)
{
    struct raft_hello h = { 0 };
    uint64_t magic;

    if (!str_le64(&in, &magic) || magic != wanted || !str_le64(&in, &h.cluster))
        return E_INVALID;
    if (!str_le64(&in, &h.from) || !str_le64(&in, &h.to) || in.n >= sizeof(h.addr) || str_find(in, '\0') >= 0)
        return E_INVALID;
    if (in.n > 0)
        memcpy(h.addr, in.p, in.n);
    *ret = h;
    return 0;
}

void raft_hello_encode(const struct raft_hello *h, struct buf *out) { hello_encode(HELLO_MAGIC, h, out); }
int  raft_hello_decode(struct str in, struct raft_hello *ret) { return hello_decode(HELLO_MAGIC, in, ret); }
void raft_farewell_encode(const struct raft_hello *h, struct buf *out) { hello_encode(FAREWELL_MAGIC, h, out); }
int  raft_farewell_decode(struct str in, struct raft_hello *ret) { return hello_decode(FAREWELL_MAGIC, in, ret); }

/* ---- Encoding ------------------------------------------------------------------------------------ */

static void encode_entry(struct buf *out, const struct raft_entry *e)
{
    buf_varint(out, e->term);
    buf_char(out, (char)e->type);
    buf_varint(out, e->len);
    buf_add(out, e->p, e->len);
}

static void encode_fields(struct buf *out, const uint64_t *v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        buf_varint(out, v[i]);
}
#define FIELDS(out, ...) encode_fields(out, (const uint64_t[]){ __VA_ARGS__ },                      \
                                       sizeof((const uint64_t[]){ __VA_ARGS__ }) / sizeof(uint64_t))

static void encode_append(const struct raft_message *m, const struct raft_log *log, struct buf *out)
{
    FIELDS(out, m->append.prev_index, m->append.prev_term, m->append.commit, m->append.round, m->append.sent_ns,
           m->append.n);
    for (uint64_t i = 0; i < m->append.n; i++)
        encode_entry(out, raft_log_at(log, m->append.prev_index + 1 + i));
}

static void encode_text(struct buf *out, struct str text)
{
    buf_varint(out, text.n);
    buf_str_add(out, text);
}

static void encode_change(const struct raft_message *m, struct buf *out)
{
    FIELDS(out, m->change.ctx, m->change.op, m->change.id, m->change.by, m->change.given);
    for (unsigned i = 0; i < RAFT_CHANGE_TEXTS; i++)
        encode_text(out, m->change.text[i]);
}

static void encode_body(const struct raft_message *m, const struct raft_log *log, struct buf *out)
{
    switch (m->type) {
    case RAFT_MSG_PREVOTE:
    case RAFT_MSG_VOTE:
        FIELDS(out, m->vote.last_index, m->vote.last_term, m->vote.force);
        break;
    case RAFT_MSG_PREVOTE_REPLY:
    case RAFT_MSG_VOTE_REPLY:  FIELDS(out, m->vote_reply.granted); break;
    case RAFT_MSG_APPEND:      encode_append(m, log, out); break;
    case RAFT_MSG_HEARTBEAT:   FIELDS(out, m->heartbeat.commit, m->heartbeat.round, m->heartbeat.sent_ns); break;
    case RAFT_MSG_ACK:
        FIELDS(out, m->ack.match, m->ack.verified, m->ack.round, m->ack.sent_ns, m->ack.reject, m->ack.prev_index,
               m->ack.hint_index, m->ack.hint_term);
        break;
    case RAFT_MSG_READ:        FIELDS(out, m->read.ctx); break;
    case RAFT_MSG_READ_REPLY:  FIELDS(out, m->read_reply.ctx, m->read_reply.index, m->read_reply.ok); break;
    case RAFT_MSG_CHUNK:
        FIELDS(out, m->chunk.index, m->chunk.snap_term, m->chunk.offset, m->chunk.total, m->chunk.data.n);
        buf_str_add(out, m->chunk.data);
        break;
    case RAFT_MSG_CHUNK_REPLY:
        FIELDS(out, m->chunk_reply.index, m->chunk_reply.offset, m->chunk_reply.done, m->chunk_reply.ok);
        break;
    case RAFT_MSG_PROPOSE:
        FIELDS(out, m->propose.boot, m->propose.first_seq, m->propose.n);
        for (uint64_t i = 0; i < m->propose.n; i++)
            encode_entry(out, &m->propose.entry[i]);
        break;
    case RAFT_MSG_PROPOSE_REPLY:
        FIELDS(out, m->propose_reply.boot, m->propose_reply.first_seq, m->propose_reply.n, m->propose_reply.index,
               (uint64_t)-m->propose_reply.err);
        break;
    case RAFT_MSG_RECALL:      FIELDS(out, m->recall.ctx); break;
    case RAFT_MSG_RECALL_REPLY:
        FIELDS(out, m->recall_reply.ctx, m->recall_reply.last_index, m->recall_reply.last_term,
               m->recall_reply.voters, m->recall_reply.newborn);
        break;
    case RAFT_MSG_CHANGE:      encode_change(m, out); break;
    case RAFT_MSG_CHANGE_REPLY:
        FIELDS(out, m->change_reply.ctx, m->change_reply.id, (uint64_t)-m->change_reply.err);
        encode_text(out, m->change_reply.reason);
        break;
    case RAFT_MSG_TIMEOUT_NOW:
    case RAFT_MSG_TYPES:       break;
    }
}

void raft_message_encode(const struct raft_message *m, const struct raft_log *log, struct buf *out)
{
    size_t at = frame_begin(out);

    must(m->type > 0 && m->type < RAFT_MSG_TYPES);
    buf_char(out, (char)m->type);
    FIELDS(out, m->from, m->to, m->term);
    encode_body(m, log, out);
    frame_end(out, at);
}

/* ---- Decoding ------------------------------------------------------------------------------------ */

static bool decode_fields(struct str *in, uint64_t *const *v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!str_varint(in, v[i]))
            return false;
    return true;
}
#define TAKE(in, ...) decode_fields(in, (uint64_t *const[]){ __VA_ARGS__ },                         \
                                    sizeof((uint64_t *const[]){ __VA_ARGS__ }) / sizeof(uint64_t *))

static bool decode_flag(struct str *in, bool *ret)
{
    uint64_t v;

    if (!str_varint(in, &v) || v > 1)
        return false;
    *ret = v == 1;
    return true;
}

static bool decode_entry(struct str *in, struct blob *owner, struct raft_entry *e)
{
    struct str type, data;
    uint64_t len;

    if (!str_varint(in, &e->term) || !str_take(in, 1, &type) || !str_varint(in, &len))
        return false;
    if (len > RAFT_MAX_FRAME || !str_take(in, len, &data))
        return false;
    if (type.p[0] < RAFT_ENTRY_COMMAND || type.p[0] > RAFT_ENTRY_CONFIG)
        return false;
    e->type = (uint8_t)type.p[0];
    e->owner = blob_ref(owner);
    e->p = data.p;
    e->len = (uint32_t)len;
    return true;
}

static bool decode_entries(struct str *in, struct blob *owner, uint64_t n, struct raft_entry **ret)
{
    if (n > RAFT_MAX_FRAME_ENTRIES || n > in->n / 3)           /* an entry takes three bytes at least */
        return false;
    *ret = mem_zalloc((n > 0 ? n : 1) * sizeof(**ret));
    for (uint64_t i = 0; i < n; i++)
        if (!decode_entry(in, owner, &(*ret)[i]))
            return false;
    return true;
}

static bool decode_chunk(struct str *in, struct raft_message *m)
{
    uint64_t len;

    return TAKE(in, &m->chunk.index, &m->chunk.snap_term, &m->chunk.offset, &m->chunk.total, &len)
        && len <= RAFT_MAX_FRAME && str_take(in, len, &m->chunk.data);
}

static bool decode_propose_reply(struct str *in, struct raft_message *m)
{
    uint64_t err;

    if (!TAKE(in, &m->propose_reply.boot, &m->propose_reply.first_seq, &m->propose_reply.n, &m->propose_reply.index, &err)
        || err > 1000)
        return false;
    m->propose_reply.err = -(int)err;
    return true;
}

static bool decode_text(struct str *in, struct str *ret)
{
    uint64_t len;

    return str_varint(in, &len) && len < RAFT_MAX_TEXT && str_take(in, len, ret) && str_find(*ret, '\0') < 0;
}

static bool decode_change(struct str *in, struct raft_message *m)
{
    bool ok = TAKE(in, &m->change.ctx, &m->change.op, &m->change.id, &m->change.by, &m->change.given);

    for (unsigned i = 0; i < RAFT_CHANGE_TEXTS && ok; i++)
        ok = decode_text(in, &m->change.text[i]);
    return ok;
}

static bool decode_change_reply(struct str *in, struct raft_message *m)
{
    uint64_t err;

    if (!TAKE(in, &m->change_reply.ctx, &m->change_reply.id, &err) || err > 1000)
        return false;
    m->change_reply.err = -(int)err;
    return decode_text(in, &m->change_reply.reason);
}

static bool decode_body(struct str *in, struct blob *owner, struct raft_message *m)
{
    switch (m->type) {
    case RAFT_MSG_PREVOTE:
    case RAFT_MSG_VOTE:
        return TAKE(in, &m->vote.last_index, &m->vote.last_term) && decode_flag(in, &m->vote.force);
    case RAFT_MSG_PREVOTE_REPLY:
    case RAFT_MSG_VOTE_REPLY: return decode_flag(in, &m->vote_reply.granted);
    case RAFT_MSG_APPEND:
        return TAKE(in, &m->append.prev_index, &m->append.prev_term, &m->append.commit, &m->append.round,
                    &m->append.sent_ns, &m->append.n)
            && decode_entries(in, owner, m->append.n, &m->append.entry);
    case RAFT_MSG_HEARTBEAT:  return TAKE(in, &m->heartbeat.commit, &m->heartbeat.round, &m->heartbeat.sent_ns);
    case RAFT_MSG_ACK:
        return TAKE(in, &m->ack.match, &m->ack.verified, &m->ack.round, &m->ack.sent_ns)
            && decode_flag(in, &m->ack.reject)
            && TAKE(in, &m->ack.prev_index, &m->ack.hint_index, &m->ack.hint_term);
    case RAFT_MSG_TIMEOUT_NOW: return true;
    case RAFT_MSG_READ:       return str_varint(in, &m->read.ctx);
    case RAFT_MSG_READ_REPLY:
        return TAKE(in, &m->read_reply.ctx, &m->read_reply.index) && decode_flag(in, &m->read_reply.ok);
    case RAFT_MSG_CHUNK:      return decode_chunk(in, m);
    case RAFT_MSG_CHUNK_REPLY:
        return TAKE(in, &m->chunk_reply.index, &m->chunk_reply.offset) && decode_flag(in, &m->chunk_reply.done)
            && decode_flag(in, &m->chunk_reply.ok);
    case RAFT_MSG_PROPOSE:
        return TAKE(in, &m->propose.boot, &m->propose.first_seq, &m->propose.n)
            && decode_entries(in, owner, m->propose.n, &m->propose.entry);
    case RAFT_MSG_PROPOSE_REPLY: return decode_propose_reply(in, m);
    case RAFT_MSG_RECALL:     return str_varint(in, &m->recall.ctx);
    case RAFT_MSG_RECALL_REPLY:
        return TAKE(in, &m->recall_reply.ctx, &m->recall_reply.last_index, &m->recall_reply.last_term,
                    &m->recall_reply.voters, &m->recall_reply.newborn);
    case RAFT_MSG_CHANGE:     return decode_change(in, m);
    case RAFT_MSG_CHANGE_REPLY: return decode_change_reply(in, m);
    default: return false;
    }
}

int raft_message_decode(struct str in, struct blob *owner, struct raft_message *ret)
{
    struct raft_message m;
    struct str type;

    memset(&m, 0, sizeof(m));
    if (!str_take(&in, 1, &type) || type.p[0] <= 0 || type.p[0] >= RAFT_MSG_TYPES)
        return E_INVALID;
    m.type = (enum raft_message_type)type.p[0];
    if (!TAKE(&in, &m.from, &m.to, &m.term) || !decode_body(&in, owner, &m) || !str_empty(in)) {
        raft_message_release(&m);
        return E_INVALID;
    }
    *ret = m;
    return 0;
}

void raft_message_release(struct raft_message *m)
{
    bool append = m->type == RAFT_MSG_APPEND;
    struct raft_entry *e = append ? m->append.entry : m->type == RAFT_MSG_PROPOSE ? m->propose.entry : NULL;
    uint64_t n = append ? m->append.n : m->propose.n;

    if (e == NULL)
        return;
    for (uint64_t i = 0; i < n; i++)
        e[i].owner = blob_unref(e[i].owner);
    mem_free(e);
    if (append)
        m->append.entry = NULL;
    else
        m->propose.entry = NULL;
}
