/* test/etcddiff/text.c: messages as text: what two servers must have in common. */
#include <ctype.h>
#include <inttypes.h>
#include "test/etcddiff/diff.h"

static void text_bytes(struct buf *out, struct str s)
{
    buf_char(out, '"');
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (isprint(c))
            buf_char(out, (char)c);
        else
            buf_fmt(out, "\\x%02x", c);
    }
    buf_char(out, '"');
}

static bool is_message(struct str s)
{
    struct pb_item it;
    bool printable = true;

    for (size_t i = 0; i < s.n; i++)
        printable = printable && isprint((unsigned char)s.p[i]);
    if (s.n == 0 || printable)
        return false;
    while (s.n > 0)
        if (pb_next(&s, &it) != NULL || it.number > 100)
            return false;
    return true;
}

static void text_item(struct buf *out, const struct pb_item *it)
{
    buf_fmt(out, " %u:", it->number);
    if (it->wire != PB_BYTES) {
        buf_fmt(out, "%" PRIu64, it->value);
    } else if (is_message(it->bytes)) {
        buf_z(out, "{");
        text_message(out, it->bytes);
        buf_z(out, " }");
    } else {
        text_bytes(out, it->bytes);
    }
}

/* The smallest number above `below`; 0: there is none. */
static uint32_t next_number(struct str message, uint32_t below)
{
    struct pb_item it;
    uint32_t least = 0;

    while (message.n > 0 && pb_next(&message, &it) == NULL)
        if (it.number > below && (least == 0 || it.number < least))
            least = it.number;
    return least;
}

/* In the order of numbers, whatever that on the wire is. */
void text_message(struct buf *out, struct str message)
{
    struct pb_item it;

    for (uint32_t number = 0; (number = next_number(message, number)) != 0; )
        for (struct str m = message; m.n > 0 && pb_next(&m, &it) == NULL; )
            if (it.number == number)
                text_item(out, &it);
}

static uint64_t int_of(struct str m, uint32_t number)
{
    struct pb_item it;
    uint64_t v = 0;

    while (m.n > 0 && pb_next(&m, &it) == NULL)
        if (it.number == number)
            v = it.value;
    return v;
}

/* What comes in any order, leases and the keys of one: field `number`, sorted. */
static void text_sorted(struct buf *out, struct str m, uint32_t number)
{
    struct str is[64], was = { "", 0 };
    unsigned n = 0;
    struct pb_item it;

    while (m.n > 0 && n < ARRAY_LEN(is) && pb_next(&m, &it) == NULL)
        if (it.number == number)
            is[n++] = it.bytes;
    for (unsigned i = 0; i < n; i++) {           /* the next above the last: few enough */
        struct str *least = NULL;
        for (unsigned k = 0; k < n; k++)
            if (str_cmp(is[k], was) > 0 && (least == NULL || str_cmp(is[k], *least) < 0))
                least = &is[k];
        if (least == NULL)
            return;
        was = *least;
        buf_z(out, "\n ");
        text_bytes(out, was);
    }
}

/* A field of an answer: of the header only the revision, of a lease's time only if there is any left. */
static void text_top(struct buf *out, const char *path, const struct pb_item *it)
{
    if (it->number == 1 && it->wire == PB_BYTES) {
        buf_fmt(out, " revision %" PRIu64, int_of(it->bytes, 3));
    } else if (strstr(path, ".Lease/") != NULL && it->wire == PB_BYTES) {
        return;
    } else if (it->number == 3 && strstr(path, "TimeToLive") != NULL) {
        buf_fmt(out, " left %s", (int64_t)it->value < 0 ? "none" : "some");
    } else {
        if (it->wire == PB_BYTES)
            buf_z(out, "\n ");
        text_item(out, it);
    }
}

void text_answer(struct buf *out, const char *path, const struct answer *a)
{
    struct str m = buf_str(&a->body);
    struct pb_item it;

    buf_fmt(out, "code %d \"%s\"", a->code, a->message);
    if (strstr(path, ".Lease/") != NULL)
        text_sorted(out, m, strstr(path, "LeaseLeases") != NULL ? 2 : 5);
    for (uint32_t number = 0; (number = next_number(m, number)) != 0; )
        for (struct str rest = m; rest.n > 0 && pb_next(&rest, &it) == NULL; )
            if (it.number == number)
                text_top(out, path, &it);
}

void text_watch(struct buf *out, struct str message, int64_t *ret_id)
{
    struct str m = message;
    struct pb_item it;

    *ret_id = (int64_t)int_of(m, 2);
    if (int_of(m, 3) != 0)
        buf_z(out, "created\n");
    while (m.n > 0 && pb_next(&m, &it) == NULL)
        if (it.number == 11) {
            buf_z(out, "event");
            text_message(out, it.bytes);
            buf_char(out, '\n');
        }
    m = message;
    if (int_of(m, 4) == 0)
        return;
    buf_fmt(out, "canceled compacted %" PRIu64, int_of(m, 5));
    while (m.n > 0 && pb_next(&m, &it) == NULL)
        if (it.number == 6)
            text_bytes(out, it.bytes);
    buf_char(out, '\n');
}
