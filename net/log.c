/* net/log.c: one write(2) per line, so that lines of several processes on one stderr stay whole.
 *
 * What is logged may quote what a client sent: bytes that could fake a line or drive a terminal are
 * replaced. */
#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>
#include "net/log.h"

enum { LOG_LINE_MAX = 4096 };

enum log_level log_level = LOG_INFO;
static long long (*clock_fn)(void *arg);
static void       *clock_arg;

void log_clock(long long (*wall_ns)(void *arg), void *arg)
{
    clock_fn = wall_ns;
    clock_arg = arg;
}

static long long clock_wall_ns(void)
{
    struct timespec ts;

    if (clock_fn != NULL)
        return clock_fn(clock_arg);
    clock_gettime(CLOCK_REALTIME, &ts);
    return ts.tv_sec * 1000000000ll + ts.tv_nsec;
}

static size_t log_stamp(char *p, size_t n)
{
    long long ns = clock_wall_ns();
    time_t    sec = (time_t)(ns / 1000000000);
    struct tm tm;

    gmtime_r(&sec, &tm);
    size_t len = strftime(p, n, "%Y-%m-%dT%H:%M:%S", &tm);
    return len + (size_t)snprintf(p + len, n - len, ".%03dZ", (int)(ns / 1000000 % 1000));
}

static void log_clean(char *p, const char *end)
{
    for (; p < end; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            *p = *p == '\n' ? '|' : '?';
}

void log_write(enum log_level level, const char *part, const char *fmt, ...)
{
    static const char tag[] = "EWID";
    char    line[LOG_LINE_MAX];
    size_t  room = sizeof line - 1;              /* the newline always fits */
    va_list ap;

    if (level > log_level)
        return;
    size_t n = log_stamp(line, room);
    int    head = snprintf(line + n, room - n, " %c %.32s: ", tag[level], part);
    must(head > 0 && n + (size_t)head < room);
    n += (size_t)head;

    va_start(ap, fmt);
    int text = vsnprintf(line + n, room - n, fmt, ap);
    va_end(ap);
    must(text >= 0);
    size_t len = (size_t)text < room - n ? n + (size_t)text : room - 1;
    log_clean(line + n, line + len);
    if ((size_t)text >= room - n)                /* cut: say so */
        for (unsigned i = 1; i <= 3; i++)
            line[len - i] = '.';
    line[len++] = '\n';
    ssize_t rc = write(STDERR_FILENO, line, len);
    (void)rc;                                    /* nowhere to report to */
}
