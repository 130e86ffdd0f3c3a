/* node/logs.h: reading a container's log as `kubectl logs` wants it, live if asked to.
 *
 * A log is PATH and its rotated predecessors PATH.1 (the newest) to PATH.n: log_rotate() makes them, readers
 * go through them in order and follow along when a rotation happens under them, losing and doubling nothing.
 * A reader that follows ends when nobody has the file open for writing any more, that is, when the
 * container's monitor is through.
 *
 * Reads go in slices of LOG_SLICE between which the loop turns; a paused reader holds no more than one slice.
 * Lifetime: close the reader before its hub.  Re-entry: no callback from inside log_reader_open(). */
#ifndef NODE_LOGS_H
#define NODE_LOGS_H

#include "node/log_lines.h"
#include "node/log_watch.h"

#define LOG_SLICE (64u << 10)

struct log_reader;
struct log_reader_opts {
    struct log_hub *hub;
    const char *path;                            /* copied */
    struct log_filter filter;                    /* timestamps, streams, since_ns, left (limit); the rest zero */
    bool follow;
    bool tail; uint64_t tail_lines;              /* tail: only the last so many lines, and what follows */
    void (*on_bytes)(void *arg, const char *p, size_t n);    /* may pause or close the reader */
    void (*on_end)(void *arg, int err, const char *reason);  /* once, last; err 0: all there is. Close it then, or there. */
    void *arg;
};
int  log_reader_open(const struct log_reader_opts *o, struct log_reader **ret, struct errbuf *err);     /* E_NOTFOUND: no such log */
void log_reader_pause(struct log_reader *r, bool pause);
void log_reader_close(struct log_reader *r);     /* NULL ok */

/* If the log has reached max bytes, make it PATH.1, PATH.1 PATH.2 and so on; at most keep files (with the new
 * one) stay. 1: done: whoever writes it must now reopen it; 0: it is shorter. */
int  log_rotate(const char *path, uint64_t max_bytes, unsigned keep, struct errbuf *err);
/* Remove a log and its predecessors. */
void log_remove(const char *path);

#endif
