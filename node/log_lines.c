/* node/log_lines.c: see node/log_lines.h. */
#include "api/time_fmt.h"
#include "node/log_lines.h"

#define TIME_MIN 20                              /* "2006-01-02T15:04:05Z" */
#define TIME_MAX 40

bool log_entry_parse(struct str in, struct log_entry *ret)
{
    struct log_entry e;
    struct str head = str_upto(in, MIN_OF(in.n, (size_t)TIME_MAX + 1)), rest;
    ptrdiff_t at = str_find(head, ' ');

    if (at < TIME_MIN || at > TIME_MAX)
        return false;
    e.time = str_upto(in, (size_t)at);
    rest = str_from(in, (size_t)at + 1);
    if (!str_starts(rest, STR("stdout ")) && !str_starts(rest, STR("stderr ")))
        return false;
    e.err = rest.p[3] == 'e';
    rest = str_from(rest, 7);
    /* Tags may grow: "P:..." is still a piece. */
    if (rest.n == 0 || (rest.p[0] != 'F' && rest.p[0] != 'P'))
        return false;
    e.last = rest.p[0] == 'F';
    at = str_find(str_upto(rest, MIN_OF(rest.n, (size_t)16)), ' ');
    if (at < 0 && rest.n != 1)
        return false;
    e.text = at < 0 ? STR("") : str_from(rest, (size_t)at + 1);
    *ret = e;
    return true;
}

static bool old(const struct log_filter *f, struct str time)
{
    int64_t s;
    uint32_t ns;

    if (f->since_ns == INT64_MIN || !time_parse(time, &s, &ns))
        return false;
    /* Seconds first: the product of a year far away does not fit. */
    int64_t since_s = f->since_ns / 1000000000, since_rest = f->since_ns % 1000000000;
    return s < since_s || (s == since_s && (int64_t)ns < since_rest);
}

static void put(struct log_filter *f, struct buf *out, struct str s)
{
    size_t n = f->left < s.n ? (size_t)f->left : s.n;

    buf_add(out, s.p, n);
    if (f->left != UINT64_MAX)
        f->left -= n;
}

/* conmon writes +00:00 where Kubernetes writes Z. */
static void put_time(struct log_filter *f, struct buf *out, struct str time)
{
    if (str_ends(time, STR("+00:00"))) {
        put(f, out, str_upto(time, time.n - 6));
        put(f, out, STR("Z "));
    } else {
        put(f, out, time);
        put(f, out, STR(" "));
    }
}

void log_filter_entry(struct log_filter *f, struct str entry, struct buf *out)
{
    struct log_entry e;

    if (!log_entry_parse(entry, &e) || (e.err ? f->no_err : f->no_out))
        return;
    if (!f->open[e.err])
        f->skip[e.err] = old(f, e.time);         /* decided for the whole line by its beginning */
    if (!f->skip[e.err]) {
        if (!f->open[e.err] && f->timestamps)
            put_time(f, out, e.time);
        put(f, out, e.text);
        if (e.last)
            put(f, out, STR("\n"));
    }
    f->open[e.err] = !e.last;
}

bool log_filter_counts(const struct log_filter *f, struct str entry)
{
    struct log_entry e;
    return log_entry_parse(entry, &e) && e.last && !(e.err ? f->no_err : f->no_out);
}

bool log_tail_scan(const struct log_filter *f, const char *p, size_t n, size_t seen, bool at_start,
                   uint64_t *want, size_t *ret)
{
    size_t end = n - seen;                       /* entries that begin at or before here are ours; later ones were counted */

    must(seen <= n);
    /* An entry begins behind each newline of the block itself; the entry at its very border belongs to this block. */
    for (;;) {
        const char *nl = end > 0 ? memrchr(p, '\n', end) : NULL;
        size_t begin = nl != NULL ? (size_t)(nl - p) + 1 : 0;

        if (nl == NULL && !at_start)
            return false;
        struct str entry = str_make(p + begin, n - begin);
        ptrdiff_t stop = str_find(str_upto(entry, MIN_OF(entry.n, (size_t)LOG_HEAD_MAX)), '\n');
        if (stop >= 0)
            entry = str_upto(entry, (size_t)stop);
        if (log_filter_counts(f, entry)) {
            if (*want == 0) {                    /* one line more than wanted: the tail begins behind it */
                const char *after = memchr(p + begin, '\n', n - begin);
                *ret = after != NULL ? (size_t)(after - p) + 1 : n;
                return true;
            }
            --*want;
        }
        if (nl == NULL)
            return false;
        end = begin - 1;
    }
}
