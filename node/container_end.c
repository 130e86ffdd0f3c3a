/* node/container_end.c: how a container is stopped, and what is kept of a run that is over. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include "node/clean_text.h"
#include "node/container_impl.h"

#define GRACE_MIN_MS       2000                  /* after SIGTERM, however little grace is left */
#define GRACE_MAX_S        (INT32_MAX / 1000)
#define KILL_AGAIN_MS      5000
#define BACKOFF_FORGET_S   600                   /* a run that long starts the count of restarts anew */
#define MESSAGE_MAX        4096                  /* of a termination message */
#define LOG_MESSAGE_MAX    2048                  /* of one made from the log */
#define LOG_MESSAGE_LINES  80

static struct agent *agent_of(const struct container *c) { return c->pod->agent; }

/* ---- Hooks and probes ----------------------------------------------------------------------- */

void container__stop_probes(struct container *c)
{
    probe_stop(c->startup);
    probe_stop(c->readiness);
    probe_stop(c->liveness);
    c->startup = c->readiness = c->liveness = NULL;
}

void container__hook_start(struct container *c, const struct json *spec,
                           void (*done)(void *arg, bool ok, const char *reason))
{
    must(c->hook == NULL);
    c->hook = mem_new(struct ct_hook);
    c->hook->c = c;
    c->hook->action = action_start(c, spec, 0, done, c);
}

void container__hook_end(struct container *c)
{
    if (c->hook == NULL)
        return;
    action_cancel(c->hook->action);
    mem_free(c->hook);
    c->hook = NULL;
}

/* ---- Stop ----------------------------------------------------------------------------------- */

struct kill { struct rt_kill r; char id[65]; };

static void on_killed(struct rt_req *r, int status)
{
    mem_free(container_of(container_of(r, struct rt_kill, req), struct kill, r));
}

/* Whether it worked shows when the container ends. */
static void kill_with(struct container *c, int signum)
{
    struct kill *k = mem_new(struct kill);

    snprintf(k->id, sizeof k->id, "%s", c->id);
    k->r = (struct rt_kill){ .req = { .done = on_killed }, .id = k->id, .signum = signum };
    agent_of(c)->rt->ops->container_kill(agent_of(c)->rt, &k->r);
}

static int stop_signal(const struct container *c)
{
    static const struct { const char *name; int n;
    } names[] = {
        { "SIGHUP", 1 },   { "SIGINT", 2 },   { "SIGQUIT", 3 },   { "SIGABRT", 6 },  { "SIGKILL", 9 },
        { "SIGUSR1", 10 }, { "SIGUSR2", 12 }, { "SIGALRM", 14 },  { "SIGTERM", 15 }, { "SIGCONT", 18 },
        { "SIGSTOP", 19 }, { "SIGTSTP", 20 }, { "SIGWINCH", 28 }, { "SIGPWR", 30 },  { "SIGRTMIN+3", 37 },
    };
    const struct rt_image_info *i = agent_of(c)->rt->ops->image_get(agent_of(c)->rt, c->image_id);
    struct str want = i != NULL && i->stop_signal != NULL ? str_of(i->stop_signal) : STR_NONE;
    uint64_t n;

    for (size_t k = 0; k < ARRAY_LEN(names); k++)
        if (str_is(want, names[k].name) || str_is(want, names[k].name + 3))
            return names[k].n;
    return str_u64(want, &n) && n >= 1 && n <= 64 ? (int)n : 15;
}

/* Patience ends then, or when it was to end already. */
static void patience(struct container *c, uint64_t ms)
{
    uint64_t due = loop_now_ms(agent_of(c)->loop) + ms;

    if (c->kill_due_ms != 0 && c->kill_due_ms <= due)
        return;
    c->kill_due_ms = due;
    timer_start(&c->timer, ms);
}

