/* net/blob.h: refcounted immutable bytes, and the growing buffer they are made in.
 *
 * A blob is written once, before it is shared; after that everyone who needs it holds a reference
 * (stored value, event, every watcher's and reader's output queue).  Plain integers: loop thread
 * only.  The thread pool may read a blob that the loop keeps referenced meanwhile. */
#ifndef NET_BLOB_H
#define NET_BLOB_H

#include "net/arena.h"

struct blob { uint32_t refs, len; char data[]; };

struct blob *blob_new(size_t len);               /* one reference, bytes unset; len < 2^32 */
struct blob *blob_copy(struct str s);
void         blob__free(struct blob *b);

static inline struct blob *blob_ref(struct blob *b)
{
    must(b->refs > 0 && b->refs < UINT32_MAX);
    b->refs++;
    return b;
}

/* b = blob_unref(b); NULL ok. */
static inline struct blob *blob_unref(struct blob *b)
{
    if (b != NULL) {
        must(b->refs > 0);
        if (--b->refs == 0)
            blob__free(b);
    }
    return NULL;
}

static inline struct str blob_str(const struct blob *b) { return b != NULL ? str_make(b->data, b->len) : STR_NONE; }

/* A growing buffer.  All appends die on out-of-memory; who reads from a client bounds it first. */
struct buf { char *p; size_t n, cap; };

#define BUF_INIT ((struct buf){ NULL, 0, 0 })
void buf_release(struct buf *b);                 /* frees; as after init */
void buf_reserve(struct buf *b, size_t more);
void buf_fmt(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
void buf_drop(struct buf *b, size_t n);          /* forget the first n bytes */
struct blob *buf_to_blob(struct buf *b);         /* copies; leaves b empty but keeps its memory */
static inline void buf_clear(struct buf *b) { b->n = 0; }
static inline struct str buf_str(const struct buf *b) { return str_make(b->p, b->n); }

static inline void buf_add(struct buf *b, const void *p, size_t n)
{
    if (b->cap - b->n < n)
        buf_reserve(b, n);
    if (n > 0)
        memcpy(b->p + b->n, p, n);
    b->n += n;
}

static inline void buf_str_add(struct buf *b, struct str s) { buf_add(b, s.p, s.n); }
static inline void buf_z(struct buf *b, const char *z) { buf_add(b, z, strlen(z)); }
static inline void buf_char(struct buf *b, char c) { buf_add(b, &c, 1); }
void buf_u64(struct buf *b, uint64_t v);         /* decimal */
void buf_i64(struct buf *b, int64_t v);
/* Fixed-width little-endian, and protobuf/LEB128 varints: the forms of every file and frame of ours. */
void buf_le32(struct buf *b, uint32_t v);
void buf_le64(struct buf *b, uint64_t v);
void buf_varint(struct buf *b, uint64_t v);
/* The reverse: cut from the front of *s; false when too short (or over-long), *s then undefined. */
bool str_le32(struct str *s, uint32_t *ret);
bool str_le64(struct str *s, uint64_t *ret);
bool str_varint(struct str *s, uint64_t *ret);
bool str_take(struct str *s, size_t n, struct str *ret);

#endif
