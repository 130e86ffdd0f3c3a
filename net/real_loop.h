/* net/real_loop.h: the reactor on libuv, for the other real_*.c files. */
#ifndef NET_REAL_LOOP_H
#define NET_REAL_LOOP_H

#include <uv.h>
#include "net/loop_impl.h"
#include "net/tls.h"

/* Bytes read by one call; lent to on_data, so one for all streams. */
enum { REAL_READ_SIZE = 64 << 10 };

struct work_pool;

struct real_loop {
    struct loop   base;
    uv_loop_t     uv;
    uv_timer_t    alarm;                         /* wakes the loop for the earliest of our timers */
    uint64_t      alarm_due_ns;                  /* what it is armed for; 0: not armed */
    struct qlink  signals, children;             /* of real_signal; of proc */
    char         *read_buf;                      /* REAL_READ_SIZE, made when first needed */
    struct work_pool *pool;
};

static inline struct real_loop *real_loop(struct loop *l) { return container_of(l, struct real_loop, base); }
char *real_read_buf(struct loop *l);

/* A uv_poll_t of its own memory, so that its asynchronous close holds nobody up: no callback comes
 * after real_poll_close(), and the caller may close the descriptor right away. */
uv_poll_t *real_poll_open(struct loop *l, int fd, void *data, struct errbuf *err);
void       real_poll_close(uv_poll_t *poll);     /* NULL ok */

/* net/real_work.c: the thread pool of a loop. */
void real_work_begin(struct real_loop *r);
void real_work_end(struct real_loop *r);         /* nothing may be under way */
void real_work(struct loop *l, struct loop_work *w);

/* net/proc.c: let go of children that were detached. */
void proc__forget_children(struct loop *l);

int real_connect(struct loop *l, const struct stream_connect_opts *o, struct stream **ret,
                 struct errbuf *err);
int real_listen(struct loop *l, const struct listener_opts *o, struct listener **ret, struct errbuf *err);
int real_disk_open(struct loop *l, const char *path, struct disk **ret, bool *ret_in_use, struct errbuf *err);

#endif
