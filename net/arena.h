/* net/arena.h: memory that lives as long as one request and is freed in one go.
 *
 * arena_init() never allocates; allocation dies when the system has no memory (callers bound what a
 * client can make us allocate).  Returned memory is aligned for any type and not zeroed unless the
 * name says so.  arena_reset() keeps the first chunk for reuse. */
#ifndef NET_ARENA_H
#define NET_ARENA_H

#include <stdarg.h>
#include "net/list.h"
#include "net/str.h"

struct arena_chunk;
struct arena { struct arena_chunk *chunk; char *at, *end; size_t total; };

#define ARENA_INIT ((struct arena){ NULL, NULL, NULL, 0 })
static inline void arena_init(struct arena *a) { *a = ARENA_INIT; }
/* One that will hold few bytes for long: the first chunk has room for n, later ones double it. */
void  arena_init_sized(struct arena *a, size_t n);
void  arena_release(struct arena *a);            /* frees all; the arena is as after init */
void  arena_reset(struct arena *a);
void *arena__grow(struct arena *a, size_t n);

static inline void *arena_alloc(struct arena *a, size_t n)
{
    must(n < (size_t)1 << 47);
    n = (n + 15 + (n == 0)) & ~(size_t)15;
    if ((size_t)(a->end - a->at) < n)
        return arena__grow(a, n);
    void *p = a->at;
    a->at += n;
    return p;
}

static inline void *arena_zalloc(struct arena *a, size_t n) { return memset(arena_alloc(a, n), 0, n); }
#define arena_new(a, type) ((type *)arena_zalloc((a), sizeof(type)))
/* Bytes handed out so far (limits on growth are checked against it). */
size_t     arena_used(const struct arena *a);
/* Copies; the results are NUL-terminated for convenience (n does not count it). */
struct str arena_str(struct arena *a, struct str s);
struct str arena_join(struct arena *a, const struct str *parts, size_t n);
struct str arena_fmt(struct arena *a, const char *fmt, ...) PRINTF_LIKE(2, 3);
struct str arena_vfmt(struct arena *a, const char *fmt, va_list ap);
char      *arena_cstr(struct arena *a, struct str s);

/* Plain heap; dies on failure; any thread.  mem_live() counts blocks, for leak checks in tests. */
void  *mem_alloc(size_t n);
void  *mem_zalloc(size_t n);
void  *mem_realloc(void *p, size_t n);
char  *mem_strdup(const char *z);
char  *mem_strndup(struct str s);
void   mem_free(void *p);
long   mem_live(void);
#define mem_new(type) ((type *)mem_zalloc(sizeof(type)))

/* The same for what comes and goes with every request.  Of blocks of MEM_BLOCK << k bytes (k <
 * MEM_BLOCK_SIZES) each thread keeps the few it freed last, so that the heap need not be searched for the
 * next one.  n: as allocated. */
#define MEM_BLOCK       4032u
#define MEM_BLOCK_SIZES 5u
void  *mem_block_alloc(size_t n);
void   mem_block_free(void *p, size_t n);

/* Domains: the simulator gives each of its machines one, makes it current while that machine runs,
 * and drops it with all that was allocated meanwhile when the machine crashes.
 * mem_track() must come before the first mem_* allocation of the program (a constructor will do):
 * from then on each block carries a header that names its domain, and only one thread may allocate.
 * Without it blocks have no header and domains cost one branch per call. */
struct mem_domain { struct qlink blocks; size_t n_blocks; };
void mem_track(void);                                     /* twice is fine */
void mem_domain_init(struct mem_domain *d);
/* Blocks allocated from now on belong to d (NULL: to nobody); returns what was current.
 * Reallocating keeps a block's domain; freeing works whatever is current. */
struct mem_domain *mem_domain_enter(struct mem_domain *d);
void mem_domain_drop(struct mem_domain *d);               /* frees all its blocks; d may be used again */

#endif
