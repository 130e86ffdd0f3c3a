/* store/snapshot.h: an image as a stream of bytes, and back.
 *
 *     magic "CORACLE" version:1   rev epoch lease_seq compacted n_leases n_keys   (varints)
 *     lease...   id ttl_ms touches                                            ascending by id
 *     key...     len KEY create mod version lease tag len VALUE               ascending by key
 *
 * The writer holds a shared image, so the state may change while it is written.  raft's snapshot files
 * carry checksums; the reader nevertheless believes nothing: lengths are bounded, orders and
 * references are checked, and what does not add up is E_CORRUPT. */
#ifndef STORE_SNAPSHOT_H
#define STORE_SNAPSHOT_H

#include "store/image.h"

struct snapshot_writer;
struct snapshot_writer *snapshot_writer_new(const struct image *m);
/* Fill up to cap bytes; fewer only at the end, 0 behind it. */
size_t snapshot_writer_read(struct snapshot_writer *w, char *p, size_t cap);
void   snapshot_writer_free(struct snapshot_writer *w);

struct snapshot_reader;
struct snapshot_reader *snapshot_reader_new(struct btree_pool *pool);
int  snapshot_reader_data(struct snapshot_reader *r, struct str data);
/* E_CORRUPT: it is not complete. Else the image is the caller's. */
int  snapshot_reader_take(struct snapshot_reader *r, struct image *ret);
void snapshot_reader_free(struct snapshot_reader *r);         /* NULL ok */

#endif
