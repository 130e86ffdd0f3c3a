/* net/pb.c: see pb.h. */
#include "net/pb.h"

/* ---- items -------------------------------------------------------------------------------------- */

/* Most numbers are a single byte. */
static inline bool varint(struct str *in, uint64_t *ret)
{
    if (in->n == 0 || (unsigned char)*in->p >= 0x80)
        return str_varint(in, ret);
    *ret = (unsigned char)*in->p;
    in->p++;
    in->n--;
    return true;
}

const char *pb_next(struct str *in, struct pb_item *ret)
{
    uint64_t tag, n;

    if (!varint(in, &tag) || tag >> 3 == 0 || tag >> 3 > 0x1fffffff)
        return "bad tag";
    ret->number = (uint32_t)(tag >> 3);
    ret->wire = (enum pb_wire)(tag & 7);
    ret->value = 0;
    ret->bytes = STR_NONE;
    switch (tag & 7) {
    case PB_VARINT:
        return varint(in, &ret->value) ? NULL : "bad number";
    case PB_FIXED64:
        return str_le64(in, &ret->value) ? NULL : "message is cut short";
    case PB_FIXED32:
        return str_take(in, 4, &ret->bytes) ? NULL : "message is cut short";
    case PB_BYTES:
        if (!varint(in, &n) || n > in->n || !str_take(in, (size_t)n, &ret->bytes))
            return "message is cut short";
        return NULL;
    default:
        return "wire type is not supported";
    }
}

static uint64_t tag_of(uint32_t number, enum pb_wire wire)
{
    return (uint64_t)number << 3 | (unsigned)wire;
}

void pb_put_tag(struct buf *b, uint32_t number, enum pb_wire wire)
{
    buf_varint(b, tag_of(number, wire));
}

void pb_put_int(struct buf *b, uint32_t number, int64_t v)
{
    pb_put_tag(b, number, PB_VARINT);
    buf_varint(b, (uint64_t)v);
}

void pb_add_int(struct buf *b, uint32_t number, uint64_t v)
{
    if (v != 0)
        pb_put_int(b, number, (int64_t)v);
}

void pb_add_head(struct buf *b, uint32_t number, size_t n)
{
    pb_put_tag(b, number, PB_BYTES);
    buf_varint(b, n);
}

void pb_put_str(struct buf *b, uint32_t number, struct str s)
{
    pb_add_head(b, number, s.n);
    buf_str_add(b, s);
}

void pb_add_str(struct buf *b, uint32_t number, struct str s)
{
    if (s.n > 0)
        pb_put_str(b, number, s);
}

size_t pb_head_size(uint32_t number, size_t n)
{
    return pb_varint_size(tag_of(number, PB_BYTES)) + pb_varint_size(n);
}

size_t pb_int_size(uint32_t number, uint64_t v)
{
    return v != 0 ? pb_varint_size(tag_of(number, PB_VARINT)) + pb_varint_size(v) : 0;
}

size_t pb_str_size(uint32_t number, size_t n)
{
    return n > 0 ? pb_head_size(number, n) + n : 0;
}

/* ---- decoding ----------------------------------------------------------------------------------- */

struct decoder { struct arena *arena; unsigned depth, items; };

static int decode(struct decoder *d, const struct pb_message *m, struct str in, void *to);

static inline void *member(const void *of, size_t at)
{
    return (char *)(uintptr_t)of + at;
}

static size_t element_size(const struct pb_field *f)
{
    return f->type == PB_T_INTS ? sizeof(int64_t) : f->type == PB_T_STRS ? sizeof(struct str) : f->msg->size;
}

/* Room for one more, zeroed; NULL: there are too many. */
static void *list_push(struct decoder *d, const struct pb_field *f, struct pb_list *l)
{
    size_t size = element_size(f);

    if (d->items == 0)
        return NULL;
    d->items--;
    if (l->n == l->cap) {
        uint32_t cap = l->cap > 0 ? l->cap * 2 : 4;
        void *at = arena_zalloc(d->arena, cap * size);
        if (l->n > 0)
            memcpy(at, l->at, l->n * size);
        l->at = at;
        l->cap = cap;
    }
    return (char *)l->at + l->n++ * size;
}

