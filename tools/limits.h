/* tools/limits.h: what the process may use of the system. */
#ifndef TOOLS_LIMITS_H
#define TOOLS_LIMITS_H

/* As many open files as the system lets us have.  Not for programs whose children inherit it. */
void limits_raise_files(void);

#endif
