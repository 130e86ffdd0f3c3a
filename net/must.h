/* net/must.h: assertions that stay on in release builds, and the few macros everything uses.
 *
 * must(e) states an invariant of our own code: when it is false the program has a bug, and it stops
 * with file, line and expression rather than go on with wrong state.  Nothing that a client, a peer,
 * a disk or a manifest can do may ever make one fail: those are errors (net/err.h), not bugs.
 * must_ok(rc) is must(rc == 0) for calls that can't fail here. */
#ifndef NET_MUST_H
#define NET_MUST_H

#include <stddef.h>

_Noreturn void panic_at(const char *file, int line, const char *what);

#define must(e)    ((e) ? (void)0 : panic_at(__FILE__, __LINE__, #e))
#define must_ok(e) must((e) == 0)

#define container_of(ptr, type, member) ((type *)(void *)((char *)(ptr) - offsetof(type, member)))
#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define MIN_OF(a, b) ((a) < (b) ? (a) : (b))
#define MAX_OF(a, b) ((a) > (b) ? (a) : (b))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))

#endif
