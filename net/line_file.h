/* net/line_file.h: a log file of whole lines that rotates itself: audit events, one JSON text each.
 *
 * Writing never blocks and never fails: lines queue and are written in one piece on the thread pool, one
 * piece at a time.  When the file would outgrow its limit it is renamed to
 * NAME-2006-01-02T15-04-05.000.EXT (UTC), and the oldest of these go.  While the disk takes nothing, lines
 * wait up to LINE_FILE_WAITING_MAX bytes; more are dropped and counted, and the log says so once.  Thread:
 * loop only.  Real files, in the simulator too. */
#ifndef NET_LINE_FILE_H
#define NET_LINE_FILE_H

#include "net/loop.h"

#define LINE_FILE_WAITING_MAX (64u << 20)

struct line_file;
struct line_file_opts {
    const char *path;                            /* copied; "-": standard output, never rotated */
    uint64_t max_bytes;                          /* 0: no limit */
    unsigned max_backups;                        /* rotated files that stay; 0: all */
    uint64_t max_age_s;                          /* how long they stay; 0: for ever */
};

/* Opens (made 0600) or creates the file: E_IO with the reason when that is not possible. */
int  line_file_open(struct loop *l, const struct line_file_opts *o, struct line_file **ret,
                    struct errbuf *err);
void line_file_write(struct line_file *f, struct str line);   /* without its newline */
uint64_t line_file_dropped(const struct line_file *f);
/* Writes what waits, then done(arg): from the loop, or at once if nothing is being written. */
void line_file_close(struct line_file *f, void (*done)(void *arg), void *arg);

#endif
