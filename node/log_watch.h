/* node/log_watch.h: told when an open file grows, is renamed, unlinked, or closed by its writer: inotify, one
 * instance for all readers of an agent (the system grants a user few). */
#ifndef NODE_LOG_WATCH_H
#define NODE_LOG_WATCH_H

#include "net/loop.h"

struct log_hub;
int  log_hub_new(struct loop *l, struct log_hub **ret, struct errbuf *err);
void log_hub_free(struct log_hub *h);            /* NULL ok; all watches closed first */
struct loop *log_hub_loop(struct log_hub *h);

struct log_watch;
/* fd: the file itself, whatever its name is by now.  fn from the loop; closed: a writer closed it just now. */
int  log_watch_open(struct log_hub *h, int fd, void (*fn)(void *arg, bool closed), void *arg,
                    struct log_watch **ret, struct errbuf *err);
void log_watch_close(struct log_watch *w);       /* NULL ok; also from fn */

#endif
