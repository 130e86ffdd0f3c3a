/* node/log_lines.h: the CRI log format, and what of it a reader wants to see.  Pure: no files, no clock.
 *
 *     2026-01-02T03:04:05.123456789Z stdout F text of a whole line, or of its last piece
 *     2026-01-02T03:04:05.123456789Z stderr P a piece of a line; more of it follows on the same stream
 *
 * What is not in this form is not from a container and is left out. */
#ifndef NODE_LOG_LINES_H
#define NODE_LOG_LINES_H

#include "net/blob.h"

#define LOG_HEAD_MAX 64                          /* time, stream and tag take less */

struct log_entry { struct str time, text; bool err, last; };     /* last: it ends its line */
/* One entry without its newline; false: not in the form.  Also for the beginning of one (LOG_HEAD_MAX bytes
 * or more). */
bool log_entry_parse(struct str in, struct log_entry *ret);

struct log_filter {
    bool timestamps, no_out, no_err;
    int64_t since_ns;                            /* older lines are left out; INT64_MIN: none */
    uint64_t left;                               /* bytes that may still be written; UINT64_MAX: no limit */
    bool open[2], skip[2];                       /* by stream: inside a line; which is left out */
};
/* Appends what of this entry is to be seen. */
void log_filter_entry(struct log_filter *f, struct str entry, struct buf *out);
/* Does this entry end a line that is to be seen (since_ns aside)?  For counting lines from the end. */
bool log_filter_counts(const struct log_filter *f, struct str entry);

/* Look backwards through a block for the beginning of the last *want lines of all that follows it.  n bytes
 * at p are the block, of which the last `seen` bytes belong to the block looked at before (heads of entries
 * may lie on the border); at_start: the block begins its file.  True: found, the offset in the block is in
 * *ret.  False: *want is how many more. */
bool log_tail_scan(const struct log_filter *f, const char *p, size_t n, size_t seen, bool at_start, uint64_t *want,
                   size_t *ret);

#endif