static void send_term(struct container *c)
{
    uint64_t now = loop_now_ms(agent_of(c)->loop);

    container__hook_end(c);
    if (c->kill_due_ms < now + GRACE_MIN_MS) {   /* time to put things down, even if none was left for that */
        c->kill_due_ms = now + GRACE_MIN_MS;
        timer_start(&c->timer, GRACE_MIN_MS);
    }
    container__move(c, CT_TERM);
    kill_with(c, stop_signal(c));
}

static void send_kill(struct container *c)
{
    container__hook_end(c);
    if (c->state != CT_KILL)
        container__move(c, CT_KILL);
    kill_with(c, 9);
    timer_start(&c->timer, KILL_AGAIN_MS);
}

void container__on_stop_timer(struct container *c)
{
    if (c->state == CT_PRE_STOP)
        send_term(c);
    else
        send_kill(c);
}

static void on_pre_stop(void *arg, bool ok, const char *reason)
{
    struct container *c = arg;

    c->hook->action = NULL;
    if (!ok)
        pod_event(c->pod, c, "Warning", "FailedPreStopHook", "PreStopHook failed: %s", reason);
    must(c->state == CT_PRE_STOP);               /* leaving it ends the hook */
    send_term(c);
}

/* It runs. */
static void begin_stop(struct container *c, int64_t grace_s, const char *why)
{
    const struct json *hook = json_path(c->spec, "lifecycle.preStop");

    if (why != NULL)
        pod_event(c->pod, c, "Normal", "Killing", "%s", why);
    else
        pod_event(c->pod, c, "Normal", "Killing", "Stopping container %s", c->name);
    container__hook_end(c);
    c->kill_due_ms = 0;
    patience(c, (uint64_t)grace_s * 1000);       /* preStop and SIGTERM share it */
    if (hook == NULL || grace_s == 0) {
        send_term(c);
        return;
    }
    container__move(c, CT_PRE_STOP);
    container__hook_start(c, hook, on_pre_stop);
}

void container_stop(struct container *c, int64_t grace_s, const char *why)
{
    grace_s = MAX_OF(MIN_OF(grace_s, (int64_t)GRACE_MAX_S), 0);
    c->stop_wanted = true;
    c->kill_grace_s = grace_s;
    container__stop_probes(c);
    c->ready = false;
    switch (c->state) {
    case CT_RUNNING: case CT_POST_START:
        begin_stop(c, grace_s, why);
        break;
    case CT_PRE_STOP:
        patience(c, (uint64_t)grace_s * 1000);
        break;
    case CT_TERM:
        patience(c, MAX_OF((uint64_t)grace_s * 1000, (uint64_t)GRACE_MIN_MS));
        break;
    case CT_PULL: case CT_WAIT: case CT_BACKOFF:
        container__drop_op(c);
        timer_stop(&c->timer);
        container__set_wait(c, NULL, NULL);
        container__move(c, CT_EXITED);
        break;
    case CT_IDLE: case CT_CREATE: case CT_START: case CT_KILL: case CT_EXITED: case CT_STATES:
        break; /* nothing runs, or its end is on the way, or the request's callback looks */
    }
}

/* ---- The end of a run ----------------------------------------------------------------------- */

void container__end_clear(struct ct_end *e)
{
    mem_free(e->message);
    *e = (struct ct_end){ 0 };
}

/* The last `max` bytes of a file that the container may have had a say in. */
static void read_tail(const char *path, size_t max, struct buf *ret)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    struct stat st;
    ssize_t n;

    if (fd < 0)
        return;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0) {
        off_t from = st.st_size > (off_t)max ? st.st_size - (off_t)max : 0;
        buf_reserve(ret, max);
        while (ret->n < max && (n = pread(fd, ret->p + ret->n, max - ret->n, from + (off_t)ret->n)) != 0) {
            if (n < 0 && errno == EINTR)
                continue;
            if (n < 0)
                break;
            ret->n += (size_t)n;
        }
    }
    close(fd);
}

/* "2026-01-02T03:04:05.678Z stdout F text" -> text; a line that was cut in front has none. */
static struct str log_text(struct str line)
{
    struct str part;

