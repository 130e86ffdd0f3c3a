/* net/http2_pool.h: memory for what comes and goes with each stream of HTTP/2: nghttp2's frames and streams, our
 * requests.  The C library keeps seven freed blocks of a size at hand, a connection has hundreds of streams.
 * Each session also has a buffer for the largest frame, of which an idle connection has touched the first bytes:
 * those buffers are cut from slabs that are fresh from the system, so that the rest takes no memory.
 *
 * One pool per server or client; it outlives its connections. */
#ifndef NET_HTTP2_POOL_H
#define NET_HTTP2_POOL_H

#include <nghttp2/nghttp2.h>
#include "net/arena.h"

#define H2_POOL_STEP    64                       /* sizes are rounded up to steps */
#define H2_POOL_CLASSES 16                       /* larger blocks are the heap's */
#define H2_POOL_KEEP    64                       /* free blocks of a class: half a megabyte, if all were there */

#define H2_POOL_FRAME   16512                    /* a buffer for a frame, and some to spare */
#define H2_POOL_SLAB    32                       /* buffers in a slab */

struct h2_block;
struct h2_pool {
    struct h2_block *free[H2_POOL_CLASSES]; unsigned n[H2_POOL_CLASSES];
    struct qlink slabs;                          /* those with room */
};

void  h2_pool_init(struct h2_pool *p);
void  h2_pool_release(struct h2_pool *p);        /* all blocks are back */
void *h2_pool_alloc(struct h2_pool *p, size_t n);
void  h2_pool_free(struct h2_pool *p, void *at); /* NULL ok */
nghttp2_mem h2_pool_mem(struct h2_pool *p);      /* the same for nghttp2 */

#endif
