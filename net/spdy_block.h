/* net/spdy_block.h: SPDY's header blocks: names and values, compressed with one zlib stream per direction
 * and connection that starts from the dictionary of the specification (draft 3.1, 2.6.10). */
#ifndef NET_SPDY_BLOCK_H
#define NET_SPDY_BLOCK_H

#include "net/http.h"

#define SPDY_BLOCK_MAX   (64u << 10)             /* of one block, unpacked */
#define SPDY_HEADERS_MAX 64

struct spdy_packer;
struct spdy_unpacker;

struct spdy_packer *spdy_packer_new(void);
void spdy_packer_free(struct spdy_packer *p);    /* NULL ok */
/* Appends the block.  Names are sent in lower case. */
void spdy_pack(struct spdy_packer *p, const struct http_header *h, size_t n, struct buf *out);

struct spdy_unpacker *spdy_unpacker_new(void);
void spdy_unpacker_free(struct spdy_unpacker *u);        /* NULL ok */
/* Blocks must be given in the order they came.  After a failure (E_INVALID, E_TOOBIG: what the peer sent is
 * against the rules) no later block can be read.  Results live in a. */
int  spdy_unpack(struct spdy_unpacker *u, struct str block, struct arena *a, struct http_header **ret,
                 size_t *ret_n,
                 struct errbuf *err);

#endif