    for (unsigned i = 0; i < 3; i++)
        if (!str_split(&line, ' ', &part) || (i == 1 && !str_is(part, "stdout") && !str_is(part, "stderr")))
            return STR_NONE;
    return line;
}

/* The last lines of the log, as the container wrote them. */
static char *message_from_log(const char *path)
{
    struct buf raw = BUF_INIT, text = BUF_INIT;
    struct str rest, line;
    size_t lines = 0, skip;
    char *message = NULL;

    read_tail(path, 4 * LOG_MESSAGE_MAX, &raw);
    for (size_t i = 0; i < raw.n; i++)
        lines += raw.p[i] == '\n';
    skip = lines > LOG_MESSAGE_LINES ? lines - LOG_MESSAGE_LINES : 0;
    rest = buf_str(&raw);
    for (size_t i = 0; str_split(&rest, '\n', &line); i++) {
        struct str t = log_text(line);
        if (i < skip || t.p == NULL)
            continue;
        buf_str_add(&text, t);
        buf_char(&text, '\n');
    }
    if (text.n > 0)
        message = clean_text(buf_str(&text), LOG_MESSAGE_MAX, true);
    buf_release(&raw);
    buf_release(&text);
    return message;
}

/* What the container wrote for us before it ended; else, if asked for, the end of its log. */
static char *termination_message(const struct container *c, const struct rt_container_info *i)
{
    struct buf b = BUF_INIT;
    char *text = NULL;

    if (i->termination_file != NULL)
        read_tail(i->termination_file, MESSAGE_MAX, &b);
    if (b.n > 0)
        text = clean_text(buf_str(&b), MESSAGE_MAX, true);
    else if (i->exit_code != 0 && i->log_path != NULL
             && str_is(json_path_str(c->spec, "terminationMessagePolicy"), "FallbackToLogsOnError"))
        text = message_from_log(i->log_path);
    buf_release(&b);
    return text;
}

struct ct_end container__end_from(const struct container *c, const struct rt_container_info *i)
{
    struct ct_end e = { .valid = true,
                        .oom = i->oom_killed,
                        .exit_code = i->exit_code,
                        .started_s = i->started_ns / 1000000000,
                        .finished_s = i->finished_ns / 1000000000 };

    snprintf(e.id, sizeof e.id, "%s", i->id);
    e.reason = i->oom_killed       ? "OOMKilled"
               : i->lost           ? "ContainerStatusUnknown"
               : i->exit_code == 0 ? "Completed"
                                   : "Error";
    e.message = termination_message(c, i);
    return e;
}

void container__ended(struct container *c, struct ct_end end)
{
    container__stop_probes(c);
    container__hook_end(c);
    timer_stop(&c->timer);
    container__end_clear(&c->end);
    c->end = end;
    c->ready = c->started = false;
    c->kill_due_ms = 0;
    if (end.started_s > 0 && end.finished_s - end.started_s > BACKOFF_FORGET_S)
        c->backoff_ms = 0;
    container__move(c, CT_EXITED);
}

/* While a request is in flight its callback looks how things are. */
void container_on_exit(struct container *c)
{
    const struct rt_container_info *i = agent_of(c)->rt->ops->container_get(agent_of(c)->rt, c->id);

    if (i != NULL && i->state == RT_EXITED && c->op == NULL && c->state >= CT_START && c->state <= CT_KILL)
        container__ended(c, container__end_from(c, i));
}

void container_lost(struct container *c)
{
    struct ct_end e = { .valid = true,
                        .exit_code = 137,
                        .reason = "ContainerStatusUnknown",
                        .started_s = c->started_s,
                        .finished_s = agent_now_s(agent_of(c)) };

    container_on_exit(c);
    if (c->op != NULL || c->state < CT_START || c->state > CT_KILL)
        return;
    e.message = mem_strdup("The container could not be located when the pod was terminated");
    snprintf(e.id, sizeof e.id, "%s", c->id);
    container__ended(c, e);
}
