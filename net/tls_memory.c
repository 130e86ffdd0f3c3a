/* net/tls_memory.c: see net/tls_memory.h.
 *
 * A connection at rest holds no record buffers (SSL_MODE_RELEASE_BUFFERS): the library allocates one of 16 kB
 * for every read and write and frees it right after.  In a heap in use that is a search each time; here the
 * last few of that size wait for the next one.  All else is malloc's. */
#include <malloc.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include "net/arena.h"
#include "net/tls_memory.h"

#define RECORD_MIN   16384u                      /* a record, ... */
#define RECORD_BLOCK 20480u                      /* ... with its header, padding and tag, of any version */
#define RECORDS_KEPT 4                           /* one is in use at a time, two while a handshake begins */

struct records { void *at[RECORDS_KEPT]; unsigned n; };
static _Thread_local struct records records;

static void *tls_malloc(size_t n, const char *file, int line)
{
    if (n < RECORD_MIN || n > RECORD_BLOCK)
        return n > 0 ? malloc(n) : NULL;
    return records.n > 0 ? records.at[--records.n] : malloc(RECORD_BLOCK);
}

static void *tls_realloc(void *p, size_t n, const char *file, int line)
{
    if (n > 0)
        return realloc(p, n);
    free(p);
    return NULL;
}

static void tls_free(void *p, const char *file, int line)
{
    size_t n = p != NULL ? malloc_usable_size(p) : 0;

    if (n >= RECORD_BLOCK && n < RECORD_BLOCK + 64 && records.n < RECORDS_KEPT)
        records.at[records.n++] = p;
    else
        free(p);
}

void tls__memory_init(void)
{
    (void)CRYPTO_set_mem_functions(tls_malloc, tls_realloc, tls_free);
}
