/* node/pidwatch.h: who a process is, and when it ends, though it is not our child.
 *
 * A pid alone is reused; a pid with its start time and the boot it belongs to is not.  The identity is what the
 * runtime writes to disk, and every signal goes through a pidfd whose identity was checked after opening it. */
#ifndef NODE_PIDWATCH_H
#define NODE_PIDWATCH_H

#include <sys/types.h>
#include "net/loop.h"

struct proc_id { pid_t pid; uint64_t start_ticks; char boot[40]; };

/* false: no such process. */
bool proc_id_of(pid_t pid, struct proc_id *ret);
/* The process is the same one and lives (a zombie does not). */
bool proc_id_alive(const struct proc_id *id);
/* 0, E_NOTFOUND when it has ended, or E_DENIED/E_IO. */
int  proc_id_signal(const struct proc_id *id, int signum, struct errbuf *err);

/* A file descriptor watched for input (and, while asked for, for room to write); fn may close the watch. */
struct fd_watch;
int  fd_watch_open(struct loop *l, int fd, void (*fn)(void *arg, int fd), void *arg, struct fd_watch **ret,
                   struct errbuf *err);
void fd_watch_mode(struct fd_watch *w, bool readable, bool writable);
void fd_watch_close(struct fd_watch *w);         /* NULL ok; the fd is the caller's */

/* Calls fn once, from the loop, when the process has ended (also if it had ended before). */
struct pid_watch;
int  pid_watch_open(struct loop *l, const struct proc_id *id, void (*fn)(void *arg), void *arg,
                    struct pid_watch **ret,
                    struct errbuf *err);
void pid_watch_close(struct pid_watch *w);       /* NULL ok; also needed after fn */

#endif