static int decode_ints(struct decoder *d, const struct pb_field *f, const struct pb_item *it,
                       struct pb_list *l)
{
    struct str in = it->bytes;
    uint64_t   v = it->value;
    int64_t   *to;

    if (it->wire != PB_VARINT && it->wire != PB_BYTES)
        return E_INVALID;
    do {
        if (it->wire == PB_BYTES && in.n == 0)
            return 0;
        if (it->wire == PB_BYTES && !varint(&in, &v))
            return E_INVALID;
        if ((to = list_push(d, f, l)) == NULL)
            return E_TOOBIG;
        *to = (int64_t)v;
    } while (in.n > 0);
    return 0;
}

/* A message may come in parts: they are one. */
static int decode_sub(struct decoder *d, const struct pb_field *f, struct str in, void **to)
{
    if (*to == NULL)
        *to = arena_zalloc(d->arena, f->msg->size);
    return decode(d, f->msg, in, *to);
}

static int decode_element(struct decoder *d, const struct pb_field *f, struct str in, struct pb_list *l)
{
    void *to = list_push(d, f, l);

    if (to == NULL)
        return E_TOOBIG;
    if (f->type == PB_T_MSGS)
        return decode(d, f->msg, in, to);
    *(struct str *)to = in;
    return 0;
}

static int decode_field(struct decoder *d, const struct pb_field *f, const struct pb_item *it, void *to)
{
    enum pb_wire wire = f->type == PB_T_BOOL || f->type == PB_T_INT ? PB_VARINT : PB_BYTES;
    void *at = member(to, f->at);

    if (f->type == PB_T_INTS)
        return decode_ints(d, f, it, at);
    if (it->wire != wire)
        return E_INVALID;
    if (f->which > 0) {
        uint32_t *which = member(to, f->which);
        if (f->type == PB_T_MSG && *which != f->number)
            *(void **)at = NULL;                 /* another member was set meanwhile */
        *which = f->number;
    }
    switch (f->type) {
    case PB_T_BOOL: *(bool *)at = it->value != 0; return 0;
    case PB_T_INT:  *(int64_t *)at = (int64_t)it->value; return 0;
    case PB_T_STR:  *(struct str *)at = it->bytes; return 0;
    case PB_T_MSG:  return decode_sub(d, f, it->bytes, at);
    default:        return decode_element(d, f, it->bytes, at);
    }
}

static int decode(struct decoder *d, const struct pb_message *m, struct str in, void *to)
{
    struct pb_item it;
    unsigned next = 0;                           /* fields mostly come in order */
    int rc = 0;

    if (d->depth == 0)
        return E_TOOBIG;
    d->depth--;
    while (rc == 0 && in.n > 0) {
        if (pb_next(&in, &it) != NULL)
            return E_INVALID;
        for (unsigned i = 0; i < m->n; i++, next++) {
            const struct pb_field *f = &m->field[next % m->n];
            if (f->number == it.number) {
                rc = decode_field(d, f, &it, to);
                break;
            }
        }
    }
    d->depth++;
    return rc;
}

int pb_decode(struct arena *a, const struct pb_message *m, struct str in, unsigned max_items, void *ret)
{
    struct decoder d = { a, PB_MAX_DEPTH, max_items };

    memset(ret, 0, m->size);
    return decode(&d, m, in, ret);
}

/* ---- encoding ----------------------------------------------------------------------------------- */

static bool is_set(const struct pb_field *f, const void *from)
{
    return f->which == 0 || *(const uint32_t *)member(from, f->which) == f->number;
}

static const void *list_at(const struct pb_field *f, const struct pb_list *l, uint32_t i)
{
    return (const char *)l->at + i * element_size(f);
}

