/* net/real_loop.c: the reactor on libuv.
 *
 * libuv waits and calls back for I/O, the thread pool and signals; the turn is ours.  Each round is one
 * uv_run(ONCE), then loop__turn().  A single uv_timer stands for our heap, re-armed only when the
 * earliest due time changed, so a turn costs no system call but the wait itself. */
#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <sys/random.h>
#include <time.h>
#include "net/real_loop.h"

struct real_signal {
    uv_signal_t  uv;
    struct qlink link;
    void       (*fn)(void *arg, int signum);
    void        *arg;
};

static uint64_t clock_read(clockid_t id)
{
    struct timespec ts;
    must_ok(clock_gettime(id, &ts));
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static uint64_t real_clock(struct loop *l)
{
    return clock_read(CLOCK_BOOTTIME);           /* counts on while the machine sleeps */
}

static int64_t real_wall(struct loop *l)
{
    return (int64_t)clock_read(CLOCK_REALTIME);
}

static void real_random(struct loop *l, void *p, size_t n)
{
    for (size_t at = 0; at < n; ) {
        ssize_t rc = getrandom((char *)p + at, n - at, 0);
        must(rc > 0 || errno == EINTR);
        at += rc > 0 ? (size_t)rc : 0;
    }
}

char *real_read_buf(struct loop *l)
{
    struct real_loop *r = real_loop(l);
    if (r->read_buf == NULL)
        r->read_buf = mem_alloc(REAL_READ_SIZE);
    return r->read_buf;
}

/* ---- waiting --------------------------------------------------------------------------------- */

static void alarm_on_ring(uv_timer_t *t)
{
    struct real_loop *r = t->data;
    r->alarm_due_ns = 0;                         /* loop__turn() finds what is due */
    uv_stop(t->loop);                            /* uv_run() may ring before it polls; it must not wait then */
}

static void alarm_set(struct real_loop *r, uint64_t due_ns)
{
    if (due_ns == r->alarm_due_ns)
        return;
    r->alarm_due_ns = 0;
    uv_timer_stop(&r->alarm);
    if (due_ns == 0 || due_ns == LOOP_NEVER)
        return;
    uint64_t now = real_clock(&r->base);
    uint64_t ms = due_ns > now ? (due_ns - now - 1) / 1000000 + 1 : 0;
    uv_update_time(&r->uv);
    must_ok(uv_timer_start(&r->alarm, alarm_on_ring, ms, 0));
    r->alarm_due_ns = due_ns;
}

/* One round; false when nothing is left that could ever happen. */
static bool real_round(struct real_loop *r, bool may_wait)
{
    uint64_t due = loop__due(&r->base);

    alarm_set(r, due);
    if (due == LOOP_NEVER && !uv_loop_alive(&r->uv))
        return false;
    loop__wake_up(&r->base);
    uv_run(&r->uv, due == 0 || !may_wait ? UV_RUN_NOWAIT : UV_RUN_ONCE);
    loop__turn(&r->base);
    return true;
}

static void real_run(struct loop *l)
{
    while (!l->stopping && real_round(real_loop(l), true))
        ;
}

uv_poll_t *real_poll_open(struct loop *l, int fd, void *data, struct errbuf *err)
{
    uv_poll_t *poll = mem_new(uv_poll_t);
    int        rc = uv_poll_init(&real_loop(l)->uv, poll, fd);

    if (rc < 0) {
        mem_free(poll);
        err_sys(err, -rc, "watch a file descriptor");
        return NULL;
    }
    poll->data = data;
    return poll;
}

static void poll_on_closed(uv_handle_t *h)
{
    mem_free(h);
}

void real_poll_close(uv_poll_t *poll)
{
    if (poll == NULL)
        return;
    poll->data = NULL;
    uv_close((uv_handle_t *)poll, poll_on_closed);
}

/* ---- signals --------------------------------------------------------------------------------- */

static void signal_on_signal(uv_signal_t *h, int signum)
{
    struct real_signal *s = container_of(h, struct real_signal, uv);
    s->fn(s->arg, signum);
}

static void real_on_signal(struct loop *l, int signum, void (*fn)(void *arg, int signum), void *arg)
{
    struct real_signal *s = mem_new(struct real_signal);

    s->fn = fn;
    s->arg = arg;
    qpush(&real_loop(l)->signals, &s->link);
    must_ok(uv_signal_init(&real_loop(l)->uv, &s->uv));
    must_ok(uv_signal_start(&s->uv, signal_on_signal, signum));
    uv_unref((uv_handle_t *)&s->uv);             /* a program that only listens for signals is done */
}

static void signal_on_closed(uv_handle_t *h)
{
    mem_free(container_of(h, struct real_signal, uv));
}

/* ---- beginning and end ----------------------------------------------------------------------- */

static void real_free(struct loop *l)
{
    struct real_loop *r = real_loop(l);

    /* Let what was closed just before finish; a handle somebody forgot keeps its count and fails below. */
    for (int i = 0; i < 64 && real_round(r, false); i++)
        ;
    loop__fini(l);
    proc__forget_children(l);
    while (!qempty(&r->signals)) {
        struct real_signal *s = qentry(qpop(&r->signals), struct real_signal, link);
        uv_close((uv_handle_t *)&s->uv, signal_on_closed);
    }
    uv_close((uv_handle_t *)&r->alarm, NULL);
    uv_run(&r->uv, UV_RUN_DEFAULT);              /* jobs that still run end here */
    real_work_end(r);
    uv_run(&r->uv, UV_RUN_DEFAULT);
    must_ok(uv_loop_close(&r->uv));
    mem_free(r->read_buf);
    mem_free(r);
}

/* Free pages between blocks in use, which no free() gives back by itself. */
static void real_memory_rest(struct loop *l)
{
    (void)malloc_trim(0);
}

static const struct loop_ops real_ops = {
    .free = real_free,
    .run = real_run,
    .clock = real_clock,
    .wall = real_wall,
    .random = real_random,
    .work = real_work,
    .on_signal = real_on_signal,
    .memory_rest = real_memory_rest,
    .connect = real_connect,
    .listen = real_listen,
    .disk_open = real_disk_open,
};

/* One thread allocates; the pool's threads hardly do, and an arena for each would be memory for nothing.  A
 * large block goes back to the system when it is freed, and so does a long free end of the heap; without
 * these two malloc raises both limits after the first large block, and an idle head stays as large as its
 * busiest moment. */
static void real_tune_malloc(void)
{
    (void)mallopt(M_ARENA_MAX, 1);
    (void)mallopt(M_MMAP_THRESHOLD, 1 << 20);
    (void)mallopt(M_TRIM_THRESHOLD, 1 << 20);
    (void)mallopt(M_TOP_PAD, 256 << 10);
}

struct loop *loop_new_real(void)
{
    struct real_loop *r = mem_new(struct real_loop);

    real_tune_malloc();
    loop__init(&r->base, &real_ops);
    qinit(&r->signals);
    qinit(&r->children);
    signal(SIGPIPE, SIG_IGN);                    /* a gone peer is an error of one stream */
    signal(SIGCHLD, SIG_DFL);                    /* if our parent ignored it we could not reap */
    must_ok(uv_loop_init(&r->uv));
    must_ok(uv_timer_init(&r->uv, &r->alarm));
    r->alarm.data = r;
    real_work_begin(r);
    return &r->base;
}
