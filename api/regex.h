/* api/regex.h: regular expressions in RE2's syntax, matched in time linear in the text.
 *
 * What the Kubernetes API means by `pattern` in a schema and by matches(), find() and findAll() in CEL: the
 * syntax of RE2 and Go (no look-around, no back references), leftmost-first, over code points of UTF-8.  A
 * byte that is no UTF-8 counts as one U+FFFD.  Groups structure the expression; what they caught is not told.
 *
 * An expression lives in the arena it was compiled into and keeps its working memory there too (bounded, made
 * when first needed): the arena must outlive it, and one expression matches one text at a time.  Both the
 * program (REGEX_MAX_INSTS) and the work of one call (REGEX_MAX_STEPS) are bounded: no pattern and no text
 * holds the loop for more than some tens of milliseconds. */
#ifndef API_REGEX_H
#define API_REGEX_H

#include "net/err.h"
#include "net/arena.h"

#define REGEX_MAX_INSTS  20000u                  /* of a compiled program */
#define REGEX_MAX_REPEAT 1000                    /* x{n}, also multiplied up over nested ones */
#define REGEX_MAX_DEPTH  250                     /* of groups */
#define REGEX_MAX_STEPS  (32u << 20)             /* instructions looked at in one call */

struct regex;
struct regex_span { size_t from, to; };          /* bytes of the text */

/* The pattern is not kept.  E_INVALID with Go's words ("error parsing regexp: missing closing ): `(a`"),
 * E_TOOBIG. */
int regex_compile(struct regex **ret, struct str pattern, struct arena *a, struct errbuf *err);
/* Does it match anywhere in the text?  1, 0, or E_TOOBIG: too much work. */
int regex_match(struct regex *re, struct str text);
/* The leftmost match that begins at or after `from` (which is <= text.n); the text before it is seen by ^ and
 * \b.  1, 0 (ret untouched), E_TOOBIG. */
int regex_find(struct regex *re, struct str text, size_t from, struct regex_span *ret);
/* Instructions that the last regex_find() looked at, for who calls it again and again. */
uint32_t regex_steps(const struct regex *re);

#endif