static size_t ints_size(const struct pb_list *l)
{
    size_t n = 0;

    for (uint32_t i = 0; i < l->n; i++)
        n += pb_varint_size((uint64_t)((const int64_t *)l->at)[i]);
    return n;
}

static size_t list_size(const struct pb_field *f, const struct pb_list *l)
{
    size_t n = 0;

    for (uint32_t i = 0; i < l->n; i++) {
        const void *e = list_at(f, l, i);
        size_t one = f->type == PB_T_STRS ? ((const struct str *)e)->n : pb_size(f->msg, e);
        n += pb_head_size(f->number, one) + one;
    }
    return n;
}

static uint64_t scalar(const struct pb_field *f, const void *at)
{
    return f->type == PB_T_BOOL ? *(const bool *)at : (uint64_t)*(const int64_t *)at;
}

static size_t field_size(const struct pb_field *f, const void *from)
{
    const void *at = member(from, f->at);
    size_t n;

    switch (f->type) {
    case PB_T_BOOL:
    case PB_T_INT:
        n = pb_int_size(f->number, scalar(f, at));
        return f->which > 0 && n == 0 ? pb_varint_size(tag_of(f->number, PB_VARINT)) + 1 : n;
    case PB_T_STR:
        n = ((const struct str *)at)->n;
        return f->which > 0 ? pb_head_size(f->number, n) + n : pb_str_size(f->number, n);
    case PB_T_MSG:
        if (*(void *const *)at == NULL)
            return 0;
        n = pb_size(f->msg, *(void *const *)at);
        return pb_head_size(f->number, n) + n;
    case PB_T_INTS:
        return pb_str_size(f->number, ints_size(at));
    default:
        return list_size(f, at);
    }
}

size_t pb_size(const struct pb_message *m, const void *from)
{
    size_t n = 0;

    for (unsigned i = 0; i < m->n; i++)
        if (is_set(&m->field[i], from))
            n += field_size(&m->field[i], from);
    return n;
}

static void encode_message(struct buf *out, const struct pb_field *f, const void *from)
{
    pb_add_head(out, f->number, pb_size(f->msg, from));
    pb_encode(out, f->msg, from);
}

static void encode_list(struct buf *out, const struct pb_field *f, const struct pb_list *l)
{
    for (uint32_t i = 0; i < l->n; i++) {
        const void *e = list_at(f, l, i);
        if (f->type == PB_T_MSGS)
            encode_message(out, f, e);
        else
            pb_put_str(out, f->number, *(const struct str *)e);
    }
}

static void encode_field(struct buf *out, const struct pb_field *f, const void *from)
{
    const void *at = member(from, f->at);
    const struct pb_list *l = at;

    switch (f->type) {
    case PB_T_BOOL:
    case PB_T_INT:
        if (f->which > 0)
            pb_put_int(out, f->number, (int64_t)scalar(f, at));
        else
            pb_add_int(out, f->number, scalar(f, at));
        break;
    case PB_T_STR:
        if (f->which > 0)
            pb_put_str(out, f->number, *(const struct str *)at);
        else
            pb_add_str(out, f->number, *(const struct str *)at);
        break;
    case PB_T_MSG:
        if (*(void *const *)at != NULL)
            encode_message(out, f, *(void *const *)at);
        break;
    case PB_T_INTS:
        if (l->n > 0)
            pb_add_head(out, f->number, ints_size(l));
        for (uint32_t i = 0; i < l->n; i++)
            buf_varint(out, (uint64_t)((const int64_t *)l->at)[i]);
        break;
    default:
        encode_list(out, f, l);
        break;
    }
}

void pb_encode(struct buf *out, const struct pb_message *m, const void *from)
{
    for (unsigned i = 0; i < m->n; i++)
        if (is_set(&m->field[i], from))
            encode_field(out, &m->field[i], from);
}
