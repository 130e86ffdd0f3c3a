/* net/err.h: errors of this program.
 *
 * A function that can fail returns 0 or a negative code and writes the reason, for people, into the
 * errbuf its caller passes (NULL is allowed everywhere).  Codes exist where a caller decides
 * differently; everything else is told apart by the text.  Outputs named ret_* are untouched on
 * failure.  Only the top of a flow logs. */
#ifndef NET_ERR_H
#define NET_ERR_H

#include "net/must.h"

#define ERR_MAP(X)                                              \
    X(E_NOMEM,     -1, "out of memory")                         \
    X(E_CORRUPT,   -2, "stored data does not verify")           \
    X(E_STALE,     -3, "revision is older than the log")        \
    X(E_INVALID,   -4, "invalid input")                         \
    X(E_TOOBIG,    -5, "over a limit")                          \
    X(E_NOTFOUND,  -6, "not found")                             \
    X(E_EXISTS,    -7, "exists already")                        \
    X(E_CONFLICT,  -8, "changed meanwhile")                     \
    X(E_AGAIN,     -9, "not now, try again")                    \
    X(E_NOLEADER, -10, "no leader")                             \
    X(E_UNKNOWN,  -11, "outcome unknown")                       \
    X(E_TIMEOUT,  -12, "timed out")                             \
    X(E_CLOSED,   -13, "closed")                                \
    X(E_IO,       -14, "input or output failed")                \
    X(E_FULL,     -15, "no space left")                         \
    X(E_DENIED,   -16, "not allowed")                           \
    X(E_FUTURE,   -17, "revision is newer than any")            \
    X(E_CANCELED, -18, "canceled")                              \
    X(E_CHILD,    -19, "a child process failed")               \
    X(E_NOSPACE,  -20, "the database may not grow any more")

#define ERR_ENUM(name, num, text) name = num,
enum err { ERR_MAP(ERR_ENUM) };
#undef ERR_ENUM

struct errbuf { char s[1000]; };

/* The fixed text of a code ("not found"). */
const char *err_text(int code);
/* Set the reason; returns code so that `return err_set(...)` reads well. */
int err_set(struct errbuf *err, int code, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* Put context before the reason that is there: "context: reason". */
int err_wrap(struct errbuf *err, int code, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* From an errno value: picks E_FULL, E_NOTFOUND, E_EXISTS, E_DENIED, E_NOMEM or E_IO and appends strerror. */
int err_sys(struct errbuf *err, int errnum, const char *fmt, ...) PRINTF_LIKE(3, 4);

#endif
