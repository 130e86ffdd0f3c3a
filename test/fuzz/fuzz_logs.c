/* test/fuzz/fuzz_logs.c: any bytes as a container's log.  What is shown never exceeds its limit nor what is there; and the
 * search for the last lines, block by block from the end, finds the place that counting from the front finds. */
#include "node/log_lines.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The next entry of *rest without its newline. */
static bool next_entry(struct str *rest, struct str *ret)
{
    ptrdiff_t nl = str_find(*rest, '\n');

    if (rest->n == 0)
        return false;
    *ret = nl >= 0 ? str_upto(*rest, (size_t)nl) : *rest;
    *rest = nl >= 0 ? str_from(*rest, (size_t)nl + 1) : STR_NONE;
    return true;
}

static void show(struct log_filter f, struct str log)
{
    uint64_t limit = f.left;
    struct buf out = BUF_INIT;
    struct str entry;

    while (next_entry(&log, &entry)) {
        size_t before = out.n;
        log_filter_entry(&f, entry, &out);
        must(out.n - before <= entry.n + 1);
    }
    must(limit == UINT64_MAX ? f.left == UINT64_MAX : out.n + f.left == limit);
    buf_release(&out);
}

static size_t tail_by_counting(const struct log_filter *f, struct str log, uint64_t want)
{
    struct str rest = log, entry;
    uint64_t total = 0;

    while (next_entry(&rest, &entry))
        total += log_filter_counts(f, entry);
    if (total <= want)
        return 0;
    rest = log;
    for (uint64_t n = 0; n < total - want;) {
        must(next_entry(&rest, &entry));
        n += log_filter_counts(f, entry);
    }
    return log.n - rest.n;
}

static size_t tail_by_blocks(const struct log_filter *f, struct str log, uint64_t want, size_t block)
{
    size_t at = log.n, overlap = 0, found;

    while (at > 0) {
        size_t len = MIN_OF(block, at), off = at - len;
        if (log_tail_scan(f, log.p + off, len + overlap, overlap, off == 0, &want, &found)) {
            must(found <= len + overlap);
            return off + found;
        }
        at = off;
        overlap = MIN_OF((size_t)LOG_HEAD_MAX, len);
    }
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 4)
        return 0;
    struct str log = str_make((const char *)data + 4, size - 4);
    struct log_filter f = { .timestamps = data[0] & 1, .no_out = data[0] & 2, .no_err = data[0] & 4,
                            .since_ns = data[0] & 8 ? (int64_t)data[1] << 53 : INT64_MIN, .left = data[0] & 16 ? data[1] : UINT64_MAX };
    size_t counted = tail_by_counting(&f, log, data[2]), found = tail_by_blocks(&f, log, data[2], LOG_HEAD_MAX + data[3]);

    /* Short of it by a part of one entry at most: when that is longer than a block its end is not looked for. */
    must(found <= counted);
    for (size_t i = found; i + 1 < counted; i++)
        must(log.p[i] != '\n');
    show(f, log);
    return 0;
}
