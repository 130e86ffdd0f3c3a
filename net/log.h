/* net/log.h: one line per fact to stderr, "2026-01-02T03:04:05.678Z I part: text key=value".
 * Never log secrets, tokens or request bodies.  Debug lines cost one branch when off. */
#ifndef NET_LOG_H
#define NET_LOG_H

#include "net/must.h"

enum log_level { LOG_NONE = -1, LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };
extern enum log_level log_level;                 /* default LOG_INFO */

void log_write(enum log_level level, const char *part, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* Where time comes from (the simulator's loop sets its own); NULL = the system's clock. */
void log_clock(long long (*wall_ns)(void *arg), void *arg);

#define log_error(part, ...) log_write(LOG_ERROR, part, __VA_ARGS__)
#define log_warn(part, ...)  log_write(LOG_WARN, part, __VA_ARGS__)
#define log_info(part, ...)  log_write(LOG_INFO, part, __VA_ARGS__)
#define log_debug(part, ...) (log_level >= LOG_DEBUG ? log_write(LOG_DEBUG, part, __VA_ARGS__) : (void)0)

#endif
