/* node/log_keeper.c: see node/log_keeper.h.
 *
 * Rotating is two steps: rename, then tell the monitor to open the log anew.  If the second fails the first
 * is not undone: the monitor writes on into the renamed file, and as the log itself is missing it is told
 * again next time. */
#include "net/log.h"
#include "node/files.h"
#include "node/log_keeper.h"
#include "node/logs.h"

#define EVERY_MS 10000

struct log_keeper { struct runtime *rt; uint64_t every_ms; struct timer timer; };

static void keep_one(void *arg, const struct rt_container_info *i)
{
    struct log_keeper *k = arg;
    struct errbuf err;
    int rc;

    if (i->state != RT_RUNNING || i->log_path == NULL)
        return;
    rc = log_rotate(i->log_path, AGENT_LOG_MAX_BYTES, AGENT_LOG_FILES, &err);
    if (rc > 0 || (rc == 0 && !file_exists(i->log_path)))
        rc = k->rt->ops->container_reopen_log(k->rt, i->id, &err);
    if (rc < 0)
        log_warn("node", "rotate %s: %s", i->log_path, err.s);
}

static void on_timer(struct timer *t)
{
    struct log_keeper *k = container_of(t, struct log_keeper, timer);

    k->rt->ops->container_each(k->rt, keep_one, k);
    timer_start(&k->timer, k->every_ms);
}

struct log_keeper *log_keeper_start(struct loop *l, struct runtime *rt, uint64_t every_ms)
{
    struct log_keeper *k = mem_new(struct log_keeper);

    k->rt = rt;
    k->every_ms = every_ms > 0 ? every_ms : EVERY_MS;
    timer_init(&k->timer, l, on_timer);
    timer_start(&k->timer, k->every_ms);
    return k;
}

void log_keeper_stop(struct log_keeper *k)
{
    if (k == NULL)
        return;
    timer_stop(&k->timer);
    mem_free(k);
}
