/* store/saved.h: the store's state as one self-contained file: written from a serving head,
    read by nobody but
 * ourselves (`coracle snapshot`, `coracle check`).
 *
 * The form is that of raft's own snapshot files (raft/snapshot.h): a header with cluster, index, term and
 * membership, chunks with a checksum each, an end mark over all.  A restored member's first snapshot file is
 * such a file. Thread: loop only; nothing calls back. */
#ifndef STORE_SAVED_H
#define STORE_SAVED_H

#include "raft/snapshot.h"
#include "store/image.h"
#include "store/store.h"

/* ---- Saving -------------------------------------------------------------------------------------- */

struct store_save;
/* Pins the state now, in O(1).  E_AGAIN: there is none yet. */
int  store_save_open(struct store *s, struct store_save **ret, struct errbuf *err);
/* Appends the next piece (at most some RAFT_SNAPSHOT_SLICE); false: that was the last. */
bool store_save_read(struct store_save *w, struct buf *out);
void store_save_close(struct store_save *w);     /* unpins; NULL ok */

/* ---- Loading ------------------------------------------------------------------------------------- */

struct store_saved {
    struct snapshot_meta meta;                   /* size: of the file */
    uint64_t cluster, rev, keys, leases, bytes;  /* bytes: of keys and values */
    uint32_t hash;                               /* CRC32C of the whole file */
};
struct store_load;
struct store_load *store_load_new(void);
int  store_load_data(struct store_load *l, struct str bytes,
                     struct errbuf *err);    /* in any pieces; E_CORRUPT */
/* All bytes were given.  E_CORRUPT: they are not all of it. */
int  store_load_end(struct store_load *l, struct store_saved *ret, struct errbuf *err);
/* After store_load_end(): the state, to be changed at will. */
struct image *store_load_image(struct store_load *l);
/* The file again, with other metadata (and what was changed in the image). */
void store_load_write(struct store_load *l, uint64_t cluster, const struct snapshot_meta *m, struct buf *out);
void store_load_free(struct store_load *l);      /* NULL ok */

#endif
