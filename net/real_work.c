/* net/real_work.c: the thread pool of a loop: jobs out under a lock, finished ones back by an eventfd.
 *
 * Not libuv's: when its loop wakes before the thread that woke it has gone on, it spins for that thread, tens of
 * microseconds, and with as few cores as we have that is the usual case, at each write of the log.  Threads are
 * started when there is more work than idle threads, and wait without cost, on a semaphore that counts the jobs:
 * unlike a condition's, its waiter wakes without the lock, which saves a system call for each job. */
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include "net/real_loop.h"

enum { POOL_THREADS = 4 };

struct job { struct job *next; struct loop_work *w; };
struct job_list { struct job *first, **end; };

struct work_pool {
    /* Shared, under the lock. */
    pthread_mutex_t lock;
    struct job_list todo, done;
    /* Shared. */
    sem_t           jobs;                        /* in todo; and one for each thread when it shall end */
    /* Read-only once the first thread runs. */
    int             fd;
    /* The loop's. */
    struct loop    *loop;
    uv_poll_t      *poll;
    unsigned        n_threads;
    pthread_t       thread[POOL_THREADS];
    uint64_t        n_jobs;                      /* given and not yet told */
};

static void jobs_clear(struct job_list *l)
{
    l->first = NULL;
    l->end = &l->first;
}

static void jobs_push(struct job_list *l, struct job *j)
{
    j->next = NULL;
    *l->end = j;
    l->end = &j->next;
}

static struct job *jobs_pop(struct job_list *l)
{
    struct job *j = l->first;

    l->first = j->next;
    if (l->first == NULL)
        l->end = &l->first;
    return j;
}

/* ---- threads --------------------------------------------------------------------------------- */

static void pool_tell(const struct work_pool *p)
{
    static const uint64_t one = 1;
    must(write(p->fd, &one, sizeof one) == sizeof one);
}

static void *pool_thread(void *arg)
{
    struct work_pool *p = arg;

    for (;;) {
        while (sem_wait(&p->jobs) != 0)
            must(errno == EINTR);
        must_ok(pthread_mutex_lock(&p->lock));
        struct job *j = p->todo.first != NULL ? jobs_pop(&p->todo) : NULL;
        must_ok(pthread_mutex_unlock(&p->lock));
        if (j == NULL)
            return NULL;                         /* counted, and no job: the end */
        j->w->fn(j->w);
        must_ok(pthread_mutex_lock(&p->lock));
        bool first = p->done.first == NULL;
        jobs_push(&p->done, j);
        must_ok(pthread_mutex_unlock(&p->lock));
        if (first)                               /* else the loop has been told and has not looked yet */
            pool_tell(p);                        /* without the lock: the loop may run at once */
    }
}

/* Signals are the loop's. */
static void pool_add_thread(struct work_pool *p)
{
    sigset_t all, was;

    sigfillset(&all);
    must_ok(pthread_sigmask(SIG_SETMASK, &all, &was));
    if (pthread_create(&p->thread[p->n_threads], NULL, pool_thread, p) == 0)
        p->n_threads++;
    must_ok(pthread_sigmask(SIG_SETMASK, &was, NULL));
    must(p->n_threads > 0);                      /* fewer are slower, none would be forever */
}

/* ---- the loop's side ------------------------------------------------------------------------- */

static void pool_on_done(uv_poll_t *h, int status, int events)
{
    struct work_pool *p = h->data;
    struct job_list   done;
    uint64_t          n;

    must(status == 0);
    loop_now_ns(p->loop);                        /* the turn begins here */
    if (read(p->fd, &n, sizeof n) != sizeof n)
        return;
    must_ok(pthread_mutex_lock(&p->lock));
    done = p->done;
    jobs_clear(&p->done);
    must_ok(pthread_mutex_unlock(&p->lock));
    while (done.first != NULL) {
        struct job       *j = done.first;
        struct loop_work *w = j->w;
        done.first = j->next;
        mem_free(j);
        must(p->n_jobs > 0);
        if (--p->n_jobs == 0)
            uv_unref((uv_handle_t *)p->poll);
        w->impl = NULL;
        w->done(w);
    }
}

void real_work(struct loop *l, struct loop_work *w)
{
    struct work_pool *p = real_loop(l)->pool;
    struct job       *j = mem_new(struct job);

    j->w = w;
    w->impl = j;
    if (p->n_jobs++ == 0)
        uv_ref((uv_handle_t *)p->poll);
    must_ok(pthread_mutex_lock(&p->lock));
    jobs_push(&p->todo, j);
    must_ok(pthread_mutex_unlock(&p->lock));
    must(sem_post(&p->jobs) == 0);
    if (p->n_threads < POOL_THREADS && p->n_jobs > p->n_threads)
        pool_add_thread(p);
}

void real_work_begin(struct real_loop *r)
{
    struct work_pool *p = mem_new(struct work_pool);
    struct errbuf     err;

    must_ok(pthread_mutex_init(&p->lock, NULL));
    must(sem_init(&p->jobs, 0, 0) == 0);
    jobs_clear(&p->todo);
    jobs_clear(&p->done);
    p->loop = &r->base;
    p->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    must(p->fd >= 0);
    p->poll = real_poll_open(&r->base, p->fd, p, &err);
    must(p->poll != NULL);
    must_ok(uv_poll_start(p->poll, UV_READABLE, pool_on_done));
    uv_unref((uv_handle_t *)p->poll);
    r->pool = p;
}

void real_work_end(struct real_loop *r)
{
    struct work_pool *p = r->pool;

    must(p->n_jobs == 0);
    for (unsigned i = 0; i < p->n_threads; i++)
        must(sem_post(&p->jobs) == 0);
    for (unsigned i = 0; i < p->n_threads; i++)
        must_ok(pthread_join(p->thread[i], NULL));
    real_poll_close(p->poll);
    close(p->fd);
    must_ok(pthread_mutex_destroy(&p->lock));
    must(sem_destroy(&p->jobs) == 0);
    mem_free(p);
}
